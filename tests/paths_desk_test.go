package tests_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/parleyhq/parley/signals"
)

// talkPaths are those of conversations that talk to a desk; the tests say what
// the desk says.
func talkPaths() []historyPath {
	return []historyPath{
		{
			name: "invited", source: "routed", take: takeInvited, wants: []enumspb.EventType{
				enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
				enumspb.EVENT_TYPE_TIMER_FIRED, enumspb.EVENT_TYPE_TIMER_CANCELED,
			},
		},
		{
			name: "reassigned", source: "routed", take: takeReassigned, wants: []enumspb.EventType{
				enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_TIMER_FIRED,
			},
		},
		{
			name: "reopened-anew", source: "routed", take: takeReopenedAnew, wants: []enumspb.EventType{
				enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
			},
		},
		{
			name: "escalated-after-the-end", source: "ended", runs: 2, take: takeEscalatedAfterTheEnd, wants: []enumspb.EventType{
				enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
			}, holds: beganWithPending,
		},
		{
			name: "overtaken", source: "routed", take: takeOvertaken, wants: []enumspb.EventType{
				enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
			},
		},
	}
}

// deskSays is a desk that answers a conversation's statements. It begins with a
// doubt, so that it knows their numbers.
type deskSays struct {
	*testing.T

	b               *bench
	key             signals.Key
	number, attempt int64
}

func newDeskSays(t *testing.T, b *bench, key signals.Key) *deskSays {
	t.Helper()

	// Far above what a conversation begins with, and exact as a JSON number.
	const high = 1 << 52

	d := &deskSays{T: t, b: b, key: key, number: high}
	d.says(signals.Offer{Kind: signals.OfferCheck})
	d.number++

	return d
}

// says answers the newest statement.
func (d *deskSays) says(offer signals.Offer) {
	d.Helper()

	offer.Desk, offer.Session, offer.Number, offer.At = "support", 1, d.number, time.Now().UTC()
	offer.Attempt = d.attempt

	raw, err := json.Marshal(offer)
	require.NoError(d, err)

	batch := signals.OfferBatch{Summary: string(offer.Kind), Offers: []json.RawMessage{raw}}
	require.NoError(d, d.b.client.SignalWorkflow(d.Context(), d.key.WorkflowID(), "", signals.OffersSignal, batch))
}

func (d *deskSays) offers(agent string, length time.Duration) {
	d.Helper()

	d.attempt++
	d.says(signals.Offer{Kind: signals.OfferAgent, Agent: agent, Round: 1, Until: time.Now().UTC().Add(length)})
}

func offeredTo(agent string) func(signals.View) bool {
	return func(view signals.View) bool { return view.Offered == agent }
}

func has(agent string) func(signals.View) bool {
	return func(view signals.View) bool { return view.Agent == agent }
}

const jones = "jones@example.com"

func takeInvited(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, event(signals.EscalationRequested, "T1", ann))
	b.until(t, key, "queued", is(signals.StatusQueued))

	d := newDeskSays(t, b, key)

	d.offers(smith, 300*time.Millisecond)
	b.until(t, key, "offered", offeredTo(smith))
	b.until(t, key, "expired", is(signals.StatusQueued))
	d.number++

	d.offers(jones, time.Minute)
	b.until(t, key, "offered again", offeredTo(jones))
	require.ErrorContains(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith}), "is offered to "+jones)
	require.NoError(t, b.command(t, key, signals.DeclineUpdate, signals.Command{AgentID: jones, Reason: "lunch"}))
	d.number++

	d.says(signals.Offer{Kind: signals.OfferRound, Round: 1})
	d.offers(smith, time.Minute)
	b.until(t, key, "offered in another round", offeredTo(smith))
	require.NoError(t, b.command(t, key, signals.EscalateUpdate, signals.Command{Skill: "cards", By: "ops"}))
	b.until(t, key, "withdrawn", is(signals.StatusQueued))
	d.number++

	d.offers(smith, time.Minute)
	b.until(t, key, "offered once more", offeredTo(smith))
	require.NoError(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith}))
	require.NoError(t, b.command(t, key, signals.TransferUpdate, signals.Command{Desk: "support", By: "ops"}))
	b.until(t, key, "in line again", is(signals.StatusQueued))
	d.number += 2

	d.says(signals.Offer{Kind: signals.OfferNone, Reason: signals.ReasonUnavailable})
	b.completed(t, key.WorkflowID())
}

// takeReopenedAnew closes what an agent has: the visitor who goes on waits for an
// agent again. The desk says that nobody else is free when the next one is silent,
// and by itself that somebody is.
func takeReopenedAnew(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, event(signals.EscalationRequested, "", ann))
	b.until(t, key, "queued", is(signals.StatusQueued))

	d := newDeskSays(t, b, key)

	d.offers(smith, time.Minute)
	b.until(t, key, "offered", offeredTo(smith))
	require.NoError(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith}))
	b.send(t, key, closing(""))
	b.until(t, key, "closing", is(signals.StatusClosing))
	b.send(t, key, message("", ann, "One more thing"))
	b.until(t, key, "queued again", is(signals.StatusQueued))
	require.ErrorContains(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith}), "is over, accepted")

	d.number += 3
	d.offers(jones, time.Minute)
	b.until(t, key, "offered again", offeredTo(jones))
	require.NoError(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: jones}))

	d.number++
	b.until(t, key, "asked in vain", func(view signals.View) bool {
		d.says(signals.Offer{Kind: signals.OfferFree})

		return strings.Contains(fmt.Sprint(view.Timeline), string(signals.AgentsUnavailable))
	})
	d.says(signals.Offer{Kind: signals.OfferFree, Free: true})
	b.until(t, key, "taken away", is(signals.StatusQueued))
	b.send(t, key, closing(""))
	b.completed(t, key.WorkflowID())
}

// takeEscalatedAfterTheEnd begins the next session before the grace is over.
func takeEscalatedAfterTheEnd(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, event(signals.EscalationRequested, "", ann), message("", ann, "Hello"))
	b.send(t, key, closing(""))
	b.until(t, key, "closing", is(signals.StatusClosing))
	b.send(t, key, event(signals.EscalationRequested, "", ann))
	b.until(t, key, "session 2", func(view signals.View) bool { return view.Session == 2 && view.Status == signals.StatusQueued })
}

// takeOvertaken has a desk say what comes too late: that there is nobody, while an
// invitation is out, and that its agent was gone before.
func takeOvertaken(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, event(signals.EscalationRequested, "T1", ann))
	b.until(t, key, "queued", is(signals.StatusQueued))

	d := newDeskSays(t, b, key)

	d.offers(smith, time.Minute)
	b.until(t, key, "offered", offeredTo(smith))
	d.says(signals.Offer{Kind: signals.OfferNone, Reason: signals.ReasonUnavailable})
	d.attempt--
	d.says(signals.Offer{Kind: signals.OfferGone, Agent: smith, Reason: signals.ReasonOffline})
	d.attempt++
	b.send(t, key, message("T1", ann, "Hello?"))
	b.until(t, key, "heard", func(view signals.View) bool { return view.Messages.Visitor == 1 })
	require.NoError(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith}), "it is offered still")
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

func takeReassigned(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, event(signals.EscalationRequested, "T1", ann))
	b.send(t, key, event(signals.AgentAccepted, "T1", smith))
	b.until(t, key, "taken", has(smith))

	d := newDeskSays(t, b, key)

	// The clock of the silent asks, and after the answer the next agent has it.
	b.send(t, key, message("T1", ann, "Hello?"))
	b.until(t, key, "silent for too long", func(view signals.View) bool {
		d.says(signals.Offer{Kind: signals.OfferFree, Free: true})

		return view.Agent == ""
	})
	d.number++

	d.offers(jones, time.Minute)
	b.until(t, key, "offered", offeredTo(jones))
	require.NoError(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: jones}))
	d.number++

	b.send(t, key, message("T1", jones, "Here I am."))
	d.says(signals.Offer{Kind: signals.OfferGone, Agent: jones, Reason: signals.ReasonRemoved})
	b.until(t, key, "removed", func(view signals.View) bool {
		d.says(signals.Offer{Kind: signals.OfferFree, Free: true})

		return view.Agent == ""
	})

	// The longest wait ends it.
	b.completed(t, key.WorkflowID())
}
