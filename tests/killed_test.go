package tests_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// TestKilledAtEveryTurn kills the process while pushes are on their way, while
// replies and closes come in, and while tickets are being made: each
// conversation ends with one ticket, outside as inside, and each notice is
// repeated under its own id only.
func TestKilledAtEveryTurn(t *testing.T) {
	t.Parallel()

	const conversations = 20

	ops := newReceiver(t)
	one := newInstall(t, `
policies:
  default:
    unreplied: {first: 300ms, repeat: 1h}
    closeout:  {grace: 300ms}
    notify:    {unreplied.pushed: [ops]}
channels:
  ops: {kind: webhook, url: "`+ops.URL+`/parley"}
tickets: {kind: webhook, url: "`+ops.URL+`/tickets"}
network: {allow: ["127.0.0.0/8"]}
`)
	key := func(i int) signals.Key {
		return signals.Key{Source: "parley", Conversation: fmt.Sprintf("turn-%d", i)}
	}

	parley := one.start(t)

	for i := range conversations {
		parley.post("/webhooks/parley", ownMessage(key(i).Conversation, "m1"))
	}

	require.Eventually(t, func() bool { return len(ops.all()) > 0 }, 10*time.Second, time.Millisecond)
	parley.kill()

	parley = one.start(t)

	for i := range conversations {
		parley.post("/webhooks/parley", []any{agentMessage(key(i).Conversation, "m2"), map[string]any{
			"id": "c1", "type": signals.ConversationClosed, "conversation": key(i).Conversation, "closing": map[string]any{"by_role": "agent"},
		}})
	}

	parley.kill()

	parley = one.start(t)

	require.Eventually(t, func() bool { return len(ops.keys()) > 0 }, 10*time.Second, time.Millisecond)
	parley.kill()

	parley = one.start(t)
	tickets := map[string]bool{}

	for i := range conversations {
		view := parley.eventually(key(i), 30*time.Second, "its ticket is made", func(v signals.View) bool {
			return v.Ticket != nil && v.Ticket.Status == signals.TicketStatusCreated
		})
		require.Equal(t, signals.StatusClosed, view.Status)
		require.Equal(t, 1, view.Session)
		require.Equal(t, signals.MessageCounts{Visitor: 1, Agent: 1}, view.Messages)
		require.Equal(t, view.Accepted, view.Applied+view.Late+view.Ignored)
		require.Equal(t, "EXT-7", view.Ticket.ExternalID)
		require.LessOrEqual(t, view.PushTimes, 1)

		tickets[view.Ticket.ID] = true
	}

	require.Len(t, tickets, conversations)
	require.Len(t, ops.keys(), conversations, "a ticket is asked for under one key only")

	pushes := map[string]bool{}

	for _, got := range ops.all() {
		if strings.Contains(got.body, `"UNREPLIED"`) {
			pushes[got.id] = true
		}
	}

	require.LessOrEqual(t, len(pushes), conversations, "one push each, however often it was tried")

	var list struct {
		Tickets []signals.Ticket `json:"tickets"`
	}

	parley.answer(http.MethodGet, "/v1/tickets?limit=200", nil, &list)
	require.Len(t, list.Tickets, conversations)
}

// keys are the idempotency keys of the tickets that were asked for.
func (r *receiver) keys() map[string]bool {
	keys := map[string]bool{}

	for _, got := range r.all() {
		if got.key != "" {
			keys[got.key] = true
		}
	}

	return keys
}
