package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

func commandOrder(counter int64, agent string) signals.Order {
	return signals.Order{
		Key: fmt.Sprintf("%s/1/%d", chat.WorkflowID(), counter), Kind: signals.OrderPlatform, Target: signals.PlatformTarget("livechat"),
		Session: 1, Counter: counter,
		Platform: &signals.PlatformCommand{
			Action: signals.PlatformTransfer, AgentID: agent, From: "smith@example.com", Chat: chat.Conversation, Thread: "T1",
		},
	}
}

// reported is the only report, an event for the conversation.
func reported(t *testing.T, m *delivery.Machine) signals.Event {
	t.Helper()
	require.Len(t, m.Reports, 1)
	require.Equal(t, chat, m.Reports[0].Key)

	event := m.Reports[0].Event
	require.Equal(t, signals.SystemNoted, event.Type)
	require.Equal(t, chat.Source, event.Source)
	require.Equal(t, chat.Conversation, event.Conversation)
	require.Equal(t, 1, event.Session)
	require.Equal(t, signals.VisibleToAgents, event.Note.Visibility)
	require.NoError(t, event.ValidateSignal())

	return event
}

func TestWhatBecomesOfACommandIsReported(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		outcome    delivery.Outcome
		kind, text string
	}{
		"done": {
			delivery.Outcome{OK: true, Receipt: delivery.Receipt{Detail: "200 OK in 80ms"}},
			signals.NotePlatformDone,
			"done: platform transfer from smith@example.com to jones@example.com; 200 OK in 80ms",
		},
		"refused": {
			delivery.Outcome{Error: "api.livechatinc.com: 400 chat_inactive", Permanent: true},
			signals.NotePlatformFailed,
			"not done: platform transfer from smith@example.com to jones@example.com; failed: api.livechatinc.com: 400 chat_inactive",
		},
		"called back": {
			delivery.Outcome{Cancelled: true},
			signals.NotePlatformDropped,
			"dropped: platform transfer from smith@example.com to jones@example.com; cancelled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := newMachine()
			require.NoError(t, m.Apply(commandOrder(1, "jones@example.com"), start))

			attempt, due := m.Tick(start)
			require.True(t, due)
			require.Equal(t, start.Add(2*time.Minute), attempt.ExpiresAt)

			m.Attempted(tc.outcome, start)

			event := reported(t, m)
			require.Equal(t, tc.kind, event.Note.Kind)
			require.Equal(t, tc.text, event.Note.Text)
			require.Equal(t, chat.WorkflowID()+"/1/1:"+tc.kind, event.ID)
		})
	}
}

func TestACommandExpiresAfterTwoMinutes(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(commandOrder(1, "jones@example.com"), start))

	now := start

	for range 100 {
		if _, due := m.Tick(now); due {
			m.Attempted(delivery.Outcome{Error: "503"}, now)
		}

		deadline, more := m.Next()
		if !more || len(m.Pending) == 0 {
			break
		}

		now = deadline.At
	}

	require.Equal(t, start.Add(2*time.Minute), now)
	require.Equal(t, int64(1), m.Counts.Expired)

	event := reported(t, m)
	require.Equal(t, signals.NotePlatformFailed, event.Note.Kind)
	require.Contains(t, event.Note.Text, "expired: 503")
}

// TestTheNewestCommandCounts: a chat that should go elsewhere now is not moved
// to where it should have gone before.
func TestTheNewestCommandCounts(t *testing.T) {
	t.Parallel()

	t.Run("waiting", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(commandOrder(1, "jones@example.com"), start))

		_, due := m.Tick(start)
		require.True(t, due)
		m.Attempted(delivery.Outcome{Error: "503"}, start)

		require.NoError(t, m.Apply(commandOrder(2, "lee@example.com"), start))
		require.Equal(t, signals.NotePlatformDropped, reported(t, m).Note.Kind)

		attempt, due := m.Tick(start)
		require.True(t, due, "at once")
		require.Equal(t, "lee@example.com", attempt.Order.Platform.AgentID)
	})

	t.Run("on the wire", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(commandOrder(1, "jones@example.com"), start))

		_, due := m.Tick(start)
		require.True(t, due)
		require.NoError(t, m.Apply(commandOrder(2, "lee@example.com"), start))
		require.True(t, m.CalledBack())

		_, due = m.Tick(start)
		require.False(t, due, "one at a time")

		m.Attempted(delivery.Outcome{Error: "no answer in time"}, start)
		require.Equal(t, signals.NotePlatformDropped, reported(t, m).Note.Kind)

		attempt, due := m.Tick(start)
		require.True(t, due)
		require.Equal(t, "lee@example.com", attempt.Order.Platform.AgentID)
	})

	t.Run("carried out already", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(commandOrder(1, "jones@example.com"), start))

		_, due := m.Tick(start)
		require.True(t, due)
		require.NoError(t, m.Apply(commandOrder(2, "lee@example.com"), start))

		m.Attempted(delivery.Outcome{OK: true}, start)
		require.Equal(t, signals.NotePlatformDone, reported(t, m).Note.Kind)
	})

	t.Run("notices beside it wait on", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(notice(1, "e1", time.Time{}), start))
		require.NoError(t, m.Apply(commandOrder(2, "jones@example.com"), start))
		require.NoError(t, m.Apply(commandOrder(3, "lee@example.com"), start))
		require.Len(t, m.Pending, 2)
	})
}

func TestACommandWithoutItsBodyIsRefused(t *testing.T) {
	t.Parallel()

	empty := commandOrder(1, "jones@example.com")
	empty.Platform = nil

	m := newMachine()
	require.ErrorIs(t, m.Apply(empty, start), delivery.ErrBadOrder)
	require.Equal(t, int64(1), m.Counts.Rejected)
	require.Empty(t, m.Pending)
}

func TestACommandGoesItsWayAndIsReported(t *testing.T) {
	t.Parallel()

	b := newBench(t, temporary(0), temporary(10*time.Second), nil)
	b.receipt = delivery.Receipt{Detail: "200 OK"}
	b.send(0, commandOrder(1, "jones@example.com"))
	b.run(signals.DeliveryStart{})

	require.Equal(t, []seen{{1, 1, 0}, {1, 2, time.Second}, {1, 3, 11 * time.Second}}, b.attempts)
	require.Len(t, b.reports, 1)
	require.Equal(t, signals.NotePlatformDone, b.reports[0].Event.Note.Kind)
}
