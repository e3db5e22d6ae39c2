package tests_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// edgeSetup has desks of which each is asked by one source.
const edgeSetup = `
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    accept:    {timeout: 1m, pause: 300ms}
    reassign:  {after: 1h, offline_grace: 300ms}
    closeout:  {grace: 300ms}
desks:
  support: {agents: [{id: smith}]}
  billing: {}
  chooser: {agents: [{id: c1}, {id: c2}, {id: c3}]}
  lapsing: {agents: [{id: l1}, {id: l2}]}
  hall:    {agents: [{id: h1}, {id: h2}]}
sources:
  web:     {dialect: parley, routing: desk, desk: support, groups: {"7": billing}}
  plain:   {dialect: parley, desk: support}
  inbenta: {dialect: inbenta, secrets: ["` + inbentaSecret + `"], desk: chooser}
  lapsing: {dialect: inbenta, secrets: ["` + inbentaSecret + `"], desk: lapsing}
  routed:  {dialect: inbenta, secrets: ["` + inbentaSecret + `"], routing: desk, desk: hall}
`

// TestDeskEdge asks desks, and tells them, through platforms and by commands.
func TestDeskEdge(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, edgeSetup).start(t)

	for name, check := range map[string]func(*httpDesk){
		"a platform asks again":             checkAnotherRequest,
		"a platform asks when it is late":   checkLapsedRequest,
		"a platform asks on a desk of ours": checkRoutedRequest,
		"agents of other desks, and of none": func(h *httpDesk) {
			checkNamedDesk(h)
			checkUnknownAgents(h)
			checkPresence(h)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(&httpDesk{process: parley.with(t)})
		})
	}
}

// requests are one chat's for an agent, each a second after the one before.
type requests struct {
	*httpDesk

	source, chat string
	agents       []string
	at           time.Time
}

// asks waits until the desk, which looks around when it begins, answers the first.
func (h *httpDesk) asks(source, chat string, agents ...string) (*requests, string) {
	h.t.Helper()

	r := &requests{httpDesk: h, source: source, chat: chat, agents: agents, at: time.Now()}

	require.Eventually(h.t, func() bool { return r.again() != "" }, 20*time.Second, 50*time.Millisecond)

	first := r.again()

	return r, first
}

// again repeats the newest request, anew makes another.
func (r *requests) again() string {
	_, body := r.assignsAt(r.at, r.source, r.chat, r.agents...)

	return body
}

func (r *requests) anew() string {
	r.at = r.at.Add(time.Second)

	return r.again()
}

func (r *requests) key() signals.Key { return signals.Key{Source: r.source, Conversation: r.chat} }

// checkAnotherRequest: the agent who was told did not take it, so that the next one
// is, until all were; then from the beginning.
func checkAnotherRequest(h *httpDesk) {
	r, first := h.asks("inbenta", "hops", "c1", "c2", "c3")
	require.Equal(h.t, chosen("c1"), first)
	require.Equal(h.t, chosen("c1"), r.again(), "a repetition")

	require.Equal(h.t, chosen("c2"), r.anew())
	require.Equal(h.t, chosen("c2"), r.again())
	h.deskUntil("chooser", "one slot is held", func(d signals.DeskView) bool {
		return loadOf(d, "c1") == 0 && loadOf(d, "c2") == 1 && loadOf(d, "c3") == 0
	})

	require.Equal(h.t, chosen("c3"), r.anew())
	require.Contains(h.t, []string{chosen("c1"), chosen("c2")}, r.anew(), "all were told")

	// Somebody takes it, and who asks for another one begins again.
	h.hooks("inbenta", "invitations:accept", map[string]any{"chatId": "hops", "userId": "c2"})
	h.eventually(r.key(), patience, "accepted", has("c2"))
	h.deskUntil("chooser", "c2 has it", func(d signals.DeskView) bool {
		return d.Active == 1 && loadOf(d, "c2") == 1
	})
}

// checkLapsedRequest: nobody is forgotten with the slot that was held.
func checkLapsedRequest(h *httpDesk) {
	r, first := h.asks("lapsing", "late", "l1", "l2")
	require.Equal(h.t, chosen("l1"), first)

	require.Eventually(h.t, func() bool { return h.deskPosition("lapsing", r.key()).Status == "" }, time.Minute, time.Second)
	require.Equal(h.t, chosen("l2"), r.anew())
}

// checkRoutedRequest: the invitation goes on with the answer.
func checkRoutedRequest(h *httpDesk) {
	r, first := h.asks("routed", "moves", "h1", "h2")

	one, other := "h1", "h2"
	if first == chosen(other) {
		one, other = other, one
	}

	require.Equal(h.t, chosen(one), first)
	h.eventually(r.key(), patience, "offered", offeredTo(one))

	require.Equal(h.t, chosen(other), r.anew())
	h.eventually(r.key(), patience, "offered to the next", offeredTo(other))
	require.Equal(h.t, chosen(other), r.again())

	h.hooks("routed", "invitations:accept", map[string]any{"chatId": "moves", "userId": other})
	h.eventually(r.key(), patience, "accepted", has(other))
	h.deskUntil("hall", "one slot is taken", func(d signals.DeskView) bool {
		return d.Active == 1 && loadOf(d, other) == 1 && loadOf(d, one) == 0
	})
}

// waits is a conversation that waits, as nobody of support's is free.
func (h *httpDesk) waits(source, chat string) signals.Key {
	h.t.Helper()

	key := signals.Key{Source: source, Conversation: chat}
	h.post("/webhooks/"+source, map[string]any{
		"id": "1", "type": signals.MessageReceived, "conversation": chat, "actor": visitorAnn(), "message": map[string]any{"text": "Hi"},
	})
	h.eventually(key, patience, "open", is(signals.StatusOpen))

	return key
}

// checkNamedDesk: a desk's own agent is asked for by name, with the desk.
func checkNamedDesk(h *httpDesk) {
	h.put("/v1/desks/billing/agents/kim", `{"status":"accepting","slots":5}`)

	key := h.waits("web", "named")
	require.Contains(h.t, h.refused(key, "escalate", map[string]any{"agent_id": "kim"}), "kim is on desk billing")
	require.Contains(h.t, h.refused(key, "escalate", map[string]any{"agent_id": "smith", "desk": "billing"}), "the command names billing")

	h.command(key, "escalate", map[string]any{"agent_id": "kim", "desk": "billing"})
	h.eventually(key, patience, "offered", offeredTo("kim"))
	require.Equal(h.t, "kim", h.command(key, "accept", by("kim")).Agent)

	key = h.waits("web", "grouped")
	h.command(key, "escalate", map[string]any{"agent_id": "kim", "group_id": "7"})
	h.eventually(key, patience, "offered", offeredTo("kim"))
	h.command(key, "close", nil)
}

// checkUnknownAgents: nobody would count the slot of somebody who is no agent.
func checkUnknownAgents(h *httpDesk) {
	key := h.waits("web", "slip")

	for _, verb := range []string{"assign", "transfer", "escalate"} {
		require.Equal(h.t, "no desk knows an agent kmi; PUT /v1/desks/support/agents/kmi adds one", h.refused(key, verb, by("kmi")))
	}

	// One who was removed is one no more.
	h.put("/v1/desks/support/agents/lee", `{"status":"accepting"}`)

	status, _ := h.do(http.MethodDelete, "/v1/desks/support/agents/lee", nil)
	require.Equal(h.t, http.StatusOK, status)
	require.Contains(h.t, h.refused(key, "assign", by("lee")), "no desk knows an agent lee")

	h.put("/v1/desks/support/agents/kmi", `{"status":"accepting"}`)
	require.Equal(h.t, "kmi", h.command(key, "assign", by("kmi")).Agent)
	require.Equal(h.t, "kmi", h.command(key, "assign", by("kmi")).Agent, "again")
	h.deskUntil("support", "the slot counts", func(d signals.DeskView) bool { return loadOf(d, "kmi") == 1 })

	// Where the platform gives them away, it knows.
	require.Equal(h.t, "anybody", h.command(h.waits("plain", "slip"), "assign", by("anybody")).Agent)
}

// checkPresence: who was put on another desk than the source's is known there.
func checkPresence(h *httpDesk) {
	statusOf := func(name, agent string) string {
		for _, a := range h.desk(name).Agents {
			if a.ID == agent {
				return a.Status
			}
		}

		return ""
	}

	f := &floor{process: h.process}
	for _, status := range []string{signals.AgentOffline, signals.AgentNotAccepting} {
		f.agentIs("web", "kim", status)
		require.Eventually(h.t, func() bool { return statusOf("billing", "kim") == status }, patience, 50*time.Millisecond)
	}

	f.agentIs("web", "smith", signals.AgentNotAccepting)
	require.Eventually(h.t, func() bool { return statusOf("support", "smith") == signals.AgentNotAccepting }, patience, 50*time.Millisecond)
	require.Empty(h.t, statusOf("support", "kim"))
}

// TestWebhookWantsTheSameAgent: whom the conversation was taken from is tried last,
// unless the webhook names just that one.
func TestWebhookWantsTheSameAgent(t *testing.T) {
	t.Parallel()

	wants := newAssigner(t)
	wants.will("again", names("b"))

	h := &httpDesk{process: newInstall(t, `
network: {allow: ["127.0.0.0/8"]}
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    reassign:  {after: 1s}
    closeout:  {grace: 300ms}
desks:
  support: {assign: {url: "`+wants.URL+`/assign"}, agents: [{id: a, slots: 2}, {id: b, slots: 2}, {id: c, slots: 2}]}
sources:
  web: {dialect: parley, routing: desk, desk: support}
`).start(t)}

	key := h.waits("web", "again")
	h.command(key, "escalate", nil)
	h.eventually(key, patience, "offered", offeredTo("b"))
	h.command(key, "accept", by("b"))

	view := h.eventually(key, patience, "offered to the same one", func(v signals.View) bool {
		return v.Offered != "" && slices.ContainsFunc(v.Timeline, func(e signals.TimelineEntry) bool { return e.Type == signals.AgentReassigned })
	})
	require.Equal(t, "b", view.Offered)

	questions := wants.about(key)
	require.Len(t, questions, 2)

	for i := range questions {
		offered := make([]string, 0, len(questions[i].question.Invitation.Candidates))
		for _, candidate := range questions[i].question.Invitation.Candidates {
			offered = append(offered, candidate.AgentID)
		}

		require.Equal(t, []string{"a", "b", "c"}, offered)
	}

	h.command(key, "close", nil)
}
