package tests_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
)

// againWindow is the retry window of every source here.
const againWindow = 5 * time.Second

// swing is a platform's two states, each always in the same words and without an
// id of the platform's.
type swing struct {
	path string
	// start begins the conversation that the states are about; nil where they
	// are the account's.
	start, on, off any
	// conversation is empty for the account's, and for one that the answer names.
	conversation string
}

func swings(t *testing.T) map[string]swing {
	t.Helper()

	changed := func(dialect, name string, change func(body map[string]any)) map[string]any {
		body := sample(t, dialect, name)
		change(body)

		return body
	}
	routing := func(status string) any {
		return changed("livechat", "routing_status_set", func(body map[string]any) { inner(t, body, "payload")["status"] = status })
	}
	agent := func(status string) any {
		return changed("acquire", "derived/user-status", func(body map[string]any) { inner(t, body, "data")["status"] = status })
	}
	now := time.Now().Unix()
	chats := func(name string) any {
		return changed("inbenta", name, func(body map[string]any) { body["created_at"] = now })
	}
	unreplied := func(status string) any {
		return changed("twt", "UNREPLIED", func(body map[string]any) {
			body["created_at"] = now

			one, ok := body["content"].([]any)[0].(map[string]any)
			require.True(t, ok)

			one["created_at"], one["status"] = now-60, status
		})
	}
	own := func(status string) any {
		return map[string]any{"type": "agent.status_changed", "agent": map[string]any{"id": "smith", "status": status}}
	}
	skill := func(name string) any { return map[string]any{"skill": name} }

	return map[string]swing{
		"livechat": {on: routing("accepting_chats"), off: routing("offline")},
		"acquire":  {on: agent("available"), off: agent("unavailable")},
		"parley":   {on: own("accepting"), off: own("offline")},
		"inbenta": {
			start: chats("chats-create"), off: chats("users-activity.leave"), on: chats("users-activity.reconnect"), conversation: "Ab3dE5fG7",
		},
		"pypestream": {
			path:  "/contactCenter/v1/conversations/swing/escalate",
			start: skill("general"), on: skill("billing"), off: skill("sales"), conversation: "swing",
		},
		"twt": {start: unreplied("2"), on: unreplied("1"), off: unreplied("4")},
	}
}

// TestBackAndForthAgain: accepting, offline and accepting again in the same words
// are three events for every platform, but a repetition within the retry window
// is none.
func TestBackAndForthAgain(t *testing.T) {
	t.Parallel()

	var config strings.Builder

	config.WriteString(brief + "sources:\n")

	for dialect := range dialects.Table() {
		fmt.Fprintf(&config, "  %s: {dialect: %s, retry_window: %s}\n", dialect, dialect, againWindow)
	}

	parley, all := newInstall(t, config.String()).start(t), swings(t)

	for dialect := range dialects.Table() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()

			one, known := all[dialect]
			require.True(t, known, "a dialect of the table swings here")
			one.swings(t, parley.with(t), dialect)
		})
	}
}

func (s *swing) swings(t *testing.T, p *process, dialect string) {
	t.Helper()

	key, before := signals.Key{Source: dialect, Conversation: s.conversation}, 0
	send := func(body any) {
		answer := p.call(http.MethodPost, "/webhooks/"+dialect+s.path, encoded(t, body))
		require.Less(t, answer.status, 300, answer.body)

		if key.Conversation == "" && s.start != nil {
			key.Conversation = named(t, answer.body)
		}
	}

	if s.start != nil {
		send(s.start)

		before = 1
	}

	// sent repeats a webhook until so many events of it and the others are taken.
	sent := func(body any, events int) {
		end := time.Now().Add(30 * time.Second)

		for taken := 0; taken < events; taken = p.taken(key) - before {
			require.Less(t, time.Now(), end, "%d of %d events", taken, events)
			send(body)
			time.Sleep(againWindow / 20)
		}
	}

	begin := time.Now()

	sent(s.on, 1)
	sent(s.off, 2)
	require.Less(t, time.Since(begin), againWindow, "too slow a machine to say anything")

	// Repetitions change nothing until the window is over.
	sent(s.on, 3)
	require.GreaterOrEqual(t, time.Since(begin), againWindow, "a repetition counted as an event")

	send(s.on)
	sent(s.off, 4)
	require.Equal(t, 4, p.taken(key)-before)
}

// taken is how many events a conversation took, or the account.
func (p *process) taken(key signals.Key) int {
	p.t.Helper()

	if key.Conversation != "" {
		view, _ := p.view(key)

		return int(view.Accepted)
	}

	status, body := p.do(http.MethodGet, "/v1/sources/"+key.Source+"/events", nil)
	require.Equal(p.t, http.StatusOK, status, string(body))

	var list struct {
		Events []json.RawMessage `json:"events"`
	}

	require.NoError(p.t, json.Unmarshal(body, &list))

	return len(list.Events)
}

// named is the conversation that an answer names.
func named(t *testing.T, body string) string {
	t.Helper()

	var said struct {
		Conversations []string `json:"conversations"`
	}

	require.NoError(t, json.Unmarshal([]byte(body), &said))
	require.Len(t, said.Conversations, 1)

	const prefix = "/v1/conversations/twt/"
	require.Contains(t, said.Conversations[0], prefix)

	return said.Conversations[0][len(prefix):]
}
