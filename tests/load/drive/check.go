package drive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
)

// ErrLost says that something was lost or applied twice.
var ErrLost = errors.New("something was lost or applied twice")

const (
	// readers is how many conversations are read at a time.
	readers = 4
	// maxNamed bounds the conversations that an error names.
	maxNamed = 5
	// readPause is between two looks at one conversation.
	readPause = 50 * time.Millisecond
)

// Finished reports whether a conversation is closed and has its ticket.
func Finished(view *signals.View) bool {
	return view.Status == signals.StatusClosed && view.Ticket != nil
}

// Check reads every conversation, waits until it is finished, and compares its
// counts with what was sent: accepted is every event once, and applied, late
// and ignored add up to it. A figure of a run that lost something is no figure.
func Check(ctx context.Context, client *Client, plan *Plan, sent *Sent) error {
	var (
		mu    sync.Mutex
		wrong []error
	)

	// A webhook that was put off may have been taken all the same.
	allowed := sent.Repeated + sent.Refused
	duplicates := int64(0)

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)

	for conversation := range plan.Conversations {
		group.Go(func() error {
			view, err := Await(ctx, client, plan.Key(conversation), Finished)
			if err != nil {
				return err
			}

			mu.Lock()
			defer mu.Unlock()

			duplicates += view.Duplicates

			if err := exact(&view, plan); err != nil && len(wrong) < maxNamed {
				wrong = append(wrong, err)
			}

			return nil
		})
	}

	if err := group.Wait(); err != nil {
		return fmt.Errorf("read the conversations: %w", err)
	}

	if duplicates > allowed {
		wrong = append(wrong, fmt.Errorf("%w: %d duplicates of %d repeats", ErrLost, duplicates, allowed))
	}

	return errors.Join(wrong...)
}

// exact compares one conversation's counts.
func exact(view *signals.View, plan *Plan) error {
	wanted := int64(plan.Events)
	messages := view.Messages.Visitor + view.Messages.Agent

	if view.Accepted == wanted && view.Applied+view.Late+view.Ignored == wanted && view.Pending == 0 && messages == wanted-1 {
		return nil
	}

	return fmt.Errorf("%s: %w: accepted %d, applied %d, late %d, ignored %d, pending %d, messages %d, of %d events with a close",
		view.ID, ErrLost, view.Accepted, view.Applied, view.Late, view.Ignored, view.Pending, messages, plan.Events)
}

// Await reads one conversation until it is as it should be.
func Await(ctx context.Context, client *Client, key signals.Key, holds func(*signals.View) bool) (signals.View, error) {
	for {
		view, err := client.View(key)
		if err == nil && holds(&view) {
			return view, nil
		}

		select {
		case <-ctx.Done():
			return view, fmt.Errorf("%s is %q after waiting: %w", key, view.Status, errors.Join(err, ctx.Err()))
		case <-time.After(readPause):
		}
	}
}
