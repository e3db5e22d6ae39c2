package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// Three clocks tell when something happened: the platform's (at), the gateway's
// (received_at) and Temporal's (now). Each may be wrong.

// clockReach is how far a platform's time may lie before the time of receipt
// and still start a clock (contract, section 3).
const clockReach = 10 * time.Minute

// skew is how far a platform's clock may go ahead of ours and still be believed
// for the order of events. One further ahead would make what comes next look
// old: the time of receipt stands in for it.
const skew = 5 * time.Second

// clockTime is when clocks that an event starts count from.
func clockTime(event *signals.Event) time.Time {
	if event.At.After(event.ReceivedAt) || event.At.Before(event.ReceivedAt.Add(-clockReach)) {
		return event.ReceivedAt
	}

	return event.At
}

// stepped is a time of receipt by a gateway's clock that had stepped back, and
// when it was taken to be.
type stepped struct {
	Said  time.Time `json:"said"`
	Taken time.Time `json:"taken"`
}

// date sets the times of an event to what can be believed.
//
// The inbox numbers what it accepts, and hands it on in that order. So a time of
// receipt that lies before an earlier one is that of a gateway whose clock
// stepped back. Believed, it would put the answer before its question, a
// visitor's message before the reply that it follows, and a thread before the
// one whose place it took. Then the platform's time stands, if it has one, and
// else Temporal's.
//
// That holds within a session, and against what was received before. A dead
// letter that is sent again looks the same: where the platform gave no time, it
// counts as said when it is heard at last.
func (m *Machine) date(event *signals.Event, now time.Time) {
	if m.Rules.forward && event.Seq > 0 {
		m.stepBack(event, now)
	}

	if event.At.After(event.ReceivedAt.Add(skew)) {
		event.At = event.ReceivedAt
	}
}

func (m *Machine) stepBack(event *signals.Event, now time.Time) {
	behind, own := m.ReceivedAt.Sub(event.ReceivedAt), event.At.Equal(event.ReceivedAt)

	switch {
	case own && behind > skew:
		// What came together stays together, and what came later stays later.
		if !m.Stepped.Said.Equal(event.ReceivedAt) {
			m.Stepped.Said, m.Stepped.Taken = event.ReceivedAt, latest(now, m.ReceivedAt.Add(time.Microsecond))
		}

		event.At, event.ReceivedAt = m.Stepped.Taken, m.Stepped.Taken
	case !own && behind > 0 && event.At.After(event.ReceivedAt):
		event.ReceivedAt = minTime(event.At, now)
	}

	m.ReceivedAt = latest(m.ReceivedAt, event.ReceivedAt)
}
