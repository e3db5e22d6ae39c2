package delivery_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

//nolint:gochecknoglobals // constants of these tests
var (
	chat  = signals.Key{Source: "livechat", Conversation: "PJ0MRSHTDG"}
	start = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
)

func notice(counter int64, group string, expires time.Time) signals.Order {
	return signals.Order{
		Key: fmt.Sprintf("%s/1/%d", chat.WorkflowID(), counter), Kind: signals.OrderNotice, Target: "ops", Session: 1,
		Counter: counter, Group: group, ExpiresAt: expires,
		Event: &signals.Event{
			ID: fmt.Sprintf("p%d", counter), Type: signals.UnrepliedPushed, Source: chat.Source, Conversation: chat.Conversation,
			Unreplied: &signals.Unreplied{PushTimes: int(counter), Max: 4},
		},
	}
}

func cancelOf(counter int64, group string) signals.Order {
	return signals.Order{Kind: signals.OrderCancel, Target: "ops", Session: 1, Counter: counter, Group: group}
}

func ticketOrder(counter int64) signals.Order {
	return signals.Order{
		Key: fmt.Sprintf("%s/1/%d", chat.WorkflowID(), counter), Kind: signals.OrderTicket, Target: "tickets", Session: 1, Counter: counter,
		Ticket: &signals.Ticket{
			TicketRef: signals.TicketRef{ID: signals.TicketID(chat.WorkflowID(), 1), Status: signals.TicketStatusPending, Session: 1},
			Source:    chat.Source, Conversation: chat.Conversation,
			Transcript: []signals.TranscriptLine{{Role: signals.RoleVisitor, Text: "hi"}},
		},
	}
}

func newMachine() *delivery.Machine {
	return delivery.New("ops", chat, nil, delivery.RulesFor(1), start)
}

func TestOneAttemptAtATimeInOrder(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(notice(1, "e1", time.Time{}), start))
	require.NoError(t, m.Apply(notice(2, "e1", time.Time{}), start))

	first, ok := m.Tick(start)
	require.True(t, ok)
	require.Equal(t, int64(1), first.Order.Counter)
	require.Equal(t, 1, first.Number)

	_, ok = m.Tick(start)
	require.False(t, ok, "one attempt at a time")

	_, ok = m.Next()
	require.False(t, ok, "the attempt's end is what comes next")

	m.Attempted(delivery.Outcome{OK: true}, start)

	second, ok := m.Tick(start)
	require.True(t, ok)
	require.Equal(t, int64(2), second.Order.Counter)
}

func TestAFailedHeadBlocksAndBacksOff(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(notice(1, "e1", time.Time{}), start))
	require.NoError(t, m.Apply(notice(2, "e2", time.Time{}), start))

	now := start
	pauses := []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}

	for i, pause := range pauses {
		attempt, ok := m.Tick(now)
		require.True(t, ok)
		require.Equal(t, int64(1), attempt.Order.Counter)
		require.Equal(t, i+1, attempt.Number)

		m.Attempted(delivery.Outcome{Error: "500 Internal Server Error"}, now)

		deadline, ok := m.Next()
		require.True(t, ok)
		require.Equal(t, now.Add(time.Duration(pause)*time.Second), deadline.At)
		require.Equal(t, fmt.Sprintf("attempt %d", i+2), deadline.What)

		_, ok = m.Tick(deadline.At.Add(-time.Nanosecond))
		require.False(t, ok)

		now = deadline.At
	}

	require.Equal(t, "500 Internal Server Error", m.Pending[0].LastError)
}

func TestRetryAfterIsHonouredWithinAnHour(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct{ asked, waited time.Duration }{
		"less than the pause": {time.Millisecond, time.Second},
		"a minute":            {time.Minute, time.Minute},
		"a day":               {24 * time.Hour, time.Hour},
		"negative":            {-time.Minute, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := newMachine()
			require.NoError(t, m.Apply(notice(1, "", time.Time{}), start))
			_, ok := m.Tick(start)
			require.True(t, ok)
			m.Attempted(delivery.Outcome{Error: "429", RetryAfter: tc.asked}, start)

			deadline, ok := m.Next()
			require.True(t, ok)
			require.Equal(t, start.Add(tc.waited), deadline.At)
		})
	}
}

func TestCancelDropsTheGroupAndNothingElse(t *testing.T) {
	t.Parallel()

	m := newMachine()
	for i := range int64(3) {
		require.NoError(t, m.Apply(notice(i+1, "e1", time.Time{}), start))
	}

	require.NoError(t, m.Apply(notice(4, "e2", time.Time{}), start))

	_, ok := m.Tick(start)
	require.True(t, ok)
	require.NoError(t, m.Apply(cancelOf(5, "e1"), start))
	require.True(t, m.CalledBack())
	require.Len(t, m.Pending, 2, "the one on the wire and the other group's")

	m.Attempted(delivery.Outcome{Error: "500"}, start)
	require.False(t, m.CalledBack())

	attempt, ok := m.Tick(start)
	require.True(t, ok)
	require.Equal(t, int64(4), attempt.Order.Counter, "the cancelled one is not tried again")
	require.Equal(t, int64(3), m.Counts.Cancelled)
}

func TestACancelledAttemptThatWentThroughCountsAsDelivered(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(notice(1, "e1", time.Time{}), start))
	_, ok := m.Tick(start)
	require.True(t, ok)
	require.NoError(t, m.Apply(cancelOf(2, "e1"), start))
	m.Attempted(delivery.Outcome{OK: true}, start)
	require.Equal(t, int64(1), m.Counts.Delivered)
	require.Zero(t, m.Counts.Cancelled)
}

func TestACancelOfAnotherSessionIsNotOurs(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(notice(1, "e1", time.Time{}), start))

	other := cancelOf(1, "e1")
	other.Session = 2
	require.NoError(t, m.Apply(other, start))
	require.Len(t, m.Pending, 1)
}

func TestExpiry(t *testing.T) {
	t.Parallel()

	t.Run("no attempt starts at the time itself", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(notice(1, "e1", start.Add(5*time.Second)), start))
		_, ok := m.Tick(start.Add(5 * time.Second))
		require.False(t, ok)
		require.Equal(t, int64(1), m.Counts.Expired)
	})
	t.Run("an expired head lets the next one go", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(notice(1, "e1", start.Add(1500*time.Millisecond)), start))
		require.NoError(t, m.Apply(notice(2, "e1", start.Add(time.Hour)), start))

		_, ok := m.Tick(start)
		require.True(t, ok)
		m.Attempted(delivery.Outcome{Error: "500", RetryAfter: time.Minute}, start)

		deadline, ok := m.Next()
		require.True(t, ok)
		require.Equal(t, start.Add(1500*time.Millisecond), deadline.At, "not after the minute")
		require.Equal(t, "expiry of unreplied push 1/4", deadline.What)

		attempt, ok := m.Tick(deadline.At)
		require.True(t, ok)
		require.Equal(t, int64(2), attempt.Order.Counter)
	})
	t.Run("a worker that came too late", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(notice(1, "e1", start.Add(time.Second)), start))
		_, ok := m.Tick(start)
		require.True(t, ok)
		m.Attempted(delivery.Outcome{Error: "too late", Expired: true}, start.Add(2*time.Second))
		require.Equal(t, int64(1), m.Counts.Expired)
		require.Empty(t, m.Pending)
	})
	t.Run("the default of a notice is a day, of a ticket three", func(t *testing.T) {
		t.Parallel()

		m := newMachine()
		require.NoError(t, m.Apply(notice(1, "e1", time.Time{}), start))
		require.NoError(t, m.Apply(ticketOrder(2), start))
		require.Equal(t, start.Add(24*time.Hour), m.Pending[0].ExpiresAt)
		require.Equal(t, start.Add(72*time.Hour), m.Pending[1].ExpiresAt)
	})
}

func TestTicketsReport(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		outcome delivery.Outcome
		at      time.Duration
		want    signals.TicketRef
		event   signals.Type
	}{
		"created": {
			outcome: delivery.Outcome{OK: true, Receipt: delivery.Receipt{ExternalID: "77", URL: "https://desk.example.com/77"}},
			want:    signals.TicketRef{ExternalID: "77", URL: "https://desk.example.com/77", Status: signals.TicketStatusCreated},
			event:   signals.TicketCreated,
		},
		"refused for good": {
			outcome: delivery.Outcome{Error: "410 Gone", Permanent: true},
			want:    signals.TicketRef{Status: signals.TicketStatusFailed, Reason: "failed: 410 Gone"},
			event:   signals.TicketFailed,
		},
		"three days over": {
			outcome: delivery.Outcome{Error: "503 Service Unavailable"}, at: 72 * time.Hour,
			want:  signals.TicketRef{Status: signals.TicketStatusFailed, Reason: "expired: 503 Service Unavailable"},
			event: signals.TicketFailed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := newMachine()
			require.NoError(t, m.Apply(ticketOrder(1), start))

			attempt, ok := m.Tick(start)
			require.True(t, ok)
			require.Nil(t, attempt.Order.Ticket.Transcript, "it stands in the store, not in every attempt")
			m.Attempted(tc.outcome, start)
			m.Expire(start.Add(tc.at))

			require.Len(t, m.Reports, 1)

			report := m.Reports[0]
			tc.want.ID, tc.want.Session = signals.TicketID(chat.WorkflowID(), 1), 1
			require.Equal(t, chat, report.Key)
			require.Equal(t, tc.event, report.Event.Type)
			require.Equal(t, tc.want, *report.Event.Ticket)
			require.Equal(t, 1, report.Event.Session)
			require.Contains(t, report.Event.ID, attempt.Order.Key)
			require.False(t, m.Done(start.Add(time.Hour)), "a report must end first")

			m.Reported(start)
			require.True(t, m.Done(start.Add(10*time.Minute)))
		})
	}
}

func TestDuplicatesAreDropped(t *testing.T) {
	t.Parallel()

	m := delivery.New("ops", chat, map[int]int64{1: 3}, delivery.RulesFor(1), start)
	require.NoError(t, m.Apply(notice(3, "", time.Time{}), start))
	require.NoError(t, m.Apply(notice(5, "", time.Time{}), start))
	require.NoError(t, m.Apply(notice(5, "", time.Time{}), start))
	require.NoError(t, m.Apply(notice(4, "", time.Time{}), start))
	require.Len(t, m.Pending, 1)
	require.Equal(t, int64(3), m.Counts.Duplicates)

	second := notice(1, "", time.Time{})
	second.Session = 2
	require.NoError(t, m.Apply(second, start))
	require.Len(t, m.Pending, 2, "each session counts for itself")
	require.Equal(t, map[int]int64{1: 5, 2: 1}, m.Counters)
}

func TestOnlySoManySessionsAreRemembered(t *testing.T) {
	t.Parallel()

	m := newMachine()

	for session := 1; session <= 70; session++ {
		order := notice(1, "", time.Time{})
		order.Session = session
		require.NoError(t, m.Apply(order, start))
	}

	require.Len(t, m.Counters, 64)

	old := notice(1, "", time.Time{})
	require.NoError(t, m.Apply(old, start))
	require.Len(t, m.Pending, 70, "a forgotten session's order counts as seen")
}

func TestBadOrdersCostOnlyThemselves(t *testing.T) {
	t.Parallel()

	for name, order := range map[string]signals.Order{
		"no counter":              {Key: "k", Kind: signals.OrderNotice, Event: &signals.Event{}},
		"no key":                  {Kind: signals.OrderNotice, Counter: 1, Event: &signals.Event{}},
		"no event":                {Key: "k", Kind: signals.OrderNotice, Counter: 1},
		"no ticket":               {Key: "k", Kind: signals.OrderTicket, Counter: 1},
		"unknown kind":            {Key: "k", Kind: "parcel", Counter: 1},
		"a cancel without target": {Kind: signals.OrderCancel, Counter: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := newMachine()
			require.ErrorIs(t, m.Apply(order, start), delivery.ErrBadOrder)
			require.Empty(t, m.Counters, "a good order with the same counter may still come")
			require.Equal(t, int64(1), m.Counts.Rejected)
		})
	}
}

func TestTheOldestNoticeMakesRoom(t *testing.T) {
	t.Parallel()

	rules := delivery.RulesFor(1)
	rules.MaxPending = 3
	m := delivery.New("ops", chat, nil, rules, start)

	require.NoError(t, m.Apply(ticketOrder(1), start))

	for i := range int64(4) {
		require.NoError(t, m.Apply(notice(i+2, "", time.Time{}), start))
	}

	require.Len(t, m.Pending, 3)
	require.Equal(t, signals.OrderTicket, m.Pending[0].Order.Kind)
	require.Equal(t, int64(4), m.Pending[1].Order.Counter)
	require.Equal(t, int64(2), m.Counts.Failed)

	big := notice(9, "", time.Time{})
	big.Event.Unreplied.Text = strings.Repeat("x", rules.MaxOrderBytes)
	require.ErrorIs(t, m.Apply(big, start), delivery.ErrBadOrder, "what alone is too large makes nobody else go")
	require.Len(t, m.Pending, 3)

	for i := range int64(3) {
		order := ticketOrder(i + 20)
		require.NoError(t, m.Apply(order, start))
	}

	require.Len(t, m.Pending, 3)
	require.Len(t, m.Reports, 1, "a ticket goes only when nothing else is left, and is reported")
	require.Equal(t, signals.TicketFailed, m.Reports[0].Event.Type)
}

func TestStopDropsWhatWaits(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(notice(1, "", time.Time{}), start))
	require.NoError(t, m.Apply(ticketOrder(2), start))
	_, ok := m.Tick(start)
	require.True(t, ok)
	m.Stop(start)
	require.True(t, m.CalledBack())
	require.Len(t, m.Pending, 1)
	m.Attempted(delivery.Outcome{Cancelled: true}, start)
	require.Empty(t, m.Pending)
	require.Len(t, m.Reports, 1)
	require.Equal(t, signals.TicketFailed, m.Reports[0].Event.Type)
}

func TestIdleEndsTheRun(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(notice(1, "", time.Time{}), start))
	require.False(t, m.Done(start.Add(time.Hour)))

	later := start.Add(time.Minute)
	_, ok := m.Tick(later)
	require.True(t, ok)
	m.Attempted(delivery.Outcome{OK: true}, later)

	deadline, ok := m.Next()
	require.True(t, ok)
	require.Equal(t, later.Add(10*time.Minute), deadline.At)
	require.False(t, m.Done(deadline.At.Add(-1)))
	require.True(t, m.Done(deadline.At))
}

func TestStateKeepsItsForm(t *testing.T) {
	t.Parallel()

	m := newMachine()
	require.NoError(t, m.Apply(notice(1, "e1", start.Add(time.Hour)), start))
	_, ok := m.Tick(start)
	require.True(t, ok)
	m.Attempted(delivery.Outcome{Error: "500"}, start)

	raw, err := json.Marshal(m.State)
	require.NoError(t, err)
	require.JSONEq(t, `{"version":1,"target":"ops","key":{"source":"livechat","conversation":"PJ0MRSHTDG"},"counters":{"1":1},
	  "pending":[{"order":{"key":"conversation:livechat:PJ0MRSHTDG/1/1","kind":"notice","target":"ops","session":1,"counter":1,
	    "group":"e1","expires_at":"2026-11-20T11:00:00Z","event":{"id":"p1","type":"unreplied.pushed","source":"livechat",
	    "conversation":"PJ0MRSHTDG","at":"0001-01-01T00:00:00Z","unreplied":{"push_times":1,"max":4,"seconds":0}}},
	    "since":"2026-11-20T10:00:00Z","expires_at":"2026-11-20T11:00:00Z","attempts":1,"not_before":"2026-11-20T10:00:01Z",
	    "last_error":"500","bytes":321}],
	  "quiet_since":"2026-11-20T10:00:00Z",
	  "counts":{"delivered":0,"expired":0,"failed":0,"cancelled":0,"duplicates":0,"rejected":0}}`, string(raw))
}
