package courier

import (
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/parleyhq/parley/signals"
)

// delivery brings orders to the workflow that delivers to one target.
func (c *Courier) delivery(ctx context.Context, to address, letters []*letter) error {
	id := to.workflowID()

	if !slices.ContainsFunc(letters, isWork) {
		// Nothing runs, so nothing is left to cancel.
		if err := c.signal(ctx, id, letters); err != nil && !isNotFound(err) {
			return classify("signal delivery", err)
		}

		return nil
	}

	how := opening{
		workflow: signals.DeliveryWorkflow,
		reuse:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		summary:  deliverySummary(to),
	}

	err := c.start(ctx, id, letters, how)

	runID, closed := alreadyStarted(err)
	if !closed {
		return classify("signal or start delivery", err)
	}

	last, err := c.lastRun(ctx, id, runID)
	if err != nil {
		return err
	}

	if last.state != runClosed {
		return ErrHeld
	}

	counters := c.countersOf(ctx, to, last)
	rest := slices.DeleteFunc(slices.Clone(letters), func(l *letter) bool {
		return l.order.Counter <= counters[l.order.Session]
	})

	if !slices.ContainsFunc(rest, isWork) {
		return nil
	}

	how.reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	how.input = signals.DeliveryStart{Version: 1, Counters: counters}

	return classify("start delivery", c.start(ctx, id, rest, how))
}

// deliveryLedger is what a delivery run returns and what it is started with:
// alike, but for the state that one run hands over to the next.
type deliveryLedger struct {
	Counters map[int]int64 `json:"counters"`
	State    *struct {
		Counters map[int]int64 `json:"counters"`
	} `json:"state"`
}

// countersOf returns how far the last delivery run had come: by its result, or
// by what it was started with, if it had no end of its own.
func (c *Courier) countersOf(ctx context.Context, to address, last lastRun) map[int]int64 {
	payloads := last.result.GetPayloads()
	if len(payloads) == 0 {
		payloads = last.input.GetPayloads()
	}

	var ledger deliveryLedger

	if len(payloads) > 0 {
		if err := c.config.DataConverter.FromPayload(payloads[0], &ledger); err != nil {
			c.log.WarnContext(ctx, "last delivery run cannot be read", "source", to.key.Source,
				"conversation", to.key.Conversation, "target", to.target, "error", err)
		}
	}

	if ledger.State != nil {
		return ledger.State.Counters
	}

	return ledger.Counters
}

// isWork tells orders that need a run from those that only take work away.
func isWork(l *letter) bool { return l.order.Kind != signals.OrderCancel }

// summarizeOrders counts the kinds of orders in order of their first
// appearance, as [signals.Summarize] does for events.
func summarizeOrders(letters []*letter) string {
	kinds := make([]signals.OrderKind, len(letters))
	for i, l := range letters {
		kinds[i] = l.order.Kind
	}

	return signals.Tally(kinds)
}
