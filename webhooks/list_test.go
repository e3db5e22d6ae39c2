package webhooks_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/temporalio/sqlparser"
	"go.temporal.io/api/serviceerror"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

// listOf returns the ids of a page and its cursor.
func (e *edge) listOf(query string) (ids []string, next string) {
	e.t.Helper()

	got := e.do(http.MethodGet, "/v1/conversations"+query, "")
	require.Equal(e.t, http.StatusOK, got.status, got.body)

	var page struct {
		Conversations []struct {
			ID string `json:"id"`
		} `json:"conversations"`
		Next *string `json:"next"`
	}

	require.NoError(e.t, json.Unmarshal([]byte(got.body), &page))
	require.NotNil(e.t, page.Conversations)
	require.NotNil(e.t, page.Next)

	for _, one := range page.Conversations {
		ids = append(ids, one.ID)
	}

	return ids, *page.Next
}

func TestListGoesOverFromOpenToClosed(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	for i := range 3 {
		e.run(view("shop", fmt.Sprintf("open-%d", i), signals.StatusOpen))
		e.store(view("shop", fmt.Sprintf("was-%d", i), signals.StatusClosed))
	}

	// Its newest session is open: it is listed once, as that.
	e.store(view("shop", "open-0", signals.StatusClosed))

	want := []string{"open-0", "open-1", "open-2", "was-0", "was-1", "was-2"}

	for limit := 1; limit <= 7; limit++ {
		var (
			all    []string
			cursor string
		)

		for range 20 {
			page, next := e.listOf(fmt.Sprintf("?limit=%d&cursor=%s", limit, url.QueryEscape(cursor)))
			require.LessOrEqual(t, len(page), limit)

			all, cursor = append(all, page...), next
			if next == "" {
				break
			}
		}

		require.Empty(t, cursor)
		require.Equal(t, want, all, "limit %d", limit)
	}
}

func TestListElement(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.run(view("shop", "c", signals.StatusOpen))

	got := e.do(http.MethodGet, "/v1/conversations", "")
	element, ok := got.fields(t)["conversations"].([]any)[0].(map[string]any)
	require.True(t, ok)
	require.NotContains(t, element, "timeline")
	require.NotContains(t, element, "participants")
	require.NotContains(t, element, "partial")
	require.InDelta(t, 3, element["accepted"], 0)
}

func TestListFilters(t *testing.T) {
	t.Parallel()

	const base = "WorkflowType = 'Conversation' AND ExecutionStatus = 'Running'"

	tests := map[string]string{
		"?source=shop":        base + " AND ParleySource = 'shop'",
		"?status=queued":      base + " AND ParleyStatus = 'queued'",
		"?desk=support":       base + " AND ParleyDesk = 'support'",
		"?tag=vip":            base + " AND ParleyTags = 'vip'",
		"?unreplied=true":     base + " AND ParleyUnrepliedSince IS NOT NULL",
		"?agent=o%27brien":    base + ` AND ParleyAgent = 'o\'brien'`,
		"?agent=x%27+OR+1=1":  base + ` AND ParleyAgent = 'x\' OR 1=1'`,
		`?agent=a%5C&desk=d1`: base + ` AND ParleyDesk = 'd1'`,
		`?tag=%22x%22`:        base,
	}

	for query, want := range tests {
		t.Run(query, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			e.listOf(query)
			require.Equal(t, want, e.queries[0])
		})
	}

	t.Run("closed asks the store only", func(t *testing.T) {
		t.Parallel()

		e := newEdge(t)
		e.run(view("shop", "open", signals.StatusOpen))
		e.store(view("shop", "was", signals.StatusClosed))

		ids, _ := e.listOf("?status=closed")
		require.Equal(t, []string{"was"}, ids)
	})

	t.Run("unreplied is for the open ones", func(t *testing.T) {
		t.Parallel()

		e := newEdge(t)
		e.store(view("shop", "was", signals.StatusClosed))

		ids, next := e.listOf("?unreplied=true")
		require.Empty(t, ids)
		require.Empty(t, next)
	})

	// Visibility lags behind, and some values cannot be asked for: the state decides.
	t.Run("the state has the last word", func(t *testing.T) {
		t.Parallel()

		e := newEdge(t)
		v := view("shop", "c", signals.StatusActive)
		v.Agent, v.Desk, v.Tags = `o'b\`, "d1", []string{`"vip"`}
		e.run(v)

		for query, found := range map[string]bool{
			"?status=queued": false, "?status=active": true, "?agent=o%27b%5C": true, "?agent=o%27b%5C%5C": false,
			"?tag=%22vip%22": true, "?tag=vip": false, "?desk=d1": true, "?desk=d2": false, "?unreplied=true": false,
		} {
			ids, _ := e.listOf(query)
			require.Equal(t, found, len(ids) == 1, query)
		}
	})

	t.Run("an id that cannot be asked for", func(t *testing.T) {
		t.Parallel()

		e := newEdge(t)
		e.run(view("shop", `"quoted"`, signals.StatusOpen))
		e.store(view("shop", `"quoted"`, signals.StatusClosed))
		e.store(view("shop", `back\slash`, signals.StatusClosed))

		ids, _ := e.listOf("")
		require.Equal(t, []string{`"quoted"`, `back\slash`}, ids)
	})
}

func TestBadFilters(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	_, cursor := func() ([]string, string) {
		e.run(view("shop", "a", signals.StatusOpen))
		e.run(view("shop", "b", signals.StatusOpen))

		return e.listOf("?limit=1")
	}()

	for query, field := range map[string]string{
		"?limit=0": "limit", "?limit=201": "limit", "?limit=x": "limit", "?status=gone": "status", "?unreplied=1": "unreplied",
		"?colour=red": "colour", "?source=A%20B": "source", "?agent=a%00b": "agent", "?tag=%ff": "tag",
		"?agent=a&agent=b": "agent", "?cursor=nonsense": "cursor", "?source=shop&cursor=" + cursor: "cursor",
		"?tag=" + strings.Repeat("x", 600): "tag",
	} {
		p := e.do(http.MethodGet, "/v1/conversations"+query, "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
		require.Equal(t, field, p.Field, query)
	}

	e.do(http.MethodGet, "/v1/conversations?a=%zz", "").isProblem(t, http.StatusBadRequest, "bad-request")
}

func TestListWithoutTemporal(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.listErr = serviceerror.NewUnavailable("no")
	e.do(http.MethodGet, "/v1/conversations", "").isProblem(t, http.StatusServiceUnavailable, "unavailable")
}

func TestListWithoutAWorker(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.run(view("shop", "c", signals.StatusOpen))
	e.queryErr = serviceerror.NewWorkflowNotReady("no")

	got := e.do(http.MethodGet, "/v1/conversations", "")
	require.Equal(t, http.StatusOK, got.status, got.body)

	element, ok := got.fields(t)["conversations"].([]any)[0].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "c", element["id"])
	require.Equal(t, true, element["partial"])
}

// TestQuoteSurvivesTheParser reads every literal with the parser that
// Temporal's visibility uses.
func TestQuoteSurvivesTheParser(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(`\'"%_;- ()`)), rapid.Rune())).Draw(t, "value")
		if strings.ContainsRune(value, 0) {
			return
		}

		statement, err := sqlparser.Parse("select b from t where a = " + webhooks.Quote(value))
		require.NoError(t, err)

		selection, ok := statement.(*sqlparser.Select)
		require.True(t, ok)

		comparison, ok := selection.Where.Expr.(*sqlparser.ComparisonExpr)
		require.True(t, ok)

		literal, ok := comparison.Right.(*sqlparser.SQLVal)
		require.True(t, ok)
		require.Equal(t, value, string(literal.Val))
	})
}

func TestTickets(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.tickets = []signals.Ticket{
		{
			TicketRef: signals.TicketRef{ID: "a/1", Status: signals.TicketStatusCreated, Session: 1}, Source: "shop",
			Transcript: []signals.TranscriptLine{{Role: signals.RoleVisitor, Text: "hi"}},
		},
		{TicketRef: signals.TicketRef{ID: "b", Status: signals.TicketStatusPending}},
	}

	got := e.do(http.MethodGet, "/v1/tickets", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Len(t, got.fields(t)["tickets"], 2)
	require.Empty(t, got.fields(t)["next"])
	require.NotContains(t, got.body, "transcript")

	require.Len(t, e.do(http.MethodGet, "/v1/tickets?status=pending", "").fields(t)["tickets"], 1)
	require.Equal(t, "hi", e.do(http.MethodGet, "/v1/tickets/a%2F1", "").fields(t)["transcript"].([]any)[0].(map[string]any)["text"])
	require.Equal(t, []any{}, e.do(http.MethodGet, "/v1/tickets/b", "").fields(t)["transcript"])
	require.Equal(t, []any{}, e.do(http.MethodGet, "/v1/tickets/b", "").fields(t)["late_events"])

	// A rating that comes after the close is shown with the ticket, without its raw body.
	e.lateEvents = []signals.Event{{ID: "r1", Type: signals.TagAdded, Tag: &signals.Tag{Name: "5 stars"}, Raw: json.RawMessage(`{}`)}}
	late := e.do(http.MethodGet, "/v1/tickets/b", "").fields(t)["late_events"].([]any)[0].(map[string]any)
	require.Equal(t, "r1", late["id"])
	require.NotContains(t, late, "raw")

	e.do(http.MethodGet, "/v1/tickets/none", "").isProblem(t, http.StatusNotFound, "not-found")
	e.do(http.MethodGet, "/v1/tickets?status=lost", "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
	e.do(http.MethodGet, "/v1/tickets?source=A+B", "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
}

func TestSources(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	require.Equal(t, http.StatusOK, e.do(http.MethodPost, "/webhooks/shop", message("c", "1")).status)
	require.Equal(t, http.StatusBadRequest, e.do(http.MethodPost, "/webhooks/shop", "{").status)

	got := e.do(http.MethodGet, "/v1/sources", "")
	require.Equal(t, http.StatusOK, got.status, got.body)

	list, ok := got.fields(t)["sources"].([]any)
	require.True(t, ok)
	require.Len(t, list, 2)

	shop, ok := list[0].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "shop", shop["name"])
	require.Equal(t, "plain", shop["dialect"])
	require.Equal(t, e.url+"/webhooks/shop", shop["url"])
	require.Equal(t, false, shop["signed"])
	require.InDelta(t, 1, shop["accepted"], 0)
	require.InDelta(t, 1, shop["refused"], 0)
	require.Contains(t, shop["last_error"], "malformed")
	require.NotContains(t, got.body, "s3cret")

	proxied := e.do(http.MethodGet, "/v1/sources", "", "X-Forwarded-Proto", "https")
	require.Contains(t, proxied.body, "https://127.0.0.1")
}

func TestAccountEvents(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	for i := range 3 {
		e.account = append(e.account, signals.Event{ID: strconv.Itoa(i), Type: signals.AccountChanged, Raw: []byte(`{"k":1}`)})
	}

	got := e.do(http.MethodGet, "/v1/sources/shop/events?limit=2", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Len(t, got.fields(t)["events"], 2)
	require.Contains(t, got.body, `"raw"`, "without keys configured everything is shown")

	rest := e.do(http.MethodGet, "/v1/sources/shop/events?cursor="+got.fields(t)["next"].(string), "")
	require.Len(t, rest.fields(t)["events"], 1)
	require.Empty(t, rest.fields(t)["next"])

	e.do(http.MethodGet, "/v1/sources/nobody/events", "").isProblem(t, http.StatusNotFound, "not-found")
}
