package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
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
// discarded; ReceivedAt is the caller's. The blocks of the events belong to the
// inbox from then on.
//
// [ErrFull] if the source has as much waiting as it may, [ErrDisk] if the write
// failed, [ErrTooLarge] or [courier.ErrRefused] if an event is at fault,
// [ErrClosed] after [Inbox.Stop]. After any of them nothing of it is kept, with
// one exception: where ctx ends while the disk hangs, it may be on disk a moment
// later, and the repetition is then a duplicate.
func (in *Inbox) Accept(ctx context.Context, source string, events []signals.Event) (Receipt, error) {
	if len(events) == 0 {
		return Receipt{}, nil
	}

	if !signals.ValidName(source) {
		return Receipt{}, fmt.Errorf("%w: bad source %q", courier.ErrRefused, signals.Cut(source, defaultLimit))
	}

	a := &ask{
		source: source, entries: make([]entry, len(events)), window: in.config.RetryWindow(source), done: make(chan struct{}),
	}

	for i := range events {
		if err := in.encode(&a.entries[i], source, events[i]); err != nil {
			return Receipt{}, err
		}
	}

	if in.closed.Load() {
		return Receipt{}, ErrClosed
	}

	if err := ctx.Err(); err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrDisk, err)
	}

	in.submit(job{ask: a})

	select {
	case <-a.done:
		return a.receipt, a.err
	case <-ctx.Done():
		a.left.Store(true)

		return Receipt{}, fmt.Errorf("%w: %w", ErrDisk, ctx.Err())
	}
}

// ask is one webhook on its way to disk.
type ask struct {
	source  string
	entries []entry
	window  time.Duration
	// left says that nobody waits any more.
	left atomic.Bool

	// fresh are the places of what is no duplicate.
	fresh   []int
	done    chan struct{}
	receipt Receipt
	err     error
}

// entry is an event with the row it becomes.
type entry struct {
	row

	// event is without raw. It has a place of its own, since it outlives the
	// row's bytes.
	event   *signals.Event
	account bool
	derived bool
	// again: events came for this conversation before.
	again bool
}

// total is what the row has on disk, about.
func (e *entry) total() int64 { return int64(len(e.row.event) + len(e.raw)) }

// encode makes an event ready for disk, so that the writer need not.
func (in *Inbox) encode(into *entry, source string, event signals.Event) error {
	if event.ID == "" {
		return fmt.Errorf("%w: event has no id", courier.ErrRefused)
	}

	if event.ReceivedAt.IsZero() {
		event.ReceivedAt = in.config.Now()
	}

	event.Source, event.Seq, event.Inbox = source, 0, ""
	into.account = event.Conversation == ""
	into.derived = signals.IsDerived(event.ID)
	into.row = row{
		// Cloned, since it may outlive the buffers of the request by days.
		key: signals.Key{Source: strings.Clone(source), Conversation: strings.Clone(event.Conversation)},
		id:  event.ID, received: event.ReceivedAt.UnixMicro(),
	}

	if !into.account {
		// Stored as it came: nobody has to understand it.
		into.raw, event.Raw = event.Raw, nil
	}

	encoded, err := marshal(&event)
	if err != nil {
		return err
	}

	if len(encoded)+len(into.raw) > maxEvent {
		into.raw = nil
	}

	into.row.event, into.event = encoded, &event

	return nil
}

// marshal returns the event as it is stored: whole, or without Raw if it is too
// large with it.
func marshal(event *signals.Event) ([]byte, error) {
	encoded, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("%w: encode event %s: %w", courier.ErrRefused, signals.Cut(event.ID, signals.MaxIDBytes), err)
	}

	if len(encoded) > maxEvent && event.Raw != nil {
		event.Raw = nil

		return marshal(event)
	}

	if len(encoded) > maxEvent {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, signals.Cut(event.ID, signals.MaxIDBytes), len(encoded))
	}

	return encoded, nil
}

func decode(raw []byte) (signals.Event, error) {
	var event signals.Event
	if err := json.Unmarshal(raw, &event); err != nil {
		return signals.Event{}, fmt.Errorf("decode stored event: %w", err)
	}

	return event, nil
}
