package tests_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// TestDemoTwice: a second demonstration on the same directory goes on where the
// first one was, with pushes after five seconds.
func TestDemoTwice(t *testing.T) {
	t.Parallel()

	one := newInstall(t, "", "--demo")
	first := one.start(t)
	c := &chat{t: t, id: "DEMO", thread: "T1"}

	sent := time.Now()
	first.post("/webhooks/livechat", c.says(ann, "Is anyone there?"))

	var sources struct {
		Sources []struct {
			Policy string `json:"policy"`
		} `json:"sources"`
	}

	first.answer(http.MethodGet, "/v1/sources", nil, &sources)
	require.Equal(t, "demo", sources.Sources[0].Policy)
	require.Less(t, first.stop(syscall.SIGINT), 10*time.Second)

	second := one.start(t)
	second.eventually(c.key(), 5*time.Second, "the conversation is still there", func(v signals.View) bool { return v.Messages.Visitor == 1 })

	require.Eventually(t, func() bool { return len(second.printed("unreplied", "DEMO", "2/4")) == 1 },
		20*time.Second, 20*time.Millisecond, "push 2 on the terminal")
	require.GreaterOrEqual(t, time.Since(sent), 10*time.Second)

	second.post("/webhooks/livechat", c.says(smith, "Yes"))
	second.post("/webhooks/livechat", c.closes(smith))
	second.eventually(c.key(), 10*time.Second, "closed after the demonstration's grace", func(v signals.View) bool {
		return v.Status == signals.StatusClosed && v.Ticket != nil
	})
	require.Len(t, second.printed("unreplied", "DEMO"), 2-len(first.printed("unreplied", "DEMO")))
}

// TestWithoutStickyCache goes through a life while every single task replays
// the whole history.
func TestWithoutStickyCache(t *testing.T) {
	t.Parallel()

	ops := newReceiver(t)
	one := newInstall(t, `
policies:
  default:
    unreplied: {first: 300ms, repeat: 500ms, max: 2}
    closeout:  {grace: 500ms}
    notify:    {unreplied.pushed: [log, ops]}
channels:
  ops: {kind: webhook, url: "`+ops.URL+`/parley"}
network: {allow: ["127.0.0.0/8"]}
`)
	one.env = []string{"PARLEY_STICKY_CACHE=0"}
	parley := one.start(t)
	c := &chat{t: t, id: "UNCACHED", thread: "T1"}
	path := conversationPath(c.key())

	parley.post("/webhooks/livechat", c.says(ann, "Hello?"))
	parley.eventually(c.key(), 10*time.Second, "both pushes", func(v signals.View) bool { return v.PushTimes == 2 })

	// The reply cancels what is not delivered yet, and the second push ends the
	// time of the first, which a busy machine may not have delivered by then.
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(ops.all(), func(one received) bool { return strings.Contains(one.body, `"push_times":2`) })
	}, 20*time.Second, 20*time.Millisecond, "the second push is delivered")

	parley.answer(http.MethodPost, path+"/accept", map[string]any{"agent_id": smith}, &signals.View{})
	parley.problemOf(http.StatusConflict, http.MethodPost, path+"/accept", map[string]any{"agent_id": "jones@example.com"})
	parley.post("/webhooks/livechat", c.says(smith, "Hello!"))
	parley.eventually(c.key(), 5*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied })
	parley.answer(http.MethodPost, path+"/snooze", map[string]any{"until": time.Now().Add(time.Hour)}, &signals.View{})
	parley.post("/webhooks/livechat", c.says(ann, "Thank you"))
	parley.eventually(c.key(), 5*time.Second, "woken", func(v signals.View) bool { return v.Status == signals.StatusActive })
	parley.answer(http.MethodPost, path+"/close", "{}", &signals.View{})
	parley.answer(http.MethodPost, path+"/reopen", "{}", &signals.View{})
	parley.post("/webhooks/livechat", c.closes(smith))

	view := parley.eventually(c.key(), 10*time.Second, "closed", withTicket)
	require.Equal(t, signals.TicketStatusCreated, view.Ticket.Status)
	require.Equal(t, view.Accepted, view.Applied+view.Late+view.Ignored)

	require.Len(t, parley.printed("unreplied", "UNCACHED"), 2, parley.output())

	ids := map[string]bool{}
	for _, one := range ops.all() {
		require.False(t, ids[one.id], "a push was delivered twice")
		ids[one.id] = true
	}

	next := &chat{t: t, id: c.id, thread: "T2"}
	parley.post("/webhooks/livechat", next.says(ann, "Again"))
	parley.eventually(c.key(), 5*time.Second, "session 2", func(v signals.View) bool { return v.Session == 2 })

	_, metrics := parley.do(http.MethodGet, "/metrics", nil)
	require.Regexp(t, `(?m)^temporal_sticky_cache_size\{[^}]*\} 0$`, string(metrics))
}

// TestStickyCacheIsBounded: no more conversations than that stay in memory,
// whoever's worker in this process was the first.
func TestStickyCacheIsBounded(t *testing.T) {
	t.Parallel()

	one := newInstall(t, "")
	one.env = []string{"PARLEY_STICKY_CACHE=4"}
	parley := one.start(t)

	const many = 12

	for i := range many {
		c := &chat{t: t, id: fmt.Sprintf("KEPT%d", i), thread: "T1"}
		parley.post("/webhooks/livechat", c.says(ann, "Hello?"))
		parley.eventually(c.key(), 10*time.Second, "applied", func(v signals.View) bool { return v.Applied == 1 })
	}

	size := regexp.MustCompile(`(?m)^temporal_sticky_cache_size\{[^}]*\} (\d+)$`)

	require.Eventually(t, func() bool {
		_, metrics := parley.do(http.MethodGet, "/metrics", nil)

		found := size.FindSubmatch(metrics)
		if len(found) != 2 {
			return false
		}

		kept, err := strconv.Atoi(string(found[1]))

		return err == nil && kept > 0 && kept <= 4
	}, 20*time.Second, 100*time.Millisecond, "too many are kept")
}
