package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// TestNeed is what a desk is asked for.
func TestNeed(t *testing.T) {
	t.Parallel()

	asked := func(change func(e *signals.Escalation)) signals.Event {
		e := skilled("", 0)
		change(e.Escalation)

		return e
	}
	transfer := event(signals.ConversationTransferred, "", time.Minute)
	transfer.Transfer = &signals.Transfer{GroupIDs: []string{"1"}}
	assign := event(signals.AssignmentRequested, "", time.Second)
	assign.Invitation = &signals.Invitation{Candidates: []signals.Candidate{{AgentID: "jones"}, {AgentID: "smith", Skills: []string{"cards"}}}}

	rule := policy.Default().Accept
	need := func(change func(n *signals.Need)) signals.Need {
		n := signals.Need{Since: epoch(), Visitor: "ann", Timeout: rule.Timeout.Std(), Rounds: rule.Rounds, Pause: rule.Pause.Std()}
		change(&n)

		return n
	}

	for name, tc := range map[string]struct {
		events []signals.Event
		need   signals.Need
	}{
		"an agent":     {[]signals.Event{escalated(0)}, need(func(*signals.Need) {})},
		"with a skill": {[]signals.Event{skilled("cards", 0)}, need(func(n *signals.Need) { n.Skills = []string{"cards"} })},
		"the newest skill": {
			[]signals.Event{skilled("cards", 0), skilled("loans", 1), escalated(2)},
			need(func(n *signals.Need) { n.Skills = []string{"loans"} }),
		},
		"by name": {
			[]signals.Event{asked(func(e *signals.Escalation) { e.AgentID = "jones" })},
			need(func(n *signals.Need) { n.Only = "jones" }),
		},
		"no longer by name": {
			[]signals.Event{asked(func(e *signals.Escalation) { e.AgentID = "jones" }), escalated(1)}, need(func(*signals.Need) {}),
		},
		"urgent": {
			[]signals.Event{asked(func(e *signals.Escalation) { e.Priority = "Urgent" })},
			need(func(n *signals.Need) { n.Priority = 2 }),
		},
		"of high priority": {
			[]signals.Event{asked(func(e *signals.Escalation) { e.Priority = "high" })},
			need(func(n *signals.Need) { n.Priority = 1 }),
		},
		"of low priority": {
			[]signals.Event{asked(func(e *signals.Escalation) { e.Priority = "low" })},
			need(func(n *signals.Need) { n.Priority = -1 }),
		},
		"of normal priority": {[]signals.Event{asked(func(e *signals.Escalation) { e.Priority = "whatever" })}, need(func(*signals.Need) {})},
		"a number": {
			[]signals.Event{asked(func(e *signals.Escalation) { e.Priority = "7" })},
			need(func(n *signals.Need) { n.Priority = 7 }),
		},
		"too high a number": {
			[]signals.Event{asked(func(e *signals.Escalation) { e.Priority = "70000" })},
			need(func(n *signals.Need) { n.Priority = 100 }),
		},
		"of another group, which knows other skills": {
			[]signals.Event{skilled("cards", 0), assign, transfer}, need(func(*signals.Need) {}),
		},
		"one of some": {[]signals.Event{escalated(0), assign}, need(func(n *signals.Need) {
			n.Candidates = []signals.Candidate{{AgentID: "jones"}, {AgentID: "smith"}}
		})},
		"whom another agent left": {
			[]signals.Event{says("ann", "Hi", 0), joined("smith", 1), left("smith", time.Minute)},
			need(func(n *signals.Need) { n.Since, n.Head, n.Not = at(time.Minute), true, "smith" }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(routed)
			tell(m, tc.events...)
			require.NotNil(t, m.Talk.Said.Need)

			got := *m.Talk.Said.Need
			got.Since = got.Since.UTC()
			require.Equal(t, tc.need, got)
		})
	}
}
