package desk

import (
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/shell"
)

// Names of the activities that a desk calls; packages of activities/ provide
// them.
const (
	// DispatchActivity takes a [Dispatch] and returns, as [Dispatched], once every
	// offer is in its conversation's history. It is idempotent.
	DispatchActivity = "desk-dispatch"
	// SurvivorsActivity takes a desk's name and returns the []signals.Key of the
	// open conversations that say they are on it. It is local.
	SurvivorsActivity = "desk-survivors"
	// LostActivity takes a [Look] and returns the []signals.Key of those that are not
	// listed as open conversations of the desk, at most [MaxLost]; where that cannot
	// be said, nobody. It is local, so that only its result is in history, is tried
	// once, and takes at most [LostTime], in which the desk does nothing else.
	LostActivity = "desk-lost"
	// ChooseActivity takes a [Choice], asks the configured webhook, and returns an
	// agent's id for each of its asks, empty for none: []string. It is tried once.
	ChooseActivity = "desk-choose"
)

// LostTime is how long a [LostActivity] may take.
const LostTime = 2 * time.Second

// Look names those of a desk's conversations that should be open.
type Look struct {
	Desk string        `json:"desk"`
	Keys []signals.Key `json:"keys"`
}

// Dispatch tells conversations what a desk decided.
type Dispatch struct {
	Desk   string      `json:"desk"`
	Offers []Addressed `json:"offers"`
}

// Dispatched tells which conversations of a [Dispatch] were not told.
type Dispatched struct {
	// Gone do not run.
	Gone []signals.Key `json:"gone,omitempty"`
	// Unreached are those that an attempt could not reach while it could reach
	// others: they are told later, and nobody waits for them. A dispatch that
	// reaches nobody fails as a whole.
	Unreached []signals.Key `json:"unreached,omitempty"`
}

const (
	// maxDispatch bounds the conversations of one dispatch; the rest follows.
	maxDispatch = 100
	// chooseGrace is what the question to the webhook may take beyond its own
	// timeout: each is asked at the same time.
	chooseGrace = time.Second
	// lookGrace is the same for the look at open conversations.
	lookGrace = time.Second
)

// dispatch hands out what is decided, one dispatch at a time.
//
// It is no local activity: the effects of one are out before the task that
// decided them is in history. A task that is made anew, since a signal came or
// the process was killed, would take in what came meanwhile, decide otherwise
// and promise an agent's slot to another conversation under the same number.
func (d *desk) dispatch(ctx workflow.Context) {
	now := workflow.Now(ctx)
	if d.underway != nil || !d.machine.Owes() || now.Before(d.retryAt) {
		return
	}

	d.retryAt = time.Time{}
	payload := Dispatch{Desk: d.name, Offers: d.machine.TakeOffers(maxDispatch, now)}
	options := shell.Options(summary(payload.Offers))
	d.underway = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), DispatchActivity, payload)
}

// seek asks, for a desk that was started empty, which conversations it has.
func (d *desk) seek(ctx workflow.Context) {
	if d.survivors != nil || !d.machine.Seeks() || workflow.Now(ctx).Before(d.seekAt) {
		return
	}

	options := shell.LocalOptions("open conversations")
	d.survivors = workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), SurvivorsActivity, d.name)
}

// look asks, from time to time, who of the desk's conversations is not open any
// more: a conversation that was terminated says nothing.
func (d *desk) look(ctx workflow.Context) {
	if d.lost != nil || d.stopping {
		return
	}

	keys := d.machine.Look(workflow.Now(ctx))
	if len(keys) == 0 {
		return
	}

	options := workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 2 * LostTime, StartToCloseTimeout: LostTime + lookGrace,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:     "open conversations of " + strconv.Itoa(len(keys)),
	}
	d.lost = workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), LostActivity, Look{Desk: d.name, Keys: keys})
}

// choose asks the webhook, where there is one. It may take seconds, which a local
// activity must not.
func (d *desk) choose(ctx workflow.Context) {
	if d.choosing != nil || d.stopping {
		return
	}

	choice := d.machine.TakeChoice(workflow.Now(ctx))
	if choice == nil {
		return
	}

	timeout := d.machine.Under.AskTimeout.Std() + chooseGrace
	options := workflow.ActivityOptions{
		ScheduleToCloseTimeout: 2 * timeout, StartToCloseTimeout: timeout,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:     "choose for " + strconv.Itoa(len(choice.Asks)),
	}
	d.choosing = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), ChooseActivity, *choice)
}

// collect takes in what became of what was under way.
func (d *desk) collect(ctx workflow.Context) {
	now := workflow.Now(ctx)

	if ready(d.underway) {
		var done Dispatched

		err := d.underway.Get(ctx, &done)
		d.underway = nil

		if err != nil {
			d.retryAt = now.Add(shell.Pause)
			d.machine.DispatchFailed()
			workflow.GetLogger(ctx).Error("Dispatch failed; it is tried again.", "desk", d.name, "error", err, "retry_at", d.retryAt)
		} else {
			d.machine.DispatchedBut(done.Gone, done.Unreached, now)
		}
	}

	if ready(d.survivors) {
		var keys []signals.Key

		err := d.survivors.Get(ctx, &keys)
		d.survivors = nil

		if err != nil {
			d.seekAt = now.Add(shell.Pause)
			workflow.GetLogger(ctx).Error("Open conversations could not be listed; it is tried again.", "desk", d.name, "error", err)
		} else {
			d.machine.Survivors(keys, now)
		}
	}

	if ready(d.lost) {
		var keys []signals.Key

		err := d.lost.Get(ctx, &keys)
		d.lost = nil

		if err != nil {
			workflow.GetLogger(ctx).Warn("Open conversations could not be looked up; it is tried again in a minute.", "desk", d.name, "error", err)
		} else {
			d.machine.Doubt(keys, now)
		}
	}

	if ready(d.choosing) {
		var agents []string

		err := d.choosing.Get(ctx, &agents)
		d.choosing = nil

		if err != nil {
			workflow.GetLogger(ctx).Warn("The assignment webhook gave no answer; the desk chooses.", "desk", d.name, "error", err)
		}

		d.machine.Answered(agents, now)
	}
}

// summary counts what a dispatch says, by kinds in the order of their first
// appearance.
func summary(offers []Addressed) string {
	events := make([]signals.Event, 0, len(offers))

	for i := range offers {
		events = append(events, signals.Event{Type: signals.Type(offers[i].Offer.Kind)})
	}

	return signals.Summarize(events)
}

// measure tells metrics what waits came to. How the desk stands is read from it by
// whoever wants to know.
func (d *desk) measure(metrics client.MetricsHandler) {
	waits := d.machine.TakeWaits()
	if len(waits) == 0 {
		return
	}

	metrics = metrics.WithTags(map[string]string{"desk": d.name})

	for _, wait := range waits {
		metrics.Timer("parley_desk_wait").Record(wait.Waited)

		if wait.Estimated {
			metrics.Timer("parley_desk_wait_error").Record(wait.Off.Abs())
		}
	}
}

// late is by how much a deadline of the machine's fired late.
func (d *desk) late(now time.Time) time.Duration {
	if !d.alarm.Fired() || d.looks {
		return 0
	}

	return now.Sub(d.alarm.Due())
}

// arm sets the alarm for what is due next.
func (d *desk) arm(ctx workflow.Context) {
	due, name, own := d.nextLook(workflow.Now(ctx))
	if d.alarm.Set(ctx, due, name) {
		d.looks = !own
	}
}

// nextLook is the nearest of the machine's deadlines, the repetition of what
// failed, and the day after which a run continues as new; it tells whether it is
// one of the machine's.
func (d *desk) nextLook(now time.Time) (time.Time, string, bool) {
	due, name, own := d.startedAt.Add(rollAge), "continue as new", false

	if next, what, ok := d.machine.NextDeadline(now); ok && next.Before(due) {
		due, name, own = next, what, true
	}

	if d.machine.Owes() && d.retryAt.After(now) && d.retryAt.Before(due) {
		due, name, own = d.retryAt, "dispatch again", false
	}

	if d.machine.Seeks() && d.seekAt.After(now) && d.seekAt.Before(due) {
		due, name, own = d.seekAt, "open conversations again", false
	}

	return due, name, own
}
