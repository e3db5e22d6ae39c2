package tests_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// receiver is a custom webhook's receiver that can refuse.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	refuse bool
	got    []received
}

type received struct {
	id, signature, key string
	body               string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()

	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)

		r.mu.Lock()
		defer r.mu.Unlock()

		r.got = append(r.got, received{
			id: request.Header.Get("Webhook-Id"), signature: request.Header.Get("X-Chat-Signature"),
			key: request.Header.Get("Idempotency-Key"), body: string(body),
		})

		if r.refuse {
			http.Error(w, "not now", http.StatusInternalServerError)

			return
		}

		_, _ = io.WriteString(w, `{"id":"EXT-7"}`)
	}))
	t.Cleanup(r.Close)

	return r
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()

	return append([]received(nil), r.got...)
}

func (r *receiver) setRefuse(refuse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.refuse = refuse
}

func TestReceiverThatRefuses(t *testing.T) {
	t.Parallel()

	ops := newReceiver(t)
	ops.setRefuse(true)

	parley := newInstall(t, `
policies:
  default:
    unreplied: {first: 300ms, repeat: 1h}
    closeout:  {grace: 300ms}
    notify:    {unreplied.pushed: [log, ops]}
channels:
  ops: {kind: webhook, url: "`+ops.URL+`/parley", secret: "topsecret"}
tickets: {kind: webhook, url: "`+ops.URL+`/tickets", secret: "topsecret"}
network: {allow: ["127.0.0.0/8"]}
`).start(t)

	c := &chat{t: t, id: "REFUSED", thread: "T1"}
	parley.post("/webhooks/livechat", c.says(ann, "hello"))

	require.Eventually(t, func() bool { return len(ops.all()) >= 2 }, 15*time.Second, 20*time.Millisecond)

	attempts := ops.all()
	require.NotEmpty(t, attempts[0].id)
	require.Equal(t, attempts[0].id, attempts[1].id, "a repeated attempt carries the same id")
	require.NotEmpty(t, attempts[0].signature)
	require.Contains(t, attempts[0].body, `"UNREPLIED"`)

	// The refusal holds nothing up: the conversation is answered, closes and
	// has its ticket pending.
	parley.post("/webhooks/livechat", c.says(smith, "hi"))
	parley.eventually(c.key(), 5*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied })

	time.Sleep(300 * time.Millisecond) // an attempt under way may finish

	count := len(ops.all())

	require.Never(t, func() bool { return len(ops.all()) > count }, 3*time.Second, 50*time.Millisecond,
		"the reply cancels the push")

	parley.post("/webhooks/livechat", c.closes(smith))
	view := parley.eventually(c.key(), 10*time.Second, "closed while its ticket is refused", func(v signals.View) bool {
		return v.Status == signals.StatusClosed && v.Ticket != nil
	})
	require.Equal(t, signals.TicketStatusPending, view.Ticket.Status)

	ops.setRefuse(false)

	view = parley.eventually(c.key(), 30*time.Second, "the ticket is made at last", func(v signals.View) bool {
		return v.Ticket != nil && v.Ticket.Status == signals.TicketStatusCreated
	})
	require.Equal(t, "EXT-7", view.Ticket.ExternalID)

	for _, one := range ops.all() {
		require.NotContains(t, one.body, "dummy_key")
	}

	require.NotContains(t, parley.output(), "topsecret")
}
