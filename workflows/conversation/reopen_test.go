package conversation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// served is a conversation that smith had, and that was closed 20 s after it began.
func served(t *testing.T, changes ...func(s *policy.Snapshot)) *conversation.Machine {
	t.Helper()

	m := machine(changes...)
	tell(m, escalated(0), event(signals.AgentAccepted, "smith", time.Second), says("smith", "Done", 2*time.Second))
	require.Equal(t, "smith", m.Agent)
	tell(m, event(signals.ConversationClosed, "ann", 20*time.Second))

	return m
}

// TestPlatformTakesAgentsOut of what it closes: the agent is asked first all the same.
func TestPlatformTakesAgentsOut(t *testing.T) {
	t.Parallel()

	for name, offset := range map[string]time.Duration{"with the close": 20 * time.Second, "after it": 21 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := served(t, routed)
			tell(m, left("smith", offset), says("ann", "One more", 30*time.Second))

			need := m.Talk.Said.Need
			require.NotNil(t, need)
			require.True(t, need.Head)
			require.Equal(t, "smith", need.Again)
			require.Empty(t, need.Not)
		})
	}
}

// TestWhoLeftBefore: as without a close. Who owed an answer is not asked first.
func TestWhoLeftBefore(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		asked  bool
		status signals.Status
	}{"owing nothing": {false, signals.StatusOpen}, "owing an answer": {true, signals.StatusQueued}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(routed)
			tell(m, escalated(0), event(signals.AgentAccepted, "smith", time.Second), says("smith", "Done", 2*time.Second))

			if tc.asked {
				tell(m, says("ann", "Really?", 3*time.Second))
			}

			tell(m, left("smith", 4*time.Second), event(signals.ConversationClosed, "ann", 20*time.Second))
			tell(m, says("ann", "One more", 30*time.Second))
			require.Equal(t, tc.status, m.Status)

			if tc.asked {
				require.Empty(t, m.Talk.Said.Need.Again)
			}
		})
	}
}

// TestEscalatedAfterItWasLifted keeps the place: bots escalate what a visitor wrote.
func TestEscalatedAfterItWasLifted(t *testing.T) {
	t.Parallel()

	m := served(t, routed)
	tell(m, says("ann", "One more", 30*time.Second), escalated(time.Minute))
	require.True(t, m.Talk.Said.Need.Head)
	require.Equal(t, at(30*time.Second), m.Talk.Said.Need.Since)
}

// TestWishThatNobodyMet holds over a close.
func TestWishThatNobodyMet(t *testing.T) {
	t.Parallel()

	byName := escalated(0)
	byName.Escalation = &signals.Escalation{AgentID: "jones"}

	named := event(signals.AssignmentRequested, "", time.Second)
	named.Invitation = &signals.Invitation{Candidates: []signals.Candidate{{AgentID: "jones"}}}

	m := machine(routed)
	tell(m, byName, named, event(signals.ConversationClosed, "ann", 20*time.Second), says("ann", "Still here", 30*time.Second))
	require.Equal(t, signals.StatusQueued, m.Status)
	require.Equal(t, "jones", m.Talk.Said.Need.Only)
	require.Len(t, m.Talk.Said.Need.Candidates, 1)
}

// TestReopenedWhileItWaited: taken back, the close leaves the visitor in line.
func TestReopenedWhileItWaited(t *testing.T) {
	t.Parallel()

	m := served(t, routed)
	tell(m, says("ann", "One more", 30*time.Second))
	require.Equal(t, signals.StatusQueued, m.Status)
	require.NoError(t, m.Command(signals.CloseUpdate, signals.Command{By: "ops"}, at(40*time.Second)))
	require.NoError(t, m.Command(signals.ReopenUpdate, signals.Command{By: "ops"}, at(50*time.Second)))
	require.Empty(t, m.Agent, "the slot was given away with the first close")
	tell(m, says("ann", "Anybody?", time.Minute))
	require.Equal(t, signals.StatusQueued, m.Status)
}

// TestMoreClosesThanAreKept, and nobody took it between them.
func TestMoreClosesThanAreKept(t *testing.T) {
	t.Parallel()

	m := served(t, routed)

	for i := range 25 {
		tell(m, says("ann", "One more", time.Duration(30+20*i)*time.Second))
		require.Equal(t, signals.StatusQueued, m.Status, i)
		require.Equal(t, "smith", m.Talk.Said.Need.Again)
		tell(m, event(signals.ConversationClosed, "ann", time.Duration(40+20*i)*time.Second))
	}
}

// TestLiftedBefore: what was lifted when that let go of nobody stays as it is.
func TestLiftedBefore(t *testing.T) {
	t.Parallel()

	platform := func(s *policy.Snapshot) { s.Desk = "support" }

	for name, tc := range map[string]struct {
		under  func(s *policy.Snapshot)
		rules  int
		change func(state *conversation.State)
	}{
		"by older rules":        {routed, 4, func(*conversation.State) {}},
		"by a build before":     {routed, 4, func(s *conversation.State) { s.ResumedAt, s.Version = time.Time{}, 1 }},
		"routed by a platform":  {platform, 5, func(*conversation.State) {}},
		"closed again, by that": {routed, 4, func(s *conversation.State) { s.ResumedAt, s.Version = time.Time{}, 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(tc.under)
			m.Rules = conversation.RulesFor(tc.rules)
			tell(m, escalated(0), event(signals.AgentAccepted, "smith", time.Second), event(signals.ConversationClosed, "ann", 20*time.Second))
			tell(m, says("ann", "One more", 30*time.Second))
			require.Equal(t, "smith", m.Agent)

			if name == "closed again, by that" {
				tell(m, event(signals.ConversationClosed, "ann", 40*time.Second))
			}

			data, err := json.Marshal(m.State)
			require.NoError(t, err)

			var state conversation.State

			require.NoError(t, json.Unmarshal(data, &state))
			tc.change(&state)

			next := conversation.Resume(&state, under(routed))
			next.Settle(at(time.Minute))
			require.Equal(t, "smith", next.Agent)
		})
	}
}

// TestSnoozeWhileTheDeskIsClosed does not make the wait longer.
func TestSnoozeWhileTheDeskIsClosed(t *testing.T) {
	t.Parallel()

	m := machine(routed)
	tell(m, escalated(0))

	closed := word(m, signals.OfferNone, 0, "", 0)
	closed.Reason, closed.Until = signals.ReasonClosed, at(12*time.Hour)
	m.Offer(closed, at(0))
	require.Equal(t, 12*time.Hour+30*time.Minute, due(m)["queue"])
	require.NoError(t, m.Command(signals.SnoozeUpdate, signals.Command{Until: at(11 * time.Hour)}, at(time.Hour)))
	m.Tick(at(11 * time.Hour))
	require.Equal(t, 12*time.Hour+30*time.Minute, due(m)["queue"])
}
