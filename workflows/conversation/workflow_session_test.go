package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

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

// TestSessionBeforeCannotBeRead: the run waits, and loses nothing.
func TestSessionBeforeCannotBeRead(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.failLast = 12
	w.send(0, says("ann", "Hello?", 0))
	w.RegisterDelayedCallback(func() {
		require.Equal(t, int64(1), w.view().Messages.Visitor)
		w.SignalWorkflow(signals.CloseSignal, map[string]any{})
	}, 4*time.Minute)
	w.run(nil)
	require.Equal(t, 1, w.result().Session)
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

// TestSessionGap: a report after the gap that arrives before the session's
// ticket begins the next session, and takes what follows it along.
func TestSessionGap(t *testing.T) {
	t.Parallel()

	report := func(push int, offset time.Duration) signals.Event {
		made := event(signals.UnrepliedReported, "", offset)
		made.ReceivedAt = at(offset)
		made.Unreplied = &signals.Unreplied{PushTimes: push, Since: at(offset - time.Minute), Status: signals.UnrepliedOpen}

		return made
	}

	w := newWorld(t, func(s *policy.Snapshot) {
		s.Dialect, s.Policy = policy.DialectTWT, policy.DefaultFor(policy.DialectTWT)
		s.Policy.Limits.SessionGap = policy.Duration(2 * time.Hour)
	})
	const later = 2*time.Hour + 11*time.Minute

	w.send(0, report(1, 0))
	w.send(10*time.Minute, report(2, 10*time.Minute))
	w.send(later+time.Second, report(1, later), report(2, later+time.Second))
	w.run(nil)

	input := w.next()
	require.Nil(t, input.State)
	require.Equal(t, 2, input.Session)
	require.Len(t, input.Pending, 2)
	require.True(t, at(2*time.Hour+10*time.Minute).Equal(input.ClosedAt), "%s", input.ClosedAt)
	require.Equal(t, []string{"unreplied.pushed log", "unreplied.pushed log", "cancel log"}, w.orders())

	second := newWorld(t)
	second.SetStartTime(at(later + 2*time.Minute))
	second.after(time.Second, func() { require.Equal(t, int64(2), second.view().Accepted) })
	second.after(2*time.Second, func() { second.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	second.run(input)
	require.Equal(t, 2, second.result().Session)
}
