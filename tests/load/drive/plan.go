// Package drive sends whole conversations to any URL that takes Parley's own
// events, in a closed loop or at a fixed offered rate, and checks afterwards
// that each of them arrived exactly.
package drive

import (
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Plan is the work of one run. The same plan makes the same requests, but for
// their times.
type Plan struct {
	// Name sets the conversations of this run apart from those of others.
	Name string
	// Source takes the webhooks.
	Source        string
	Conversations int
	// Events in each conversation, the close among them.
	Events int
	// Open conversations are not closed at the end.
	Open bool
	// Repeats sends every third webhook twice: in turn at the same time as the
	// first, and after its acknowledgement.
	Repeats bool
	// Crowded sends one conversation's events over all connections at once;
	// otherwise each waits for the acknowledgement of the one before.
	Crowded bool
	// At is the time that an event claims; nil means that of its sending. It
	// must be safe for use by many goroutines.
	At func() time.Time
}

// Total is how many events there are, repeats not counted.
func (p *Plan) Total() int { return p.Conversations * p.Events }

// Key names a conversation of the plan.
func (p *Plan) Key(conversation int) signals.Key {
	return signals.Key{Source: p.Source, Conversation: p.Prefix() + strconv.Itoa(conversation)}
}

// Prefix is how the chat ids of the plan begin.
func (p *Plan) Prefix() string { return p.Name + "-" }

// Path takes the plan's webhooks.
func (p *Plan) Path() string { return "/webhooks/" + p.Source }

// Event makes one event of a conversation: a message of the visitor and of the
// agent in turn, and the close at the end.
func (p *Plan) Event(conversation, number int) *signals.Event {
	key := p.Key(conversation)
	event := &signals.Event{
		ID: EventID(number), Source: key.Source, Conversation: key.Conversation, At: time.Now().UTC(),
	}

	if p.At != nil {
		event.At = p.At().UTC()
	}

	if number == p.Events-1 && !p.Open {
		event.Type = signals.ConversationClosed
		event.Closing = &signals.Closing{ByRole: signals.RoleVisitor, Reason: "done"}

		return event
	}

	role, who := signals.RoleVisitor, "ann"
	if number%2 == 1 {
		role, who = signals.RoleAgent, "smith"
	}

	event.Type = signals.MessageReceived
	event.Actor = &signals.Actor{ID: who, Role: role, Name: who}
	event.Message = &signals.Message{ID: event.ID, Kind: signals.KindText, Text: "message " + strconv.Itoa(number)}

	return event
}

// EventID is the id of a conversation's event number n.
func EventID(n int) string { return "e" + strconv.Itoa(n) }

// EventNumber is the inverse of [EventID]; ok is false for the id of an event
// that is not the plan's.
func EventNumber(id string) (n int, ok bool) {
	if len(id) < 2 || id[0] != 'e' {
		return 0, false
	}

	n, err := strconv.Atoi(id[1:])

	return n, err == nil && n >= 0
}

// often is how many webhooks there are to each that is repeated.
const often = 3

// repeat is how a webhook is repeated.
type repeat int

const (
	once repeat = iota
	// beside repeats it at the same time.
	beside
	// after repeats it when the first is acknowledged.
	after
)

func (p *Plan) repeat(conversation, number int) repeat {
	switch {
	case !p.Repeats || number%often != often-1:
		return once
	case (conversation+number/often)%2 == 0:
		return beside
	default:
		return after
	}
}
