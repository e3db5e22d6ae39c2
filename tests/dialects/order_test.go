package dialects_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/workflows/conversation"
)

// took is how long a webhook is under way.
const took = 300 * time.Millisecond

// arrival is a step that arrives at a time.
type arrival struct {
	*step

	arrives time.Time
}

// live plays arrivals as a gateway and a conversation would: what may not start
// a conversation waits for what may.
func live(t *testing.T, d dialects.Dialect, s *story, arrivals []arrival) *conversation.Machine {
	t.Helper()

	var (
		parked  []signals.Event
		machine *conversation.Machine
	)

	for i := range arrivals {
		at := arrivals[i].arrives
		events := s.decode(t, d, arrivals[i].step, at)

		if machine == nil && !slices.ContainsFunc(events, func(e signals.Event) bool { return e.Type.MayStart() }) {
			parked = append(parked, events...)

			continue
		}

		if machine == nil {
			key := signals.Key{Source: "shop", Conversation: events[0].Conversation}
			machine = conversation.NewMachine(key, key.WorkflowID(), signals.Start{Session: 1}, s.under(d))
		}

		for _, event := range slices.Concat(parked, events) {
			machine.Apply(event.Bounded(), at)
		}

		parked = nil

		machine.Settle(at)
		machine.Tick(at)
	}

	return machine
}

func TestOutOfOrderPairsEndAlike(t *testing.T) {
	t.Parallel()

	everyStory(t, func(t *testing.T, d dialects.Dialect, s *story) {
		t.Helper()

		for second := range s.steps {
			for first := range second {
				t.Run(s.steps[second].name+" before "+s.steps[first].name, func(t *testing.T) {
					t.Parallel()
					s.pair(t, d, first, second)
				})
			}
		}
	})
}

// pair plays two steps in order and out of order, alone and after those that
// came before them.
func (s *story) pair(t *testing.T, d dialects.Dialect, first, second int) {
	t.Helper()

	alone, other := s.bothWays(t, d, 0, first, second)
	after, otherAfter := s.bothWays(t, d, first, first, second)

	one, two := s.steps[first].name, s.steps[second].name
	if slices.Contains(s.arrivalOrders, two+" before "+one) {
		require.Subset(t, s.mute, []string{one, two}, "the platform says when one of them happened")
		require.False(t, alone == other && after == otherAfter, "they end alike, whichever arrives first")

		return
	}

	require.Equal(t, alone, other)
	require.Equal(t, after, otherAfter)
}

// bothWays returns what comes of two steps in order, and if the second arrives
// first.
func (s *story) bothWays(t *testing.T, d dialects.Dialect, before, first, second int) (string, string) {
	t.Helper()

	told := make([]arrival, 0, before)
	for i := range before {
		told = append(told, arrival{&s.steps[i], s.steps[i].at.Add(took)})
	}

	one, two := &s.steps[first], &s.steps[second]
	last := two.at.Add(took)

	inOrder := live(t, d, s, append(slices.Clone(told), arrival{one, one.at.Add(took)}, arrival{two, last}))
	overtaken := live(t, d, s, append(slices.Clone(told), arrival{two, last}, arrival{one, last.Add(took)}))

	return outcome(t, inOrder), outcome(t, overtaken)
}

// TestAnyOrderEndsAlike plays whole stories of the platforms that say when
// everything happened, in any order.
func TestAnyOrderEndsAlike(t *testing.T) {
	t.Parallel()

	everyStory(t, func(t *testing.T, d dialects.Dialect, s *story) {
		t.Helper()

		if len(s.mute) > 0 {
			return // the pairs show it
		}

		last := s.steps[len(s.steps)-1].at.Add(took)
		arrivals := make([]arrival, len(s.steps))

		for i := range s.steps {
			arrivals[i] = arrival{&s.steps[i], last}
		}

		want := outcome(t, live(t, d, s, arrivals))

		rapid.Check(t, func(rt *rapid.T) {
			mixed := rapid.Permutation(arrivals).Draw(rt, "arrivals")
			require.Equal(rt, want, outcome(t, live(t, d, s, mixed)))
		})
	})
}

// outcome is what a conversation came to, as people see it: without the order
// of its lines, without what Parley itself did on the way, and with the clocks but not when the ones are due that count
// from an arrival.
func outcome(t *testing.T, m *conversation.Machine) string {
	t.Helper()

	if m == nil {
		return "" // nothing that may start a conversation
	}

	view := m.View("", true)

	slices.SortFunc(view.Participants, func(a, b signals.ViewParticipant) int { return strings.Compare(a.ID, b.ID) })
	// What Parley did meanwhile, it did by what it knew.
	view.Timeline = slices.DeleteFunc(view.Timeline, func(e signals.TimelineEntry) bool { return !e.Type.Incoming() })

	slices.SortFunc(view.Timeline, func(a, b signals.TimelineEntry) int {
		return strings.Compare(string(a.Type)+a.Text, string(b.Type)+b.Text)
	})

	for i := range view.Timeline {
		view.Timeline[i].At = time.Time{}
	}

	view.ClosedAt, view.OpenedAt = nil, time.Time{}

	for i := range view.Clocks {
		view.Clocks[i].Due = view.Clocks[i].Due.Truncate(time.Hour)
	}

	data, err := json.MarshalIndent(view, "", " ")
	require.NoError(t, err)

	return string(data)
}
