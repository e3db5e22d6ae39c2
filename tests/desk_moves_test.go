package tests_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// agentIs says how an agent is, as a platform does.
func (f *floor) agentIs(source, agent, status string) {
	f.t.Helper()

	f.post("/webhooks/"+source, map[string]any{
		"id": agent + status + time.Now().String(), "type": signals.AgentStatusChanged,
		"agent": map[string]any{"id": agent, "status": status},
	})
}

// checkOffline: an agent goes offline in the midst of a chat; it is taken from
// there, and everybody can see from whom and why.
func checkOffline(f *floor) {
	v := f.visitor("offline", "dropped")
	v.accepted("offline-a")
	v.says("offline-a", "Let me see.")
	v.says("visitor", "Hello?")
	v.until("owed", func(w signals.View) bool { return w.Messages.Visitor == 2 && w.Unreplied })

	other := f.visitor("offline", "back-in-time")
	other.accepted("offline-b")

	f.agentIs("offline", "offline-a", signals.AgentOffline)

	view := v.offered("offline-b")
	require.Empty(f.t, view.Agent)
	require.Len(f.t, timeline(&view, signals.AgentReassigned), 1)

	told := v.tells(signals.AgentReassigned, 1)[0].Assignment
	require.Equal(f.t, "offline-a", told.FromAgentID)
	require.Equal(f.t, signals.ReasonOffline, told.Reason)
	require.Equal(f.t, "offline", told.Desk)
	require.NotNil(f.t, told.SilentSeconds)

	require.Equal(f.t, "offline-b", v.commands("accept", by("offline-b")).Agent)
	f.loads("offline", 0, 0, 2, map[string]int{"offline-b": 2})

	// Nobody else is there now: b is kept although b goes, too.
	f.agentIs("offline", "offline-b", signals.AgentOffline)

	for _, kept := range []*visit{v, other} {
		require.Equal(f.t, "busy", kept.tells(signals.AgentsUnavailable, 1)[0].Availability.Status)
		require.Equal(f.t, "offline-b", kept.until("kept", has("offline-b")).Agent)
	}

	f.agentIs("offline", "offline-b", signals.AgentAccepting)
	v.says("offline-b", "I am back.")
	v.closes()
	other.closes()
	f.loads("offline", 0, 0, 0, nil)
}

// checkOneSilent: nobody else is there, so that a silent agent keeps it, and the
// channels know, once.
func checkOneSilent(f *floor) {
	v := &visit{floor: f, key: signals.Key{Source: "silent", Conversation: "kept"}}
	v.says("visitor", "Is anyone there?")
	v.happens(signals.AgentAccepted, map[string]any{"actor": map[string]any{"id": "silent-a", "role": "agent"}})
	v.until("taken", has("silent-a"))

	require.Equal(f.t, "busy", v.tells(signals.AgentsUnavailable, 1)[0].Availability.Status)

	view := v.until("kept", has("silent-a"))
	require.Empty(f.t, view.Invitations)
	require.Empty(f.t, v.told(signals.AgentReassigned))
	require.True(f.t, view.Unreplied)

	v.says("silent-a", "Sorry.")
	v.closes()
	v.tells(signals.AgentsUnavailable, 1)
}

// checkAgentPingPong: two agents hand a conversation to each other; each time one
// slot is taken and the other free.
func checkAgentPingPong(f *floor) {
	v := f.visitor("pair", "agents")
	v.accepted("pair-a")

	// By a command there, by the platform's word back.
	for range 3 {
		require.Equal(f.t, "pair-b", v.commands("transfer", by("pair-b")).Agent)
		f.loads("pair", 0, 0, 1, map[string]int{"pair-b": 1})

		v.happens(signals.ConversationTransferred, map[string]any{"transfer": map[string]any{"agent_ids": []string{"pair-a"}}})
		v.until("back", has("pair-a"))
		f.loads("pair", 0, 0, 1, map[string]int{"pair-a": 1})
	}

	view := v.closes()
	require.Equal(f.t, []string{"pair-a accepted"}, invitations(&view), "nobody is asked who is given it")
	f.loads("pair", 0, 0, 0, nil)
}

// checkDeskPingPong: two desks send a visitor to each other; one of them has it
// at a time, and it is offered there anew.
func checkDeskPingPong(f *floor) {
	v := f.visitor("ping", "desks")
	agents, groups := map[string]string{"ping": "ping-a", "pong": "pong-c"}, map[string]string{"ping": "1", "pong": "2"}
	to := func(desk, from string, command bool) {
		if command {
			v.commands("transfer", map[string]any{"desk": desk, "by": "ops"})
		} else {
			v.happens(signals.ConversationTransferred, map[string]any{"transfer": map[string]any{"group_ids": []string{groups[desk]}}})
		}

		view := v.offered(agents[desk])
		require.Equal(f.t, desk, view.Desk)
		v.leftDesk(from)
		require.Equal(f.t, signals.DeskOffered, v.atDesk(desk))
		require.Contains(f.t, v.refuses("accept", by(agents[from])), "is offered to "+agents[desk])
	}

	v.offered("ping-a")
	to("pong", "ping", false)
	to("ping", "pong", true)
	to("pong", "ping", true)
	v.commands("accept", by("pong-c"))
	to("ping", "pong", false) // from an agent who has it
	v.commands("accept", by("ping-a"))
	f.loads("ping", 0, 0, 1, map[string]int{"ping-a": 1})

	view := v.closes()
	require.Equal(f.t, []string{
		"ping-a withdrawn transferred to pong", "pong-c withdrawn transferred to ping", "ping-a withdrawn transferred to pong",
		"pong-c accepted", "ping-a accepted",
	}, invitations(&view))
	f.loads("ping", 0, 0, 0, nil)
	f.loads("pong", 0, 0, 0, nil)
}

// checkTerminatedChat: somebody ends a conversation in the Temporal UI while it is
// offered; the desk asks after it, and the next in line has the slot.
func checkTerminatedChat(f *floor) {
	v := f.visitor("ended", "no-more")
	v.offered("ended-a")
	f.terminate(v.key.WorkflowID())

	next := f.visitor("ended", "next")
	next.until("in line", is(signals.StatusQueued))
	f.loads("ended", 1, 1, 0, map[string]int{"ended-a": 1})

	// The time to accept, and what a desk waits beyond it for a word.
	const doubts = 40 * time.Second

	next.eventually(next.key, doubts, "the slot is free", offeredTo("ended-a"))
	v.leftDesk("ended")
	next.closes()
	f.loads("ended", 0, 0, 0, nil)
}

// checkTerminatedDesk: somebody ends a desk; the next that begins learns from
// those that are open what its agents have, and who waits.
func checkTerminatedDesk(f *floor) {
	dead, kept, also := f.visitor("refill", "dead"), f.visitor("refill", "kept"), f.visitor("refill", "also")

	for _, v := range []*visit{dead, kept, also} {
		agent := v.until("offered", is(signals.StatusOffered)).Offered
		require.Equal(f.t, agent, v.commands("accept", by(agent)).Agent)
	}

	f.loads("refill", 0, 0, 3, map[string]int{"refill-a": 2, "refill-b": 1})

	first := f.visitor("refill", "first")
	first.until("in line", is(signals.StatusQueued))
	f.loads("refill", 1, 0, 3, map[string]int{"refill-a": 2, "refill-b": 1})

	free := dead.until("who has it", is(signals.StatusActive)).Agent
	f.terminate(dead.key.WorkflowID())
	f.terminate(signals.DeskWorkflowID("refill"))

	second := f.visitor("refill", "second")
	first.offered(free)
	second.until("in line", is(signals.StatusQueued))
	f.loads("refill", 1, 1, 2, map[string]int{"refill-a": 2, "refill-b": 1})

	first.commands("accept", by(free))
	kept.closes()
	also.closes()
	second.until("offered", is(signals.StatusOffered))
	second.closes()
	first.closes()
	f.loads("refill", 0, 0, 0, nil)
}
