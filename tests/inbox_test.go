package tests_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// TestInbox asks one running process about its inbox.
func TestInbox(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, calm).start(t)

	for name, check := range map[string]func(*testing.T, *process){
		"the same webhook five times at once": checkFiveAtOnce,
		"one reads what one wrote":            checkReadYourWrites,
		"typing":                              checkTyping,
		"all or nothing":                      checkAllOrNothing,
		"report and metrics":                  checkReport,
		"root":                                checkRoot,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, parley.with(t))
		})
	}
}

// archived is one element of a conversation's archive.
type archived struct {
	signals.Event

	State string `json:"state"`
}

// archive reads all pages of a conversation's archive.
func (p *process) archive(key signals.Key, limit string, header ...string) []archived {
	p.t.Helper()

	var (
		all  []archived
		page struct {
			Events []archived `json:"events"`
			Next   string     `json:"next"`
		}
	)

	for cursor := ""; ; cursor = page.Next {
		page.Events = nil
		p.answer(http.MethodGet, conversationPath(key)+"/events?limit="+limit+"&cursor="+url.QueryEscape(cursor), nil, &page, header...)

		all = append(all, page.Events...)

		if page.Next == "" {
			return all
		}
	}
}

// checkFiveAtOnce repeats webhooks as an impatient platform does: each is one
// event, whoever came first.
func checkFiveAtOnce(t *testing.T, parley *process) {
	t.Helper()

	const messages, times = 20, 5

	key := signals.Key{Source: "parley", Conversation: "five"}

	for message := range messages {
		var (
			posting  sync.WaitGroup
			mu       sync.Mutex
			accepted int
			doubled  int
		)

		body := ownMessage(key.Conversation, fmt.Sprintf("m%d", message))

		for range times {
			posting.Go(func() {
				status, answer := parley.do(http.MethodPost, "/webhooks/parley", body)

				var told taken
				if err := json.Unmarshal(answer, &told); err != nil || status != http.StatusOK {
					t.Errorf("%d %s", status, answer)

					return
				}

				mu.Lock()
				defer mu.Unlock()

				accepted += told.Accepted
				doubled += told.Duplicates
			})
		}

		posting.Wait()
		require.Equal(t, [2]int{1, times - 1}, [2]int{accepted, doubled})
	}

	view, ok := parley.view(key)
	require.True(t, ok)
	require.Equal(t, int64(messages), view.Messages.Visitor)
	require.Equal(t, int64(messages), view.Accepted)
	require.Equal(t, int64(messages), view.Applied)
	require.Zero(t, view.Duplicates, "the run has seen none twice")
	require.Len(t, parley.archive(key, "200"), messages)
}

// checkReadYourWrites never waits: what was acknowledged is there.
func checkReadYourWrites(t *testing.T, parley *process) {
	t.Helper()

	for i := range 15 {
		key := signals.Key{Source: "parley", Conversation: fmt.Sprintf("own %d", i)}

		for message := range int64(3) {
			parley.post("/webhooks/parley", ownMessage(key.Conversation, fmt.Sprintf("m%d", message)))

			view, ok := parley.view(key)
			require.True(t, ok)
			require.Equal(t, message+1, view.Messages.Visitor)
			require.Zero(t, view.Pending)
		}

		parley.post("/webhooks/parley", map[string]any{
			"id": "e1", "type": signals.EscalationRequested, "conversation": key.Conversation, "escalation": map[string]any{"id": "e1"},
		})

		var view signals.View

		parley.answer(http.MethodPost, conversationPath(key)+"/accept", map[string]any{"agent_id": "smith"}, &view)
		require.Equal(t, "smith", view.Agent)
		require.Equal(t, int64(4), view.Applied, "the command judges what was acknowledged before it")

		// A close that was acknowledged is known to the command after it.
		parley.post("/webhooks/parley", map[string]any{
			"id": "c1", "type": signals.ConversationClosed, "conversation": key.Conversation, "closing": map[string]any{"by_role": "agent"},
		})
		require.Contains(t, parley.problemOf(http.StatusConflict, http.MethodPost, conversationPath(key)+"/assign",
			map[string]any{"agent_id": "jones"}).Detail, "closed")
	}
}

// checkTyping types as fast as platforms tell of it.
func checkTyping(t *testing.T, parley *process) {
	t.Helper()

	key := signals.Key{Source: "parley", Conversation: "typing"}
	types := func(number int, on bool) map[string]any {
		return map[string]any{
			"id": fmt.Sprintf("k%d", number), "type": signals.TypingChanged, "conversation": key.Conversation,
			"actor": map[string]any{"id": "ann", "role": signals.RoleVisitor}, "typing": map[string]any{"on": on},
		}
	}

	parley.post("/webhooks/parley", ownMessage(key.Conversation, "m1"))

	begun := time.Now()
	written, silent := 0, 0

	for number := range 30 {
		var told taken

		parley.answer(http.MethodPost, "/webhooks/parley", types(number, number < 20), &told)
		require.Equal(t, 1, told.Accepted+told.Duplicates)

		written, silent = written+told.Accepted, silent+told.Duplicates
	}

	// Every five seconds it is news again, should the machine be that slow.
	most := 2 + int(time.Since(begun)/(5*time.Second))

	require.GreaterOrEqual(t, written, 2, "on, and off")
	require.LessOrEqual(t, written, most)
	require.Equal(t, 30, written+silent)

	view, ok := parley.view(key)
	require.True(t, ok)
	require.Equal(t, int64(1+written), view.Accepted, "what says nothing new was never accepted")
	require.Equal(t, view.Accepted, view.Applied+view.Late+view.Ignored)
	require.Len(t, parley.archive(key, "200"), 1+written)

	require.Eventually(t, func() bool {
		_, metrics := parley.do(http.MethodGet, "/metrics", nil)

		return strings.Contains(string(metrics), fmt.Sprintf("parley_webhook_events_coalesced_total{source=\"parley\"} %d\n", silent))
	}, 10*time.Second, 100*time.Millisecond, "what was left out is not counted")
}

// checkAllOrNothing sends webhooks of which one event cannot be taken.
func checkAllOrNothing(t *testing.T, parley *process) {
	t.Helper()

	key := signals.Key{Source: "parley", Conversation: "whole"}
	bad := ownMessage(key.Conversation, "m2")
	delete(bad, "type")

	parley.problemOf(http.StatusUnprocessableEntity, http.MethodPost, "/webhooks/parley", []any{ownMessage(key.Conversation, "m1"), bad})
	parley.problemOf(http.StatusNotFound, http.MethodGet, conversationPath(key), nil)
	require.Empty(t, parley.archive(key, "10"))

	// Several conversations and the account in one webhook are as one.
	var told taken

	parley.answer(http.MethodPost, "/webhooks/parley", []any{
		ownMessage("whole 1", "m1"), ownMessage("whole 2", "m1"), ownMessage("whole 1", "m2"), ownMessage("whole 1", "m1"),
		map[string]any{"id": "a1", "type": signals.AccountChanged, "account": map[string]any{"object": "tag", "action": "created"}},
	}, &told)
	require.Equal(t, taken{
		Accepted: 4, Duplicates: 1, Conversations: []string{"/v1/conversations/parley/whole%201", "/v1/conversations/parley/whole%202"},
	}, told)

	parley.problemOf(http.StatusRequestHeaderFieldsTooLarge, http.MethodPost, "/webhooks/parley",
		ownMessage("whole 3", "m1"), "X-Large", strings.Repeat("x", 40<<10))
}

// inboxState is what GET /v1/inbox answers.
type inboxState struct {
	Depth             int64   `json:"depth"`
	Dead              int64   `json:"dead"`
	Parked            int64   `json:"parked"`
	Behind            bool    `json:"behind"`
	LastError         string  `json:"last_error"`
	OldestAgeSeconds  int64   `json:"oldest_age_seconds"`
	AcceptedPerSecond float64 `json:"accepted_per_second"`
	CommitBatch       struct {
		Max int `json:"max"`
	} `json:"commit_batch"`
	Sources []struct {
		Source string  `json:"source"`
		Depth  int64   `json:"depth"`
		Share  float64 `json:"share"`
	} `json:"sources"`
}

func (p *process) inbox() inboxState {
	p.t.Helper()

	var state inboxState

	p.answer(http.MethodGet, "/v1/inbox", nil, &state)

	return state
}

func checkReport(t *testing.T, parley *process) {
	t.Helper()

	// A tag may not start a conversation, so that it waits, and is seen to.
	parley.post("/webhooks/parley", map[string]any{
		"id": "t1", "type": signals.TagAdded, "conversation": "alone", "tag": map[string]any{"name": "vip"},
	})

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		state := parley.inbox()
		assert.Equal(c, int64(1), state.Parked)
		assert.GreaterOrEqual(c, state.Depth, int64(1))
		assert.Zero(c, state.Dead)
		assert.False(c, state.Behind)
		assert.Positive(c, state.AcceptedPerSecond)
		assert.Positive(c, state.CommitBatch.Max)
	}, 10*time.Second, 50*time.Millisecond)

	key := signals.Key{Source: "parley", Conversation: "alone"}
	require.Equal(t, "parked", parley.archive(key, "10")[0].State)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, metrics := parley.do(http.MethodGet, "/metrics", nil)

		for _, series := range []string{
			"parley_inbox_depth{", "parley_inbox_oldest_age_seconds ", "parley_inbox_commit_batch_size_bucket{",
			"parley_inbox_signal_batch_size_bucket{",
		} {
			assert.Contains(c, string(metrics), series)
		}

		assert.NotContains(c, string(metrics), "_total_total")
	}, 15*time.Second, 100*time.Millisecond)
}

func checkRoot(t *testing.T, parley *process) {
	t.Helper()

	status, body := parley.do(http.MethodGet, "/", nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, string(body), "<title>Parley</title>")
}

// TestArchive pages everything that came for a conversation, with the words of
// the platform for who may read them.
func TestArchive(t *testing.T) {
	t.Parallel()

	one := newInstall(t, `
policies:
  default: {unreplied: {first: 1h}, closeout: {grace: 300ms}}
`)
	reader, readerEntry := one.newKey(t, "reader", "read")
	auditor, auditorEntry := one.newKey(t, "auditor", "read,raw")
	one.env = []string{"PARLEY_API_KEYS=" + readerEntry + "," + auditorEntry}
	parley := one.start(t)
	c := &chat{t: t, id: "ARCHIVE", thread: "T1"}

	const said = 23

	for i := range said {
		parley.post("/webhooks/livechat", c.says(ann, fmt.Sprintf("message %d", i)))
	}

	parley.post("/webhooks/livechat", c.closes(smith))
	require.Eventually(t, func() bool {
		status, body := parley.do(http.MethodGet, conversationPath(c.key()), nil, "Authorization", "Bearer "+reader)

		return status == http.StatusOK && strings.Contains(string(body), `"ticket":{`) && strings.Contains(string(body), `"status":"closed"`)
	}, 10*time.Second, 50*time.Millisecond)
	parley.post("/webhooks/livechat", c.says(ann, "too late"))

	may, mayNot := []string{"Authorization", "Bearer " + auditor}, []string{"Authorization", "Bearer " + reader}

	require.Eventually(t, func() bool {
		last := parley.archive(c.key(), "200", mayNot...)

		return len(last) == said+2 && last[said+1].State != "pending" && last[said+1].State != "forwarded"
	}, 10*time.Second, 50*time.Millisecond, "the late one is not set aside")

	for _, limit := range []string{"1", "7", "25", "200"} {
		whole, bare := parley.archive(c.key(), limit, may...), parley.archive(c.key(), limit, mayNot...)
		require.Len(t, whole, said+2)
		require.Len(t, bare, said+2)
		require.True(t, slices.IsSortedFunc(whole, func(a, b archived) int { return int(a.Seq - b.Seq) }))

		for i := range whole {
			require.Contains(t, string(whole[i].Raw), c.id)
			require.NotContains(t, string(whole[i].Raw), "dummy_key")
			require.Empty(t, bare[i].Raw)
			require.Equal(t, whole[i].ID, bare[i].ID)

			if i < said {
				require.Equal(t, fmt.Sprintf("message %d", i), whole[i].Message.Text)
				require.Equal(t, "forwarded", whole[i].State)
			}
		}

		require.Contains(t, []string{"late", "ignored"}, whole[said+1].State)
		require.Equal(t, 1, whole[said+1].Session)
	}

	parley.problemOf(http.StatusUnauthorized, http.MethodGet, conversationPath(c.key())+"/events", nil)
	parley.problemOf(http.StatusUnprocessableEntity, http.MethodGet, conversationPath(c.key())+"/events?cursor=x", nil, may...)
	parley.problemOf(http.StatusForbidden, http.MethodPost, "/v1/inbox/dead/1/retry", nil, may...)
	parley.problemOf(http.StatusUnauthorized, http.MethodGet, "/v1/inbox", nil)
}
