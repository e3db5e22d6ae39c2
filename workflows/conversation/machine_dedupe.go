package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// maxIDs bounds the remembered event ids (design, section 5).
const maxIDs = 512

// An inbox has another id after every start of its process, and ids sort by
// time: of more than these the oldest is forgotten, and its events are told by
// their own ids alone.
const (
	maxInboxes    = 32
	maxInboxBytes = 64
)

// seen reports whether an event was taken in before, and remembers it. Events
// of the inbox come in ascending seq per conversation; the others are told by
// their id, a derived one only within the source's retry window.
func (m *Machine) seen(event *signals.Event) bool {
	if event.Seq > 0 && event.Inbox != "" {
		if event.Seq <= m.Seqs[event.Inbox] {
			return true
		}

		m.rememberSeq(event)
	}

	if event.ID == "" {
		return false
	}

	if m.remembers(event) {
		return true
	}

	m.IDs = append(m.IDs, signals.SeenID{ID: signals.RememberedID(event.ID), At: event.ReceivedAt})
	if len(m.IDs) > maxIDs {
		m.IDs = append([]signals.SeenID(nil), m.IDs[len(m.IDs)-maxIDs:]...)
	}

	return false
}

func (m *Machine) rememberSeq(event *signals.Event) {
	if len(event.Inbox) > maxInboxBytes {
		return
	}

	m.Seqs[event.Inbox] = event.Seq

	for len(m.Seqs) > maxInboxes {
		oldest := event.Inbox

		// The least of all, in whatever order.
		//
		//workflowcheck:ignore
		for id := range m.Seqs {
			oldest = min(oldest, id)
		}

		delete(m.Seqs, oldest)
	}
}

func (m *Machine) remembers(event *signals.Event) bool {
	id := signals.RememberedID(event.ID)

	for _, seen := range slices.Backward(m.IDs) {
		if seen.ID != id {
			continue
		}

		if !signals.IsDerived(event.ID) || within(seen.At, event.ReceivedAt, m.retryWindow()) {
			return true
		}
	}

	return false
}

func (m *Machine) retryWindow() time.Duration { return time.Duration(m.Under.RetryWindow) }

func within(a, b time.Time, window time.Duration) bool {
	gap := a.Sub(b)

	return gap <= window && -gap <= window
}

// Known reports whether an event was taken in before, and remembers nothing.
func (m *Machine) Known(event *signals.Event) bool {
	if event.Seq > 0 && event.Inbox != "" && event.Seq <= m.Seqs[event.Inbox] {
		return true
	}

	return event.ID != "" && m.remembers(event)
}
