package conversation_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// world is the SDK's test environment, in which a conversation runs, and what
// it handed out.
type world struct {
	*testsuite.TestWorkflowEnvironment

	t *testing.T

	mutex      sync.Mutex
	dispatched []conversation.Dispatch
	// fail makes so many dispatches fail.
	fail int
	// before is what the session before left.
	before signals.Start

	// timers are those that run.
	timers map[string]bool
}

func newWorld(t *testing.T, changes ...func(s *policy.Snapshot)) *world {
	t.Helper()

	var suite testsuite.WorkflowTestSuite

	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))

	w := &world{
		TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t,
		before: signals.Start{Version: 1, Session: 1}, timers: map[string]bool{},
	}
	w.SetStartTime(epoch())
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: key().WorkflowID(), TaskQueue: signals.TaskQueue})
	w.SetTestTimeout(20 * time.Second)

	snapshot := under(changes...)
	flows := &conversation.Workflows{Under: func(source string) policy.Snapshot {
		require.Equal(t, "shop", source)

		return snapshot
	}}
	w.RegisterWorkflowWithOptions(flows.Conversation, workflow.RegisterOptions{Name: signals.ConversationWorkflow})
	w.RegisterActivityWithOptions(w.dispatch, activity.RegisterOptions{Name: conversation.DispatchActivity})
	w.RegisterActivityWithOptions(w.last, activity.RegisterOptions{Name: conversation.LastSessionActivity})

	w.SetOnTimerScheduledListener(func(id string, _ time.Duration) { w.timers[id] = true })
	w.SetOnTimerFiredListener(func(id string) { delete(w.timers, id) })
	w.SetOnTimerCanceledListener(func(id string) { delete(w.timers, id) })

	return w
}

func (w *world) dispatch(_ context.Context, payload conversation.Dispatch) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()

	if w.fail > 0 {
		w.fail--

		return errors.New("the store is away")
	}

	w.dispatched = append(w.dispatched, payload)

	return nil
}

func (w *world) last(_ context.Context, id string) (signals.Start, error) {
	if id != key().WorkflowID() {
		return signals.Start{}, errors.New("another conversation's")
	}

	return w.before, nil
}

// after does something when so much time has passed.
func (w *world) after(offset time.Duration, do func()) {
	w.RegisterDelayedCallback(func() {
		require.LessOrEqual(w.t, len(w.timers), 1, "more than one timer at a time")
		do()
	}, offset)
}

// send signals a batch after an offset.
func (w *world) send(offset time.Duration, events ...signals.Event) {
	w.after(offset, func() {
		batch, err := signals.NewBatch(events)
		require.NoError(w.t, err)
		w.SignalWorkflow(signals.EventsSignal, batch)
	})
}

// update sends a command after an offset and gives its outcome to then.
func (w *world) update(offset time.Duration, name string, command signals.Command, then func(view signals.View, err error)) {
	w.after(offset, func() {
		w.UpdateWorkflow(name, name+offset.String(), &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { then(signals.View{}, err) },
			OnComplete: func(result any, err error) {
				view, _ := result.(signals.View)
				then(view, err)
			},
		}, command)
	})
}

func (w *world) view() signals.View {
	w.t.Helper()

	value, err := w.QueryWorkflow(signals.StateQuery)
	require.NoError(w.t, err)

	var view signals.View

	require.NoError(w.t, value.Get(&view))

	return view
}

func (w *world) run(input any) {
	w.t.Helper()

	if input == nil {
		w.ExecuteWorkflow(signals.ConversationWorkflow)
	} else {
		w.ExecuteWorkflow(signals.ConversationWorkflow, input)
	}

	require.True(w.t, w.IsWorkflowCompleted())
	require.LessOrEqual(w.t, len(w.timers), 1, "more than one timer at a time")
}

func (w *world) result() signals.Result {
	w.t.Helper()
	require.NoError(w.t, w.GetWorkflowError())

	var result signals.Result

	require.NoError(w.t, w.GetWorkflowResult(&result))

	return result
}

// next is the input of the run that this one continued as.
func (w *world) next() conversation.Input {
	w.t.Helper()

	var (
		again *workflow.ContinueAsNewError
		input conversation.Input
	)

	require.ErrorAs(w.t, w.GetWorkflowError(), &again)
	require.Equal(w.t, signals.ConversationWorkflow, again.WorkflowType.Name)
	require.NoError(w.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &input))

	return input
}

// orders are the kinds of what was handed out, in order.
func (w *world) orders() []string {
	var out []string

	for i := range w.dispatched {
		for _, order := range w.dispatched[i].Orders {
			kind := string(order.Kind)
			if order.Event != nil {
				kind = string(order.Event.Type)
			}

			out = append(out, kind+" "+order.Target)
		}
	}

	return out
}

func (w *world) closed() *conversation.Record {
	for i := range w.dispatched {
		if w.dispatched[i].Closed != nil {
			return w.dispatched[i].Closed
		}
	}

	return nil
}

// TestWholeLife is a conversation from its first message to its ticket.
func TestWholeLife(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.send(0, inThread("T1", says("ann", "Hello?", 0)))
	w.after(11*time.Minute, func() {
		view := w.view()
		require.True(t, view.Unreplied)
		require.Equal(t, 2, view.PushTimes)
		require.Equal(t, signals.StatusOpen, view.Status)
	})
	w.send(12*time.Minute, inThread("T1", says("smith", "Hello!", 12*time.Minute)))
	w.after(12*time.Minute+time.Second, func() {
		view := w.view()
		require.False(t, view.Unreplied)
		require.Equal(t, "smith", view.Agent)

		value, err := w.QueryWorkflow(signals.TimelineQuery)
		require.NoError(t, err)

		var timeline []signals.TimelineEntry

		require.NoError(t, value.Get(&timeline))
		require.NotEmpty(t, timeline)
	})
	w.send(20*time.Minute, inThread("T1", event(signals.ConversationClosed, "smith", 20*time.Minute)))
	w.run(nil)

	result := w.result()
	require.Equal(t, 1, result.Session)
	require.Equal(t, []string{"T1"}, result.Threads)
	require.True(t, at(20*time.Minute).Equal(result.ClosedAt))
	require.Len(t, result.IDs, 3)
	require.Equal(t, []string{
		"unreplied.pushed log", "unreplied.pushed log", "cancel log",
	}, w.orders())

	record := w.closed()
	require.NotNil(t, record)
	require.Equal(t, signals.StatusClosed, record.View.Status)
	require.Equal(t, signals.TicketID(key().WorkflowID(), 1), record.Ticket.ID)
	require.False(t, record.Ticket.Unreplied)
	require.Len(t, record.Ticket.Transcript, 2)
}

// TestBadElementCostsOnlyItself: the other nine of a batch are applied.
func TestBadElementCostsOnlyItself(t *testing.T) {
	t.Parallel()

	for name, bad := range map[string]string{
		"no JSON object":           `"text"`,
		"a field of another type":  `{"id":"x","type":"message.received","message":7}`,
		"an unknown type":          `{"id":"x","type":"message.invented"}`,
		"a type without its block": `{"id":"x","type":"message.received"}`,
		"another conversation's":   `{"id":"x","type":"conversation.opened","conversation":"C2"}`,
		"another source's":         `{"id":"x","type":"conversation.opened","source":"other"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t)
			w.after(0, func() {
				events := make([]signals.Event, 0, 9)
				for i := range 9 {
					events = append(events, says("ann", "text", time.Duration(i)*time.Millisecond))
				}

				batch, err := signals.NewBatch(events)
				require.NoError(t, err)

				batch.Events = slices.Insert(batch.Events, 4, json.RawMessage(bad))
				w.SignalWorkflow(signals.EventsSignal, batch)
			})
			w.after(time.Minute, func() {
				view := w.view()
				require.Equal(t, int64(9), view.Messages.Visitor)
				require.Equal(t, int64(10), view.Accepted)
				require.Equal(t, int64(9), view.Applied)
				require.Equal(t, int64(1), view.Ignored)
				w.SignalWorkflow(signals.CloseSignal, map[string]any{})
			})
			w.run(signals.Start{Session: 1})
			require.Equal(t, 1, w.result().Session)
		})
	}
}

// TestConvenienceSignals are those that a person sends from a command line.
func TestConvenienceSignals(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.after(0, func() {
		// Drained together they are ordered: the escalation goes first.
		w.SignalWorkflow(signals.MessageSignal, map[string]any{"text": "hi", "role": "visitor"})
		w.SignalWorkflow(signals.EscalationSignal, map[string]any{"skill": "sales"})
	})
	w.after(time.Second, func() {
		view := w.view()
		require.Equal(t, signals.StatusQueued, view.Status)
		require.True(t, view.Unreplied)
		require.Equal(t, int64(1), view.Messages.Visitor)
		w.SignalWorkflow(signals.AgentAcceptedSignal, map[string]any{"agent_id": "smith", "agent_name": "Agent Smith"})
		w.SignalWorkflow(signals.QueueMoveSignal, map[string]any{"position": 2})
		w.SignalWorkflow(signals.TypingSignal, map[string]any{"role": "agent", "actor_id": "smith"})
		w.SignalWorkflow(signals.MessageSignal, 7)
	})
	w.after(2*time.Second, func() {
		view := w.view()
		require.Equal(t, "smith", view.Agent)
		require.Equal(t, int64(1), view.Ignored)
		w.SignalWorkflow(signals.MessageSignal, map[string]any{"text": "hello", "role": "agent", "actor_id": "smith"})
	})
	w.after(3*time.Second, func() {
		require.False(t, w.view().Unreplied)
		w.SignalWorkflow(signals.CloseSignal, map[string]any{"reason": "done"})
	})
	w.run(nil)
	require.Equal(t, int64(2), w.closed().View.Messages.Visitor+w.closed().View.Messages.Agent)

	lines := w.closed().Ticket.Transcript
	require.Len(t, lines, 2)
	require.Equal(t, "hi", lines[0].Text)
}

// TestPushOfAMessageWithoutAnID tells the text all the same.
func TestPushOfAMessageWithoutAnID(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.after(0, func() { w.SignalWorkflow(signals.MessageSignal, map[string]any{"text": "hi"}) })
	w.after(6*time.Minute, func() { w.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	w.run(nil)

	require.Equal(t, []string{"unreplied.pushed log", "cancel log"}, w.orders())
	require.Equal(t, "hi", w.dispatched[0].Orders[0].Event.Unreplied.Text)
}

func inThread(thread string, event signals.Event) signals.Event {
	event.Thread = thread

	return event
}

// TestCommands are judged after the signals that were acknowledged before them.
func TestCommands(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	done := 0
	succeeds := func(check func(view signals.View)) func(signals.View, error) {
		return func(view signals.View, err error) {
			require.NoError(t, err)
			check(view)

			done++
		}
	}
	refused := func(reason string) func(signals.View, error) {
		return func(_ signals.View, err error) {
			var failure *temporal.ApplicationError

			require.ErrorAs(t, err, &failure)
			require.Equal(t, signals.RefusedError, failure.Type())
			require.Contains(t, failure.Message(), reason)

			done++
		}
	}

	w.send(0, says("ann", "Hello?", 0))
	w.update(time.Second, signals.AcceptUpdate, signals.Command{AgentID: "smith"}, succeeds(func(view signals.View) {
		require.Equal(t, "smith", view.Agent)
	}))
	w.update(2*time.Second, signals.AcceptUpdate, signals.Command{AgentID: "smith"}, succeeds(func(signals.View) {}))
	w.update(3*time.Second, signals.AcceptUpdate, signals.Command{AgentID: "jones"}, refused("with smith"))
	w.update(3*time.Second+1, signals.DeclineUpdate, signals.Command{AgentID: "jones"}, refused("no invitation"))
	w.update(4*time.Second, signals.SnoozeUpdate, signals.Command{Until: at(time.Minute)}, succeeds(func(view signals.View) {
		require.Equal(t, signals.StatusSnoozed, view.Status)
	}))
	w.update(5*time.Second, signals.NoteUpdate, signals.Command{Text: "call back"}, succeeds(func(signals.View) {}))
	w.update(6*time.Second, signals.NoteUpdate, signals.Command{}, refused("needs a text"))
	w.after(61*time.Second, func() { require.Equal(t, signals.StatusActive, w.view().Status) })
	w.update(70*time.Second, signals.CloseUpdate, signals.Command{Reason: "done", By: "api"}, succeeds(func(view signals.View) {
		require.Equal(t, signals.StatusClosing, view.Status)
	}))
	w.update(71*time.Second, signals.CloseUpdate, signals.Command{Reason: "done", By: "api"}, succeeds(func(signals.View) {}))
	w.update(72*time.Second, signals.AssignUpdate, signals.Command{AgentID: "jones"}, refused("closed since"))
	w.update(80*time.Second, signals.ReopenUpdate, signals.Command{}, succeeds(func(view signals.View) {
		require.Equal(t, signals.StatusActive, view.Status)
	}))
	// A close that was acknowledged before the command counts before it.
	w.after(90*time.Second, func() {
		w.SignalWorkflow(signals.CloseSignal, map[string]any{})
		w.UpdateWorkflow(signals.AcceptUpdate, "raced", &testsuite.TestUpdateCallback{
			OnAccept:   func() {},
			OnReject:   func(err error) { refused("closed since")(signals.View{}, err) },
			OnComplete: func(_ any, err error) { refused("closed since")(signals.View{}, err) },
		}, signals.Command{AgentID: "jones"})
	})
	w.run(nil)
	require.Equal(t, 12, done)
	require.Equal(t, signals.StatusClosed, w.closed().View.Status)
}

// TestContinueAsNew: the next run knows all that this one knew.
func TestContinueAsNew(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	hello := says("ann", "Hello?", 0)
	hello.Seq, hello.Inbox = 7, "inbox"
	w.send(0, hello)
	w.after(6*time.Minute, func() {
		w.SetContinueAsNewSuggested(true)
		w.SignalWorkflow(signals.TypingSignal, map[string]any{})
	})
	w.run(nil)

	input := w.next()
	require.NotNil(t, input.State)
	require.Empty(t, input.State.Outbox)
	require.Equal(t, 1, input.Session)
	require.Equal(t, []string{"unreplied.pushed log"}, w.orders())

	second := newWorld(t)
	second.SetStartTime(at(6 * time.Minute))
	second.SetContinuedExecutionRunID("run-before")
	second.send(0, hello)
	second.after(time.Second, func() {
		view := second.view()
		require.Equal(t, int64(1), view.Duplicates)
		require.Equal(t, int64(1), view.Messages.Visitor)
		require.Equal(t, 1, view.PushTimes)
		require.True(t, at(10*time.Minute).Equal(view.Clocks[0].Due), "%v", view.Clocks)
	})
	second.after(5*time.Minute, func() { require.Equal(t, 2, second.view().PushTimes) })
	second.after(6*time.Minute, func() { second.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	second.run(input)
	require.Equal(t, map[string]int64{"inbox": 7}, second.result().Seqs)
	require.Equal(t, []string{"unreplied.pushed log", "cancel log"}, second.orders())
	require.Equal(t, int64(2), second.dispatched[0].Orders[0].Counter, "counters go on")
}

// TestQuietRunContinuesAfterADay, and so does one that took much in.
func TestQuietRunContinuesAfterADay(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.send(0, says("ann", "Hello?", 0))
	w.run(nil)
	require.NotNil(t, w.next().State)
	require.Equal(t, 4, w.next().State.Episode.Pushes)
	require.True(t, at(24*time.Hour).Equal(w.Now()), "%s", w.Now())

	many := newWorld(t)

	for batch := range 21 {
		events := make([]signals.Event, 0, 100)
		for i := range 100 {
			events = append(events, event(signals.ButtonPressed, "ann", time.Duration(batch*100+i)*time.Millisecond))
		}

		many.send(time.Duration(batch)*time.Second, events...)
	}

	many.run(nil)
	require.NotNil(t, many.next().State)
	require.Equal(t, int64(2000), many.next().State.Applied)
}

// TestNextSession: what comes while the closed session is being stored begins
// the next one, if it may, and is kept beside the ticket, if not.
func TestNextSession(t *testing.T) {
	t.Parallel()

	rated := event(signals.TagAdded, "", 3*time.Minute)
	rated.Tag = &signals.Tag{Name: "late"}
	left := inThread("T2", event(signals.ParticipantLeft, "", 3*time.Minute))
	left.Participant = &signals.Participant{ID: "smith"}

	w := newWorld(t)
	w.send(0, inThread("T1", says("ann", "Hello?", 0)))
	w.send(time.Minute, inThread("T1", event(signals.ConversationClosed, "ann", time.Minute)))
	w.after(2*time.Minute+30*time.Second, func() { w.fail = 5 })
	w.send(3*time.Minute+5*time.Second, inThread("T1", says("ann", "To the closed thread", 2*time.Minute)), rated,
		inThread("T2", says("ann", "Again", 3*time.Minute)))
	w.send(3*time.Minute+6*time.Second, left, inThread("T2", says("ann", "Again", 3*time.Minute)))
	w.run(nil)

	input := w.next()
	require.Nil(t, input.State)
	require.Equal(t, 2, input.Session)
	require.Equal(t, []string{"T1"}, input.Threads)
	require.Len(t, input.Pending, 3, "the duplicate is told by the next run")
	require.NotNil(t, w.closed())

	var stray []string

	for i := range w.dispatched {
		for _, event := range w.dispatched[i].Stray {
			stray = append(stray, string(event.Type))
		}
	}

	require.Equal(t, []string{"message.received", "tag.added"}, stray)

	second := newWorld(t)
	second.SetStartTime(at(4 * time.Minute))
	second.after(time.Second, func() {
		view := second.view()
		require.Equal(t, 2, view.Session)
		require.True(t, view.Unreplied)
		require.Equal(t, int64(1), view.Messages.Visitor)
		require.Equal(t, int64(1), view.Duplicates)
		second.SignalWorkflow(signals.CloseSignal, map[string]any{})
	})
	second.run(input)
	require.Equal(t, 2, second.result().Session)
	require.Equal(t, signals.TicketID(key().WorkflowID(), 2), second.closed().Ticket.ID)
}

// TestOnlyStrays: what starts no session does not keep the run from its end.
func TestOnlyStrays(t *testing.T) {
	t.Parallel()

	rated := event(signals.TagAdded, "", 3*time.Minute)
	rated.Tag = &signals.Tag{Name: "late"}
	made := event(signals.TicketCreated, "", 3*time.Minute)
	made.Ticket = &signals.TicketRef{ID: "t", ExternalID: "42", Status: signals.TicketStatusCreated, Session: 1}

	w := newWorld(t)
	w.send(0, says("ann", "Hello?", 0))
	w.after(time.Minute, func() { w.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	w.after(2*time.Minute+30*time.Second, func() { w.fail = 5 })
	w.send(3*time.Minute+5*time.Second, rated, rated, made)
	w.run(nil)

	result := w.result()
	require.Equal(t, 1, result.Session)

	var stray []signals.Event

	for i := range w.dispatched {
		stray = append(stray, w.dispatched[i].Stray...)
	}

	require.Len(t, stray, 1)
	require.Equal(t, signals.TagAdded, stray[0].Type)

	view := w.closed().View
	require.Equal(t, "42", view.Ticket.ExternalID)
	require.Equal(t, view.Accepted, view.Applied+view.Late+view.Ignored)
	require.Equal(t, int64(1), view.Duplicates)
}

// TestDispatchFailsAndRecovers: nothing is lost, nothing goes out twice, and
// the wait is no busy loop.
func TestDispatchFailsAndRecovers(t *testing.T) {
	t.Parallel()

	timers := 0
	w := newWorld(t)
	w.fail = 12
	w.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	w.send(0, says("ann", "Hello?", 0))
	w.send(5*time.Minute+time.Second, says("smith", "Hello!", 5*time.Minute+time.Second))
	w.after(10*time.Minute, func() {
		require.Equal(t, []string{"unreplied.pushed log", "cancel log"}, w.orders())
		w.SignalWorkflow(signals.CloseSignal, map[string]any{})
	})
	w.ExecuteWorkflow(signals.ConversationWorkflow)
	require.Equal(t, 1, w.result().Session)
	require.Less(t, timers, 40)
}

// TestSessionBefore: a run that was started from outside asks for it.
func TestSessionBefore(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.before = signals.Start{
		Version: 1, Session: 4, Threads: []string{"T1"}, ClosedAt: at(-time.Hour), IDs: []signals.SeenID{{ID: "seen", At: at(-time.Hour)}},
	}
	seen := says("ann", "Seen", 0)
	seen.ID = "seen"
	w.send(0, seen, inThread("T1", says("ann", "Late", time.Second)), says("ann", "Hello?", 2*time.Second))
	w.after(3*time.Second, func() {
		view := w.view()
		require.Equal(t, 4, view.Session)
		require.Equal(t, int64(1), view.Duplicates)
		require.Equal(t, int64(1), view.Late)
		require.Equal(t, int64(1), view.Messages.Visitor)
		w.SignalWorkflow(signals.CloseSignal, map[string]any{})
	})
	w.run(nil)
	require.Equal(t, 4, w.result().Session)
}

// TestBadWorkflowID: a run under a foreign id ends at once.
func TestBadWorkflowID(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "nothing of ours"})
	w.run(nil)

	var failure *temporal.ApplicationError

	require.ErrorAs(t, w.GetWorkflowError(), &failure)
	require.Equal(t, "BadWorkflowID", failure.Type())
}
