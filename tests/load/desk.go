package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/staff"
	"github.com/parleyhq/parley/tests/load/stats"
	"github.com/parleyhq/parley/tests/load/trace"
)

const (
	// sideBySide is how many desks there are in the second half of the mode.
	sideBySide = 10
	// slotsEach is how many conversations an agent has at a time, and handling
	// how long one takes.
	slotsEach = 4
	handling  = time.Second
	// perAgent is how many come for each agent of a full run; a small one has
	// ten agents all the same.
	perAgent = 40
)

// desks escalates all conversations of the mode at once, on one desk, and then
// as many on ten desks side by side.
func desks(ctx context.Context, b *bench, m *mode, name string) error {
	total := m.plan.Conversations
	agents := max(sideBySide, total/perAgent)

	for _, count := range []int{1, sideBySide} {
		each := max(1, total/count)
		d := &drain{b: b, m: m, name: name, plan: &staff.Plan{
			Name: fmt.Sprintf("%s-%s-%d", b.name, m.name, b.runs.Add(1)), Desks: count, Conversations: each, Agents: agents / count,
			Slots: slotsEach, Handle: handling,
		}}

		if err := d.measure(ctx); err != nil {
			return fmt.Errorf("%d desks: %w", count, err)
		}
	}

	return nil
}

// drain is one half of the mode while it runs.
type drain struct {
	b    *bench
	m    *mode
	name string
	plan *staff.Plan
	s    *subject

	facts report.Drain
	// played is what the agents did, found what the conversations' histories say,
	// read those of the desks.
	played *staff.Played
	asked  *staff.Asked
	found  []*trace.Conversation
	read   []*trace.Desk
}

func (d *drain) measure(ctx context.Context) (err error) {
	d.s, err = d.b.openWith(ctx, d.name, d.plan.Config())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.s.close()) }()

	if d.s.process == nil {
		return fmt.Errorf("%w with --url: its agents stand in a configuration of its own", errFlags)
	}

	d.facts = report.Drain{
		Desks: d.plan.Desks, Agents: d.plan.Agents, Slots: d.plan.Slots, Conversations: d.plan.Conversations, Handle: d.plan.Handle,
	}

	for _, step := range []func(context.Context) error{d.awaitStaff, d.play, d.awaitFinished, d.histories, d.check} {
		if err := step(ctx); err != nil {
			return errors.Join(err, d.s.alive())
		}
	}

	d.sum()
	d.b.progress.say("desk " + d.name + ": " + d.longest())
	d.b.results.Drains = append(d.b.results.Drains, d.facts)
	d.b.progress.say("desk " + d.name + ": " + d.facts.Short())

	return nil
}

// view asks a desk's workflow how it stands. GET /v1/desks/{desk} would ask it
// once a second and answer the rest from memory.
func (d *drain) view(ctx context.Context, desk string) (signals.DeskView, error) {
	var view signals.DeskView

	answer, err := d.s.temporal.QueryWorkflow(ctx, signals.DeskWorkflowID(desk), "", signals.StateQuery)
	if err != nil {
		return view, fmt.Errorf("ask %s: %w", desk, err)
	}

	err = answer.Get(&view)

	return view, err
}

// awaitStaff waits until every desk has its agents.
func (d *drain) awaitStaff(ctx context.Context) error {
	const every = 50 * time.Millisecond

	for desk := range d.plan.Desks {
		for {
			view, err := d.view(ctx, d.plan.Desk(desk))
			if err == nil && len(view.Agents) == d.plan.Agents {
				break
			}

			if paused := sleep(ctx, every); paused != nil {
				return errors.Join(fmt.Errorf("%s has %d agents: %w", d.plan.Desk(desk), len(view.Agents), paused), err)
			}
		}
	}

	return nil
}

// play has everybody escalate, and the agents take and close it all, while the
// desks are asked.
func (d *drain) play(ctx context.Context) error {
	var (
		counts staff.Progress
		asking sync.WaitGroup
	)

	d.b.progress.about(fmt.Sprintf("desk %s, %d side by side", d.name, d.plan.Desks), func() string {
		return fmt.Sprintf("%d escalated, %d taken, %d closed of %d", counts.Escalated.Load(), counts.Taken.Load(), counts.Ended.Load(),
			d.plan.Total())
	})

	profiled := d.b.profiling(ctx, d.m, d.s)
	meter := startMeter(d.s.pid)
	until, done := context.WithCancel(ctx)

	asking.Go(func() { d.asked = staff.Ask(until, d.plan, d.view) })

	played, err := staff.Play(ctx, d.s.client, d.plan, d.b.opts.connections, &counts)

	done()
	asking.Wait()

	read := meter.end()
	d.played = played
	d.facts.CPU, d.facts.Resident, d.facts.Others = read.cpu.Seconds(), read.resident, read.others

	if err != nil {
		return err
	}

	profiled()

	if d.asked.Failed > 0 {
		return fmt.Errorf("%w: %d of %d questions to the desk: %w", errSilent, d.asked.Failed, len(d.asked.Took), d.asked.Err)
	}

	return nil
}

// errSilent says that a desk did not answer.
var errSilent = errors.New("not answered")

// awaitFinished waits until every conversation is over.
func (d *drain) awaitFinished(ctx context.Context) error {
	d.b.progress.about("desk "+d.name, func() string { return "waiting until all are finished, and reading histories" })

	const query = "WorkflowType = 'Conversation' AND ExecutionStatus = 'Completed'"

	if err := trace.AwaitCount(ctx, d.s.temporal, query, d.plan.Total(), func(int) {}); err != nil {
		return fmt.Errorf("wait for conversations to finish: %w", err)
	}

	return nil
}

func (d *drain) histories(ctx context.Context) error {
	var err error

	d.found, err = historiesOf(ctx, d.s.temporal, d.plan.Total(), d.plan.Key)
	if err != nil {
		return err
	}

	for desk := range d.plan.Desks {
		one, err := trace.ReadDesk(ctx, d.s.temporal, d.plan.Desk(desk))
		if err != nil {
			return err
		}

		d.read = append(d.read, one)
	}

	return nil
}

// check compares what became of each conversation, and of the desks, with what
// was done.
func (d *drain) check(ctx context.Context) error {
	const (
		readers = 4
		named   = 5
	)

	var (
		mu    sync.Mutex
		wrong []error
	)

	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()

		if err != nil && len(wrong) < named {
			wrong = append(wrong, err)
		}
	}

	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readers)

	for number := range d.plan.Total() {
		group.Go(func() error {
			view, err := drive.Await(reading, d.s.client, d.plan.Key(number), drive.Finished)
			if err == nil {
				note(d.plan.Check(number, &view, d.played.Book.Holder(d.plan.Key(number).String())))
			}

			return err
		})
	}

	if err := group.Wait(); err != nil {
		return fmt.Errorf("read the conversations: %w", err)
	}

	for desk, read := range d.read {
		note(d.plan.CheckDesk(desk, read))

		view, err := d.view(ctx, d.plan.Desk(desk))
		if err != nil {
			return err
		}

		note(staff.Empty(&view))
	}

	return errors.Join(wrong...)
}

// sum makes figures of what was found.
func (d *drain) sum() {
	var (
		since                                 = d.played.Begin
		lastTaken, lastDone                   = since, since
		waited, beyond, reacted, tasks, heard []time.Duration
	)

	for number, one := range d.found {
		chat := &d.played.Chats[number]
		waited = append(waited, chat.Accepted.Sub(chat.Escalated))
		lastTaken, lastDone = latest(lastTaken, chat.Accepted), latest(lastDone, one.Completed)
		d.facts.ConversationHistory += float64(one.Length) / float64(d.plan.Total())
	}

	for desk, one := range d.read {
		beyond = append(beyond, d.plan.BeyondOf(desk, d.played.Chats)...)
		tasks = append(tasks, longSince(one.TaskWaits, since)...)
		heard = append(heard, longSince(one.MessageWaits, since)...)
		reacted = append(reacted, d.plan.Reactions(d.played.Chats, one.Offers)...)
		d.facts.DeskHistory += float64(one.Length) / float64(d.plan.Total())
		d.facts.Offers += len(one.Offers)
	}

	d.facts.Drained, d.facts.Finished = lastTaken.Sub(since), lastDone.Sub(since)
	d.facts.PerSecond = stats.PerSecond(d.plan.Total(), d.facts.Drained)
	d.facts.Ack = stats.Summarize(d.played.Acks)
	d.facts.Waited, d.facts.Beyond, d.facts.Looked = stats.Summarize(waited), stats.Summarize(beyond), stats.Summarize(reacted)
	d.facts.Answers = stats.Summarize(d.asked.Took)
	d.facts.Tasks, d.facts.Messages = stats.Summarize(tasks), stats.Summarize(heard)
	d.facts.Queue, d.facts.Busiest, d.facts.Refused = d.asked.Waiting, d.played.Book.Most(), d.played.Refused
}

// longest says where the task stands in a desk's histories that waited longest.
func (d *drain) longest() string {
	var (
		most trace.Wait
		name string
	)

	for desk, one := range d.read {
		for _, wait := range one.TaskWaits {
			if wait.For > most.For && !wait.Since.Before(d.played.Begin) {
				most, name = wait, d.plan.Desk(desk)
			}
		}
	}

	return fmt.Sprintf("the longest wait of a task, %d ms, was %s's after %.1f s: event %d of run %d",
		most.For.Milliseconds(), name, most.Since.Sub(d.played.Begin).Seconds(), most.Event, most.Run)
}

// longSince leaves out what was before the work began: the desk's own start.
func longSince(waits []trace.Wait, since time.Time) []time.Duration {
	out := make([]time.Duration, 0, len(waits))

	for _, one := range waits {
		if !one.Since.Before(since) {
			out = append(out, one.For)
		}
	}

	return out
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}

	return a
}
