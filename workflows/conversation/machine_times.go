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

// tick keeps apart in time what was received one after the other.
const tick = time.Millisecond

// dated returns when an event happened and when it was received, as far as its
// times can be believed.
//
// The inbox numbers what it accepts, and hands it on in that order. So a time of
// receipt that lies before an earlier one is that of a gateway whose clock
// stepped back. Believed, it would put the answer before its question, a
// visitor's message before the reply that it follows, and a thread before the
// one that it took the place of. Then the platform's time stands, if it has one,
// and else Temporal's.
func (m *Machine) dated(event *signals.Event, now time.Time) (at, received time.Time) {
	at, received = event.At, event.ReceivedAt
	own, ahead := at.Equal(received), received.IsZero() || received.After(now)

	// Of a gateway whose clock goes ahead: no clock starts in the future.
	if ahead {
		received = now
	}

	if m.Rules.forward && event.Seq > 0 {
		switch behind := m.ReceivedAt.Sub(received); {
		case own:
			if behind > skew {
				received = now
			}

			if (ahead || behind > 0) && !received.After(m.ReceivedAt) {
				received = m.ReceivedAt.Add(tick)
			}

			at = received
		case behind > 0 && at.After(received):
			received = minTime(at, now)
		}
	}

	if at.After(received.Add(skew)) {
		at = received
	}

	return at, received
}

// received keeps the newest time of receipt.
func (m *Machine) received(event *signals.Event) {
	if m.Rules.forward && event.Seq > 0 {
		m.ReceivedAt = latest(m.ReceivedAt, event.ReceivedAt)
	}
}
