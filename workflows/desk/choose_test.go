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

func (s *scene) choose(n int, candidates ...string) string {
	return s.chooseAfter(n, nil, candidates...)
}

// TestChoose gives an agent at once, and holds the slot for half a minute.
func TestChoose(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b", "c"))
	require.Equal(t, "b", s.choose(1, "c", "b"))
	require.Equal(t, "b", s.choose(1, "b", "c"), "the same again")
	require.Empty(t, s.choose(1, "a"), "b is no candidate any more")
	require.Equal(t, "c", s.choose(2, "b", "c", "stranger"))
	require.Empty(t, s.choose(3, "b", "c"))
	require.Equal(t, signals.DeskReserved, s.Position(key(1), s.now).Status)

	// Accepted in time, the slot is kept; else it is free.
	s.restart()
	s.pass(29 * time.Second)
	s.say(2, accepted, "c")
	s.pass(time.Second)
	require.Equal(t, 0, s.load("b"))
	require.Equal(t, 1, s.load("c"))
	require.Empty(t, s.Position(key(1), s.now).Status)

	// A conversation that asks while a slot is reserved is offered just that one.
	require.Equal(t, "b", s.choose(4, "b"))
	require.Equal(t, []string{"4 offer b"}, s.say(4, request, ""))
	require.Equal(t, "b", s.choose(4, "b"))

	// One that waits gets its offer by being chosen for.
	s.say(5, request, "", func(need *signals.Need) { need.Only = "d" })
	require.Equal(t, "a", s.choose(5, "a"))
	require.Equal(t, []string{"5 offer a"}, s.hear())

	// What was over stays remembered.
	s.say(2, release, "")
	require.Equal(t, "c", s.choose(2, "c"))
	s.pass(30 * time.Second)
	s.Apply(s.ask(2, accepted, "c"), s.now) // its last number, said again
	require.Empty(t, s.Position(key(2), s.now).Status)

	_, err := s.Choose(signals.Choices{Choices: make([]signals.ChoiceAsk, 201)}, s.now)

	var fault *signals.FieldError

	require.ErrorAs(t, err, &fault)
}

// chooseAfter asks once more for a conversation whose platform was told those
// before, the newest last.
func (s *scene) chooseAfter(n int, named []string, candidates ...string) string {
	ask := signals.ChoiceAsk{Key: key(n), Named: named}
	for _, id := range candidates {
		ask.Candidates = append(ask.Candidates, signals.Candidate{AgentID: id})
	}

	chosen, err := s.Choose(signals.Choices{Choices: []signals.ChoiceAsk{ask}}, s.now)
	require.NoError(s.t, err)
	require.Len(s.t, chosen.Agents, 1)

	return chosen.Agents[0]
}

// TestChooseAnother: a platform that asks again because nobody took it is told the
// next one, and everybody before anybody a second time.
func TestChooseAnother(t *testing.T) {
	t.Parallel()

	all := []string{"a", "b", "c"}
	s := newScene(t, staff(1, all...))
	require.Equal(t, "a", s.choose(1, all...))
	require.Equal(t, "b", s.chooseAfter(1, []string{"a"}, all...))
	require.Equal(t, 0, s.load("a"), "the slot of the one before is free")
	require.Equal(t, 1, s.load("b"))
	require.Equal(t, "b", s.chooseAfter(1, []string{"a"}, all...), "the same request again")

	// The slot is held as long as for the first, and nobody is forgotten with it.
	s.pass(29 * time.Second)
	require.Equal(t, 1, s.load("b"))
	s.pass(time.Second)
	require.Equal(t, 0, s.load("b"))
	require.Equal(t, "c", s.chooseAfter(1, []string{"a", "b"}, all...))

	// Who has no room is not waited for: it begins again, not with the last one.
	require.Equal(t, "a", s.choose(2, "a"))
	require.Equal(t, "b", s.chooseAfter(1, []string{"a", "b", "c"}, all...))
	s.restart()
	require.Equal(t, "c", s.chooseAfter(1, []string{"b"}, all...))

	// Whoever is named twice in a row is the only one; the slot is held anew.
	s.pass(20 * time.Second)
	require.Equal(t, "c", s.chooseAfter(1, []string{"c"}, "c"))
	s.pass(20 * time.Second)
	require.Equal(t, 1, s.load("c"))
	require.Equal(t, "b", s.chooseAfter(1, []string{"c"}, "b", "nobody"), "one who is no candidate any more is left, too")

	// Who has it has it.
	s.say(1, accepted, "b")
	require.Equal(t, "b", s.chooseAfter(1, []string{"b"}, all...))
	require.Empty(t, s.chooseAfter(1, []string{"b"}, "a", "c"))
}

// TestChooseAnotherForAnOffer: what the desk offers by itself was not told yet; what
// was told moves on.
func TestChooseAnotherForAnOffer(t *testing.T) {
	t.Parallel()

	all := []string{"a", "b", "c"}
	s := newScene(t, staff(1, "a", "b"))
	require.Equal(t, []string{"1 offer a"}, s.say(1, request, ""))
	require.Equal(t, "a", s.chooseAfter(1, nil, all...))

	require.Equal(t, "b", s.chooseAfter(1, []string{"a"}, all...))
	require.Equal(t, []string{"1 offer b"}, s.hear())
	require.Equal(t, 0, s.load("a"))

	// All were named: it begins again.
	require.Equal(t, "a", s.chooseAfter(1, []string{"a", "b"}, all...))
	require.Equal(t, []string{"1 offer a"}, s.hear())
	require.Equal(t, 0, s.load("b"))

	// Nobody else is left: it stays where it is.
	s.say(2, accepted, "b")
	require.Equal(t, "a", s.chooseAfter(1, []string{"a"}, all...))
	require.Empty(t, s.hear())
	require.Empty(t, s.chooseAfter(1, []string{"a"}, "b"), "b is busy, and a is no candidate")
	s.say(2, release, "")

	// Who was moved on from was tried in this round.
	require.Equal(t, "b", s.chooseAfter(1, []string{"a"}, all...))
	require.Equal(t, []string{"1 offer b"}, s.hear())
	require.Equal(t, []string{"1 round 1"}, s.say(1, declined, "b"))
}

// TestChooseOfAnOlderRun: a run that began before names the reserved one again.
func TestChooseOfAnOlderRun(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	s.Rules = desk.RulesFor(4)
	require.Equal(t, "a", s.choose(1, "a", "b"))
	require.Equal(t, "a", s.chooseAfter(1, []string{"a"}, "a", "b"))
}

// TestChooseLearns: a desk without configured agents takes the platform's word.
func TestChooseLearns(t *testing.T) {
	t.Parallel()

	two, one := int64(2), int64(1)
	s := newScene(t)
	ask := signals.ChoiceAsk{Skills: []string{"x"}, Candidates: []signals.Candidate{
		{AgentID: "busy", Capacity: &one, Load: &one, Skills: []string{"x"}},
		{AgentID: "able", Capacity: &two, Load: &one, Skills: []string{"x"}},
		{AgentID: "other", Capacity: &two},
	}}
	choices := signals.Choices{}

	for n := range 4 {
		ask.Key = key(n)
		choices.Choices = append(choices.Choices, ask)
	}

	chosen, err := s.Choose(choices, s.now)
	require.NoError(t, err)
	require.Equal(t, []string{"able", "able", "", ""}, chosen.Agents)
	require.Len(t, s.View(s.now).Agents, 3)
}

// TestChooseManyAtOnce: no slot is given twice.
func TestChooseManyAtOnce(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(3, "a", "b"))
	given := map[string]int{}

	for n := range 200 {
		if id := s.choose(n, "a", "b"); id != "" {
			given[id]++
		}
	}

	require.Equal(t, map[string]int{"a": 3, "b": 3}, given)
}

func asks(s *policy.DeskSnapshot) { s.Asks, s.AskTimeout = true, policy.Duration(5*time.Second) }

// TestWebhookChooses: a valid answer counts, anything else is the desk's choice.
func TestWebhookChooses(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b", "c"), asks)

	for n := range 5 {
		require.Empty(t, s.say(n, request, ""))
	}

	choice := s.TakeChoice(s.now)
	require.NotNil(t, choice)
	require.Len(t, choice.Asks, 3, "no more than there are agents")
	require.Len(t, choice.Asks[0].Candidates, 3)
	require.Nil(t, s.TakeChoice(s.now), "one question at a time")

	// One gave up meanwhile; one answer is somebody else's, one is nobody.
	s.say(1, release, "")
	s.Answered([]string{"c", "b", "nobody"}, s.now)
	require.Equal(t, []string{"0 offer c", "2 offer a"}, s.hear())
	choice = s.TakeChoice(s.now)
	require.Len(t, choice.Asks, 1, "who comes next")
	require.Equal(t, "chat-3", choice.Asks[0].Key.Conversation)

	// Two choose the same one: the first gets it.
	s.Answered(nil, s.now)
	require.Equal(t, []string{"3 offer b"}, s.hear())

	for n := range 5 {
		s.say(n, release, "")
	}

	s.say(6, request, "")
	s.say(7, request, "")
	require.Len(t, s.TakeChoice(s.now).Asks, 2)
	s.Answered([]string{"b", "b"}, s.now)
	require.Equal(t, []string{"6 offer b", "7 offer a"}, s.hear())

	// An answer that comes when nobody has room any more leaves it in line.
	s.say(8, request, "")
	require.Len(t, s.TakeChoice(s.now).Asks, 1)
	s.say(9, accepted, "c")
	s.Answered([]string{"c"}, s.now)
	require.Empty(t, s.hear())
	require.Equal(t, signals.DeskWaits, s.Position(key(8), s.now).Status)
	s.say(9, release, "")
	require.Len(t, s.TakeChoice(s.now).Asks, 1, "it is asked about again")
	s.restart()
	require.Empty(t, s.hear())
	require.Len(t, s.TakeChoice(s.now).Asks, 1, "in another run, too")
}

// TestWebhookNamesTheOneBefore: whom it was taken from is tried last, unless the
// webhook wants just that one.
func TestWebhookNamesTheOneBefore(t *testing.T) {
	t.Parallel()

	notA := func(need *signals.Need) { need.Not = "a" }

	s := newScene(t, staff(1, "a", "b"), asks)
	s.say(1, request, "", notA)
	require.Len(t, s.TakeChoice(s.now).Asks[0].Candidates, 2)
	s.Answered([]string{"a"}, s.now)
	require.Equal(t, []string{"1 offer a"}, s.hear())
	s.say(1, release, "")

	// No answer, and somebody without a free slot, leave it to the desk.
	s.say(2, request, "", notA)
	s.TakeChoice(s.now)
	s.Answered(nil, s.now)
	require.Equal(t, []string{"2 offer b"}, s.hear())
	s.say(2, release, "")

	s.say(3, request, "", notA)
	s.TakeChoice(s.now)
	s.say(4, accepted, "a")
	s.Answered([]string{"a"}, s.now)
	require.Equal(t, []string{"3 offer b"}, s.hear())
	s.say(3, release, "")

	// Whom the webhook was not offered it cannot choose.
	s.say(5, request, "", notA)
	require.Len(t, s.TakeChoice(s.now).Asks[0].Candidates, 1)
	s.say(4, release, "")
	s.Answered([]string{"a"}, s.now)
	require.Equal(t, []string{"5 offer b"}, s.hear())
	s.say(5, release, "")

	// A run that began before goes on as it did.
	s.Rules = desk.RulesFor(4)
	s.say(6, request, "", notA)
	s.TakeChoice(s.now)
	s.Answered([]string{"a"}, s.now)
	require.Equal(t, []string{"6 offer b"}, s.hear())
}

// TestWebhookRounds: who was asked in this round is no candidate.
func TestWebhookRounds(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"), asks)
	s.say(1, request, "")
	s.TakeChoice(s.now)
	s.Answered([]string{"b"}, s.now)
	require.Equal(t, []string{"1 offer b"}, s.hear())
	require.Empty(t, s.say(1, declined, "b"))

	choice := s.TakeChoice(s.now)
	require.Len(t, choice.Asks[0].Candidates, 1)
	s.Answered([]string{"b"}, s.now)
	require.Equal(t, []string{"1 offer a"}, s.hear())
	require.Equal(t, []string{"1 round 1"}, s.say(1, declined, "a"))
	require.Nil(t, s.TakeChoice(s.now))
}

// TestWebhookDrains: with a webhook that never answers all are served as well.
func TestWebhookDrains(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(2, "a", "b", "c"), asks)
	for n := range 100 {
		s.tell(n, request, "")
	}

	served := 0

	for range 500 {
		for _, said := range s.hear() {
			var n int

			_, err := fmt.Sscanf(said, "%d offer", &n)
			require.NoError(t, err)
			s.tell(n, release, "")

			served++
		}

		if s.TakeChoice(s.now) != nil {
			s.Answered(nil, s.now)
		}
	}

	require.Equal(t, 100, served)
}
