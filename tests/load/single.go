package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/stats"
	"github.com/parleyhq/parley/tests/load/trace"
)

const (
	// warming is how many messages start the run and give it its agent before
	// anything is measured.
	warming = 4
	// between is from one message to the next; by then the one before is long
	// applied.
	between = 150 * time.Millisecond
)

// single sends messages one at a time into a running conversation, with nothing
// else going on.
func single(ctx context.Context, b *bench, m *mode, name string) (err error) {
	s, err := b.open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	plan := b.plan(m, "idle")
	plan.Open = true
	messages := plan.Events
	plan.Events += warming

	row := report.Row{Mode: m.name, Target: name, Conversations: 1, Events: messages, Connections: 1}

	if _, _, err := s.sendEach(ctx, &plan, 0, warming); err != nil {
		return err
	}

	before, err := s.traceOne(ctx, &plan, warming)
	if err != nil {
		return err
	}

	meter := startMeter(s.pid)
	due, acks, err := s.sendEach(ctx, &plan, warming, plan.Events)

	use(&row, meter.end())

	if err != nil {
		return errors.Join(err, s.alive())
	}

	row.Ack = stats.Summarize(acks)

	after, err := s.traceOne(ctx, &plan, plan.Events)
	if err != nil {
		return err
	}

	if after != nil {
		since(&row, before, after, due)
	}

	b.add(row)

	return nil
}

// since fills in what the histories tell of the messages after the warming.
func since(row *report.Row, before, after *trace.Conversation, due []time.Time) {
	applied := make([]time.Duration, 0, len(due))
	for i := range due {
		applied = append(applied, after.Applied[drive.EventID(warming+i)].Sub(due[i]))
	}

	batches := after.Batches[len(before.Batches):]

	row.ToApplied = stats.Summarize(applied)
	row.HistoryPerEvent = float64(after.Length-before.Length) / float64(len(due))
	row.SignalBatch = float64(len(due)) / float64(max(1, len(batches)))
	row.SignalMost = slices.Max(append(batches, 0))
}

// sendEach sends the events from one number to another, each some time after
// the one before.
func (s *subject) sendEach(ctx context.Context, plan *drive.Plan, from, to int) ([]time.Time, []time.Duration, error) {
	due, acks := make([]time.Time, 0, to-from), make([]time.Duration, 0, to-from)

	for number := from; number < to; number++ {
		at, took, err := s.client.Send(ctx, plan, 0, number)
		if err != nil {
			return nil, nil, fmt.Errorf("message %d: %w", number, err)
		}

		due, acks = append(due, at), append(acks, took)

		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(between):
		}
	}

	return due, acks, nil
}

// traceOne reads the plan's only conversation once this many of its events are
// applied; nil where there is no history.
func (s *subject) traceOne(ctx context.Context, plan *drive.Plan, events int) (*trace.Conversation, error) {
	const (
		patience = 10 * time.Second
		every    = 100 * time.Millisecond
	)

	if s.temporal == nil {
		return nil, nil //nolint:nilnil // as said above
	}

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	for {
		found, err := trace.Read(ctx, s.temporal, plan.Key(0).WorkflowID())
		if err == nil && len(found.Applied) >= events {
			return found, nil
		}

		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait until %d events are applied: %w", events, errors.Join(err, ctx.Err()))
		case <-time.After(every):
		}
	}
}
