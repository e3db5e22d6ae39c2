package tests_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// said makes a message in Parley's own dialect.
func ownMessage(conversation, id string) map[string]any {
	return map[string]any{
		"id": id, "type": signals.MessageReceived, "conversation": conversation,
		"actor": map[string]any{"id": "ann", "role": signals.RoleVisitor}, "message": map[string]any{"text": id},
	}
}

// checkTwoAgents lets two agents accept at once, again and again: one has it,
// the other is told who.
func checkTwoAgents(t *testing.T, parley *process) {
	t.Helper()

	const rounds = 20

	agents := []string{"smith", "jones"}

	for round := range rounds {
		key := signals.Key{Source: "parley", Conversation: fmt.Sprintf("agents-%d", round)}
		parley.post("/webhooks/parley", ownMessage(key.Conversation, "m1"))

		var (
			racing   sync.WaitGroup
			statuses [2]int
			bodies   [2][]byte
		)

		for i, agent := range agents {
			racing.Go(func() {
				statuses[i], bodies[i] = parley.do(http.MethodPost, conversationPath(key)+"/accept", map[string]any{"agent_id": agent})
			})
		}

		racing.Wait()

		won := 0
		if statuses[1] == http.StatusOK {
			won = 1
		}

		require.Equal(t, http.StatusOK, statuses[won], "%s %s", bodies[0], bodies[1])
		require.Equal(t, http.StatusConflict, statuses[1-won], "%s", bodies[1-won])
		require.Contains(t, string(bodies[1-won]), "is with "+agents[won])

		// Who has it may say so again.
		parley.answer(http.MethodPost, conversationPath(key)+"/accept", map[string]any{"agent_id": agents[won]}, &signals.View{})

		view, ok := parley.view(key)
		require.True(t, ok)
		require.Equal(t, agents[won], view.Agent)
		require.Equal(t, signals.StatusActive, view.Status)
	}
}

func checkCommands(t *testing.T, parley *process) {
	t.Helper()

	key := signals.Key{Source: "parley", Conversation: "commands / : % ?"}
	path := conversationPath(key)
	command := func(name string, body any, header ...string) signals.View {
		var view signals.View

		parley.answer(http.MethodPost, path+"/"+name, body, &view, header...)

		return view
	}

	parley.problemOf(http.StatusNotFound, http.MethodPost, path+"/accept", map[string]any{"agent_id": "smith"})
	parley.answer(http.MethodPost, path+"/events", ownMessage(key.Conversation, "m1"), &taken{})

	view := command("assign", map[string]any{"agent_id": "smith", "agent_name": "Agent Smith", "by": "ops"})
	require.Equal(t, "smith", view.Agent)
	require.Equal(t, key.Conversation, view.ID)

	until := time.Now().Add(time.Hour).UTC()
	require.Equal(t, signals.StatusSnoozed, command("snooze", map[string]any{"until": until, "by": "ops"}).Status)

	parley.answer(http.MethodPost, path+"/events", ownMessage(key.Conversation, "m2"), &taken{})
	parley.eventually(key, 5*time.Second, "woken by the visitor", func(v signals.View) bool { return v.Status == signals.StatusActive })

	once := []string{"Idempotency-Key", "note-1"}
	command("notes", map[string]any{"text": "Called back."}, once...)
	noted := len(command("notes", map[string]any{"text": "Called back."}, once...).Timeline)
	require.Len(t, command("notes", map[string]any{"text": "Called back."}).Timeline, noted+1, "without a key it is a second note")
	require.Equal(t, "Idempotency-Key", parley.problemOf(http.StatusUnprocessableEntity, http.MethodPost, path+"/notes",
		map[string]any{"text": "Never called back."}, once...).Field, "the same key with another body")

	require.Equal(t, "agent", parley.problemOf(http.StatusUnprocessableEntity, http.MethodPost, path+"/accept",
		map[string]any{"agent": "smith"}).Field)
	require.Equal(t, "agent_id", parley.problemOf(http.StatusUnprocessableEntity, http.MethodPost, path+"/accept", "{}").Field)
	require.Contains(t, parley.problemOf(http.StatusConflict, http.MethodPost, path+"/decline",
		map[string]any{"agent_id": "smith"}).Detail, "no invitation")

	require.Equal(t, signals.StatusClosing, command("close", map[string]any{"by": "ops", "reason": "done"}).Status)
	require.Equal(t, signals.StatusActive, command("reopen", map[string]any{"by": "ops"}).Status)
	command("close", map[string]any{"by": "ops"})
	parley.eventually(key, 5*time.Second, "closed", func(v signals.View) bool { return v.Status == signals.StatusClosed })
	require.Equal(t, signals.StatusClosed, command("close", map[string]any{"by": "ops"}).Status, "closing it again changes nothing")
	parley.problemOf(http.StatusConflict, http.MethodPost, path+"/reopen", map[string]any{"by": "ops"})
}
