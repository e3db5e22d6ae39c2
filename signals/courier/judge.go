package courier

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// judge says of each letter whether the closed session past has had it already
// or whether it belongs there, and returns the rest, whose fate is open.
func judge(past pastSession, window time.Duration, letters []*letter) []*letter {
	seen := make(map[string][]time.Time, len(past.IDs))
	for _, id := range past.IDs {
		seen[id.ID] = append(seen[id.ID], id.At)
	}

	var rest []*letter

	for _, l := range letters {
		switch {
		case wasSeen(l.event, past.Seqs, seen, window):
			l.fate = Seen
		case past.Past(l.event):
			l.fate = Late
		default:
			// Not yet signalled; this only undoes what an attempt before said.
			l.fate = Signalled

			rest = append(rest, l)
		}
	}

	return rest
}

// wasSeen compares as the conversation itself does: by the inbox's number, or
// by id, a derived one only within the source's retry window.
func wasSeen(event *signals.Event, seqs map[string]int64, seen map[string][]time.Time, window time.Duration) bool {
	if event.Seq > 0 && event.Inbox != "" && event.Seq <= seqs[event.Inbox] {
		return true
	}

	if event.ID == "" {
		return false
	}

	times := seen[signals.RememberedID(event.ID)]
	if !signals.IsDerived(event.ID) {
		return len(times) > 0
	}

	return slices.ContainsFunc(times, func(at time.Time) bool {
		return event.ReceivedAt.Sub(at).Abs() <= window
	})
}
