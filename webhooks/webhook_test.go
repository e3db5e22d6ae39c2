package webhooks_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

func TestWebhookIsHandedOn(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	got := e.do(http.MethodPost, "/webhooks/shop",
		"["+message("a/b", "1")+","+message("c", "2")+","+message("a/b", "3")+`,{"id":"4","type":"account.changed"}]`)

	require.Equal(t, http.StatusOK, got.status, got.body)
	require.JSONEq(t,
		`{"accepted":4,"duplicates":0,"conversations":["/v1/conversations/shop/a%2Fb","/v1/conversations/shop/c"]}`, got.body)
	require.Len(t, e.calls, 1, "all of one webhook is kept at once")
	require.Equal(t, "shop", e.calls[0].source)
	require.Equal(t, []string{"1", "2", "3", "4"}, idsOf(e.calls[0].events))
	require.Equal(t, e.clock.Now(), e.calls[0].events[0].ReceivedAt)
	require.Empty(t, e.calls[0].events[3].Conversation)
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

// TestHeadersTooLarge: the sender reads why, though it is still sending.
func TestHeadersTooLarge(t *testing.T) {
	t.Parallel()

	for name, size := range map[string]int{"just": 16 << 10, "much": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			p := e.do(http.MethodPost, "/webhooks/shop", message("c", "1"), "X-Large", strings.Repeat("x", size)).
				isProblem(t, http.StatusRequestHeaderFieldsTooLarge, "headers-too-large")
			require.Contains(t, p.Detail, "16384")
			require.Empty(t, e.calls)
		})
	}

	t.Run("not quite", func(t *testing.T) {
		t.Parallel()

		e := newEdge(t)
		got := e.do(http.MethodPost, "/webhooks/shop", message("c", "1"), "X-Large", strings.Repeat("x", 15<<10))
		require.Equal(t, http.StatusOK, got.status, got.body)
	})
}

func TestDuplicatesAreCounted(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	body := "[" + message("c", "1") + "," + message("c", "2") + "," + message("c", "1") + "]"

	for _, want := range []string{
		`{"accepted":2,"duplicates":1,"conversations":["/v1/conversations/shop/c"]}`,
		`{"accepted":0,"duplicates":3,"conversations":["/v1/conversations/shop/c"]}`,
	} {
		got := e.do(http.MethodPost, "/webhooks/shop", body)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.JSONEq(t, want, got.body)
	}

	require.Equal(t, 2, e.accepted["shop"])
	require.Equal(t, 4, e.doubled["shop"])
}

// TestNotAccepted: whatever keeps the inbox from accepting, the platform learns
// whether a repeat may help, and nothing else.
func TestNotAccepted(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		err    error
		status int
		slug   string
	}{
		"full":         {inbox.ErrFull, http.StatusServiceUnavailable, "unavailable"},
		"disk":         {fmt.Errorf("%w: %w", inbox.ErrDisk, errDown), http.StatusServiceUnavailable, "unavailable"},
		"stopping":     {inbox.ErrClosed, http.StatusServiceUnavailable, "unavailable"},
		"unknown":      {errDown, http.StatusServiceUnavailable, "unavailable"},
		"too large":    {inbox.ErrTooLarge, http.StatusUnprocessableEntity, "invalid-field"},
		"unbelievable": {courier.ErrRefused, http.StatusUnprocessableEntity, "invalid-field"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			e.failFor["bad"] = test.err
			body := "[" + message("good", "1") + "," + message("bad", "2") + "]"

			p := e.do(http.MethodPost, "/webhooks/shop", body).isProblem(t, test.status, test.slug)
			require.NotContains(t, p.Detail, "down")
			require.Contains(t, e.log.String(), "webhook not accepted")
			require.Empty(t, e.calls)
			require.Len(t, e.refused["shop"], 1)
			require.Zero(t, e.accepted["shop"])

			api := e.do(http.MethodPost, "/v1/conversations/shop/bad/events", message("bad", "2"))
			api.isProblem(t, test.status, test.slug)
		})
	}
}

// TestRefusalsDoNotFloodTheLog: a full disk refuses everything.
func TestRefusalsDoNotFloodTheLog(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.failFor["c"] = inbox.ErrDisk

	for range 5 {
		e.do(http.MethodPost, "/webhooks/shop", message("c", "1")).isProblem(t, http.StatusServiceUnavailable, "unavailable")
	}

	require.Equal(t, 1, strings.Count(e.log.String(), "webhook not accepted"))

	e.clock.advance(time.Second)
	e.do(http.MethodPost, "/webhooks/shop", message("c", "1")).isProblem(t, http.StatusServiceUnavailable, "unavailable")
	require.Contains(t, e.log.String(), "more_like_it=4")
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

// TestShutdownWaitsForNoSilence: neither a connection that was made and never used
// keeps a stop up, nor one over which half of a request came, while the rest of a
// request may still come for a while.
func TestShutdownWaitsForNoSilence(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	addr := strings.TrimPrefix(e.url, "http://")
	dial := func(said string) net.Conn {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })

		_, err = io.WriteString(conn, said)
		require.NoError(t, err)

		return conn
	}

	silent, slow := dial(""), dial("GET /healthz HTTP/1.1\r\n")
	halves := []net.Conn{
		dial("G"), dial("\r\n"), dial("GET /healthz HTTP/1.1\r\nHost: "), dial("POST /webhooks/shop HTTP/1.1\r\nHost: " + addr +
			"\r\nContent-Length: 50\r\n\r\n{"), dial("GET /healthz HTTP/1.1\r\nHost: " + addr + "\r\n\r\nGET /h"),
	}

	time.Sleep(100 * time.Millisecond) // all are served by now

	begun := time.Now()
	stopped := make(chan error, 1)

	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()

		stopped <- e.server.Shutdown(ctx)
	}()

	_, err := silent.Read(make([]byte, 1))
	require.Error(t, err)

	_, err = io.WriteString(slow, "Host: "+addr+"\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)

	said, err := io.ReadAll(slow)
	require.NoError(t, err)
	require.Contains(t, string(said), "200 OK")

	require.NoError(t, <-stopped)
	require.Less(t, time.Since(begun), 4*time.Second)
	require.NotContains(t, e.log.String(), "ERROR")

	for _, half := range halves {
		require.NoError(t, half.SetReadDeadline(time.Now().Add(time.Second)))

		_, err := io.ReadAll(half)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
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

// TestTooManyEvents: it is refused whole, and says what to do.
func TestTooManyEvents(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	events := make([]string, 0, 5001)

	for i := range 5001 {
		events = append(events, fmt.Sprintf(`{"id":"%d","type":"message.received","conversation":"c","message":{"text":"x"}}`, i))
	}

	refused := e.do(http.MethodPost, "/webhooks/shop", "["+strings.Join(events, ",")+"]").isProblem(t, 422, "invalid-field")
	require.Contains(t, refused.Detail, "several webhooks")
	require.Empty(t, e.calls)

	taken := e.do(http.MethodPost, "/webhooks/shop", "["+strings.Join(events[:5000], ",")+"]")
	require.Equal(t, http.StatusOK, taken.status, taken.body)
	require.Len(t, e.calls[0].events, 5000)
}

func idsOf(events []signals.Event) []string {
	ids := make([]string, 0, len(events))
	for i := range events {
		ids = append(ids, events[i].ID)
	}

	return ids
}
