package webhooks_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks"
)

func TestWebhookIsHandedOn(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	got := e.do(http.MethodPost, "/webhooks/shop",
		"["+message("a/b", "1")+","+message("c", "2")+","+message("a/b", "3")+`,{"id":"4","type":"account.changed"}]`)

	require.Equal(t, http.StatusOK, got.status, got.body)
	require.JSONEq(t,
		`{"accepted":4,"duplicates":0,"conversations":["/v1/conversations/shop/a%2Fb","/v1/conversations/shop/c"]}`, got.body)
	require.Len(t, e.calls, 2)

	for _, one := range e.calls {
		if one.key.Conversation == "a/b" {
			require.Equal(t, []string{"1", "3"}, []string{one.events[0].ID, one.events[1].ID})
			require.Equal(t, e.clock.Now(), one.events[0].ReceivedAt)
		}
	}

	require.Len(t, e.account, 1)
	require.Equal(t, 4, e.accepted["shop"])
}

func TestWebhookDropsWhatIsNotForOutsiders(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	got := e.do(http.MethodPost, "/webhooks/shop",
		`{"id":"1","type":"message.received","source":"other","conversation":"c","seq":99,"inbox":"forged"}`)

	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "shop", e.calls[0].events[0].Source)
	require.Zero(t, e.calls[0].events[0].Seq)
	require.Empty(t, e.calls[0].events[0].Inbox)
}

func TestWebhookVerification(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		source, token string
		remote        bool
		status        int
	}{
		"unsigned from here":          {source: "shop", status: http.StatusOK},
		"unsigned from elsewhere":     {source: "shop", remote: true, status: http.StatusUnauthorized},
		"right secret from elsewhere": {source: "signed", token: "s3cret", remote: true, status: http.StatusOK},
		"older secret":                {source: "signed", token: "old", status: http.StatusOK},
		"wrong secret":                {source: "signed", token: "guess", status: http.StatusForbidden},
		"no secret":                   {source: "signed", status: http.StatusUnauthorized},
		"unknown source":              {source: "nobody", status: http.StatusNotFound},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			send := e.do

			if test.remote {
				send = e.remote
			}

			var header []string
			if test.token != "" {
				header = []string{"Authorization", "Bearer " + test.token}
			}

			got := send(http.MethodPost, "/webhooks/"+test.source, message("c", "1"), header...)
			require.Equal(t, test.status, got.status, got.body)

			if test.status == http.StatusOK {
				require.Len(t, e.calls, 1)

				return
			}

			require.Empty(t, e.calls)
			require.NotContains(t, e.log.String(), "guess")

			if test.source != "nobody" {
				require.Len(t, e.refused[test.source], 1)
			}
		})
	}
}

func TestUnsignedSourceIsNotForProxies(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	got := e.do(http.MethodPost, "/webhooks/shop", message("c", "1"), "X-Forwarded-For", "203.0.113.9")

	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Contains(t, e.log.String(), "set its secrets")
	require.Empty(t, e.calls)
}

func TestWebhookRefusals(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		body   string
		header []string
		status int
		slug   string
		field  string
	}{
		"bad JSON":     {body: `{"id":`, status: http.StatusBadRequest, slug: "malformed-body"},
		"no id":        {body: `{"type":"message.received","conversation":"c"}`, status: 422, slug: "invalid-field", field: "id"},
		"wrong type":   {body: `{"id":7}`, status: http.StatusUnprocessableEntity, slug: "invalid-field", field: "id"},
		"one bad of 2": {body: "[" + message("c", "1") + `,{"type":"message.received"}]`, status: 422, slug: "invalid-field", field: "id"},
		"compressed": {
			body: "x", header: []string{"Content-Encoding", "gzip"},
			status: http.StatusUnsupportedMediaType, slug: "encoding-not-supported",
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			p := e.do(http.MethodPost, "/webhooks/shop", test.body, test.header...).isProblem(t, test.status, test.slug)

			require.Contains(t, p.Field, test.field)
			require.Empty(t, e.calls)
			require.Len(t, e.refused["shop"], 1)
		})
	}
}

func TestWebhookBodyIsVerbatim(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	// What looks like a form must reach the dialect as it came.
	got := e.do(http.MethodPost, "/webhooks/shop/incoming_event?x=1", message("c", "1"),
		"Content-Type", "multipart/form-data; boundary=x")

	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Len(t, e.calls, 1)
}

func TestWebhookTooLarge(t *testing.T) {
	t.Parallel()

	for name, size := range map[string]int{"just": 1<<20 + 1, "much": 6 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			e.do(http.MethodPost, "/webhooks/shop", strings.Repeat("x", size)).
				isProblem(t, http.StatusRequestEntityTooLarge, "too-large")
			require.Empty(t, e.calls)
		})
	}

	t.Run("not quite", func(t *testing.T) {
		t.Parallel()

		e := newEdge(t)
		body := message("c", "1")
		got := e.do(http.MethodPost, "/webhooks/shop", body+strings.Repeat(" ", 1<<20-len(body)))
		require.Equal(t, http.StatusOK, got.status, got.body)
	})
}

func TestDuplicatesCostNoSignal(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	post := func(body string) map[string]any {
		got := e.do(http.MethodPost, "/webhooks/shop", body)
		require.Equal(t, http.StatusOK, got.status, got.body)

		return got.fields(t)
	}
	natural, derived := message("c", "1"), message("c", "h:0123")

	first := post("[" + natural + "," + derived + "," + natural + "]")
	require.InDelta(t, 2, first["accepted"], 0)
	require.InDelta(t, 1, first["duplicates"], 0)

	again := post("[" + natural + "," + derived + "]")
	require.InDelta(t, 0, again["accepted"], 0)
	require.InDelta(t, 2, again["duplicates"], 0)
	require.Equal(t, []any{"/v1/conversations/shop/c"}, again["conversations"])
	require.Len(t, e.calls, 1)

	e.clock.advance(2*time.Minute + time.Second)

	later := post("[" + natural + "," + derived + "]")
	require.InDelta(t, 1, later["accepted"], 0, "after the retry window a derived id is a new event")
	require.Len(t, e.calls, 2)

	// The same id elsewhere is another event.
	require.InDelta(t, 1, post(message("d", "1"))["accepted"], 0)
	require.Equal(t, 3, e.doubled["shop"]-1)
}

func TestSeenByAClosedSessionIsADuplicate(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.outcome = courier.Outcome{Seen: 1}

	got := e.do(http.MethodPost, "/webhooks/shop", message("c", "1")).fields(t)
	require.InDelta(t, 0, got["accepted"], 0)
	require.InDelta(t, 1, got["duplicates"], 0)
}

func TestOneConversationFails(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.failFor["bad"] = errDown
	body := "[" + message("good", "1") + "," + message("bad", "2") + "]"

	p := e.do(http.MethodPost, "/webhooks/shop", body).isProblem(t, http.StatusServiceUnavailable, "unavailable")
	require.NotContains(t, p.Detail, "down")
	require.Contains(t, e.log.String(), "conversation=bad")

	e.mu.Lock()
	delete(e.failFor, "bad")
	e.mu.Unlock()

	got := e.do(http.MethodPost, "/webhooks/shop", body).fields(t)
	require.InDelta(t, 1, got["accepted"], 0, "only what was not acknowledged goes out again")
	require.InDelta(t, 1, got["duplicates"], 0)
	require.Len(t, e.calls, 2)
}

func TestAccountLogFails(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.failFor["account"] = errDown
	e.do(http.MethodPost, "/webhooks/shop", "["+message("c", "1")+`,{"id":"4","type":"account.changed"}]`).
		isProblem(t, http.StatusServiceUnavailable, "unavailable")
	require.Empty(t, e.calls)
}

func TestRefusedByTheCourierIsNotRepeated(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.failFor["c"] = courier.ErrRefused
	e.do(http.MethodPost, "/webhooks/shop", message("c", "1")).isProblem(t, http.StatusUnprocessableEntity, "invalid-field")
}

func TestPlatformsPatience(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.hold = make(chan struct{})
	start := time.Now()

	e.do(http.MethodPost, "/webhooks/shop", message("c", "1")).isProblem(t, http.StatusServiceUnavailable, "unavailable")
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestPanicEndsOneRequestOnly(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.do(http.MethodPost, "/webhooks/shop/panic", "{}").isProblem(t, http.StatusInternalServerError, "internal")
	require.Equal(t, http.StatusOK, e.do(http.MethodGet, "/healthz", "").status)
}

func TestShutdownFinishesWhatWasAccepted(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.hold = make(chan struct{})
	answered := make(chan int, 1)

	go func() {
		response, err := http.Post(e.url+"/webhooks/shop", "", strings.NewReader(message("c", "1")))
		if err != nil {
			answered <- 0

			return
		}

		_ = response.Body.Close()
		answered <- response.StatusCode
	}()

	require.Eventually(t, func() bool { return e.entered.Load() == 1 }, 5*time.Second, time.Millisecond)

	stopped := make(chan error, 1)

	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()

		stopped <- e.server.Shutdown(ctx)
	}()

	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(e.url, "http://"), time.Second)
		if err == nil {
			_ = conn.Close()
		}

		return err != nil
	}, 2*time.Second, 10*time.Millisecond)
	close(e.hold)

	require.Equal(t, http.StatusOK, <-answered)
	require.NoError(t, <-stopped)
}

func TestRecentIsBounded(t *testing.T) {
	t.Parallel()

	var (
		memory = webhooks.NewRecent(2)
		now    = time.Now()
	)

	for _, id := range []string{"1", "2", "3"} {
		memory.Add(id, now.Add(time.Minute))
	}

	require.False(t, memory.Seen("1", now), "the oldest goes first")
	require.True(t, memory.Seen("2", now))
	require.True(t, memory.Seen("3", now))
	require.False(t, memory.Seen("3", now.Add(time.Hour)))
	require.Equal(t, 2, memory.Len())
}

func TestRawBodySurvivesTheNextRequest(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	for range 3 {
		require.Equal(t, http.StatusOK, e.do(http.MethodPost, "/webhooks/shop",
			`{"id":"`+strings.Repeat("a", 20)+`","type":"message.received","conversation":"first","message":{"rich":{"k":"first"}}}`).status)
		require.Equal(t, http.StatusOK, e.do(http.MethodPost, "/webhooks/shop",
			`{"id":"`+strings.Repeat("b", 20)+`","type":"message.received","conversation":"other","message":{"rich":{"k":"other"}}}`).status)
	}

	first := e.calls[0].events[0]
	require.Equal(t, signals.MessageReceived, first.Type)
	require.True(t, bytes.Contains(first.Message.Rich, []byte("first")))
}

// TestTooManyEventsForOneConversation: a repeat of the whole could not be told
// from news, so that it is refused whole, and says what to do.
func TestTooManyEventsForOneConversation(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	events := make([]string, 0, 501)

	for i := range 501 {
		events = append(events, fmt.Sprintf(`{"id":"%d","type":"message.received","conversation":"c","message":{"text":"x"}}`, i))
	}

	refused := e.do(http.MethodPost, "/webhooks/shop", "["+strings.Join(events, ",")+"]")
	require.Contains(t, refused.body, "several webhooks")
	require.GreaterOrEqual(t, refused.status, http.StatusBadRequest)
	require.Less(t, refused.status, http.StatusInternalServerError)

	taken := e.do(http.MethodPost, "/webhooks/shop", "["+strings.Join(events[:500], ",")+"]")
	require.Equal(t, http.StatusOK, taken.status, taken.body)
}
