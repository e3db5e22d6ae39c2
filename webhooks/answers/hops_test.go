package answers_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// hops asks for the agent of one conversation, as a platform does after each
// invitation that came to nothing.
type hops struct {
	*world

	t *testing.T
}

func (h *hops) asks(event string, fresh bool, agents ...string) string {
	h.t.Helper()

	q := choiceOf("one", agents...)
	q.Event, q.Fresh = event, fresh
	found, _ := h.ask(h.t, q)

	return found.Agent
}

// told is what the last choice told the desk.
func (h *hops) told() []string { return h.named[len(h.named)-1] }

func hopping(t *testing.T, test func(h *hops)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, id := range []string{"a", "b", "c"} {
			w.slots[id] = 9
		}

		test(&hops{world: w, t: t})
	})
}

// TestAnotherRequestAnotherAgent: a new request tells the desk whom the platform was
// told before, and a repetition has the answer that it had.
func TestAnotherRequestAnotherAgent(t *testing.T) {
	t.Parallel()
	hopping(t, func(h *hops) {
		require.Equal(t, "a", h.asks("1", true, "a", "b", "c"))
		require.Empty(t, h.told())

		require.Equal(t, "b", h.asks("2", true, "a", "b", "c"))
		require.Equal(t, []string{"a"}, h.told())

		require.Equal(t, "b", h.asks("2", false, "a", "b", "c"))
		require.Equal(t, "a", h.asks("1", false, "a", "b", "c"))
		require.Len(t, h.named, 2, "the desk was not asked again")
	})
}

// TestANewSequence: whom the platform was told matters until somebody has the
// conversation, it is over, or the platform has asked for no one for long.
func TestANewSequence(t *testing.T) {
	t.Parallel()

	word := func(kind signals.Type) []signals.Event {
		return []signals.Event{{Type: kind, Source: "shop", Conversation: "one"}}
	}

	for name, test := range map[string]struct {
		happens func(h *hops)
		begins  bool
	}{
		"accepted":           {func(h *hops) { h.Heard(word(signals.AgentAccepted)) }, true},
		"assigned":           {func(h *hops) { h.Heard(word(signals.AgentAssigned)) }, true},
		"closed":             {func(h *hops) { h.Heard(word(signals.ConversationClosed)) }, true},
		"given by a command": {func(h *hops) { h.Taken(choiceOf("one").Key) }, true},
		"long ago":           {func(*hops) { time.Sleep(10*time.Minute + time.Second) }, true},
		"a while ago":        {func(*hops) { time.Sleep(9 * time.Minute) }, false},
		"a message":          {func(h *hops) { h.Heard(word(signals.MessageReceived)) }, false},
		"another chat's": {func(h *hops) {
			h.Heard([]signals.Event{{Type: signals.AgentAccepted, Source: "shop", Conversation: "two"}})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hopping(t, func(h *hops) {
				require.Equal(t, "a", h.asks("1", true, "a", "b"))
				test.happens(h)
				h.asks("2", true, "a", "b")
				require.Equal(t, test.begins, len(h.told()) == 0)
			})
		})
	}
}

// TestTheSequenceBeginsAgain with whom the desk names a second time.
func TestTheSequenceBeginsAgain(t *testing.T) {
	t.Parallel()
	hopping(t, func(h *hops) {
		for n, want := range []string{"a", "b"} {
			require.Equal(t, want, h.asks(strconv.Itoa(n), true, "a", "b"))
		}

		require.Empty(t, h.asks("2", true, "a", "b"), "the desk has nobody")
		h.again = "a"
		require.Equal(t, "a", h.asks("3", true, "a", "b"))
		require.Equal(t, []string{"a", "b"}, h.told())

		h.again = ""
		require.Equal(t, "b", h.asks("4", true, "a", "b"))
		require.Equal(t, []string{"a"}, h.told())
	})
}

// TestAnUnansweredRequest: what the desk said too late was not told.
func TestAnUnansweredRequest(t *testing.T) {
	t.Parallel()
	hopping(t, func(h *hops) {
		h.took = patience + time.Second
		require.Empty(t, h.asks("1", true, "a", "b"))

		h.mu.Lock()
		h.took = 0
		h.mu.Unlock()

		require.Equal(t, "a", h.asks("1", false, "a", "b"))
		require.Empty(t, h.told())
	})
}

// TestSequencesAreBounded, however long a platform goes on.
func TestSequencesAreBounded(t *testing.T) {
	t.Parallel()
	hopping(t, func(h *hops) {
		for n := range 60 {
			agent := "agent-" + strconv.Itoa(n)
			h.slots[agent] = 1
			require.Equal(t, agent, h.asks(strconv.Itoa(n), true, agent))
		}

		require.Len(t, h.told(), 50)
		require.Equal(t, "agent-58", h.told()[49])
	})
}
