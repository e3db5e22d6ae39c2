package tests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// historiesDir holds the recorded runs, one file each.
const historiesDir = "histories"

// runs lists the runs of a workflow id from first to last; there must be n.
func (b *bench) runs(t *testing.T, id string, n int) []string {
	t.Helper()

	var found []*workflowpb.WorkflowExecutionInfo

	require.Eventually(t, func() bool {
		answer, err := b.client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowId = '" + id + "'",
		})
		if err != nil {
			return false
		}

		found = answer.GetExecutions()

		return len(found) == n
	}, 10*time.Second, 50*time.Millisecond, "%s has not %d runs", id, n)

	slices.SortFunc(found, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return a.GetStartTime().AsTime().Compare(b.GetStartTime().AsTime())
	})

	ids := make([]string, 0, n)
	for _, info := range found {
		ids = append(ids, info.GetExecution().GetRunId())
	}

	return ids
}

func fetchHistory(t *testing.T, from client.Client, id, run string) *historypb.History {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	history := &historypb.History{}

	for events := from.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(t, err)

		history.Events = append(history.Events, event)
	}

	return history
}

// writeHistory keeps a history as Temporal's own tools write it, one event per
// line, and nothing in it that names the machine on which it was recorded.
func writeHistory(t *testing.T, path string, history *historypb.History) {
	t.Helper()

	var file bytes.Buffer

	file.WriteString("{\"events\":[\n")

	for i, event := range history.GetEvents() {
		raw, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(event)
		require.NoError(t, err)

		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()

		var fields map[string]any

		require.NoError(t, decoder.Decode(&fields))
		scrub(fields)

		line, err := json.Marshal(fields)
		require.NoError(t, err)

		file.Write(line)

		if i < len(history.GetEvents())-1 {
			file.WriteByte(',')
		}

		file.WriteByte('\n')
	}

	file.WriteString("]}\n")
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o600))
}

// scrub replaces what names a process, a machine or a directory of it.
func scrub(fields map[string]any) {
	if fields["kind"] == "TASK_QUEUE_KIND_STICKY" {
		fields["name"] = "sticky"
	}

	for name, value := range fields {
		switch value := value.(type) {
		case map[string]any:
			scrub(value)
		case []any:
			for _, element := range value {
				if inner, ok := element.(map[string]any); ok {
					scrub(inner)
				}
			}
		case string:
			switch name {
			case "identity", "buildId", "binaryChecksum":
				fields[name] = anonymous
			case "stackTrace":
				delete(fields, name)
			}
		}
	}
}

func readHistory(t *testing.T, path string) *historypb.History {
	t.Helper()

	file, err := os.Open(filepath.Clean(path))
	require.NoError(t, err)

	defer func() { require.NoError(t, file.Close()) }()

	history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	require.NoError(t, err, path)

	return history
}

// recordedFiles are the files of one path, in the order of their runs.
func recordedFiles(t *testing.T, path string) []string {
	t.Helper()

	single := filepath.Join(historiesDir, path+".json")
	if _, err := os.Stat(single); err == nil {
		return []string{single}
	}

	files, err := filepath.Glob(filepath.Join(historiesDir, path+".[0-9].json"))
	require.NoError(t, err)
	slices.SortFunc(files, strings.Compare)

	return files
}
