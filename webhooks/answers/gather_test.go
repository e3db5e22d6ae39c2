package answers_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/answers"
)

const patience = 3 * time.Second

func choiceOf(chat string, agents ...string) answers.Query {
	ask := dialect.Ask{Question: dialect.AskAgent, Conversation: chat, Within: patience}
	for _, id := range agents {
		ask.Candidates = append(ask.Candidates, signals.Candidate{AgentID: id})
	}

	return answers.Query{Ask: ask, Key: signals.Key{Source: "shop", Conversation: chat}, Desk: support}
}

// crowd asks for many chats at once and returns how many got each agent.
func (w *world) crowd(t *testing.T, chats int, agents ...string) (map[string]int, time.Duration) {
	t.Helper()

	var (
		asking sync.WaitGroup
		mu     sync.Mutex
		given  = map[string]int{}
		slow   time.Duration
	)

	for i := range chats {
		asking.Go(func() {
			found, took := w.ask(t, choiceOf(fmt.Sprintf("chat-%d", i), agents...))

			mu.Lock()
			defer mu.Unlock()

			given[found.Agent]++
			slow = max(slow, took)
		})
	}

	asking.Wait()

	return given, slow
}

func TestChoice(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.slots["b"] = 1

		found, took := w.ask(t, choiceOf("one", "a", "b"))
		require.Equal(t, dialect.Found{Agent: "b"}, found)
		require.Zero(t, took)

		found, _ = w.ask(t, choiceOf("two", "a", "b"))
		require.Zero(t, found, "nobody is free")

		w.slots["b"] = 1
		q := choiceOf("three", "b")
		q.Desk = ""
		found, _ = w.ask(t, q)
		require.Zero(t, found, "no desk")
	})
}

// TestChoicesGoTogether: what comes while an update is under way goes with the
// next, one at a time, and no slot is given twice.
func TestChoicesGoTogether(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.took = 100 * time.Millisecond
		w.slots["a"], w.slots["b"] = 30, 20

		given, slow := w.crowd(t, 600, "a", "b")
		require.Equal(t, map[string]int{"a": 30, "b": 20, "": 550}, given)
		require.LessOrEqual(t, len(w.batches), 5, "%v", w.batches)
		require.LessOrEqual(t, slow, 500*time.Millisecond)

		for _, size := range w.batches {
			require.LessOrEqual(t, size, 200)
		}

		// It rests, and begins again.
		w.slots["a"] = 1
		given, _ = w.crowd(t, 1, "a")
		require.Equal(t, map[string]int{"a": 1}, given)
	})
}

func TestChoiceOfASilentDesk(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hangs = true
		w.slots["a"] = 1

		given, slow := w.crowd(t, 300, "a")
		require.Equal(t, map[string]int{"": 300}, given)
		require.Equal(t, patience, slow)
		require.Len(t, w.batches, 1, "nobody waited any more for the next")

		w.mu.Lock()
		w.hangs, w.away = false, true
		w.mu.Unlock()

		given, slow = w.crowd(t, 3, "a")
		require.Equal(t, map[string]int{"": 3}, given)
		require.Zero(t, slow, "Temporal is away")

		w.away, w.short = false, true
		given, _ = w.crowd(t, 1, "a")
		require.Equal(t, map[string]int{"": 1}, given)

		w.short = false
		given, _ = w.crowd(t, 1, "a")
		require.Equal(t, map[string]int{"a": 1}, given)
	})
}

// TestChoicesAreBounded: neither many who wait nor many candidates make an update
// that no desk takes.
func TestChoicesAreBounded(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.took = 10 * time.Millisecond

		agents := make([]string, 200)
		for i := range agents {
			agents[i] = strings.Repeat("x", 100) + strconv.Itoa(i)
		}

		w.slots[agents[0]] = 50

		given, _ := w.crowd(t, 50, agents...)
		require.Equal(t, map[string]int{agents[0]: 50}, given)
		require.Greater(t, len(w.batches), 5, "they are too long to go together")

		found, _ := w.ask(t, choiceOf("long", slices.Repeat(agents, 2)...))
		require.Zero(t, found)

		w.took = time.Minute
		given, slow := w.crowd(t, 5000, "a")
		require.Equal(t, map[string]int{"": 5000}, given)
		require.Equal(t, patience, slow)
	})
}
