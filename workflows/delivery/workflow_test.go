package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// bench is one delivery run in the SDK's test environment, with a receiver
// that answers as told.
type bench struct {
	*testsuite.TestWorkflowEnvironment

	t *testing.T
	// answers are given in turn, the last one for ever.
	answers  []error
	receipt  delivery.Receipt
	attempts []seen
	reports  []delivery.Report
	timers   int
	// leaves is 1 where the last task cancels the timer and ends the run: the
	// test environment does not tell of that cancel any more.
	leaves int
}

type seen struct {
	counter int64
	number  int
	at      time.Duration
}

func newBench(t *testing.T, answers ...error) *bench {
	t.Helper()

	var suite testsuite.WorkflowTestSuite

	b := &bench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, answers: answers}
	b.SetStartTime(start)
	b.SetTestTimeout(time.Minute)
	b.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: chat.DeliveryID("ops"), TaskQueue: signals.TaskQueue})
	b.RegisterWorkflowWithOptions(delivery.Workflow, workflow.RegisterOptions{Name: signals.DeliveryWorkflow})
	b.RegisterActivityWithOptions(b.attempt, activity.RegisterOptions{Name: delivery.AttemptActivity})
	b.RegisterActivityWithOptions(b.report, activity.RegisterOptions{Name: delivery.ReportActivity})
	b.SetOnTimerScheduledListener(func(string, time.Duration) { b.timers++ })
	b.SetOnTimerFiredListener(func(string) { b.timers-- })
	b.SetOnTimerCanceledListener(func(string) { b.timers-- })

	return b
}

func (b *bench) attempt(_ context.Context, attempt delivery.Attempt) (delivery.Receipt, error) {
	answer := b.answers[min(len(b.attempts), len(b.answers)-1)]
	b.attempts = append(b.attempts, seen{attempt.Order.Counter, attempt.Number, b.Now().Sub(start).Truncate(time.Second)})

	return b.receipt, answer
}

func (b *bench) report(_ context.Context, report delivery.Report) error {
	b.reports = append(b.reports, report)

	return nil
}

// send signals a batch after a pause.
func (b *bench) send(after time.Duration, orders ...signals.Order) {
	batch := signals.OrderBatch{}

	for i := range orders {
		raw, err := json.Marshal(orders[i])
		require.NoError(b.t, err)

		batch.Orders = append(batch.Orders, raw)
	}

	b.RegisterDelayedCallback(func() { b.SignalWorkflow(signals.OrdersSignal, batch) }, after)
}

func (b *bench) run(input any) signals.DeliveryResult {
	b.t.Helper()
	b.ExecuteWorkflow(signals.DeliveryWorkflow, input)
	require.True(b.t, b.IsWorkflowCompleted())
	require.NoError(b.t, b.GetWorkflowError())
	require.Equal(b.t, b.leaves, b.timers, "no timer is left behind")

	var result signals.DeliveryResult
	require.NoError(b.t, b.GetWorkflowResult(&result))
	require.Equal(b.t, 1, result.Version)

	return result
}

func temporary(after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("hooks.example.com: 503 Service Unavailable", delivery.TemporaryError,
		temporal.ApplicationErrorOptions{NextRetryDelay: after})
}

func permanent() error {
	return temporal.NewNonRetryableApplicationError("hooks.example.com: 410 Gone", delivery.PermanentError, nil)
}

func TestRetriesUntilItGoesThrough(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0), errors.New("connection refused"), temporary(30*time.Second), nil)
	b.send(0, notice(1, "e1", time.Time{}))
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(signals.StateQuery)
		require.NoError(t, err)

		var state delivery.State
		require.NoError(t, value.Get(&state))
		require.Len(t, state.Pending, 1)
		require.Equal(t, 2, state.Pending[0].Attempts)
		require.Equal(t, "connection refused", state.Pending[0].LastError)
	}, 2*time.Second)

	result := b.run(signals.DeliveryStart{})
	require.Equal(t, []seen{{1, 1, 0}, {1, 2, time.Second}, {1, 3, 3 * time.Second}, {1, 4, 33 * time.Second}}, b.attempts)
	require.Equal(t, map[int]int64{1: 1}, result.Counters)
	require.Empty(t, b.reports, "notices are not reported")
}

func TestAnAttemptWhoseWorkerDiedIsMadeAgain(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporal.NewHeartbeatTimeoutError(), nil)
	b.send(0, notice(1, "e1", time.Time{}))
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(signals.StateQuery)
		require.NoError(t, err)

		var state delivery.State
		require.NoError(t, value.Get(&state))
		require.Len(t, state.Pending, 1)
		require.Equal(t, "the worker ended during the attempt", state.Pending[0].LastError)
	}, 500*time.Millisecond)

	b.run(signals.DeliveryStart{})
	require.Len(t, b.attempts, 2)
}

func TestNoAttemptAfterACancel(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0))
	b.send(0, notice(1, "e1", time.Time{}), notice(2, "e1", time.Time{}))
	b.send(2*time.Second, cancelOf(3, "e1"))
	b.run(signals.DeliveryStart{})
	require.Equal(t, []seen{{1, 1, 0}, {1, 2, time.Second}}, b.attempts)
}

func TestACancelInTheSameTaskAsTheTimerWins(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0))
	b.send(0, notice(1, "e1", time.Time{}))
	// At one second the timer for attempt 2 fires; the cancel is there already.
	b.RegisterDelayedCallback(func() {
		raw, err := json.Marshal(cancelOf(2, "e1"))
		require.NoError(t, err)
		b.SignalWorkflowSkippingWorkflowTask(signals.OrdersSignal, signals.OrderBatch{Orders: []json.RawMessage{raw}})
	}, 999*time.Millisecond)
	b.run(signals.DeliveryStart{})
	require.Equal(t, []seen{{1, 1, 0}}, b.attempts)
}

func TestACancelledOrderInTheSameBatchNeverStarts(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	b.send(0, notice(1, "e1", time.Time{}), cancelOf(2, "e1"), notice(3, "e2", time.Time{}))
	b.run(signals.DeliveryStart{})
	require.Equal(t, []seen{{3, 1, 0}}, b.attempts)
}

func TestAnExpiredHeadLetsTheNextGo(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0))
	b.send(0, notice(1, "e1", start.Add(5*time.Second)))
	b.send(5*time.Second, notice(2, "e1", start.Add(6*time.Second)))
	b.run(signals.DeliveryStart{})
	// Attempts at 0, 1 and 3 s; the fourth would be at 7 s. Push 2 goes at 5 s, and not at 6 s.
	require.Equal(t, []seen{{1, 1, 0}, {1, 2, time.Second}, {1, 3, 3 * time.Second}, {2, 1, 5 * time.Second}}, b.attempts)
}

func TestTheOrderIsKept(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0), temporary(0), nil)
	b.send(0, notice(1, "e1", time.Time{}), notice(2, "e1", time.Time{}))
	b.send(time.Second/2, notice(3, "e2", time.Time{}))
	b.run(signals.DeliveryStart{})

	var order []int64
	for _, attempt := range b.attempts {
		order = append(order, attempt.counter)
	}

	require.Equal(t, []int64{1, 1, 1, 2, 3}, order)
}

func TestRepeatedBatchesGoOutOnce(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	b.send(0, notice(3, "e1", time.Time{}), notice(4, "e1", time.Time{}), notice(5, "e1", time.Time{}))
	b.send(time.Second, notice(3, "e1", time.Time{}), notice(4, "e1", time.Time{}), notice(5, "e1", time.Time{}))

	result := b.run(signals.DeliveryStart{Version: 1, Counters: map[int]int64{1: 4}})
	require.Equal(t, []seen{{5, 1, 0}}, b.attempts)
	require.Equal(t, map[int]int64{1: 5}, result.Counters)
}

func TestOneBadOrderCostsOnlyItself(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	good, err := json.Marshal(notice(2, "e1", time.Time{}))
	require.NoError(t, err)
	b.RegisterDelayedCallback(func() {
		b.SignalWorkflow(signals.OrdersSignal, signals.OrderBatch{Orders: []json.RawMessage{
			[]byte(`{"counter":"one"}`), []byte(`7`), []byte(`{"kind":"parcel","counter":1,"key":"k"}`), good,
		}})
	}, 0)
	b.run(signals.DeliveryStart{})
	require.Equal(t, []seen{{2, 1, 0}}, b.attempts)
}

func TestATicketIsReported(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		answer error
		want   signals.Type
		id     string
	}{
		"created": {nil, signals.TicketCreated, "77"},
		"failed":  {permanent(), signals.TicketFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := newBench(t, tc.answer)
			b.receipt = delivery.Receipt{ExternalID: "77"}
			b.send(0, ticketOrder(1))
			b.run(signals.DeliveryStart{})
			require.Len(t, b.attempts, 1)
			require.Len(t, b.reports, 1)
			require.Equal(t, tc.want, b.reports[0].Event.Type)
			require.Equal(t, tc.id, b.reports[0].Event.Ticket.ExternalID)
			require.Equal(t, chat, b.reports[0].Key)
		})
	}
}

func TestCompletesWhenIdle(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	b.send(0, notice(1, "", time.Time{}))
	b.send(9*time.Minute, notice(2, "", time.Time{}))
	b.run(signals.DeliveryStart{})
	require.Equal(t, []seen{{1, 1, 0}, {2, 1, 9 * time.Minute}}, b.attempts)
	require.Equal(t, 19*time.Minute, b.Now().Sub(start).Round(time.Second))
}

func TestCancellingTheRunDropsWhatWaitsAndKeepsTheCounters(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0))
	b.leaves = 1
	b.send(0, ticketOrder(1), notice(2, "", time.Time{}))
	b.RegisterDelayedCallback(b.CancelWorkflow, 10*time.Second)

	result := b.run(signals.DeliveryStart{})
	require.Equal(t, map[int]int64{1: 2}, result.Counters)
	require.Len(t, b.reports, 1)
	require.Equal(t, signals.TicketFailed, b.reports[0].Event.Type)
	require.Less(t, b.Now().Sub(start), time.Minute)
}

func TestContinuesAsNewWithWhatIsPending(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0))
	b.send(0, notice(1, "e1", time.Time{}), notice(2, "e1", time.Time{}))
	b.RegisterDelayedCallback(func() { b.SetContinueAsNewSuggested(true) }, 2*time.Second)
	b.ExecuteWorkflow(signals.DeliveryWorkflow, signals.DeliveryStart{})

	next := continued(t, b)
	require.Len(t, b.attempts, 2, "none is begun once the next run is to take over")
	require.Len(t, next.State.Pending, 2)
	require.Equal(t, 2, next.State.Pending[0].Attempts)
	require.Equal(t, map[int]int64{1: 2}, next.Counters)
	require.Zero(t, b.timers)

	second := newBench(t, nil)
	second.SetStartTime(start.Add(3 * time.Second))
	second.run(next)
	require.Equal(t, []seen{{1, 3, 3 * time.Second}, {2, 1, 3 * time.Second}}, second.attempts)
}

func TestContinuesAsNewByItsOwnCount(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	for i := range int64(300) {
		b.send(time.Duration(i)*time.Second, notice(i+1, "", time.Time{}))
	}

	b.ExecuteWorkflow(signals.DeliveryWorkflow, signals.DeliveryStart{})

	next := continued(t, b)
	require.Len(t, b.attempts, 250, "an attempt and a signal each")
	require.Empty(t, next.State.Pending)
	require.Equal(t, int64(250), next.State.Counts.Delivered)
}

func continued(t *testing.T, b *bench) delivery.Input {
	t.Helper()

	next, ok := errors.AsType[*workflow.ContinueAsNewError](b.GetWorkflowError())
	require.True(t, ok, "%v", b.GetWorkflowError())

	var input delivery.Input
	require.NoError(t, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &input))
	require.NotNil(t, input.State)
	require.False(t, input.State.InFlight)

	return input
}

func TestIsStartedUnderADeliverysIDOnly(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	b.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: chat.WorkflowID(), TaskQueue: signals.TaskQueue})
	b.ExecuteWorkflow(signals.DeliveryWorkflow, signals.DeliveryStart{})
	require.ErrorContains(t, b.GetWorkflowError(), "not started under a delivery's id")
}

func TestTheCardIsHarmless(t *testing.T) {
	t.Parallel()

	evil := "![x](http://evil.example) <script>|\n# big @all \u202e"
	b := newBench(t, temporal.NewApplicationError(evil, delivery.TemporaryError))
	b.leaves = 1
	b.send(0, notice(1, "", time.Time{}))
	b.RegisterDelayedCallback(func() {
		// The card is what the built-in metadata query shows.
		value, err := b.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)

		var metadata sdk.WorkflowMetadata
		require.NoError(t, value.Get(&metadata))
		require.Contains(t, metadata.GetCurrentDetails(), "unreplied push 1/4")

		for _, markup := range []string{"![", "](", " <script", "\n# ", "@all", "http://", "\u202e"} {
			require.NotContains(t, metadata.GetCurrentDetails(), markup)
		}

		require.Equal(t, 1, strings.Count(metadata.GetCurrentDetails(), "evil"))
	}, 500*time.Millisecond)
	b.send(time.Second, cancelOf(2, ""))
	b.RegisterDelayedCallback(b.CancelWorkflow, 2*time.Second)
	b.run(signals.DeliveryStart{})
}
