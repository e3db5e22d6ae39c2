package report_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/stats"
)

func goalsOf(t *testing.T, results *report.Results) map[string]report.Goal {
	t.Helper()

	found := make(map[string]report.Goal)
	for _, goal := range results.Goals() {
		found[goal.What] = goal
	}

	return found
}

func TestRatiosAreOfMedians(t *testing.T) {
	t.Parallel()

	many := func(target string, acknowledged, finished float64) report.Row {
		return report.Row{Mode: report.ModeMany, Target: target, Conversations: 1, Events: 20, Acknowledged: acknowledged, Finished: finished}
	}
	results := &report.Results{Rows: []report.Row{
		many(report.TargetBare, 10_000, 0), many(report.TargetParley, 8000, 1600), many(report.TargetNaive, 800, 500),
		many(report.TargetBare, 90_000, 0), many(report.TargetParley, 7000, 1400), many(report.TargetNaive, 100, 50),
		many(report.TargetBare, 5000, 0), many(report.TargetParley, 100, 1900), many(report.TargetNaive, 900, 600),
		// What is offered at a rate says nothing about the most.
		{Mode: report.ModeMany, Target: report.TargetParley, Rate: 10, Acknowledged: 10, Finished: 10},
	}}

	goals := goalsOf(t, results)
	require.InDelta(t, 0.7, goals["acknowledged, of the bare group commit"].Measured, 1e-9)
	require.InDelta(t, 3.2, goals["finished, of one signal per request"].Measured, 1e-9)
	require.InDelta(t, 1600, goals["finished"].Measured, 1e-9)
	require.False(t, goals["applied, conversations of 200 events"].Known)
}

func TestMemoryIsJudgedByTheLongFormOnly(t *testing.T) {
	t.Parallel()

	const name = "memory of 100000 open conversations"

	results := &report.Results{Recovery: &report.Recovery{Open: 5000, Resident: 100 << 20}}
	require.False(t, goalsOf(t, results)[name].Known)

	results.Recovery.Open = report.LongIdle
	require.True(t, goalsOf(t, results)[name].Known)
	require.InDelta(t, 100, goalsOf(t, results)[name].Measured, 1e-9)
}

func TestTableSaysWhatIsReached(t *testing.T) {
	t.Parallel()

	results := &report.Results{
		Rows: []report.Row{{
			Mode: report.ModeSingle, Target: report.TargetParley, Conversations: 1, Events: 20, HistoryPerEvent: 4,
			Ack:       stats.Quantiles{Count: 20, P50: 1500 * time.Microsecond, P95: 3 * time.Millisecond, P99: 4 * time.Millisecond},
			ToApplied: stats.Quantiles{Count: 20, P50: 16 * time.Millisecond, P95: 20 * time.Millisecond, P99: 21 * time.Millisecond},
		}},
		Clocks: &report.Clocks{Armed: 300, PerSecond: 150, Late: stats.Quantiles{Count: 300, P99: 149 * time.Millisecond}},
	}

	var out bytes.Buffer

	require.NoError(t, results.Print(&out, 1))
	require.Regexp(t, `single +parley +1×20 +– +– +– +1\.50 / 3 / 4 +16 / 20 / 21 `, out.String())
	require.Regexp(t, `acknowledgement when idle, p50 +1\.50 ms +≤ 2 ms +reached`, out.String())
	require.Regexp(t, `webhook to applied when idle, p50 +16 ms +≤ 15 ms +not reached`, out.String())
	require.Regexp(t, `clock lateness at 150/s, p99 +149 ms +≤ 150 ms +reached`, out.String())
	require.Contains(t, out.String(), "not measured: acknowledged, of the bare group commit; applied, conversations of 20 events; ")
}

func TestJSONHasEveryRun(t *testing.T) {
	t.Parallel()

	results := &report.Results{Rows: []report.Row{
		{Mode: report.ModeMany, Target: report.TargetBare, Conversations: 1, Events: 20, Acknowledged: 1},
		{Mode: report.ModeMany, Target: report.TargetBare, Conversations: 1, Events: 20, Acknowledged: 2},
	}}

	var out bytes.Buffer

	require.NoError(t, results.JSON(&out))

	var read struct {
		Rows []struct {
			Acknowledged float64 `json:"acknowledged_per_second"`
		} `json:"rows"`
		Goals []report.Goal `json:"goals"`
	}

	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Len(t, read.Rows, 2)
	require.NotEmpty(t, read.Goals)
}

func TestDesksAreJudgedByTheLongestWait(t *testing.T) {
	t.Parallel()

	quantiles := func(count int, p99, most time.Duration) stats.Quantiles {
		return stats.Quantiles{Count: count, P50: p99 / 2, P95: p99, P99: p99, Max: most}
	}

	one := report.Drain{
		Desks: 1, Agents: 50, Slots: 4, Conversations: 2000, Handle: time.Second, Drained: 40 * time.Second, PerSecond: 50, Offers: 2000,
		ConversationHistory: 50, DeskHistory: 4.5, Waited: quantiles(2000, 39*time.Second, 40*time.Second),
		Beyond: quantiles(2000, 300*time.Millisecond, time.Second), Answers: quantiles(400, 90*time.Millisecond, 120*time.Millisecond),
		Tasks: quantiles(900, 50*time.Millisecond, 80*time.Millisecond), Messages: quantiles(1500, 60*time.Millisecond, 95*time.Millisecond),
	}
	ten := one
	ten.Desks, ten.Agents, ten.Conversations, ten.Offers = 10, 5, 200, 2001
	ten.Tasks = quantiles(2000, 200*time.Millisecond, 501*time.Millisecond)

	results := &report.Results{Drains: []report.Drain{one, ten}}
	goals := goalsOf(t, results)
	require.InDelta(t, 501, goals["longest wait of a desk's task"].Measured, 1e-9)
	require.InDelta(t, 95, goals["longest wait of a message for a desk's task"].Measured, 1e-9)
	require.False(t, goalsOf(t, &report.Results{})["longest wait of a desk's task"].Known)

	var out bytes.Buffer

	require.NoError(t, results.Print(&out, 1))
	require.Regexp(t, `\n1 +2000 on 50×4 +40 +50\.0 +19\.5 / 39 / 39 +150 / 300 / 300 `, out.String())
	require.Regexp(t, ` 54\.5 = 50\.0 \+ 4\.5 +45 / 90 / 120 +50 / 80 +60 / 95 `, out.String())
	require.Regexp(t, `\n10 +200 on 5×4, 2001 invited `, out.String())
	require.Regexp(t, `longest wait of a desk's task +501 ms +≤ 500 ms +not reached`, out.String())
	require.NotContains(t, out.String(), "ack/s", "nothing else was measured")

	var written bytes.Buffer

	require.NoError(t, results.JSON(&written))
	require.Contains(t, written.String(), `"desk_history_events_per_assignment": 4.5`)
}
