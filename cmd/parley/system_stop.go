package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// stop ends one part.
type stop struct {
	what string
	do   func(ctx context.Context) error
}

// later has a part stopped before all that are registered already.
func (s *system) later(what string, do func(ctx context.Context) error) {
	s.stops = append(s.stops, stop{what: what, do: do})
}

// What waits for Temporal ends in time, though Temporal may not answer.
const (
	forwardingPatience = 2 * time.Second
	workerPatience     = 5 * time.Second
)

// errLeft marks what a stop did not wait for. It is no fault: everything that
// somebody was promised is on disk or in Temporal, and is done again.
var errLeft = errors.New("left to the next start")

// within gives a stop less time than there is, and lets it leave the rest.
func within(patience time.Duration, do func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()

		err := do(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", errLeft, err)
		}

		return err
	}
}

// waiting runs what takes no context, and stops waiting for it when ctx ends.
func waiting(do func()) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan struct{})

		go func() {
			defer close(done)

			do()
		}()

		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// down stops what runs; it takes at most stopPatience, and does so even though
// the context that ended Parley is over.
func (s *system) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()

	var errs []error

	for _, each := range slices.Backward(s.stops) {
		begun := time.Now()

		switch err := each.do(ctx); {
		case errors.Is(err, errLeft):
			s.log.WarnContext(ctx, "not finished in time; the next start does it again", slog.String("part", each.what), slog.Any("error", err))
		case err != nil:
			errs = append(errs, fmt.Errorf("stop %s: %w", each.what, err))
		}

		s.log.DebugContext(ctx, "stopped", slog.String("part", each.what), slog.Duration("took", time.Since(begun)))
	}

	s.stops = nil

	return errors.Join(errs...)
}
