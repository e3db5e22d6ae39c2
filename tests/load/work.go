package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/stats"
	"github.com/parleyhq/parley/tests/load/target"
	"github.com/parleyhq/parley/tests/load/trace"
)

// work measures one run of a mode that sends whole conversations.
func (b *bench) work(ctx context.Context, m *mode, name string) (err error) {
	s, err := b.open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	plan := b.plan(m, report.TargetParley)
	row := report.Row{
		Mode: m.name, Target: name, Rate: m.rate, Conversations: plan.Conversations, Events: plan.Events, Connections: b.opts.connections,
	}

	before, err := target.BytesOnDisk(ctx, s.dataDir)
	if err != nil {
		return err
	}

	commits := s.commits()
	profiled := b.profiling(ctx, m, s)
	meter := startMeter(s.pid)

	sent, err := b.send(ctx, m, s, &plan)
	if err == nil {
		err = b.awaitFinished(ctx, m, s, &plan)
	}

	use(&row, meter.end())

	if err != nil {
		return errors.Join(err, s.alive())
	}

	profiled()
	row.Sent(&plan, sent)
	row.CommitBatch = s.commitBatch(commits, plan.Total())

	after, err := target.BytesOnDisk(ctx, s.dataDir)
	if err != nil {
		return err
	}

	row.BytesPerEvent = float64(after-before) / float64(plan.Total())

	b.progress.about(m.name+" "+name, func() string { return "comparing counts and reading histories" })

	if err := b.verify(ctx, s, &plan, sent, &row); err != nil {
		return err
	}

	b.add(row)

	return nil
}

// plan names the mode's work.
func (b *bench) plan(m *mode, source string) drive.Plan {
	plan := m.plan
	plan.Source = source
	plan.Name = fmt.Sprintf("%s-%s-%d", b.name, m.name, b.runs.Add(1))

	return plan
}

// send drives the plan and shows how far it is.
func (b *bench) send(ctx context.Context, m *mode, s *subject, plan *drive.Plan) (*drive.Sent, error) {
	var counts drive.Progress

	begun := time.Now()

	b.progress.about(m.name+" "+s.name, func() string {
		done := counts.Acknowledged.Load()
		line := fmt.Sprintf("%d of %d acknowledged, %.0f/s", done, plan.Total(), stats.PerSecond(int(done), time.Since(begun)))

		if refused := counts.Refused.Load(); refused > 0 {
			line += fmt.Sprintf(", %d put off", refused)
		}

		return line + fmt.Sprintf(", %d MB", target.UsageOf(s.pid).Resident>>20) //nolint:mnd // megabytes
	})

	sent, err := drive.Run(ctx, s.client, plan, b.opts.connections, m.rate, &counts)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}

	return sent, nil
}

// awaitFinished waits until every run of the plan is completed. It asks
// visibility, which costs little, for histories tell afterwards when it was.
func (b *bench) awaitFinished(ctx context.Context, m *mode, s *subject, plan *drive.Plan) error {
	if s.temporal == nil {
		return nil
	}

	var completed atomic.Int64

	b.progress.about(m.name+" "+s.name, func() string {
		return fmt.Sprintf("%d of %d conversations finished, %d MB", completed.Load(), plan.Conversations,
			target.UsageOf(s.pid).Resident>>20) //nolint:mnd // megabytes
	})

	query := runsOf(plan) + " AND ExecutionStatus = 'Completed'"

	err := trace.AwaitCount(ctx, s.temporal, query, plan.Conversations, func(count int) { completed.Store(int64(count)) })
	if err != nil {
		return fmt.Errorf("wait for conversations to finish: %w", err)
	}

	return nil
}

// runsOf is a query for all runs of a plan.
func runsOf(plan *drive.Plan) string {
	return "WorkflowType = 'Conversation' AND WorkflowId STARTS_WITH 'conversation:" + plan.Source + ":" + plan.Prefix() + "'"
}

// verify compares the counts of every conversation with what was sent, and adds
// what the histories tell.
func (b *bench) verify(ctx context.Context, s *subject, plan *drive.Plan, sent *drive.Sent, row *report.Row) error {
	if s.name == report.TargetBare {
		return s.verifyCount(plan)
	}

	if err := drive.Check(ctx, s.client, plan, sent); err != nil {
		return err
	}

	if s.temporal == nil {
		// Asked, it is known to some milliseconds.
		row.Finished = stats.PerSecond(plan.Total(), time.Since(sent.Begin))

		return nil
	}

	found, err := histories(ctx, s.temporal, plan)
	if err != nil {
		return err
	}

	return row.Traced(plan, sent, found)
}

// verifyCount asks the bare log how many bodies it has.
func (s *subject) verifyCount(plan *drive.Plan) error {
	body, ok := s.client.Get("/count")
	if !ok {
		return fmt.Errorf("%w: the bare log does not say how much it has", drive.ErrLost)
	}

	var count int
	if err := json.Unmarshal(body, &count); err != nil {
		return fmt.Errorf("read count %q: %w", body, err)
	}

	if count != plan.Total() {
		return fmt.Errorf("%w: the bare log has %d of %d", drive.ErrLost, count, plan.Total())
	}

	return nil
}

// histories reads what became of every conversation of a plan.
func histories(ctx context.Context, temporal client.Client, plan *drive.Plan) ([]*trace.Conversation, error) {
	return historiesOf(ctx, temporal, plan.Conversations, plan.Key)
}

// historiesOf reads so many conversations, by their numbers.
func historiesOf(ctx context.Context, temporal client.Client, count int, key func(number int) signals.Key) ([]*trace.Conversation, error) {
	const readers = 8

	found := make([]*trace.Conversation, count)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)

	for number := range count {
		group.Go(func() error {
			one, err := trace.Read(ctx, temporal, key(number).WorkflowID())
			found[number] = one

			return err
		})
	}

	return found, group.Wait()
}

// commits is how many commits the inbox has made, where it tells.
func (s *subject) commits() float64 {
	text, ok := s.client.Get("/metrics")
	if !ok {
		return 0
	}

	count, _ := target.Total(text, "parley_inbox_commit_batch_size_count")

	return count
}

// commitBatch is how many events shared a commit on average.
func (s *subject) commitBatch(before float64, events int) float64 {
	// Metrics are handed on once a second.
	const patience = 1100 * time.Millisecond

	if before == 0 && s.commits() == 0 {
		return 0
	}

	time.Sleep(patience)

	if made := s.commits() - before; made > 0 {
		return float64(events) / made
	}

	return 0
}

// profiling begins a CPU profile where one is wanted; what it returns waits for
// its end.
func (b *bench) profiling(ctx context.Context, m *mode, s *subject) func() {
	if b.opts.profile == "" {
		return func() {}
	}

	if s.profile == "" {
		b.progress.say("no profile: --pprof does not say where")

		return func() {}
	}

	const over = 5 * time.Second

	path := fmt.Sprintf("%s/%s-%s-%d.pprof", b.opts.profile, m.name, s.name, b.runs.Load())

	var (
		wait sync.WaitGroup
		err  error
	)

	wait.Go(func() { err = target.SaveProfile(ctx, s.profile, over, path) })

	return func() {
		wait.Wait()

		if err != nil {
			b.progress.say("no profile of " + s.name + ": " + strconv.Quote(err.Error()))
		} else {
			b.progress.say("profile of " + s.name + " in " + path)
		}
	}
}
