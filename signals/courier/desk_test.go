package courier_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

const deskID = "desk:support"

func ask(key signals.Key, number int64) signals.Ask {
	return signals.Ask{Kind: signals.AskRequest, Key: key, Session: 1, Number: number, At: epoch}
}

func offer(number int64) signals.Offer {
	return signals.Offer{Kind: signals.OfferAgent, Desk: "support", Session: 1, Number: number, At: epoch}
}

func TestAsksStartTheirDesk(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	require.NoError(t, b.courier.Asks(t.Context(), "support", nil))
	require.Zero(t, b.server.count(deskID), "nothing to say starts nothing")

	require.NoError(t, b.courier.Asks(t.Context(), "support", []signals.Ask{ask(b.key, 1)}))
	require.NoError(t, b.courier.Words(t.Context(), "support", []signals.AgentWord{{ID: "smith", Status: signals.AgentAccepting}}))
	require.Equal(t, []string{"request 1", "smith"}, b.server.got(deskID, 0))

	r := b.server.run(t, deskID, 0)
	require.Equal(t, []string{signals.DeskWorkflow}, r.types)
	require.Equal(t, "Desk support", r.options.StaticSummary)
	require.Equal(t, 2*time.Second, r.options.WorkflowTaskTimeout)
	require.Equal(t, signals.DeskTaskQueue, r.options.TaskQueue)
	require.Empty(t, r.input.GetPayloads())

	// However a desk ended, the next statement starts it anew, with nothing.
	for number, how := range []any{struct{}{}, nil} {
		b.server.end(t, deskID, how)
		require.NoError(t, b.courier.Asks(t.Context(), "support", []signals.Ask{ask(b.key, 2)}))
		require.Equal(t, []string{"request 2"}, b.server.got(deskID, number+1))
		require.Empty(t, b.server.run(t, deskID, number+1).input.GetPayloads())
	}
}

// TestAsksOfManyAtOnce: what arrives while a signal is in flight goes along in
// the next one, at most a hundred in each.
func TestAsksOfManyAtOnce(t *testing.T) {
	t.Parallel()

	const people = 250

	b := setup(t, courier.Config{})
	gate := make(chan struct{})

	b.server.fail(func(_ context.Context, _, id string) error {
		if id == deskID {
			<-gate
		}

		return nil
	})

	var all sync.WaitGroup

	for n := range people {
		all.Go(func() {
			key := signals.Key{Source: "livechat", Conversation: fmt.Sprint("C", n)}
			if err := b.courier.Asks(t.Context(), "support", []signals.Ask{ask(key, 1)}); err != nil {
				t.Error(err)
			}
		})
	}

	require.Eventually(t, func() bool { return b.courier.Queued() == people }, 5*time.Second, time.Millisecond)
	close(gate)
	all.Wait()

	r := b.server.run(t, deskID, 0)
	require.Len(t, b.server.got(deskID, 0), people)
	require.LessOrEqual(t, len(r.batches), 4)
	require.Zero(t, b.server.overlaps.Load())

	for _, batch := range r.batches {
		require.LessOrEqual(t, len(batch), signals.MaxBatchEvents)
	}
}

func TestOffersReachOnlyWhoRuns(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	running, err := b.courier.Offers(t.Context(), b.key, []signals.Offer{offer(1)})
	require.NoError(t, err)
	require.False(t, running)
	require.Zero(t, b.server.count(b.id), "a desk starts no conversation")

	b.server.open(t, b.id)

	running, err = b.courier.Offers(t.Context(), b.key, []signals.Offer{offer(1), offer(2)})
	require.NoError(t, err)
	require.True(t, running)
	require.Equal(t, []string{"offer 1", "offer 2"}, b.server.got(b.id, 0))

	b.server.fail(func(context.Context, string, string) error { return serviceerror.NewUnavailable("away") })

	_, err = b.courier.Offers(t.Context(), b.key, []signals.Offer{offer(3)})
	require.ErrorIs(t, err, courier.ErrUnavailable)
	b.server.fail(nil)
	b.server.end(t, b.id, signals.Result{Version: 1, Session: 1})

	running, err = b.courier.Offers(t.Context(), b.key, []signals.Offer{offer(3)})
	require.NoError(t, err)
	require.False(t, running)
}

// TestOffersAndEventsTakeTurns: both go to one run, one signal at a time.
func TestOffersAndEventsTakeTurns(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.open(t, b.id)

	var all sync.WaitGroup

	for n := range 50 {
		all.Go(func() {
			if _, err := b.courier.Events(t.Context(), b.key, []signals.Event{message(fmt.Sprint("m", n), epoch)}); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if running, err := b.courier.Offers(t.Context(), b.key, []signals.Offer{offer(int64(n) + 1)}); err != nil || !running {
				t.Error(running, err)
			}
		})
	}

	all.Wait()
	require.Len(t, b.server.got(b.id, 0), 100)
	require.Zero(t, b.server.overlaps.Load())
}

func TestDeskNamesAndKeys(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	bad := signals.Key{Source: "Not a name", Conversation: "C1"}

	require.ErrorIs(t, b.courier.Asks(t.Context(), "Support!", []signals.Ask{ask(b.key, 1)}), courier.ErrRefused)
	require.ErrorIs(t, b.courier.Asks(t.Context(), "support", []signals.Ask{ask(bad, 1)}), courier.ErrRefused)
	require.ErrorIs(t, b.courier.Words(t.Context(), "", []signals.AgentWord{{ID: "smith"}}), courier.ErrRefused)

	_, err := b.courier.Offers(t.Context(), bad, []signals.Offer{offer(1)})
	require.ErrorIs(t, err, courier.ErrRefused)
	require.Zero(t, b.server.calls.Load())
}

// TestDesksShareBounds: what waits for a desk is counted as its own.
func TestDesksShareBounds(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{MaxQueued: 10})
	gate := make(chan struct{})

	b.server.fail(func(context.Context, string, string) error {
		<-gate

		return nil
	})

	done := make(chan error, 1)

	go func() {
		asks := make([]signals.Ask, 5)
		for n := range asks {
			asks[n] = ask(b.key, int64(n)+1)
		}

		done <- b.courier.Asks(t.Context(), "support", asks)
	}()

	require.Eventually(t, func() bool { return b.courier.Queued() == 5 }, 5*time.Second, time.Millisecond)
	require.ErrorIs(t, b.courier.Asks(t.Context(), "support", []signals.Ask{ask(b.key, 6)}), courier.ErrBusy)

	other := make(chan error, 1)

	go func() { other <- b.courier.Asks(t.Context(), "billing", []signals.Ask{ask(b.key, 1)}) }()

	close(gate)
	require.NoError(t, <-done)
	require.NoError(t, <-other)
}
