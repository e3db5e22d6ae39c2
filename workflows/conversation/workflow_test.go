package conversation_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/parleyhq/parley/signals"
)

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
