package desk_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// wants asks whether another agent is free.
func (s *scene) wants(n int, agent string) []string {
	ask := s.ask(n, accepted, agent)
	ask.Wants = true
	s.Apply(ask, s.now)

	return s.hear()
}

func head(need *signals.Need) { need.Head, need.Not = true, "a" }

// TestSavedSlot: on a desk where somebody always waits, whose agent is silent gets
// the first slot that becomes free.
func TestSavedSlot(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	s.say(1, accepted, "a")
	s.say(2, accepted, "b")
	s.say(3, request, "")
	require.Equal(t, []string{"1 free false"}, s.wants(1, "a"))
	s.restart()

	// The slot is not for 3, who is first in line.
	require.Equal(t, []string{"1 free true"}, s.say(2, release, ""))
	s.restart()
	require.Empty(t, s.say(4, request, ""))
	require.Equal(t, []string{"1 free true"}, s.wants(1, "a"), "asked again it is the same")

	// Taken from its agent it has the slot, and the agent's goes to the line.
	require.Equal(t, []string{"1 offer b", "3 offer a"}, s.say(1, request, "", head))
}

// TestSavedSlotThatNobodyTakes goes to the line.
func TestSavedSlotThatNobodyTakes(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	s.say(1, accepted, "a")
	s.say(2, accepted, "b")
	s.say(3, request, "")
	s.wants(1, "a")
	require.Equal(t, []string{"1 free true"}, s.say(2, release, ""))
	require.Empty(t, s.pass(15*time.Second-time.Millisecond))
	require.Equal(t, []string{"3 offer b"}, s.pass(time.Millisecond), "its agent answered meanwhile")
	s.say(3, release, "")

	// Whoever is over, or has another agent, is not stuck any more.
	s.say(4, accepted, "b")
	require.Equal(t, []string{"1 free false"}, s.wants(1, "a"))
	s.say(5, request, "")
	require.Equal(t, []string{"5 offer a"}, s.say(1, release, ""))
	require.Empty(t, s.say(4, release, ""))

	// Nor does anybody save the slot of an agent who goes.
	s = newScene(t, staff(1, "a", "b"))
	s.say(1, accepted, "a")
	s.say(2, accepted, "b")
	s.say(3, request, "")
	s.wants(1, "a")
	require.Equal(t, []string{"1 free true"}, s.say(2, release, ""))
	s.remove("b")
	s.put("b", func(*signals.AgentWord) {})
	require.Equal(t, []string{"3 offer b"}, s.pass(15*time.Second))
	require.Equal(t, 1, s.load("b"))
}

// TestSlotsAreSavedInOrder: for whom an agent has had longest first, for as many as
// there are slots, with the skills they need until those are not insisted on.
func TestSlotsAreSavedInOrder(t *testing.T) {
	t.Parallel()

	s := newScene(t, skilled("a", 2, "x"), skilled("b", 1, "x"), skilled("c", 1),
		func(s *policy.DeskSnapshot) { s.SkillWait = policy.Duration(time.Minute) })
	needs := func(need *signals.Need) { need.Skills = []string{"x"} }

	for n, agent := range []string{"a", "a", "b", "c"} {
		s.tell(n, request, "", needs)
		s.tell(n, accepted, agent)
		s.now = s.now.Add(time.Second)
	}

	s.hear()
	require.Equal(t, []string{"1 free false"}, s.wants(1, "a"))
	require.Equal(t, []string{"0 free false"}, s.wants(0, "a"))
	require.Empty(t, s.say(3, release, ""), "c does not know it")
	require.Equal(t, []string{"0 free true"}, s.say(2, release, ""))
	s.say(0, request, "", needs, head)
	s.say(0, accepted, "b")
	require.Empty(t, s.hear())

	// In time anybody will do.
	require.Equal(t, []string{"1 free true"}, s.pass(time.Minute))
}

// TestNothingIsSavedByOlderRules, nor while the desk is closed.
func TestNothingIsSavedByOlderRules(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	s.Follow(desk.RulesFor(4))
	s.say(1, accepted, "a")
	s.say(2, accepted, "b")
	s.say(3, request, "")
	s.wants(1, "a")
	require.Equal(t, []string{"3 offer b"}, s.say(2, release, ""))

	// Their line is by priority first.
	s.say(4, request, "", head)
	s.say(5, request, "", func(need *signals.Need) { need.Priority = 1 })
	require.Equal(t, 1, s.Position(key(5), s.now).Position)
	s.Follow(desk.RulesFor(5))
	require.Equal(t, 1, s.Position(key(4), s.now).Position)
}

// TestMoreUrgent: who is only more urgent, or at another place in the line, is not
// offered again to those who did not take it.
func TestMoreUrgent(t *testing.T) {
	t.Parallel()

	urgent := func(need *signals.Need) { need.Priority = 2 }
	s := newScene(t, staff(1, "a", "b"))
	require.Equal(t, []string{"1 offer a"}, s.say(1, request, ""))
	require.Equal(t, []string{"1 offer b"}, s.say(1, declined, "a"))
	require.Equal(t, []string{"1 round 1"}, s.say(1, declined, "b", urgent))
	require.Empty(t, s.say(1, request, "", urgent, head))
	require.Equal(t, 1, s.Position(key(1), s.now).Position)
	require.Equal(t, []string{"1 offer b"}, s.pass(20*time.Second), "a is tried last by now")

	// Other agents begin anew.
	skill := func(need *signals.Need) { need.Skills = []string{"x"} }
	s.put("c", func(word *signals.AgentWord) { word.Skills = []string{"x"} })
	require.Equal(t, []string{"1 offer c"}, s.say(1, declined, "b", skill))
}

// TestAgain: the agent from before a close is asked first, if there is room.
func TestAgain(t *testing.T) {
	t.Parallel()

	again := func(need *signals.Need) { need.Again = "b" }
	s := newScene(t, staff(1, "a", "b"))
	require.Equal(t, []string{"1 offer b"}, s.say(1, request, "", again))
	require.Equal(t, []string{"2 offer a"}, s.say(2, request, "", again), "b has no room")
	require.Equal(t, []string{"2 round 1"}, s.say(2, declined, "a", again))
	s.restart()
	require.Equal(t, []string{"2 offer b"}, s.say(1, release, ""))
}

// onTime lets time go by with one tick at each deadline, and none at the end, as the
// workflow does.
func (s *scene) onTime(d time.Duration) []string {
	var out []string

	for end := s.now.Add(d); ; {
		due, _, ok := s.NextDeadline(s.now)
		if !ok || due.After(end) {
			s.now = end

			return out
		}

		s.now = due
		for _, said := range s.hear() {
			out = append(out, fmt.Sprint(s.now.Sub(epoch()), " ", said))
		}
	}
}

// stuckWithA has a keep the first ones, who are stuck, and b the next.
func stuckWithA(t *testing.T, stuck int, changes ...func(s *policy.DeskSnapshot)) *scene {
	t.Helper()

	s := newScene(t, append([]func(s *policy.DeskSnapshot){staff(stuck, "a"), staff(1, "b")}, changes...)...)

	for n := 1; n <= stuck; n++ {
		s.say(n, accepted, "a")
	}

	s.say(stuck+1, accepted, "b")

	for n := 1; n <= stuck; n++ {
		require.Equal(t, []string{fmt.Sprint(n, " free false")}, s.wants(n, "a"))
	}

	return s
}

// TestLapsedSlotIsGivenAtOnce to the line, whoever stands there.
func TestLapsedSlotIsGivenAtOnce(t *testing.T) {
	t.Parallel()

	for name, change := range map[string]func(*signals.Need){"line": func(*signals.Need) {}, "head": head} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := stuckWithA(t, 1)
			require.Equal(t, []string{"1 free true"}, s.say(2, release, ""))
			require.Empty(t, s.say(3, request, "", change))
			require.Equal(t, "15s 3 offer b", s.onTime(5 * time.Minute)[0])
		})
	}
}

// TestWhoIsNotStuckAnyMore lets the line go first: many agents answer soon after
// nobody else was free.
func TestWhoIsNotStuckAnyMore(t *testing.T) {
	t.Parallel()

	s := stuckWithA(t, 6)
	s.say(8, request, "")
	require.Equal(t, []string{"1 free true"}, s.say(7, release, ""))
	require.Equal(t, []string{"15s 8 offer b"}, s.onTime(time.Minute-time.Second))

	// One who has no use for it says so.
	s = stuckWithA(t, 1)
	s.say(3, request, "")
	require.Equal(t, []string{"1 free true"}, s.say(2, release, ""))
	s.Apply(s.ask(1, accepted, "a"), s.now)
	require.Equal(t, []string{"3 offer b"}, s.hear())
	require.Empty(t, s.say(3, release, ""), "it is not stuck any more")
}

// TestSavedSlotOfWhoGoes is free for nobody; who counted on it is stuck as before.
func TestSavedSlotOfWhoGoes(t *testing.T) {
	t.Parallel()

	for name, goes := range map[string]func(s *scene){
		"offline": func(s *scene) {
			_, err := s.PutAgent(signals.AgentWord{ID: "b", Status: signals.AgentOffline}, s.now)
			require.NoError(s.t, err)
		},
		"removed": func(s *scene) {
			_, err := s.RemoveAgent("b", s.now)
			require.NoError(s.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := stuckWithA(t, 1)
			s.say(3, request, "")
			s.tell(2, release, "")
			s.Tick(s.now) // it is not taken yet
			goes(s)
			require.Equal(t, []string{"1 free false"}, s.hear())
			require.Equal(t, []string{"1 free false"}, s.wants(1, "a"))
			require.Equal(t, []string{"1 free true"}, s.put("b", func(word *signals.AgentWord) { word.Status = signals.AgentAccepting }))
			require.Equal(t, []string{"15s 3 offer b"}, s.onTime(20*time.Second))
			require.Equal(t, 1, s.load("b"))
		})
	}
}

// TestSkillsOfASavedSlot: whoever was told that somebody without the skill is free
// gets just that one.
func TestSkillsOfASavedSlot(t *testing.T) {
	t.Parallel()

	s := newScene(t, skilled("a", 1, "x"), skilled("c", 1),
		func(s *policy.DeskSnapshot) { s.SkillWait = policy.Duration(15 * time.Minute) })
	needs := func(need *signals.Need) { need.Skills = []string{"x"} }
	s.say(1, request, "", needs)
	s.say(1, accepted, "a")
	s.pass(20 * time.Minute) // a answered, and now the visitor writes again

	wrote := s.now
	s.pass(10 * time.Minute)
	require.Equal(t, []string{"1 free true"}, s.wants(1, "a"))
	s.restart()
	require.Equal(t, []string{"1 offer c"}, s.say(1, request, "", needs, head, func(need *signals.Need) { need.Since = wrote }))
}

// TestSavedSlotAndTheWebhook: while it is asked, the slot stays free.
func TestSavedSlotAndTheWebhook(t *testing.T) {
	t.Parallel()

	s := stuckWithA(t, 2, func(s *policy.DeskSnapshot) { s.Asks = true })
	require.Equal(t, []string{"1 free true"}, s.say(3, release, ""))
	require.Empty(t, s.say(1, request, "", head))
	require.NotNil(t, s.TakeChoice(s.now))
	s.Answered([]string{"b"}, s.now)
	require.Equal(t, []string{"1 offer b"}, s.hear())
}
