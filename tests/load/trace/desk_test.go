package trace_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/trace"
)

func asks(at int, statements string) *historypb.HistoryEvent {
	event := signal(at, `{"asks":[`+statements+`]}`)
	event.GetWorkflowExecutionSignaledEventAttributes().SignalName = signals.AsksSignal

	return event
}

func says(kind, conversation string, number int, agent string) string {
	return fmt.Sprintf(`{"kind":%q,"key":{"source":"shop","conversation":%q},"session":1,"number":%d,"agent":%q}`,
		kind, conversation, number, agent)
}

func scheduled(at int) *historypb.HistoryEvent {
	return plain(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, at)
}

func started(at int, of int64) *historypb.HistoryEvent {
	event := plain(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, at)
	event.Attributes = &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
		WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: of},
	}

	return event
}

func dispatch(at int, offers string) *historypb.HistoryEvent {
	event := plain(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, at)
	event.Attributes = &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: "desk-dispatch"},
			Input:        &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(`{"offers":[` + offers + `]}`)}}},
		},
	}

	return event
}

func dispatched(at int, of int64, result string) *historypb.HistoryEvent {
	event := plain(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, at)
	event.Attributes = &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
			ScheduledEventId: of, Result: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(result)}}},
		},
	}

	return event
}

func offer(conversation, agent string) string {
	return fmt.Sprintf(`{"key":{"source":"shop","conversation":%q},"offer":{"kind":"offer","agent":%q}}`, conversation, agent)
}

func key(conversation string) signals.Key {
	return signals.Key{Source: "shop", Conversation: conversation}
}

func TestDeskIsReadFromItsFirstRunOn(t *testing.T) {
	t.Parallel()

	first := written(
		plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, 0),
		asks(1, says("request", "1", 1, "")),
		scheduled(1), // event 3
		started(21, 3),
		completed(30, 4),
		dispatch(31, offer("1", "a")),         // event 6
		asks(25, says("request", "2", 1, "")), // came while the task ran, and was written after it
		scheduled(31),                         // event 8
		started(32, 8),
		dispatched(40, 6, `{}`),
		completed(41, 9),
		dispatch(41, offer("2", "a")), // event 12
	)
	second := written(
		plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, 50),
		asks(60, says("accepted", "1", 2, "a")+","+says("release", "1", 3, "")+","+says("request", "3", 1, "")),
		scheduled(60), // event 3
		started(160, 3),
		completed(170, 4),
		dispatch(170, offer("3", "a")),
	)

	found, err := trace.DeskOf(first.GetEvents(), second.GetEvents())
	require.NoError(t, err)
	require.Equal(t, 2, found.Runs)
	require.Equal(t, 18, found.Length)
	require.Equal(t, []trace.Wait{
		{Since: ms(1), For: 20 * time.Millisecond, Run: 1, Event: 4},
		{Since: ms(31), For: time.Millisecond, Run: 1, Event: 9},
		{Since: ms(60), For: 100 * time.Millisecond, Run: 2, Event: 4},
	}, found.TaskWaits)
	require.Equal(t, []trace.Wait{
		{Since: ms(1), For: 20 * time.Millisecond, Run: 1, Event: 4},
		{Since: ms(25), For: 7 * time.Millisecond, Run: 1, Event: 9},
		{Since: ms(60), For: 100 * time.Millisecond, Run: 2, Event: 4},
	}, found.MessageWaits)
	require.Equal(t, []trace.Offer{
		{Key: key("1"), Agent: "a", Left: ms(31), Told: ms(40)},
		{Key: key("2"), Agent: "a", Left: ms(41)},
		{Key: key("3"), Agent: "a", Left: ms(170)},
	}, found.Offers)
	require.Equal(t, map[string]int{"a": 2}, found.Most, "the first was over before the third")
	require.Empty(t, found.Twice)
}

func TestSlotsAreCountedFromMessagesAlone(t *testing.T) {
	t.Parallel()

	for _, test := range []struct {
		name   string
		events []*historypb.HistoryEvent
		most   map[string]int
		twice  int
	}{
		{
			"declined and offered to the next", []*historypb.HistoryEvent{
				dispatch(1, offer("1", "a")), asks(2, says("declined", "1", 2, "a")), dispatch(3, offer("1", "b")),
				asks(4, says("accepted", "1", 3, "b")), dispatch(5, offer("2", "a")),
			}, map[string]int{"a": 1, "b": 1}, 0,
		},
		{
			"a repeated request frees nothing", []*historypb.HistoryEvent{
				asks(1, says("request", "1", 1, "")), dispatch(2, offer("1", "a")), asks(3, says("request", "1", 1, "")), dispatch(4, offer("2", "a")),
			}, map[string]int{"a": 2}, 0,
		},
		{
			"said again", []*historypb.HistoryEvent{dispatch(1, offer("1", "a")), dispatch(2, offer("1", "a"))}, map[string]int{"a": 1}, 0,
		},
		{
			"two at a time",
			[]*historypb.HistoryEvent{dispatch(1, offer("1", "a")), dispatch(2, offer("1", "b"))},
			map[string]int{"a": 1, "b": 1},
			1,
		},
		{
			"another took it", []*historypb.HistoryEvent{
				dispatch(1, offer("1", "a")), asks(2, says("accepted", "1", 2, "b")), dispatch(3, offer("2", "a")),
			}, map[string]int{"a": 1, "b": 1}, 0,
		},
		{
			"gone", []*historypb.HistoryEvent{
				dispatch(1, offer("1", "a")), dispatched(2, 1, `{"gone":[{"source":"shop","conversation":"1"}]}`), dispatch(3, offer("2", "a")),
			}, map[string]int{"a": 1}, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			found, err := trace.DeskOf(written(test.events...).GetEvents())
			require.NoError(t, err)
			require.Equal(t, test.most, found.Most)
			require.Len(t, found.Twice, test.twice)
		})
	}
}

func TestUnreadableMessageOfADesk(t *testing.T) {
	t.Parallel()

	_, err := trace.DeskOf(written(asks(1, `7`)).GetEvents())
	require.ErrorContains(t, err, "run 1, event 1")
}
