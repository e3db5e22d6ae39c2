package webhooks_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

const one = "/v1/conversations/shop/c/"

// obeys lets every command succeed.
func (e *edge) obeys() *edge {
	e.answer = func(options client.UpdateWorkflowOptions) (signals.Answer, error) {
		v := view("shop", "c", signals.StatusActive)
		v.WorkflowID = options.WorkflowID

		return signals.Answer{View: v}, nil
	}

	return e
}

func TestCommands(t *testing.T) {
	t.Parallel()

	until := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		path, body, update string
		want               signals.Command
	}{
		"accept": {
			"accept", `{"agent_id":"smith","agent_name":"Smith","agent_nickname":"Bob"}`, signals.AcceptUpdate,
			signals.Command{AgentID: "smith", AgentName: "Smith", AgentNickname: "Bob"},
		},
		"decline": {
			"decline", `{"agent_id":"smith","reason":"busy"}`, signals.DeclineUpdate,
			signals.Command{AgentID: "smith", Reason: "busy"},
		},
		"assign": {"assign", `{"agent_id":"smith","by":"ann"}`, signals.AssignUpdate, signals.Command{AgentID: "smith", By: "ann"}},
		"transfer to an agent": {
			"transfer", `{"agent_id":"smith","agent_name":"Smith","reason":"knows it"}`, signals.TransferUpdate,
			signals.Command{AgentID: "smith", AgentName: "Smith", Reason: "knows it"},
		},
		"transfer to a desk": {
			"transfer", `{"desk":"billing","group_id":"7"}`, signals.TransferUpdate, signals.Command{Desk: "billing", GroupID: "7"},
		},
		"transfer to a group": {"transfer", `{"group_id":"7","by":"ann"}`, signals.TransferUpdate, signals.Command{GroupID: "7", By: "ann"}},
		"escalate": {
			"escalate", `{"skill":"it","priority":"High","desk":"support","reason":"angry","by":"bot"}`, signals.EscalateUpdate,
			signals.Command{Skill: "it", Priority: "high", Desk: "support", Reason: "angry", By: "bot"},
		},
		"escalate, a number":   {"escalate", `{"priority":7}`, signals.EscalateUpdate, signals.Command{Priority: "7"}},
		"escalate, a numeral":  {"escalate", `{"priority":"-07"}`, signals.EscalateUpdate, signals.Command{Priority: "-7"}},
		"escalate, by name":    {"escalate", `{"agent_id":"smith"}`, signals.EscalateUpdate, signals.Command{AgentID: "smith"}},
		"escalate, no urgency": {"escalate", `{"priority":null}`, signals.EscalateUpdate, signals.Command{}},
		"escalate, bare":       {"escalate", ``, signals.EscalateUpdate, signals.Command{}},
		"close":                {"close", `{"by_id":"ann","reason":"done"}`, signals.CloseUpdate, signals.Command{By: "ann", Reason: "done"}},
		"close, bare":          {"close", ``, signals.CloseUpdate, signals.Command{}},
		"reopen":               {"reopen", `{}`, signals.ReopenUpdate, signals.Command{}},
		"snooze":               {"snooze", `{"until":"2026-11-21T10:00:00+01:00"}`, signals.SnoozeUpdate, signals.Command{Until: until}},
		"notes":                {"notes", `{"text":"VIP"}`, signals.NoteUpdate, signals.Command{Text: "VIP"}},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t).obeys()
			got := e.do(http.MethodPost, one+test.path, test.body)

			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, "active", got.fields(t)["status"])
			require.Len(t, e.updates, 1)
			require.Equal(t, "conversation:shop:c", e.updates[0].WorkflowID)
			require.Equal(t, test.update, e.updates[0].UpdateName)
			require.Equal(t, client.WorkflowUpdateStageCompleted, e.updates[0].WaitForStage)

			command, ok := e.updates[0].Args[0].(signals.Command)
			require.True(t, ok)

			command.Until = command.Until.UTC()
			test.want.Until = test.want.Until.UTC()
			require.Equal(t, test.want, command)
		})
	}
}

func TestBadCommands(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		path, body string
		status     int
		slug       string
		field      string
	}{
		"unknown field":    {"close", `{"reson":"x"}`, http.StatusUnprocessableEntity, "invalid-field", "reson"},
		"another's field":  {"close", `{"until":"2026-11-21T10:00:00Z"}`, http.StatusUnprocessableEntity, "invalid-field", "until"},
		"wrong type":       {"accept", `{"agent_id":7}`, http.StatusUnprocessableEntity, "invalid-field", "agent_id"},
		"bad time":         {"snooze", `{"until":"tomorrow"}`, http.StatusUnprocessableEntity, "invalid-field", "until"},
		"no agent":         {"accept", `{}`, http.StatusUnprocessableEntity, "invalid-field", "agent_id"},
		"nobody":           {"transfer", `{"reason":"x"}`, http.StatusUnprocessableEntity, "invalid-field", "agent_id"},
		"both":             {"transfer", `{"agent_id":"a","desk":"support"}`, http.StatusUnprocessableEntity, "invalid-field", "agent_id"},
		"no such desk":     {"transfer", `{"desk":"sales"}`, http.StatusUnprocessableEntity, "invalid-field", "desk"},
		"to no such desk":  {"escalate", `{"desk":"../x"}`, http.StatusUnprocessableEntity, "invalid-field", "desk"},
		"urgency":          {"escalate", `{"priority":"very"}`, http.StatusUnprocessableEntity, "invalid-field", "priority"},
		"too urgent":       {"escalate", `{"priority":101}`, http.StatusUnprocessableEntity, "invalid-field", "priority"},
		"half urgent":      {"escalate", `{"priority":0.5}`, http.StatusUnprocessableEntity, "invalid-field", "priority"},
		"urgency's type":   {"escalate", `{"priority":["high"]}`, http.StatusUnprocessableEntity, "invalid-field", "priority"},
		"no text":          {"notes", ``, http.StatusUnprocessableEntity, "invalid-field", "text"},
		"control":          {"transfer", `{"agent_id":"a\u0007"}`, 422, "invalid-field", "agent_id"},
		"too long":         {"assign", `{"agent_id":"` + strings.Repeat("x", 256) + `"}`, 422, "invalid-field", "agent_id"},
		"no JSON":          {"close", `reason=x`, http.StatusBadRequest, "malformed-body", ""},
		"no object":        {"close", `["x"]`, http.StatusBadRequest, "malformed-body", ""},
		"two objects":      {"close", `{}{}`, http.StatusBadRequest, "malformed-body", ""},
		"a key with a bug": {"close", `{"":1}`, http.StatusUnprocessableEntity, "invalid-field", ""},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t).obeys()
			p := e.do(http.MethodPost, one+test.path, test.body).isProblem(t, test.status, test.slug)
			require.Equal(t, test.field, p.Field)
			require.Empty(t, e.updates)
		})
	}
}

// TestAFieldThatACommandDoesNotTake: the caller reads what the field is called, or
// which there are.
func TestAFieldThatACommandDoesNotTake(t *testing.T) {
	t.Parallel()

	for body, want := range map[string]string{
		`{"agent":"smith"}`:   "; did you mean agent_id?",
		`{"agentId":"smith"}`: "; did you mean agent_id?",
		`{"colour":"red"}`:    "; known are agent_id, agent_name, agent_nickname, by, reason",
	} {
		got := newEdge(t).obeys().do(http.MethodPost, one+"accept", body)
		require.Equal(t, http.StatusUnprocessableEntity, got.status, got.body)
		require.Contains(t, got.body, "is no field of this command"+want)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()

	e := newEdge(t).obeys()
	send := func(path, body string, header ...string) string {
		require.Equal(t, http.StatusOK, e.do(http.MethodPost, one+path, body, header...).status)

		return e.updates[len(e.updates)-1].UpdateID
	}

	first := send("close", "", "Idempotency-Key", "k1")
	require.NotEmpty(t, first)
	require.Equal(t, first, send("close", "", "Idempotency-Key", "k1"))
	require.NotEqual(t, first, send("close", "", "Idempotency-Key", "k2"))
	require.NotEqual(t, first, send("reopen", "", "Idempotency-Key", "k1"), "the key is the command's")
	require.Empty(t, send("close", ""))

	e.do(http.MethodPost, one+"close", "", "Idempotency-Key", strings.Repeat("k", 256)).
		isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
}

// TestIdempotencyKeyWithAnotherBody: the first command's outcome is no answer to
// a second one.
func TestIdempotencyKeyWithAnotherBody(t *testing.T) {
	t.Parallel()

	first := signals.Command{AgentID: "smith"}

	tests := map[string]struct {
		answer signals.Answer
		err    error
	}{
		"obeyed":  {answer: signals.Answer{View: view("shop", "c", signals.StatusActive), Command: first.Digest()}},
		"refused": {err: temporal.NewNonRetryableApplicationError("no", signals.RefusedError, nil, first.Digest())},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			e.answer = func(client.UpdateWorkflowOptions) (signals.Answer, error) { return test.answer, test.err }

			p := e.do(http.MethodPost, one+"accept", `{"agent_id":"jones"}`, "Idempotency-Key", "k1").isProblem(t, 422, "invalid-field")
			require.Equal(t, "Idempotency-Key", p.Field)
			require.Contains(t, p.Detail, "another body")

			repeated := e.do(http.MethodPost, one+"accept", `{ "agent_id": "smith" }`, "Idempotency-Key", "k1")
			require.NotEqual(t, http.StatusUnprocessableEntity, repeated.status, repeated.body)
		})
	}
}

func TestCommandSaysWho(t *testing.T) {
	t.Parallel()

	token, entry := newKey(t, "crm", webhooks.ScopeCommand)
	e := newEdge(t, withKeys(entry)).obeys()

	for body, want := range map[string]string{"": "crm", `{"by":"ann"}`: "ann"} {
		got := e.do(http.MethodPost, one+"close", body, "Authorization", "Bearer "+token)
		require.Equal(t, http.StatusOK, got.status, got.body)

		command, ok := e.updates[len(e.updates)-1].Args[0].(signals.Command)
		require.True(t, ok)
		require.Equal(t, want, command.By)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()

	notFound := serviceerror.NewNotFound("workflow execution already completed")
	ended := temporal.NewNonRetryableApplicationError("ended", "AcceptedUpdateCompletedWorkflow", nil)

	tests := map[string]struct {
		err    error
		path   string
		closed bool
		status int
		slug   string
	}{
		"refused": {
			err:  temporal.NewNonRetryableApplicationError("the conversation is with ann", signals.RefusedError, nil),
			path: "accept", status: http.StatusConflict, slug: "refused",
		},
		"never there":         {err: notFound, path: "close", status: http.StatusNotFound, slug: "not-found"},
		"closed, close again": {err: notFound, path: "close", closed: true, status: http.StatusOK},
		"closed, accept":      {err: notFound, path: "accept", closed: true, status: http.StatusConflict, slug: "refused"},
		"ended meanwhile":     {err: ended, path: "accept", closed: true, status: http.StatusConflict, slug: "refused"},
		"temporal away":       {err: serviceerror.NewUnavailable("no"), path: "accept", status: 503, slug: "unavailable"},
		"too many at once":    {err: serviceerror.NewResourceExhausted(0, "x"), path: "accept", status: 503, slug: "unavailable"},
		"out of time": {
			err:  client.NewWorkflowUpdateServiceTimeoutOrCanceledError(errDown),
			path: "accept", status: http.StatusServiceUnavailable, slug: "unavailable",
		},
		"a bug": {err: temporal.NewApplicationError("secret detail", "PanicError"), path: "accept", status: 500, slug: "internal"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			e.answer = func(client.UpdateWorkflowOptions) (signals.Answer, error) { return signals.Answer{}, test.err }

			if test.closed {
				e.store(view("shop", "c", signals.StatusClosed))
			}

			got := e.do(http.MethodPost, one+test.path, `{"reason":"x"}`)
			if test.path == "accept" {
				got = e.do(http.MethodPost, one+test.path, `{"agent_id":"bob"}`)
			}

			if test.slug == "" {
				require.Equal(t, test.status, got.status, got.body)
				require.Equal(t, "closed", got.fields(t)["status"])

				return
			}

			p := got.isProblem(t, test.status, test.slug)
			require.NotContains(t, p.Detail, "secret detail")

			if name == "refused" {
				require.Equal(t, "the conversation is with ann", p.Detail)
			}
		})
	}
}

// TestStoreFails: whoever asks is told to come back if it is only slow; a command
// that was obeyed was obeyed.
func TestStoreFails(t *testing.T) {
	t.Parallel()

	e := newEdge(t).obeys()
	e.run(view("shop", "c", signals.StatusActive))
	e.storeErr = fmt.Errorf("scan: %w", context.DeadlineExceeded)

	got := e.do(http.MethodGet, strings.TrimSuffix(one, "/"), "")
	got.isProblem(t, http.StatusServiceUnavailable, "unavailable")
	require.NotEmpty(t, got.header.Get("Retry-After"))

	e.storeErr = errDown
	e.do(http.MethodGet, strings.TrimSuffix(one, "/"), "").isProblem(t, http.StatusInternalServerError, "internal")

	got = e.do(http.MethodPost, one+"notes", `{"text":"called back"}`)
	require.Equal(t, http.StatusOK, got.status, got.body)

	told := got.fields(t)
	require.Equal(t, "active", told["status"])
	require.Nil(t, told["ticket"])
	require.Equal(t, []any{}, told["tags"])
	require.Contains(t, e.log.String(), "left out of the answer to a command")
}

// TestCloseWhileTheTicketIsMade: the run refuses everything by then, but what a
// close wants holds.
func TestCloseWhileTheTicketIsMade(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.answer = func(client.UpdateWorkflowOptions) (signals.Answer, error) {
		return signals.Answer{}, temporal.NewNonRetryableApplicationError("session 1 is closed", signals.RefusedError, nil)
	}
	e.run(view("shop", "c", signals.StatusClosed))
	e.store(view("shop", "c", signals.StatusClosed))

	require.Equal(t, "closed", e.do(http.MethodPost, one+"close", "").fields(t)["status"])
	e.do(http.MethodPost, one+"reopen", "").isProblem(t, http.StatusConflict, "refused")

	e.run(view("shop", "c", signals.StatusActive))
	e.do(http.MethodPost, one+"close", "").isProblem(t, http.StatusConflict, "refused")
}

func TestPostEvents(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	// The API needs no signature of the source's.
	const path = "/v1/conversations/signed/a%2Fb/events"

	got := e.do(http.MethodPost, path, `{"id":"1","type":"message.received","message":{"text":"hi"}}`)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.JSONEq(t, `{"accepted":1,"duplicates":0,"conversations":["/v1/conversations/signed/a%2Fb"]}`, got.body)
	require.Equal(t, "signed", e.calls[0].source)
	require.Equal(t, "a/b", e.calls[0].events[0].Conversation)

	got = e.do(http.MethodPost, path, `[{"id":"1","type":"message.received"},{"id":"2","type":"tag.added","conversation":"a/b"}]`)
	require.JSONEq(t, `{"accepted":1,"duplicates":1,"conversations":["/v1/conversations/signed/a%2Fb"]}`, got.body)

	for body, field := range map[string]string{
		`{"id":"3","type":"message.received","conversation":"other"}`:         "conversation",
		`{"id":"3","type":"message.received","source":"shop"}`:                "source",
		`[{"id":"3","type":"message.received"},{"id":"4","conversation":[]}]`: "events[1].conversation",
		`{"type":"message.received"}`:                                         "id",
	} {
		require.Equal(t, field, e.do(http.MethodPost, path, body).isProblem(t, 422, "invalid-field").Field, body)
	}

	for _, body := range []string{"", "null", "[null]", "7", "{", "[1]"} {
		e.do(http.MethodPost, path, body).isProblem(t, http.StatusBadRequest, "malformed-body")
	}

	e.do(http.MethodPost, "/v1/conversations/nobody/c/events", "{}").isProblem(t, http.StatusNotFound, "not-found")

	e.failFor["a/b"] = errDown
	e.do(http.MethodPost, path, `{"id":"9","type":"message.received"}`).isProblem(t, 503, "unavailable")
	require.Len(t, e.calls, 2)
}
