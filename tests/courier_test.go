package tests_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/worker/embedded"
)

// TestCourier holds the courier to the real server: what it does with runs
// that were never seen, are open, completed, or were terminated.
func TestCourier(t *testing.T) {
	t.Parallel()

	b := newPost(t)

	t.Run("a never-seen conversation starts, an open one is signalled", func(t *testing.T) {
		t.Parallel()

		key := b.key(t)
		b.send(t, key, went(courier.Signalled), said("m1", 1))
		run := b.current(t, key.WorkflowID())
		require.Equal(t, "Ann on livechat", b.summary(t, key.WorkflowID()))

		b.send(t, key, went(courier.Signalled, courier.Signalled), said("m2", 2), tagged("t1", 3))
		require.Equal(t, run, b.current(t, key.WorkflowID()))

		got := b.ask(t, key.WorkflowID(), "")
		require.Equal(t, []string{"m1", "m2", "t1"}, got.IDs)
		require.Equal(t, signals.Start{Version: 2, Session: 1}, got.Start)
	})

	t.Run("a resend after completion changes nothing", func(t *testing.T) {
		t.Parallel()

		key := b.key(t)
		b.send(t, key, went(courier.Signalled, courier.Signalled, courier.Signalled), said("m1", 1), tagged("t1", 2), closed("c1", 3))
		first := b.completed(t, key)

		b.send(t, key, went(courier.Seen, courier.Seen, courier.Seen), said("m1", 1), tagged("t1", 2), closed("c1", 3))
		b.send(t, key, went(courier.Seen), tagged("t1", 2))
		b.send(t, key, went(courier.Late), said("m2", 3))
		require.Equal(t, first, b.current(t, key.WorkflowID()), "a ghost run")

		b.send(t, key, went(courier.Seen, courier.Signalled), said("m1", 1), said("m3", 4))
		require.NotEqual(t, first, b.current(t, key.WorkflowID()))

		got := b.ask(t, key.WorkflowID(), "")
		require.Equal(t, []string{"m3"}, got.IDs)
		require.Equal(t, 2, got.Start.Session)
		require.Equal(t, at(3), got.Start.ClosedAt.UTC())
		require.Len(t, got.Start.IDs, 3)
	})

	t.Run("a terminated run is followed by the next session", func(t *testing.T) {
		t.Parallel()

		key := b.key(t)
		b.send(t, key, went(courier.Signalled), said("m1", 1))

		for session := 2; session < 4; session++ {
			require.NoError(t, b.client.TerminateWorkflow(t.Context(), key.WorkflowID(), "", "by the test"))

			parked := tagged(fmt.Sprintf("t%d", session), 10*session)
			b.send(t, key, went(courier.Parked), parked)
			b.send(t, key, went(courier.Signalled, courier.Signalled), parked, said(fmt.Sprintf("m%d", session), 10*session))

			got := b.ask(t, key.WorkflowID(), "")
			require.Equal(t, session, got.Start.Session)
			require.Equal(t, []string{fmt.Sprintf("t%d", session), fmt.Sprintf("m%d", session)}, got.IDs)
		}
	})

	t.Run("what may not start a conversation waits for one that may", func(t *testing.T) {
		t.Parallel()

		key := b.key(t)
		b.send(t, key, went(courier.Parked), tagged("t1", 2))
		b.send(t, key, went(courier.Parked, courier.Parked), tagged("t1", 2), tagged("t2", 3))
		b.send(t, key, went(courier.Signalled, courier.Signalled, courier.Signalled), tagged("t1", 2), tagged("t2", 3), said("m1", 1))
		require.Equal(t, []string{"t1", "t2", "m1"}, b.ask(t, key.WorkflowID(), "").IDs)
	})

	t.Run("reports reach an open run only", func(t *testing.T) {
		t.Parallel()

		key := b.key(t)
		report := signals.Event{ID: "k1", Type: signals.TicketCreated, At: at(1), ReceivedAt: at(1)}
		require.NoError(t, b.courier.Tell(t.Context(), key, []signals.Event{report}))

		b.send(t, key, went(courier.Signalled), said("m1", 1))
		require.NoError(t, b.courier.Tell(t.Context(), key, []signals.Event{report}))
		require.Equal(t, []string{"m1", "k1"}, b.ask(t, key.WorkflowID(), "").IDs)
	})

	t.Run("orders after a delivery completed", func(t *testing.T) {
		t.Parallel()

		key := b.key(t)
		id := key.DeliveryID("ops")
		order := func(counter int64, kind signals.OrderKind) signals.Order {
			return signals.Order{Key: fmt.Sprintf("o%d", counter), Kind: kind, Target: "ops", Session: 1, Counter: counter}
		}
		send := func(orders ...signals.Order) {
			require.NoError(t, b.courier.Orders(t.Context(), key, orders))
		}

		send(order(1, signals.OrderCancel))

		_, err := b.client.DescribeWorkflowExecution(t.Context(), id, "")
		require.Error(t, err, "a cancel started a delivery")

		send(order(2, signals.OrderNotice), order(3, signals.OrderTicket))

		// The test's delivery completes at a ticket.
		first := b.current(t, id)
		require.NoError(t, b.client.GetWorkflow(t.Context(), id, first).Get(t.Context(), nil))

		send(order(2, signals.OrderNotice), order(3, signals.OrderTicket), order(4, signals.OrderCancel))
		require.Equal(t, first, b.current(t, id), "delivered again")

		send(order(3, signals.OrderTicket), order(5, signals.OrderNotice))
		require.NotEqual(t, first, b.current(t, id))

		got := b.ask(t, id, "")
		require.Equal(t, []string{"o5"}, got.IDs)
		require.Equal(t, map[int]int64{1: 3}, got.Counters)
	})
}

// TestCouriersRace lets two gateways bring the same webhooks at once, to a
// conversation that nobody has seen and then to one that is closed.
func TestCouriersRace(t *testing.T) {
	t.Parallel()

	b := newPost(t)
	other := courier.New(b.client, courier.Config{}, slog.New(slog.DiscardHandler))

	t.Cleanup(func() { require.NoError(t, other.Close(context.Background())) })

	for range 10 {
		key := b.key(t)

		for session := 1; session <= 3; session++ {
			id := fmt.Sprintf("m%d", session)

			var racing sync.WaitGroup

			for _, c := range []*courier.Courier{b.courier, other} {
				racing.Go(func() {
					if _, err := c.Events(context.Background(), key, []signals.Event{said(id, 10*session)}); err != nil {
						t.Error(err)
					}
				})
			}

			racing.Wait()

			got := b.ask(t, key.WorkflowID(), "")
			require.Equal(t, []string{id}, got.IDs, "applied twice, or in two runs")
			require.Equal(t, session, max(1, got.Start.Session))

			b.send(t, key, went(courier.Signalled), closed(fmt.Sprintf("c%d", session), 10*session+1))
			b.completed(t, key)
		}
	}
}

// TestCourierLosesNothingWhileRunsClose sends to a conversation that closes all
// the time: every event ends in exactly one run.
func TestCourierLosesNothingWhileRunsClose(t *testing.T) {
	t.Parallel()

	const callers, each = 6, 40

	b := newPost(t)
	key := b.key(t)

	var (
		sending sync.WaitGroup
		mu      sync.Mutex
		parked  []signals.Event
	)

	for caller := range callers {
		sending.Go(func() {
			for i := range each {
				event := said(fmt.Sprintf("m%d-%d", caller, i), 1)
				event.Thread = event.ID // so that none counts as late

				if i%5 == 4 {
					event.Type = signals.ConversationClosed
				}

				got, err := b.courier.Events(context.Background(), key, []signals.Event{event})

				switch {
				case err != nil || len(got.Fates) != 1:
					t.Errorf("event %s: %+v, %v", event.ID, got, err)
				case got.Fates[0] == courier.Parked:
					mu.Lock()
					parked = append(parked, event)
					mu.Unlock()
				case got.Fates[0] != courier.Signalled:
					t.Errorf("event %s: %+v", event.ID, got)
				}
			}
		})
	}

	sending.Wait()

	// What waits after the last close goes with one more message.
	rest := append(parked, said("last", 100)) //nolint:gocritic // nobody needs it any more
	b.send(t, key, slices.Repeat(went(courier.Signalled), len(rest)), rest...)

	got := b.ask(t, key.WorkflowID(), "")
	all := slices.Clone(got.IDs)

	for _, id := range got.Start.IDs {
		all = append(all, id.ID)
	}

	slices.Sort(all)
	require.Len(t, all, callers*each+1)
	require.Len(t, slices.Compact(all), callers*each+1, "applied twice")
	t.Logf("%d sessions", got.Start.Session)
}

// post is a real server with a courier, and workflows of the test's own behind
// Parley's names.
type post struct {
	client  client.Client
	courier *courier.Courier
}

func newPost(t *testing.T) *post {
	t.Helper()

	config, err := env.ParseAsWithOptions[embedded.Config](env.Options{Environment: map[string]string{}})
	require.NoError(t, err)

	config.DataDir, config.Port, config.UIPort = filepath.Join(t.TempDir(), "parley-data"), 0, 0
	silent := slog.New(slog.DiscardHandler)

	server, err := embedded.Start(t.Context(), config, map[string]enumspb.IndexedValueType{
		signals.AttrSource: enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	}, silent)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()

		require.NoError(t, server.Stop(ctx))
	})

	dialled, err := client.Dial(client.Options{
		HostPort: server.FrontendAddress(), Namespace: server.Namespace(), Logger: sdklog.NewStructuredLogger(silent),
	})
	require.NoError(t, err)
	t.Cleanup(dialled.Close)

	work := worker.New(dialled, signals.TaskQueue, worker.Options{})
	work.RegisterWorkflowWithOptions(recordConversation, workflow.RegisterOptions{Name: signals.ConversationWorkflow})
	work.RegisterWorkflowWithOptions(recordDelivery, workflow.RegisterOptions{Name: signals.DeliveryWorkflow})
	require.NoError(t, work.Start())
	t.Cleanup(work.Stop)

	sender := courier.New(dialled, courier.Config{}, silent)
	t.Cleanup(func() { require.NoError(t, sender.Close(context.Background())) })

	return &post{client: dialled, courier: sender}
}

// key returns a conversation of the test's own.
func (b *post) key(t *testing.T) signals.Key {
	t.Helper()

	return signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", time.Now().UnixNano())}
}

func (b *post) send(t *testing.T, key signals.Key, want []courier.Fate, events ...signals.Event) {
	t.Helper()

	got, err := b.courier.Events(t.Context(), key, events)
	require.NoError(t, err)
	require.Equal(t, want, got.Fates)
}

// went says where the events of one call go, each.
func went(fates ...courier.Fate) []courier.Fate { return fates }

// current returns the id of the newest run.
func (b *post) current(t *testing.T, id string) string {
	t.Helper()

	described, err := b.client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)

	return described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
}

// completed waits for the newest run to complete and returns its id.
func (b *post) completed(t *testing.T, key signals.Key) string {
	t.Helper()

	run := b.current(t, key.WorkflowID())
	require.NoError(t, b.client.GetWorkflow(t.Context(), key.WorkflowID(), run).Get(t.Context(), nil))

	return run
}

func (b *post) summary(t *testing.T, id string) string {
	t.Helper()

	run, err := b.client.DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)

	summary, err := run.GetStaticSummary()
	require.NoError(t, err)

	return summary
}

// recorded is what a run of the test's workflows has seen.
type recorded struct {
	Start    signals.Start
	Counters map[int]int64
	IDs      []string
}

func (b *post) ask(t *testing.T, id, run string) recorded {
	t.Helper()

	answer, err := b.client.QueryWorkflow(t.Context(), id, run, signals.StateQuery)
	require.NoError(t, err)

	var got recorded
	require.NoError(t, answer.Get(&got))

	return got
}

// recordConversation remembers the ids it is sent, each once, and completes at
// a close, as a conversation does that has no grace.
func recordConversation(ctx workflow.Context, start signals.Start) (signals.Result, error) {
	state := recorded{Start: start}
	if err := workflow.SetQueryHandler(ctx, signals.StateQuery, func() (recorded, error) { return state, nil }); err != nil {
		return signals.Result{}, err
	}

	result := signals.Result{Version: 1, Session: max(1, start.Session), IDs: start.IDs, ClosedAt: start.ClosedAt}
	channel := workflow.GetSignalChannel(ctx, signals.EventsSignal)
	over := false

	take := func(batch signals.Batch) {
		for _, raw := range batch.Events {
			var event signals.Event
			if err := json.Unmarshal(raw, &event); err != nil {
				panic(err)
			}

			if slices.ContainsFunc(result.IDs, func(id signals.SeenID) bool { return id.ID == event.ID }) {
				continue
			}

			state.IDs = append(state.IDs, event.ID)
			result.IDs = append(result.IDs, signals.SeenID{ID: event.ID, At: event.ReceivedAt})

			if event.Type == signals.ConversationClosed {
				over, result.ClosedAt = true, event.At
			}
		}
	}

	for !over {
		var batch signals.Batch

		channel.Receive(ctx, &batch)
		take(batch)

		for channel.ReceiveAsync(&batch) {
			take(batch)
		}
	}

	return result, nil
}

// recordDelivery remembers the keys of the orders it is sent and completes at
// a ticket.
func recordDelivery(ctx workflow.Context, start signals.DeliveryStart) (signals.DeliveryResult, error) {
	state := recorded{Counters: start.Counters}
	if err := workflow.SetQueryHandler(ctx, signals.StateQuery, func() (recorded, error) { return state, nil }); err != nil {
		return signals.DeliveryResult{}, err
	}

	result := signals.DeliveryResult{Version: 1, Counters: map[int]int64{}}
	channel := workflow.GetSignalChannel(ctx, signals.OrdersSignal)

	for {
		var batch signals.OrderBatch

		channel.Receive(ctx, &batch)

		for _, raw := range batch.Orders {
			var order signals.Order
			if err := json.Unmarshal(raw, &order); err != nil {
				return result, err
			}

			state.IDs = append(state.IDs, order.Key)
			result.Counters[order.Session] = max(order.Counter, result.Counters[order.Session])

			if order.Kind == signals.OrderTicket {
				return result, nil
			}
		}
	}
}

// at is a time on the tests' own day.
func at(second int) time.Time {
	return time.Date(2026, 11, 20, 10, 0, second, 0, time.UTC)
}

func said(id string, second int) signals.Event {
	return signals.Event{
		ID: id, Type: signals.MessageReceived, Source: "livechat", At: at(second), ReceivedAt: at(second),
		Actor:   &signals.Actor{ID: "v", Role: signals.RoleVisitor, Name: "Ann"},
		Message: &signals.Message{ID: id, Text: "hi", Kind: signals.KindText},
	}
}

func tagged(id string, second int) signals.Event {
	return signals.Event{
		ID: id, Type: signals.TagAdded, Source: "livechat", At: at(second), ReceivedAt: at(second), Tag: &signals.Tag{Name: "vip"},
	}
}

func closed(id string, second int) signals.Event {
	return signals.Event{
		ID: id, Type: signals.ConversationClosed, Source: "livechat", At: at(second), ReceivedAt: at(second),
		Closing: &signals.Closing{ByRole: signals.RoleAgent},
	}
}
