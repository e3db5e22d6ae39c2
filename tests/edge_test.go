package tests_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

// TestEdge asks one running process many things, each about conversations of
// its own.
func TestEdge(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, `
policies:
  default: {unreplied: {first: 1h}, closeout: {grace: 400ms}}
  lists:   {unreplied: {first: 200ms, repeat: 1h}, closeout: {grace: 400ms}}
sources:
  livechat: {dialect: livechat}
  accounts: {dialect: livechat}
  parley:   {dialect: parley}
  lists:    {dialect: parley, policy: lists}
  probes:   {dialect: parley, policy: lists}
`).start(t)

	for name, check := range map[string]func(*testing.T, *process){
		"account events":           checkAccountEvents,
		"an orphan goes ahead":     checkOrphan,
		"a chat, then its message": checkChatThenMessage,
		"older names":              checkOlderNames,
		"late events":              checkLate,
		"two agents at once":       checkTwoAgents,
		"commands":                 checkCommands,
		"lists":                    checkLists,
		"bad parameters":           checkBadParameters,
		"probes and metrics":       checkProbes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, parley.with(t))
		})
	}
}

// answer decodes a 2xx.
func (p *process) answer(method, path string, body, into any, header ...string) {
	p.t.Helper()

	status, answer := p.do(method, path, body, header...)
	require.Equal(p.t, http.StatusOK, status, string(answer))
	require.NoError(p.t, json.Unmarshal(answer, into), string(answer))
}

// problemOf decodes a refusal of this status.
func (p *process) problemOf(want int, method, path string, body any, header ...string) problem {
	p.t.Helper()

	status, answer := p.do(method, path, body, header...)
	require.Equal(p.t, want, status, string(answer))

	var told problem

	require.NoError(p.t, json.Unmarshal(answer, &told), string(answer))
	require.NotEmpty(p.t, told.Type)
	require.Equal(p.t, want, told.Status)

	return told
}

// problem is an RFC 9457 document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field"`
}

// taken is what a webhook is answered with.
type taken struct {
	Accepted      int      `json:"accepted"`
	Duplicates    int      `json:"duplicates"`
	Conversations []string `json:"conversations"`
}

func checkAccountEvents(t *testing.T, parley *process) {
	t.Helper()

	status := fixture(t, "routing_status_set")

	var first, second taken

	parley.answer(http.MethodPost, "/webhooks/accounts", status, &first)
	require.Equal(t, taken{Accepted: 1, Conversations: []string{}}, first)
	parley.answer(http.MethodPost, "/webhooks/accounts", status, &second)
	require.Equal(t, taken{Duplicates: 1, Conversations: []string{}}, second)

	for _, name := range []string{"agent_created", "tag_created", "group_updated"} {
		parley.post("/webhooks/accounts", fixture(t, name))
	}

	var log struct {
		Events []signals.Event `json:"events"`
		Next   string          `json:"next"`
	}

	seen := map[string]signals.Event{}

	for path := "/v1/sources/accounts/events?limit=2"; ; path = "/v1/sources/accounts/events?limit=2&cursor=" + log.Next {
		parley.answer(http.MethodGet, path, nil, &log)
		require.LessOrEqual(t, len(log.Events), 2)

		for _, event := range log.Events {
			require.Empty(t, event.Conversation)
			require.NotContains(t, string(event.Raw), "dummy_key")
			seen[event.Platform.Event] = event
		}

		if log.Next == "" {
			break
		}
	}

	require.Len(t, seen, 4)
	require.Equal(t, signals.AgentStatusChanged, seen["routing_status_set"].Type)
	require.Equal(t, "5c9871d5372c824cbf22d860a707a578", seen["routing_status_set"].Agent.ID)

	parley.problemOf(http.StatusUnprocessableEntity, http.MethodPost, "/webhooks/accounts",
		`{"action":"incoming_event","payload":{"chat_id":7}}`)

	var sources struct {
		Sources []struct {
			Name       string  `json:"name"`
			URL        string  `json:"url"`
			Accepted   int     `json:"accepted"`
			Duplicates int     `json:"duplicates"`
			Refused    int     `json:"refused"`
			LastError  string  `json:"last_error"`
			LastAt     *string `json:"last_error_at"`
		} `json:"sources"`
	}

	parley.answer(http.MethodGet, "/v1/sources", nil, &sources)
	require.Equal(t, "accounts", sources.Sources[0].Name)
	require.Equal(t, parley.url("/webhooks/accounts"), sources.Sources[0].URL)
	require.Equal(t, 4, sources.Sources[0].Accepted)
	require.Equal(t, 1, sources.Sources[0].Duplicates)
	require.Equal(t, 1, sources.Sources[0].Refused)
	require.NotEmpty(t, sources.Sources[0].LastError)
	require.NotNil(t, sources.Sources[0].LastAt)
}

// checkOrphan sends a tag before anything that may start its conversation.
func checkOrphan(t *testing.T, parley *process) {
	t.Helper()

	c := &chat{t: t, id: "ORPHAN", thread: "T1"}
	tagged := fixture(t, "thread_tagged")
	inner(t, tagged, "payload")["chat_id"], inner(t, tagged, "payload")["thread_id"] = c.id, c.thread

	parley.post("/webhooks/livechat", tagged)
	require.Contains(t, parley.problemOf(http.StatusNotFound, http.MethodGet, conversationPath(c.key()), nil).Detail, "1 event waits")

	parley.post("/webhooks/livechat", c.says(ann, "Hello"))

	view := parley.eventually(c.key(), 5*time.Second, "the tag is there", func(v signals.View) bool { return len(v.Tags) == 1 })
	require.Equal(t, []string{"bug_report"}, view.Tags)
	require.Equal(t, int64(2), view.Accepted)
	require.Equal(t, int64(2), view.Applied)
	require.Zero(t, view.Pending)

	// One batch, in the order in which they came.
	temporal := parley.temporal()
	require.Equal(t, []signals.Type{signals.TagAdded, signals.MessageReceived}, firstBatch(t, temporal, c.key()))
}

// firstBatch tells the types of the events that a run was started with.
func firstBatch(t *testing.T, temporal client.Client, key signals.Key) []signals.Type {
	t.Helper()

	var types []signals.Type

	for _, event := range fetchHistory(t, temporal, key.WorkflowID(), "").GetEvents() {
		if event.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			continue
		}

		var batch signals.Batch

		require.NoError(t, json.Unmarshal(event.GetWorkflowExecutionSignaledEventAttributes().GetInput().GetPayloads()[0].GetData(), &batch))

		for _, raw := range batch.Events {
			var one signals.Event

			require.NoError(t, json.Unmarshal(raw, &one))

			types = append(types, one.Type)
		}

		break
	}

	return types
}

// newChat is incoming_chat, or its older name, for a conversation of the test's.
func (c *chat) newChat(name string) map[string]any {
	c.t.Helper()

	body := fixture(c.t, name)
	told := inner(c.t, body, "payload", "chat")
	thread := inner(c.t, told, "thread")
	told["id"], thread["id"] = c.id, c.thread
	thread["created_at"] = time.Now().UTC().Format(time.RFC3339Nano)

	events, ok := thread["events"].([]any)
	require.True(c.t, ok)

	for i, event := range events {
		fields, ok := event.(map[string]any)
		require.True(c.t, ok)

		fields["id"] = fmt.Sprintf("%s_%d", c.thread, i+1)
		fields["created_at"] = time.Now().UTC().Format(time.RFC3339Nano)
	}

	c.number = len(events)

	return body
}

// checkChatThenMessage sends a chat with its first events, and then one of the
// same again as a message of its own.
func checkChatThenMessage(t *testing.T, parley *process) {
	t.Helper()

	c := &chat{t: t, id: "CHAT", thread: "T9"}

	var first, again taken

	parley.answer(http.MethodPost, "/webhooks/livechat", c.newChat("incoming_chat"), &first)
	require.Equal(t, 3, first.Accepted)

	before := parley.eventually(c.key(), 5*time.Second, "the form waits for an answer", func(v signals.View) bool {
		return v.Unreplied && v.Messages.Agent == 1
	})
	require.Equal(t, smith, before.Agent)

	c.number-- // the welcome message once more
	parley.answer(http.MethodPost, "/webhooks/livechat", c.says(smith, "Hello. How may I help you?"), &again)
	require.Equal(t, 1, again.Duplicates)
	require.Zero(t, again.Accepted)

	after, ok := parley.view(c.key())
	require.True(t, ok)
	require.Equal(t, before.Messages, after.Messages)
	require.True(t, after.Unreplied, "a welcome message is no answer")

	parley.post("/webhooks/livechat", c.says(smith, "How may I help you?"))
	parley.eventually(c.key(), 5*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied && v.Messages.Agent == 2 })
}

func checkOlderNames(t *testing.T, parley *process) {
	t.Helper()

	c := &chat{t: t, id: "OLDER", thread: "T3"}

	parley.post("/webhooks/livechat", c.newChat("incoming_chat_thread"))
	parley.post("/webhooks/livechat/incoming_event", inner(t, c.says(ann, "bare"), "payload"))
	parley.eventually(c.key(), 5*time.Second, "the bare payload's message", func(v signals.View) bool { return v.Messages.Visitor == 2 })

	over := fixture(t, "thread_closed")
	payload := inner(t, over, "payload")
	payload["chat_id"], payload["thread_id"] = c.id, c.thread
	parley.post("/webhooks/livechat", over)

	view := parley.eventually(c.key(), 5*time.Second, "closed", withTicket)
	require.Equal(t, signals.TicketStatusCreated, view.Ticket.Status)
}

// checkLate sends to a closed thread what was never seen, and what cannot start
// a session.
func checkLate(t *testing.T, parley *process) {
	t.Helper()

	c := &chat{t: t, id: "LATE", thread: "T1"}

	parley.post("/webhooks/livechat", c.says(ann, "Hello"))
	parley.post("/webhooks/livechat", c.closes(smith))
	parley.eventually(c.key(), 5*time.Second, "closed", func(v signals.View) bool { return v.Status == signals.StatusClosed })

	var done taken

	parley.answer(http.MethodPost, "/webhooks/livechat", c.says(ann, "too late"), &done)
	require.Equal(t, 1, done.Accepted)

	// Its run may have a moment left, and then it is the run that sets it aside.
	view := parley.eventually(c.key(), 5*time.Second, "kept with the ticket", func(v signals.View) bool { return v.Late+v.Ignored == 1 })
	require.Equal(t, 1, view.Session)
	require.Equal(t, int64(1), view.Messages.Visitor)
	require.Equal(t, view.Accepted, view.Applied+view.Late+view.Ignored)
}
