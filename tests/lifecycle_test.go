package tests_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// quick is a policy whose clocks a test can wait for.
const quick = `
policies:
  default:
    unreplied: {first: 600ms, repeat: 600ms}
    closeout:  {grace: 700ms}
`

func TestLiveChatFromFirstMessageToTicket(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, quick).start(t)
	c := &chat{t: t, id: "PJ0MRSHTDG", thread: "K600PKZON8"}

	parley.post("/webhooks/livechat", c.says(ann, "Is anyone there?"))

	view := parley.eventually(c.key(), 10*time.Second, "three pushes", func(v signals.View) bool { return v.PushTimes >= 3 })
	require.True(t, view.Unreplied)
	require.Equal(t, signals.StatusOpen, view.Status)
	require.Equal(t, int64(1), view.Messages.Visitor)
	require.Nil(t, view.Ticket)

	parley.post("/webhooks/livechat", c.says(smith, "Yes, how may I help you?"))

	view = parley.eventually(c.key(), 5*time.Second, "the reply stops the pushes", func(v signals.View) bool { return !v.Unreplied })
	require.Equal(t, smith, view.Agent)
	require.Equal(t, signals.StatusActive, view.Status)

	for number := 1; number <= 3; number++ {
		require.NotEmpty(t, parley.printed("unreplied", "PJ0MRSHTDG", string(rune('0'+number))+"/4"), parley.output())
	}

	pushes := len(parley.printed("unreplied", "PJ0MRSHTDG", "/4"))

	parley.post("/webhooks/livechat", c.closes(smith))

	view = parley.eventually(c.key(), 10*time.Second, "closed with a ticket", func(v signals.View) bool {
		return v.Status == signals.StatusClosed && v.Ticket != nil
	})
	require.Equal(t, signals.TicketStatusCreated, view.Ticket.Status)
	require.Equal(t, 1, view.Session)
	require.Equal(t, view.Accepted, view.Applied+view.Late+view.Ignored)
	require.Len(t, parley.printed("unreplied", "PJ0MRSHTDG", "/4"), pushes, "no push after the reply")

	status, body := parley.do(http.MethodGet, "/v1/tickets/"+view.Ticket.ID, nil)
	require.Equal(t, http.StatusOK, status, string(body))

	var ticket signals.Ticket
	require.NoError(t, json.Unmarshal(body, &ticket))
	require.False(t, ticket.Unreplied)
	require.Len(t, ticket.Transcript, 2)
	require.Equal(t, "Is anyone there?", ticket.Transcript[0].Text)
	require.Equal(t, signals.RoleAgent, ticket.Transcript[1].Role)

	// Whatever is sent again after the run has completed changes nothing.
	repeat := &chat{t: t, id: c.id, thread: c.thread}
	parley.post("/webhooks/livechat", repeat.says(ann, "Is anyone there?"))
	parley.post("/webhooks/livechat", repeat.closes(smith))

	again, ok := parley.view(c.key())
	require.True(t, ok)
	require.Equal(t, 1, again.Session)
	require.Equal(t, view.Ticket.ID, again.Ticket.ID)

	// A new thread is a new session.
	next := &chat{t: t, id: c.id, thread: "NEWTHREAD1"}
	parley.post("/webhooks/livechat", next.says(ann, "One more thing"))
	parley.eventually(c.key(), 5*time.Second, "the second session", func(v signals.View) bool {
		return v.Session == 2 && v.Status == signals.StatusOpen
	})

	require.Less(t, parley.stop(syscall.SIGTERM), 10*time.Second)
}

func TestKilledBetweenMessageAndPush(t *testing.T) {
	t.Parallel()

	const first = 6 * time.Second

	one := newInstall(t, `
policies:
  default:
    unreplied: {first: 6s, repeat: 1h}
`)
	parley := one.start(t)
	before := &chat{t: t, id: "BEFORE", thread: "T1"}
	after := &chat{t: t, id: "AFTER", thread: "T2"}

	sent := time.Now()
	parley.post("/webhooks/livechat", before.says(ann, "due while it is down"))
	parley.kill()

	// The first is due while the process is down, the second after its start.
	time.Sleep(time.Until(sent.Add(first + 500*time.Millisecond)))

	parley = one.start(t)
	started := time.Now()
	written := time.Now() // the webhook's own time is a moment later
	parley.post("/webhooks/livechat", after.says(ann, "due when it is up"))
	parley.kill()

	parley = one.start(t)
	require.Less(t, time.Since(written), first, "the restart took longer than the clock")

	parley.eventually(before.key(), 10*time.Second, "the missed push", func(v signals.View) bool { return v.PushTimes == 1 })
	parley.eventually(after.key(), 10*time.Second, "the push on time", func(v signals.View) bool { return v.PushTimes == 1 })
	require.Less(t, time.Since(started), 30*time.Second)

	require.Eventually(t, func() bool { return len(parley.printed("unreplied", "AFTER", "1/4")) == 1 },
		5*time.Second, 20*time.Millisecond, parley.output())

	late := parley.printed("unreplied", "AFTER", "1/4")[0].at.Sub(written.Add(first))
	require.GreaterOrEqual(t, late, time.Duration(0), "a push never comes early")
	require.Less(t, late, 2*time.Second, "a push comes on time")

	require.Never(t, func() bool { return len(parley.printed("unreplied", "AFTER")) > 1 }, time.Second, 50*time.Millisecond)
}

func TestRestartGoesOn(t *testing.T) {
	t.Parallel()

	one := newInstall(t, quick)
	parley := one.start(t)
	c := &chat{t: t, id: "GOES/ON:%? Ж日", thread: "T1"}

	parley.post("/webhooks/livechat", c.says(ann, "Hello"))
	require.Less(t, parley.stop(syscall.SIGINT), 10*time.Second)

	parley = one.start(t)
	view := parley.eventually(c.key(), 10*time.Second, "what was accepted before the stop", func(signals.View) bool { return true })
	require.Equal(t, c.id, view.ID, "an id with / : %% ? and letters of any script round-trips")

	parley.post("/webhooks/livechat", c.says(smith, "Hi"))
	parley.eventually(c.key(), 5*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied && v.Agent == smith })
}

func TestCloseThenAcceptNeverSucceeds(t *testing.T) {
	t.Parallel()

	const rounds = 100

	parley := newInstall(t, "").start(t)

	for round := range rounds {
		key := signals.Key{Source: "parley", Conversation: "race-" + string(rune('a'+round%26)) + strings.Repeat("x", round/26)}
		event := map[string]any{
			"id": "m1", "type": "message.received", "conversation": key.Conversation,
			"actor": map[string]any{"id": "ann", "role": "visitor"}, "message": map[string]any{"text": "hi"},
		}
		parley.post("/webhooks/parley", event)
		parley.post("/webhooks/parley", map[string]any{
			"id": "c1", "type": "conversation.closed", "conversation": key.Conversation, "closing": map[string]any{"by_role": "visitor"},
		})

		status, body := parley.do(http.MethodPost, conversationPath(key)+"/accept", map[string]any{"agent_id": "smith"})
		require.Equal(t, http.StatusConflict, status, "round %d: %s", round, body)
	}
}

func TestBadWebhooksChangeNothing(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, `
sources:
  livechat: {dialect: livechat, secrets: ["s3cret"]}
  parley: {dialect: parley}
`).start(t)

	c := &chat{t: t, id: "BAD", thread: "T1"}
	good := c.says(ann, "hello")
	wrong := c.says(ann, "hello")
	wrong["secret_key"] = "wrong"
	good["secret_key"] = "s3cret"

	incomplete := c.says(ann, "hello")
	incomplete["secret_key"] = "s3cret"
	delete(inner(t, incomplete, "payload"), "chat_id")

	for name, test := range map[string]struct {
		path   string
		body   any
		header []string
		want   int
	}{
		"bad JSON":       {"/webhooks/livechat", `{"action":`, nil, http.StatusBadRequest},
		"wrong secret":   {"/webhooks/livechat", wrong, nil, http.StatusBadRequest},
		"missing id":     {"/webhooks/livechat", incomplete, nil, http.StatusUnprocessableEntity},
		"too large":      {"/webhooks/livechat", strings.Repeat("x", 1<<20+1), nil, http.StatusRequestEntityTooLarge},
		"no such source": {"/webhooks/nobody", "{}", nil, http.StatusNotFound},
		"wrong type": {
			"/webhooks/parley", `{"type":"message.received","conversation":7}`, nil, http.StatusUnprocessableEntity,
		},
		"half a batch": {
			"/webhooks/parley",
			`[{"id":"1","type":"message.received","conversation":"BAD","message":{"text":"x"}},{"id":"2","type":"nonsense"}]`,
			nil, http.StatusUnprocessableEntity,
		},
		"foreign host":   {"/webhooks/livechat", good, []string{"Host", "evil.example"}, http.StatusForbidden},
		"foreign origin": {"/webhooks/livechat", good, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
	} {
		status, body := parley.do(http.MethodPost, test.path, test.body, test.header...)
		require.Equal(t, test.want, status, "%s: %s", name, body)
	}

	for _, source := range []string{"livechat", "parley"} {
		_, ok := parley.view(signals.Key{Source: source, Conversation: "BAD"})
		require.False(t, ok, "nothing was applied")
	}

	require.NotContains(t, parley.output(), "s3cret")

	parley.post("/webhooks/livechat", good)
	parley.eventually(c.key(), 5*time.Second, "the good one", func(v signals.View) bool { return v.Applied == 1 })
}

func TestStartRefusals(t *testing.T) {
	t.Parallel()

	one := newInstall(t, "")
	first := one.start(t)

	for name, test := range map[string]struct {
		second install
		want   string
	}{
		"a second process on the same directory": {install{dir: one.dir, ports: freePorts(t)}, "in use"},
		"a taken port":                           {install{dir: t.TempDir(), ports: one.ports}, "PARLEY_"},
		"beyond loopback without keys": {
			install{dir: t.TempDir(), ports: freePorts(t), env: []string{"PARLEY_HTTP_ADDR=0.0.0.0:0"}}, "PARLEY_API_KEYS",
		},
	} {
		code, output, err := test.second.launch(t).exit(20 * time.Second)
		require.NoError(t, err, name)
		require.Equal(t, 1, code, name)
		require.Contains(t, output, test.want, name)
		require.Equal(t, 1, strings.Count(output, "\n"), "%s takes one line: %s", name, output)
	}

	first.stop(syscall.SIGTERM)
}
