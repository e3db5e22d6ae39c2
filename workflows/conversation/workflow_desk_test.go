package conversation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

// offers signals what a desk says about the newest statement, after an offset.
func (w *world) offers(offset time.Duration, offers ...signals.Offer) {
	w.after(offset, func() {
		said := w.newest()
		batch := signals.OfferBatch{}

		for i := range offers {
			offers[i].Desk, offers[i].Session, offers[i].Number, offers[i].At = "support", said.Session, said.Number, at(offset)

			raw, err := json.Marshal(offers[i])
			require.NoError(w.t, err)

			batch.Offers = append(batch.Offers, raw)
		}

		w.SignalWorkflow(signals.OffersSignal, batch)
	})
}

// newest is the newest statement that a desk was told.
func (w *world) newest() signals.Ask {
	w.mutex.Lock()
	defer w.mutex.Unlock()

	var newest signals.Ask

	for i := range w.dispatched {
		for _, said := range w.dispatched[i].Asks {
			if said.Ask.Number >= newest.Number {
				newest = said.Ask
			}
		}
	}

	return newest
}

// asks are the kinds of what desks were told, in order.
func (w *world) asks() []string {
	var out []string

	for i := range w.dispatched {
		for _, said := range w.dispatched[i].Asks {
			out = append(out, string(said.Ask.Kind)+" "+said.Desk)
		}
	}

	return out
}

func escalated(offset time.Duration) signals.Event {
	return event(signals.EscalationRequested, "ann", offset)
}

// TestInvited is a conversation from the escalation to the agent who takes it,
// and on to its end.
func TestInvited(t *testing.T) {
	t.Parallel()

	w := newWorld(t, routed)
	w.send(0, escalated(0))
	w.after(time.Second, func() {
		require.Equal(t, signals.StatusQueued, w.view().Status)
		require.Equal(t, "support", w.view().Desk)
	})
	w.offers(2*time.Second, signals.Offer{Kind: signals.OfferAgent, Attempt: 1, Agent: "smith", Round: 1, Until: at(32 * time.Second)})
	w.after(3*time.Second, func() { require.Equal(t, "smith", w.view().Offered) })
	w.after(33*time.Second, func() { require.Equal(t, signals.StatusQueued, w.view().Status) })
	w.offers(34*time.Second, signals.Offer{Kind: signals.OfferAgent, Attempt: 2, Agent: "jones", Round: 1, Until: at(64 * time.Second)})

	answered := 0

	w.update(35*time.Second, signals.AcceptUpdate, signals.Command{AgentID: "smith"}, func(_ signals.View, err error) {
		require.ErrorContains(t, err, "the conversation is offered to jones until")

		answered++
	})
	w.update(36*time.Second, signals.AcceptUpdate, signals.Command{AgentID: "jones"}, func(view signals.View, err error) {
		require.NoError(t, err)
		require.Equal(t, "jones", view.Agent)
		require.Len(t, view.Invitations, 2)

		answered++
	})
	w.update(37*time.Second, signals.TransferUpdate, signals.Command{Desk: "billing"}, func(view signals.View, err error) {
		require.NoError(t, err)
		require.Equal(t, "billing", view.Desk)

		answered++
	})
	w.update(38*time.Second, signals.EscalateUpdate, signals.Command{Desk: "support", Skill: "cards"}, func(view signals.View, err error) {
		require.NoError(t, err)
		require.Equal(t, "support", view.Desk)

		answered++
	})
	w.after(40*time.Second, func() { w.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	w.run(nil)

	require.Equal(t, 4, answered)
	require.Equal(t, 1, w.result().Session)
	require.Equal(t, []string{
		"request support", "expired support", "accepted support", "release support", "request billing", "release billing", "request support",
		"release support",
	}, w.asks())
}

// TestBadOfferCostsOnlyItself, and an offer in the task of the event that
// overtook it is void.
func TestBadOfferCostsOnlyItself(t *testing.T) {
	t.Parallel()

	w := newWorld(t, routed)
	w.send(0, escalated(0))
	w.after(time.Second, func() {
		offer := signals.Offer{
			Kind: signals.OfferAgent, Desk: "support", Session: 1, Number: w.newest().Number, Attempt: 1, Agent: "smith", Until: at(time.Minute),
		}

		some := []any{7, nil, map[string]any{"kind": 7}, "text", map[string]any{}, offer}
		w.SignalWorkflow(signals.OffersSignal, map[string]any{"offers": some})
		w.SignalWorkflow(signals.OffersSignal, "no batch")
		w.SignalWorkflow(signals.OffersSignal, offer) // a bare one is as good
	})
	w.after(2*time.Second, func() {
		view := w.view()
		require.Equal(t, "smith", view.Offered)
		require.Equal(t, int64(1), view.Accepted)
		require.Zero(t, view.Ignored)

		// Declined, and in the same task the offer once more.
		w.UpdateWorkflow(signals.DeclineUpdate, "decline", &testsuite.TestUpdateCallback{
			OnAccept:   func() {},
			OnReject:   func(err error) { require.NoError(t, err) },
			OnComplete: func(_ any, err error) { require.NoError(t, err) },
		}, signals.Command{AgentID: "smith"})
		w.SignalWorkflow(signals.OffersSignal, signals.Offer{
			Kind: signals.OfferAgent, Desk: "support", Session: 1, Number: w.newest().Number, Attempt: 2, Agent: "jones", Until: at(time.Minute),
		})

		batch, err := signals.NewBatch([]signals.Event{event(signals.AgentAccepted, "brown", 2*time.Second)})
		require.NoError(t, err)
		w.SignalWorkflow(signals.EventsSignal, batch)
	})
	w.after(3*time.Second, func() {
		require.Equal(t, "brown", w.view().Agent)
		w.SignalWorkflow(signals.CloseSignal, map[string]any{})
	})
	w.run(nil)
	require.Equal(t, "release support", w.asks()[len(w.asks())-1])
	require.Len(t, w.closed().View.Invitations, 1)
}

// TestStatementsOutliveAFailingDispatch: the newest one goes out, and the run
// does not end before the desk knows that it is over.
func TestStatementsOutliveAFailingDispatch(t *testing.T) {
	t.Parallel()

	w := newWorld(t, routed)
	w.fail = 7
	w.send(0, escalated(0))
	w.send(3*time.Second, event(signals.AgentAccepted, "smith", 3*time.Second))
	w.after(4*time.Minute, func() {
		require.Equal(t, []string{"accepted support"}, w.asks())
		w.fail = 12
		w.SignalWorkflow(signals.CloseSignal, map[string]any{})
	})
	w.run(nil)
	require.Equal(t, []string{"accepted support", "release support"}, w.asks())
	require.NotNil(t, w.closed())
}

// TestTalkContinuesAsNew: the invitation and its clock go along.
func TestTalkContinuesAsNew(t *testing.T) {
	t.Parallel()

	w := newWorld(t, routed)
	w.send(0, escalated(0))
	w.offers(time.Second, signals.Offer{Kind: signals.OfferAgent, Attempt: 1, Agent: "smith", Until: at(time.Minute)})
	w.after(2*time.Second, func() {
		for range 20 {
			w.SignalWorkflow(signals.EventsSignal, map[string]any{"events": manyButtons(100)})
		}
	})
	w.run(nil)

	input := w.next()
	require.Equal(t, signals.StatusOffered, input.State.Status)
	require.Empty(t, input.State.Asks)

	again := newWorld(t, routed)
	again.after(time.Second, func() { require.Equal(t, "smith", again.view().Offered) })
	again.after(2*time.Minute, func() {
		require.Equal(t, signals.StatusQueued, again.view().Status)
		again.SignalWorkflow(signals.CloseSignal, map[string]any{})
	})
	again.run(input)
	require.Equal(t, []string{"expired support", "release support"}, again.asks())
}

func manyButtons(n int) []any {
	buttons := make([]any, n)
	for i := range buttons {
		buttons[i] = map[string]any{"type": signals.ButtonPressed}
	}

	return buttons
}

// TestRunsFromBeforeTheDesk decide as they did.
func TestRunsFromBeforeTheDesk(t *testing.T) {
	t.Parallel()

	w := newWorld(t, routed)
	w.OnGetVersion("machine", workflow.DefaultVersion, workflow.Version(2)).Return(workflow.Version(1))
	w.send(0, escalated(0), says("ann", "Hello?", 0))
	w.after(time.Second, func() {
		require.Equal(t, signals.StatusQueued, w.view().Status)
		require.Equal(t, []signals.ViewClock{
			{Name: "unreplied", Due: at(5 * time.Minute)}, {Name: "age", Due: at(720 * time.Hour)},
		}, utc(w.view().Clocks))
		w.SignalWorkflow(signals.OffersSignal, signals.Offer{Kind: signals.OfferCheck, Desk: "support"})
	})
	w.update(2*time.Second, signals.AcceptUpdate, signals.Command{AgentID: "smith"}, func(_ signals.View, err error) {
		require.NoError(t, err)
	})
	w.after(3*time.Hour, func() {
		require.Equal(t, "smith", w.view().Agent)
		w.SignalWorkflow(signals.CloseSignal, map[string]any{})
	})
	w.run(nil)
	require.Empty(t, w.asks())
}

func utc(clocks []signals.ViewClock) []signals.ViewClock {
	for i := range clocks {
		clocks[i].Due = clocks[i].Due.UTC()
	}

	return clocks
}

// TestCardShowsInvitations, with what agents wrote made harmless.
func TestCardShowsInvitations(t *testing.T) {
	t.Parallel()

	m := machine(routed)
	tell(m, escalated(0))
	offered(m, "<smith>", time.Second)
	require.Contains(t, conversation.Card(m), `- invitation to \<smith\>: open until 2040-11-20 10:00:31 UTC`)
	require.NoError(t, m.Command(signals.DeclineUpdate, signals.Command{AgentID: "<smith>", Reason: "![x](http://x)"}, at(2*time.Second)))
	require.Contains(t, conversation.Card(m), `- invitation to \<smith\>: declined (\!\[x\]`)
}

// offered brings the desk's offer of an agent.
func offered(m *conversation.Machine, agent string, offset time.Duration) {
	m.Offer(signals.Offer{
		Kind: signals.OfferAgent, Desk: m.Talk.Desk, Session: m.Session, Number: m.Talk.Said.Number, Attempt: m.Talk.Attempt + 1,
		Agent: agent, Name: agent, Until: at(offset + 30*time.Second), At: at(offset),
	}, at(offset))
}
