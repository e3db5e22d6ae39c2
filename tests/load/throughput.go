package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
)

var errLost = errors.New("something was lost or applied twice")

// figures are what a run measured.
type figures struct {
	events       int
	acknowledged time.Duration
	finished     time.Duration
	ack          durations
}

func (f *figures) print() {
	fmt.Printf("acknowledged %.0f events/s (p50 %s, p95 %s, p99 %s)\n",
		float64(f.events)/f.acknowledged.Seconds(), f.ack.at(0.50), f.ack.at(0.95), f.ack.at(0.99))
	fmt.Printf("finished     %.0f events/s, ticket stored and run completed, the grace included\n",
		float64(f.events)/f.finished.Seconds())
}

// throughput sends whole conversations, the events of each in order, and waits
// until the last one has its ticket.
func throughput(ctx context.Context, api *api, opts *options) (*figures, error) {
	result := &figures{events: opts.conversations * opts.events}
	begun := time.Now()

	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(opts.connections)

	for number := range opts.conversations {
		group.Go(func() error { return sendAll(sending, api, opts, number, result) })
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}

	result.acknowledged = time.Since(begun)

	if err := awaitAll(ctx, api, opts); err != nil {
		return nil, err
	}

	result.finished = time.Since(begun)

	return result, nil
}

func sendAll(ctx context.Context, api *api, opts *options, number int, result *figures) error {
	key := api.key("t", number)

	for i := range opts.events {
		event := message(key, i)
		if i == opts.events-1 {
			event = closing(key)
		}

		took, err := api.send(ctx, event)
		if err != nil {
			return fmt.Errorf("%s event %d: %w", key, i, err)
		}

		result.ack.add(took)
	}

	return nil
}

// awaitAll waits for every conversation in turn, so that the slowest decides.
func awaitAll(ctx context.Context, api *api, opts *options) error {
	ctx, cancel := context.WithTimeout(ctx, opts.patience)
	defer cancel()

	const readers = 4

	group, waiting := errgroup.WithContext(ctx)
	group.SetLimit(readers)

	for number := range opts.conversations {
		group.Go(func() error {
			view, err := await(waiting, api, api.key("t", number), func(v *signals.View) bool {
				return v.Status == signals.StatusClosed && v.Ticket != nil
			})
			if err != nil {
				return err
			}

			if view.Accepted != int64(opts.events) || view.Applied+view.Late+view.Ignored != view.Accepted || view.Duplicates != 0 {
				return fmt.Errorf("%s: %w: accepted %d, applied %d, late %d, ignored %d, duplicates %d of %d", view.ID, errLost,
					view.Accepted, view.Applied, view.Late, view.Ignored, view.Duplicates, opts.events)
			}

			return nil
		})
	}

	if err := group.Wait(); err != nil {
		return fmt.Errorf("wait for conversations to finish: %w", err)
	}

	return nil
}

// await polls one conversation until it is as it should be.
func await(ctx context.Context, api *api, key signals.Key, holds func(*signals.View) bool) (signals.View, error) {
	const pause = 50 * time.Millisecond

	for {
		view, found, err := api.view(ctx, key)
		if err == nil && found && holds(&view) {
			return view, nil
		}

		select {
		case <-ctx.Done():
			return view, fmt.Errorf("%s is %q after waiting: %w", key, view.Status, errors.Join(err, ctx.Err()))
		case <-time.After(pause):
		}
	}
}
