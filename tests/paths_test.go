package tests_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
)

// historyPath is one way through a workflow's life, and what its histories must hold.
type historyPath struct {
	name, source string
	// target is set where the runs of the delivery workflow are kept.
	target string
	// runs is how many there are, 1 if it is 0.
	runs int
	take func(t *testing.T, b *bench, key signals.Key)
	// wants are kinds of event without which it was another path.
	wants []enumspb.EventType
	// holds is asked for more than kinds; nil wants no more.
	holds func(history *historypb.History) bool
}

// refusedInHistory reports whether a command was let in, since a signal was
// waiting, and then refused.
func refusedInHistory(history *historypb.History) bool {
	return slices.ContainsFunc(history.GetEvents(), func(e *historypb.HistoryEvent) bool {
		return e.GetWorkflowExecutionUpdateCompletedEventAttributes().GetOutcome().GetFailure() != nil
	})
}

// continuedWithState reports whether a run began with the state of the one before.
func continuedWithState(history *historypb.History) bool { return inputHas(history, `"state":{`) }

// beganWithPending reports whether a run began with events that came after the
// decision of the session before.
func beganWithPending(history *historypb.History) bool { return inputHas(history, `"pending":[`) }

func inputHas(history *historypb.History, text string) bool {
	input := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput()

	return len(input.GetPayloads()) > 0 && bytes.Contains(input.GetPayloads()[0].GetData(), []byte(text))
}

func historyPaths() []historyPath {
	return slices.Concat(conversationPaths(), talkPaths(), deliveryPaths())
}

func conversationPaths() []historyPath {
	const (
		completed   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
		continued   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
		fired       = enumspb.EVENT_TYPE_TIMER_FIRED
		cancelled   = enumspb.EVENT_TYPE_TIMER_CANCELED
		marker      = enumspb.EVENT_TYPE_MARKER_RECORDED
		signalled   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
		updated     = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED
		attributes  = enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
		cancelAsked = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
		skipped     = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
	)

	kinds := func(kinds ...enumspb.EventType) []enumspb.EventType { return kinds }

	return []historyPath{
		{name: "lifecycle", source: "hooked", take: takeLifecycle, wants: kinds(completed, fired, marker, signalled, attributes)},
		{name: "pushed-to-the-last", source: "quick", take: takeAllPushes, wants: kinds(completed, fired, cancelled)},
		{name: "reopened", source: "lenient", take: takeReopened, wants: kinds(completed, signalled)},
		{name: "snoozed", source: "quick", take: takeSnoozed, wants: kinds(completed, updated, fired)},
		{name: "commanded", source: "calm", take: takeCommanded, wants: kinds(completed, updated)},
		{name: "refused", source: "calm", take: takeRefused, wants: kinds(completed, updated), holds: refusedInHistory},
		{name: "next-session", source: "quick", runs: 2, take: takeNextSession, wants: kinds(completed)},
		{
			name: "next-session-after-the-decision", source: "calm", runs: 2, take: takePending, wants: kinds(completed, continued),
			holds: beganWithPending,
		},
		{
			name: "continued", source: "flaky", runs: 2, take: takeContinued, wants: kinds(completed, continued, fired),
			holds: continuedWithState,
		},
		{
			name: "continued-after-a-day", source: "quick", runs: 2, take: takeDay, wants: kinds(continued, skipped),
			holds: continuedWithState,
		},
		{name: "undecodable", source: "calm", take: takeUndecodable, wants: kinds(completed)},
		{name: "started-from-outside", source: "calm", runs: 2, take: takeFromOutside, wants: kinds(completed, marker)},
		{name: "dispatch-failing", source: "quick", take: takeDispatchFailing, wants: kinds(completed, fired, marker)},
		{name: "run-cancelled", source: "quick", take: takeRunCancelled, wants: kinds(completed, cancelAsked)},
		{name: "ticket-outside", source: "external", take: takeTicket, wants: kinds(completed)},
		{name: "business-hours", source: "office", take: takeLifecycle, wants: kinds(completed, fired)},
		{name: "relayed", source: "relay", take: takeRelayed, wants: kinds(completed)},
		{name: "clock-back", source: "quick", take: takeClockBack, wants: kinds(completed, fired, attributes)},
		{name: "still-open", source: "quick", take: takeStillOpen, wants: kinds(fired, marker)},
	}
}

// event makes one that happens now.
func event(kind signals.Type, thread, actor string) signals.Event {
	made := signals.Event{
		ID: fmt.Sprintf("%s-%d", kind, time.Now().UnixNano()), Type: kind, At: time.Now().UTC(), ReceivedAt: time.Now().UTC(),
		Thread: thread,
	}

	switch actor {
	case "":
	case smith:
		made.Actor = &signals.Actor{ID: smith, Role: signals.RoleAgent, Name: "Agent Smith"}
	default:
		made.Actor = &signals.Actor{ID: actor, Role: signals.RoleVisitor, Name: "Ann"}
	}

	return made
}

func message(thread, actor, text string) signals.Event {
	made := event(signals.MessageReceived, thread, actor)
	made.Message = &signals.Message{ID: made.ID, Text: text, Kind: signals.KindText}

	return made
}

func closing(thread string) signals.Event {
	made := event(signals.ConversationClosed, thread, smith)
	made.Closing = &signals.Closing{ByID: smith, ByRole: signals.RoleAgent}

	return made
}

func tag(name string) signals.Event {
	made := event(signals.TagAdded, "", "")
	made.Tag = &signals.Tag{Name: name}

	return made
}

func pushed(times int) func(signals.View) bool {
	return func(view signals.View) bool { return view.PushTimes >= times }
}

func answered(view signals.View) bool { return !view.Unreplied && view.Messages.Agent > 0 }

func is(status signals.Status) func(signals.View) bool {
	return func(view signals.View) bool { return view.Status == status }
}

func takeLifecycle(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Is anyone there?"), tag("vip"))
	b.until(t, key, "a push", pushed(1))
	b.send(t, key, message("T1", smith, "Yes, how may I help you?"))
	b.until(t, key, "answered", answered)
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

func takeAllPushes(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	typing := event(signals.TypingChanged, "T1", smith)
	typing.Typing = &signals.Typing{On: true}

	b.send(t, key, message("T1", ann, "Is anyone there?"))
	b.until(t, key, "all pushes", pushed(4))
	b.send(t, key, message("T1", smith, "Yes"))
	b.until(t, key, "answered", answered)
	b.send(t, key, message("T1", ann, "So late!"), typing)
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

// takeClockBack has a gateway's clock step back after the visitor's first word.
func takeClockBack(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	accepted := int64(0)
	by := func(off time.Duration, event signals.Event) signals.Event {
		accepted++
		event.Inbox, event.Seq, event.ReceivedAt = "recorded", accepted, event.ReceivedAt.Add(off)

		return event
	}

	b.send(t, key, by(0, message("T1", ann, "Is anyone there?")))
	b.until(t, key, "a push", pushed(1))
	b.send(t, key, by(-time.Hour, message("T1", smith, "Yes, how may I help you?")))
	b.until(t, key, "answered", answered)
	b.send(t, key, by(-time.Hour, message("T1", ann, "My card is lost")))
	b.until(t, key, "unanswered again", pushed(1))
	b.send(t, key, by(-time.Hour, closing("T1")))
	b.completed(t, key.WorkflowID())
}

func takeReopened(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("", ann, "Hello"))
	b.send(t, key, closing(""))
	b.until(t, key, "closing", is(signals.StatusClosing))
	b.send(t, key, message("", ann, "One more thing"))
	b.until(t, key, "reopened by the visitor", is(signals.StatusOpen))
	b.send(t, key, closing(""))
	b.until(t, key, "closing again", is(signals.StatusClosing))
	require.NoError(t, b.command(t, key, signals.ReopenUpdate, signals.Command{By: "ops"}))
	b.until(t, key, "reopened by command", is(signals.StatusOpen))
	require.NoError(t, b.command(t, key, signals.CloseUpdate, signals.Command{By: "ops", Reason: "done"}))
	b.completed(t, key.WorkflowID())
}

func takeSnoozed(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))
	b.until(t, key, "a push", pushed(1))
	require.NoError(t, b.command(t, key, signals.SnoozeUpdate, signals.Command{By: "ops", Until: time.Now().Add(time.Second)}))
	b.until(t, key, "snoozed", is(signals.StatusSnoozed))
	b.until(t, key, "woken by the clock", is(signals.StatusOpen))
	b.until(t, key, "a push after it", pushed(2))
	require.NoError(t, b.command(t, key, signals.SnoozeUpdate, signals.Command{By: "ops"}))
	b.until(t, key, "snoozed again", is(signals.StatusSnoozed))
	b.send(t, key, message("T1", ann, "Hello?"))
	b.until(t, key, "woken by the visitor", is(signals.StatusOpen))
	require.NoError(t, b.command(t, key, signals.CloseUpdate, signals.Command{By: "ops"}))
	b.completed(t, key.WorkflowID())
}

func takeCommanded(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	jones := signals.Command{AgentID: "jones@example.com"}

	b.send(t, key, message("T1", ann, "Hello"))
	require.NoError(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith, AgentName: "Agent Smith"}))
	require.NoError(t, b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith}))
	require.Error(t, b.command(t, key, signals.AssignUpdate, jones))
	require.NoError(t, b.command(t, key, signals.CloseUpdate, signals.Command{By: "ops"}))
	require.NoError(t, b.command(t, key, signals.ReopenUpdate, signals.Command{By: "ops"}))

	require.NoError(t, b.command(t, key, signals.NoteUpdate, signals.Command{By: "ops", Text: "Called back."}))
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

// takeRefused has a close and an accept arrive while the run still asks what
// the session before left: only then is a refusal in history.
func takeRefused(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	arrived, release := b.gate.holdUp(key)
	options := client.StartWorkflowOptions{ID: key.WorkflowID(), TaskQueue: signals.TaskQueue}

	run, err := b.client.ExecuteWorkflow(t.Context(), options, signals.ConversationWorkflow)
	require.NoError(t, err)
	require.Eventually(t, arrived, 10*time.Second, 10*time.Millisecond)

	b.send(t, key, message("T1", ann, "Hello"), closing("T1"))

	refused := make(chan error, 1)

	go func() {
		refused <- b.command(t, key, signals.AcceptUpdate, signals.Command{AgentID: smith})
	}()

	require.Eventually(t, func() bool {
		events := b.client.GetWorkflowHistory(t.Context(), key.WorkflowID(), run.GetRunID(), false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(t, err)

			if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED {
				return true
			}
		}

		return false
	}, 20*time.Second, 50*time.Millisecond)
	release()

	var refusal *temporal.ApplicationError

	require.ErrorAs(t, <-refused, &refusal)
	require.Equal(t, signals.RefusedError, refusal.Type())
	b.completed(t, key.WorkflowID())
}

func takeNextSession(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
	b.send(t, key, message("T1", ann, "late"), message("T2", ann, "Hello again"))
	b.until(t, key, "session 2", func(view signals.View) bool { return view.Session == 2 })
	b.until(t, key, "a push", pushed(1))
	b.send(t, key, closing("T2"))
	b.completed(t, key.WorkflowID())
}

func takePending(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))

	arrived, release := b.gate.holdUp(key)

	b.send(t, key, closing("T1"))
	require.Eventually(t, arrived, 10*time.Second, 10*time.Millisecond)

	b.send(t, key, tag("late"), message("T2", ann, "Hello again"), message("T2", ann, "and again"))

	release()

	b.until(t, key, "session 2", func(view signals.View) bool { return view.Session == 2 && view.Messages.Visitor == 2 })
	b.send(t, key, closing("T2"))
	b.completed(t, key.WorkflowID())
}

func takeContinued(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	const batches, each = 20, 100

	b.send(t, key, message("T1", ann, "Hello"))
	b.until(t, key, "a push under way", pushed(1))

	batch := map[string]any{"events": make([]any, each)}
	for i := range each {
		batch["events"].([]any)[i] = map[string]any{"type": signals.ButtonPressed}
	}

	for range batches {
		require.NoError(t, b.client.SignalWorkflow(t.Context(), key.WorkflowID(), "", signals.EventsSignal, batch))
	}

	b.until(t, key, "everything applied", func(view signals.View) bool { return view.Applied == batches*each+1 })
	b.send(t, key, message("T1", smith, "Hi"))
	b.until(t, key, "answered", answered)
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

func takeDay(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))
	b.until(t, key, "all pushes", pushed(4))
	b.skipTime(t, key.WorkflowID(), 1)
	b.runs(t, key.WorkflowID(), 2)
	b.until(t, key, "the state goes along", pushed(4))
	b.send(t, key, message("T1", smith, "Hi"))
	b.until(t, key, "answered", answered)
}

func takeUndecodable(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))

	for _, payload := range []any{
		map[string]any{"events": []any{
			map[string]any{"type": signals.TagAdded, "tag": map[string]any{"name": "vip"}},
			map[string]any{"type": 7},
			"no event",
			nil,
			map[string]any{"type": signals.TagAdded, "tag": map[string]any{"name": "eu"}},
		}},
		"no batch",
		[]int{1},
		map[string]any{"type": signals.TagAdded, "tag": map[string]any{"name": "bare"}},
	} {
		require.NoError(t, b.client.SignalWorkflow(t.Context(), key.WorkflowID(), "", signals.EventsSignal, payload))
	}

	b.until(t, key, "the good ones", func(view signals.View) bool { return len(view.Tags) == 3 && view.Ignored == 5 })
	require.NoError(t, b.client.SignalWorkflow(t.Context(), key.WorkflowID(), "", signals.MessageSignal, json.RawMessage(`{"text":7}`)))
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

func takeFromOutside(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	start := client.StartWorkflowOptions{ID: key.WorkflowID(), TaskQueue: signals.TaskQueue}

	for session := 1; session <= 2; session++ {
		_, err := b.client.SignalWithStartWorkflow(t.Context(), key.WorkflowID(), signals.MessageSignal,
			map[string]any{"text": "hi", "role": "visitor", "event_id": fmt.Sprintf("m%d", session)}, start, signals.ConversationWorkflow)
		require.NoError(t, err)

		for name, payload := range map[string]map[string]any{
			signals.EscalationSignal:    {"skill": "billing"},
			signals.AgentAcceptedSignal: {"actor_id": smith, "name": "Agent Smith"},
			signals.QueueMoveSignal:     {"position": 2},
			signals.TypingSignal:        {"role": "agent", "actor_id": smith},
		} {
			require.NoError(t, b.client.SignalWorkflow(t.Context(), key.WorkflowID(), "", name, payload))
		}

		b.until(t, key, "its session", func(view signals.View) bool { return view.Session == session && view.Agent == smith })
		require.NoError(t, b.client.SignalWorkflow(t.Context(), key.WorkflowID(), "", signals.CloseSignal, map[string]any{}))
		b.completed(t, key.WorkflowID())
	}
}

func takeDispatchFailing(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))
	b.until(t, key, "answers", func(signals.View) bool { return true })
	b.gate.failNext(key, 7)
	b.send(t, key, closing("T1"))
	b.completed(t, key.WorkflowID())
}

func takeRunCancelled(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))
	b.until(t, key, "a push", pushed(1))
	require.NoError(t, b.client.CancelWorkflow(t.Context(), key.WorkflowID(), ""))
	b.completed(t, key.WorkflowID())
}

func takeRelayed(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	since := time.Now().UTC()

	for push := 1; push <= 2; push++ {
		report := event(signals.UnrepliedReported, "", "")
		report.Unreplied = &signals.Unreplied{
			PushTimes: push, Max: 4, Seconds: int64(push), Since: since, Text: "Hello", Status: signals.UnrepliedOpen, ReportedBy: "platform",
		}
		b.send(t, key, report)
		b.until(t, key, "relayed", pushed(push))
	}

	over := event(signals.UnrepliedReported, "", "")
	over.Unreplied = &signals.Unreplied{PushTimes: 2, Max: 4, Since: since, Status: "replied", ReportedBy: "platform"}
	b.send(t, key, over)
	b.until(t, key, "over", func(view signals.View) bool { return !view.Unreplied })
	b.send(t, key, closing(""))
	b.completed(t, key.WorkflowID())
}

func takeStillOpen(t *testing.T, b *bench, key signals.Key) {
	t.Helper()

	b.send(t, key, message("T1", ann, "Hello"))
	b.until(t, key, "two pushes", pushed(2))
}
