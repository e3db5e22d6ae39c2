package shell

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// Alarm is the one Temporal timer of a workflow, for its nearest deadline. The
// zero value is not set.
type Alarm struct {
	timer  workflow.Future
	cancel workflow.CancelFunc
	due    time.Time
}

// Fired reports whether it was set and its time has come.
func (a *Alarm) Fired() bool { return a.timer != nil && a.timer.IsReady() }

// Due is what it was last set for.
func (a *Alarm) Due() time.Time { return a.due }

// Set makes the timer anew, only if it is not set or due is earlier, and reports
// whether it did. When a timer fires early, the caller's loop sets it again. The
// name says what is due, in the timer's summary.
func (a *Alarm) Set(ctx workflow.Context, due time.Time, name string) bool {
	if a.timer != nil {
		if !due.Before(a.due) {
			return false
		}

		a.cancel()
	}

	timerCtx, cancel := workflow.WithCancel(ctx)
	now := workflow.Now(ctx)
	wait := max(due.Sub(now), time.Millisecond)
	timer := workflow.NewTimerWithOptions(timerCtx, wait, workflow.TimerOptions{Summary: lookSummary(now, due, name)})

	*a = Alarm{timer: timer, cancel: cancel, due: due}

	return true
}

// lookSummary names the day only if it is another one.
func lookSummary(now, due time.Time, name string) string {
	layout := time.TimeOnly
	if now.UTC().YearDay() != due.UTC().YearDay() {
		layout = time.DateTime
	}

	return "next look " + due.UTC().Format(layout) + " (" + name + ")"
}
