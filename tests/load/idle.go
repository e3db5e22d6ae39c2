package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/stats"
	"github.com/parleyhq/parley/tests/load/target"
	"github.com/parleyhq/parley/tests/load/trace"
)

// idling is the mode idle while it runs.
type idling struct {
	b     *bench
	m     *mode
	s     *subject
	facts report.Recovery
	// idle conversations have a clock that is far away, those of overdue one
	// that falls due while the process is down.
	idle, overdue drive.Plan
	// first is the policy's time from the claimed time of an event to its clock.
	first time.Duration
	// due is when all clocks of overdue are due.
	due time.Time
}

// idle opens conversations that stay open, kills the process, and starts it
// again when the clocks of some of them are overdue.
func idle(ctx context.Context, b *bench, m *mode, name string) (err error) {
	file, err := policies()
	if err != nil {
		return err
	}

	s, err := b.open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	if s.process == nil {
		return fmt.Errorf("%w with --url: it kills the process", errFlags)
	}

	i := &idling{b: b, m: m, s: s, first: file.Policies["overdue"].Unreplied.First.Std()}

	for _, step := range []func(context.Context) error{i.open, i.rest, i.killed, i.back, i.check} {
		if err := step(ctx); err != nil {
			return errors.Join(err, s.alive())
		}
	}

	b.results.Recovery = &i.facts
	b.progress.say("idle " + name + ": " + i.facts.Short())

	return nil
}

// open opens all conversations, those whose clocks are to be overdue last, and
// waits until each has applied its message.
func (i *idling) open(ctx context.Context) error {
	const most = 5000

	before, err := target.BytesOnDisk(ctx, i.s.dataDir)
	if err != nil {
		return err
	}

	total := i.m.plan.Conversations
	i.facts.Open, i.facts.Overdue = total, max(1, min(total/5, most)) //nolint:mnd // a fifth of a few

	i.idle, i.overdue = i.b.plan(i.m, "idle"), i.b.plan(i.m, "overdue")
	i.idle.Open, i.idle.Conversations = true, total-i.facts.Overdue
	i.overdue.Open, i.overdue.Conversations = true, i.facts.Overdue

	begun := time.Now()

	if err := i.fill(ctx, &i.idle); err != nil {
		return err
	}

	// As long as the first ones took, with half as much to spare.
	const spare = 3 * time.Second

	rate := stats.PerSecond(max(1, i.idle.Conversations), time.Since(begun))
	needed := time.Duration(1.5 * float64(i.facts.Overdue) / rate * float64(time.Second)) //nolint:mnd // see above
	i.due = time.Now().Add(min(needed+spare, i.first))
	i.overdue.At = func() time.Time { return i.due.Add(-i.first) }

	if err := i.fill(ctx, &i.overdue); err != nil {
		return err
	}

	i.facts.OpenedPerSecond = stats.PerSecond(total, time.Since(begun))

	after, err := target.BytesOnDisk(ctx, i.s.dataDir)
	i.facts.BytesEach = float64(after-before) / float64(total)

	return err
}

// fill opens the conversations of one plan.
func (i *idling) fill(ctx context.Context, plan *drive.Plan) error {
	if plan.Conversations == 0 {
		return nil
	}

	if _, err := i.b.send(ctx, i.m, i.s, plan); err != nil {
		return err
	}

	// The server notes the worker's build when the first task is completed.
	return i.count(ctx, "applied", runsOf(plan)+" AND BuildIds = 'unversioned'", plan.Conversations)
}

// count waits until a query counts this many, and shows how many it does.
func (i *idling) count(ctx context.Context, what, query string, wanted int) error {
	var counted atomic.Int64

	i.b.progress.about("idle "+i.s.name, func() string {
		return fmt.Sprintf("%d of %d %s, %d MB", counted.Load(), wanted, what, target.UsageOf(i.s.pid).Resident>>20) //nolint:mnd // megabytes
	})

	return trace.AwaitCount(ctx, i.s.temporal, query, wanted, func(count int) { counted.Store(int64(count)) })
}

// rest reads how much memory the open conversations take.
func (i *idling) rest(context.Context) error {
	i.facts.Resident = target.UsageOf(i.s.pid).Resident

	return nil
}

// killed ends the process and waits until the clocks are overdue.
func (i *idling) killed(ctx context.Context) error {
	if !time.Now().Before(i.due) {
		return fmt.Errorf("%w: the clocks fell due before the process was killed; opening became too slow", errFlags)
	}

	i.s.process.Kill()
	i.b.progress.about("idle "+i.s.name, func() string {
		return fmt.Sprintf("killed; down for %.0f s more", time.Until(i.due).Seconds())
	})

	const after = 500 * time.Millisecond

	return sleep(ctx, time.Until(i.due)+after)
}

// back starts the process again and measures how soon it answers, applies, and
// has fired what was overdue.
func (i *idling) back(ctx context.Context) error {
	probe := drive.Plan{Name: i.b.name + "-probe", Source: "idle", Conversations: 1, Events: 1, Open: true}
	begun := time.Now()

	if err := i.s.process.Start(); err != nil {
		return err
	}

	i.s.pid = i.s.process.PID()

	key, err := i.probe(ctx, &probe)
	if err != nil {
		return err
	}

	answered := time.Now()
	i.facts.FirstAnswer = answered.Sub(begun)
	i.b.progress.about("idle "+i.s.name, func() string { return "answers; waiting until its first message is applied" })

	if err := i.s.connect(i.s.process.Temporal(), i.b.opts.connections); err != nil {
		return err
	}

	applied, err := i.applied(ctx, key)
	if err != nil {
		return err
	}

	i.facts.FirstApplied = applied.Sub(begun)

	if err := i.count(ctx, "overdue clocks fired", runsOf(&i.overdue)+" AND ParleyPushes > 0", i.facts.Overdue); err != nil {
		return err
	}

	i.facts.ResidentAfter = target.UsageOf(i.s.pid).Resident

	return i.overdueFired(ctx, begun, answered)
}

// probeID is the event with which the process is asked whether it is back.
const probeID = "probe"

// probe sends one message into an open conversation until it is acknowledged.
// A repeat that went through is a duplicate.
func (i *idling) probe(ctx context.Context, plan *drive.Plan) (signals.Key, error) {
	const every = 10 * time.Millisecond

	open := &i.idle
	if open.Conversations == 0 {
		open = &i.overdue
	}

	key := open.Key(rand.IntN(open.Conversations))
	event := plan.Event(0, 0)
	event.ID, event.Message.ID, event.Conversation, event.Source = probeID, probeID, key.Conversation, key.Source

	i.b.progress.about("idle "+i.s.name, func() string { return "started again; waiting for the first answer" })

	for !i.s.client.Try("/webhooks/"+key.Source, event) {
		if err := errors.Join(i.s.alive(), sleep(ctx, every)); err != nil {
			return key, err
		}
	}

	return key, nil
}

// applied is when the probe was.
func (i *idling) applied(ctx context.Context, key signals.Key) (time.Time, error) {
	const every = 50 * time.Millisecond

	for {
		// Right after the start Temporal itself may not answer yet.
		if found, err := trace.Read(ctx, i.s.temporal, key.WorkflowID()); err == nil && !found.Applied[probeID].IsZero() {
			return found.Applied[probeID], nil
		}

		if err := sleep(ctx, every); err != nil {
			return time.Time{}, fmt.Errorf("wait until the first message is applied: %w", err)
		}
	}
}

// overdueFired reads when each overdue clock fired: after the start, and once.
func (i *idling) overdueFired(ctx context.Context, begun, answered time.Time) error {
	found, err := histories(ctx, i.s.temporal, &i.overdue)
	if err != nil {
		return err
	}

	from, to := answered, begun

	for number, one := range found {
		if len(one.Firings) != 1 || one.Firings[0].Completed.Before(begun) {
			return fmt.Errorf("%w: the clock of %s fired %d times", drive.ErrLost, i.overdue.Key(number), len(one.Firings))
		}

		at := one.Firings[0].Completed
		if at.Before(from) {
			from = at
		}

		if at.After(to) {
			to = at
		}
	}

	i.facts.Recovered = to.Sub(begun)
	i.facts.OverduePerSecond = stats.PerSecond(len(found), to.Sub(from))

	return nil
}

// check asks some conversations for their counts and pushes.
func (i *idling) check(ctx context.Context) error {
	const sample = 50

	for _, each := range []struct {
		plan   *drive.Plan
		pushes int
	}{{&i.idle, 0}, {&i.overdue, 1}} {
		for range min(sample, each.plan.Conversations) {
			key := each.plan.Key(rand.IntN(each.plan.Conversations))

			view, err := drive.Await(ctx, i.s.client, key, func(*signals.View) bool { return true })
			if err != nil {
				return err
			}

			// One of them has got the probe, too.
			if view.PushTimes != each.pushes || view.Accepted != view.Applied || view.Accepted < 1 || view.Accepted > 2 {
				return fmt.Errorf("%s: %w: accepted %d, applied %d, pushes %d", key, drive.ErrLost, view.Accepted, view.Applied, view.PushTimes)
			}
		}
	}

	return nil
}
