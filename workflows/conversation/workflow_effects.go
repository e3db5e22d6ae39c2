package conversation

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
	"github.com/parleyhq/parley/workflows/shell"
)

// maxDispatch bounds the orders of one dispatch; the rest follows.
const maxDispatch = 100

// dispatch hands out what is decided, one dispatch at a time.
//
// The effects of a local activity are out before the task that decided them is
// in history. A task that is made anew, since a signal came or the process was
// killed, would take in what came meanwhile, decide otherwise and give the same
// numbers to other orders. So the dispatch is an activity of its own, and a
// local one only where that cannot be: see [conversation.closeOut] and
// [conversation.prints].
func (c *conversation) dispatch(ctx workflow.Context) {
	orders, asks := c.machine.TakeOrders(), c.machine.TakeAsks()
	record := c.machine.Decided && !c.recorded

	if c.underway != nil || len(orders) == 0 && len(asks) == 0 && !record && len(c.stray) == 0 ||
		workflow.Now(ctx).Before(c.retryAt) {
		return
	}

	payload := Dispatch{
		Key: c.machine.Key, WorkflowID: c.info.WorkflowExecution.ID, RunID: c.info.WorkflowExecution.RunID,
		Session: c.machine.Session, Orders: orders[:min(len(orders), maxDispatch)], Stray: c.stray,
		Asks: slices.Clone(asks),
	}

	if record {
		payload.Closed = c.machine.Record(c.info.WorkflowExecution.RunID)
	}

	c.retryAt = time.Time{}
	c.underway = &underway{
		orders: len(payload.Orders), asks: payload.Asks, stray: len(c.stray), record: record,
		future: c.handOver(ctx, &payload),
	}
}

func (c *conversation) handOver(ctx workflow.Context, payload *Dispatch) workflow.Future {
	summary := dispatchSummary(payload)

	if c.sealed || c.prints(payload) {
		return workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, shell.LocalOptions(summary)), DispatchActivity, *payload)
	}

	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, shell.Options(summary)), DispatchActivity, *payload)
}

// prints reports whether a dispatch does no more than print lines in this
// process: nothing counts them, and one too many does no harm.
func (c *conversation) prints(payload *Dispatch) bool {
	return payload.Closed == nil && len(payload.Asks) == 0 && len(payload.Stray) == 0 &&
		!slices.ContainsFunc(payload.Orders, func(order signals.Order) bool {
			return order.Target != policy.LogChannel || order.Kind != signals.OrderNotice && order.Kind != signals.OrderCancel
		})
}

// closeOut ends a session whose grace is over when the alarm says so, before
// anything is taken in that came with it: then the decision follows from what is
// in history already, and a task that is made anew decides the same. What comes
// with it belongs to the next session.
func (c *conversation) closeOut(ctx workflow.Context) {
	if c.machine == nil || !c.alarm.Fired() || c.machine.Decided || c.machine.Close == nil || c.underway != nil {
		return
	}

	// A close that came with a command in this very task may be over already.
	if c.touched && c.machine.Rules.alone {
		return
	}

	c.tick(ctx)
	c.sealed = c.machine.Decided
}

// underway is a dispatch that has not come back.
type underway struct {
	future        workflow.Future
	orders, stray int
	asks          []DeskAsk
	record        bool
}

func (u *underway) done() bool { return u != nil && u.future.IsReady() }

// collect takes in what became of the dispatch and of the alarm.
func (c *conversation) collect(ctx workflow.Context) {
	if c.alarm.Fired() {
		c.closeOut(ctx)
		c.alarm = shell.Alarm{}
	}

	if !c.underway.done() {
		return
	}

	done := c.underway
	c.underway = nil

	if err := done.future.Get(ctx, nil); err != nil {
		c.retryAt = workflow.Now(ctx).Add(shell.Pause)
		workflow.GetLogger(ctx).Error("Dispatch failed; it is tried again.", "conversation", c.key.Conversation,
			"source", c.key.Source, "error", err, "retry_at", c.retryAt)

		return
	}

	c.recorded = c.recorded || done.record
	c.stray = c.stray[done.stray:]
	c.machine.Dispatched(done.orders)
	c.machine.Asked(done.asks)
}

func dispatchSummary(payload *Dispatch) string {
	events := make([]signals.Event, 0, len(payload.Orders)+len(payload.Asks)+1)

	for i := range payload.Orders {
		if order := &payload.Orders[i]; order.Event != nil {
			events = append(events, signals.Event{Type: order.Event.Type})
		} else {
			events = append(events, signals.Event{Type: signals.Type(order.Kind)})
		}
	}

	for i := range payload.Asks {
		events = append(events, signals.Event{Type: signals.Type(payload.Asks[i].Ask.Kind + " to " + signals.AskKind(payload.Asks[i].Desk))})
	}

	if payload.Closed != nil {
		events = append(events, signals.Event{Type: "record"})
	}

	return signals.Summarize(events)
}

// arm sets the alarm for what is due next.
func (c *conversation) arm(ctx workflow.Context) {
	due, name := c.nextLook()
	c.alarm.Set(ctx, due, name)
}

// nextLook is the nearest of the clocks, the retry of a dispatch and the day
// after which a run continues as new.
func (c *conversation) nextLook() (time.Time, string) {
	due, name := c.startedAt.Add(rollAge), "continue as new"

	if clock, ok := c.machine.NextDeadline(); ok && clock.Due.Before(due) {
		due, name = clock.Due, clock.Name
	}

	if !c.retryAt.IsZero() && c.retryAt.Before(due) {
		due, name = c.retryAt, "dispatch again"
	}

	return due, name
}
