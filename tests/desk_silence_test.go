package tests_test

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// silentFor is the reassign clock of the scenes below, pushedAfter the time of the
// second push, at which it goes instead, well before the third.
const (
	silentFor   = 2 * time.Second
	pushedAfter = 4 * time.Second
)

// silenceScenes have a desk whose strategy would ask the silent agent again: a goes
// before b, and b before c. A conversation is taken from an agent once, so that the
// next one may take the time that a busy machine needs.
func silenceScenes() []scene {
	return []scene{
		{
			name: "hushed", policy: "reassign: {after: 2s, max: 1}",
			desk: "strategy: priority, agents: [{id: hushed-a}, {id: hushed-b, priority: 1}, {id: hushed-c, priority: 2}]",
		},
		{
			name: "pushed", policy: "unreplied: {first: 1s, repeat: 3s, reassign_after: 2}, reassign: {after: 0s, max: 1}",
			desk: "strategy: priority, agents: [{id: pushed-a}, {id: pushed-b, priority: 1}, {id: pushed-c, priority: 2}]",
		},
		{name: "dead", desk: "agents: [{id: dead-a}, {id: dead-b}]"},
	}
}

// checkSilence: an agent takes a conversation and says nothing; the clock takes it
// away, and the next agent is invited.
func checkSilence(f *floor) {
	v := f.visitor("hushed", "silence")
	v.accepted("hushed-a")
	f.loads("hushed", 0, 0, 1, map[string]int{"hushed-a": 1})

	view := v.offered("hushed-b")
	require.Empty(f.t, view.Agent)
	require.True(f.t, view.Unreplied, "the visitor waits as before")
	f.loads("hushed", 0, 1, 0, map[string]int{"hushed-b": 1})
	require.Contains(f.t, v.refuses("accept", by("hushed-a")), "is offered to hushed-b")

	v.wasTaken(&view, "hushed-a", "silence", timelineAt(f, &view, signals.AgentAccepted), silentFor)

	require.Equal(f.t, "hushed-b", v.commands("accept", by("hushed-b")).Agent)
	f.loads("hushed", 0, 0, 1, map[string]int{"hushed-b": 1})

	v.says("hushed-b", "Sorry for the wait.")
	v.until("answered", func(w signals.View) bool { return !w.Unreplied && w.Agent == "hushed-b" })

	view = v.closes()
	require.Equal(f.t, []string{"hushed-a accepted", "hushed-b accepted"}, invitations(&view))
	v.tells(signals.AgentReassigned, 1)
	f.loads("hushed", 0, 0, 0, nil)
}

// checkSilentForPushes: the same by the second push. Whoever was silent is not out
// of the line, only behind everybody else.
func checkSilentForPushes(f *floor) {
	v := &visit{floor: f, key: signals.Key{Source: "pushed", Conversation: "silence"}}
	v.happens(signals.EscalationRequested, map[string]any{"actor": visitorAnn()})
	v.accepted("pushed-a")

	// The pushes count from here on, whatever the invitation took.
	v.says("visitor", "Is anyone there?")

	view := v.offered("pushed-b")
	v.wasTaken(&view, "pushed-a", "pushes", timelineAt(f, &view, signals.MessageReceived), pushedAfter)
	f.loads("pushed", 0, 1, 0, map[string]int{"pushed-b": 1})

	var order []signals.Type

	for _, entry := range view.Timeline {
		if entry.Type == signals.UnrepliedPushed || entry.Type == signals.AgentReassigned {
			order = append(order, entry.Type)
		}
	}

	require.Equal(f.t, 2, slices.Index(order, signals.AgentReassigned), "after two pushes: %v", order)

	v.commands("decline", by("pushed-b"))
	v.offered("pushed-c")
	v.commands("decline", by("pushed-c"))
	v.accepted("pushed-a")
	f.loads("pushed", 0, 0, 1, map[string]int{"pushed-a": 1})

	v.says("pushed-a", "Now I am here.")
	v.until("answered", func(w signals.View) bool { return !w.Unreplied })

	view = v.closes()
	require.Equal(f.t, []string{"pushed-a accepted", "pushed-b declined", "pushed-c declined", "pushed-a accepted"}, invitations(&view))
	require.Equal(f.t, 1, view.Invitations[3].Round, "in the first round, as the last one")
	v.tells(signals.AgentReassigned, 1)
	f.loads("pushed", 0, 0, 0, nil)
}

// wasTaken: the conversation was taken from an agent who was silent since then, when
// it was due, and everybody can see it.
func (v *visit) wasTaken(view *signals.View, from, reason string, since time.Time, due time.Duration) {
	v.t.Helper()

	silent := timelineAt(v.floor, view, signals.AgentReassigned).Sub(since)
	require.GreaterOrEqual(v.t, silent, due, "never early")
	require.Less(v.t, silent, due+busy, "on time")

	told := v.tells(signals.AgentReassigned, 1)[0].Assignment
	require.Equal(v.t, from, told.FromAgentID)
	require.Equal(v.t, reason, told.Reason)
	require.Equal(v.t, v.key.Source, told.Desk)
	require.NotNil(v.t, told.SilentSeconds)
	require.Equal(v.t, int64(silent/time.Second), *told.SilentSeconds)
	require.Empty(v.t, told.PlatformAction, "the desk is Parley's own")
}

// checkTerminatedHeld: somebody ends, in the Temporal UI, a conversation that an
// agent has. The desk finds out by itself, within a minute or two, and the slot is
// for the next in line; the desk runs on, and the other agent keeps what is there.
func checkTerminatedHeld(f *floor) {
	// The desk looks once a minute, for the first time a minute after its first
	// conversation, and leaves out whom it heard within ten seconds.
	const looks = 150 * time.Second

	lost := f.visitor("dead", "lost")
	lost.accepted("dead-a")

	kept := f.visitor("dead", "kept")
	kept.accepted("dead-b")

	desk := f.runOf("dead")
	next := f.visitor("dead", "next")
	next.until("in line", is(signals.StatusQueued))
	f.loads("dead", 1, 0, 2, map[string]int{"dead-a": 1, "dead-b": 1})

	f.terminate(lost.key.WorkflowID())
	next.eventually(next.key, looks, "the slot is free", offeredTo("dead-a"))
	f.loads("dead", 0, 1, 1, map[string]int{"dead-a": 1, "dead-b": 1})
	lost.leftDesk("dead")
	require.Equal(f.t, desk, f.runOf("dead"), "nobody began the desk anew")

	require.Equal(f.t, "dead-a", next.commands("accept", by("dead-a")).Agent)
	require.Equal(f.t, "dead-b", kept.until("kept", is(signals.StatusActive)).Agent)
	next.closes()
	kept.closes()
	f.loads("dead", 0, 0, 0, nil)
}

// runOf is the run of a desk.
func (f *floor) runOf(desk string) string {
	f.t.Helper()

	described, err := f.temporal().DescribeWorkflowExecution(f.t.Context(), signals.DeskWorkflowID(desk), "")
	require.NoError(f.t, err)

	return described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
}
