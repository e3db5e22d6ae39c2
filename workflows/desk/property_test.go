package desk_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

func dice(rt *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
}

func newPlay(rt *rapid.T, changes ...func(s *policy.DeskSnapshot)) *play {
	from := dice(rt)
	snapshot := under(changes...)
	snapshot.Strategy = []policy.Strategy{
		policy.StrategyLeastBusy, policy.StrategyLongestIdle, policy.StrategyRoundRobin, policy.StrategyPriority,
	}[from.IntN(4)]
	snapshot.PreferLast = from.IntN(2) == 0
	snapshot.Wrapup = policy.Duration(from.IntN(2)) * policy.Duration(20*time.Second)
	snapshot.SkillWait = policy.Duration(from.IntN(2)) * policy.Duration(time.Minute)

	if from.IntN(3) == 0 {
		// Shut for three minutes in the midst of it.
		calendar := policy.Calendar{Zone: "UTC", Days: map[string][]string{"mon-sun": {"00:00-10:02", "10:05-24:00"}}}
		hours, err := calendar.Hours("hours")
		require.NoError(rt, err)

		snapshot.Hours = hours
	}

	p := &play{T: rt, from: from, now: epoch(), attempts: map[signals.Key]int64{}, desk: desk.New(snapshot, epoch())}

	for n := range 1 + from.IntN(8) {
		p.people = append(p.people, &person{key: key(n), session: 1, tried: map[string]int64{}})
	}

	for n := range 1 + from.IntN(4) {
		slots := from.IntN(3)
		word := signals.AgentWord{ID: fmt.Sprintf("agent-%d", n), Slots: &slots, Skills: []string{"x"}[:from.IntN(2)]}

		_, err := p.desk.PutAgent(word, p.now)
		require.NoError(rt, err)

		p.agents = append(p.agents, word.ID)
	}

	return p
}

// TestAnySchedule: asks that are repeated, reordered, lost and said again, agents
// who come and go, restarts. Once all is quiet, the desk and the conversations
// agree.
func TestAnySchedule(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		p := newPlay(rt)
		p.restarts = true

		for range rapid.IntRange(1, 150).Draw(rt, "steps") {
			p.step()
		}

		p.calm()
		p.agree()
	})
}

// TestTerminated: conversations that are terminated free their slots, a desk that
// is terminated learns all from those that are left.
func TestTerminated(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		p := newPlay(rt)
		p.forgets = true

		for range 3 {
			for range rapid.IntRange(1, 60).Draw(rt, "steps") {
				p.step()
			}

			p.one().dead = true

			if !rapid.Bool().Draw(rt, "the desk too") {
				continue
			}

			// What the desk before heard is older than the next.
			p.now = p.now.Add(time.Millisecond)
			fresh := desk.New(p.desk.Under, p.now)

			for _, a := range p.desk.View(p.now).Agents {
				if !a.Removed {
					_, err := fresh.PutAgent(signals.AgentWord{ID: a.ID, Slots: &a.Slots, Status: a.Status, Skills: a.Skills}, p.now)
					require.NoError(rt, err)
				}
			}

			fresh.Seek(p.now)
			p.desk, p.asks = fresh, nil

			var open []signals.Key

			for _, who := range p.people {
				if !who.dead && who.number > 0 {
					open = append(open, who.key)
				}
			}

			fresh.Survivors(open, p.now)

			// An offer of the desk before counts for the one after it, if it was seen.
			for _, who := range p.people {
				p.attempts[who.key] = 0
			}
		}

		p.calm()
		p.agree()
	})
}

// TestBatching: however statements are put into batches, if nobody is free
// meanwhile, the state is the same, and so is what becomes of it.
func TestBatching(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		from := dice(rt)
		asks := statements(from)

		batched := func(settles bool, asks []signals.Ask) (*desk.Machine, []string) {
			m := desk.New(under(staff(1, "a", "b", "c")), epoch())

			for _, id := range []string{"a", "b", "c"} {
				_, err := m.PutAgent(signals.AgentWord{ID: id, Status: signals.AgentNotAccepting, At: at(-time.Second)}, epoch())
				require.NoError(rt, err)
			}

			for i := range asks {
				m.Apply(asks[i], at(time.Second))

				if settles && from.IntN(3) == 0 {
					m.Settle(at(time.Second))
				}
			}

			m.Settle(at(time.Second))
			before := m.TakeOffers(1000, at(time.Second))
			m.Dispatched(nil, at(time.Second))

			for _, id := range []string{"a", "b", "c"} {
				_, err := m.PutAgent(signals.AgentWord{ID: id, Status: signals.AgentAccepting}, at(2*time.Second))
				require.NoError(rt, err)
			}

			m.Settle(at(2 * time.Second))

			var said []string
			for _, one := range slices.Concat(before, m.TakeOffers(1000, at(2*time.Second))) {
				said = append(said, told(one))
			}

			m.Dispatched(nil, at(2*time.Second))
			slices.Sort(said)

			return m, said
		}

		one, saidOne := batched(false, asks)
		two, saidTwo := batched(true, asks)
		require.Equal(rt, saidOne, saidTwo)
		require.JSONEq(rt, stateJSON(rt, one), stateJSON(rt, two))

		// Those of different conversations may come in any order.
		mixed := slices.Clone(asks)
		slices.SortStableFunc(mixed, func(a, b signals.Ask) int { return int(a.Key.Conversation[5]) - int(b.Key.Conversation[5]) })

		_, saidThree := batched(true, mixed)
		require.Equal(rt, saidOne, saidThree)
	})
}

// statements are those of some conversations that ask, ask anew and give up.
func statements(from *rand.Rand) []signals.Ask {
	var asks []signals.Ask

	numbers := map[int]int64{}

	for range 1 + from.IntN(30) {
		n := from.IntN(9)
		numbers[n]++

		ask := signals.Ask{Key: key(n), Session: 1, Number: numbers[n], At: epoch(), Kind: signals.AskRelease}
		if from.IntN(3) > 0 {
			ask.Kind = signals.AskRequest
			ask.Need = &signals.Need{
				Since: at(-time.Duration(from.IntN(5)) * time.Second), Rounds: 2, Pause: time.Minute, Timeout: time.Minute,
				Priority: from.IntN(2), Head: from.IntN(4) == 0,
			}
		}

		asks = append(asks, ask)
	}

	return asks
}

// TestNoSlotTwice: many escalate at once, for few slots; agents accept, decline
// and are silent until all have had one.
func TestNoSlotTwice(t *testing.T) {
	t.Parallel()

	const people, agents, slots = 600, 7, 3

	from := rand.New(rand.NewPCG(1, 2))
	s := newScene(t)
	most := slots

	for n := range agents {
		s.put(fmt.Sprintf("agent-%d", n), func(word *signals.AgentWord) { word.Slots = &most })
	}

	for n := range people {
		s.tell(n, request, "", func(need *signals.Need) { need.Rounds = 100 })
	}

	var hands []int

	holder, served := map[int]string{}, map[int]bool{}
	take := func(said []string) {
		for _, text := range said {
			var (
				n  int
				id string
			)

			if _, err := fmt.Sscanf(text, "%d offer %s", &n, &id); err != nil {
				continue
			}

			require.Empty(t, holder[n], "in two hands")
			require.False(t, served[n])

			holder[n] = id
			hands = append(hands, n)
		}
	}

	take(s.hear())

	for len(hands) > 0 {
		require.LessOrEqual(t, len(hands), agents*slots)

		for _, a := range s.View(s.now).Agents {
			require.LessOrEqual(t, a.Load, slots)
		}

		s.now = s.now.Add(time.Duration(from.IntN(3000)) * time.Millisecond)

		at := from.IntN(len(hands))
		n := hands[at]
		id := holder[n]
		active := s.Position(key(n), s.now).Status == signals.DeskActive

		switch {
		case !active && from.IntN(3) > 0:
			take(s.say(n, accepted, id))

			continue
		case !active:
			hands = slices.Delete(hands, at, at+1)
			delete(holder, n)
			take(s.say(n, declined, id, func(need *signals.Need) { need.Rounds = 100 }))
		default:
			hands = slices.Delete(hands, at, at+1)
			delete(holder, n)
			served[n] = true
			take(s.say(n, release, ""))
		}

		for len(hands) == 0 && len(served) < people {
			take(s.pass(30 * time.Second))
		}
	}

	require.Len(t, served, people)
	require.Zero(t, s.View(s.now).Waiting)
}
