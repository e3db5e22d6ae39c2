package tests_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/delivery"
	"github.com/parleyhq/parley/workflows/policy"
)

// replayUncached makes this binary replay without a sticky cache, which is a
// setting of the whole process.
const replayUncached = "PARLEY_TEST_REPLAY_UNCACHED"

// TestReplay replays every recorded run with this build's workflows: whoever is
// open at an upgrade goes on. The policy in force now is another than the one
// they were recorded under.
func TestReplay(t *testing.T) {
	t.Parallel()

	book, err := policy.NewBook(policy.Config{})
	require.NoError(t, err)

	if os.Getenv(replayUncached) != "" {
		sdkworker.SetStickyWorkflowCacheSize(0)
	}

	for _, path := range historyPaths() {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()

			files := recordedFiles(t, path.name)
			require.Len(t, files, max(1, path.runs), "record it: go test ./tests -run TestRecord -record")

			missing, held := slices.Clone(path.wants), path.holds == nil

			for _, file := range files {
				history := readHistory(t, file)
				replayRun(t, book, file, history)
				requireOneTimer(t, file, history)

				held = held || path.holds(history)
				missing = slices.DeleteFunc(missing, func(kind enumspb.EventType) bool {
					return slices.ContainsFunc(history.GetEvents(), func(e *historypb.HistoryEvent) bool { return e.GetEventType() == kind })
				})
			}

			require.Empty(t, missing, "it is another path than its name says")
			require.True(t, held, "it is another path than its name says")
		})
	}
}

// TestReplayEarlier replays what builds before this one recorded, on paths that
// a run of this build no longer takes: a version marker for the rules instead of
// their number beside the policy.
func TestReplayEarlier(t *testing.T) {
	t.Parallel()

	book, err := policy.NewBook(policy.Config{})
	require.NoError(t, err)

	files := earlierFiles(t)
	require.NotEmpty(t, files)

	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()

			history := readHistory(t, file)
			replayRun(t, book, file, history)
			require.True(t, slices.ContainsFunc(history.GetEvents(), func(e *historypb.HistoryEvent) bool {
				return e.GetMarkerRecordedEventAttributes().GetMarkerName() == "Version"
			}), "it is no earlier one")
		})
	}
}

func earlierFiles(t *testing.T) []string {
	t.Helper()

	files, err := filepath.Glob(filepath.Join(historiesDir, "earlier", "*.json"))
	require.NoError(t, err)

	return files
}

// replayRun replays a run under its own id, which tells the workflow whose it
// is.
func replayRun(t *testing.T, book *policy.Book, file string, history *historypb.History) {
	t.Helper()

	replayer := sdkworker.NewWorkflowReplayer()
	(&conversation.Workflows{Under: book.Snapshot}).Register(replayer)
	delivery.Register(replayer)

	started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	original := workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()}

	require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		history, sdkworker.ReplayWorkflowHistoryOptions{OriginalExecution: original}), file)
}

// requireOneTimer wants at most one timer at a time: the lazy one, none leaked.
func requireOneTimer(t *testing.T, file string, history *historypb.History) {
	t.Helper()

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

	require.Equal(t, 1, most, "%s: so many timers at once", file)
}

// TestReplayWithoutCache replays everything in a process without a sticky cache.
func TestReplayWithoutCache(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestReplay$", "-test.v")
	command.Env = append(os.Environ(), replayUncached+"=1")

	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Equal(t, len(historyPaths()), strings.Count(string(output), "--- PASS: TestReplay/"), string(output))
}

// TestHistoriesNameNobody: what is recorded tells nothing about where it was.
func TestHistoriesNameNobody(t *testing.T) {
	t.Parallel()

	host, err := os.Hostname()
	require.NoError(t, err)

	directory, err := os.Getwd()
	require.NoError(t, err)

	process := regexp.MustCompile(`"\d+@[^"]*"`)
	known := make(map[string]bool)

	recorded := earlierFiles(t)
	for _, path := range historyPaths() {
		recorded = append(recorded, recordedFiles(t, path.name)...)
	}

	for _, file := range recorded {
		known[file] = true

		content, err := os.ReadFile(filepath.Clean(file))
		require.NoError(t, err)

		text := string(content)
		require.NotContains(t, text, "@"+host, file)
		require.NotContains(t, text, host+":", file)
		require.NotContains(t, text, filepath.Dir(directory), file)
		require.NotContains(t, text, ".go:", file)
		require.Empty(t, process.FindString(text), file)
	}

	files, err := filepath.Glob(filepath.Join(historiesDir, "*.json"))
	require.NoError(t, err)

	for _, file := range files {
		require.True(t, known[file], "%s belongs to no path", file)
	}
}
