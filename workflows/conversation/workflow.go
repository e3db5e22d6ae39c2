package conversation

import (
	"encoding/json"
	"errors"
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
	// machineChange is the change id under which Temporal records which rules
	// a run was started with; see [Machine].
	machineChange  = "machine"
	machineVersion = newestRules

	// rollEvents and rollAge are when a run continues as new by our own count
	// (design, section 5), besides the server's suggestion.
	rollEvents = 2000
	rollAge    = 24 * time.Hour
)

// Workflows carries what conversations need from the worker's configuration.
type Workflows struct {
	// Under returns the policy in force for a source. It is asked in a side
	// effect, so that what it returns is recorded in history.
	Under func(source string) policy.Snapshot
}

// Register registers the workflow under its name.
func (w *Workflows) Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(w.Conversation, workflow.RegisterOptions{Name: signals.ConversationWorkflow})
}

// Input is what a run is started with: nothing, what the session before left
// behind, or the state of the run that it goes on from.
type Input struct {
	signals.Start

	State *State `json:"state,omitempty"`
	// Pending are events that came after the session before was decided.
	Pending []json.RawMessage `json:"pending,omitempty"`
}

// Conversation runs one session of one conversation and returns what the next
// one must know. It owns no work longer than a few seconds: whatever leaves it
// is handed over by the dispatch activity.
func (w *Workflows) Conversation(ctx workflow.Context, input Input) (signals.Result, error) {
	run := &conversation{under: w.Under}
	if err := run.setup(ctx, input); err != nil {
		return signals.Result{}, err
	}

	return run.run(ctx)
}

// conversation is the Temporal shell around one [Machine].
type conversation struct {
	under   func(source string) policy.Snapshot
	key     signals.Key
	machine *Machine
	info    *workflow.Info

	events workflow.ReceiveChannel
	offers workflow.ReceiveChannel
	flat   []flatSignal
	// woken is set by a command, for the loop to look again.
	woken bool

	alarm shell.Alarm

	// underway is at most one dispatch; after a failure the next one waits
	// until retryAt.
	underway *underway
	retryAt  time.Time
	recorded bool
	// sealed says that the decision about the ticket follows from history
	// alone: no task that is made anew decides otherwise.
	sealed bool
	// touched: something was taken in by the task that is under way.
	touched bool

	// pending and stray came after the decision about the ticket.
	pending      []json.RawMessage
	pendingBytes int
	stray        []signals.Event

	taken     int
	startedAt time.Time
	published attributes
}

func (c *conversation) setup(ctx workflow.Context, input Input) error {
	c.info = workflow.GetInfo(ctx)
	c.startedAt = workflow.Now(ctx)

	key, err := signals.ParseWorkflowID(c.info.WorkflowExecution.ID)
	if err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), "BadWorkflowID", err)
	}

	c.key = key
	c.listen(ctx)

	if err := c.answer(ctx); err != nil {
		return err
	}

	under, rules, err := c.snapshot(ctx, input.Version)
	if err != nil {
		return err
	}

	if input.State != nil {
		c.machine = Resume(input.State, under)
		c.machine.Rules = rules

		return nil
	}

	start := input.Start
	if start.Session == 0 {
		if start, err = c.lastSession(ctx); err != nil {
			return err
		}

		start.Conversation = prefer(start.Conversation, input.Conversation)
	}

	c.machine = NewMachine(key, c.info.WorkflowExecution.ID, start, under)
	c.machine.Rules = rules

	for _, raw := range input.Pending {
		c.takeRaw(raw, workflow.Now(ctx))
	}

	return nil
}

// snapshot is what a run records when it begins.
type snapshot struct {
	policy.Snapshot

	// Rules is the version of the rules, where Temporal's marker does not say it.
	Rules int `json:"rules,omitempty"`
	// Begun is the status that visibility knew when the run began, empty for none.
	// The attributes of the start are no input to decide by: the server leaves out
	// of a history what its namespace does not map at that moment. Absent in runs
	// that were recorded before.
	Begun *signals.Status `json:"begun,omitempty"`
}

// rulesInSnapshot is the version of [signals.Start] from which on the rules stand
// beside the policy.
const rulesInSnapshot = 2

// snapshot records the policy in force and what visibility knows, so that a
// replay elsewhere decides the same, and the version of the rules, so that a
// newer binary does. A run whose input is of an older version, or that was
// started from outside, has the version in a marker of its own.
func (c *conversation) snapshot(ctx workflow.Context, version int) (policy.Snapshot, Rules, error) {
	var (
		recorded snapshot
		marked   int
	)

	if version < rulesInSnapshot {
		marked = int(workflow.GetVersion(ctx, machineChange, workflow.DefaultVersion, machineVersion))
	}

	err := workflow.SideEffect(ctx, func(workflow.Context) any {
		begun := c.known(ctx)
		recorded := snapshot{Snapshot: c.under(c.key.Source), Begun: &begun}

		if version >= rulesInSnapshot {
			recorded.Rules = newestRules
		}

		return recorded
	}).Get(&recorded)
	if err != nil {
		return policy.Snapshot{}, Rules{}, fmt.Errorf("read the policy: %w", err)
	}

	if recorded.Begun == nil {
		begun := c.known(ctx)
		recorded.Begun = &begun
	}

	if *recorded.Begun != "" {
		c.published = attributes{told: true, status: *recorded.Begun}
	}

	return recorded.Snapshot, RulesFor(max(marked, recorded.Rules)), nil
}

// lastSession asks what the session before left behind, for a run that was
// started from outside.
func (c *conversation) lastSession(ctx workflow.Context) (signals.Start, error) {
	for {
		var start signals.Start

		err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, shell.LocalOptions("session before")),
			LastSessionActivity, c.info.WorkflowExecution.ID).Get(ctx, &start)
		if err == nil {
			return start, nil
		}

		workflow.GetLogger(ctx).Error("The session before could not be read; it is tried again.",
			"conversation", c.key.Conversation, "source", c.key.Source, "error", err)

		// A run that gave up would lose the signals that wait for it.
		if err := workflow.Sleep(ctx, shell.Pause); err != nil {
			return signals.Start{}, fmt.Errorf("wait for the session before: %w", err)
		}
	}
}

// run is the loop: take everything in, tick, hand out, wait.
//
// It waits by a condition and not in a selector: a selector that waits for a
// channel takes the value out of it when the signal arrives, and hands it over
// only when this coroutine goes on. An update handler, which runs before that,
// would not see it and judge a state that is older than what was acknowledged.
func (c *conversation) run(ctx workflow.Context) (signals.Result, error) {
	for {
		c.collect(ctx)
		c.drain(ctx)
		c.machine.Settle(workflow.Now(ctx))
		c.tick(ctx)
		c.publish(ctx)
		c.dispatch(ctx)

		result, done, err := c.finish(ctx)
		if done || err != nil {
			return result, err
		}

		// A session that is closed waits for its last dispatch and nothing else.
		if !c.machine.Decided || c.underway == nil {
			c.arm(ctx)
		}

		c.woken, c.touched = false, false

		// A cancellation ends the alarm, so that the condition may hold before the
		// wait has seen it.
		if err := workflow.Await(ctx, c.due); err != nil || ctx.Err() != nil {
			ctx = c.cancelled(ctx)
		}
	}
}

// tick fires what is due, and measures how late the first of it is.
func (c *conversation) tick(ctx workflow.Context) {
	now := workflow.Now(ctx)

	if clock, ok := c.machine.NextDeadline(); ok && !clock.Due.After(now) {
		workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"clock": clock.Name}).
			Timer("parley_clock_lateness").Record(now.Sub(clock.Due))
	}

	c.machine.Tick(now)
}

// due reports whether there is something to look at.
func (c *conversation) due() bool {
	return c.woken || c.waiting() || c.alarm.Fired() || c.underway.done()
}

// cancelled takes a cancellation of the run as an operator's wish to close the
// conversation: it closes with its ticket like any other.
func (c *conversation) cancelled(ctx workflow.Context) workflow.Context {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	now := workflow.Now(ctx)

	c.drain(ctx)
	c.machine.Settle(now)

	command := signals.Command{By: "temporal", Reason: "cancelled"}
	if err := c.machine.Command(signals.CloseUpdate, command, now); err != nil {
		workflow.GetLogger(ctx).Warn("A cancelled conversation was closed already.", "conversation", c.key.Conversation,
			"source", c.key.Source, "error", err)
	}

	// Timers and activities of the cancelled context end with it.
	c.alarm = shell.Alarm{}

	return ctx
}

// finish completes the run or continues it as new, once nothing is on its way.
func (c *conversation) finish(ctx workflow.Context) (signals.Result, bool, error) {
	if c.underway != nil || len(c.machine.Outbox) > 0 || len(c.machine.Asks) > 0 || len(c.stray) > 0 || !workflow.AllHandlersFinished(ctx) {
		return signals.Result{}, false, nil
	}

	switch {
	case c.machine.Decided && !c.recorded:
		return signals.Result{}, false, nil
	case c.machine.Decided && len(c.pending) > 0:
		return signals.Result{}, true, workflow.NewContinueAsNewError(ctx, signals.ConversationWorkflow,
			Input{Start: c.next(), Pending: c.pending})
	case c.machine.Decided:
		return c.machine.Result(), true, nil
	case c.rolls(ctx):
		return signals.Result{}, true, workflow.NewContinueAsNewError(ctx, signals.ConversationWorkflow,
			Input{Start: signals.Start{Version: signals.StartVersion, Session: c.machine.Session}, State: c.machine.State})
	default:
		return signals.Result{}, false, nil
	}
}

// next is the start of the session after this one; the platform's own chat id
// goes along where the workflow id holds only its hash.
func (c *conversation) next() signals.Start {
	start := c.machine.Result().Next()
	if c.machine.Key.Conversation != c.key.Conversation {
		start.Conversation = c.machine.Key.Conversation
	}

	return start
}

func (c *conversation) rolls(ctx workflow.Context) bool {
	return c.taken >= rollEvents || c.info.GetContinueAsNewSuggested() || !workflow.Now(ctx).Before(c.startedAt.Add(rollAge))
}

// refusal makes the application error that the API answers with 409.
func refusal(err error, command signals.Command) error {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return temporal.NewNonRetryableApplicationError(refused.Reason, signals.RefusedError, nil, command.Digest())
	}

	return err
}
