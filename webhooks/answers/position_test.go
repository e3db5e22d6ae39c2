package answers_test

import (
	"fmt"
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

const within = 2 * time.Second

func positionOf(skill string, fresh bool) answers.Query {
	return answers.Query{
		Ask: dialect.Ask{Question: dialect.AskPosition, Conversation: "c", Skill: skill, Within: within},
		Key: signals.Key{Source: "shop", Conversation: "c"}, Desk: support, Routed: true, Fresh: fresh,
	}
}

// waits is a conversation that told its desk that it needs somebody.
func waits() signals.Statement {
	return signals.Statement{
		Session: 2, Status: signals.StatusQueued, Desk: support, Kind: signals.AskRequest, Number: 7, Skill: "cards",
	}
}

func TestPosition(t *testing.T) {
	t.Parallel()

	in := func(status string, position int, wait *int64, session int, number int64) signals.DeskPosition {
		return signals.DeskPosition{Status: status, Position: position, WaitSeconds: wait, Session: session, Number: number}
	}
	third := in(signals.DeskWaits, 3, new(int64(90)), 2, 7)
	held := signals.DeskPosition{Status: signals.DeskActive, Agent: "smith", Session: 2, Number: 8}
	lifted := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

	tests := []struct {
		name string
		make func(*world)
		want dialect.Found
		took time.Duration
	}{
		{"in line", func(*world) {}, dialect.Found{Session: 2, Position: 3, WaitSeconds: new(int64(90))}, 0},
		{
			"once the desk has heard it",
			func(w *world) { w.positions = []signals.DeskPosition{{}, in(signals.DeskWaits, 1, nil, 2, 6), third} },
			dialect.Found{Session: 2, Position: 3, WaitSeconds: new(int64(90))},
			60 * time.Millisecond,
		},
		{
			"an agent is asked",
			func(w *world) { w.positions = []signals.DeskPosition{in(signals.DeskOffered, 0, nil, 2, 7)} },
			dialect.Found{Session: 2, Position: 1, WaitSeconds: new(int64(0))},
			0,
		},
		{
			"accepted meanwhile", func(w *world) { w.positions = []signals.DeskPosition{held} },
			dialect.Found{Session: 2, Agent: "smith"},
			0,
		},
		{
			"an agent has it", func(w *world) { w.said.Agent = "jones" },
			dialect.Found{Session: 2, Agent: "jones"},
			0,
		},
		{
			"reopened", func(w *world) { w.said.ReopenedAt = lifted },
			dialect.Found{Session: 2, ReopenedAt: lifted, Position: 3, WaitSeconds: new(int64(90))},
			0,
		},
		{
			"the session before is just over",
			func(w *world) {
				over := signals.Statement{Session: 1, Status: signals.StatusClosed, ClosedAt: lifted, Kind: signals.AskRelease}
				w.before = []signals.Statement{over, over}
			},
			dialect.Found{Session: 2, Position: 3, WaitSeconds: new(int64(90))},
			60 * time.Millisecond,
		},
		{
			"a wait that nobody knows is the last known",
			func(w *world) {
				w.positions = []signals.DeskPosition{in(signals.DeskHasNone, 2, nil, 2, 7)}
				w.last["cards"] = signals.Availability{WaitSeconds: new(int64(33))}
			},
			dialect.Found{Session: 2, Position: 2, WaitSeconds: new(int64(33))},
			0,
		},
		{
			"no desk was told",
			func(w *world) { w.said.Kind, w.said.Desk = "", "" },
			dialect.Found{Session: 2, WaitSeconds: new(int64(40))},
			0,
		},
		{
			"it needs nothing",
			func(w *world) { w.said.Kind = signals.AskRelease },
			dialect.Found{Session: 2, WaitSeconds: new(int64(40))},
			0,
		},
		{
			"the desk never hears",
			func(w *world) {
				w.positions, w.view = []signals.DeskPosition{{}}, &signals.DeskView{WaitSeconds: new(int64(55))}
			},
			dialect.Found{Session: 2, WaitSeconds: new(int64(55))},
			within - 200*time.Millisecond,
		},
		{
			"the desk hears too late: where it stood before",
			func(w *world) { w.positions = []signals.DeskPosition{in(signals.DeskWaits, 4, new(int64(70)), 2, 6)} },
			dialect.Found{Session: 2, Position: 4, WaitSeconds: new(int64(70))},
			within - 200*time.Millisecond,
		},
		{
			"of another session nothing counts",
			func(w *world) { w.positions = []signals.DeskPosition{in(signals.DeskActive, 0, nil, 1, 9)} },
			dialect.Found{Session: 2},
			within - 200*time.Millisecond,
		},
		{
			"silent", func(w *world) {
				w.hangs, w.closed, w.last["cards"] = true, 3, signals.Availability{WaitSeconds: new(int64(12))}
			},
			dialect.Found{Session: 4, WaitSeconds: new(int64(12))},
			within - 200*time.Millisecond,
		},
		{"away", func(w *world) { w.away = true }, dialect.Found{Session: 1}, 0},
		{"over before it was asked", func(w *world) { w.gone, w.closed = true, 5 }, dialect.Found{Session: 5}, 0},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.said, w.positions = waits(), []signals.DeskPosition{third}
				w.skills["cards"] = signals.Availability{Available: new(true), WaitSeconds: new(int64(40))}
				test.make(w)

				found, took := w.ask(t, positionOf("cards", true))
				require.Equal(t, test.want, found)
				require.Equal(t, test.took, took)
			})
		})
	}
}

// TestPositionAgreesWithBefore: while the conversation cannot be asked, it is in
// the session that was told before.
func TestPositionAgreesWithBefore(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.said, w.positions = waits(), []signals.DeskPosition{{Session: 2, Number: 7}}
		w.said.ReopenedAt = time.Now()

		before, _ := w.ask(t, positionOf("cards", true))
		w.away = true

		for _, fresh := range []bool{true, false} {
			again, _ := w.ask(t, positionOf("cards", fresh))
			require.Equal(t, before.Session, again.Session)
			require.Equal(t, before.ReopenedAt, again.ReopenedAt)
		}

		// Its session closed since: the next.
		w.closed = 2
		next, _ := w.ask(t, positionOf("cards", true))
		require.Equal(t, dialect.Found{Session: 3}, next)

		repeated, _ := w.ask(t, positionOf("cards", false))
		require.Equal(t, before.Session, repeated.Session)

		// It forgets in the end, and never the newest.
		for i := range 20_000 {
			q := positionOf("cards", true)
			q.Key.Conversation = fmt.Sprintf("c-%d", i)
			w.away = false
			w.ask(t, q)
		}

		w.away, w.closed = true, 0
		forgotten, _ := w.ask(t, positionOf("cards", true))
		require.Equal(t, dialect.Found{Session: 1}, forgotten)
	})
}

// TestRepetitionThatIsNews: the same words mean something else after an end, or
// once the conversation waits for other agents.
func TestRepetitionThatIsNews(t *testing.T) {
	t.Parallel()

	closed := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	long := strings.Repeat("x", 300)

	tests := []struct {
		name  string
		skill string
		fresh bool
		make  func(*world)
		want  bool
	}{
		{"waits for the same", "cards", false, func(*world) {}, false},
		{"waits for another skill", "loans", false, func(*world) {}, true},
		{"asks for no skill any more", "", false, func(*world) {}, false},
		{"asks for a long skill", long, false, func(w *world) { w.said.Skill = long[:200] }, false},
		{"waits for any", "cards", false, func(w *world) { w.said.Skill = "" }, true},
		{"has an agent", "loans", false, func(w *world) { w.said.Agent = "smith" }, false},
		{"was ended", "cards", false, func(w *world) { w.said.ClosedAt, w.said.Kind = closed, signals.AskRelease }, true},
		{"is over", "cards", false, func(w *world) { w.gone, w.closed = true, 1 }, true},
		{"never was", "cards", false, func(w *world) { w.gone = true }, false},
		{"is no repetition", "loans", true, func(*world) {}, false},
		{"cannot be asked", "loans", false, func(w *world) { w.away = true }, false},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.said, w.positions = waits(), []signals.DeskPosition{{Session: 3, Number: 9, Status: signals.DeskWaits, Position: 5}}
				test.make(w)

				var salts []string

				q := positionOf(test.skill, test.fresh)
				q.Again = func(salt string) bool {
					salts = append(salts, salt)
					w.gone, w.said = false, signals.Statement{Session: 3, Desk: support, Kind: signals.AskRequest, Number: 9}

					return true
				}

				found, _ := w.ask(t, q)
				if !test.want {
					require.Empty(t, salts)

					return
				}

				require.Len(t, salts, 1)
				require.NotEmpty(t, salts[0])
				require.Equal(t, dialect.Found{Session: 3, Position: 5}, found)
			})
		})
	}

	// One that cannot be taken is still answered; and a salt repeats itself.
	w := newWorld(t)
	w.said, w.positions = waits(), []signals.DeskPosition{{Session: 2, Number: 7, Status: signals.DeskWaits, Position: 5}}

	salts := map[string]bool{}
	q := positionOf("loans", false)
	q.Again = func(salt string) bool {
		salts[salt] = true

		return false
	}

	for range 3 {
		found, _ := w.ask(t, q)
		require.Equal(t, dialect.Found{Session: 2, Position: 5}, found)
	}

	require.Len(t, salts, 1)
}

// TestManyPositions: no more than some are looked for at a time, and whoever comes
// too late for a place is answered all the same.
func TestManyPositions(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hangs = true

		var asking sync.WaitGroup

		for range 500 {
			asking.Go(func() {
				found, took := w.ask(t, positionOf("cards", true))
				if found.Session != 1 || took > within {
					t.Errorf("%+v after %s", found, took)
				}
			})
		}

		asking.Wait()
		require.LessOrEqual(t, w.settled, 100, "a desk that hangs is not asked by all")

		lines := strings.Count(w.log.String(), "answered without the desk")
		require.Equal(t, 1, lines, "one line a second says it")

		time.Sleep(time.Second)
		w.ask(t, positionOf("cards", true))
		require.Contains(t, w.log.String(), "more_like_it=")
	})
}
