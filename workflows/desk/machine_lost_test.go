package desk_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

// look lets the desk look, when it is time to, and finds some unlisted; it returns
// whom the desk looked for, and what it says.
func (s *scene) look(unlisted ...int) ([]signals.Key, []string) {
	keys := s.Look(s.now)

	var lost []signals.Key

	for _, n := range unlisted {
		if slices.Contains(keys, key(n)) {
			lost = append(lost, key(n))
		}
	}

	s.Doubt(lost, s.now)

	return keys, s.hear()
}

// TestLost: who is not listed as open is asked, and dropped if it does not run.
func TestLost(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	require.Empty(t, s.pass(time.Hour))

	_, _, ok := s.NextDeadline(s.now)
	require.False(t, ok, "nobody is there")

	s.say(1, accepted, "a")
	s.say(2, accepted, "b")
	s.say(3, request, "")

	due, what, ok := s.NextDeadline(s.now)
	require.True(t, ok)
	require.Equal(t, "open conversations", what)
	require.Equal(t, s.now.Add(time.Minute), due)

	s.pass(59 * time.Second)
	require.Empty(t, s.Look(s.now))
	s.pass(time.Second)
	s.Apply(s.ask(2, accepted, "b"), s.now.Add(-9*time.Second))

	keys, said := s.look(1, 2)
	require.ElementsMatch(t, []signals.Key{key(1), key(3)}, keys, "who said something just now may not be listed yet")
	require.Equal(t, []string{"1 check"}, said)
	require.Empty(t, s.Look(s.now), "once")
	s.restart()
	s.pass(59 * time.Second)
	require.Empty(t, s.Look(s.now))
	s.pass(time.Second)

	// The second one does not run.
	keys = s.Look(s.now)
	require.ElementsMatch(t, []signals.Key{key(1), key(2), key(3)}, keys)
	s.Doubt([]signals.Key{key(2)}, s.now)
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(9, s.now), 1)
	s.Doubt([]signals.Key{key(2)}, s.now)
	s.Tick(s.now)
	require.False(t, s.Owes(), "it is being asked")
	s.Dispatched([]signals.Key{key(2)}, s.now)
	require.Equal(t, []string{"3 offer b"}, s.hear())
	require.Empty(t, s.Position(key(2), s.now).Status)

	// When all are over, there is nothing to look for.
	s.say(1, release, "")
	s.say(3, release, "")

	_, _, ok = s.NextDeadline(s.now)
	require.False(t, ok)
	s.now = s.now.Add(time.Hour)
	require.Empty(t, s.hear())
	require.Empty(t, s.Look(s.now))
	s.say(1, accepted, "a")
	require.Empty(t, s.Look(s.now), "a minute after there is somebody")
}

// TestLostButAnswers: whoever runs and is not listed all the same is asked more and
// more seldom.
func TestLostButAnswers(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.say(1, accepted, "a")

	var checked []int

	looks := func(minutes int, unlisted ...int) {
		checked = nil

		for minute := 1; minute <= minutes; minute++ {
			s.pass(time.Minute)
			s.restart()

			if _, said := s.look(unlisted...); len(said) > 0 {
				require.Equal(t, []string{"1 check"}, said)
				s.Apply(s.ask(1, accepted, "a"), s.now)

				checked = append(checked, minute)
			}
		}
	}

	looks(33, 1)
	require.Equal(t, []int{1, 2, 4, 8, 16, 32}, checked)
	looks(1)
	looks(3, 1)
	require.Equal(t, []int{1, 2}, checked, "it was listed meanwhile")
	require.Equal(t, 1, s.load("a"))
}

// TestLostUnreached: a check that could not be brought keeps no offer waiting.
func TestLostUnreached(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.say(1, accepted, "a")
	s.say(2, request, "")
	s.now = s.now.Add(time.Minute)
	require.Contains(t, s.Look(s.now), key(2))
	s.Doubt([]signals.Key{key(2)}, s.now)
	require.Len(t, s.TakeOffers(9, s.now), 1)
	s.DispatchedBut(nil, []signals.Key{key(2)}, s.now)
	require.Equal(t, []string{"2 offer a"}, s.say(1, release, ""))
}

// TestLostInOrder: those come first that were found the last time and were silent
// longest; a reservation is for one that may not have begun.
func TestLostInOrder(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(9, "a"))
	for n := range 4 {
		s.say(n, accepted, "a")
		s.now = s.now.Add(time.Second)
	}

	chosen, err := s.Choose(signals.Choices{
		Choices: []signals.ChoiceAsk{{Key: key(7), Candidates: []signals.Candidate{{AgentID: "a"}}}},
	}, s.now)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, chosen.Agents)
	s.Apply(s.ask(0, accepted, "a"), s.now)
	s.now = s.now.Add(time.Minute)
	require.Equal(t, []signals.Key{key(1), key(2), key(3), key(0)}, s.Look(s.now))
	s.Doubt([]signals.Key{key(1)}, s.now)
	require.Equal(t, []string{"1 check"}, s.hear())
	s.Apply(s.ask(1, accepted, "a"), s.now)
	s.now = s.now.Add(time.Minute)
	require.Equal(t, []signals.Key{key(2), key(3), key(0), key(1)}, s.Look(s.now))
}

// TestLostByEarlierRules: a run that began before goes on as it did.
func TestLostByEarlierRules(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.Rules = desk.RulesFor(2)
	s.say(1, accepted, "a")

	due, what, ok := s.NextDeadline(s.now)
	require.True(t, ok)
	require.Equal(t, "doubts", what)
	require.Equal(t, s.now.Add(30*time.Minute), due)
	s.now = s.now.Add(20 * time.Minute)
	require.Empty(t, s.hear())
	require.Empty(t, s.Look(s.now))
}
