package answers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/answers"
)

func availabilityOf(desk, skill string, routed bool) answers.Query {
	return answers.Query{
		Ask: dialect.Ask{Question: dialect.AskAvailability, Skill: skill, Within: 2 * time.Second}, Desk: desk, Routed: routed,
	}
}

func TestAvailability(t *testing.T) {
	t.Parallel()

	busy := signals.Availability{Skill: "cards", Available: new(true), Status: "busy", WaitSeconds: new(int64(40))}
	nobody := signals.Availability{Skill: "cards", Available: new(false), Status: "offline"}
	staffed := &signals.DeskView{Agents: []signals.DeskAgent{{ID: "a"}}}

	tests := []struct {
		name  string
		make  func(*world)
		query answers.Query
		want  *signals.Availability
		took  time.Duration
	}{
		{"as the desk says", func(*world) {}, availabilityOf(support, "cards", true), &busy, 0},
		{"no desk", func(*world) {}, availabilityOf("", "cards", true), nil, 0},
		{"another desk", func(*world) {}, availabilityOf("other", "cards", true), nil, 0},
		{"away, the last", func(w *world) { w.away, w.last["cards"] = true, busy }, availabilityOf(support, "cards", true), &busy, 0},
		{"away, none before", func(w *world) { w.away = true }, availabilityOf(support, "cards", true), nil, 0},
		{
			"silent, the last", func(w *world) { w.hangs, w.last["cards"] = true, busy },
			availabilityOf(support, "cards", true), &busy, 2 * time.Second,
		},
		{"nobody", func(w *world) { w.skills["cards"] = nobody }, availabilityOf(support, "cards", true), &nobody, 0},
		{
			"nobody known where the platform routes", func(w *world) { w.skills["cards"], w.view = nobody, &signals.DeskView{} },
			availabilityOf(support, "cards", false), nil, 0,
		},
		{
			"nobody there where the platform routes", func(w *world) { w.skills["cards"], w.view = nobody, staffed },
			availabilityOf(support, "cards", false), &nobody, 0,
		},
		{"somebody where the platform routes", func(*world) {}, availabilityOf(support, "cards", false), &busy, 0},
		{
			"last known where the platform routes",
			func(w *world) { w.away, w.view, w.last["cards"] = true, staffed, nobody },
			availabilityOf(support, "cards", false), &nobody, 0,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.skills["cards"] = busy
				test.make(w)

				found, took := w.ask(t, test.query)
				require.Equal(t, dialect.Found{Availability: test.want}, found)
				require.Equal(t, test.took, took)
			})
		})
	}
}

func TestUnknownQuestion(t *testing.T) {
	t.Parallel()

	found, _ := newWorld(t).ask(t, answers.Query{Ask: dialect.Ask{Question: "weather", Within: time.Second}})
	require.Zero(t, found)
}
