package tests_test

import (
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parleyhq/parley/signals"
)

// apart prepares an installation whose Temporal is that of another process, in
// a namespace of its own there.
func apart(t *testing.T, config string, temporal *process, namespace string) *install {
	t.Helper()

	_, err := temporal.temporal().WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)

	one := newInstall(t, config)
	one.env = []string{fmt.Sprintf("TEMPORAL_ADDRESS=127.0.0.1:%d", temporal.ports.grpc), "TEMPORAL_NAMESPACE=" + namespace}

	return one
}

// TestTemporalAway takes Temporal away from a running process, twice: hung, and
// killed. Every webhook is taken meanwhile, and everything is applied after it.
func TestTemporalAway(t *testing.T) {
	t.Parallel()

	const conversations, before, during = 10, 3, 8

	other := newInstall(t, calm)
	temporal := other.start(t)
	one := apart(t, calm, temporal, "apart")
	parley := one.start(t)
	keys := make([]signals.Key, conversations)

	for i := range keys {
		keys[i] = signals.Key{Source: "parley", Conversation: fmt.Sprintf("away %d", i)}
	}

	sent := 0
	send := func(messages int) {
		t.Helper()

		for range messages {
			var posting sync.WaitGroup

			for _, key := range keys {
				posting.Go(func() {
					begun := time.Now()

					status, answer := parley.do(http.MethodPost, "/webhooks/parley", ownMessage(key.Conversation, fmt.Sprintf("m%d", sent)))
					if took := time.Since(begun); status != http.StatusOK || took > 2*time.Second {
						t.Errorf("%s: %d %s after %s", key, status, answer, took)
					}
				})
			}

			posting.Wait()

			sent++
		}
	}

	send(before)
	parley.requireApplied(keys, before)

	for name, fault := range map[string]struct{ take, give func() }{
		"hung": {
			take: func() { require.NoError(t, temporal.command.Process.Signal(syscall.SIGSTOP)) },
			give: func() { require.NoError(t, temporal.command.Process.Signal(syscall.SIGCONT)) },
		},
		"killed": {
			take: func() { temporal.kill() },
			give: func() { temporal = other.start(t) },
		},
	} {
		t.Logf("Temporal is %s", name)
		fault.take()
		send(during / 2)

		parley.requireAway(keys[0])
		send(during / 2)
		require.GreaterOrEqual(t, parley.inbox().Depth, int64(conversations*during/2))

		fault.give()
		parley.requireApplied(keys, int64(sent))
		require.Eventually(t, func() bool { return parley.status("/readyz") == http.StatusOK && !parley.inbox().Behind },
			20*time.Second, 50*time.Millisecond)
	}

	// Stopped while Temporal hangs, it leaves the rest to its next start.
	require.NoError(t, temporal.command.Process.Signal(syscall.SIGSTOP))
	send(during)
	require.Less(t, parley.stop(syscall.SIGTERM), 10*time.Second)
	require.NoError(t, temporal.command.Process.Signal(syscall.SIGCONT))

	parley = one.start(t)
	parley.requireApplied(keys, int64(sent))
}

// requireAway wants a process to know, and to say, that Temporal does not answer.
func (p *process) requireAway(key signals.Key) {
	p.t.Helper()

	require.EventuallyWithT(p.t, func(c *assert.CollectT) {
		state := p.inbox()
		assert.True(c, state.Behind)
		assert.NotEmpty(c, state.LastError)
		assert.Positive(c, state.Depth)
	}, 20*time.Second, 50*time.Millisecond, "the inbox does not know that it is behind")

	status, body := p.do(http.MethodGet, "/readyz", nil)
	require.Equal(p.t, http.StatusServiceUnavailable, status)
	require.JSONEq(p.t, `{"status":"unavailable","checks":{"temporal":"unavailable","database":"ok","inbox":"ok"},"webhooks":"accepted"}`,
		string(body))

	// Who asks is told soon, and what waits is to be seen.
	begun := time.Now()

	p.problemOf(http.StatusServiceUnavailable, http.MethodGet, conversationPath(key), nil)
	require.Less(p.t, time.Since(begun), 4*time.Second)

	events := p.archive(key, "200")
	require.Equal(p.t, "pending", events[len(events)-1].State)
	require.Equal(p.t, "forwarded", events[0].State)
}

// requireApplied wants so many messages applied in each conversation, once each
// and in order.
func (p *process) requireApplied(keys []signals.Key, messages int64) {
	p.t.Helper()

	for _, key := range keys {
		view := p.eventually(key, 60*time.Second, "everything is applied", func(v signals.View) bool { return v.Messages.Visitor >= messages })
		require.Equal(p.t, messages, view.Messages.Visitor)
		require.Equal(p.t, messages, view.Accepted)
		require.Equal(p.t, messages, view.Applied)
		require.Equal(p.t, 1, view.Session)

		for i, event := range p.archive(key, "200") {
			require.Equal(p.t, fmt.Sprintf("m%d", i), event.ID)
		}
	}
}

// TestDeadLetters has Temporal refuse one message for good: the others of its
// conversation go on, it is listed with the reason, and it goes out when somebody
// sends it again.
func TestDeadLetters(t *testing.T) {
	t.Parallel()

	temporal := newInstall(t, calm).start(t)
	one := apart(t, calm, temporal, "censored")
	between := newCensor(t, fmt.Sprintf("127.0.0.1:%d", temporal.ports.grpc))
	one.env[0] = "TEMPORAL_ADDRESS=" + between.address
	parley := one.start(t)

	// Payloads are JSON, in which a text stands as it is.
	between.refuse("unspeakable")

	key := signals.Key{Source: "parley", Conversation: "dead"}
	parley.post("/webhooks/parley", ownMessage(key.Conversation, "m1"))
	parley.post("/webhooks/parley", []any{
		ownMessage(key.Conversation, "m2"), ownMessage(key.Conversation, "unspeakable-1"), ownMessage(key.Conversation, "m3"),
	})
	parley.post("/webhooks/parley", ownMessage(key.Conversation, "unspeakable-2"))
	parley.post("/webhooks/parley", ownMessage(key.Conversation, "m4"))
	parley.post("/webhooks/parley", ownMessage("alive", "m1"))

	parley.eventually(signals.Key{Source: "parley", Conversation: "alive"}, 10*time.Second, "another conversation goes on",
		func(v signals.View) bool { return v.Messages.Visitor == 1 })

	view := parley.eventually(key, 20*time.Second, "the others go on", func(v signals.View) bool { return v.Messages.Visitor == 4 })
	require.Equal(t, int64(4), view.Accepted)
	require.Equal(t, int64(4), view.Applied)

	require.Eventually(t, func() bool { return parley.inbox().Dead == 2 }, 10*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool { return len(parley.printed("dead letter", "conversation=dead")) == 2 },
		5*time.Second, 20*time.Millisecond)
	require.Empty(t, parley.printed("unspeakable"), "what the visitor wrote is not for the log")

	letters := parley.dead("1")
	require.Len(t, letters, 2)

	for i, letter := range letters {
		require.Equal(t, fmt.Sprintf("unspeakable-%d", i+1), letter.EventID)
		require.Equal(t, letter.EventID, letter.Event.Message.Text)
		require.Equal(t, key.Source, letter.Source)
		require.Equal(t, key.Conversation, letter.Conversation)
		require.Equal(t, signals.MessageReceived, letter.Type)
		require.Contains(t, letter.Reason, "this word is not for history")
		require.False(t, letter.DiedAt.Before(letter.At))
	}

	// It is refused again, and lies there again.
	retry := func(id int64) int64 {
		var told struct {
			Seq int64 `json:"seq"`
		}

		parley.answer(http.MethodPost, fmt.Sprintf("/v1/inbox/dead/%d/retry", id), nil, &told)

		return told.Seq
	}

	first := retry(letters[0].ID)
	require.Greater(t, first, letters[1].ID)
	require.Eventually(t, func() bool {
		again := parley.dead("50")

		return len(again) == 2 && again[1].ID == first && again[1].EventID == "unspeakable-1"
	}, 10*time.Second, 50*time.Millisecond)
	parley.problemOf(http.StatusNotFound, http.MethodPost, fmt.Sprintf("/v1/inbox/dead/%d/retry", letters[0].ID), nil)

	between.refuse()
	retry(first)
	retry(letters[1].ID)

	view = parley.eventually(key, 20*time.Second, "they arrive", func(v signals.View) bool { return v.Messages.Visitor == 6 })
	require.Equal(t, int64(6), view.Accepted)
	require.Equal(t, int64(6), view.Applied)
	require.Zero(t, view.Pending)
	require.Empty(t, parley.dead("50"))
	require.Zero(t, parley.inbox().Dead)
	parley.problemOf(http.StatusNotFound, http.MethodPost, fmt.Sprintf("/v1/inbox/dead/%d/retry", first), nil)
	parley.problemOf(http.StatusNotFound, http.MethodPost, "/v1/inbox/dead/nothing/retry", nil)
}

// deadLetter is one element of GET /v1/inbox/dead.
type deadLetter struct {
	ID           int64         `json:"id"`
	Source       string        `json:"source"`
	Conversation string        `json:"conversation"`
	EventID      string        `json:"event_id"`
	Type         signals.Type  `json:"type"`
	Reason       string        `json:"reason"`
	At           time.Time     `json:"at"`
	DiedAt       time.Time     `json:"died_at"`
	Event        signals.Event `json:"event"`
}

// dead reads all pages of the dead letters.
func (p *process) dead(limit string) []deadLetter {
	p.t.Helper()

	var (
		all  []deadLetter
		page struct {
			DeadLetters []deadLetter `json:"dead_letters"`
			Next        string       `json:"next"`
		}
	)

	for cursor := ""; ; cursor = page.Next {
		page.DeadLetters = nil
		p.answer(http.MethodGet, "/v1/inbox/dead?limit="+limit+"&cursor="+cursor, nil, &page)

		all = append(all, page.DeadLetters...)

		if page.Next == "" {
			return all
		}
	}
}

// TestNeighbour starts a second process in a namespace that another one serves.
func TestNeighbour(t *testing.T) {
	t.Parallel()

	first := newInstall(t, calm).start(t)
	second := newInstall(t, calm)
	second.env = []string{fmt.Sprintf("TEMPORAL_ADDRESS=127.0.0.1:%d", first.ports.grpc)}

	require.Len(t, second.start(t).printed("another Parley seems to serve this namespace"), 1)
	require.Empty(t, first.printed("another Parley"))
}

// TestSettingOutOfRange ends at once and says which in one line.
func TestSettingOutOfRange(t *testing.T) {
	t.Parallel()

	one := newInstall(t, calm)
	one.env = []string{"PARLEY_STICKY_CACHE=-5"}

	code, output, err := one.launch(t).exit(20 * time.Second)
	require.NoError(t, err)
	require.Equal(t, 1, code)
	require.Contains(t, output, "PARLEY_STICKY_CACHE: must be from 0 to 1000000")
}
