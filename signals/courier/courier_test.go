package courier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

func TestNeverSeenConversationStarts(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)})
	require.NoError(t, err)
	require.Equal(t, went(courier.Signalled), got)

	r := b.server.run(t, b.id, 0)
	require.Equal(t, []string{signals.ConversationWorkflow}, r.types)
	require.Equal(t, signals.TaskQueue, r.options.TaskQueue)
	require.Equal(t, 2*time.Second, r.options.WorkflowTaskTimeout)
	require.Equal(t, "Ann on livechat", r.options.StaticSummary)
	require.Zero(t, r.options.WorkflowExecutionTimeout)
	require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, r.options.WorkflowIDReusePolicy)
	require.Equal(t, signals.Start{Version: 2, Session: 1}, r.start(t), "it need not ask which session it is")
	require.Equal(t, temporal.NewSearchAttributes(
		temporal.NewSearchAttributeKeyKeyword(signals.AttrSource).ValueSet(b.key.Source),
		temporal.NewSearchAttributeKeyKeyword(signals.AttrStatus).ValueSet("open"),
	), r.options.TypedSearchAttributes, "it is found from its first moment on")
}

// TestUnknownAttributes: what a server does not know yet is no reason to refuse
// a conversation.
func TestUnknownAttributes(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.unmapped = true

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)})
	require.NoError(t, err)
	require.Equal(t, went(courier.Signalled), got)
	require.Zero(t, b.server.run(t, b.id, 0).options.TypedSearchAttributes.Size())
}

func TestHashedChatIDIsHandedOver(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	for _, chat := range []string{strings.Repeat("x", 200), "line\nbreak"} {
		key := signals.Key{Source: "livechat", Conversation: chat}

		_, err := b.courier.Events(t.Context(), key, []signals.Event{message("m1", epoch)})
		require.NoError(t, err)
		require.Equal(t, signals.Start{Version: 2, Session: 1, Conversation: chat}, b.server.run(t, key.WorkflowID(), 0).start(t))

		b.server.end(t, key.WorkflowID(), signals.Result{Version: 1, Session: 1, ClosedAt: epoch})

		_, err = b.courier.Events(t.Context(), key, []signals.Event{message("m2", epoch.Add(time.Hour))})
		require.NoError(t, err)

		next := b.server.run(t, key.WorkflowID(), 1).start(t)
		require.Equal(t, chat, next.Conversation)
		require.Equal(t, 2, next.Session)
	}
}

func TestBatchesFillWhileOneIsInFlight(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	hold := make(chan struct{})
	entered := make(chan struct{}, 1000)

	b.server.fail(func(context.Context, string, string) error {
		entered <- struct{}{}

		<-hold

		return nil
	})

	var waiting sync.WaitGroup

	post := func(id string) {
		waiting.Go(func() {
			_, err := b.courier.Events(t.Context(), b.key, []signals.Event{message(id, epoch)})
			if err != nil {
				t.Error(err)
			}
		})
	}

	post("m0")
	<-entered

	const more = 250

	for i := range more {
		post(fmt.Sprintf("m%d", i+1))
		require.Eventually(t, func() bool { return b.courier.Queued() == i+2 }, 5*time.Second, time.Microsecond)
	}

	close(hold)
	waiting.Wait()

	r := b.server.run(t, b.id, 0)
	require.Len(t, r.batches, 4)
	require.Equal(t, []int{1, 100, 100, 50}, []int{len(r.batches[0]), len(r.batches[1]), len(r.batches[2]), len(r.batches[3])})

	for i, id := range b.server.got(b.id, 0) {
		require.Equal(t, fmt.Sprintf("m%d", i), id, "events were reordered")
	}
}

func TestLargeCallIsCutIntoSignals(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	events := make([]signals.Event, 0, 330)
	for i := range 330 {
		event := message(fmt.Sprintf("m%d", i), epoch)
		if i >= 230 {
			event.Message.Text = strings.Repeat("x", 40<<10)
		}

		event.Raw = json.RawMessage(`{"big":true}`)
		events = append(events, event)
	}

	got, err := b.courier.Events(t.Context(), b.key, events)
	require.NoError(t, err)
	require.Equal(t, all(courier.Signalled, 330), got)

	r := b.server.run(t, b.id, 0)
	require.Len(t, b.server.got(b.id, 0), 330)
	require.Equal(t, 1, b.server.count(b.id))

	for i := range r.batches {
		require.LessOrEqual(t, len(r.batches[i]), signals.MaxBatchEvents)
		require.LessOrEqual(t, r.sizes[i], signals.MaxBatchBytes)
	}
}

func TestManyTargetsAtATime(t *testing.T) {
	t.Parallel()

	const parallel = 4

	b := setup(t, courier.Config{Parallel: parallel})

	var now, most atomic.Int64

	hold := make(chan struct{})

	b.server.fail(func(context.Context, string, string) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}

		<-hold
		now.Add(-1)

		return nil
	})

	var waiting sync.WaitGroup

	for i := range 20 {
		waiting.Go(func() {
			key := signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", i)}
			if _, err := b.courier.Events(t.Context(), key, []signals.Event{message("m", epoch)}); err != nil {
				t.Error(err)
			}
		})
	}

	require.Eventually(t, func() bool { return now.Load() == parallel && b.courier.Queued() == 20 }, 5*time.Second, time.Millisecond)
	close(hold)
	waiting.Wait()
	require.LessOrEqual(t, most.Load(), int64(parallel))
}

func TestCallerWhoLeavesIsDropped(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	hold := make(chan struct{})
	entered := make(chan struct{}, 10)

	b.server.fail(func(context.Context, string, string) error {
		entered <- struct{}{}

		<-hold

		return nil
	})

	var waiting sync.WaitGroup

	waiting.Go(func() {
		if _, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)}); err != nil {
			t.Error(err)
		}
	})

	<-entered

	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)

	waiting.Go(func() {
		_, err := b.courier.Events(ctx, b.key, []signals.Event{message("m2", epoch)})
		left <- err
	})

	require.Eventually(t, func() bool { return b.courier.Queued() == 2 }, 5*time.Second, time.Millisecond)
	cancel()

	err := <-left
	require.ErrorIs(t, err, courier.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, b.courier.Queued(), "what was withdrawn still counts")

	close(hold)
	waiting.Wait()
	require.Equal(t, []string{"m1"}, b.server.got(b.id, 0))
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{MaxQueued: 10})
	hold := make(chan struct{})

	b.server.fail(func(context.Context, string, string) error {
		<-hold

		return nil
	})

	send := func(source string, n int) error {
		key := signals.Key{Source: source, Conversation: "C1"}
		events := make([]signals.Event, 0, n)

		for i := range n {
			events = append(events, message(fmt.Sprintf("m%d", i), epoch))
		}

		_, err := b.courier.Events(t.Context(), key, events)

		return err
	}

	var waiting sync.WaitGroup

	waiting.Go(func() {
		if err := send("one", 5); err != nil {
			t.Error(err)
		}
	})
	require.Eventually(t, func() bool { return b.courier.Queued() == 5 }, 5*time.Second, time.Millisecond)
	require.ErrorIs(t, send("one", 1), courier.ErrBusy, "one source took more than its share")

	waiting.Go(func() {
		if err := send("two", 5); err != nil {
			t.Error(err)
		}
	})
	require.Eventually(t, func() bool { return b.courier.Queued() == 10 }, 5*time.Second, time.Millisecond)
	require.ErrorIs(t, send("three", 1), courier.ErrBusy)

	close(hold)
	waiting.Wait()
	require.NoError(t, send("one", 5))
}

func TestErrorsOfTemporal(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		fails error
		want  error
	}{
		"away":              {serviceerror.NewUnavailable("connection refused"), courier.ErrUnavailable},
		"slow":              {context.DeadlineExceeded, courier.ErrUnavailable},
		"no such namespace": {serviceerror.NewNamespaceNotFound("default"), courier.ErrUnavailable},
		"bad argument":      {serviceerror.NewInvalidArgument("blob too large"), courier.ErrRefused},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, courier.Config{})
			b.server.fail(func(context.Context, string, string) error { return test.fails })

			for _, event := range []signals.Event{message("m1", epoch), tag("t1", epoch)} {
				_, err := b.courier.Events(t.Context(), b.key, []signals.Event{event})
				require.ErrorIs(t, err, test.want)
				require.ErrorIs(t, err, test.fails)
			}

			require.ErrorIs(t, b.courier.Tell(t.Context(), b.key, []signals.Event{tag("t1", epoch)}), test.want)
			require.ErrorIs(t, b.courier.Orders(t.Context(), b.key, []signals.Order{order("ops", 1, 1)}), test.want)
			require.EqualValues(t, 4, b.server.calls.Load(), "repeated although the client repeats by itself")
		})
	}
}

func TestClosingRunIsTriedAgain(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	var refusals atomic.Int64

	b.server.fail(func(context.Context, string, string) error {
		if refusals.Add(1) <= 3 {
			return serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW, "workflow is closing")
		}

		return nil
	})

	_, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)})
	require.NoError(t, err)
	require.Equal(t, []string{"m1"}, b.server.got(b.id, 0))
}

func TestHoldingForEverEndsWithThePatience(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		fails error
		held  bool
	}{
		"closing": {
			serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW, "workflow is closing"), true,
		},
		"too many signals": {serviceerror.NewInvalidArgument("exceeded workflow execution limit for signal events"), true},
		"too many requests": {
			serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "namespace rate limit exceeded"), false,
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, courier.Config{Patience: 100 * time.Millisecond})
			b.server.fail(func(context.Context, string, string) error { return test.fails })

			for _, event := range []signals.Event{message("m1", epoch), tag("t1", epoch)} {
				begun := time.Now()
				_, err := b.courier.Events(t.Context(), b.key, []signals.Event{event})
				require.ErrorIs(t, err, courier.ErrUnavailable)
				require.ErrorIs(t, err, test.fails)
				require.NotErrorIs(t, err, courier.ErrRefused, "would be given up for good")
				require.Equal(t, test.held, errors.Is(err, courier.ErrHeld))
				require.Less(t, time.Since(begun), 3*time.Second)
			}

			require.Greater(t, b.server.calls.Load(), int64(2), "not repeated")
		})
	}
}

func TestBadInputIsRefusedAlone(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	broken := message("m1", epoch)
	broken.Message.Rich = json.RawMessage(`{`)

	tests := map[string]struct {
		key   signals.Key
		event signals.Event
	}{
		"not JSON":        {b.key, broken},
		"no conversation": {signals.Key{Source: "livechat"}, message("m", epoch)},
		"bad source":      {signals.Key{Source: "Live Chat", Conversation: "C"}, message("m", epoch)},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := b.courier.Events(t.Context(), test.key, []signals.Event{test.event})
			require.ErrorIs(t, err, courier.ErrRefused)
		})
	}

	require.Zero(t, b.server.calls.Load())

	huge := order("ops", 1, 1)
	huge.About = &signals.About{Subject: strings.Repeat("x", 2<<20)}
	require.ErrorIs(t, b.courier.Orders(t.Context(), b.key, []signals.Order{huge}), courier.ErrRefused)

	bad := order("Not A Name", 1, 1)
	require.ErrorIs(t, b.courier.Orders(t.Context(), b.key, []signals.Order{bad}), courier.ErrRefused)
}

func TestCloseDrainsAndThenRefuses(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	hold := make(chan struct{})

	b.server.fail(func(context.Context, string, string) error {
		<-hold

		return nil
	})

	sent := make(chan error, 1)

	go func() {
		_, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)})
		sent <- err
	}()

	require.Eventually(t, func() bool { return b.courier.Queued() == 1 }, 5*time.Second, time.Millisecond)

	drained := make(chan error, 1)

	go func() { drained <- b.courier.Close(t.Context()) }()

	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()

		_, err := b.courier.Events(ctx, signals.Key{Source: "livechat", Conversation: "C2"}, []signals.Event{message("m2", epoch)})

		return errors.Is(err, courier.ErrClosed)
	}, 5*time.Second, time.Millisecond)
	close(hold)
	require.NoError(t, <-sent)
	require.NoError(t, <-drained)

	_, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m3", epoch)})
	require.ErrorIs(t, err, courier.ErrClosed)
	require.ErrorIs(t, err, courier.ErrUnavailable)
	require.Equal(t, []string{"m1"}, b.server.got(b.id, 0))
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	t.Parallel()

	s := newServer()
	c := courier.New(s, courier.Config{}, nil)

	s.fail(func(ctx context.Context, _, _ string) error {
		<-ctx.Done()

		return ctx.Err()
	})

	sent := make(chan error, 1)

	go func() {
		_, err := c.Events(t.Context(), signals.Key{Source: "livechat", Conversation: "C"}, []signals.Event{message("m", epoch)})
		sent <- err
	}()

	require.Eventually(t, func() bool { return s.calls.Load() == 1 }, 5*time.Second, time.Millisecond)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()

	require.ErrorIs(t, c.Close(ctx), context.DeadlineExceeded)
	require.ErrorIs(t, <-sent, courier.ErrUnavailable)
	require.Zero(t, c.Queued())
}

type observer struct {
	mu    sync.Mutex
	sizes []int
	names []string
}

func (o *observer) Signalled(name string, size int, _ time.Duration, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.sizes = append(o.sizes, size)
	o.names = append(o.names, name)
}

func TestObserverSeesSignals(t *testing.T) {
	t.Parallel()

	seen := &observer{}
	b := setup(t, courier.Config{Observer: seen})

	_, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch), message("m2", epoch)})
	require.NoError(t, err)
	require.NoError(t, b.courier.Orders(t.Context(), b.key, []signals.Order{order("ops", 1, 1)}))
	require.Equal(t, []int{2, 1}, seen.sizes)
	require.Equal(t, []string{signals.EventsSignal, signals.OrdersSignal}, seen.names)
}
