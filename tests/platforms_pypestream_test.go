package tests_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

const (
	pypestreamToken = "pypestream-callback-token"
	pypestreamBase  = "/webhooks/pypestream/contactCenter/v1/"
	pypestreamChat  = "7b1f7f0c-9d8b-4a52-8d53-0d6f3a1b2c3d"
)

// pypestreamSetup waits for nobody: the figures are the source's own.
const pypestreamSetup = brief + `
sources:
  pypestream:
    dialect: pypestream
    secrets: ["` + pypestreamToken + `"]
    options: {pypestream: {wait_seconds: 30, queue_depth: 10}}
`

// pypestream calls the contract's paths with the callback token. The content
// type is the one that the vendor's own tests send.
func (p *process) pypestream(method, path string, body []byte) reply {
	p.t.Helper()

	return p.call(method, pypestreamBase+path, body,
		"Authorization", "Bearer "+pypestreamToken, "Content-Type", "application/octet-stream",
		"X-Pypestream-Integration", "ServiceNow", "X-Pypestream-Customer", "eyJwYXNzd29yZCI6Imh1c2gifQ==")
}

// nothing wants 204 and no body.
func (r reply) nothing(t *testing.T) {
	t.Helper()

	require.Equal(t, http.StatusNoContent, r.status, r.body)
	require.Empty(t, r.body)
}

func pypestreamMessage(t *testing.T, text, side string) []byte {
	t.Helper()

	body := sample(t, "pypestream", "message.request")
	body["content"], body["side"] = text, side
	body["senderId"] = side + "-123"

	return encoded(t, body)
}

func TestPlatformPypestream(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, pypestreamSetup).start(t)
	key := signals.Key{Source: "pypestream", Conversation: pypestreamChat}
	chat := "conversations/" + pypestreamChat

	// The two questions, answered by the source's settings.
	free := parley.pypestream(http.MethodGet, "agents/availability?skill=general", nil)
	require.Equal(t, http.StatusOK, free.status)
	require.Equal(t, "application/json", free.header.Get("Content-Type"))
	require.Equal(t,
		`{"available":true,"estimatedWaitTime":30,"hoursOfOperation":true,"queueDepth":10,"status":"online"}`, free.body)

	wait := parley.pypestream(http.MethodGet, "agents/waitTime?skill=general", nil)
	require.Equal(t, http.StatusOK, wait.status)
	require.Equal(t, `{"estimatedWaitTime":30}`, wait.body)

	// The escalation; its repetition is answered alike.
	request := sampleBytes(t, "pypestream", "escalate.request")
	first := parley.pypestream(http.MethodPost, chat+"/escalate", request)
	id := escalationID(t, first)
	require.Equal(t, `{"escalationId":"`+id+`","estimatedWaitTime":30,"status":"queued"}`, first.body)

	again := parley.pypestream(http.MethodPost, chat+"/escalate", request)
	require.Equal(t, http.StatusCreated, again.status)
	require.Equal(t, first.body, again.body)

	view := parley.eventually(key, 10*time.Second, "queued", func(v signals.View) bool { return v.Status == signals.StatusQueued })
	require.Equal(t, int64(1), view.Accepted, "the repetition is the same event")

	// The visitor writes and types; the message comes twice.
	question := pypestreamMessage(t, "I am new message", "user")
	parley.pypestream(http.MethodPut, chat+"/messages/m-1", question).nothing(t)
	parley.pypestream(http.MethodPut, chat+"/messages/m-1", question).nothing(t)
	parley.pypestream(http.MethodPost, chat+"/type", sampleBytes(t, "pypestream", "type.request")).nothing(t)

	view = parley.eventually(key, 10*time.Second, "unreplied", func(v signals.View) bool { return v.Unreplied })
	require.Equal(t, int64(1), view.Messages.Visitor)

	// Another token changes nothing.
	for name, header := range map[string][]string{
		"wrong":  {"Authorization", "Bearer " + wrongSecret},
		"absent": {},
	} {
		refused := parley.call(http.MethodPost, pypestreamBase+chat+"/end", []byte("{}"), header...)
		require.Equal(t, http.StatusUnauthorized, refused.status, name)

		require.Equal(t, "application/json", refused.header.Get("Content-Type"), name)
		require.Regexp(t,
			`^\{"message":"Unauthorized","errors":\[\{"source":"header","type":"unauthorized","message":"[^"]+"\}\]\}$`, refused.body, name)
	}

	parley.pypestream(http.MethodPut, chat+"/messages/m-2", pypestreamMessage(t, "How may I help?", "agent")).nothing(t)

	view = parley.eventually(key, 10*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied })
	require.Equal(t, signals.StatusActive, view.Status, "the refused end did not close it")
	require.Equal(t, "agent-123", view.Agent)

	parley.pypestream(http.MethodPost, chat+"/wave", []byte("{}")).nothing(t) // a path that is not known yet

	parley.pypestream(http.MethodPost, chat+"/end", sampleBytes(t, "pypestream", "derived/end.request")).nothing(t)

	ticket := parley.ticketed(key)
	require.False(t, ticket.Unreplied)
	require.Equal(t, []string{"visitor: I am new message", "agent: How may I help?"}, spoken(&ticket))

	// The next escalation is another session with an id of its own.
	body := encoded(t, map[string]any{"skill": "billing", "userId": "3fa85f64-5717-4562-b3fc-2c963f66afa6"})
	require.NotEqual(t, id, escalationID(t, parley.pypestream(http.MethodPost, chat+"/escalate", body)))
	parley.eventually(key, 10*time.Second, "the second session", func(v signals.View) bool { return v.Session == 2 })

	pypestreamRecords(t, parley)
	pypestreamNames(t, parley)
	parley.unlogged(pypestreamToken, wrongSecret, "eyJwYXNzd29yZCI6Imh1c2gifQ")
}

// pypestreamRecords: a path that is not known is kept, with the conversation
// that it names or else in the account log, and answered 204 by any method.
func pypestreamRecords(t *testing.T, parley *process) {
	t.Helper()

	key := signals.Key{Source: "pypestream", Conversation: "of-unknown-paths"}
	chat := "conversations/" + key.Conversation

	parley.pypestream(http.MethodPut, chat+"/messages/m-1", pypestreamMessage(t, "Hello", "user")).nothing(t)
	parley.pypestream(http.MethodPost, chat+"/rating", []byte(`{"stars":5}`)).nothing(t)
	parley.pypestream(http.MethodDelete, chat, nil).nothing(t)

	view := parley.eventually(key, 10*time.Second, "recorded", func(v signals.View) bool { return v.Ignored == 2 })
	require.True(t, slices.ContainsFunc(view.Timeline, func(e signals.TimelineEntry) bool {
		return e.Type == signals.Unknown && e.Text == "POST /contactCenter/v1/"+chat+"/rating"
	}), "%v", view.Timeline)

	parley.pypestream(http.MethodPatch, "agents/smith/status", []byte(`{"status":"away"}`)).nothing(t)

	require.Eventually(t, func() bool {
		status, body := parley.do(http.MethodGet, "/v1/sources/pypestream/events", nil)

		return status == http.StatusOK && strings.Contains(string(body), `"PATCH /contactCenter/v1/agents/smith/status"`)
	}, 5*time.Second, 50*time.Millisecond)
}

// pypestreamNames: an id may hold whatever a path can escape.
func pypestreamNames(t *testing.T, parley *process) {
	t.Helper()

	key := signals.Key{Source: "pypestream", Conversation: "a/b:c%d?e f"}
	chat := "conversations/" + url.PathEscape(key.Conversation)

	parley.pypestream(http.MethodPut, chat+"/messages/m%2F1", pypestreamMessage(t, "Hello", "user")).nothing(t)
	parley.pypestream(http.MethodPut, chat+"/messages/m%2F2", pypestreamMessage(t, "Hello?", "user")).nothing(t)

	view := parley.eventually(key, 10*time.Second, "two messages", func(v signals.View) bool { return v.Messages.Visitor == 2 })
	require.Equal(t, key.Conversation, view.ID)
	escalationID(t, parley.pypestream(http.MethodPost, chat+"/escalate", []byte(`{}`)))
	parley.pypestream(http.MethodPost, chat+"/end", []byte(`{}`)).nothing(t)
	parley.ticketed(key)
}

// escalationID reads the id out of the answer to an escalation.
func escalationID(t *testing.T, answer reply) string {
	t.Helper()

	require.Equal(t, http.StatusCreated, answer.status, answer.body)
	require.Equal(t, "application/json", answer.header.Get("Content-Type"))

	var said map[string]any
	require.NoError(t, json.Unmarshal([]byte(answer.body), &said))

	id, ok := said["escalationId"].(string)
	require.True(t, ok, answer.body)
	require.NoError(t, uuid.Validate(id))

	return id
}
