package desk_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// TestReplay replays every recorded run: a desk that is open at an upgrade goes
// on. The configuration in force now is another than the one they were recorded
// under. They are recorded by `go test ./tests -run TestRecordDesk -record`.
func TestReplay(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 16)

	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()

			file, err := os.Open(path)
			require.NoError(t, err)

			history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
			require.NoError(t, err)
			require.NoError(t, file.Close())

			replayer := worker.NewWorkflowReplayer()
			(&desk.Workflows{Under: func(name string) policy.DeskSnapshot {
				return policy.DeskSnapshot{Desk: name, Strategy: policy.StrategyLeastBusy, Slots: 7}
			}}).Register(replayer)

			started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
			require.Equal(t, signals.DeskWorkflow, started.GetWorkflowType().GetName())

			require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), history,
				worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{
					ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId(),
				}}))

			if strings.HasPrefix(filepath.Base(path), "moved.2") {
				require.Equal(t, signals.DeskTaskQueue, started.GetTaskQueue().GetName(), "it began on %s", signals.TaskQueue)
			}

			running, most := 0, 0

			for _, event := range history.GetEvents() {
				switch event.GetEventType() {
				case enumspb.EVENT_TYPE_TIMER_STARTED:
					running++
				case enumspb.EVENT_TYPE_TIMER_FIRED, enumspb.EVENT_TYPE_TIMER_CANCELED:
					running--
				default:
				}

				most = max(most, running)
			}

			require.LessOrEqual(t, most, 1, "so many timers at once")
		})
	}
}
