package presence_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
	"github.com/parleyhq/parley/webhooks/presence"
)

// world is the inbox before the forwarder and the desks behind it.
type world struct {
	mu     sync.Mutex
	full   bool
	log    map[string][]signals.Event
	broken error
	fails  []error
	calls  int
	heard  map[string][]string
	hold   chan struct{}
	// moved is an agent who came to another desk; looks counts who asked for it.
	moved string
	looks int
}

func (w *world) Accept(_ context.Context, _ string, events []signals.Event) (inbox.Receipt, error) {
	if w.full {
		return inbox.Receipt{}, inbox.ErrFull
	}

	return inbox.Receipt{Accepted: len(events)}, nil
}

func (w *world) Settled(context.Context, signals.Key) error { return nil }

func (w *world) Health() error { return nil }

func (w *world) AccountEvents(_ context.Context, source string, limit int, cursor string) ([]signals.Event, string, error) {
	from, _ := strconv.Atoi("0" + cursor)
	all := w.log[source]
	to := min(from+limit, len(all))

	if to < len(all) {
		return all[from:to], strconv.Itoa(to), w.broken
	}

	return all[from:to], "", w.broken
}

func (w *world) Words(ctx context.Context, desk string, words []signals.AgentWord) error {
	if w.hold != nil {
		select {
		case <-w.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	w.calls++

	if len(w.fails) > 0 {
		err := w.fails[0]
		w.fails = w.fails[1:]

		return err
	}

	for i := range words {
		w.heard[desk] = append(w.heard[desk], words[i].ID+" "+words[i].Status)
	}

	return nil
}

func (w *world) said(desk string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return slices.Clone(w.heard[desk])
}

func setup(t *testing.T, w *world) *presence.Forwarder {
	t.Helper()

	w.heard = map[string][]string{}
	f := presence.New(w, presence.Config{
		Accounts: w, Courier: w, Sources: []string{"livechat", "acquire"}, Log: slog.New(slog.DiscardHandler),
		Look: func(context.Context) func(source, agent string) string {
			w.mu.Lock()
			defer w.mu.Unlock()

			w.looks++
			moved := w.moved

			return func(source, agent string) string {
				switch {
				case agent == "smith" || agent == moved:
					return "billing"
				case source == "livechat":
					return "support"
				default:
					return ""
				}
			}
		},
	})
	presence.Hasten(f)
	t.Cleanup(func() { require.NoError(t, f.Stop(context.Background())) })

	return f
}

func at(seconds int) time.Time {
	return time.Date(2026, 11, 20, 10, 0, seconds, 0, time.UTC)
}

func status(agent, status string, seconds int) signals.Event {
	return signals.Event{
		ID: fmt.Sprint(agent, seconds), Type: signals.AgentStatusChanged, At: at(seconds), ReceivedAt: at(seconds),
		Agent: &signals.Agent{ID: agent, Status: status},
	}
}

func TestStatusReachesTheAgentsDesk(t *testing.T) {
	t.Parallel()

	w := &world{}
	f := setup(t, w)

	receipt, err := f.Accept(t.Context(), "livechat", []signals.Event{
		status("jo", signals.AgentAccepting, 1), status("smith", signals.AgentOffline, 1),
		{ID: "m", Type: signals.MessageReceived, Conversation: "C1"},
		{ID: "s", Type: signals.AgentStatusChanged, Agent: &signals.Agent{ID: "kim", PlatformStatus: "on the phone"}},
		{
			ID: "d", Type: signals.AccountChanged, ReceivedAt: at(2),
			Account: &signals.Account{Object: "agent", Action: "suspended", ID: "lee"},
		},
		{ID: "c", Type: signals.AccountChanged, Account: &signals.Account{Object: "agent", Action: "created", ID: "max"}},
		{ID: "b", Type: signals.AccountChanged, Account: &signals.Account{Object: "bot", Action: "deleted", ID: "bo"}},
	})
	require.NoError(t, err)
	require.Equal(t, 7, receipt.Accepted)

	require.Eventually(t, func() bool { return len(w.said("support")) == 2 && len(w.said("billing")) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []string{"jo accepting", "lee offline"}, w.said("support"))
	require.Equal(t, []string{"smith offline"}, w.said("billing"))

	_, err = f.Accept(t.Context(), "acquire", []signals.Event{status("jo", signals.AgentOffline, 3)})
	require.NoError(t, err)

	w.full = true
	_, err = f.Accept(t.Context(), "livechat", []signals.Event{status("jo", signals.AgentOffline, 3)})
	require.ErrorIs(t, err, inbox.ErrFull)
	require.NoError(t, f.Stop(t.Context()))
	require.Len(t, w.said("support"), 2, "what is not accepted, and what no desk has, nobody hears")
}

// TestOnlyTheNewestWordWaits: while a desk cannot be reached, words replace each
// other, and an older one never replaces a newer.
func TestOnlyTheNewestWordWaits(t *testing.T) {
	t.Parallel()

	w := &world{hold: make(chan struct{}), fails: []error{courier.ErrUnavailable, courier.ErrHeld}}
	f := setup(t, w)

	for n, event := range []signals.Event{
		status("jo", signals.AgentAccepting, 1), status("jo", signals.AgentOffline, 5), status("jo", signals.AgentNotAccepting, 3),
		status("kim", signals.AgentAccepting, 2),
	} {
		_, err := f.Accept(t.Context(), "livechat", []signals.Event{event})
		require.NoError(t, err, n)
	}

	close(w.hold)
	require.Eventually(t, func() bool { return len(w.said("support")) == 2 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []string{"jo offline", "kim accepting"}, w.said("support"))
	require.Equal(t, 3, w.calls)
}

// TestAWordFollowsItsAgent: it goes to the desk on which the agent stands when it is
// told, and of many agents it is looked up at once.
func TestAWordFollowsItsAgent(t *testing.T) {
	t.Parallel()

	w := &world{hold: make(chan struct{}), fails: []error{courier.ErrUnavailable}}
	f := setup(t, w)

	events := []signals.Event{status("kim", signals.AgentOffline, 1)}
	for n := range 100 {
		events = append(events, status("agent-"+strconv.Itoa(n), signals.AgentAccepting, 1))
	}

	_, err := f.Accept(t.Context(), "livechat", events)
	require.NoError(t, err)

	w.mu.Lock()
	w.moved = "kim"
	w.mu.Unlock()
	close(w.hold)

	require.Eventually(t, func() bool { return len(w.said("support")) >= 100 && len(w.said("billing")) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []string{"kim offline"}, w.said("billing"))
	require.NotContains(t, w.said("support"), "kim offline")
	require.LessOrEqual(t, w.looks, 4)

	// Of what two sources say of an agent the newest counts.
	w.mu.Lock()
	w.hold = make(chan struct{})
	w.mu.Unlock()

	for n, source := range []string{"livechat", "livechat", "acquire"} {
		_, err = f.Accept(t.Context(), source, []signals.Event{status("smith", []string{"offline", "accepting", "not_accepting"}[n], 5-n)})
		require.NoError(t, err)
	}

	close(w.hold)
	require.Eventually(t, func() bool { return len(w.said("billing")) >= 2 }, 5*time.Second, time.Millisecond)
	require.Equal(t, "smith offline", w.said("billing")[1])
}

// TestNobodyRepeatsWhatIsRefused: it would be so for ever, and for the others.
func TestNobodyRepeatsWhatIsRefused(t *testing.T) {
	t.Parallel()

	w := &world{fails: []error{courier.ErrRefused}}
	f := setup(t, w)

	for n := range 2 {
		_, err := f.Accept(t.Context(), "livechat", []signals.Event{status("jo", signals.AgentAccepting, n)})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()

			return w.calls == n+1
		}, 5*time.Second, time.Millisecond)
	}

	require.NoError(t, f.Stop(t.Context()))
	require.Len(t, w.said("support"), 1)
}

func TestRecall(t *testing.T) {
	t.Parallel()

	log := make([]signals.Event, 0, 1204)
	log = append(log, status("jo", signals.AgentOffline, 9), status("jo", signals.AgentAccepting, 8))

	for n := range 1200 {
		log = append(log, signals.Event{ID: strconv.Itoa(n), Type: signals.CustomerUpdated})
	}

	log = append(log, status("smith", signals.AgentNotAccepting, 2), status("smith", signals.AgentAccepting, 1))

	w := &world{log: map[string][]signals.Event{"livechat": log}}
	f := setup(t, w)
	require.NoError(t, f.Recall(t.Context()))
	require.Eventually(t, func() bool { return len(w.said("support")) == 1 && len(w.said("billing")) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []string{"jo offline"}, w.said("support"))
	require.Equal(t, []string{"smith not_accepting"}, w.said("billing"))

	w.broken = errors.New("disk")
	require.ErrorIs(t, f.Recall(t.Context()), w.broken)
}

// TestStopWaitsForNoDesk that does not answer.
func TestStopWaitsForNoDesk(t *testing.T) {
	t.Parallel()

	w := &world{hold: make(chan struct{})}
	f := setup(t, w)

	_, err := f.Accept(t.Context(), "livechat", []signals.Event{status("jo", signals.AgentAccepting, 1)})
	require.NoError(t, err)
	require.NoError(t, f.Stop(t.Context()))

	_, err = f.Accept(t.Context(), "livechat", []signals.Event{status("jo", signals.AgentAccepting, 1)})
	require.NoError(t, err)
	require.Empty(t, w.said("support"))
}

var _ webhooks.Acceptor = (*presence.Forwarder)(nil)
