package webhooks_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/desks"
	desktop "github.com/parleyhq/parley/workflows/desk"
)

// desk fakes the workflows of all desks.
type desk struct {
	desks.Temporal

	mu      sync.Mutex
	asked   []*client.QueryWorkflowWithOptionsRequest
	updates []client.UpdateWorkflowOptions
	view    signals.DeskView
	place   signals.DeskPosition
	agent   signals.DeskAgent
	chosen  signals.Chosen
	// empty are the desks without agents, by their workflows' ids.
	empty map[string]bool
	// hired are the desks' agents that were put on them, by their workflows' ids.
	hired map[string][]signals.DeskAgent
	// down is why a desk, by its workflow's id, does not answer.
	down  map[string]error
	fails error
}

func newDesk() *desk {
	return &desk{
		view: signals.DeskView{
			Strategy: "least_busy", Open: true, Queue: []signals.DeskWaiting{},
			Agents: []signals.DeskAgent{{ID: "ann", Status: signals.AgentAccepting, Skills: []string{}}},
		},
		agent: signals.DeskAgent{ID: "ann", Status: signals.AgentAccepting, Slots: 3, Skills: []string{}},
		down:  map[string]error{},
		empty: map[string]bool{"desk:billing": true},
		hired: map[string][]signals.DeskAgent{},
	}
}

func (d *desk) QueryWorkflowWithOptions(
	ctx context.Context, request *client.QueryWorkflowWithOptionsRequest,
) (*client.QueryWorkflowWithOptionsResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.asked = append(d.asked, request)

	if err := d.down[request.WorkflowID]; err != nil {
		return nil, err
	}

	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 2*time.Second {
		return nil, errDown
	}

	var answer any

	switch request.QueryType {
	case signals.StateQuery:
		view := d.view
		view.Desk = strings.TrimPrefix(request.WorkflowID, "desk:")
		if d.empty[request.WorkflowID] {
			view.Agents = []signals.DeskAgent{}
		}

		view.Agents = slices.Concat(view.Agents, d.hired[request.WorkflowID])
		answer = view
	case signals.AvailabilityQuery:
		skill, _ := request.Args[0].(string)
		answer = signals.Availability{Skill: skill, Status: "online", WaitSeconds: new(int64(0))}
	case signals.PositionQuery:
		answer = d.place
	}

	return &client.QueryWorkflowWithOptionsResponse{QueryResult: encoded{answer}}, nil
}

func (d *desk) NewWithStartWorkflowOperation(client.StartWorkflowOptions, any, ...any) client.WithStartWorkflowOperation {
	return nil
}

func (d *desk) UpdateWithStartWorkflow(
	_ context.Context, options client.UpdateWithStartWorkflowOptions,
) (client.WorkflowUpdateHandle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.updates = append(d.updates, options.UpdateOptions)

	if options.UpdateOptions.UpdateName == signals.ChooseUpdate {
		return said{answer: d.chosen, err: d.fails}, nil
	}

	if word, ok := options.UpdateOptions.Args[0].(signals.AgentWord); ok && options.UpdateOptions.UpdateName == signals.AgentUpdate {
		id := options.UpdateOptions.WorkflowID
		d.hired[id] = append(d.hired[id], signals.DeskAgent{ID: word.ID})
	}

	return said{answer: d.agent, err: d.fails}, nil
}

// said is a desk's answer to an update.
type said struct {
	client.WorkflowUpdateHandle

	answer any
	err    error
}

func (s said) Get(_ context.Context, into any) error {
	if s.err != nil {
		return s.err
	}

	return encoded{s.answer}.Get(into)
}

func TestDesks(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	since := e.clock.Now().Add(-90 * time.Second)
	e.desk.empty = nil
	e.desk.view.Waiting, e.desk.view.OldestSince = 1, &since
	e.desk.view.Queue = []signals.DeskWaiting{{Source: "shop", Conversation: "c", Status: signals.DeskWaits, Position: 1}}
	e.desk.view.Agents = []signals.DeskAgent{
		{ID: "ann", Status: signals.AgentAccepting, Slots: 2, Load: 1},
		{ID: "bo", Status: signals.AgentOffline},
		{ID: "cy", Status: signals.AgentAccepting, Removed: true},
	}

	got := e.do(http.MethodGet, "/v1/desks", "")
	require.Equal(t, http.StatusOK, got.status, got.body)

	list, _ := got.fields(t)["desks"].([]any)
	require.Len(t, list, 2)

	first, _ := list[0].(map[string]any)
	require.Equal(t, "billing", first["desk"])
	require.InDelta(t, 2, first["staff"], 0)
	require.InDelta(t, 1, first["accepting"], 0)
	require.InDelta(t, 90, first["oldest_wait_seconds"], 0)
	require.NotContains(t, first, "queue")
	require.NotContains(t, first, "agents")
	require.NotContains(t, first, "partial")

	one := e.do(http.MethodGet, "/v1/desks/support", "").fields(t)
	require.Equal(t, "support", one["desk"])
	require.Len(t, one["queue"], 1)
	require.Len(t, one["agents"], 3)
	require.InDelta(t, 90, one["oldest_wait_seconds"], 0)

	// A second later it is another one's wait.
	e.clock.advance(500 * time.Millisecond)
	e.do(http.MethodGet, "/v1/desks/support", "")
	require.Len(t, e.desk.asked, 2, "both once for the list")

	e.clock.advance(time.Second)
	require.InDelta(t, 91, e.do(http.MethodGet, "/v1/desks/support", "").fields(t)["oldest_wait_seconds"], 0)
	require.Len(t, e.desk.asked, 3)
}

func TestDesksArePaged(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	seen, path := []string{}, "/v1/desks?limit=1"

	for {
		page := e.do(http.MethodGet, path, "").fields(t)
		list, _ := page["desks"].([]any)
		require.LessOrEqual(t, len(list), 1)

		for _, one := range list {
			seen = append(seen, one.(map[string]any)["desk"].(string))
		}

		next, _ := page["next"].(string)
		if next == "" {
			break
		}

		path = "/v1/desks?limit=1&cursor=" + next
	}

	require.Equal(t, []string{"billing", "support"}, seen)

	for query, field := range map[string]string{"limit=0": "limit", "cursor=x": "cursor", "cursor=e30": "cursor", "status=x": "status"} {
		require.Equal(t, field, e.do(http.MethodGet, "/v1/desks?"+query, "").isProblem(t, 422, "invalid-field").Field)
	}

	none := newEdge(t, func(_ *webhooks.Config, deps *webhooks.Deps) { deps.Desks = nil })
	require.JSONEq(t, `{"desks":[],"next":""}`, none.do(http.MethodGet, "/v1/desks", "").body)
	none.do(http.MethodGet, "/v1/desks/support", "").isProblem(t, http.StatusNotFound, "not-found")
}

func TestSilentDesks(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.desk.down["desk:billing"] = serviceerror.NewUnavailable("away")

	list, _ := e.do(http.MethodGet, "/v1/desks", "").fields(t)["desks"].([]any)
	require.Len(t, list, 2)
	require.Equal(t, true, list[0].(map[string]any)["partial"])
	require.Equal(t, "billing", list[0].(map[string]any)["desk"])
	require.NotContains(t, list[1], "partial")

	for _, path := range []string{"/v1/desks/billing", "/v1/desks/billing/availability"} {
		p := e.do(http.MethodGet, path, "").isProblem(t, http.StatusServiceUnavailable, "unavailable")
		require.Equal(t, "the desk does not answer for now", p.Detail)
	}

	e.clock.advance(time.Minute)
	e.desk.down["desk:support"] = serviceerror.NewUnavailable("away")
	e.do(http.MethodGet, "/v1/desks", "").isProblem(t, http.StatusServiceUnavailable, "unavailable")

	e.desk.fails = serviceerror.NewUnavailable("away")
	e.do(http.MethodPut, "/v1/desks/support/agents/ann", "").isProblem(t, http.StatusServiceUnavailable, "unavailable")
	require.Contains(t, e.log.String(), "a desk did not answer")
}

func TestAvailability(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	got := e.do(http.MethodGet, "/v1/desks/support/availability?skill=caf%C3%A9", "")
	require.JSONEq(t, `{"skill":"café","status":"online","wait_seconds":0}`, got.body)

	require.Equal(t, "skill", e.do(http.MethodGet, "/v1/desks/support/availability?skill=%00", "").isProblem(t, 422, "invalid-field").Field)
	require.Equal(t, "x", e.do(http.MethodGet, "/v1/desks/support/availability?x=1", "").isProblem(t, 422, "invalid-field").Field)
}

func TestUnknownDesks(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	for method, path := range map[string]string{
		http.MethodGet: "/v1/desks/sales", http.MethodPut: "/v1/desks/sales/agents/a", http.MethodDelete: "/v1/desks/sales/agents/a",
	} {
		e.do(method, path, "").isProblem(t, http.StatusNotFound, "not-found")
	}

	e.do(http.MethodGet, "/v1/desks/SUPPORT/availability", "").isProblem(t, http.StatusNotFound, "not-found")
	require.Empty(t, e.desk.asked)
	require.Empty(t, e.desk.updates)
}

func TestPutAgent(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		path, body string
		want       signals.AgentWord
	}{
		"nothing": {"ann", ``, signals.AgentWord{ID: "ann"}},
		"all": {
			"ann", `{"name":"Ann","status":"offline","slots":0,"skills":["it"],"priority":-1}`,
			signals.AgentWord{ID: "ann", Name: "Ann", Status: "offline", Slots: new(0), Skills: []string{"it"}, Priority: new(-1)},
		},
		"no skills":    {"ann", `{"skills":[]}`, signals.AgentWord{ID: "ann", Skills: []string{}}},
		"null":         {"ann", `{"skills":null,"slots":null,"status":null}`, signals.AgentWord{ID: "ann"}},
		"an odd id":    {"a%2Fb%3A%25%3F%20%C3%A4", `{}`, signals.AgentWord{ID: "a/b:%? ä"}},
		"an e-mail id": {"ann@shop.example", `{}`, signals.AgentWord{ID: "ann@shop.example"}},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			got := e.do(http.MethodPut, "/v1/desks/support/agents/"+test.path, test.body)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.InDelta(t, 3, got.fields(t)["slots"], 0)
			require.Equal(t, signals.AgentUpdate, e.desk.updates[0].UpdateName)
			require.Equal(t, "desk:support", e.desk.updates[0].WorkflowID)
			require.Empty(t, e.desk.updates[0].UpdateID)
			require.Equal(t, []any{test.want}, e.desk.updates[0].Args)
		})
	}
}

func TestBadAgents(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		path, body, field string
		status            int
	}{
		"unknown field":    {"ann", `{"slot":1}`, "slot", 422},
		"another's field":  {"ann", `{"id":"bo"}`, "id", 422},
		"wrong type":       {"ann", `{"slots":"3"}`, "slots", 422},
		"a fraction":       {"ann", `{"slots":1.5}`, "slots", 422},
		"skills":           {"ann", `{"skills":"it"}`, "skills", 422},
		"many skills":      {"ann", `{"skills":["x"` + strings.Repeat(`,"x"`, 100) + `]}`, "skills", 422},
		"a tab in a skill": {"ann", `{"skills":["a\tb"]}`, "skills", 422},
		"a long skill":     {"ann", `{"skills":["` + strings.Repeat("x", 256) + `"]}`, "skills", 422},
		"a long name":      {"ann", `{"name":"` + strings.Repeat("x", 256) + `"}`, "name", 422},
		"a long id":        {strings.Repeat("x", 256), `{}`, "agent", 422},
		"a tab":            {"a%09b", `{}`, "agent", 422},
		"no UTF-8":         {"%ff", `{}`, "agent", 422},
		"a parameter":      {"ann?slots=1", ``, "slots", 422},
		"no JSON":          {"ann", `slots=1`, "", 400},
		"no object":        {"ann", `[]`, "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			slug := map[int]string{422: "invalid-field", 400: "malformed-body"}[test.status]
			p := e.do(http.MethodPut, "/v1/desks/support/agents/"+test.path, test.body).isProblem(t, test.status, slug)
			require.Equal(t, test.field, p.Field)
			require.Empty(t, e.desk.updates)
		})
	}
}

func TestDesksRefuse(t *testing.T) {
	t.Parallel()

	const path = "/v1/desks/support/agents/ann"

	e := newEdge(t)
	e.desk.fails = temporal.NewNonRetryableApplicationError("the desk is full", signals.RefusedError, nil)
	require.Equal(t, "the desk is full", e.do(http.MethodPut, path, "").isProblem(t, http.StatusConflict, "refused").Detail)

	// Of a removal a desk refuses nothing but that there is nobody.
	e.do(http.MethodDelete, path, "").isProblem(t, http.StatusNotFound, "not-found")

	for given, field := range map[string]string{"slots": "slots", "id": "agent"} {
		e.desk.fails = temporal.NewNonRetryableApplicationError(given+": no", desktop.InvalidError, nil, given, "no")
		p := e.do(http.MethodPut, path, "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
		require.Equal(t, field, p.Field)
		require.Equal(t, "no", p.Detail)
	}

	e.desk.fails = temporal.NewApplicationError("secret detail", "PanicError")
	require.NotContains(t, e.do(http.MethodPut, path, "").isProblem(t, http.StatusInternalServerError, "internal").Detail, "secret")
}

// TestAnAgentBelongsToOneDesk, whichever way it came there.
func TestAnAgentBelongsToOneDesk(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	p := e.do(http.MethodPut, "/v1/desks/billing/agents/ann", "").isProblem(t, http.StatusConflict, "refused")
	require.Equal(t, "the agent stands on the desk support, and belongs to one only", p.Detail)
	require.Empty(t, e.desk.updates)

	// A desk that does not answer counts as it was.
	e.clock.advance(time.Minute)
	e.desk.down["desk:support"] = errDown
	e.do(http.MethodPut, "/v1/desks/billing/agents/ann", "").isProblem(t, http.StatusConflict, "refused")
	require.Equal(t, http.StatusOK, e.do(http.MethodPut, "/v1/desks/billing/agents/bo", "").status)

	delete(e.desk.down, "desk:support")
	e.desk.view.Agents[0].Removed = true
	require.Equal(t, http.StatusOK, e.do(http.MethodPut, "/v1/desks/billing/agents/ann", "").status)
}

// TestAnAgentBelongsToOneDeskAtOnce: of two desks that are given an agent at the
// same time, one gets the agent.
func TestAnAgentBelongsToOneDeskAtOnce(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	for i := range 20 {
		var statuses [2]int

		var work sync.WaitGroup

		for k, desk := range []string{"billing", "support"} {
			work.Go(func() {
				statuses[k] = e.do(http.MethodPut, fmt.Sprintf("/v1/desks/%s/agents/bo%d", desk, i), "").status
			})
		}

		work.Wait()
		require.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict}, statuses[:])
	}
}

func TestRemoveAgent(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	got := e.do(http.MethodDelete, "/v1/desks/support/agents/a%2Fb", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "ann", got.fields(t)["id"])
	require.Equal(t, signals.RemoveAgentUpdate, e.desk.updates[0].UpdateName)
	require.Equal(t, []any{signals.AgentWord{ID: "a/b"}}, e.desk.updates[0].Args)
}

func TestIdempotencyKeyOfAgents(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	send := func(method, agent, body, key string) string {
		got := e.do(method, "/v1/desks/support/agents/"+agent, body, "Idempotency-Key", key)
		require.Equal(t, http.StatusOK, got.status, got.body)

		return e.desk.updates[len(e.desk.updates)-1].UpdateID
	}

	first := send(http.MethodPut, "ann", `{"slots":3}`, "k1")
	require.NotEmpty(t, first)
	require.Equal(t, first, send(http.MethodPut, "ann", `{"slots":3,"skills":[]}`, "k1"))
	require.NotEqual(t, first, send(http.MethodPut, "ann", `{"slots":3}`, "k2"))
	require.NotEqual(t, first, send(http.MethodPut, "bo", `{"slots":3}`, "k1"))
	require.NotEqual(t, first, send(http.MethodDelete, "ann", ``, "k1"))

	// The desk answers with what the first one did.
	for i, body := range []string{`{"slots":4}`, `{"status":"offline"}`, `{"skills":["x"]}`, `{"name":"x"}`, `{"priority":1}`} {
		p := e.do(http.MethodPut, "/v1/desks/support/agents/ann", body, "Idempotency-Key", fmt.Sprint("k1", i)).isProblem(t, 422, "invalid-field")
		require.Equal(t, "Idempotency-Key", p.Field)
	}
}

func TestScopesOfDesks(t *testing.T) {
	t.Parallel()

	reader, readEntry := newKey(t, "reader", webhooks.ScopeRead)
	writer, writeEntry := newKey(t, "writer", webhooks.ScopeCommand)
	e := newEdge(t, withKeys(readEntry, writeEntry))

	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		e.do(method, "/v1/desks/support/agents/ann", "", "Authorization", "Bearer "+reader).isProblem(t, http.StatusForbidden, "forbidden")
		require.Equal(t, http.StatusOK, e.do(method, "/v1/desks/support/agents/ann", "", "Authorization", "Bearer "+writer).status)
	}

	for _, path := range []string{"", "/support", "/support/availability"} {
		e.do(http.MethodGet, "/v1/desks"+path, "").isProblem(t, http.StatusUnauthorized, "unauthorized")
		e.do(http.MethodGet, "/v1/desks"+path, "", "Authorization", "Bearer "+writer).isProblem(t, http.StatusForbidden, "forbidden")
		require.Equal(t, http.StatusOK, e.do(http.MethodGet, "/v1/desks"+path, "", "Authorization", "Bearer "+reader).status)
	}
}

// TestPlaceInTheQueue: the conversation itself, while it waits, and nothing else
// asks the desk.
func TestPlaceInTheQueue(t *testing.T) {
	t.Parallel()

	e := newEdge(t).obeys()
	e.desk.place = signals.DeskPosition{Session: 1, Status: signals.DeskWaits, Position: 3, Depth: 9, WaitSeconds: new(int64(120))}
	set := func(status signals.Status, desk string) {
		v := view("shop", "c", status)
		v.Desk = desk
		e.run(v)
	}
	queue := func() any { return e.do(http.MethodGet, "/v1/conversations/shop/c", "").fields(t)["queue"] }

	set(signals.StatusQueued, "support")
	require.Equal(t, map[string]any{"status": "waiting", "position": 3.0, "depth": 9.0, "wait_seconds": 120.0}, queue())
	require.Equal(t, []any{signals.Key{Source: "shop", Conversation: "c"}}, e.desk.asked[0].Args)
	require.Equal(t, "desk:support", e.desk.asked[0].WorkflowID)

	e.do(http.MethodGet, "/v1/conversations", "")
	e.do(http.MethodPost, one+"close", "")
	require.Len(t, e.desk.asked, 1)

	e.desk.place = signals.DeskPosition{Session: 1, Status: signals.DeskOffered, Depth: 4, Agent: "ann"}
	set(signals.StatusOffered, "support")
	require.Equal(t, map[string]any{"status": "offered", "depth": 4.0}, queue())

	e.desk.place.Session = 2
	require.Nil(t, queue(), "that is another session's")

	e.desk.place = signals.DeskPosition{}
	require.Nil(t, queue(), "the desk has not heard of it")

	asked := len(e.desk.asked)

	set(signals.StatusActive, "support")
	require.Nil(t, queue())
	set(signals.StatusQueued, "elsewhere")
	require.Nil(t, queue())
	require.Len(t, e.desk.asked, asked)

	e.desk.down["desk:support"] = errDown

	set(signals.StatusQueued, "support")
	require.Nil(t, queue())
	require.Contains(t, e.log.String(), "did not say where")
}
