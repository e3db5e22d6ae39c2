package conversation_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// received is something that a gateway received whose clock is off.
type received struct {
	after  time.Duration
	off    time.Duration
	who    string // nobody's: the thread is closed
	thread string
}

// gateway hands to a machine at once what it receives.
type gateway struct {
	fataler

	m   *conversation.Machine
	now time.Time
	// timed: the platform says when something happened; else the time of receipt
	// stands in for it.
	timed bool
	seq   int64
	told  []string
}

func newGateway(t fataler, timed bool) *gateway {
	return &gateway{fataler: t, now: epoch(), timed: timed, m: machine(func(s *policy.Snapshot) {
		s.Policy.Unreplied.First, s.Policy.Unreplied.Repeat = policy.Duration(2*time.Second), policy.Duration(3*time.Second)
		s.Policy.Unreplied.Max = 2
		s.Policy.Closeout.Grace = policy.Duration(1500 * time.Millisecond)
	})}
}

func (g *gateway) receive(what received) {
	for to := g.now.Add(what.after); ; {
		next, ok := g.m.NextDeadline()
		if !ok || next.Due.After(to) {
			g.now = to

			break
		}

		g.now = later(g.now, next.Due)
		g.m.Tick(g.now)
		g.note()
	}

	if g.m.Decided {
		return
	}

	g.seq++

	name := fmt.Sprintf("e%d", g.seq)
	event := signals.Event{
		ID: name, Source: "shop", Conversation: "C1", Thread: what.thread, Seq: g.seq, Inbox: "one",
		Type: signals.ConversationClosed, Closing: &signals.Closing{ByRole: signals.RoleAgent}, At: g.now, ReceivedAt: g.now.Add(what.off),
	}

	if what.who != "" {
		event.Type, event.Closing, event.Actor = signals.MessageReceived, nil, person(what.who)
		event.Message = &signals.Message{ID: name, Text: name, Kind: signals.KindText}
	}

	if !g.timed {
		event.At = event.ReceivedAt
	}

	g.m.Apply(event, g.now)
	g.m.Settle(g.now)
	g.m.Tick(g.now)
	g.note()

	waits := ""
	if g.m.Episode != nil {
		waits = g.m.Episode.MessageID
	}

	g.told = append(g.told, fmt.Sprintf("%s %s: %s, agent %q, unanswered %q", name, what.who, g.m.Status, g.m.Agent, waits))
}

// note tells what was decided.
func (g *gateway) note() {
	for _, order := range g.m.TakeOrders() {
		switch {
		case order.Kind == signals.OrderCancel:
			g.told = append(g.told, "called back: "+order.Group)
		case order.Event.Type == signals.UnrepliedPushed:
			g.told = append(g.told, fmt.Sprintf("push %d about %s after %s", order.Event.Unreplied.PushTimes, order.Event.Unreplied.Text,
				g.now.Sub(epoch()).Round(10*time.Millisecond)))
		default:
			g.told = append(g.told, string(order.Event.Type))
		}
	}

	g.m.Dispatched(len(g.m.TakeOrders()))
	g.m = again(g, g.m)
}

func lived(t fataler, timed bool, what ...received) []string {
	g := newGateway(t, timed)
	for i := range what {
		g.receive(what[i])
	}

	return g.told
}

// TestClockOfTheGatewayStepsBack: what is received by a clock that stepped back
// is not older than what was received before.
func TestClockOfTheGatewayStepsBack(t *testing.T) {
	t.Parallel()

	for name, what := range map[string][]received{
		"an answer": {{who: "ann"}, {who: "smith", after: 2100 * time.Millisecond, off: -time.Hour}},
		"a new question": {
			{who: "ann"}, {who: "smith"}, {who: "ann", after: time.Second, off: -time.Minute}, {who: "smith", after: 3 * time.Second},
		},
		"a close": {{who: "ann"}, {after: time.Second, off: -26 * time.Hour}, {after: 2 * time.Second}},
		// The thread that began last would be the one before, for a while: a push,
		// its recall, and the same push anew.
		"a thread": {
			{who: "ann", thread: "T1"},
			{who: "ann", thread: "T2", after: 2100 * time.Millisecond},
			{who: "smith", thread: "T2", after: 300 * time.Millisecond, off: -time.Hour},
		},
		// The first unanswered message would be a later one, for a while.
		"a second question": {
			{who: "ann", thread: "T1"},
			{who: "ann", thread: "T1", after: 2100 * time.Millisecond, off: -time.Hour},
			{who: "robot", thread: "T1", after: 300 * time.Millisecond, off: -time.Hour},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			right := make([]received, len(what))
			for i := range what {
				right[i] = what[i]
				right[i].off = 0
			}

			for _, timed := range []bool{true, false} {
				require.Equal(t, lived(t, timed, right...), lived(t, timed, what...), "platform's time: %v", timed)
			}
		})
	}
}

// TestClockOfTheGatewayDoesNotMatter: whatever it says after the first word, the
// same is decided, and in the same order. (One that is off by seconds may have a
// clock fire seconds early.)
func TestClockOfTheGatewayDoesNotMatter(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		from, timed := dice(rt), rapid.Bool().Draw(rt, "timed")

		for range 20 {
			wrong := steps(from)
			right := make([]received, len(wrong))

			for i := range wrong {
				right[i] = wrong[i]
				right[i].off = 0
			}

			require.Equal(rt, lived(rt, timed, right...), lived(rt, timed, wrong...), "%+v", wrong)
		}
	})
}

// steps are those of a conversation in one thread after the other, with a word
// for the one before now and then.
func steps(from *rand.Rand) []received {
	out, thread, off := make([]received, 0, 20), 1, time.Duration(0)

	for range 4 + from.IntN(16) {
		what := received{
			after:  one(from, 10*time.Millisecond, 300*time.Millisecond, time.Second, 2100*time.Millisecond),
			who:    one(from, "ann", "ann", "ann", "ann", "smith", "robot", ""),
			off:    off,
			thread: fmt.Sprintf("T%d", max(1, thread-from.IntN(8)/7)),
		}
		out = append(out, what)

		if what.who == "" {
			thread++
		}

		if from.IntN(4) == 0 {
			off = one(from, 0, 5*time.Minute, -5*time.Minute, time.Hour, -time.Hour, 25*time.Hour, -26*time.Hour)
		}
	}

	return out
}

// TestReceiptsThatAreBelieved: what came at once, by a clock that is right, and
// what does not come out of the inbox, keep their times.
func TestReceiptsThatAreBelieved(t *testing.T) {
	t.Parallel()

	const ms = time.Millisecond

	// numbered is received then, by a platform that gives no times.
	numbered := func(seq int64, then time.Duration, e signals.Event) signals.Event {
		e.ID, e.Seq, e.Inbox = fmt.Sprintf("e%d", seq), seq, "one"
		e.At, e.ReceivedAt = at(then), at(then)

		if e.Message != nil {
			e.Message.ID = e.ID
		}

		return e
	}
	closes := func() signals.Event { return event(signals.ConversationClosed, "smith", 0) }
	played := func(now time.Duration, events ...signals.Event) *conversation.Machine {
		m := machine()
		for i := range events {
			m.Apply(events[i], at(now))
			m = again(t, m)
		}

		m.Settle(at(now))

		return m
	}
	began := numbered(1, 0, says("ann", "Hello", 0))

	for name, tc := range map[string]struct {
		now    time.Duration
		events []signals.Event
		status signals.Status
		owed   bool
	}{
		"numbered in the other order": {
			time.Second,
			[]signals.Event{began, numbered(2, 105*ms, closes()), numbered(3, 100*ms, says("ann", "Thanks", 0))},
			signals.StatusClosing, false,
		},
		"a reply that overtook its question": {
			time.Second,
			[]signals.Event{numbered(1, 105*ms, says("robot", "Hi", 0)), numbered(2, 100*ms, says("ann", "Hello", 0))},
			signals.StatusOpen, false,
		},
		"of one webhook, by a clock that stepped back": {
			time.Second,
			[]signals.Event{
				began, numbered(2, -time.Hour, says("smith", "Hi", 0)), numbered(3, -time.Hour, says("ann", "My card is lost", 0)),
			},
			signals.StatusActive, false,
		},
		"of two webhooks, by a clock that stepped back": {
			time.Second,
			[]signals.Event{
				began, numbered(2, -time.Hour, says("smith", "Hi", 0)), numbered(3, ms-time.Hour, says("ann", "My card is lost", 0)),
			},
			signals.StatusActive, true,
		},
		"by a clock that steps back twice, by less each time than is forgiven": {
			time.Second,
			[]signals.Event{
				numbered(1, 0, says("smith", "Hi", 0)), numbered(2, -4*time.Second, says("smith", "there", 0)),
				numbered(3, -8*time.Second, says("ann", "Hello", 0)),
			},
			signals.StatusActive, true,
		},
		"signalled from elsewhere": {
			time.Minute,
			[]signals.Event{
				says("ann", "Hello", 30*time.Second), numbered(1, 10*time.Second, says("smith", "Hi", 0)),
			},
			signals.StatusActive, true,
		},
		"signalled from elsewhere, later": {
			time.Minute,
			[]signals.Event{numbered(1, 30*time.Second, says("ann", "Hello", 0)), says("smith", "Hi", 10*time.Second)},
			signals.StatusActive, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := played(tc.now, tc.events...)
			require.Equal(t, tc.status, m.Status)
			require.Equal(t, tc.owed, m.Episode != nil)
		})
	}

	t.Run("repetitions by the times that the inbox compares", func(t *testing.T) {
		t.Parallel()

		body := func(seq int64, then time.Duration) signals.Event {
			e := numbered(seq, then, event(signals.TagAdded, "", 0))
			e.ID, e.Tag = "h:body", &signals.Tag{Name: "vip"}

			return e
		}

		m := played(time.Second, began, body(2, -time.Hour), body(3, -40*time.Minute))
		require.EqualValues(t, 3, m.Applied)

		restored := body(1, -40*time.Minute)
		restored.Inbox = "restored"
		m.Apply(restored, at(2*time.Second))
		require.EqualValues(t, 1, m.Duplicates)
	})

	t.Run("by a platform that gives times", func(t *testing.T) {
		t.Parallel()

		asks := func(happened, then time.Duration) signals.Event {
			e := numbered(2, then, says("ann", "Anyone?", 0))
			e.At = at(happened)

			return e
		}
		begun := numbered(1, 0, says("smith", "Hi", 0))

		for name, tc := range map[string]struct {
			asks       signals.Event
			now, clock time.Duration
		}{
			"which is right, and heard late":        {asks(time.Minute, -time.Hour), 2 * time.Hour, time.Minute},
			"which is ahead":                        {asks(24*time.Hour, -time.Hour), time.Second, time.Second},
			"which is ahead of a clock that is not": {asks(2*time.Minute, time.Minute), time.Hour, time.Minute},
			"which says that it was long ago":       {asks(time.Second, -time.Hour), time.Hour, time.Second},
		} {
			require.Equal(t, at(tc.clock), played(tc.now, begun, tc.asks).Episode.ClockAt, name)
		}

		m := played(time.Second, begun, asks(24*time.Hour, -time.Hour))
		answer := numbered(3, time.Minute-time.Hour, says("smith", "Yes", 0))
		answer.At = at(time.Minute)
		m.Apply(answer, at(time.Minute))
		require.Equal(t, at(time.Minute), m.ReceivedAt)

		// Of a dead letter that is sent again, too, the times are its own.
		hello, letter := numbered(1, 0, says("ann", "Hello", 0)), asks(-2*time.Hour, -time.Hour)
		require.Equal(t, at(-time.Hour), played(time.Second, hello, letter).Episode.ClockAt)
	})
}
