package tests_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

const deskConfig = `
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    accept:    {timeout: 1m, pause: 300ms}
    reassign:  {offline_grace: 300ms}
    closeout:  {grace: 300ms}
desks:
  billing: {}
  support: {slots: 1}
sources:
  web: {dialect: parley, routing: desk, desk: support}
`

// oddAgent is an id that a path must hold percent-encoded.
const (
	oddAgent     = "smith/1 ?ä"
	oddAgentPath = "/v1/desks/support/agents/smith%2F1%20%3F%C3%A4"
)

// TestDeskOverHTTP runs two desks by the API alone: agents come, conversations
// wait, are offered, taken, handed on and taken away.
func TestDeskOverHTTP(t *testing.T) {
	t.Parallel()

	h := &httpDesk{process: newInstall(t, deskConfig).start(t)}

	h.checkAgents()
	urgent, other := h.checkQueue()
	h.checkInvitation(urgent)
	h.checkTransfers(urgent, other)
	h.checkRemoval(other)
	h.checkEnded()
	h.checkMetrics()
}

// httpDesk is a server whose desks are known by HTTP only.
type httpDesk struct{ *process }

func (h *httpDesk) put(path string, body any, header ...string) signals.DeskAgent {
	h.t.Helper()

	var agent signals.DeskAgent

	h.answer(http.MethodPut, path, body, &agent, header...)

	return agent
}

func (h *httpDesk) desk(name string) signals.DeskView {
	h.t.Helper()

	var view signals.DeskView

	h.answer(http.MethodGet, "/v1/desks/"+name, nil, &view)

	return view
}

func (h *httpDesk) deskUntil(name, what string, holds func(signals.DeskView) bool) {
	h.t.Helper()
	require.Eventually(h.t, func() bool { return holds(h.desk(name)) }, patience, 50*time.Millisecond, what)
}

// command sends a command and wants it done.
func (h *httpDesk) command(key signals.Key, verb string, body map[string]any) signals.View {
	h.t.Helper()

	var view signals.View

	h.answer(http.MethodPost, conversationPath(key)+"/"+verb, body, &view)

	return view
}

func (h *httpDesk) refused(key signals.Key, verb string, body map[string]any) string {
	h.t.Helper()

	return h.problemOf(http.StatusConflict, http.MethodPost, conversationPath(key)+"/"+verb, body).Detail
}

func (h *httpDesk) checkAgents() {
	var list struct {
		Desks []map[string]any `json:"desks"`
		Next  string           `json:"next"`
	}

	h.answer(http.MethodGet, "/v1/desks", nil, &list)
	require.Len(h.t, list.Desks, 2)
	require.Equal(h.t, "billing", list.Desks[0]["desk"])
	require.NotContains(h.t, list.Desks[0], "queue")
	require.Empty(h.t, list.Next)

	agent := h.put(oddAgentPath, `{"name":"Smith","status":"not_accepting","skills":["it"],"priority":2}`, "Idempotency-Key", "k1")
	require.Equal(h.t, signals.DeskAgent{
		ID: oddAgent, Name: "Smith", Status: signals.AgentNotAccepting, Slots: 1, Skills: []string{"it"}, Priority: 2,
	}, agent)

	// What is left out stays, and no skills are none.
	agent = h.put(oddAgentPath, `{"slots":2,"skills":[]}`)
	require.Equal(h.t, 2, agent.Slots)
	require.Equal(h.t, "Smith", agent.Name)
	require.Empty(h.t, agent.Skills)

	// The first one again is answered as the first one, and done once.
	again := h.put(oddAgentPath, `{"name":"Smith","status":"not_accepting","skills":["it"],"priority":2}`, "Idempotency-Key", "k1")
	require.Equal(h.t, 1, again.Slots)
	require.Equal(h.t, 2, h.desk("support").Agents[0].Slots)
	require.Equal(h.t, "Idempotency-Key", h.problemOf(422, http.MethodPut, oddAgentPath, `{"slots":9}`, "Idempotency-Key", "k1").Field)

	h.put(oddAgentPath, `{"slots":1,"skills":["it"]}`)
	h.put("/v1/desks/support/agents/jones", `{"status":"not_accepting","skills":["it"]}`)

	for body, field := range map[string]string{`{"slots":5000}`: "slots", `{"status":"asleep"}`: "status", `{"skill":"it"}`: "skill"} {
		require.Equal(h.t, field, h.problemOf(422, http.MethodPut, oddAgentPath, body).Field)
	}

	require.Contains(h.t, h.problemOf(http.StatusConflict, http.MethodPut, "/v1/desks/billing/agents/jones", nil).Detail, "the desk support")

	for _, path := range []string{"/v1/desks/sales", "/v1/desks/sales/availability"} {
		h.problemOf(http.StatusNotFound, http.MethodGet, path, nil)
	}

	h.problemOf(http.StatusNotFound, http.MethodDelete, "/v1/desks/support/agents/nobody", nil)
}

// checkQueue lets two wait, of whom the second goes first.
func (h *httpDesk) checkQueue() (urgent, other signals.Key) {
	urgent, other = signals.Key{Source: "web", Conversation: "a/b?"}, signals.Key{Source: "web", Conversation: "c"}
	h.problemOf(http.StatusNotFound, http.MethodPost, conversationPath(other)+"/escalate", nil)

	for _, key := range []signals.Key{other, urgent} {
		h.post("/webhooks/web", map[string]any{
			"id": "1", "type": signals.MessageReceived, "conversation": key.Conversation, "actor": visitorAnn(),
			"message": map[string]any{"text": "Hi"},
		})
	}

	require.Equal(h.t, signals.StatusQueued, h.command(other, "escalate", map[string]any{"skill": "it", "reason": "asked"}).Status)
	h.eventually(other, patience, "the first in line", standsAt(1, 1))
	h.command(urgent, "escalate", map[string]any{"skill": "it", "priority": 7, "desk": "support"})
	h.eventually(urgent, patience, "before the other", standsAt(1, 2))
	h.eventually(other, patience, "behind the other", standsAt(2, 2))
	require.Nil(h.t, h.command(other, "escalate", nil).Queue, "a repetition changes nothing")

	desk := h.desk("support")
	require.Equal(h.t, 2, desk.Waiting)
	require.Equal(h.t, "a/b?", desk.Queue[0].Conversation)
	require.Equal(h.t, 7, desk.Queue[0].Priority)
	require.Equal(h.t, []string{"it"}, desk.Queue[1].Skills)
	require.NotNil(h.t, desk.OldestSince)

	var availability signals.Availability

	h.answer(http.MethodGet, "/v1/desks/support/availability?skill=it", nil, &availability)
	require.Equal(h.t, "offline", availability.Status)
	require.Equal(h.t, "it", availability.Skill)

	status, list := h.do(http.MethodGet, "/v1/conversations", nil)
	require.Equal(h.t, http.StatusOK, status)
	require.NotContains(h.t, string(list), `"queue":`)

	return urgent, other
}

// standsAt holds for who waits in this place among so many.
func standsAt(position, depth int) func(signals.View) bool {
	return func(v signals.View) bool {
		return v.Status == signals.StatusQueued && v.Queue != nil && v.Queue.Position == position && v.Queue.Depth == depth
	}
}

func (h *httpDesk) checkInvitation(urgent signals.Key) {
	h.put(oddAgentPath, `{"status":"accepting"}`)
	view := h.eventually(urgent, patience, "offered", func(v signals.View) bool { return v.Offered == oddAgent && v.Queue != nil })
	require.Equal(h.t, signals.DeskOffered, view.Queue.Status)
	require.Zero(h.t, view.Queue.Position)

	require.Contains(h.t, h.refused(urgent, "accept", by("jones")), "the conversation is offered to "+oddAgent)
	require.Equal(h.t, oddAgent, h.command(urgent, "accept", by(oddAgent)).Agent)
	require.Equal(h.t, oddAgent, h.command(urgent, "accept", by(oddAgent)).Agent, "again")
	require.Equal(h.t, "the conversation is with "+oddAgent, h.refused(urgent, "accept", by("jones")))
	require.Contains(h.t, h.refused(urgent, "decline", by("jones")), "the conversation is with "+oddAgent)
	require.Contains(h.t, h.refused(urgent, "escalate", map[string]any{"skill": "law"}), "the conversation is with "+oddAgent)
	h.deskUntil("support", "the agent has one, and one waits", func(d signals.DeskView) bool { return d.Active == 1 && d.Waiting == 1 })
}

func (h *httpDesk) checkTransfers(urgent, other signals.Key) {
	h.put("/v1/desks/billing/agents/kim", `{"status":"accepting","slots":3}`)
	require.Equal(h.t, "desk", h.problemOf(422, http.MethodPost, conversationPath(urgent)+"/transfer", `{"desk":"sales"}`).Field)
	require.Equal(h.t, "agent_id", h.problemOf(422, http.MethodPost, conversationPath(urgent)+"/transfer", `{"reason":"x"}`).Field)

	view := h.command(urgent, "transfer", map[string]any{"desk": "billing", "reason": "about money"})
	require.Equal(h.t, "billing", view.Desk)
	require.Empty(h.t, view.Agent)
	h.eventually(urgent, patience, "offered at the other desk", offeredTo("kim"))
	require.Equal(h.t, "kim", h.command(urgent, "accept", by("kim")).Agent)

	// The slot that became free is for who waited.
	h.eventually(other, patience, "offered in its turn", offeredTo(oddAgent))
	h.command(other, "accept", by(oddAgent))

	// Somebody of another desk: none of the two would count the slot.
	for _, verb := range []string{"transfer", "assign"} {
		require.Contains(h.t, h.refused(other, verb, map[string]any{"agent_id": "kim"}), "kim is on desk billing")
	}

	view = h.command(other, "transfer", map[string]any{"agent_id": "jones", "by": "lead"})
	require.Equal(h.t, "jones", view.Agent)
	h.deskUntil("support", "the other agent's slot is taken", func(d signals.DeskView) bool {
		return loadOf(d, "jones") == 1 && loadOf(d, oddAgent) == 0
	})
}

// loadOf is -1 for somebody who is not there.
func loadOf(d signals.DeskView, agent string) int {
	for i := range d.Agents {
		if d.Agents[i].ID == agent {
			return d.Agents[i].Load
		}
	}

	return -1
}

// checkRemoval takes an agent off who has a conversation: another one gets it.
func (h *httpDesk) checkRemoval(other signals.Key) {
	var removed signals.DeskAgent

	h.answer(http.MethodDelete, "/v1/desks/support/agents/jones", nil, &removed)
	require.True(h.t, removed.Removed)
	require.Equal(h.t, 1, removed.Load)
	h.problemOf(http.StatusNotFound, http.MethodDelete, "/v1/desks/support/agents/jones", nil)

	h.eventually(other, patience, "taken from who is no agent any more", offeredTo(oddAgent))
	require.Equal(h.t, -1, loadOf(h.desk("support"), "jones"))
	h.command(other, "accept", by(oddAgent))
	h.command(other, "close", map[string]any{"by": "ops"})
	h.eventually(other, patience, "closed", withTicket)
	require.Contains(h.t, h.refused(other, "escalate", nil), "closed")
}

// checkEnded lets somebody end a desk: who asks for it finds another, with what
// conversations know of it.
func (h *httpDesk) checkEnded() {
	require.NoError(h.t, h.temporal().TerminateWorkflow(h.t.Context(), signals.DeskWorkflowID("billing"), "", "a mistake"))

	// A view that is a second old is still that of the desk before.
	h.put("/v1/desks/billing/agents/kim", `{"slots":3}`)
	h.deskUntil("billing", "it knows again who has what", func(d signals.DeskView) bool { return d.Active == 1 && loadOf(d, "kim") == 1 })
}

func (h *httpDesk) checkMetrics() {
	require.Eventually(h.t, func() bool {
		_, text := h.do(http.MethodGet, "/metrics", nil)

		return strings.Contains(string(text), `parley_desk_estimate_error_seconds{desk="support"}`) &&
			strings.Contains(string(text), `parley_desk_answers{desk="billing"} 1`) &&
			strings.Contains(string(text), "parley_desk_wait_seconds_count")
	}, patience, 200*time.Millisecond)

	_, raw := h.do(http.MethodGet, "/openapi.json", nil)
	require.True(h.t, json.Valid(raw))
}

// TestDesksWithTemporalAway: they say so in time, and a command that got no answer
// is safely sent again.
func TestDesksWithTemporalAway(t *testing.T) {
	t.Parallel()

	temporal := newInstall(t, calm).start(t)
	h := &httpDesk{process: apart(t, deskConfig, temporal, "desks").start(t)}
	h.put(oddAgentPath, `{"slots":2}`)

	require.NoError(t, temporal.command.Process.Signal(syscall.SIGSTOP))

	for path, method := range map[string]string{
		"/v1/desks": http.MethodGet, "/v1/desks/billing": http.MethodGet, "/v1/desks/support/availability": http.MethodGet,
		oddAgentPath: http.MethodPut,
	} {
		begun := time.Now()
		told := h.problemOf(http.StatusServiceUnavailable, method, path, nil, "Idempotency-Key", "k")
		require.Contains(t, told.Detail, "not answer for now", path)
		require.Less(t, time.Since(begun), 8*time.Second, path)
	}

	require.NoError(t, temporal.command.Process.Signal(syscall.SIGCONT))
	require.Eventually(t, func() bool {
		status, _ := h.do(http.MethodPut, oddAgentPath, nil, "Idempotency-Key", "k")

		return status == http.StatusOK
	}, 2*patience, 100*time.Millisecond)
	require.Equal(t, 2, h.desk("support").Agents[0].Slots)
}
