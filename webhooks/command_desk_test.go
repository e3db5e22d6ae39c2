package webhooks_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

// withRouted adds a source whose conversations the desk support gives to agents;
// its platform's group 7 is the desk billing.
func withRouted(_ *webhooks.Config, deps *webhooks.Deps) {
	source := newSource("routed")
	source.Desk, source.Routed, source.Groups = "support", true, map[string]string{"7": "billing"}
	deps.Sources = append(deps.Sources, source)
}

// routed is a conversation of a desk's: ann stands on support, kim on billing.
func routed(t *testing.T, change func(v *signals.View)) *edge {
	t.Helper()

	e := newEdge(t, withRouted).obeys()
	e.desk.hired["desk:billing"] = []signals.DeskAgent{{ID: "kim", Status: signals.AgentAccepting, Skills: []string{}}}

	v := view("routed", "c", signals.StatusQueued)
	v.Agent, v.Desk = "", "support"

	if change != nil {
		change(&v)
	}

	e.run(v)

	return e
}

const routedPath = "/v1/conversations/routed/c/"

// TestAgentsOfTheDesk: whoever is to have a conversation stands on the desk that has
// it, or that the command names.
func TestAgentsOfTheDesk(t *testing.T) {
	t.Parallel()

	elsewhere := "agent kim is on desk billing, the conversation on support: transfer it to that desk"
	nobody := "no desk knows an agent kmi; PUT /v1/desks/support/agents/kmi adds one"

	for name, test := range map[string]struct {
		command, body, refused string
		change                 func(v *signals.View)
	}{
		"assigned to one of the desk's":    {command: "assign", body: `{"agent_id":"ann"}`},
		"assigned to another desk's":       {command: "assign", body: `{"agent_id":"kim"}`, refused: elsewhere},
		"assigned to nobody":               {command: "assign", body: `{"agent_id":"kmi"}`, refused: nobody},
		"transferred to one of the desk's": {command: "transfer", body: `{"agent_id":"ann"}`},
		"transferred to another desk's":    {command: "transfer", body: `{"agent_id":"kim"}`, refused: elsewhere},
		"transferred to nobody":            {command: "transfer", body: `{"agent_id":"kmi"}`, refused: nobody},
		"transferred to a desk":            {command: "transfer", body: `{"desk":"billing"}`},
		"escalated by name":                {command: "escalate", body: `{"agent_id":"ann"}`},
		"escalated to another desk's":      {command: "escalate", body: `{"agent_id":"kim"}`, refused: elsewhere},
		"escalated to nobody":              {command: "escalate", body: `{"agent_id":"kmi"}`, refused: nobody},
		"escalated to a desk's own":        {command: "escalate", body: `{"desk":"billing","agent_id":"kim"}`},
		"escalated to a group's own":       {command: "escalate", body: `{"group_id":"7","agent_id":"kim"}`},
		"escalated to a group's stranger": {
			command: "escalate", body: `{"group_id":"7","agent_id":"ann"}`,
			refused: "agent ann is on desk support, the command names billing",
		},
		"escalated to a desk's stranger": {
			command: "escalate", body: `{"desk":"billing","agent_id":"ann"}`,
			refused: "agent ann is on desk support, the command names billing",
		},
		"escalated to nobody of a desk": {
			command: "escalate", body: `{"desk":"billing","agent_id":"k/mi"}`,
			refused: "no desk knows an agent k/mi; PUT /v1/desks/billing/agents/k%2Fmi adds one",
		},
		"who has it already": {
			command: "assign", body: `{"agent_id":"gone"}`,
			change: func(v *signals.View) { v.Agent, v.Status = "gone", signals.StatusActive },
		},
		"never queued": {
			command: "assign", body: `{"agent_id":"kmi"}`, refused: nobody,
			change: func(v *signals.View) { v.Desk, v.Status = "", signals.StatusOpen },
		},
		"never queued, another desk's": {
			command: "assign", body: `{"agent_id":"kim"}`, refused: elsewhere,
			change: func(v *signals.View) { v.Desk, v.Status = "", signals.StatusOpen },
		},
		// The conversation knows whom it is offered to.
		"accepted by nobody":  {command: "accept", body: `{"agent_id":"kmi"}`},
		"declined by nobody":  {command: "decline", body: `{"agent_id":"kmi"}`},
		"accepted by another": {command: "accept", body: `{"agent_id":"kim"}`, refused: elsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := routed(t, test.change)
			answer := e.do(http.MethodPost, routedPath+test.command, test.body)

			if test.refused == "" {
				require.Equal(t, http.StatusOK, answer.status, answer.body)
				require.Len(t, e.updates, 1)

				return
			}

			require.Equal(t, test.refused, answer.isProblem(t, http.StatusConflict, "refused").Detail)
			require.Empty(t, e.updates)
		})
	}
}

// TestPlatformsKnowTheirAgents: where the platform gives conversations away, a desk
// need not know anybody.
func TestPlatformsKnowTheirAgents(t *testing.T) {
	t.Parallel()

	e := newEdge(t).obeys()
	e.run(view("shop", "c", signals.StatusQueued))

	for _, command := range []string{"assign", "transfer", "escalate"} {
		require.Equal(t, http.StatusOK, e.do(http.MethodPost, one+command, `{"agent_id":"kmi"}`).status)
	}
}

// TestAgentsOfSilentDesks: a desk that does not answer counts as it was, and what
// nobody can know is no reason to refuse.
func TestAgentsOfSilentDesks(t *testing.T) {
	t.Parallel()

	e := routed(t, nil)
	e.desk.down["desk:billing"] = errDown

	assign := func(agent string) answer {
		return e.do(http.MethodPost, routedPath+"assign", `{"agent_id":"`+agent+`"}`)
	}

	require.Equal(t, http.StatusOK, assign("kmi").status, "billing may know that one")

	delete(e.desk.down, "desk:billing")
	assign("kmi").isProblem(t, http.StatusConflict, "refused")

	e.clock.advance(time.Minute)
	e.desk.down["desk:billing"] = errDown
	require.Contains(t, assign("kmi").isProblem(t, http.StatusConflict, "refused").Detail, "no desk knows")
	require.Contains(t, assign("kim").isProblem(t, http.StatusConflict, "refused").Detail, "kim is on desk billing")

	e.clock.advance(time.Minute)
	e.desk.down["desk:support"] = errDown
	require.Equal(t, http.StatusOK, assign("kmi").status, "no desk answers")
	require.Equal(t, http.StatusOK, assign("ann").status)
}

// TestAnAgentWhoWasRemoved is no agent any more, at once.
func TestAnAgentWhoWasRemoved(t *testing.T) {
	t.Parallel()

	e := routed(t, nil)
	require.Equal(t, http.StatusOK, e.do(http.MethodPost, routedPath+"assign", `{"agent_id":"ann"}`).status)
	require.Equal(t, http.StatusOK, e.do(http.MethodDelete, "/v1/desks/support/agents/ann", "").status)

	e.desk.mu.Lock()
	e.desk.empty["desk:support"] = true
	e.desk.mu.Unlock()

	require.Contains(t, e.do(http.MethodPost, routedPath+"assign", `{"agent_id":"ann"}`).isProblem(t, 409, "refused").Detail,
		"no desk knows an agent ann")
}
