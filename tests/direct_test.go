package tests_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

// TestDirectSignals signals conversations as any Temporal SDK does, with
// nothing of Parley's between.
func TestDirectSignals(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, quick).start(t)

	temporal, err := client.DialContext(t.Context(), client.Options{HostPort: fmt.Sprintf("127.0.0.1:%d", parley.ports.grpc)})
	require.NoError(t, err)

	defer temporal.Close()

	key := signals.Key{Source: "livechat", Conversation: "direct"}

	_, err = temporal.SignalWithStartWorkflow(t.Context(), key.WorkflowID(), signals.MessageSignal,
		map[string]any{"text": "hi", "role": "visitor"},
		client.StartWorkflowOptions{ID: key.WorkflowID(), TaskQueue: signals.TaskQueue}, signals.ConversationWorkflow)
	require.NoError(t, err)

	parley.eventually(key, 5*time.Second, "unreplied", func(v signals.View) bool { return v.Unreplied && v.PushTimes > 0 })

	// Several that are taken in together have one order.
	for name, payload := range map[string]map[string]any{
		signals.AgentAcceptedSignal: {"actor_id": "smith", "name": "Agent Smith"},
		signals.EscalationSignal:    {"skill": "billing"},
		signals.TypingSignal:        {"on": true, "role": "agent", "actor_id": "smith"},
		signals.QueueMoveSignal:     {"position": 2},
	} {
		require.NoError(t, temporal.SignalWorkflow(t.Context(), key.WorkflowID(), "", name, payload))
	}

	require.NoError(t, temporal.SignalWorkflow(t.Context(), key.WorkflowID(), "", signals.MessageSignal,
		map[string]any{"text": "hello", "role": "agent", "actor_id": "smith"}))

	parley.eventually(key, 5*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied && v.Messages.Agent == 1 })

	// One element that is no event costs only itself.
	require.NoError(t, temporal.SignalWorkflow(t.Context(), key.WorkflowID(), "", signals.EventsSignal, map[string]any{
		"events": []any{
			map[string]any{"type": "tag.added", "tag": map[string]any{"name": "vip"}},
			map[string]any{"type": 7},
			map[string]any{"type": "tag.added", "tag": map[string]any{"name": "eu"}},
		},
	}))

	view := parley.eventually(key, 5*time.Second, "tagged", func(v signals.View) bool { return len(v.Tags) == 2 })
	require.Equal(t, int64(1), view.Ignored)

	require.NoError(t, temporal.SignalWorkflow(t.Context(), key.WorkflowID(), "", signals.CloseSignal, map[string]any{}))
	view = parley.eventually(key, 10*time.Second, "closed", withTicket)
	require.Equal(t, 1, view.Session)

	// Started anew from outside, without an input, it finds its own number.
	_, err = temporal.SignalWithStartWorkflow(t.Context(), key.WorkflowID(), signals.MessageSignal, map[string]any{"text": "me again"},
		client.StartWorkflowOptions{ID: key.WorkflowID(), TaskQueue: signals.TaskQueue}, signals.ConversationWorkflow)
	require.NoError(t, err)
	parley.eventually(key, 5*time.Second, "the second session", func(v signals.View) bool { return v.Session == 2 })
}
