package webhooks_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

func TestIDsRoundTripPercentEncoded(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	for _, id := range []string{"PJ0M", "a/b", "a:b", "50%", "what?", "a b+c", "ä#é", "a%2Fb", "..", "a;b&c=d", "\"quoted\""} {
		e.run(view("shop", id, signals.StatusOpen))

		path := "/v1/conversations/shop/" + url.PathEscape(id)
		if id == ".." { // which clients resolve
			path = "/v1/conversations/shop/%2E%2E"
		}

		got := e.do(http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, got.status, "%s: %s", id, got.body)
		require.Equal(t, id, got.fields(t)["id"])
	}

	// What a webhook's answer names can be asked for.
	posted := e.do(http.MethodPost, "/webhooks/shop", message("50%/?:x", "1")).fields(t)
	e.run(view("shop", "50%/?:x", signals.StatusOpen))

	path, ok := posted["conversations"].([]any)[0].(string)
	require.True(t, ok)
	require.Equal(t, "50%/?:x", e.do(http.MethodGet, path, "").fields(t)["id"])
}

func TestBadlyEncodedPath(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.raw(t, "GET /v1/conversations/shop/a%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").
		isProblem(t, http.StatusBadRequest, "bad-request")
}

func TestRunningConversation(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	running := view("shop", "c", signals.StatusClosing)
	running.Ticket = &signals.TicketRef{ID: "what the workflow thinks"}
	e.run(running)

	stored := running
	stored.Ticket = &signals.TicketRef{ID: "T-1", Status: signals.TicketStatusCreated}
	e.sessions[sessionKey(signals.Key{Source: "shop", Conversation: "c"}, 1)] = stored
	e.waiting = webhooks.Waiting{Pending: 4, Late: 2, Orphans: 1}

	got := e.do(http.MethodGet, "/v1/conversations/shop/c", "")
	require.Equal(t, http.StatusOK, got.status, got.body)

	fields := got.fields(t)
	require.InDelta(t, 4, fields["pending"], 0)
	require.InDelta(t, 2, fields["late"], 0)
	require.InDelta(t, 1, fields["ignored"], 0)
	require.InDelta(t, 6, fields["accepted"], 0, "applied, late and ignored add up")
	require.Equal(t, "T-1", fields["ticket"].(map[string]any)["id"])
	require.Equal(t, []any{}, fields["tags"])
	require.Equal(t, []any{}, fields["clocks"])
	require.Equal(t, []any{}, fields["participants"])
	require.Len(t, fields["timeline"], 1)
	require.Nil(t, fields["unreplied_since"])
}

func TestClosedConversationComesFromTheStore(t *testing.T) {
	t.Parallel()

	tests := map[string]func(*edge){
		"run forgotten": func(*edge) {},
		"run completed": func(e *edge) { e.run(view("shop", "c", signals.StatusClosed)) },
	}

	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			first, second := view("shop", "c", signals.StatusClosed), view("shop", "c", signals.StatusClosed)
			second.Session = 2
			e.store(first)
			e.store(second)
			prepare(e)

			for query, want := range map[string]float64{"": 2, "?session=1": 1, "?session=2": 2} {
				got := e.do(http.MethodGet, "/v1/conversations/shop/c"+query, "")
				require.Equal(t, http.StatusOK, got.status, got.body)
				require.InDelta(t, want, got.fields(t)["session"], 0)
			}

			e.do(http.MethodGet, "/v1/conversations/shop/c?session=3", "").isProblem(t, http.StatusNotFound, "not-found")
		})
	}
}

func TestSessionOfARunningConversation(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	running := view("shop", "c", signals.StatusActive)
	running.Session = 2
	e.run(running)
	e.store(view("shop", "c", signals.StatusClosed))

	for query, want := range map[string]string{"": "active", "?session=1": "closed", "?session=2": "active"} {
		require.Equal(t, want, e.do(http.MethodGet, "/v1/conversations/shop/c"+query, "").fields(t)["status"], query)
	}

	e.do(http.MethodGet, "/v1/conversations/shop/c?session=0", "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
	e.do(http.MethodGet, "/v1/conversations/shop/c?sesion=1", "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
}

func TestConversationThatIsNotThere(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.do(http.MethodGet, "/v1/conversations/shop/nobody", "").isProblem(t, http.StatusNotFound, "not-found")
	e.do(http.MethodGet, "/v1/conversations/NO!/c", "").isProblem(t, http.StatusNotFound, "not-found")

	e.waiting = webhooks.Waiting{Pending: 1}
	p := e.do(http.MethodGet, "/v1/conversations/shop/parked", "").isProblem(t, http.StatusNotFound, "not-found")
	require.Contains(t, p.Detail, "1 event waits")

	e.waiting = webhooks.Waiting{Pending: 2}
	p = e.do(http.MethodGet, "/v1/conversations/shop/parked", "").isProblem(t, http.StatusNotFound, "not-found")
	require.Contains(t, p.Detail, "2 events wait")
}

// TestConversationThatContinuesAsNew answers from its next run.
func TestConversationThatContinuesAsNew(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.running["conversation:shop:c"] = signals.View{ID: "c", Source: "shop", Session: 2, Status: signals.StatusOpen}
	e.followed.Store(2)
	require.Contains(t, e.do(http.MethodGet, "/v1/conversations/shop/c", "").body, `"session":2`)
}

func TestConversationThatDoesNotAnswer(t *testing.T) {
	t.Parallel()

	for name, err := range map[string]error{
		"temporal away": serviceerror.NewUnavailable("no"),
		"query failed":  serviceerror.NewQueryFailed("the conversation is starting"),
		"no worker":     context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			e.queryErr = err
			start := time.Now()

			e.do(http.MethodGet, "/v1/conversations/shop/c", "").isProblem(t, http.StatusServiceUnavailable, "unavailable")
			require.Less(t, time.Since(start), 3*time.Second)
		})
	}
}
