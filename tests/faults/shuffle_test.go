package faults_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// shuffled sends the same story twice: to one conversation in order, and to
// another in any order over several connections, with repetitions and a kill in
// between. As long as no clock falls due both end in the same state.
func shuffled(w *world) {
	pairs := pick(10, 30)

	w.start()

	// Long before now, so that no time of receipt comes before an event's own.
	from := time.Now().UTC().Truncate(time.Second).Add(-5 * time.Minute)

	var all []*hook

	for i := range pairs {
		ordered, mixed := pair(i)
		script := scriptOf(w.fork(fmt.Sprintf("script-%d", i)), from)

		for at := range script {
			w.insist(w.single(ordered, at, script[at]))
		}

		for at := range script {
			all = append(all, w.single(mixed, at, script[at]))
		}
	}

	w.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	w.sayf("%d conversations in order: %s", pairs, w.turn())
	w.scatter(all)
	w.sayf("and shuffled: %s", w.turn())

	for i := range pairs {
		w.compare(i)
	}

	w.kill()
	w.start()

	for i := range pairs {
		w.compare(i)
	}

	w.judgeInbox()
	w.judgeLog()
}

// single makes a webhook of one event of a script.
func (w *world) single(key signals.Key, at int, event signals.Event) *hook {
	event.Conversation = key.Conversation
	event.ID = fmt.Sprintf("%s-%d", key.Conversation, at)
	text := event.ID

	if event.Message != nil {
		message := *event.Message
		message.ID = fmt.Sprintf("m%d", at)
		message.Text = fmt.Sprintf("word %d", at)
		event.Message = &message
	}

	return w.book.hookOf(w.T, key.Source, &fact{key: key, kind: silent, id: event.ID, text: text, event: event})
}

// scatter posts webhooks over several connections, some of them twice, and
// kills the program on the way.
func (w *world) scatter(all []*hook) {
	const connections = 6

	var posting sync.WaitGroup

	queue := make(chan *hook, len(all))
	for _, h := range all {
		queue <- h
	}

	close(queue)

	for i := range connections {
		dice := w.fork(fmt.Sprintf("connection-%d", i))

		posting.Go(func() {
			for h := range queue {
				w.insist(h)

				if dice.IntN(10) == 0 {
					w.send(h)
				}
			}
		})
	}

	time.Sleep(w.between(0, 300*time.Millisecond))
	w.kill()
	w.start()
	posting.Wait()
}

// compare wants the same of both conversations of a pair.
func (w *world) compare(i int) {
	ordered, mixed := pair(i)

	var one, two string

	w.await(30*time.Second, func() bool {
		first, ok := w.view(ordered, 0)
		second, found := w.view(mixed, 0)
		one, two = plain(w, first), plain(w, second)

		return ok && found && first.Pending == 0 && second.Pending == 0 && one == two
	}, func() string {
		return fmt.Sprintf("the order mattered:\n%s\n%s\n%s\n%s", one, two, w.history(ordered.WorkflowID()), w.history(mixed.WorkflowID()))
	})

	for _, key := range []signals.Key{ordered, mixed} {
		all, ok := w.archive(key)
		if known := count(w.book.of(key)); !ok || int64(len(all)) != known.accepted {
			w.Errorf("%s has %d events in its archive, and there were %s", key, len(all), known)
		}

		w.sum.Accepted += count(w.book.of(key)).accepted
	}

	w.sum.Conversations += 2
	w.sum.Sessions += 2
}

// plain is a state without what differs between any two conversations: names,
// times of clocks that count from receipt, and the order of what came at the
// same time.
func plain(w *world, view signals.View) string {
	view.ID, view.WorkflowID, view.RunID = "", "", ""
	view.Duplicates = 0

	for i := range view.Clocks {
		view.Clocks[i].Due = time.Time{}
	}

	kept := view.Timeline[:0]

	for _, entry := range view.Timeline {
		switch entry.Type { // what Parley says about the way there
		case signals.ConversationQueued, signals.ConversationReopened:
		default:
			kept = append(kept, entry)
		}
	}

	view.Timeline = kept
	slices.SortFunc(view.Timeline, func(a, b signals.TimelineEntry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}

		return strings.Compare(string(a.Type)+a.Text, string(b.Type)+b.Text)
	})
	slices.SortFunc(view.Participants, func(a, b signals.ViewParticipant) int { return strings.Compare(a.ID, b.ID) })
	slices.Sort(view.Tags)

	raw, err := json.MarshalIndent(view, "", " ")
	require.NoError(w, err)

	return string(raw)
}

// scriptOf is what happens in one conversation, a second between any two events.
// The first one may start it.
func scriptOf(rng *rand.Rand, from time.Time) []signals.Event {
	script := []signals.Event{{Type: signals.MessageReceived, Actor: actorOf(signals.RoleVisitor), Message: &signals.Message{}}}

	for range 12 + rng.IntN(20) {
		script = append(script, happens(rng))
	}

	if rng.IntN(2) == 0 {
		script = append(script, signals.Event{Type: signals.ConversationClosed, Closing: &signals.Closing{ByRole: signals.RoleAgent}})
	}

	for i := range script {
		script[i].At = from.Add(time.Duration(i) * time.Second)
	}

	return script
}

func happens(rng *rand.Rand) signals.Event {
	said := func(role signals.Role) signals.Event {
		return signals.Event{Type: signals.MessageReceived, Actor: actorOf(role), Message: &signals.Message{}}
	}

	switch dice := rng.IntN(12); dice {
	case 0, 1, 2:
		return said(signals.RoleVisitor)
	case 3, 4:
		return said(signals.RoleAgent)
	case 5:
		return said(signals.RoleBot)
	case 6:
		return signals.Event{Type: signals.EscalationRequested, Escalation: &signals.Escalation{Reason: "asked for a person"}}
	case 7:
		return signals.Event{Type: signals.AgentAssigned, Assignment: &signals.Assignment{AgentID: "the-agent"}}
	case 8:
		return signals.Event{Type: signals.ParticipantJoined, Participant: &signals.Participant{ID: "the-agent", Role: signals.RoleAgent}}
	case 9:
		return signals.Event{Type: signals.ParticipantLeft, Participant: &signals.Participant{ID: "the-agent", Role: signals.RoleAgent}}
	case 10:
		return signals.Event{Type: signals.TagAdded, Tag: &signals.Tag{Name: fmt.Sprintf("tag-%d", rng.IntN(4))}}
	default:
		return signals.Event{Type: signals.TagRemoved, Tag: &signals.Tag{Name: fmt.Sprintf("tag-%d", rng.IntN(4))}}
	}
}
