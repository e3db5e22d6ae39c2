package desk

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
	"github.com/parleyhq/parley/workflows/shell"
)

const (
	// machineChange is the change id under which Temporal records which rules a
	// run was started with; see [Machine].
	machineChange  = "desk-machine"
	machineVersion = newestRules

	// rollAge is the age at which a run continues as new; it does so earlier by its
	// rules, and at the server's suggestion.
	rollAge = 24 * time.Hour
)

// Workflows carries what desks need from the worker's configuration.
type Workflows struct {
	// Under returns the configuration of a desk. It is asked in a side effect, so
	// that what it returns is recorded in history.
	Under func(desk string) policy.DeskSnapshot
}

// Register registers the workflow under its name.
func (w *Workflows) Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(w.Desk, workflow.RegisterOptions{Name: signals.DeskWorkflow})
}

// Input is what a run is started with: nothing, or the state of the run that it
// goes on from.
type Input struct {
	State *State `json:"state,omitempty"`
}

// Result is what a desk that was cancelled returns.
type Result struct {
	// Waiting is how many were told that it stops, Active how many have an agent.
	Waiting int `json:"waiting"`
	Active  int `json:"active"`
}

// Desk runs one desk. It ends only when it is cancelled: then it tells those who
// wait, and the next statement starts it anew.
func (w *Workflows) Desk(ctx workflow.Context, input Input) (Result, error) {
	run := &desk{under: w.Under}
	if err := run.setup(ctx, input); err != nil {
		return Result{}, err
	}

	return run.run(ctx)
}

// desk is the Temporal shell around one [Machine].
type desk struct {
	under   func(desk string) policy.DeskSnapshot
	name    string
	machine *Machine
	info    *workflow.Info

	asks, words workflow.ReceiveChannel
	// woken is set by a command, for the loop to look again; reload asks for the
	// configuration.
	woken, reload bool
	stopping      bool

	alarm shell.Alarm
	// looks tells that the alarm is for no deadline of the machine's.
	looks bool

	// underway is at most one dispatch; after a failure the next one waits until
	// retryAt. survivors, lost and choosing are the other things a desk may wait
	// for.
	underway  workflow.Future
	retryAt   time.Time
	survivors workflow.Future
	seekAt    time.Time
	lost      workflow.Future
	choosing  workflow.Future

	startedAt time.Time
}

func (d *desk) setup(ctx workflow.Context, input Input) error {
	d.info = workflow.GetInfo(ctx)
	d.startedAt = workflow.Now(ctx)

	name, err := signals.ParseDeskWorkflowID(d.info.WorkflowExecution.ID)
	if err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), "BadWorkflowID", err)
	}

	d.name = name
	d.asks = workflow.GetSignalChannel(ctx, signals.AsksSignal)
	d.words = workflow.GetSignalChannel(ctx, signals.AgentsSignal)

	if err := d.answer(ctx); err != nil {
		return err
	}

	rules := RulesFor(int(workflow.GetVersion(ctx, machineChange, workflow.DefaultVersion, machineVersion)))

	under, err := d.snapshot(ctx)
	if err != nil {
		return err
	}

	now := workflow.Now(ctx)

	if input.State != nil {
		d.machine = Resume(input.State, under, now)
		d.machine.Follow(rules)

		return nil
	}

	d.machine = New(under, now)
	d.machine.Follow(rules)
	d.machine.Seek(now)

	return nil
}

// snapshot records the configuration, so that a replay on a host with other
// settings decides the same.
func (d *desk) snapshot(ctx workflow.Context) (policy.DeskSnapshot, error) {
	var under policy.DeskSnapshot

	err := workflow.SideEffect(ctx, func(workflow.Context) any { return d.under(d.name) }).Get(&under)
	if err != nil {
		return policy.DeskSnapshot{}, fmt.Errorf("read the desk's configuration: %w", err)
	}

	under.Desk = d.name

	return under, nil
}

// run is the loop: take everything in, settle, hand out, wait.
//
// It waits by a condition and not in a selector: a selector that waits for a
// channel takes the value out of it when the signal arrives, and hands it over
// only when this coroutine goes on. An update handler, which runs before that,
// would not see it and judge a state that is older than what was acknowledged.
func (d *desk) run(ctx workflow.Context) (Result, error) {
	for {
		d.collect(ctx)
		d.drain(ctx)

		if err := d.reconfigure(ctx); err != nil {
			return Result{}, err
		}

		d.tick(ctx)
		d.publish(ctx)

		// In a burst something is always under way: a run that is to continue as
		// new begins nothing more, and takes along what is owed.
		rolling := d.rolls(ctx)
		if !rolling {
			d.seek(ctx)
			d.look(ctx)
			d.choose(ctx)
			d.dispatch(ctx)
		}

		if !d.busy() && workflow.AllHandlersFinished(ctx) {
			switch {
			case d.stopping && !d.machine.Owes():
				return d.result(ctx), nil
			case rolling && !d.stopping:
				return Result{}, d.roll(ctx)
			}
		}

		d.arm(ctx)
		d.woken = false

		// A cancellation ends the alarm, so that the condition may hold before the
		// wait has seen it.
		if err := workflow.Await(ctx, d.due); err != nil || ctx.Err() != nil {
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			d.stop(ctx)
		}
	}
}

// tick lets the machine go on, and measures how late it is.
func (d *desk) tick(ctx workflow.Context) {
	now := workflow.Now(ctx)
	metrics := workflow.GetMetricsHandler(ctx)

	if fired := d.late(now); fired > 0 {
		metrics.WithTags(map[string]string{"clock": "desk"}).Timer("parley_clock_lateness").Record(fired)
	}

	if d.alarm.Fired() {
		d.alarm = shell.Alarm{}
	}

	d.machine.Tick(now)
	d.measure(metrics)
}

// due reports whether there is something to look at.
func (d *desk) due() bool {
	return d.woken || d.waiting() || d.alarm.Fired() ||
		ready(d.underway) || ready(d.survivors) || ready(d.lost) || ready(d.choosing)
}

// busy reports whether something is under way.
func (d *desk) busy() bool {
	return d.underway != nil || d.survivors != nil || d.lost != nil || d.choosing != nil
}

func ready(future workflow.Future) bool { return future != nil && future.IsReady() }

// stop takes a cancellation of the run as an operator's wish to stop the desk.
func (d *desk) stop(ctx workflow.Context) {
	d.drain(ctx)
	d.machine.Stop(workflow.Now(ctx))
	d.stopping = true

	// What was begun under the cancelled context ends with it.
	d.alarm = shell.Alarm{}
}

func (d *desk) result(ctx workflow.Context) Result {
	view := d.machine.View(workflow.Now(ctx))

	return Result{Waiting: view.Waiting, Active: view.Active}
}

// roll continues as new. A run that began where conversations have their tasks
// goes on where desks have theirs.
func (d *desk) roll(ctx workflow.Context) error {
	if d.info.TaskQueueName == signals.TaskQueue {
		ctx = workflow.WithWorkflowTaskQueue(ctx, signals.DeskTaskQueue)
	}

	return workflow.NewContinueAsNewError(ctx, signals.DeskWorkflow, Input{State: d.machine.State()})
}

func (d *desk) rolls(ctx workflow.Context) bool {
	return d.info.GetCurrentHistoryLength() >= d.machine.Rules.roll || d.info.GetContinueAsNewSuggested() ||
		!workflow.Now(ctx).Before(d.startedAt.Add(rollAge))
}

// reconfigure reads the configuration again when somebody asked for it.
func (d *desk) reconfigure(ctx workflow.Context) error {
	if !d.reload {
		return nil
	}

	d.reload = false

	under, err := d.snapshot(ctx)
	if err != nil {
		return err
	}

	d.machine.Reload(under, workflow.Now(ctx))

	return nil
}
