package tests_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/delivery"
)

func deliveryPaths() []historyPath {
	const (
		completed   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
		continued   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
		fired       = enumspb.EVENT_TYPE_TIMER_FIRED
		failed      = enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED
		succeeded   = enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
		cancelAsked = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
	)

	kinds := func(kinds ...enumspb.EventType) []enumspb.EventType { return kinds }

	return []historyPath{
		{
			name: "delivery-retried", source: "flaky", target: "flaky", take: takeRetried,
			wants: kinds(completed, failed, succeeded, fired),
		},
		{
			name: "delivery-called-back", source: "down", target: "down", take: takeCalledBack,
			wants: kinds(completed, failed, fired),
		},
		{name: "delivery-expired", source: "expiring", target: "down", take: takeExpired, wants: kinds(completed, failed, fired)},
		{
			name: "delivery-ticket", source: "external", target: conversation.TicketTarget, take: takeTicketDelivery,
			wants: kinds(completed, failed, succeeded),
		},
		{name: "delivery-stopped", source: "down", target: "down", take: takeStopped, wants: kinds(completed, cancelAsked)},
		{
			name: "delivery-continued", source: "calm", target: "flaky", runs: 2, take: takeDeliveryContinued,
			wants: kinds(completed, continued, failed, succeeded), holds: continuedWithState,
		},
		{
			name: "delivery-platform", source: "moved", target: signals.PlatformTarget("moved"), take: takePlatform,
			wants: kinds(completed, failed, succeeded, fired),
		},
	}
}

// ended lets a delivery's idle time pass.
func (b *bench) ended(t *testing.T, id string) {
	t.Helper()

	b.skipTime(t, id, 10)
	b.completed(t, id)
}

// delivering waits for a state of a delivery.
func (b *bench) delivering(t *testing.T, id, what string, holds func(*delivery.State) bool) {
	t.Helper()

	require.Eventually(t, func() bool {
		answer, err := b.client.QueryWorkflow(t.Context(), id, "", signals.StateQuery)
		if err != nil {
			return false
		}

		var state delivery.State

		return answer.Get(&state) == nil && holds(&state)
	}, 20*time.Second, 50*time.Millisecond, what)
}

func takeRetried(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	id := key.DeliveryID("flaky")

	b.send(t, key, message("T1", ann, "Hello"))
	b.delivering(t, id, "delivered at the third attempt", func(s *delivery.State) bool {
		return s.Counts.Delivered == 1 && s.Last.Attempts == 3
	})
	b.ended(t, id)
}

func takeCalledBack(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	id := key.DeliveryID("down")

	b.send(t, key, message("T1", ann, "Hello"))
	b.delivering(t, id, "refused twice", func(s *delivery.State) bool {
		return len(s.Pending) == 1 && s.Pending[0].Attempts == 2 && !s.InFlight
	})
	b.send(t, key, message("T1", smith, "Hi"))
	b.delivering(t, id, "cancelled by the reply", func(s *delivery.State) bool { return s.Counts.Cancelled == 1 })
	b.ended(t, id)
}

func takeExpired(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	id := key.DeliveryID("down")

	b.send(t, key, message("T1", ann, "Hello"))
	b.delivering(t, id, "the first push makes room for the second", func(s *delivery.State) bool { return s.Counts.Expired == 1 })
	b.send(t, key, message("T1", smith, "Hi"))
	b.delivering(t, id, "the second is called back", func(s *delivery.State) bool { return s.Counts.Cancelled == 1 })
	b.ended(t, id)
}

func takeTicket(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

func takeTicketDelivery(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	id := key.DeliveryID(conversation.TicketTarget)

	takeTicket(t, b, key)
	b.delivering(t, id, "the ticket is made and told", func(s *delivery.State) bool {
		return s.Counts.Delivered == 1 && len(s.Reports) == 0
	})
	b.ended(t, id)
}

func takeStopped(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	id := key.DeliveryID("down")

	b.send(t, key, message("T1", ann, "Hello"))
	b.delivering(t, id, "refused", func(s *delivery.State) bool { return len(s.Pending) == 1 && s.Pending[0].LastError != "" })
	require.NoError(t, b.client.CancelWorkflow(t.Context(), id, ""))
	b.completed(t, id)
}

// takeDeliveryContinued signals as often as makes a run go on as a new one,
// while a notice is being retried.
func takeDeliveryContinued(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	const orders = 500

	id := key.DeliveryID("flaky")
	notice := event(signals.SystemNoted, "", "")
	notice.Source, notice.Conversation = key.Source, key.Conversation
	notice.Note = &signals.Note{Text: "hello"}

	for counter := range int64(orders) {
		order := signals.Order{Kind: signals.OrderCancel, Target: "flaky", Session: 1, Counter: counter + 1, Group: "none"}
		if counter == 0 || counter == orders-1 {
			order.Kind, order.Group, order.Event, order.Key = signals.OrderNotice, "", &notice, fmt.Sprintf("%s/%d", id, counter+1)
		}

		require.NoError(t, b.courier.Orders(t.Context(), key, []signals.Order{order}))
	}

	b.delivering(t, id, "both delivered", func(s *delivery.State) bool { return s.Counts.Delivered == 2 })
	b.ended(t, id)
}

// reluctant is a platform that carries a command out at the third attempt, and
// never moves a chat to an agent whom it does not have.
type reluctant struct{ tries atomic.Int32 }

func (r *reluctant) Send(_ context.Context, order *signals.Order) (delivery.Receipt, error) {
	switch {
	case order.Platform.AgentID == "nobody":
		return delivery.Receipt{}, outbound.Permanent("there is no such agent")
	case r.tries.Add(1) < 3:
		return delivery.Receipt{}, outbound.Temporary("503 Service Unavailable")
	default:
		return delivery.Receipt{Detail: "200 OK"}, nil
	}
}

// takePlatform has a platform move a chat: one command is carried out after some
// attempts, a newer one takes the place of one that waits, one is refused.
func takePlatform(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	id := key.DeliveryID(signals.PlatformTarget(key.Source))
	transfer := func(agent string) {
		require.NoError(t, b.command(t, key, signals.TransferUpdate, signals.Command{AgentID: agent, By: "ops"}))
	}
	noted := func(kind string) {
		b.until(t, key, kind, func(view signals.View) bool {
			return slices.ContainsFunc(view.Timeline, func(e signals.TimelineEntry) bool {
				return e.Type == signals.SystemNoted && strings.Contains(e.Text, kind)
			})
		})
	}

	b.send(t, key, message("T1", ann, "Hello"))
	b.until(t, key, "there", is(signals.StatusOpen))
	transfer(smith)
	b.delivering(t, id, "refused once", func(s *delivery.State) bool {
		return len(s.Pending) == 1 && s.Pending[0].Attempts == 1 && !s.InFlight
	})
	transfer(jones)
	noted("dropped: ")
	noted("done: ")
	transfer("nobody")
	noted("not done: ")
	b.delivering(t, id, "told", func(s *delivery.State) bool { return s.Counts.Delivered == 1 && len(s.Reports) == 0 })
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
	b.ended(t, id)
}
