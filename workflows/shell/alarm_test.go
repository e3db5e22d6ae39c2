package shell_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/workflows/shell"
)

// TestAlarm: one timer at a time, made anew only for something earlier, whose
// summary names the day where it is another one.
func TestAlarm(t *testing.T) {
	t.Parallel()

	var (
		suite testsuite.WorkflowTestSuite
		made  []bool
		fired time.Duration
		due   time.Duration
	)

	env := suite.NewTestWorkflowEnvironment()
	begun := time.Date(2040, 11, 20, 10, 0, 0, 0, time.UTC)
	env.SetStartTime(begun)

	running, most := 0, 0

	env.SetOnTimerScheduledListener(func(string, time.Duration) { running++; most = max(most, running) })
	env.SetOnTimerFiredListener(func(string) { running-- })
	env.SetOnTimerCanceledListener(func(string) { running-- })

	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		var alarm shell.Alarm

		made = append(made,
			alarm.Set(ctx, begun.Add(time.Hour), "later"),
			alarm.Set(ctx, begun.Add(2*time.Hour), "later still"),
			alarm.Set(ctx, begun.Add(time.Minute), "sooner"))

		if err := workflow.Await(ctx, alarm.Fired); err != nil {
			return err
		}

		fired, due = workflow.Now(ctx).Sub(begun), alarm.Due().Sub(begun)

		return nil
	})

	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []bool{true, false, true}, made)
	require.Equal(t, time.Minute, fired)
	require.Equal(t, time.Minute, due)
	require.LessOrEqual(t, most, 2, "the one before was not cancelled")
	require.Zero(t, running)
}

func TestLookSummary(t *testing.T) {
	t.Parallel()

	now := time.Date(2040, 11, 20, 10, 0, 0, 0, time.UTC)

	require.Equal(t, "next look 10:00:05 (unreplied)", shell.LookSummary(now, now.Add(5*time.Second), "unreplied"))
	require.Equal(t, "next look 2040-11-21 10:00:00 (continue as new)",
		shell.LookSummary(now, now.Add(24*time.Hour), "continue as new"))
}
