package conversation_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// TestOrderDoesNotMatter: the same events in any order and any batches end in
// the same state, as long as no clock falls due in between.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()

	patient := func(s *policy.Snapshot) {
		s.Policy.Closeout.Grace = policy.Duration(time.Hour)
		s.Policy.Idle.Close = policy.Duration(time.Hour)
		s.Policy.Unreplied.TypingPause = 0 // a pause begins when its typing arrives
	}
	begin := signals.Start{Version: 1, Session: 2, Threads: []string{"T0"}, ClosedAt: at(time.Second)}

	rapid.Check(t, func(rt *rapid.T) {
		for range 10 {
			sameInAnyOrder(rt, history(rt, 30, 20*time.Second), func() *conversation.Machine {
				return conversation.NewMachine(key(), key().WorkflowID(), begin, under(patient))
			})
		}
	})
}

// sameInAnyOrder plays events in the order of their times and in any other.
func sameInAnyOrder(rt *rapid.T, events []signals.Event, begin func() *conversation.Machine) {
	from, received := dice(rt), at(9*time.Minute)
	play := func(events []signals.Event) *conversation.Machine {
		m := begin()

		for i := range events {
			m.Apply(events[i], received)

			if one(from, true, false) {
				m.Settle(received)
			}
		}

		m.Settle(received)

		return m
	}

	for i := range events {
		events[i].ReceivedAt = received
	}

	slices.SortStableFunc(events, func(a, b signals.Event) int { return a.At.Compare(b.At) })

	mixed := slices.Clone(events)
	from.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })

	one, two := outcome(play(events)), outcome(play(mixed))
	if one != two {
		rt.Logf("in order:\n%s\nas they came:\n%s", told(events), told(mixed))
	}

	require.Equal(rt, one, two)
}

func told(events []signals.Event) string {
	data, err := json.MarshalIndent(events, "", " ")
	if err != nil {
		return err.Error()
	}

	return string(data)
}

// TestOrderOfReportsDoesNotMatter is the same for a platform that runs the
// unreplied clock itself.
func TestOrderOfReportsDoesNotMatter(t *testing.T) {
	t.Parallel()

	relayed := func(s *policy.Snapshot) {
		s.Policy.Unreplied.Mode = policy.ModeRelay
		s.Policy.Closeout.Grace = policy.Duration(time.Hour)
		s.Policy.Idle.Close = policy.Duration(time.Hour)
	}

	rapid.Check(t, func(rt *rapid.T) {
		from := dice(rt)
		events := make([]signals.Event, 0, 12)

		for i := range rapid.IntRange(1, 12).Draw(rt, "events") {
			drawn := event(signals.UnrepliedReported, "ann", time.Duration(from.IntN(60))*time.Second)
			drawn.ID = fmt.Sprintf("e%d", i)
			drawn.Unreplied = &signals.Unreplied{
				Status:    one(from, "unreplied", "unreplied", "queued", "pending", "replied"),
				Since:     drawn.At.Add(-time.Duration(from.IntN(10)) * time.Second),
				PushTimes: i + 1, // two reports of one push say the same
			}

			if from.IntN(10) == 0 {
				drawn.Type, drawn.Unreplied = signals.ConversationClosed, nil
			}

			events = append(events, drawn)
		}

		sameInAnyOrder(rt, events, func() *conversation.Machine { return machine(relayed) })
	})
}

// TestDuplicatesChangeNothing: the same event again moves one counter.
func TestDuplicatesChangeNothing(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		m := machine()
		events := history(rt, 30, 20*time.Second)
		tell(m, events...)
		before := stateJSON(rt, m)

		for i := range events {
			m.Apply(events[i], events[i].ReceivedAt)
		}

		m.Settle(epoch())
		require.Equal(rt, int64(len(events)), m.Duplicates)

		m.Duplicates = 0
		require.JSONEq(rt, before, stateJSON(rt, m))
	})
}

// twin plays one history, and beside it a second machine whose state goes
// through JSON after every step.
type twin struct {
	*rapid.T

	from     *rand.Rand
	one, two *conversation.Machine
	now      time.Time
	max      int
	pushes   map[string]int
	over     map[string]bool
	counter  int64
	tickets  int
	desk     deskSide
}

func (w *twin) do(step func(m *conversation.Machine)) []signals.Order {
	step(w.one)
	step(w.two)

	orders := slices.Clone(w.one.TakeOrders())
	require.Equal(w, orders, w.two.TakeOrders(), "a run that continued as new decides otherwise")
	w.one.Dispatched(len(orders))
	w.two.Dispatched(len(orders))
	w.asks()
	w.two = again(w, w.two)
	require.JSONEq(w, stateJSON(w, w.one), stateJSON(w, w.two))

	for i := range orders {
		w.order(&orders[i])
	}

	w.desk.look(w)

	view := w.one.View("", true)
	require.Equal(w, view.Accepted, view.Applied+view.Late+view.Ignored)
	require.GreaterOrEqual(w, min(view.Messages.Visitor, view.Messages.Agent, view.Messages.Bot, view.Messages.Internal), int64(0))

	return orders
}

func (w *twin) order(order *signals.Order) {
	require.Greater(w, order.Counter, w.counter)
	w.counter = order.Counter

	switch {
	case order.Kind == signals.OrderCancel:
		w.over[order.Group] = true
	case order.Event != nil && order.Event.Type == signals.UnrepliedPushed:
		require.False(w, w.over[order.Group], "a push of an episode that is over")
		w.pushes[order.Group]++
		require.Equal(w, w.pushes[order.Group], order.Event.Unreplied.PushTimes)
		require.LessOrEqual(w, w.pushes[order.Group], w.max)
	case order.Event != nil && order.Event.Type == signals.TicketCreated:
		w.tickets++
	}
}

// TestAnyHistory plays random lives with every clock on time.
func TestAnyHistory(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		changed := func(s *policy.Snapshot) {
			s.Policy.Unreplied.Max = rapid.IntRange(1, 5).Draw(rt, "max")
			s.Policy.Idle.Warn, s.Policy.Idle.Close = policy.Duration(3*time.Minute), policy.Duration(7*time.Minute)
			s.Policy.Limits.MaxAge = policy.Duration(2 * time.Hour)
			s.Policy.Notify[signals.TicketCreated] = []string{policy.LogChannel}
		}
		snapshot := under(changed)
		w := &twin{
			T: rt, from: dice(rt), now: epoch(), max: snapshot.Policy.Unreplied.Max, pushes: map[string]int{}, over: map[string]bool{},
			one: conversation.NewMachine(key(), key().WorkflowID(), signals.Start{Session: 1}, snapshot),
			two: conversation.NewMachine(key(), key().WorkflowID(), signals.Start{Session: 1}, snapshot),
		}

		steps := rapid.IntRange(1, 40).Draw(rt, "steps")
		for number := range steps {
			if w.one.Decided {
				break
			}

			w.step(number)
		}

		w.do(func(m *conversation.Machine) { m.Settle(w.now) })

		for range 400 {
			next, ok := w.one.NextDeadline()
			if !ok {
				break
			}

			w.now = later(w.now, next.Due)
			w.do(func(m *conversation.Machine) { m.Tick(w.now) })
		}

		require.True(rt, w.one.Decided, "every conversation ends")
		require.NotNil(rt, w.one.Record(""))
		require.LessOrEqual(rt, w.tickets, 1, "one ticket per session")
		require.Equal(rt, w.tickets == 1, w.one.Ticket.Status == signals.TicketStatusCreated)
	})
}

func (w *twin) step(number int) {
	if w.from.IntN(3) == 0 {
		to := w.now.Add(time.Duration(w.from.IntN(401)) * time.Second)
		outage := w.from.IntN(5) == 0

		w.do(func(m *conversation.Machine) {
			if !outage {
				pass(w, m, w.now, to)
			}

			m.Tick(to)
		})
		w.now = to

		return
	}

	if w.from.IntN(6) == 0 {
		name := one(w.from, "accept", "assign", "close", "reopen", "snooze", "note", "decline")
		command := signals.Command{AgentID: "jones", Text: "text", By: "api"}

		if one(w.from, true, false) {
			command.Until = w.now.Add(time.Minute)
		}

		w.do(func(m *conversation.Machine) {
			before := m.Status
			if m.Command(name, command, w.now) != nil {
				require.Equal(w, before, m.Status)

				return
			}

			switch name {
			case "close":
				require.Contains(w, []signals.Status{signals.StatusClosing, signals.StatusClosed}, m.Status)
			case "reopen":
				require.NotContains(w, []signals.Status{signals.StatusClosing, signals.StatusClosed}, m.Status)
			case "accept", "assign":
				require.Equal(w, "jones", m.Agent)
			case "snooze":
				require.Equal(w, signals.StatusSnoozed, m.Status)
			}
		})

		return
	}

	drawn := draw(w.from, number, 0)
	drawn.At = w.now.Add(-time.Duration(one(w.from, 0, 0, 0, 0, 5, 60, 700)) * time.Second)
	drawn.ReceivedAt = w.now

	reply := drawn.Type == signals.MessageReceived && drawn.Actor.Role == signals.RoleAgent && !drawn.Message.Automatic &&
		drawn.Message.Visibility == "" && drawn.Actor.Visibility == "" && drawn.At.Equal(w.now) &&
		(drawn.Message.Kind == signals.KindText || drawn.Message.Kind == signals.KindFile)
	pushed := w.one.View("", false).PushTimes

	orders := w.do(func(m *conversation.Machine) {
		m.Apply(drawn, w.now)
		m.Settle(w.now)
		m.Tick(w.now)
	})

	if reply && w.one.State.Close == nil {
		require.False(w, w.one.View("", false).Unreplied, "a reply ends the episode")
		require.Equal(w, pushed > 0, len(orders) > 0 && orders[0].Kind == signals.OrderCancel, "and cancels its pushes")
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}

	return a
}
