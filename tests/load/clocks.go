package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/stats"
	"github.com/parleyhq/parley/tests/load/trace"
)

// clocks arms one clock per conversation at a fixed rate, so that they fall due
// at that rate, and reads when each fired.
func clocks(ctx context.Context, b *bench, m *mode, name string) (err error) {
	file, err := policies()
	if err != nil {
		return err
	}

	first := file.Policies["default"].Unreplied.First.Std()

	s, err := b.open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	if s.temporal == nil {
		return fmt.Errorf("%w without Temporal's address", errFlags)
	}

	plan := b.plan(m, report.TargetParley)
	plan.Open = true
	m.rate = report.ClocksPerSecond
	row := report.Row{Mode: m.name, Target: name, Conversations: plan.Conversations, Events: 1, Connections: b.opts.connections}
	profiled := b.profiling(ctx, m, s)
	meter := startMeter(s.pid)

	sent, err := b.send(ctx, m, s, &plan)
	if err == nil {
		b.progress.about(m.name+" "+name, func() string { return "clocks fire" })

		// Asking while they fire would measure the asking.
		err = sleep(ctx, first+time.Second)
	}

	if err == nil {
		// What has not fired by then is late by a second.
		err = trace.AwaitCount(ctx, s.temporal, runsOf(&plan)+" AND ParleyPushes > 0", plan.Conversations, func(int) {})
	}

	use(&row, meter.end())

	if err != nil {
		return errors.Join(err, s.alive())
	}

	profiled()

	found, err := histories(ctx, s.temporal, &plan)
	if err != nil {
		return err
	}

	row.Sent(&plan, sent)

	if err := row.Traced(&plan, sent, found); err != nil {
		return err
	}

	if err := s.pushedOnce(ctx, &plan); err != nil {
		return err
	}

	late, done := lateness(sent, found, first)
	b.results.Clocks = &report.Clocks{Armed: plan.Conversations, PerSecond: report.ClocksPerSecond, Late: late, Done: done}
	b.add(row)

	return nil
}

// lateness of the one clock of each conversation. It is due after first from
// when the event claims to be, which is when it was sent.
func lateness(sent *drive.Sent, found []*trace.Conversation, first time.Duration) (late, done stats.Quantiles) {
	var lates, dones []time.Duration

	for number, one := range found {
		due := sent.Claimed(number, 0).Add(first)
		started, completed := one.ActedAt(due, drive.EventID(0))
		lates, dones = append(lates, started.Sub(due)), append(dones, completed.Sub(due))
	}

	return stats.Summarize(lates), stats.Summarize(dones)
}

// pushedOnce asks every conversation how many pushes it made.
func (s *subject) pushedOnce(ctx context.Context, plan *drive.Plan) error {
	const readers = 4

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)

	for number := range plan.Conversations {
		group.Go(func() error {
			view, err := drive.Await(ctx, s.client, plan.Key(number), func(*signals.View) bool { return true })
			if err == nil && view.PushTimes != 1 {
				err = fmt.Errorf("%w: %s made %d pushes", drive.ErrLost, view.ID, view.PushTimes)
			}

			return err
		})
	}

	return group.Wait()
}

func sleep(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}
