package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
)

const (
	// attemptTimeout bounds one attempt, from its start on a worker.
	attemptTimeout = 15 * time.Second
	// heartbeatTimeout is how long an attempt may give no sign of life: one whose
	// worker was killed is made again after it, and not only when its whole time
	// is over, which may be later than the push expires.
	heartbeatTimeout = 4 * time.Second
	// reportPatience is how long a report is tried before it is given up.
	reportPatience = 24 * time.Hour
	// reportMaxInterval is the longest pause between two tries of a report.
	reportMaxInterval = time.Minute
	// maxRunEvents is after how many attempts and signals a run goes on as a
	// new one, whatever the server suggests.
	maxRunEvents = 500
	// versionChange names the recorded version of the machine's rules.
	versionChange = "delivery-machine"
)

// Input is what a delivery run is started with: signals.DeliveryStart from
// outside, and beside it the state that a run hands to its successor.
type Input struct {
	signals.DeliveryStart

	State *State `json:"state,omitempty"`
}

// Register makes the workflow known under [signals.DeliveryWorkflow].
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(Workflow, workflow.RegisterOptions{Name: signals.DeliveryWorkflow})
}

// Workflow delivers the orders that come by [signals.OrdersSignal], and
// completes when none came for a while. Cancelling it drops what waits and
// completes it with a result all the same, so that nothing is delivered twice.
func Workflow(ctx workflow.Context, input Input) (signals.DeliveryResult, error) {
	var r run

	if err := r.setup(ctx, &input); err != nil {
		return signals.DeliveryResult{}, err
	}

	return r.run(r.ctx)
}

// run is one run of the workflow.
type run struct {
	// ctx goes on when the workflow is cancelled.
	ctx      workflow.Context
	log      log.Logger
	machine  *Machine
	orders   workflow.ReceiveChannel
	selector workflow.Selector
	stopping bool
	// events counts attempts and signals of this run.
	events int

	attempt       workflow.Future
	cancelAttempt workflow.CancelFunc
	report        workflow.Future
	timer         *timer
}

// timer is the only one that runs.
type timer struct {
	due    time.Time
	cancel workflow.CancelFunc
}

func (r *run) setup(ctx workflow.Context, input *Input) error {
	r.ctx, _ = workflow.NewDisconnectedContext(ctx)
	r.log = workflow.GetLogger(ctx)
	rules := RulesFor(int(workflow.GetVersion(ctx, versionChange, rulesVersion, rulesVersion)))

	if input.State != nil {
		r.machine = Resume(input.State, rules)
	} else {
		target, key, err := signals.ParseDeliveryID(workflow.GetInfo(ctx).WorkflowExecution.ID)
		if err != nil {
			return temporal.NewNonRetryableApplicationError("not started under a delivery's id", "BadID", err)
		}

		r.machine = New(target, key, input.Counters, rules, workflow.Now(ctx))
	}

	err := workflow.SetQueryHandler(ctx, signals.StateQuery, func() (*State, error) { return r.machine.State, nil })
	if err != nil {
		return fmt.Errorf("register query: %w", err)
	}

	r.orders = workflow.GetSignalChannel(ctx, signals.OrdersSignal)
	r.selector = workflow.NewNamedSelector(ctx, "delivery")
	r.selector.AddReceive(r.orders, func(workflow.ReceiveChannel, bool) { r.receive() })
	r.selector.AddReceive(ctx.Done(), func(done workflow.ReceiveChannel, _ bool) {
		// A selector offers what is not taken again and again.
		done.ReceiveAsync(nil)

		r.stopping = true
	})

	return nil
}

func (r *run) run(ctx workflow.Context) (signals.DeliveryResult, error) {
	for {
		r.drain()
		r.step(ctx)

		switch {
		case r.finished(ctx):
			if r.settled(ctx) {
				r.disarm()

				return signals.DeliveryResult{Version: 1, Counters: r.machine.Counters}, nil
			}

			continue
		case r.renewable(ctx):
			if r.settled(ctx) {
				r.disarm()

				return signals.DeliveryResult{}, r.renew(ctx)
			}

			continue
		}

		r.arm(ctx)
		workflow.SetCurrentDetails(ctx, card(r.machine))
		r.selector.Select(ctx)
	}
}

// drain takes in every signal that is there. It runs before every decision: no
// attempt starts once its cancel is in the history.
func (r *run) drain() {
	for r.orders.Len() > 0 {
		r.receive()
	}
}

func (r *run) receive() {
	var batch signals.OrderBatch
	if !r.orders.ReceiveAsync(&batch) {
		return
	}

	r.events++
	now := workflow.Now(r.ctx)

	for _, raw := range batch.Orders {
		var order signals.Order
		if err := json.Unmarshal(raw, &order); err != nil {
			r.machine.Reject()
			r.log.Warn("An order could not be decoded and was dropped", "error", err)

			continue
		}

		if err := r.machine.Apply(order, now); err != nil {
			r.log.Warn("An order was refused", "order", order.Key, "error", err)
		}
	}
}

// step does what is due now.
func (r *run) step(ctx workflow.Context) {
	now := workflow.Now(ctx)

	r.harvest(now)

	if r.stopping {
		r.machine.Stop(now)
	}

	if r.machine.CalledBack() && r.cancelAttempt != nil {
		// What no worker has begun never starts; what is on the wire ends by itself.
		r.cancelAttempt()
		r.cancelAttempt = nil
	}

	if r.wantsRenewal(ctx) {
		r.machine.Expire(now)
	} else if attempt, due := r.machine.Tick(now); due {
		r.start(ctx, &attempt)
	}

	if r.report == nil && len(r.machine.Reports) > 0 {
		r.tell(ctx)
	}
}

// harvest takes in what has ended.
func (r *run) harvest(now time.Time) {
	if r.attempt != nil && r.attempt.IsReady() {
		var receipt Receipt

		outcome := outcomeOf(r.attempt.Get(r.ctx, &receipt))
		outcome.Receipt = receipt
		r.machine.Attempted(outcome, now)
		r.attempt, r.cancelAttempt = nil, nil
	}

	if r.report != nil && r.report.IsReady() {
		if err := r.report.Get(r.ctx, nil); err != nil {
			r.log.Error("What became of a ticket could not be reported", "error", err)
		}

		r.machine.Reported(now)
		r.report = nil
	}
}

// start makes an attempt. Temporal makes it once: when to try again is the
// machine's decision, so that it is seen, ordered and cancellable.
func (r *run) start(ctx workflow.Context, attempt *Attempt) {
	r.events++

	ctx, r.cancelAttempt = workflow.WithCancel(ctx)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           signals.DeliveryTaskQueue,
		StartToCloseTimeout: attemptTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:             attemptSummary(r.machine.Target, attempt),
	})
	r.attempt = workflow.ExecuteActivity(ctx, AttemptActivity, attempt)
	r.selector.AddFuture(r.attempt, func(workflow.Future) {})
}

func (r *run) tell(ctx workflow.Context) {
	report := r.machine.Reports[0]

	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    attemptTimeout,
		ScheduleToCloseTimeout: reportPatience,
		RetryPolicy:            &temporal.RetryPolicy{MaximumInterval: reportMaxInterval},
		Summary:                string(report.Event.Type),
	})
	r.report = workflow.ExecuteActivity(ctx, ReportActivity, report)
	r.selector.AddFuture(r.report, func(workflow.Future) {})
}

// arm keeps one timer for the nearest deadline. It is made anew only if that
// moves earlier; one that fires too early is followed by the next.
func (r *run) arm(ctx workflow.Context) {
	deadline, ok := r.machine.Next()
	if !ok || (r.timer != nil && !deadline.At.Before(r.timer.due)) {
		return
	}

	r.disarm()

	ctx, cancel := workflow.WithCancel(ctx)
	armed := &timer{due: deadline.At, cancel: cancel}
	pause := max(deadline.At.Sub(workflow.Now(ctx)), time.Millisecond)
	future := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: timerSummary(deadline)})

	r.timer = armed
	r.selector.AddFuture(future, func(workflow.Future) {
		if r.timer == armed {
			r.timer = nil
		}
	})
}

func (r *run) disarm() {
	if r.timer != nil {
		r.timer.cancel()
		r.timer = nil
	}
}

// finished reports whether the run has nothing more to do.
func (r *run) finished(ctx workflow.Context) bool {
	return r.machine.Done(workflow.Now(ctx)) || (r.stopping && r.machine.Empty())
}

func (r *run) wantsRenewal(ctx workflow.Context) bool {
	return r.events >= maxRunEvents || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// renewable reports whether the next run may take over: a report that is being
// made is made again by it, an attempt must end first.
func (r *run) renewable(ctx workflow.Context) bool {
	return r.wantsRenewal(ctx) && r.attempt == nil
}

// settled reports whether no handler runs and no signal waits.
func (r *run) settled(ctx workflow.Context) bool {
	err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })

	return err == nil && r.orders.Len() == 0
}

func (r *run) renew(ctx workflow.Context) error {
	return workflow.NewContinueAsNewError(ctx, signals.DeliveryWorkflow, Input{
		DeliveryStart: signals.DeliveryStart{Version: 1, Counters: r.machine.Counters}, State: r.machine.State,
	})
}

// outcomeOf reads an attempt's error. Whatever is not marked otherwise may
// pass: a worker that died, a timeout, a bug that the next release mends.
func outcomeOf(err error) Outcome {
	var (
		application *temporal.ApplicationError
		timeout     *temporal.TimeoutError
		cancelled   *temporal.CanceledError
	)

	switch {
	case err == nil:
		return Outcome{OK: true}
	case errors.As(err, &cancelled):
		return Outcome{Cancelled: true}
	case errors.As(err, &application):
		return Outcome{
			Error: application.Message(), Permanent: application.Type() == PermanentError,
			Expired: application.Type() == ExpiredError, RetryAfter: application.NextRetryDelay(),
		}
	case errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT:
		return Outcome{Error: "the worker ended during the attempt"}
	case errors.As(err, &timeout):
		return Outcome{Error: "the attempt did not end within " + attemptTimeout.String()}
	default:
		return Outcome{Error: err.Error()}
	}
}
