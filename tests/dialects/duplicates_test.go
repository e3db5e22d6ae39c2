package dialects_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/workflows/conversation"
)

// TestTheSameWebhookIsOneEvent sends each webhook again: within the retry window
// it is the same, at any time if the platform's own ids tell it, and otherwise
// another one.
func TestTheSameWebhookIsOneEvent(t *testing.T) {
	t.Parallel()

	everyStory(t, func(t *testing.T, d dialects.Dialect, s *story) {
		t.Helper()

		for i := range s.steps {
			t.Run(s.steps[i].name, func(t *testing.T) {
				t.Parallel()

				one := &s.steps[i]
				begin := one.at.Add(took)
				m := s.machine(t, d, one)
				known := s.hears(t, d, m, one, begin)

				for _, later := range []time.Duration{time.Second, retryWindow - time.Second, retryWindow} {
					before := stateOf(t, m)
					require.Zero(t, s.hears(t, d, m, one, begin.Add(later)), "a repetition after %s", later)

					m.Duplicates -= int64(len(s.decode(t, d, one, begin)))
					require.Equal(t, before, stateOf(t, m), "a repetition changes nothing")
				}

				fresh := 0

				for _, event := range s.decode(t, d, one, begin) {
					if signals.IsDerived(event.ID) {
						fresh++
					}
				}

				require.Equal(t, fresh, s.hears(t, d, m, one, begin.Add(retryWindow+time.Second)), "after the window")
				require.Positive(t, known)
			})
		}
	})
}

// TestBackAndForth: a state, another, and the first again in the same words.
func TestBackAndForth(t *testing.T) {
	t.Parallel()

	everyStory(t, func(t *testing.T, d dialects.Dialect, s *story) {
		t.Helper()
		require.Len(t, s.states, 2, "two states that follow each other")

		on, off := &s.states[0], &s.states[1]
		begin := begun().Add(took)

		soon := s.machine(t, d, on)
		require.Equal(t, 1, s.hears(t, d, soon, on, begin))
		require.Equal(t, 1, s.hears(t, d, soon, off, begin.Add(time.Second)))
		require.Equal(t, 0, s.hears(t, d, soon, on, begin.Add(2*time.Second)), "the platform's repetition")
		require.Equal(t, int64(2), soon.Accepted)
		require.Equal(t, int64(1), soon.Duplicates)

		late := s.machine(t, d, on)
		require.Equal(t, 1, s.hears(t, d, late, on, begin))
		require.Equal(t, 1, s.hears(t, d, late, off, begin.Add(retryWindow)))
		require.Equal(t, 1, s.hears(t, d, late, on, begin.Add(2*retryWindow)), "back again")
		require.Equal(t, int64(3), late.Accepted)
		require.Zero(t, late.Duplicates)
	})
}

// machine is a conversation of which nothing is known yet.
func (s *story) machine(t *testing.T, d dialects.Dialect, one *step) *conversation.Machine {
	t.Helper()

	key := signals.Key{Source: "shop", Conversation: s.decode(t, d, one, one.at)[0].Conversation}

	return conversation.NewMachine(key, key.WorkflowID(), signals.Start{Session: 1}, s.under(d))
}

// hears takes in a webhook and returns how many of its events are new.
func (s *story) hears(t *testing.T, d dialects.Dialect, m *conversation.Machine, one *step, at time.Time) int {
	t.Helper()

	before := m.Accepted

	for _, event := range s.decode(t, d, one, at) {
		m.Apply(event.Bounded(), at)
	}

	m.Settle(at)

	return int(m.Accepted - before)
}
