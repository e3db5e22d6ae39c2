package tests_test

import (
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// endScenes have desks on which nobody accepts, and what the policy says of it. A
// ticket is for those only who found nobody there: so it can be seen which end it
// was.
func endScenes() []scene {
	const (
		accept   = "accept: {timeout: 500ms, rounds: 2, pause: 200ms, end: "
		closeout = ", closeout: {grace: 300ms, ticket: offline}"
	)

	return []scene{
		{name: "to-offline", policy: accept + "offline}" + closeout, desk: "agents: [{id: to-offline-a}]"},
		{name: "to-close", policy: accept + "close}" + closeout, desk: "agents: [{id: to-close-a}]"},
		{
			// Whoever is asked on the other desk has as long, and must not miss it on a
			// busy machine.
			name: "to-spare", policy: `accept: {timeout: 6s, rounds: 1, end: "desk:spare"}`, desk: "agents: [{id: to-spare-a}]",
		},
		{name: "spare", desk: "agents: [{id: spare-a}]"},
		{name: "too-long", policy: "queue: {max_wait: 15s, end: close}" + closeout, desk: "agents: [{id: too-long-a}]"},
		{name: "stays", policy: "accept: {rounds: 1}, queue: {max_wait: 1s, end: wait}", desk: "agents: [{id: stays-a, status: not_accepting}]"},
	}
}

// checkEndsOffline: after the last round it is as if nobody were there, and there is
// a ticket to be answered later.
func checkEndsOffline(f *floor) {
	v := f.visitor("to-offline", "unheard")
	view := v.endsUnserved("by system, reason offline")
	require.Equal(f.t, signals.TicketStatusCreated, view.Ticket.Status)

	ticket := v.ticketed(v.key)
	require.Equal(f.t, []string{"visitor: Is anyone there?"}, spoken(&ticket))
	require.True(f.t, ticket.Unreplied)
}

// checkEndsClosed: after the last round it is closed, for a reason of its own.
func checkEndsClosed(f *floor) {
	v := f.visitor("to-close", "unheard")
	view := v.endsUnserved("by system, reason no_agent")
	require.Equal(f.t, signals.TicketStatusSkipped, view.Ticket.Status)
	require.Equal(f.t, "policy: not offline", view.Ticket.Reason)
}

// endsUnserved waits for the end after two rounds, neither earlier nor later.
func (v *visit) endsUnserved(closed string) signals.View {
	v.t.Helper()

	desk := v.key.Source
	view := v.eventually(v.key, 2*patience, "closed", withTicket)
	require.Equal(v.t, []string{desk + "-a expired", desk + "-a expired"}, invitations(&view))
	require.Equal(v.t, []int{1, 2}, []int{view.Invitations[0].Round, view.Invitations[1].Round})
	require.Equal(v.t, []string{closed}, timeline(&view, signals.ConversationClosed))
	require.Empty(v.t, view.Agent)

	told := v.tells(signals.AgentsUnavailable, 2) // once a round
	require.Equal(v.t, "busy", told[1].Availability.Status)
	v.tells(signals.InvitationEnded, 2)
	require.Contains(v.t, v.refuses("accept", by(desk+"-a")), "closed")
	v.leftDesk(desk)
	v.loads(desk, 0, 0, 0, nil)

	return view
}

// checkEndsElsewhere: after the last round another desk's agent is asked, and the
// first desk has nothing of it any more.
func checkEndsElsewhere(f *floor) {
	v := f.visitor("to-spare", "unheard")

	v.accepted("spare-a")

	view := v.until("with the other desk", has("spare-a"))
	require.Equal(f.t, "spare", view.Desk)
	require.Equal(f.t, []string{"to-spare-a expired", "spare-a accepted"}, invitations(&view))
	require.Empty(f.t, timeline(&view, signals.ConversationClosed))
	f.loads("spare", 0, 0, 1, map[string]int{"spare-a": 1})

	v.leftDesk("to-spare")
	f.loads("to-spare", 0, 0, 0, nil)
	require.Contains(f.t, v.refuses("accept", by("to-spare-a")), "with spare-a")

	v.says("spare-a", "What can I do for you?")
	v.closes()
	v.tells(signals.AgentsUnavailable, 1)
	f.loads("spare", 0, 0, 0, nil)
}

// checkLongestWait: the policy's longest wait ends it, although an agent is just
// being asked.
func checkLongestWait(f *floor) {
	v := f.visitor("too-long", "waits")
	view := v.eventually(v.key, 2*patience, "closed", withTicket)
	require.Equal(f.t, []string{"by system, reason max_wait"}, timeline(&view, signals.ConversationClosed))
	require.Equal(f.t, []string{"too-long-a withdrawn closed"}, invitations(&view))
	require.Equal(f.t, "policy: not offline", view.Ticket.Reason)

	require.Equal(f.t, "busy", v.tells(signals.AgentsUnavailable, 1)[0].Availability.Status)
	f.loads("too-long", 0, 0, 0, nil)
}

// checkWaitsOn: where the policy lets the visitor wait on, the longest wait is told
// once, and the place is kept.
func checkWaitsOn(f *floor) {
	v := f.visitor("stays", "waits")

	// Once that nobody can be asked, once that it takes too long.
	told := v.tells(signals.AgentsUnavailable, 2)
	require.ElementsMatch(f.t, []string{"offline", "busy"}, []string{told[0].Availability.Status, told[1].Availability.Status})
	f.loads("stays", 1, 0, 0, nil)

	f.agentIs("stays", "stays-a", signals.AgentAccepting)
	v.accepted("stays-a")
	v.says("stays-a", "Here I am.")
	v.closes()
	v.tells(signals.AgentsUnavailable, 2)
	f.loads("stays", 0, 0, 0, nil)
}
