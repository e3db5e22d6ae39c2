package faults_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parleyhq/parley/signals"
)

// style is what a story may do.
type style struct {
	// strict waits after each close until the session has its ticket, so that
	// the number of sessions is known.
	strict bool
	// threaded names a thread per session.
	threaded bool
	// natural gives every event an id of its own.
	natural bool
}

// story is one conversation that goes on for as long as it is asked to: its
// sessions open, talk and close.
type story struct {
	t     *testing.T
	key   signals.Key
	style style
	rng   *rand.Rand
	book  *ledger

	events  int
	session int
	open    bool
	said    int
	at      time.Time
	// closing waits for the ticket of the session, if the story is strict.
	closing bool
	// again is the webhook that was not accepted, done are some that were.
	again *hook
	done  []*hook
}

func newStory(t *testing.T, book *ledger, key signals.Key, how style, rng *rand.Rand) *story {
	t.Helper()

	return &story{t: t, key: key, style: how, rng: rng, book: book}
}

// Bounds of a story: a timeline holds 200 lines, of which the pushes need some,
// and all sessions may turn out to be one.
const (
	maxEvents   = 140
	maxSaid     = 40
	maxSessions = 8
	keptHooks   = 8
)

// one reports true n times in a hundred.
func (s *story) one(n int) bool { return s.rng.IntN(100) < n }

// next returns the webhook to send now; nil while the story has to wait.
func (s *story) next() *hook {
	switch {
	case s.again != nil:
		return s.again
	case s.closing, s.session >= maxSessions && !s.open, s.events >= maxEvents:
		return nil
	case !s.open:
		return s.begin()
	case len(s.done) > 0 && s.one(8):
		return s.done[s.rng.IntN(len(s.done))]
	case s.said >= maxSaid || s.said > 3 && s.one(6):
		return s.close()
	default:
		return s.talk()
	}
}

// answered enters what became of a webhook.
func (s *story) answered(h *hook, got answer) {
	switch {
	case got == accepted:
		if s.again == h {
			s.again = nil
		}

		// What is sent once more must be the same. Derived ids and typing count as
		// new after a while.
		if s.style.natural && h.facts[0].kind != volatile && len(s.done) < keptHooks && s.one(30) {
			s.done = append(s.done, h)
		}
	case h.state == accepted:
		// A repetition that failed is nothing.
	case h.must || s.one(85):
		s.again = h
	default:
		s.again = nil // given up: it may have been taken, or not
	}
}

// begin opens the next session by what the visitor says first.
func (s *story) begin() *hook {
	s.session++
	s.open, s.said = true, 0

	h := s.hook(s.message(signals.RoleVisitor))
	h.must = true

	return h
}

// close ends the session; one in three closes come with the last word.
func (s *story) close() *hook {
	s.open, s.closing = false, s.style.strict

	closing := s.silent(signals.Event{Type: signals.ConversationClosed, Closing: &signals.Closing{ByRole: signals.RoleAgent}})

	var h *hook

	if s.one(33) {
		h = s.hook(s.message(signals.RoleAgent), closing)
	} else {
		h = s.hook(closing)
	}

	h.must = true

	return h
}

// talk goes on with an open session.
func (s *story) talk() *hook {
	switch dice := s.rng.IntN(100); {
	case dice < 55:
		return s.hook(s.message(signals.RoleVisitor))
	case dice < 75:
		return s.hook(s.message(signals.RoleAgent))
	case dice < 83:
		return s.hook(s.tag())
	case dice < 87:
		return s.hook(s.typing())
	case dice < 97:
		facts := make([]*fact, 0, 6)
		for range 2 + s.rng.IntN(5) {
			facts = append(facts, s.any())
		}

		return s.hook(facts...)
	case s.session > 1 && s.style.threaded:
		return s.hook(s.straggler())
	default:
		return s.hook(s.message(signals.RoleBot))
	}
}

// burst is a full batch.
func (s *story) burst() *hook {
	facts := make([]*fact, 0, 50)
	for range 20 + s.rng.IntN(30) {
		facts = append(facts, s.any())
	}

	h := s.hook(facts...)
	h.must = true

	return h
}

func (s *story) any() *fact {
	switch dice := s.rng.IntN(10); {
	case dice < 5:
		return s.message(signals.RoleVisitor)
	case dice < 8:
		return s.message(signals.RoleAgent)
	default:
		return s.tag()
	}
}

func (s *story) hook(facts ...*fact) *hook { return s.book.hookOf(s.t, s.key.Source, facts...) }

// stamp is a time that no other event of the conversation has.
func (s *story) stamp() time.Time {
	now := time.Now().UTC().Truncate(time.Millisecond)
	if !now.After(s.at) {
		now = s.at.Add(time.Millisecond)
	}

	s.at = now

	return now
}

func (s *story) thread(session int) string {
	if !s.style.threaded {
		return ""
	}

	return fmt.Sprintf("%s-T%d", s.key.Conversation, session)
}

// fact completes an event and makes it known by a mark of its own.
func (s *story) fact(how kind, event signals.Event) *fact {
	s.events++
	mark := fmt.Sprintf("%s e%d", s.key.Conversation, s.events)

	event.Conversation, event.At = s.key.Conversation, s.stamp()
	if event.Thread == "" {
		event.Thread = s.thread(s.session)
	}

	if s.style.natural || how == silent || s.one(80) {
		event.ID = mark
	}

	return &fact{key: s.key, kind: how, id: event.ID, text: mark, event: event}
}

func (s *story) message(role signals.Role) *fact {
	f := s.fact(spoken, signals.Event{Type: signals.MessageReceived, Actor: actorOf(role)})
	s.said++
	f.event.Message = &signals.Message{ID: f.id, Text: f.text, Kind: signals.KindText}

	return f
}

// straggler is a message of a session that is over.
func (s *story) straggler() *fact {
	f := s.message(signals.RoleVisitor)
	f.event.Thread = s.thread(s.session - 1)

	return f
}

func (s *story) tag() *fact {
	s.said++

	f := s.silent(signals.Event{Type: signals.TagAdded})
	f.event.Tag = &signals.Tag{Name: fmt.Sprintf("tag-%d", s.rng.IntN(20))}

	return f
}

func (s *story) typing() *fact {
	return s.fact(volatile, signals.Event{
		Type: signals.TypingChanged, Actor: actorOf(signals.RoleVisitor), Typing: &signals.Typing{On: s.one(50)},
	})
}

func (s *story) silent(event signals.Event) *fact { return s.fact(silent, event) }

func actorOf(role signals.Role) *signals.Actor {
	return &signals.Actor{ID: "the-" + string(role), Role: role, Name: "The " + string(role)}
}
