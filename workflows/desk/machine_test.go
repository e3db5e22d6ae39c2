package desk_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	request  = signals.AskRequest
	accepted = signals.AskAccepted
	declined = signals.AskDeclined
	expired  = signals.AskExpired
	release  = signals.AskRelease
)

// TestThirdAgentTakesIt: the first is silent, the second declines.
func TestThirdAgentTakesIt(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b", "c"))
	require.Equal(t, []string{"1 offer a"}, s.say(1, request, ""))
	require.Equal(t, 1, s.load("a"))
	s.pass(30 * time.Second)
	require.Equal(t, []string{"1 offer b"}, s.say(1, expired, "a"))
	require.Equal(t, 0, s.load("a"))
	require.Equal(t, []string{"1 offer c"}, s.say(1, declined, "b"))
	require.Empty(t, s.say(1, accepted, "c"))

	require.Equal(t, signals.DeskPosition{Status: signals.DeskActive, Agent: "c", Session: 1, Number: 4}, s.Position(key(1), s.now))
	require.Empty(t, s.say(1, release, ""))
	require.Equal(t, signals.DeskPosition{Session: 1, Number: 5}, s.Position(key(1), s.now))
	require.Equal(t, 0, s.load("c"))
}

// TestRounds: a pause, another round, then none; and the desk goes on.
func TestRounds(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	require.Equal(t, []string{"1 offer a"}, s.say(1, request, ""))
	require.Equal(t, []string{"1 offer b"}, s.say(1, declined, "a"))
	require.Equal(t, []string{"1 round 1"}, s.say(1, declined, "b"))
	require.Equal(t, signals.DeskPauses, s.Position(key(1), s.now).Status)
	require.Empty(t, s.pass(19*time.Second))
	require.Equal(t, []string{"1 offer a"}, s.pass(time.Second))
	require.Equal(t, []string{"1 offer b"}, s.say(1, declined, "a"))
	require.Equal(t, []string{"1 none declined"}, s.say(1, declined, "b"))
	require.Equal(t, signals.DeskHasNone, s.Position(key(1), s.now).Status)

	// Silently a third one, after a minute.
	require.Empty(t, s.pass(59*time.Second))
	require.Equal(t, []string{"1 offer a"}, s.pass(time.Second))
	require.Equal(t, []string{"1 offer b"}, s.say(1, declined, "a"))
	require.Empty(t, s.say(1, declined, "b"))

	// Somebody new is asked at once.
	require.Equal(t, []string{"1 offer c"}, s.put("c", func(*signals.AgentWord) {}))
	require.Empty(t, s.say(1, declined, "c"))

	// Asked anew right after a none, it gets fresh rounds, and not none in a circle.
	s.pass(10 * time.Minute)
	s.say(1, release, "")
	require.Equal(t, []string{"1 offer b"}, s.say(1, request, ""))
}

// TestNobodyAccepts: each round is told once, then none; whoever comes is asked.
func TestNobodyAccepts(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	require.Equal(t, []string{"1 round 1 unavailable"}, s.say(1, request, ""))
	require.Equal(t, []string{"1 none unavailable"}, s.pass(20*time.Second))
	require.Empty(t, s.say(1, request, ""), "not again at once")
	require.Empty(t, s.pass(19*time.Second))
	require.Equal(t, []string{"1 none unavailable"}, s.pass(21*time.Second))
	require.Equal(t, []string{"1 check"}, s.pass(time.Hour/2))
	require.Equal(t, []string{"1 offer a"}, s.put("a", func(*signals.AgentWord) {}))

	// During a pause, too.
	s.status("a", signals.AgentNotAccepting)
	require.Equal(t, []string{"1 round 1"}, s.say(1, declined, "a", func(need *signals.Need) { need.Skills = []string{"x"} }))
	require.Equal(t, []string{"1 offer b"}, s.put("b", func(word *signals.AgentWord) { word.Skills = []string{"x"} }))
}

// TestPauseAfterTheLast: an agent who becomes free within the pause is asked in the
// round before it, and nobody is asked again before there was a pause after that.
func TestPauseAfterTheLast(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	s.say(9, accepted, "b")
	require.Equal(t, []string{"1 offer a"}, s.say(1, request, ""))
	require.Equal(t, []string{"1 round 1"}, s.say(1, expired, "a"))
	s.pass(10 * time.Second)
	require.Equal(t, []string{"1 offer b"}, s.say(9, release, ""))
	s.pass(30 * time.Second)
	s.restart()
	require.Equal(t, []string{"1 round 1"}, s.say(1, expired, "b"))
	require.Empty(t, s.pass(19*time.Second))
	require.Len(t, s.pass(time.Second), 1, "the second round")

	// Waiting on after a none, the same.
	s.say(1, expired, "a")
	require.Equal(t, []string{"1 none declined"}, s.say(1, expired, "b"))
	s.pass(50 * time.Second)
	require.Equal(t, []string{"1 offer c"}, s.put("c", func(*signals.AgentWord) {}))
	s.pass(30 * time.Second)
	require.Empty(t, s.say(1, expired, "c"))
	require.Empty(t, s.pass(59*time.Second))
	require.Len(t, s.pass(time.Second), 1)
}

// TestGivenToSomebodyWhoIsOffline: who takes a conversation is there; who is given
// it need not be, and the conversation is told.
func TestGivenToSomebodyWhoIsOffline(t *testing.T) {
	t.Parallel()

	for given, want := range map[bool][]string{true: {"1 gone b offline"}, false: nil} {
		s := newScene(t, staff(1, "a", "b"))
		s.status("b", signals.AgentOffline)
		s.pass(time.Minute)

		s.numbers[key(1)]++
		ask := s.ask(1, accepted, "b")
		ask.Given = given
		s.Apply(ask, s.now)
		require.Equal(t, want, s.hear())
		require.Equal(t, 1, s.load("b"))
	}
}

// TestWithoutPause: all rounds are over at once, and the desk does not spin.
func TestWithoutPause(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	rushed := func(need *signals.Need) { need.Pause, need.Rounds = 0, 100 }
	require.Equal(t, []string{"1 none unavailable"}, s.say(1, request, "", rushed))

	_, _, ok := s.NextDeadline(s.now.Add(time.Hour))
	require.True(t, ok, "it is doubted one day")
}

// TestBusy: who waits for a slot is in no round.
func TestBusy(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.say(1, request, "")
	s.say(1, accepted, "a")
	require.Empty(t, s.say(2, request, ""))
	require.Empty(t, s.say(3, request, "", func(need *signals.Need) { need.Since = at(-time.Minute) }))
	require.Equal(t, []string{"1 check"}, s.pass(10*time.Minute), "it is asked for the slot that others wait for")
	require.Equal(t, []string{"3 offer a"}, s.say(1, release, ""))
	require.Equal(t, []string{"2 offer a"}, s.say(3, release, ""))
}

// TestOrder: those at the head, then by priority, then by time.
func TestOrder(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.say(9, accepted, "a")
	s.tell(1, request, "")
	s.tell(2, request, "", func(need *signals.Need) { need.Since = at(-time.Second) })
	s.tell(3, request, "", func(need *signals.Need) { need.Head = true })
	s.tell(4, request, "", func(need *signals.Need) { need.Priority = 1 })
	s.tell(5, request, "", func(need *signals.Need) { need.Priority = -1 })
	require.Empty(t, s.hear())

	var order []string

	for _, row := range s.View(s.now).Queue {
		order = append(order, fmt.Sprintf("%d:%s", row.Position, row.Conversation))
	}

	require.Equal(t, "1:chat-3 2:chat-4 3:chat-2 4:chat-1 5:chat-5", strings.Join(order, " "))

	// The present position is read, and nobody is told.
	require.Equal(t, 4, s.Position(key(1), s.now).Position)
	require.Equal(t, []string{"3 offer a"}, s.say(9, release, ""))
	require.Equal(t, 3, s.Position(key(1), s.now).Position)
}

func TestStrategies(t *testing.T) {
	t.Parallel()

	with := func(name policy.Strategy, agents ...policy.DeskAgent) func(s *policy.DeskSnapshot) {
		return func(s *policy.DeskSnapshot) {
			s.Strategy = name
			for _, a := range agents {
				a.Status = signals.AgentAccepting
				s.Agents = append(s.Agents, a)
			}
		}
	}

	for name, test := range map[string]struct {
		agents func(s *policy.DeskSnapshot)
		want   string
	}{
		"least busy counts parts of the slots": {
			with(policy.StrategyLeastBusy, policy.DeskAgent{ID: "a", Slots: 4}, policy.DeskAgent{ID: "b", Slots: 2}), "ababaa",
		},
		"round robin": {
			with(
				policy.StrategyRoundRobin, policy.DeskAgent{ID: "a", Slots: 3}, policy.DeskAgent{ID: "b", Slots: 1},
				policy.DeskAgent{ID: "c", Slots: 2},
			), "abcaca",
		},
		"longest idle": {
			with(policy.StrategyLongestIdle, policy.DeskAgent{ID: "a", Slots: 2}, policy.DeskAgent{ID: "b", Slots: 4}), "ababbb",
		},
		"priority": {
			with(
				policy.StrategyPriority, policy.DeskAgent{ID: "a", Slots: 2, Priority: 2}, policy.DeskAgent{ID: "b", Slots: 1, Priority: 1},
				policy.DeskAgent{ID: "c", Slots: 3, Priority: 1},
			), "bcccaa",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newScene(t, test.agents)

			var order []string

			for n := range 6 {
				s.now = s.now.Add(time.Second)
				said := s.say(n, request, "")
				require.Len(t, said, 1)
				order = append(order, strings.TrimPrefix(said[0], fmt.Sprintf("%d offer ", n)))
				s.say(n, accepted, order[n])
			}

			require.Equal(t, test.want, strings.Join(order, ""))
			require.Empty(t, s.say(9, request, ""))
		})
	}
}

// TestLongestIdle: who has had nothing for the longest time.
func TestLongestIdle(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(2, "a", "b", "c"), strategy(policy.StrategyLongestIdle))

	for n, id := range []string{"a", "b", "c"} {
		s.say(n, accepted, id)
	}

	s.pass(time.Minute)
	s.say(1, release, "")
	s.pass(time.Minute)
	s.say(0, release, "")
	s.pass(time.Minute)
	require.Equal(t, []string{"11 offer b"}, s.say(11, request, ""))
	require.Equal(t, []string{"12 offer a"}, s.say(12, request, ""))
	require.Equal(t, []string{"13 offer c"}, s.say(13, request, ""), "of those who have something, who got it first")
}

func TestSkills(t *testing.T) {
	t.Parallel()

	s := newScene(t, skilled("a", 1, "billing", "german"), skilled("b", 9), func(s *policy.DeskSnapshot) {
		s.SkillWait = policy.Duration(time.Minute)
	})
	need := func(skills ...string) func(need *signals.Need) {
		return func(need *signals.Need) { need.Skills, need.Since = skills, s.now }
	}

	require.Equal(t, []string{"1 offer a"}, s.say(1, request, "", need("billing")))
	s.say(1, accepted, "a")
	require.Empty(t, s.say(2, request, "", need("german", "billing", "german")))
	require.Equal(t, []string{"3 round 1 unavailable"}, s.say(3, request, "", need("french")), "nobody knows it")
	require.Equal(t, []string{"4 offer b"}, s.say(4, request, ""))
	s.say(4, accepted, "b")

	// Positions are of those who compete for the same agents.
	require.Equal(t, 1, s.Position(key(3), s.now).Position)
	require.Equal(t, 1, s.Position(key(2), s.now).Position)

	// After a minute any agent will do.
	require.Equal(t, []string{"3 none unavailable"}, s.pass(59*time.Second))
	require.Equal(t, []string{"2 offer b", "3 offer b"}, s.pass(time.Second))
}

func TestWhoIsAsked(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b", "c"), func(s *policy.DeskSnapshot) { s.PreferLast = true })

	// Only the one who was asked for by name.
	only := func(need *signals.Need) { need.Only = "c" }
	require.Equal(t, []string{"1 offer c"}, s.say(1, request, "", only))
	require.Equal(t, []string{"1 round 1"}, s.say(1, declined, "c", only))
	require.Equal(t, []string{"1 offer c"}, s.pass(20*time.Second))
	require.Equal(t, []string{"1 none declined"}, s.say(1, declined, "c", only))
	s.say(1, release, "")

	// Only those the platform named.
	among := func(need *signals.Need) { need.Candidates = []signals.Candidate{{AgentID: "c"}, {AgentID: "b"}} }
	require.Equal(t, []string{"2 offer b"}, s.say(2, request, "", among))
	require.Equal(t, []string{"2 offer c"}, s.say(2, declined, "b", among))
	require.Equal(t, []string{"2 round 1"}, s.say(2, declined, "c", among))
	s.say(2, release, "")

	// The one it was taken from is asked last.
	not := func(need *signals.Need) { need.Not = "a" }
	require.Equal(t, []string{"3 offer b"}, s.say(3, request, "", not))
	require.Equal(t, []string{"3 offer c"}, s.say(3, declined, "b", not))
	require.Equal(t, []string{"3 offer a"}, s.say(3, declined, "c", not))
	s.say(3, release, "")

	// The one whom the visitor had last is asked first.
	ann := func(need *signals.Need) { need.Visitor = "ann" }
	require.Equal(t, []string{"4 offer a"}, s.say(4, request, "", ann))
	s.say(4, declined, "a", ann)
	s.say(4, accepted, "c")
	s.say(4, release, "")
	s.restart()
	require.Equal(t, []string{"5 offer c"}, s.say(5, request, "", ann))
	s.say(5, accepted, "c")
	require.Equal(t, []string{"6 offer a"}, s.say(6, request, "", ann), "who has no room is not waited for")
}

func TestWrapup(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"), func(s *policy.DeskSnapshot) { s.Wrapup = policy.Duration(45 * time.Second) })
	s.say(1, request, "")
	s.say(1, accepted, "a")
	s.say(2, request, "")
	require.Empty(t, s.say(1, release, ""))
	require.NotNil(t, s.View(s.now).Agents[0].WrapupUntil)
	require.Empty(t, s.pass(44*time.Second))
	require.Equal(t, []string{"2 offer a"}, s.pass(time.Second))

	// An invitation that comes to nothing needs no rest.
	require.Equal(t, []string{"3 offer a"}, append(s.say(2, release, ""), s.say(3, request, "")...))
}

func TestHours(t *testing.T) {
	t.Parallel()

	calendar := policy.Calendar{Zone: "UTC", Days: map[string][]string{"mon-fri": {"09:00-18:00"}}}
	hours, err := calendar.Hours("hours")
	require.NoError(t, err)

	s := newScene(t, staff(1, "a"), func(s *policy.DeskSnapshot) { s.Hours = hours })
	s.say(9, accepted, "a")
	s.say(1, request, "")
	s.pass(7*time.Hour + 59*time.Minute)
	s.now = s.now.Add(time.Minute)
	s.Tick(s.now)

	told := s.TakeOffers(9, s.now)
	require.Equal(t, signals.ReasonClosed, told[len(told)-1].Offer.Reason, "18:00")
	require.Equal(t, at(3*24*time.Hour-time.Hour), told[len(told)-1].Offer.Until.UTC(), "Monday, 09:00")
	s.Dispatched(nil, s.now)
	require.False(t, s.View(s.now).Open)
	require.Equal(t, []string{"2 none closed"}, s.say(2, request, ""))
	require.Empty(t, s.say(2, request, ""), "not in a circle")
	require.Equal(t, []string{"2 none closed"}, s.pass(15*time.Second))
	s.say(9, release, "")
	s.restart()

	closed := s.Availability("", s.now)
	require.False(t, *closed.Available)
	require.False(t, *closed.Open)
	require.Equal(t, "offline", closed.Status)

	s.pass(at(3*24*time.Hour-time.Hour).Sub(s.now) - time.Second)
	require.Contains(t, s.pass(time.Second), "1 offer a", "Monday, 09:00")
	require.Empty(t, s.hear())
	require.Equal(t, signals.DeskWaits, s.Position(key(2), s.now).Status)
}

// TestStatements: the newest of each conversation counts.
func TestStatements(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	s.numbers[key(1)] = 1
	first := s.ask(1, request, "")
	s.numbers[key(1)] = 2
	second := s.ask(1, accepted, "b")
	s.numbers[key(1)] = 3
	third := s.ask(1, release, "")

	s.Apply(second, s.now)
	s.Apply(first, s.now)
	require.Empty(t, s.hear(), "the older one came late")
	require.Equal(t, 1, s.load("b"))
	s.Apply(third, s.now)
	s.Apply(second, s.now)
	s.Apply(third, s.now)
	require.Empty(t, s.hear())
	require.Equal(t, 0, s.load("b"))

	// A new session begins its numbers anew.
	second.Session = 2
	second.Number = 1
	s.Apply(second, s.now)
	s.hear()
	require.Equal(t, 1, s.load("b"))
	require.Equal(t, signals.DeskActive, s.Position(key(1), s.now).Status)
}

// TestOfferCrosses: an offer that passes a newer statement on the way is void.
func TestOfferCrosses(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a", "b"))
	s.tell(1, request, "")
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(1, s.now), 1)

	// It has not seen the offer, and says once more what it needs.
	s.tell(1, request, "")
	s.Dispatched(nil, s.now)
	require.Equal(t, []string{"1 offer a"}, s.hear(), "nobody has declined")
	require.Equal(t, 0, s.load("b"))

	// What it did not see goes out once more, with its time anew.
	s.pass(5 * time.Second)

	repeated := s.ask(1, request, "")
	repeated.Attempt = 1
	s.Apply(repeated, s.now)

	offers := s.TakeOffers(1, s.now)
	require.Len(t, offers, 1)
	require.Equal(t, int64(2), offers[0].Offer.Attempt)
	require.Equal(t, s.now.Add(30*time.Second), offers[0].Offer.Until)
	s.Dispatched(nil, s.now)

	// With the offer seen it stands.
	s.Apply(s.ask(1, request, ""), s.now)
	require.Empty(t, s.hear())

	// Another need withdraws the invitation.
	require.Equal(t, []string{"1 offer b"}, s.say(1, request, "", func(need *signals.Need) { need.Only = "b" }))
	require.Equal(t, 0, s.load("a"))
}

// TestAgentsComeAndGo tells whom it concerns.
func TestAgentsComeAndGo(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(2, "a", "b"))
	s.say(1, request, "")
	s.say(1, accepted, "a")
	s.say(2, request, "")
	s.say(3, request, "")
	require.Equal(t, 2, s.load("a"))

	require.Empty(t, s.status("a", signals.AgentNotAccepting))
	require.Equal(t, []string{"1 gone a offline", "3 gone a offline"}, s.status("a", signals.AgentOffline))
	require.Empty(t, s.status("a", signals.AgentOffline))
	require.Equal(t, []string{"1 back a", "3 back a"}, s.status("a", signals.AgentNotAccepting))
	require.Equal(t, []string{"1 gone a removed", "3 gone a removed"}, s.remove("a"))
	require.Equal(t, []string{"3 offer b"}, s.say(3, declined, "a"))

	_, err := s.RemoveAgent("a", s.now)
	require.ErrorContains(t, err, "no agent")

	// It accepted before it heard that its agent was removed.
	require.Equal(t, []string{"1 gone a removed"}, s.say(1, accepted, "a"))
	s.restart()
	require.True(t, s.View(s.now).Agents[0].Removed)
	require.Equal(t, []string{"1 back a"}, s.put("a", func(*signals.AgentWord) {}))
	s.remove("a")
	s.say(1, release, "")
	require.Len(t, s.View(s.now).Agents, 1)

	// The configuration still names a: it comes back only when that changes.
	s.Reload(under(staff(2, "a", "b")), s.now)
	require.Len(t, s.View(s.now).Agents, 1)
	s.Reload(under(staff(3, "a")), s.now)
	require.Equal(t, 3, s.View(s.now).Agents[0].Slots)
	require.True(t, s.View(s.now).Agents[1].Removed, "b has a conversation")
}

// TestGoneAndBackUnsaid: what was not said yet cancels itself.
func TestGoneAndBackUnsaid(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.say(1, accepted, "a")

	for _, status := range []string{signals.AgentOffline, signals.AgentAccepting} {
		_, err := s.PutAgent(signals.AgentWord{ID: "a", Status: status}, s.now)
		require.NoError(t, err)
	}

	require.Empty(t, s.hear())
}

// TestGoneBeforeTheInvitationLeft: a conversation heeds that the agent is gone only
// once it was invited.
func TestGoneBeforeTheInvitationLeft(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.tell(1, request, "")
	s.Tick(s.now)
	require.Equal(t, []string{"1 offer a", "1 gone a removed"}, s.remove("a"))

	// Nor does it turn around when nobody knows what arrived.
	s = newScene(t, staff(1, "a"))
	s.tell(1, request, "")
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(10, s.now), 1)
	_, err := s.PutAgent(signals.AgentWord{ID: "a", Status: signals.AgentOffline}, s.now)
	require.NoError(t, err)
	s.DispatchFailed()
	require.Equal(t, []string{"1 offer a", "1 gone a offline"}, s.hear())
}

// TestWords of platforms come late and out of order.
func TestWords(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	hear := func(id, status string, offset time.Duration) {
		s.HearAgent(signals.AgentWord{ID: id, Status: status, At: at(offset)}, s.now)
	}
	status := func() string { return s.View(s.now).Agents[0].Status }

	s.now = at(time.Minute)
	hear("a", signals.AgentAccepting, 10*time.Second)
	hear("a", signals.AgentOffline, 5*time.Second)
	require.Equal(t, signals.AgentAccepting, status())
	hear("a", signals.AgentOffline, 15*time.Second)
	require.Equal(t, signals.AgentOffline, status())
	hear("a", signals.AgentAccepting, time.Hour) // a clock that goes ahead
	require.Equal(t, signals.AgentAccepting, status())
	hear("a", signals.AgentNotAccepting, time.Minute)
	require.Equal(t, signals.AgentNotAccepting, status())

	// Whoever commands means now, though a platform's clock is ahead.
	hear("a", signals.AgentAccepting, time.Minute+4*time.Second)

	_, err := s.PutAgent(signals.AgentWord{ID: "a", Status: signals.AgentOffline}, s.now)
	require.NoError(t, err)
	require.Equal(t, signals.AgentOffline, status())
	hear("a", signals.AgentAccepting, time.Minute+3*time.Second)
	require.Equal(t, signals.AgentOffline, status())

	hear("", signals.AgentAccepting, 0)
	hear("b", "asleep", 0)
	hear("c", "", 0)
	require.Len(t, s.View(s.now).Agents, 1)

	// A desk whose agents are configured learns none.
	configured := newScene(t, staff(1, "a"))
	configured.HearAgent(signals.AgentWord{ID: "b", Status: signals.AgentAccepting}, s.now)
	require.Len(t, configured.View(s.now).Agents, 1)
	require.Empty(t, configured.say(1, accepted, "b"), "but what somebody has is counted")
	require.Equal(t, signals.DeskActive, configured.Position(key(1), s.now).Status)
}

func TestAgentFaults(t *testing.T) {
	t.Parallel()

	number := func(n int) *int { return &n }
	s := newScene(t)

	for want, word := range map[string]signals.AgentWord{
		"id":       {},
		"slots":    {ID: "a", Slots: number(-1)},
		"priority": {ID: "a", Priority: number(2000)},
		"name":     {ID: "a", Name: strings.Repeat("x", 100)},
		"skills":   {ID: "a", Skills: []string{""}},
		"status":   {ID: "a", Status: "asleep"},
	} {
		_, err := s.PutAgent(word, s.now)

		var fault *signals.FieldError

		require.ErrorAs(t, err, &fault)
		require.Equal(t, want, fault.Field)
	}

	for n := range 600 {
		s.put(fmt.Sprintf("agent-%d", n), func(*signals.AgentWord) {})
	}

	var refused *desk.Refused

	_, err := s.PutAgent(signals.AgentWord{ID: "more"}, s.now)
	require.ErrorAs(t, err, &refused)
}

// TestFree: whether another agent could take over.
func TestFree(t *testing.T) {
	t.Parallel()

	s := newScene(t, skilled("a", 1, "x"), skilled("b", 1, "x"), skilled("c", 9))
	needs := func(need *signals.Need) { need.Skills = []string{"x"} }
	wants := func(n int) []string {
		ask := s.ask(n, accepted, "a")
		ask.Wants = true
		s.Apply(ask, s.now)

		return s.hear()
	}

	s.say(1, request, "", needs)
	s.say(1, accepted, "a")
	require.Equal(t, []string{"1 free true"}, wants(1))
	s.say(2, request, "", needs)
	require.Equal(t, []string{"1 free false"}, wants(1), "c does not know it, b has no room")
}

// TestDoubts: an offer without an answer, a conversation without a word.
func TestDoubts(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(2, "a"))
	s.say(1, request, "")
	require.Empty(t, s.pass(44*time.Second))
	require.Equal(t, []string{"1 check"}, s.pass(time.Second), "30 s to accept and 15 s more")
	require.Empty(t, s.pass(59*time.Second))
	require.Equal(t, []string{"1 check"}, s.pass(time.Second), "again after a minute")
	require.Equal(t, []string{"1 check"}, s.pass(2*time.Minute), "and after two")

	// It answers with its newest statement, which the desk had not heard.
	s.say(1, accepted, "a")
	require.Empty(t, s.pass(29*time.Minute))
	require.Equal(t, []string{"1 check"}, s.pass(time.Minute))
	s.Apply(s.ask(1, accepted, "a"), s.now)
	require.Empty(t, s.pass(29*time.Minute))

	// It does not run any more: its slot is free.
	s.pass(time.Minute - time.Millisecond)
	s.now = s.now.Add(time.Millisecond)
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(9, s.now), 1)
	s.Dispatched([]signals.Key{key(1)}, s.now)
	require.Equal(t, 0, s.load("a"))
	require.Empty(t, s.Position(key(1), s.now).Status)
}

// TestGoneButBegunAnew: whoever spoke since the dispatch set out is kept.
func TestGoneButBegunAnew(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(2, "a"))
	s.tell(1, request, "")
	s.tell(2, request, "")
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(9, s.now), 2)
	s.now = s.now.Add(time.Second)
	s.tell(1, request, "")
	s.Dispatched([]signals.Key{key(1), key(2)}, s.now)
	require.Equal(t, []string{"1 offer a"}, s.hear())
	require.Equal(t, signals.DeskOffered, s.Position(key(1), s.now).Status)
	require.Empty(t, s.Position(key(2), s.now).Status)
}

// TestDispatchFails: what still holds is said again, and nothing else.
func TestDispatchFails(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(2, "a"))
	s.tell(1, request, "")
	s.tell(2, request, "")
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(9, s.now), 2)
	s.tell(1, accepted, "a")
	s.DispatchFailed()
	require.Equal(t, []string{"2 offer a"}, s.hear())

	// A state that was written meanwhile holds what is on its way.
	s.tell(1, release, "")
	s.tell(3, request, "")
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(9, s.now), 1)
	s.restart()
	require.Equal(t, []string{"3 offer a"}, s.hear())
}

// TestUnreached: one that cannot be reached keeps nobody waiting.
func TestUnreached(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(3, "a"))
	s.tell(1, request, "")
	s.tell(2, request, "")
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(9, s.now), 2)
	s.DispatchedBut(nil, []signals.Key{key(1)}, s.now)
	require.Equal(t, []string{"3 offer a"}, s.say(3, request, ""))
	require.Empty(t, s.pass(14*time.Second))
	s.restart()
	require.Equal(t, []string{"1 offer a"}, s.hear(), "another run tries at once")

	s.tell(1, request, "", func(need *signals.Need) { need.Skills = []string{"x"} })
	s.Tick(s.now)
	require.Len(t, s.TakeOffers(9, s.now), 1)
	s.DispatchedBut(nil, []signals.Key{key(1)}, s.now)
	require.Empty(t, s.pass(14*time.Second))
	require.Equal(t, []string{"1 round 1 unavailable"}, s.pass(time.Second))
}

// TestStartedEmpty: a desk that was terminated asks those it may still have, and
// gives nothing away meanwhile.
func TestStartedEmpty(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.Seek(s.now)
	require.True(t, s.Seeks())
	require.Empty(t, s.say(3, request, ""))
	s.Survivors([]signals.Key{key(1), key(2), key(3)}, s.now)
	require.False(t, s.Seeks())
	require.Equal(t, []string{"1 check", "2 check"}, s.hear())
	s.restart()
	require.Empty(t, s.say(1, accepted, "a"))
	require.Empty(t, s.say(2, request, "", func(need *signals.Need) { need.Since = at(-time.Hour) }))
	require.Equal(t, []string{"2 offer a"}, s.say(1, release, ""))

	// Not for ever: one of them may be gone, or hang.
	for name, end := range map[string]func(s *scene){
		"gone": func(s *scene) {
			require.Len(t, s.TakeOffers(9, s.now), 1)
			s.Dispatched([]signals.Key{key(1)}, s.now)
		},
		"hangs": func(s *scene) {
			require.Equal(t, []string{"1 check"}, s.hear())
			s.now = s.now.Add(5 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newScene(t, staff(1, "a"))
			s.Seek(s.now)
			s.tell(2, request, "")
			s.Survivors([]signals.Key{key(1)}, s.now)
			end(s)
			require.Equal(t, []string{"2 offer a"}, s.hear())
		})
	}
}

// TestInvitationOfTheDeskBefore: it arrives after the desk began anew, has the
// number of that desk's own first one, and lets what was said before it go
// unheard. Who began before this was known goes on as it did.
func TestInvitationOfTheDeskBefore(t *testing.T) {
	t.Parallel()

	for version, heard := range map[int][]string{1: nil, 2: {"1 none declined"}} {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()

			once := func(need *signals.Need) { need.Rounds = 1 }
			s := newScene(t, staff(1, "a"))
			s.Rules = desk.RulesFor(version)
			s.Seek(s.now)
			s.Survivors([]signals.Key{key(1)}, s.now)
			s.status("a", signals.AgentNotAccepting)
			s.hear()

			s.numbers[key(1)] = 1
			stated := s.ask(1, request, "", once)
			stated.At = at(-time.Minute)
			s.now = s.now.Add(time.Minute) // it was slow to answer
			s.Apply(stated, s.now)
			require.Equal(t, []string{"1 none unavailable"}, s.hear())
			s.restart()
			s.Rules = desk.RulesFor(version)
			require.Equal(t, []string{"1 offer a"}, s.status("a", signals.AgentAccepting))
			s.status("a", signals.AgentNotAccepting)
			require.Equal(t, heard, s.say(1, expired, "z", once), "z was asked by the desk before")
		})
	}
}

// TestFull: who finds no room is told so, and takes none.
func TestFull(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))

	for n := range 4000 {
		s.tell(n, request, "")
	}

	require.Equal(t, []string{"0 offer a"}, s.hear())
	require.Equal(t, []string{"5000 none full"}, s.say(5000, request, ""))
	require.Empty(t, s.Position(key(5000), s.now).Status)
	require.Empty(t, s.say(5001, accepted, "a"), "what an agent has is fact")
	require.Equal(t, 2, s.load("a"))
	s.say(1, release, "")
	s.say(2, release, "")
	require.Empty(t, s.say(5000, request, ""))
	require.Equal(t, signals.DeskWaits, s.Position(key(5000), s.now).Status)
}

// TestFullAfterAnInvitation: who was invited before knows the answer for new.
func TestFullAfterAnInvitation(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))

	for n := range 4000 {
		s.tell(n, request, "")
	}

	s.attempts[key(5000)] = 7
	s.tell(5000, request, "")

	var full []signals.Offer

	for _, said := range s.TakeOffers(100, s.now) {
		if said.Offer.Kind == signals.OfferNone {
			full = append(full, said.Offer)
		}
	}

	require.Len(t, full, 1)
	require.Equal(t, int64(7), full[0].Attempt)
}

// TestUnreadable costs only itself.
func TestUnreadable(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))

	for name, change := range map[string]func(ask *signals.Ask){
		"kind":            func(ask *signals.Ask) { ask.Kind = "maybe" },
		"source":          func(ask *signals.Ask) { ask.Key.Source = "Not a name" },
		"no chat":         func(ask *signals.Ask) { ask.Key.Conversation = "" },
		"session":         func(ask *signals.Ask) { ask.Session = -1 },
		"number":          func(ask *signals.Ask) { ask.Number = -1 },
		"attempt":         func(ask *signals.Ask) { ask.Attempt = -1 },
		"agent":           func(ask *signals.Ask) { ask.Agent = strings.Repeat("x", 256) },
		"only":            func(ask *signals.Ask) { ask.Need.Only = strings.Repeat("x", 256) },
		"accepted by non": func(ask *signals.Ask) { ask.Kind = accepted },
	} {
		ask := s.ask(1, request, "")
		ask.Number = 1
		change(&ask)
		s.Apply(ask, s.now)
		require.Empty(t, s.hear(), name)
	}

	// Without a need it is offered all the same; a long id is its hash.
	long := signals.Key{Source: "shop", Conversation: strings.Repeat("ä", 200)}
	s.Apply(signals.Ask{Kind: request, Key: long, Session: 1, Number: 1}, s.now)
	s.Tick(s.now)

	offers := s.TakeOffers(9, s.now)
	require.Len(t, offers, 1)
	require.Equal(t, long.WorkflowID(), offers[0].Key.WorkflowID())
	require.True(t, offers[0].Offer.Until.IsZero())
	require.Equal(t, signals.DeskOffered, s.Position(long, s.now).Status)
}

// TestStopped tells everybody in line.
func TestStopped(t *testing.T) {
	t.Parallel()

	s := newScene(t, staff(1, "a"))
	s.say(1, request, "")
	s.say(2, request, "")
	s.Stop(s.now)
	require.Equal(t, []string{"2 none stopped"}, s.hear())
	require.Equal(t, []string{"3 none stopped"}, s.say(3, request, ""))
	require.Empty(t, s.say(1, declined, "a")[1:])
}

// TestAvailability by skill.
func TestAvailability(t *testing.T) {
	t.Parallel()

	s := newScene(t, skilled("a", 1, "x"), skilled("b", 1))
	status := func(skill string) string { return s.Availability(skill, s.now).Status }

	require.Equal(t, "online", status("x"))
	s.say(1, accepted, "a")
	require.Equal(t, "busy", status("x"))
	require.Equal(t, "online", status(""))
	require.Equal(t, "offline", status("y"))
	require.Nil(t, s.Availability("y", s.now).WaitSeconds)

	s.say(2, request, "", func(need *signals.Need) { need.Skills = []string{"x"} })

	answer := s.Availability("x", s.now)
	require.True(t, *answer.Available)
	require.Equal(t, int64(1), *answer.QueueDepth)
	require.Positive(t, *answer.WaitSeconds)

	data, err := json.Marshal(s.View(s.now))
	require.NoError(t, err)
	require.Contains(t, string(data), `"oldest_wait_seconds":0`)
	require.Equal(t, int64(60), s.View(s.now).At(s.now.Add(time.Minute)).OldestWaitSeconds)
}
