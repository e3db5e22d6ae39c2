package report

import (
	"fmt"
	"slices"
	"time"
)

// Goal is one figure to reach (design, section 12), and what was measured.
type Goal struct {
	What string `json:"what"`
	// Measured is in the unit of Bound; Known is false where it was not
	// measured.
	Measured float64 `json:"measured"`
	Known    bool    `json:"known"`
	Bound    float64 `json:"bound"`
	// Most says that Bound is not to be passed; otherwise it is to be reached.
	Most bool `json:"at_most"`
	// Unit follows the figures, and has its own space.
	Unit string `json:"unit"`
	// Why follows the name of a figure that was not measured.
	Why string `json:"why,omitempty"`
}

// reached reports whether the figure is as it should be.
func (g *Goal) reached() bool {
	if g.Most {
		return g.Known && g.Measured <= g.Bound
	}

	return g.Known && g.Measured >= g.Bound
}

func (g *Goal) verdict() string {
	if g.reached() {
		return "reached"
	}

	return "not reached"
}

// The figures to reach.
const (
	goalAckRatio      = 0.7
	goalAckIdle       = 2 * time.Millisecond
	goalAppliedMany   = 3000
	goalAppliedFew    = 5000
	goalFinishedRatio = 3
	goalFinished      = 1500
	goalFinishedAim   = 1860
	goalAppliedIdle   = 15 * time.Millisecond
	goalHistory       = 4.5
	goalLateness      = 150 * time.Millisecond
	goalFirstAnswer   = 5 * time.Second
	goalOverdue       = 250
	goalResident      = 1 << 30
	goalDeskWait      = 500 * time.Millisecond
)

// Goals compares what was measured with the figures to reach.
func (r *Results) Goals() []Goal {
	rows := medians(r.Rows)
	many, few, single := pick(rows, ModeMany, TargetParley), pick(rows, ModeFew, TargetParley), pick(rows, ModeSingle, TargetParley)
	bare, naive := pick(rows, ModeMany, TargetBare), pick(rows, ModeMany, TargetNaive)

	return append([]Goal{
		ratio("acknowledged, of the bare group commit", many.Acknowledged, bare.Acknowledged, goalAckRatio),
		atMost("acknowledgement when idle, p50", single.Ack.P50, goalAckIdle),
		atLeast("applied, conversations of 20 events", many.Applied, goalAppliedMany),
		atLeast("applied, conversations of 200 events", few.Applied, goalAppliedFew),
		ratio("finished, of one signal per request", many.Finished, naive.Finished, goalFinishedRatio),
		atLeast("finished", many.Finished, goalFinished),
		atLeast("finished, the aim beyond", many.Finished, goalFinishedAim),
		atMost("webhook to applied when idle, p50", single.ToApplied.P50, goalAppliedIdle),
		{
			What: "history events per message", Measured: single.HistoryPerEvent, Known: single.HistoryPerEvent > 0,
			Bound: goalHistory, Most: true,
		},
	}, slices.Concat(clockGoals(r.Clocks), recoveryGoals(r.Recovery), r.deskGoals())...)
}

// deskGoals judge the longest of all: a task that waits does so before everybody.
func (r *Results) deskGoals() []Goal {
	return []Goal{
		atMost("longest wait of a desk's task", r.longest(func(d *Drain) time.Duration { return d.Tasks.Max }), goalDeskWait),
		atMost("longest wait of a message for a desk's task", r.longest(func(d *Drain) time.Duration { return d.Messages.Max }), goalDeskWait),
	}
}

func clockGoals(found *Clocks) []Goal {
	what := fmt.Sprintf("clock lateness at %d/s, p99", ClocksPerSecond)
	if found == nil {
		return []Goal{atMost(what, 0, goalLateness)}
	}

	return []Goal{atMost(what, found.Late.P99, goalLateness)}
}

func recoveryGoals(found *Recovery) []Goal {
	if found == nil {
		found = &Recovery{}
	}

	resident := Goal{
		What: fmt.Sprintf("memory of %d open conversations", LongIdle), Measured: megabytes(found.Resident), Bound: megabytes(goalResident),
		Most: true, Unit: " MB", Known: found.Open >= LongIdle, Why: " (--mode idle --long)",
	}

	return []Goal{
		atMost("first answer after SIGKILL", found.FirstAnswer, goalFirstAnswer),
		atLeast("overdue clocks", found.OverduePerSecond, goalOverdue), resident,
	}
}

func megabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) } //nolint:mnd // as its name says

// pick returns the row of a closed loop; a zero one where there is none.
func pick(rows []Row, mode, target string) Row {
	for _, one := range rows {
		if one.Mode == mode && one.Target == target && one.Rate == 0 {
			return one
		}
	}

	return Row{}
}

func ratio(what string, measured, base, bound float64) Goal {
	one := Goal{What: what, Bound: bound, Unit: "×", Known: measured > 0 && base > 0}
	if one.Known {
		one.Measured = measured / base
	}

	return one
}

func atLeast(what string, perSecond, bound float64) Goal {
	return Goal{What: what, Measured: perSecond, Known: perSecond > 0, Bound: bound, Unit: "/s"}
}

func atMost(what string, took, bound time.Duration) Goal {
	return Goal{
		What: what, Measured: milliseconds(took), Known: took > 0, Bound: milliseconds(bound), Most: true, Unit: " ms",
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
