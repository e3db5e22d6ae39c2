package tests_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

const (
	livechatSecret = "livechat-secret-key"
	livechatPath   = "/webhooks/livechat"
)

// sends posts a LiveChat webhook with the secret in its body, and wants exactly
// 200.
func (c *chat) sends(p *process, body map[string]any) {
	c.t.Helper()

	body["secret_key"] = livechatSecret
	answer := p.call(http.MethodPost, livechatPath, encoded(c.t, body))
	require.Equal(c.t, http.StatusOK, answer.status, answer.body)
}

// of is a published sample about this chat.
func (c *chat) of(name string, fields map[string]any) map[string]any {
	c.t.Helper()

	body := fixture(c.t, name)
	payload := inner(c.t, body, "payload")
	payload["chat_id"], payload["thread_id"] = c.id, c.thread
	maps.Copy(payload, fields)

	return body
}

func TestPlatformLiveChat(t *testing.T) {
	t.Parallel()

	const jones = "jones@example.com"

	parley := newInstall(t, brief+`
sources:
  livechat: {dialect: livechat, secrets: ["a newer one", "`+livechatSecret+`"]}
`).start(t)
	c := &chat{t: t, id: "PS0X0L086G", thread: "PZ070E0W1B"}

	// The chat opens, and the visitor writes; LiveChat repeats itself.
	opened := fixture(t, "incoming_chat")
	thread := inner(t, opened, "payload", "chat", "thread")
	thread["id"], thread["created_at"], thread["events"] = c.thread, time.Now().UTC().Format(time.RFC3339Nano), []any{}

	wrong := fixture(t, "incoming_chat")
	wrong["secret_key"] = wrongSecret
	require.Equal(t, http.StatusBadRequest, parley.call(http.MethodPost, livechatPath, encoded(t, wrong)).status)

	_, known := parley.view(c.key())
	require.False(t, known, "what was refused was not applied")

	c.sends(parley, opened)

	question := c.says(ann, "Is <it> \u4f60 there & free?")
	c.sends(parley, question)
	c.sends(parley, question)

	view := parley.eventually(c.key(), 10*time.Second, "unreplied", func(v signals.View) bool { return v.Unreplied })
	require.Equal(t, int64(1), view.Messages.Visitor, "the repetition is the same message")

	// An agent joins and answers; the chat goes on to another.
	c.sends(parley, c.of("user_added_to_chat", map[string]any{
		"user_type": "agent", "user": map[string]any{"id": smith, "name": "Agent Smith", "type": "agent", "present": true},
	}))
	c.sends(parley, c.says(smith, "It is"))
	parley.eventually(c.key(), 10*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied && v.Agent == smith })

	c.sends(parley, c.of("chat_transferred", map[string]any{
		"requester_id": smith, "transferred_to": map[string]any{"agent_ids": []any{jones}}, "queue": nil,
	}))
	c.sends(parley, c.of("user_removed_from_chat", map[string]any{"user_id": smith}))
	parley.eventually(c.key(), 10*time.Second, "transferred", func(v signals.View) bool { return v.Agent == jones })

	// A bare payload says its name in the path, and its secret as a bearer token.
	bare := inner(t, c.says(ann, "And by Friday?"), "payload")
	require.Equal(t, http.StatusUnauthorized, parley.call(http.MethodPost, livechatPath+"/incoming_event", encoded(t, bare)).status)
	require.Equal(t, http.StatusOK, parley.call(http.MethodPost, livechatPath+"/incoming_event", encoded(t, bare),
		"Authorization", "Bearer "+livechatSecret).status)
	parley.eventually(c.key(), 10*time.Second, "unreplied again", func(v signals.View) bool { return v.Unreplied })

	c.sends(parley, c.says(jones, "By Friday"))
	c.sends(parley, c.of("thread_tagged", map[string]any{"tag": "delivery"}))
	c.sends(parley, map[string]any{"webhook_id": "w", "action": "not_known_yet", "payload": map[string]any{"chat_id": c.id}})
	c.sends(parley, c.closes(jones))

	ticket := parley.ticketed(c.key())
	require.False(t, ticket.Unreplied)
	require.Equal(t, []string{
		"visitor: Is <it> \u4f60 there & free?", "agent: It is", "visitor: And by Friday?", "agent: By Friday",
	}, spoken(&ticket))

	view, _ = parley.view(c.key())
	require.Equal(t, []string{"delivery"}, view.Tags)
	require.Equal(t, int64(1), view.Ignored, "what is not known yet is kept")

	parley.unlogged(livechatSecret, wrongSecret)
}
