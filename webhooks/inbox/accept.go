package inbox

import (
	"context"

	"github.com/parleyhq/parley/signals"
)

// Receipt says what became of one webhook's events.
type Receipt struct {
	// Accepted are on disk now, Duplicates were there already or came twice
	// in the webhook.
	Accepted, Duplicates int
}

// Accept puts all events of one webhook on disk, those of conversations and
// those of the account (Conversation empty) alike, in one transaction or not at
// all, and returns when they have been synced. Seq and Inbox of the caller are
// discarded; ReceivedAt is the caller's.
//
// [ErrFull] if the source has as much waiting as it may, [ErrDisk] if the write
// failed, [ErrTooLarge] or [courier.ErrRefused] if an event is at fault,
// [ErrClosed] after [Inbox.Stop]. After any of them nothing of it is kept, with
// one exception: where ctx ends while the disk hangs, it may be on disk a moment
// later, and the repetition is then a duplicate.
func (in *Inbox) Accept(ctx context.Context, source string, events []signals.Event) (Receipt, error) {
	_, _, err := in.LogAccount(ctx, source, events)

	return Receipt{}, err
}
