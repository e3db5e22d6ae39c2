package conversation_test

import (
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

// routed is a source whose conversations a desk of ours gives to agents.
func routed(s *policy.Snapshot) {
	s.Routing, s.Desk, s.Desks = policy.RoutingDesk, "support", []string{"support", "billing", "overflow"}
}

// TestOrderDoesNotMatterToADesk: what the desk is told in the end, the clocks and
// all the rest are the same in any order and any batches.
func TestOrderDoesNotMatterToADesk(t *testing.T) {
	t.Parallel()

	patient := func(s *policy.Snapshot) {
		s.Policy.Closeout.Grace = policy.Duration(time.Hour)
		s.Policy.Idle.Close = policy.Duration(time.Hour)
		s.Policy.Queue.Abandon = policy.Duration(time.Hour)
		s.Policy.Reassign.OfflineGrace = policy.Duration(time.Hour)
		s.Policy.Unreplied.TypingPause = 0
	}

	rapid.Check(t, func(rt *rapid.T) {
		for range 10 {
			sameInAnyOrder(rt, history(rt, 30, 20*time.Second), func() *conversation.Machine { return machine(routed, patient) })
		}
	})
}

// deskSide is what a desk that listens to a twin knows.
type deskSide struct {
	said map[string]conversation.DeskAsk
	// number is the newest statement's, attempt the newest offer's.
	number, attempt int64
}

// asks hands the statements out to both.
func (w *twin) asks() {
	asks := slices.Clone(w.one.TakeAsks())
	require.Equal(w, asks, w.two.TakeAsks())
	w.one.Asked(asks)
	w.two.Asked(asks)

	for i := range asks {
		require.GreaterOrEqual(w, asks[i].Ask.Number, w.desk.said[asks[i].Desk].Ask.Number, "a number goes back")
		w.desk.number = w.one.Talk.Said.Number

		if w.desk.said == nil {
			w.desk.said = map[string]conversation.DeskAsk{}
		}

		w.desk.said[asks[i].Desk] = asks[i]
	}
}

// look wants that what a desk was told is so.
func (d *deskSide) look(w *twin) {
	m := w.one
	view := m.View("", true)
	clocks := make([]string, 0, len(view.Clocks))

	for _, clock := range view.Clocks {
		clocks = append(clocks, clock.Name)
	}

	require.Equal(w, view.Offered != "", slices.Contains(clocks, "accept"), "an invitation and its clock")
	require.Equal(w, view.Offered != "", view.Status == signals.StatusOffered)
	require.LessOrEqual(w, m.Reassigned, m.Under.Policy.Reassign.Max)

	for i := range view.Invitations {
		require.Equal(w, i == len(view.Invitations)-1 && view.Offered != "", view.Invitations[i].Outcome == "", "one invitation at a time")
	}

	needs := 0

	for desk, last := range d.said {
		switch last.Ask.Kind {
		case signals.AskRelease:
			continue
		case signals.AskAccepted:
			require.Equal(w, view.Agent, last.Ask.Agent)
		default:
			require.Contains(w, []signals.Status{signals.StatusQueued, signals.StatusOffered}, view.Status)
		}

		needs++

		require.Equal(w, view.Desk, desk, "one desk at a time")
	}

	require.LessOrEqual(w, needs, 1)

	if stated, said := conversation.Stated(m); view.Offered == "" && m.Under.Desk != "" {
		require.Equal(w, stated, said)
	}
}

// word draws what a desk may say, sense or not.
func (d *deskSide) word(from *rand.Rand, now time.Time) signals.Offer {
	said := signals.Offer{
		Kind: one(from, signals.OfferAgent, signals.OfferAgent, signals.OfferAgent, signals.OfferAgent, signals.OfferNone, signals.OfferRound,
			signals.OfferCheck, signals.OfferGone, signals.OfferBack, signals.OfferFree, signals.OfferFree, signals.OfferKind("other")),
		Desk: one(from, "support", "support", "support", "billing", "overflow"), Session: one(from, 1, 1, 1, 1, 0, 2),
		Number: max(0, d.number-int64(one(from, 0, 0, 0, 0, 1, 2))), Agent: one(from, "smith", "jones", "brown", "brown", ""),
		Round: from.IntN(3), Until: now.Add(time.Duration(one(from, 30, 30, 30, -30)) * time.Second), At: now,
		Free: one(from, true, false), Reason: one(from, "", "closed", "full", "stopped", "removed", "offline", "declined"),
	}

	if said.Kind == signals.OfferCheck {
		said.Number += int64(one(from, 0, 0, 3))
	}

	if said.Kind == signals.OfferAgent && from.IntN(4) > 0 {
		d.attempt++
	}

	said.Attempt = d.attempt

	return said
}

// TestAnyDesk plays random lives on a desk that says anything at any time: the
// conversation stays in order and ends.
func TestAnyDesk(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		snapshot := under(routed, func(s *policy.Snapshot) {
			s.Policy.Limits.MaxAge = policy.Duration(2 * time.Hour)
			s.Policy.Accept.End = rapid.SampledFrom([]policy.End{"wait", "close", "offline", "desk:overflow"}).Draw(rt, "accept end")
			s.Policy.Queue.End = rapid.SampledFrom([]policy.End{"wait", "close", "offline", "desk:overflow"}).Draw(rt, "queue end")
			s.Policy.Unreplied.ReassignAfter = rapid.IntRange(0, 2).Draw(rt, "reassign after")
			s.Platform = rapid.Bool().Draw(rt, "platform")

			if rapid.IntRange(0, 4).Draw(rt, "routing") == 0 {
				s.Routing = policy.RoutingPlatform
			}
		})
		w := &twin{
			T: rt, from: dice(rt), now: epoch(), max: snapshot.Policy.Unreplied.Max, pushes: map[string]int{}, over: map[string]bool{},
			one: conversation.NewMachine(key(), key().WorkflowID(), signals.Start{Session: 1}, snapshot),
			two: conversation.NewMachine(key(), key().WorkflowID(), signals.Start{Session: 1}, snapshot),
		}

		for number := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if w.one.Decided {
				break
			}

			w.deskStep(number)
		}

		w.finish()
		require.True(rt, w.one.Decided, "every conversation ends")

		for _, last := range w.desk.said {
			require.Equal(rt, signals.AskRelease, last.Ask.Kind, "the desk is told that it is over")
		}
	})
}

func (w *twin) finish() {
	w.do(func(m *conversation.Machine) { m.Settle(w.now) })

	for range 400 {
		next, ok := w.one.NextDeadline()
		if !ok {
			return
		}

		w.now = later(w.now, next.Due)
		w.do(func(m *conversation.Machine) { m.Tick(w.now) })
	}
}

func (w *twin) deskStep(number int) {
	switch w.from.IntN(3) {
	case 0:
		said := w.desk.word(w.from, w.now)
		w.do(func(m *conversation.Machine) {
			m.Offer(said, w.now)
			m.Tick(w.now)
		})
	case 1:
		w.command()
	default:
		w.step(number)
	}
}

// command draws one that concerns the desk.
func (w *twin) command() {
	name := one(w.from, "accept", "accept", "decline", "transfer", "escalate", "assign")
	command := signals.Command{
		AgentID: one(w.from, "smith", "jones", "brown", ""), By: "api", Desk: one(w.from, "", "support", "billing", "nowhere"),
	}

	w.do(func(m *conversation.Machine) {
		before := stateJSON(w, m)
		err := m.Judge(name, command, w.now)
		again := m.Command(name, command, w.now)
		require.Equal(w, err, again)

		if err != nil {
			require.JSONEq(w, before, stateJSON(w, m), "what is refused changes nothing")

			return
		}

		if name == "accept" || name == "assign" || name == "transfer" && command.AgentID != "" {
			require.Equal(w, command.AgentID, m.Agent)
		}

		if name == "decline" {
			require.NotEqual(w, command.AgentID, m.View("", false).Offered)
		}

		orders := len(m.TakeOrders())
		require.NoError(w, m.Command(name, command, w.now), "once more is as good")
		require.Len(w, m.TakeOrders(), orders)
	})
}
