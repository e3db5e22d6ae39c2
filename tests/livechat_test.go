package tests_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// The people of the published samples.
const (
	ann   = "345f8235-d60d-433e-63c5-7f813a6ffe25"
	smith = "smith@example.com"
)

// chat makes LiveChat webhooks for one conversation out of the published
// samples.
type chat struct {
	t      *testing.T
	id     string
	thread string
	number int
}

func (c *chat) key() signals.Key { return signals.Key{Source: "livechat", Conversation: c.id} }

// fixture reads a published sample as it is.
func fixture(t *testing.T, name string) map[string]any {
	t.Helper()

	data, err := os.ReadFile(filepath.Join("..", "signals", "dialects", "livechat", "testdata", "fixtures", name+".json"))
	require.NoError(t, err)

	var body map[string]any
	require.NoError(t, json.Unmarshal(data, &body))

	return body
}

func inner(t *testing.T, in map[string]any, keys ...string) map[string]any {
	t.Helper()

	for _, key := range keys {
		next, ok := in[key].(map[string]any)
		require.True(t, ok, key)

		in = next
	}

	return in
}

// says is an incoming_event with a message.
func (c *chat) says(author, text string) map[string]any {
	c.t.Helper()

	c.number++
	body := fixture(c.t, "incoming_event")
	payload := inner(c.t, body, "payload")
	payload["chat_id"], payload["thread_id"] = c.id, c.thread
	event := inner(c.t, payload, "event")
	event["id"] = c.thread + "_" + string(rune('0'+c.number))
	event["text"], event["author_id"] = text, author
	event["created_at"] = time.Now().UTC().Format(time.RFC3339Nano)

	return body
}

// closes is a chat_deactivated.
func (c *chat) closes(by string) map[string]any {
	c.t.Helper()

	body := fixture(c.t, "chat_deactivated")
	payload := inner(c.t, body, "payload")
	payload["chat_id"], payload["thread_id"], payload["user_id"] = c.id, c.thread, by

	return body
}
