package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	activities "github.com/parleyhq/parley/activities/desk"
	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// world is what the activities reach: conversations, visibility.
type world struct {
	mu    sync.Mutex
	told  map[string][]string
	fails map[string]error
	gone  map[string]bool

	pages  [][]string
	query  string
	listed int
}

func (w *world) Offers(_ context.Context, key signals.Key, offers []signals.Offer) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if err := w.fails[key.Conversation]; err != nil {
		return false, err
	}

	if w.gone[key.Conversation] {
		return false, nil
	}

	for i := range offers {
		w.told[key.Conversation] = append(w.told[key.Conversation], string(offers[i].Kind))
	}

	return true, nil
}

func (w *world) ListWorkflow(
	_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	w.query = request.GetQuery()

	if w.pages == nil {
		return nil, errors.New("visibility is away")
	}

	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, id := range w.pages[w.listed] {
		page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: id},
		})
	}

	w.listed++
	if w.listed < len(w.pages) {
		page.NextPageToken = []byte("more")
	}

	return page, nil
}

func newWorld() *world {
	return &world{told: map[string][]string{}, fails: map[string]error{}, gone: map[string]bool{}}
}

func provided(w *world) *activities.Activities {
	return &activities.Activities{Courier: w, Workflow: w, Log: slog.New(slog.DiscardHandler)}
}

func environment(t *testing.T, a *activities.Activities) *testsuite.TestActivityEnvironment {
	t.Helper()

	var suite testsuite.WorkflowTestSuite

	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))

	env := suite.NewTestActivityEnvironment()
	a.Register(env)

	return env
}

func key(n int) signals.Key {
	return signals.Key{Source: "shop", Conversation: fmt.Sprint("chat-", n)}
}

func addressed(n int, kind signals.OfferKind) desk.Addressed {
	return desk.Addressed{Key: key(n), Offer: signals.Offer{Kind: kind, Desk: "support"}}
}

func TestDispatchTellsAllAndSaysWhoIsGone(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.gone["chat-2"] = true
	w.fails["chat-4"] = fmt.Errorf("%w: bad key", courier.ErrRefused)

	value, err := environment(t, provided(w)).ExecuteActivity(desk.DispatchActivity, desk.Dispatch{Desk: "support", Offers: []desk.Addressed{
		addressed(1, signals.OfferRound), addressed(2, signals.OfferAgent), addressed(1, signals.OfferAgent),
		addressed(3, signals.OfferNone), addressed(4, signals.OfferCheck),
	}})
	require.NoError(t, err)

	var done desk.Dispatched

	require.NoError(t, value.Get(&done))
	require.Equal(t, []signals.Key{key(2), key(4)}, done.Gone)
	require.Equal(t, map[string][]string{"chat-1": {"round", "offer"}, "chat-3": {"none"}}, w.told)
}

// TestDispatchFailsOnlyWhole: one that cannot be reached keeps nobody waiting.
func TestDispatchFailsOnlyWhole(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.gone["chat-1"] = true
	w.fails["chat-2"] = courier.ErrHeld
	payload := desk.Dispatch{Desk: "support", Offers: []desk.Addressed{
		addressed(1, signals.OfferAgent), addressed(2, signals.OfferAgent), addressed(3, signals.OfferAgent),
	}}

	value, err := environment(t, provided(w)).ExecuteActivity(desk.DispatchActivity, payload)
	require.NoError(t, err)

	var done desk.Dispatched

	require.NoError(t, value.Get(&done))
	require.Equal(t, desk.Dispatched{Gone: []signals.Key{key(1)}, Unreached: []signals.Key{key(2)}}, done)
	require.Equal(t, map[string][]string{"chat-3": {"offer"}}, w.told)

	payload.Offers = payload.Offers[1:2]
	_, err = environment(t, provided(w)).ExecuteActivity(desk.DispatchActivity, payload)

	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(t, ok)
	require.False(t, failed.NonRetryable())
	require.Contains(t, failed.Error(), "tell shop/chat-2")

	payload.Offers = nil
	_, err = environment(t, provided(w)).ExecuteActivity(desk.DispatchActivity, payload)
	require.NoError(t, err)
}

func TestSurvivors(t *testing.T) {
	t.Parallel()

	w := newWorld()
	env := environment(t, provided(w))

	_, err := env.ExecuteActivity(desk.SurvivorsActivity, "support")
	require.ErrorContains(t, err, "visibility is away")

	_, err = env.ExecuteActivity(desk.SurvivorsActivity, "support' OR 1=1")
	require.Error(t, err)

	w.pages = [][]string{{key(1).WorkflowID(), "conversation:"}, {key(2).WorkflowID()}}
	value, err := env.ExecuteActivity(desk.SurvivorsActivity, "support")
	require.NoError(t, err)

	var keys []signals.Key

	require.NoError(t, value.Get(&keys))
	require.Equal(t, []signals.Key{key(1), key(2)}, keys)
	require.Equal(t, "WorkflowType = 'Conversation' AND ExecutionStatus = 'Running' AND ParleyDesk = 'support'", w.query)
}

// TestLost: who is not listed on the desk is lost; where nobody can tell, nobody is.
func TestLost(t *testing.T) {
	t.Parallel()

	look := func(name string, pages [][]string, keys ...signals.Key) (*world, []signals.Key, error) {
		w := newWorld()
		w.pages = pages
		env := environment(t, provided(w))

		value, err := env.ExecuteLocalActivity(provided(w).Lost, desk.Look{Desk: name, Keys: keys})
		if err != nil {
			return w, nil, err
		}

		var lost []signals.Key

		require.NoError(t, value.Get(&lost))

		return w, lost, nil
	}
	pages := [][]string{{key(1).WorkflowID(), key(8).WorkflowID()}, {key(2).WorkflowID()}, {key(3).WorkflowID()}}

	_, _, err := look("support' OR 1=1", pages, key(1))
	require.Error(t, err)

	w, lost, err := look("support", pages, key(5), key(2), key(1), key(4))
	require.NoError(t, err)
	require.Equal(t, []signals.Key{key(5), key(4)}, lost)
	require.Equal(t, "WorkflowType = 'Conversation' AND ExecutionStatus = 'Running' AND ParleyDesk = 'support'", w.query)
	require.Equal(t, 3, w.listed)

	w, lost, err = look("support", pages, key(2), key(1))
	require.NoError(t, err)
	require.Empty(t, lost)
	require.Equal(t, 2, w.listed, "all are found")

	_, lost, err = look("support", nil, key(1))
	require.NoError(t, err)
	require.Empty(t, lost, "visibility is away")

	w, lost, err = look("support", make([][]string, 20), key(1))
	require.NoError(t, err)
	require.Empty(t, lost, "there are too many to be sure")
	require.Equal(t, 10, w.listed)

	many := make([]signals.Key, 10_001)
	for n := range many {
		many[n] = key(n)
	}

	_, lost, err = look("support", [][]string{{}}, many...)
	require.NoError(t, err)
	require.Empty(t, lost, "the desk asks for too many")

	_, lost, err = look("support", [][]string{{key(1).WorkflowID()}}, many[:300]...)
	require.NoError(t, err)
	require.Len(t, lost, desk.MaxLost)
	require.Equal(t, []signals.Key{key(0), key(2)}, lost[:2])
}

// webhook asks a receiver and returns the choice.
func webhook(t *testing.T, receive http.HandlerFunc, timeout time.Duration, asks ...desk.ChoiceFor) []string {
	t.Helper()

	server := httptest.NewServer(receive)
	t.Cleanup(server.Close)

	a := provided(newWorld())
	a.Webhook = outbound.NewClient(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	a.Assign = func(name string) policy.DeskAssign {
		require.Equal(t, "support", name)

		return policy.DeskAssign{URL: server.URL + "/assign", Secret: "hush", Timeout: policy.Duration(timeout)}
	}

	value, err := environment(t, a).ExecuteActivity(desk.ChooseActivity, desk.Choice{Desk: "support", Asks: asks})
	require.NoError(t, err)

	var agents []string

	require.NoError(t, value.Get(&agents))

	return agents
}

func about(n int) desk.ChoiceFor {
	return desk.ChoiceFor{
		Key: key(n), Session: 2, Since: time.Now().Add(-90 * time.Second),
		Candidates: []signals.DeskAgent{{ID: "smith", Slots: 4, Load: 1, Skills: []string{"billing"}}, {ID: "jo", Slots: 1}},
	}
}

func TestWebhookChooses(t *testing.T) {
	t.Parallel()

	var asked signals.Event

	agents := webhook(t, func(answer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil || request.Header.Get(outbound.ChatSignatureHeader) != outbound.ChatSignature(body, "hush") {
			http.Error(answer, "not signed", http.StatusUnauthorized)

			return
		}

		if err := json.Unmarshal(body, &asked); err != nil || request.Header.Get(outbound.WebhookIDHeader) != asked.ID {
			http.Error(answer, "no event", http.StatusBadRequest)

			return
		}

		_, _ = answer.Write([]byte(`{"agent_id":"jo"}`))
	}, 5*time.Second, about(1))
	require.Equal(t, []string{"jo"}, agents)

	require.Equal(t, signals.AssignmentRequested, asked.Type)
	require.Equal(t, "shop", asked.Source)
	require.Equal(t, "chat-1", asked.Conversation)
	require.Equal(t, 2, asked.Session)
	require.Equal(t, "support", asked.Queue.Desk)
	require.InDelta(t, 90, *asked.Queue.WaitSeconds, 5)

	capacity, load := int64(4), int64(1)
	require.Equal(t, signals.Candidate{AgentID: "smith", Capacity: &capacity, Load: &load, Skills: []string{"billing"}},
		asked.Invitation.Candidates[0])
}

// TestWebhookSaysNothingOfUse: the desk chooses then.
func TestWebhookSaysNothingOfUse(t *testing.T) {
	t.Parallel()

	for name, receive := range map[string]http.HandlerFunc{
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"no content": func(answer http.ResponseWriter, _ *http.Request) { answer.WriteHeader(http.StatusNoContent) },
		"an error": func(answer http.ResponseWriter, _ *http.Request) {
			http.Error(answer, `{"agent_id":"jo"}`, http.StatusBadGateway)
		},
		"no JSON":       func(answer http.ResponseWriter, _ *http.Request) { _, _ = answer.Write([]byte("jo")) },
		"another field": func(answer http.ResponseWriter, _ *http.Request) { _, _ = answer.Write([]byte(`{"agent":"jo"}`)) },
		"too late": func(answer http.ResponseWriter, request *http.Request) {
			_, _ = io.Copy(io.Discard, request.Body)
			<-request.Context().Done()
			_, _ = answer.Write([]byte(`{"agent_id":"jo"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []string{"", ""}, webhook(t, receive, 200*time.Millisecond, about(1), about(2)))
		})
	}
}

// TestNoWebhook: a desk that lost its webhook while it asked.
func TestNoWebhook(t *testing.T) {
	t.Parallel()

	a := provided(newWorld())
	a.Assign = func(string) policy.DeskAssign { return policy.DeskAssign{} }

	value, err := environment(t, a).ExecuteActivity(desk.ChooseActivity, desk.Choice{Desk: "support", Asks: []desk.ChoiceFor{about(1)}})
	require.NoError(t, err)

	var agents []string

	require.NoError(t, value.Get(&agents))
	require.Equal(t, []string{""}, agents)
}
