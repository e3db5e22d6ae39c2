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
			g.told = append(g.told, fmt.Sprintf("push %d about %s", order.Event.Unreplied.PushTimes, order.Event.Unreplied.Text))
		default:
			g.told = append(g.told, string(order.Event.Type))
		}
	}

	g.m.Dispatched(len(g.m.TakeOrders()))
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
// same is decided, and in the same order. (One that is seconds behind may have a
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
			off = one(from, 0, 2*time.Second, 5*time.Minute, -5*time.Minute, time.Hour, -time.Hour, 25*time.Hour, -26*time.Hour)
		}
	}

	return out
}
