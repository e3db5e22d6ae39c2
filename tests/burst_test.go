package tests_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// recovering is a receiver that is down, then slow, and counts what it took by id.
type recovering struct {
	*httptest.Server

	mu    sync.Mutex
	up    bool
	tried map[string]int
	took  map[string]int
}

func newRecovering(t *testing.T) *recovering {
	t.Helper()

	r := &recovering{tried: map[string]int{}, took: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		id := request.Header.Get("Webhook-Id")

		r.mu.Lock()
		up := r.up
		r.tried[id]++
		r.mu.Unlock()

		if !up {
			http.Error(w, "down", http.StatusServiceUnavailable)

			return
		}

		time.Sleep(100 * time.Millisecond)

		r.mu.Lock()
		r.took[id]++
		r.mu.Unlock()
	}))
	t.Cleanup(r.Close)

	return r
}

// recover brings it up once it has refused something.
func (r *recovering) recover(t *testing.T) {
	t.Helper()

	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()

		return len(r.tried) > 0
	}, 10*time.Second, 5*time.Millisecond, "nothing was tried while the receiver was down")

	r.mu.Lock()
	defer r.mu.Unlock()

	r.up = true
}

// TestContinueAsNewInABurst sends three thousand events in bursts to one
// conversation whose pushes go to a receiver that is down, and then slow, so
// that its run continues as new with deliveries in flight.
func TestContinueAsNewInABurst(t *testing.T) {
	t.Parallel()

	const posters, batches, each = 4, 30, 100

	ops := newRecovering(t)
	parley := newInstall(t, `
policies:
  default:
    unreplied: {first: 100ms, repeat: 4s, max: 4}
    closeout:  {grace: 500ms}
    notify:    {unreplied.pushed: [log, ops]}
channels:
  ops: {kind: webhook, url: "`+ops.URL+`/parley"}
network: {allow: ["127.0.0.0/8"]}
`).start(t)

	key := signals.Key{Source: "parley", Conversation: "burst"}
	parley.post("/webhooks/parley", ownMessage(key.Conversation, "first"))
	parley.eventually(key, 5*time.Second, "push 1", func(v signals.View) bool { return v.PushTimes >= 1 })

	var posting sync.WaitGroup

	for poster := range posters {
		posting.Go(func() {
			for batch := poster; batch < batches; batch += posters {
				body := burst(key.Conversation, batch, each)

				// A platform that did not hear the answer sends the same again.
				for range 2 {
					status, answer := parley.do(http.MethodPost, "/webhooks/parley", body)
					if status != http.StatusOK {
						t.Errorf("batch %d: %d %s", batch, status, answer)
					}
				}
			}
		})
	}

	posting.Wait()

	// The push of the first run is still on its way in the second.
	require.Eventually(t, func() bool { return len(parley.chain(key)) > 1 }, 20*time.Second, 50*time.Millisecond, "it did not continue as new")
	ops.recover(t)
	require.Eventually(t, func() bool { return parley.delivered(key, "ops").Counts.Delivered >= 1 }, 20*time.Second, 50*time.Millisecond)

	parley.post("/webhooks/parley", agentMessage(key.Conversation, "answer-1"))
	parley.eventually(key, 20*time.Second, "answered", func(v signals.View) bool { return v.Messages.Agent == 1 && !v.Unreplied })

	// A second episode, after it.
	parley.post("/webhooks/parley", ownMessage(key.Conversation, "second"))
	parley.eventually(key, 5*time.Second, "a push of the second episode", func(v signals.View) bool { return v.Unreplied && v.PushTimes >= 1 })
	require.Eventually(t, func() bool { return parley.delivered(key, "ops").Pending == nil }, 20*time.Second, 50*time.Millisecond)
	parley.post("/webhooks/parley", agentMessage(key.Conversation, "answer-2"))
	parley.post("/webhooks/parley", map[string]any{
		"id": "over", "type": signals.ConversationClosed, "conversation": key.Conversation, "closing": map[string]any{"by_role": "agent"},
	})

	view := parley.eventually(key, 10*time.Second, "closed", withTicket)

	const own = 5 // first, answer-1, second, answer-2, over

	require.Equal(t, int64(batches*each+own), view.Accepted)
	require.Equal(t, view.Accepted, view.Applied)
	require.Zero(t, view.Late+view.Ignored)
	require.Equal(t, int64(batches*each/10+2), view.Messages.Visitor)
	require.Equal(t, 1, view.Session)
	require.Equal(t, signals.TicketStatusCreated, view.Ticket.Status)

	var tickets struct {
		Tickets []signals.Ticket `json:"tickets"`
	}

	parley.answer(http.MethodGet, "/v1/tickets", nil, &tickets)
	require.Len(t, tickets.Tickets, 1)

	parley.requirePushesOnce(key, ops)
}

// chain lists the runs of a conversation.
func (p *process) chain(key signals.Key) []*workflowpb.WorkflowExecutionInfo {
	p.t.Helper()

	listed, err := p.temporal().ListWorkflow(p.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: "WorkflowId = '" + key.WorkflowID() + "'",
	})
	require.NoError(p.t, err)

	return listed.GetExecutions()
}

// requirePushesOnce wants each push that was decided to have been printed once
// and delivered once, or not at all since it was called back or expired.
func (p *process) requirePushesOnce(key signals.Key, ops *recovering) {
	p.t.Helper()

	pushes, lines := map[string]bool{}, 0

	for _, line := range p.printed("unreplied push", key.Source+"/"+key.Conversation+" ") {
		pushes[line.text] = true
		lines++
	}

	state := p.delivered(key, "ops")

	ops.mu.Lock()
	defer ops.mu.Unlock()

	for id, times := range ops.took {
		require.Equal(p.t, 1, times, "%s was taken more than once", id)
	}

	require.Equal(p.t, int64(len(ops.took)), state.Counts.Delivered)
	require.Zero(p.t, state.Counts.Failed)
	require.GreaterOrEqual(p.t, state.Counts.Delivered, int64(2), "one push of each episode")
	require.Len(p.t, pushes, lines, "printed twice: %s", p.output())
	require.Equal(p.t, int64(len(pushes)), state.Counts.Delivered+state.Counts.Expired+state.Counts.Cancelled)
}

// delivered asks a delivery for its state.
func (p *process) delivered(key signals.Key, target string) delivery.State {
	p.t.Helper()

	answer, err := p.temporal().QueryWorkflow(p.t.Context(), key.DeliveryID(target), "", signals.StateQuery)
	require.NoError(p.t, err)

	var state delivery.State

	require.NoError(p.t, answer.Get(&state))

	return state
}

func agentMessage(conversation, id string) map[string]any {
	message := ownMessage(conversation, id)
	message["actor"] = map[string]any{"id": "smith", "role": signals.RoleAgent}

	return message
}

// burst is one batch: a message in ten, and what says nothing new.
func burst(conversation string, batch, each int) []map[string]any {
	events := make([]map[string]any, each)

	for i := range events {
		id := fmt.Sprintf("b%d-%d", batch, i)

		switch {
		case i%10 == 0:
			events[i] = ownMessage(conversation, id)
		case i%2 == 0:
			events[i] = map[string]any{
				"id": id, "type": signals.TagAdded, "conversation": conversation, "tag": map[string]any{"name": fmt.Sprintf("tag-%d", i)},
			}
		default:
			events[i] = map[string]any{"id": id, "type": signals.ButtonPressed, "conversation": conversation}
		}
	}

	return events
}
