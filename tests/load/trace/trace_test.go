package trace_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parleyhq/parley/tests/load/trace"
)

var begin = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

func ms(n int) time.Time { return begin.Add(time.Duration(n) * time.Millisecond) }

// written numbers events as a history does.
func written(events ...*historypb.HistoryEvent) *historypb.History {
	for i, event := range events {
		event.EventId = int64(i + 1)
	}

	return &historypb.History{Events: events}
}

func plain(kind enumspb.EventType, at int) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventType: kind, EventTime: timestamppb.New(ms(at))}
}

func signal(at int, payload string) *historypb.HistoryEvent {
	event := plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, at)
	event.Attributes = &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
		WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
			Input: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(payload)}}},
		},
	}

	return event
}

func completed(at int, started int64) *historypb.HistoryEvent {
	event := plain(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, at)
	event.Attributes = &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
		WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{StartedEventId: started},
	}

	return event
}

func TestEventsAreAppliedByTheTaskThatSawThem(t *testing.T) {
	t.Parallel()

	const started, timedOut = enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT

	found, err := trace.Of(written(
		plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, 0),
		signal(1, `{"events":[{"id":"e0"},{"id":"e1"}]}`),
		plain(started, 2), // event 3
		completed(5, 3),
		signal(4, `{"events":[{"id":"e2"}]}`), // came while the task ran, and was written after it
		plain(started, 6),                     // event 6, which never answers
		plain(timedOut, 2006),
		signal(2007, `{"events":[{"id":"e0"},{"id":"e3"}]}`),
		plain(started, 2008), // event 9
		completed(2010, 9),
		plain(enumspb.EVENT_TYPE_TIMER_FIRED, 3000),
		plain(started, 3003), // event 12
		completed(3009, 12),
		plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, 3009),
	))
	require.NoError(t, err)

	require.Equal(t, map[string]time.Time{"e0": ms(5), "e1": ms(5), "e2": ms(2010), "e3": ms(2010)}, found.Applied)
	require.Equal(t, []int{2, 1, 2}, found.Batches)
	require.Equal(t, []trace.Firing{{Fired: ms(3000), Started: ms(3003), Completed: ms(3009)}}, found.Firings)
	require.Equal(t, ms(3009), found.Completed)
	require.Equal(t, 14, found.Length)
}

func TestWhatNoTaskSawIsNotApplied(t *testing.T) {
	t.Parallel()

	found, err := trace.Of(written(
		plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, 0),
		signal(1, `{"events":[{"id":"e0"}]}`),
		plain(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, 2),
	))
	require.NoError(t, err)
	require.Empty(t, found.Applied)
	require.True(t, found.Completed.IsZero())

	_, err = trace.Of(written(signal(1, `nonsense`)))
	require.Error(t, err)
}

// A history as Temporal itself wrote it: whatever was signalled was applied
// before the run ended.
func TestRecordedHistory(t *testing.T) {
	t.Parallel()

	file, err := os.Open(filepath.Join("..", "..", "histories", "commanded.json"))
	require.NoError(t, err)

	defer func() { require.NoError(t, file.Close()) }()

	history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	require.NoError(t, err)

	found, err := trace.Of(history)
	require.NoError(t, err)
	require.NotEmpty(t, found.Applied)
	require.NotEmpty(t, found.Batches)
	require.False(t, found.Completed.IsZero())

	for id, at := range found.Applied {
		require.False(t, at.After(found.Completed), id)
	}
}

func TestClockIsActedOnByTheFirstTaskAfterItIsDue(t *testing.T) {
	t.Parallel()

	found := &trace.Conversation{
		Applied: map[string]time.Time{"e0": ms(2500)},
		Firings: []trace.Firing{
			{Fired: ms(1000), Started: ms(1001), Completed: ms(1002)},
			{Fired: ms(2000), Started: ms(2001), Completed: ms(2005)},
		},
	}

	started, done := found.ActedAt(ms(1500), "e0")
	require.Equal(t, [2]time.Time{ms(2001), ms(2005)}, [2]time.Time{started, done})

	started, done = found.ActedAt(ms(2400), "e0")
	require.Equal(t, [2]time.Time{ms(2500), ms(2500)}, [2]time.Time{started, done}, "the event came when its clock was overdue")
}
