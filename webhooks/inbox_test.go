package webhooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
)

func TestInboxReport(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.report = inbox.Report{
		Depth: 7, Bytes: 900, Parked: 2, Dead: 1, OldestAge: 90*time.Second + 400*time.Millisecond,
		AcceptedPerSecond: 12.5, ForwardedPerSecond: 3, Behind: true, LastError: strings.Repeat("x", 1000),
		Commit: inbox.BatchSizes{P50: 1, P95: 2, Max: 3}, Signal: inbox.BatchSizes{P50: 4, P95: 5, Max: 6},
		Sources: []inbox.SourceDepth{{Source: "shop", Depth: 7, Bytes: 900, Share: 0.25}},
	}

	got := e.do(http.MethodGet, "/v1/inbox", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.JSONEq(t, `{"depth":7,"bytes":900,"parked":2,"dead":1,"oldest_age_seconds":90,"accepted_per_second":12.5,
		"forwarded_per_second":3,"behind":true,"last_error":"`+strings.Repeat("x", 300)+`","commit_batch":{"p50":1,"p95":2,"max":3},
		"signal_batch":{"p50":4,"p95":5,"max":6},"sources":[{"source":"shop","depth":7,"bytes":900,"share":0.25}]}`, got.body)

	e.do(http.MethodGet, "/v1/inbox?source=shop", "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

	for id := range int64(3) {
		e.dead = append(e.dead, inbox.DeadLetter{
			ID: id + 1, Key: signals.Key{Source: "shop", Conversation: "c"}, EventID: "m1", Type: signals.MessageReceived,
			Reason: "BadSignalInput", At: at, DiedAt: at.Add(time.Minute),
			Event: signals.Event{ID: "m1", Type: signals.MessageReceived, Message: &signals.Message{Text: strings.Repeat("x", 20<<10)}},
		})
	}

	first := e.do(http.MethodGet, "/v1/inbox/dead?limit=2", "").fields(t)
	require.Len(t, first["dead_letters"], 2)

	letter, ok := first["dead_letters"].([]any)[0].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "shop", letter["source"])
	require.Equal(t, "c", letter["conversation"])
	require.Equal(t, "m1", letter["event_id"])
	require.Equal(t, "BadSignalInput", letter["reason"])
	require.Equal(t, "2026-11-20T10:01:00Z", letter["died_at"])

	text, ok := letter["event"].(map[string]any)["message"].(map[string]any)["text"].(string)
	require.True(t, ok)
	require.Len(t, text, signals.MaxTextBytes)

	next, ok := first["next"].(string)
	require.True(t, ok)

	rest := e.do(http.MethodGet, "/v1/inbox/dead?cursor="+next, "").fields(t)
	require.Len(t, rest["dead_letters"], 1)
	require.Empty(t, rest["next"])
	e.do(http.MethodGet, "/v1/inbox/dead?cursor=x", "").isProblem(t, http.StatusUnprocessableEntity, "invalid-field")

	got := e.do(http.MethodPost, "/v1/inbox/dead/2/retry", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.JSONEq(t, `{"seq":77}`, got.body)

	for _, id := range []string{"9", "-1", "x", "1e3"} {
		e.do(http.MethodPost, "/v1/inbox/dead/"+id+"/retry", "").isProblem(t, http.StatusNotFound, "not-found")
	}

	e.retryErr = inbox.ErrFull
	e.do(http.MethodPost, "/v1/inbox/dead/2/retry", "").isProblem(t, http.StatusServiceUnavailable, "unavailable")
}

func TestArchive(t *testing.T) {
	t.Parallel()

	reader, readerEntry := newKey(t, "reader", webhooks.ScopeRead)
	auditor, auditorEntry := newKey(t, "auditor", webhooks.ScopeRead, webhooks.ScopeRaw)
	e := newEdge(t, withKeys(readerEntry, auditorEntry))

	const all = 60

	for seq := range int64(all) {
		e.archive = append(e.archive, inbox.ArchivedEvent{
			Event: signals.Event{ID: "m", Type: signals.MessageReceived, Raw: json.RawMessage(`{"word":"for word"}`)},
			Seq:   seq + 1, State: inbox.StateLate, Session: 3,
		})
	}

	// walk reads all pages and returns the events.
	walk := func(token, limit string) []map[string]any {
		var events []map[string]any

		for cursor := ""; ; {
			var page struct {
				Events []map[string]any `json:"events"`
				Next   string           `json:"next"`
			}

			got := e.do(http.MethodGet, "/v1/conversations/shop/a%2Fb/events?limit="+limit+"&cursor="+cursor, "",
				"Authorization", "Bearer "+token)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.NoError(t, json.Unmarshal([]byte(got.body), &page))

			events = append(events, page.Events...)

			if cursor = page.Next; cursor == "" {
				return events
			}
		}
	}

	for _, limit := range []string{"7", "25", "50", "60", "200"} {
		require.Len(t, walk(reader, limit), all, limit)
	}

	e.queried = nil

	for seq, event := range walk(auditor, "200") {
		require.InDelta(t, seq+1, event["seq"], 0)
		require.InDelta(t, 3, event["session"], 0)
		require.Equal(t, "late", event["state"])
		require.Equal(t, map[string]any{"word": "for word"}, event["raw"])
	}

	require.True(t, e.queried[0].Raw)

	for _, event := range walk(reader, "200") {
		require.NotContains(t, event, "raw")
	}

	require.False(t, e.queried[len(e.queried)-1].Raw)

	path := "/v1/conversations/shop/c/events"
	e.do(http.MethodGet, path, "").isProblem(t, http.StatusUnauthorized, "unauthorized")
	e.do(http.MethodGet, path+"?cursor=x", "", "Authorization", "Bearer "+reader).isProblem(t, 422, "invalid-field")
	e.do(http.MethodGet, path+"?raw=true", "", "Authorization", "Bearer "+reader).isProblem(t, 422, "invalid-field")
	e.do(http.MethodGet, "/v1/conversations/nobody/c/events", "", "Authorization", "Bearer "+reader).
		isProblem(t, http.StatusNotFound, "not-found")
}

// TestArchiveOfGiants: a page ends early where its events are large.
func TestArchiveOfGiants(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	const all, each = 60, 512 << 10

	for seq := range int64(all) {
		e.archive = append(e.archive, inbox.ArchivedEvent{
			Event: signals.Event{ID: "m", Message: &signals.Message{Text: strings.Repeat("x", each)}}, Seq: seq + 1, State: inbox.StateForwarded,
		})
	}

	got := e.do(http.MethodGet, "/v1/conversations/shop/c/events?limit=200", "")
	require.Less(t, len(got.body), all*each/2)
	require.NotEmpty(t, got.fields(t)["next"])
}

// TestReadYourWrites: who reads or commands waits for what was acknowledged.
func TestReadYourWrites(t *testing.T) {
	t.Parallel()

	key := signals.Key{Source: "shop", Conversation: "c"}

	for name, ask := range map[string]func(*edge) answer{
		"read":    func(e *edge) answer { return e.do(http.MethodGet, "/v1/conversations/shop/c", "") },
		"command": func(e *edge) answer { return e.do(http.MethodPost, one+"close", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t).obeys()
			e.settle = func(context.Context) error {
				e.run(view("shop", "c", signals.StatusActive))

				return nil
			}

			require.Equal(t, http.StatusOK, ask(e).status)
			require.Equal(t, []signals.Key{key}, e.settled)

			// With Temporal away it does not wait.
			e.settle = func(context.Context) error { return inbox.ErrBehind }
			require.Equal(t, http.StatusOK, ask(e).status)

			// Nor for ever.
			e.settle = func(ctx context.Context) error {
				<-ctx.Done()

				return ctx.Err()
			}
			begun := time.Now()

			require.Equal(t, http.StatusOK, ask(e).status)
			require.Less(t, time.Since(begun), 3*time.Second)
		})
	}
}

// TestSessionIsToldAfterItsEvents: the answer that names a session waits for it.
func TestSessionIsToldAfterItsEvents(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withVault(&vault{pinned: map[string]string{}}))
	e.settle = func(context.Context) error {
		v := view("shy", "c", signals.StatusOpen)
		v.Session = 4
		e.run(v)

		return nil
	}

	require.Equal(t, "4", e.do(http.MethodPost, "/webhooks/shy", hello).body)

	e.settle = func(context.Context) error { return errors.New("lost") }
	require.Equal(t, "4", e.do(http.MethodPost, "/webhooks/shy", hello).body)
}
