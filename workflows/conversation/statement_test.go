package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// TestStatement is what the edge is told of a conversation and its desk.
func TestStatement(t *testing.T) {
	t.Parallel()

	m := machine(routed)
	tell(m, says("ann", "Hello?", 0))
	require.Equal(t, signals.Statement{Session: 1, Status: signals.StatusOpen}, m.Statement())

	tell(m, skilled("cards", time.Second))
	first := m.Statement()
	require.Equal(t, signals.Statement{
		Session: 1, Status: signals.StatusQueued, Skill: "cards", Desk: m.Talk.Desk, Kind: signals.AskRequest, Number: m.Talk.Said.Number,
	}, first)
	require.True(t, first.Waits())
	require.NotEmpty(t, first.Desk)

	tell(m, skilled("loans", 2*time.Second))
	second := m.Statement()
	require.Equal(t, "loans", second.Skill)
	require.Greater(t, second.Number, first.Number)

	tell(m, event(signals.AgentAccepted, "smith", 3*time.Second))
	held := m.Statement()
	require.Equal(t, "smith", held.Agent)
	require.False(t, held.Waits())

	tell(m, event(signals.ConversationClosed, "ann", 4*time.Second))
	closed := m.Statement()
	require.Equal(t, at(4*time.Second), closed.ClosedAt)
	require.Zero(t, closed.ReopenedAt)
	require.False(t, closed.Waits())

	tell(m, skilled("loans", 5*time.Second))
	reopened := m.Statement()
	require.Zero(t, reopened.ClosedAt)
	require.Equal(t, at(4*time.Second), reopened.ReopenedAt)
	require.Empty(t, reopened.Agent, "the desk has given smith's slot away")
	require.True(t, reopened.Waits())

	tell(m, event(signals.ConversationClosed, "ann", 6*time.Second))
	again := m.Statement()
	require.Equal(t, at(6*time.Second), again.ClosedAt)
	require.Equal(t, at(4*time.Second), again.ReopenedAt)
}
