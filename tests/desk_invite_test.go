package tests_test

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// checkOutOfHours: the visitor becomes a ticket, and no agent is disturbed.
func checkOutOfHours(f *floor) {
	v := f.visitor("shut", "night")
	view := v.until("a ticket", withTicket)

	require.Empty(f.t, view.Invitations)
	require.Empty(f.t, view.Agent)
	require.Contains(f.t, timeline(&view, signals.ConversationClosed)[0], "offline")

	ticket := v.ticketed(v.key)
	require.Equal(f.t, []string{"visitor: Is anyone there?"}, spoken(&ticket))
	require.True(f.t, ticket.Unreplied)

	told := v.tells(signals.AgentsUnavailable, 1)
	require.Equal(f.t, "offline", told[0].Availability.Status)
	f.loads("shut", 0, 0, 0, nil)
	require.False(f.t, f.desk("shut").Open)
}

// checkWaitsForHours: where the policy says so the visitor keeps the place, and
// the channels know.
func checkWaitsForHours(f *floor) {
	v := f.visitor("later", "night")
	told := v.tells(signals.AgentsUnavailable, 1)
	require.Equal(f.t, "offline", told[0].Availability.Status)

	f.loads("later", 1, 0, 0, nil)

	view := v.until("queued", is(signals.StatusQueued))
	require.Empty(f.t, view.Invitations)

	// Whoever is given it all the same has it.
	require.Contains(f.t, v.refuses("accept", by("later-a")), "no invitation is out to later-a")
	require.Contains(f.t, v.refuses("accept", by("x")), "no invitation is out to x")
	require.Contains(f.t, v.refuses("assign", by("x")), "no desk knows an agent x")
	require.Equal(f.t, "later-a", v.commands("assign", by("later-a")).Agent)
	f.loads("later", 0, 0, 1, map[string]int{"later-a": 1})
	v.closes()
	f.loads("later", 0, 0, 0, nil)
}

// checkAllBusy: who waits is served in order as slots become free.
func checkAllBusy(f *floor) {
	first := f.visitor("busy", "first")
	first.accepted("busy-a")

	second := f.visitor("busy", "second")
	second.until("in line", is(signals.StatusQueued))
	f.loads("busy", 1, 0, 1, map[string]int{"busy-a": 1})

	third := f.visitor("busy", "third")
	third.until("in line", is(signals.StatusQueued))
	f.loads("busy", 2, 0, 1, map[string]int{"busy-a": 1})

	queue := f.desk("busy").Queue
	require.Equal(f.t, []string{"second", "third"}, []string{queue[0].Conversation, queue[1].Conversation})
	require.Equal(f.t, []int{1, 2}, []int{queue[0].Position, queue[1].Position})

	first.closes()
	second.accepted("busy-a")
	require.Equal(f.t, signals.StatusQueued, third.until("still in line", is(signals.StatusQueued)).Status)
	second.closes()
	third.accepted("busy-a")
	third.closes()

	for _, v := range []*visit{first, second, third} {
		require.Len(f.t, v.tells(signals.InvitationSent, 1), 1)
		require.Empty(f.t, v.told(signals.AgentsUnavailable), "busy is no end of a round")
	}

	f.loads("busy", 0, 0, 0, nil)
}

// checkThirdAgent: the first is silent, the second declines, the third accepts;
// the card, the timeline, the channel and the ticket tell it.
func checkThirdAgent(f *floor) {
	v := f.visitor("third", "patience")

	first := v.offered("third-a")
	require.Equal(f.t, signals.StatusOffered, first.Status)
	require.Contains(f.t, v.card(), `- invitation to third\-a: open until `)

	view := v.offered("third-b")
	require.Equal(f.t, []string{"third-a expired", "third-b"}, invitations(&view))

	late := timelineAt(f, &view, signals.InvitationEnded).Sub(first.Invitations[0].ExpiresAt)
	require.GreaterOrEqual(f.t, late, time.Duration(0), "an invitation never ends early")
	require.Less(f.t, late, 2*time.Second, "an invitation ends on time")

	require.Contains(f.t, v.refuses("accept", by("third-a")), "is offered to third-b")
	v.commands("decline", map[string]any{"agent_id": "third-b", "reason": "lunch"})

	v.accepted("third-c")
	f.loads("third", 0, 0, 1, map[string]int{"third-c": 1})

	v.says("third-c", "Yes, how may I help you?")
	v.until("answered", func(w signals.View) bool { return w.Messages.Agent == 1 && !w.Unreplied })

	view = v.commands("close", map[string]any{"by": "third-c"})
	require.Equal(f.t, []string{"third-a expired", "third-b declined lunch", "third-c accepted"}, invitations(&view))
	require.Equal(f.t, []string{"to third-a, round 1", "to third-b, round 1", "to third-c, round 1"}, timeline(&view, signals.InvitationSent))
	require.Equal(f.t, []string{
		"to third-a, expired, round 1", "to third-b, declined, reason lunch, round 1", "to third-c, accepted, round 1",
	}, timeline(&view, signals.InvitationEnded))

	ticket := v.ticketed(v.key)
	require.Equal(f.t, []string{"visitor: Is anyone there?", "agent: Yes, how may I help you?"}, spoken(&ticket))
	require.False(f.t, ticket.Unreplied)

	sent := v.tells(signals.InvitationSent, 3)
	asked := []string{sent[0].Invitation.AgentID, sent[1].Invitation.AgentID, sent[2].Invitation.AgentID}
	require.ElementsMatch(f.t, []string{"third-a", "third-b", "third-c"}, asked)
	v.tells(signals.InvitationEnded, 3)

	card := v.card()
	for _, line := range []string{`third\-a: expired`, `third\-b: declined (lunch)`, `third\-c: accepted`} {
		require.Contains(f.t, card, "- invitation to "+line+"\n")
	}

	f.loads("third", 0, 0, 0, nil)
}

// timelineAt is when the first line of a kind was written.
func timelineAt(f *floor, view *signals.View, kind signals.Type) time.Time {
	f.t.Helper()

	at := slices.IndexFunc(view.Timeline, func(e signals.TimelineEntry) bool { return e.Type == kind })
	require.GreaterOrEqual(f.t, at, 0)

	return view.Timeline[at].At
}

// checkOneInvited: the only agent lets every round pass; the channels are told
// once a round, and the visitor keeps the place.
func checkOneInvited(f *floor) {
	v := f.visitor("lonely", "unheard")

	told := v.tells(signals.AgentsUnavailable, 2)
	require.Equal(f.t, "busy", told[0].Availability.Status)

	view := v.until("in line", is(signals.StatusQueued))
	require.Equal(f.t, []string{"lonely-a expired", "lonely-a expired"}, invitations(&view))
	f.loads("lonely", 1, 0, 0, nil)

	v.closes()
}

// checkVisitorLeaves: the invitation is withdrawn, and the next in line has it.
func checkVisitorLeaves(f *floor) {
	v := f.visitor("leaves", "gone")
	v.offered("leaves-a")

	next := f.visitor("leaves", "next")
	next.until("in line", is(signals.StatusQueued))

	v.happens(signals.ParticipantLeft, map[string]any{
		"actor": visitorAnn(), "participant": map[string]any{"id": "ann", "role": "visitor"},
	})

	view := v.until("closed", withTicket)
	require.Equal(f.t, []string{"leaves-a withdrawn closed"}, invitations(&view))
	require.Contains(f.t, timeline(&view, signals.ConversationClosed)[0], "abandoned")
	require.Contains(f.t, v.refuses("accept", by("leaves-a")), "closed")

	// Who comes back in time keeps the place.
	next.offered("leaves-a")
	next.happens(signals.ParticipantLeft, map[string]any{
		"actor": visitorAnn(), "participant": map[string]any{"id": "ann", "role": "visitor"},
	})
	next.says("visitor", "I am still here.")
	next.until("back", func(w signals.View) bool { return w.Messages.Visitor == 2 })
	require.Equal(f.t, "leaves-a", next.commands("accept", by("leaves-a")).Agent)
	next.closes()
	f.loads("leaves", 0, 0, 0, nil)
}

// checkTwoAccept lets the invited agent and another one accept at once, again
// and again: one has it, the other is told who.
func checkTwoAccept(f *floor) {
	for round := range 10 {
		v := f.visitor("races", "both-"+strconv.Itoa(round))
		v.offered("races-a")

		var (
			statuses [2]int
			bodies   [2][]byte
		)

		path := conversationPath(v.key) + "/accept"

		together(
			func() { statuses[0], bodies[0] = f.do(http.MethodPost, path, by("races-a")) },
			func() { statuses[1], bodies[1] = f.do(http.MethodPost, path, by("races-b")) },
		)

		require.Equal(f.t, http.StatusOK, statuses[0], string(bodies[0]))
		require.Equal(f.t, http.StatusConflict, statuses[1], string(bodies[1]))
		require.Regexp(f.t, `the conversation is (with|offered to) races-a\b`, string(bodies[1]))
		require.Equal(f.t, "the conversation is with races-a", v.refuses("accept", by("races-b")))
		require.Equal(f.t, "races-a", v.commands("accept", by("races-a")).Agent, "who has it may say so again")
		v.commands("close", map[string]any{})
		v.leftDesk("races")
	}
}

// checkAcceptAndClose lets an accept and a close race: whichever was first, it is
// closed in the end, and the slot is free.
func checkAcceptAndClose(f *floor) {
	for round := range 6 {
		v := f.visitor("races", "over-"+strconv.Itoa(round))
		v.offered("races-a")

		var (
			accepted, closed int
			why, answer      []byte
		)

		path := conversationPath(v.key)

		together(
			func() { accepted, why = f.do(http.MethodPost, path+"/accept", by("races-a")) },
			func() { closed, answer = f.do(http.MethodPost, path+"/close", map[string]any{"by": "ops"}) },
		)

		require.Equal(f.t, http.StatusOK, closed, string(answer))

		outcome := "races-a accepted"
		if accepted != http.StatusOK {
			require.Equal(f.t, http.StatusConflict, accepted, string(why))
			require.Contains(f.t, string(why), "closed")

			outcome = "races-a withdrawn closed"
		}

		view := v.until("closed", withTicket)
		require.Equal(f.t, []string{outcome}, invitations(&view))
		require.Contains(f.t, v.refuses("accept", by("races-a")), "closed")
		v.leftDesk("races")
	}
}

// checkPlatformsWord: an agent whom nobody invited has it on the platform, and
// the invitation is withdrawn.
func checkPlatformsWord(f *floor) {
	v := f.visitor("races", "fact")
	v.offered("races-a")
	v.happens(signals.AgentAccepted, map[string]any{"actor": map[string]any{"id": "z", "role": "agent"}})

	view := v.until("with z", has("z"))
	require.Equal(f.t, []string{"races-a withdrawn z has it"}, invitations(&view))
	require.Equal(f.t, "the conversation is with z", v.refuses("accept", by("races-a")))
	require.Contains(f.t, v.refuses("decline", by("races-a")), "with z")
	require.Eventually(f.t, func() bool { return v.atDesk("races") == signals.DeskActive }, patience, 50*time.Millisecond)

	v.closes()
	v.leftDesk("races")
}
