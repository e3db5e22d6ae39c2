package courier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// closedAt is when session 3 of the tests' conversation closed.
var closedAt = epoch.Add(time.Hour) //nolint:gochecknoglobals // a constant that Go cannot spell

func closedResult() signals.Result {
	return signals.Result{
		Version: 1, Session: 3, Seqs: map[string]int64{"a": 7}, Threads: []string{"T1", "T2"}, ClosedAt: closedAt,
		IDs: []signals.SeenID{
			{ID: "m1", At: epoch},
			{ID: "h:same", At: epoch.Add(time.Hour)},
			{ID: signals.RememberedID(strings.Repeat("long", 40)), At: epoch},
		},
	}
}

func TestClosedSession(t *testing.T) {
	t.Parallel()

	after := closedAt.Add(time.Minute)
	in := func(event signals.Event, change func(*signals.Event)) signals.Event {
		change(&event)

		return event
	}

	tests := map[string]struct {
		event    signals.Event
		want     courier.Outcome
		starts   bool
		archived bool
	}{
		"a new message starts the next session": {
			event: message("m9", after), want: courier.Outcome{Signalled: 1}, starts: true,
		},
		"a seen id is dropped": {event: message("m1", after), want: courier.Outcome{Seen: 1}},
		"a long seen id is dropped": {
			event: message(strings.Repeat("long", 40), after), want: courier.Outcome{Seen: 1},
		},
		"a derived id within the window is dropped": {
			event: message("h:same", closedAt.Add(2*time.Minute)), want: courier.Outcome{Seen: 1},
		},
		"a derived id after the window is new": {
			event: message("h:same", closedAt.Add(2*time.Minute+1)), want: courier.Outcome{Signalled: 1}, starts: true,
		},
		"a seen number is dropped": {
			event: in(message("m9", after), func(e *signals.Event) { e.Seq, e.Inbox = 7, "a" }), want: courier.Outcome{Seen: 1},
		},
		"a higher number is new": {
			event: in(message("m9", after), func(e *signals.Event) { e.Seq, e.Inbox = 8, "a" }),
			want:  courier.Outcome{Signalled: 1}, starts: true,
		},
		"another inbox's number is new": {
			event: in(message("m9", after), func(e *signals.Event) { e.Seq, e.Inbox = 7, "b" }),
			want:  courier.Outcome{Signalled: 1}, starts: true,
		},
		"a closed thread is late, however new": {
			event: in(message("m9", after), func(e *signals.Event) { e.Thread = "T2" }),
			want:  courier.Outcome{Late: 1}, archived: true,
		},
		"a new thread starts, however old": {
			event: in(message("m9", epoch), func(e *signals.Event) { e.Thread = "T3" }),
			want:  courier.Outcome{Signalled: 1}, starts: true,
		},
		"without a thread, not newer than the close is late": {
			event: message("m9", closedAt), want: courier.Outcome{Late: 1}, archived: true,
		},
		"a late tag is late too": {
			event: in(tag("t1", after), func(e *signals.Event) { e.Thread = "T1" }), want: courier.Outcome{Late: 1}, archived: true,
		},
		"what may not start waits": {event: tag("t1", after), want: courier.Outcome{Parked: 1}},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, courier.Config{})
			b.server.open(t, b.id)
			b.server.end(t, b.id, closedResult())

			got, err := b.courier.Events(t.Context(), b.key, []signals.Event{test.event})
			require.NoError(t, err)
			require.Equal(t, test.want, got)

			if !test.starts {
				require.Equal(t, 1, b.server.count(b.id), "a ghost run was started")
			} else {
				require.Equal(t, closedResult().Next(), b.server.run(t, b.id, 1).start(t))
				require.Equal(t, []string{test.event.ID}, b.server.got(b.id, 1))
			}

			if test.archived {
				require.Equal(t, []keptEvent{{test.event.ID, 3, courier.Late}}, b.keeper.archived(b.key))
			} else {
				require.Empty(t, b.keeper.archived(b.key))
			}

			if test.want.Parked > 0 {
				require.Len(t, b.keeper.waiting(b.key), 1)
				require.Equal(t, 3, b.keeper.waiting(b.key)[0].Session, "an orphan would not know its session")
			}
		})
	}
}

func TestMixedBatchToAClosedSession(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.open(t, b.id)
	b.server.end(t, b.id, closedResult())

	late := tag("t1", closedAt.Add(time.Minute))
	late.Thread = "T1"

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{
		message("m1", epoch), late, tag("t2", closedAt.Add(time.Minute)), message("m9", closedAt.Add(time.Minute)),
	})
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{Signalled: 2, Late: 1, Seen: 1}, got)
	require.Equal(t, []string{"t2", "m9"}, b.server.got(b.id, 1))
}

func TestWindowOfTheSource(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{RetryWindow: func(source string) time.Duration {
		require.Equal(t, "livechat", source)

		return time.Hour
	}})
	b.server.open(t, b.id)
	b.server.end(t, b.id, closedResult())

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("h:same", closedAt.Add(59*time.Minute))})
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{Seen: 1}, got)
}

func TestParkedGoesAhead(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	for _, id := range []string{"t1", "t2"} {
		got, err := b.courier.Events(t.Context(), b.key, []signals.Event{tag(id, epoch)})
		require.NoError(t, err)
		require.Equal(t, courier.Outcome{Parked: 1}, got)
	}

	require.Zero(t, b.server.count(b.id))

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)})
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{Signalled: 1}, got, "what was parked before is not this call's")
	require.Equal(t, []string{"t1", "t2", "m1"}, b.server.got(b.id, 0))
	require.Empty(t, b.keeper.waiting(b.key))

	_, err = b.courier.Events(t.Context(), b.key, []signals.Event{message("m2", epoch)})
	require.NoError(t, err)
	require.Equal(t, 1, b.keeper.reads, "the keeper was read although nothing was parked")
}

func TestParkedStaysUntilTheSignalSucceeded(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	_, err := b.courier.Events(t.Context(), b.key, []signals.Event{tag("t1", epoch)})
	require.NoError(t, err)

	b.server.fail(func(_ context.Context, op, _ string) error {
		if op == "start" {
			return errBroken
		}

		return nil
	})

	_, err = b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)})
	require.ErrorIs(t, err, courier.ErrUnavailable)
	require.Len(t, b.keeper.waiting(b.key), 1)
	require.Zero(t, b.keeper.unparks)
}

func TestMoreParkedThanOneSignalCarries(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	for i := range 250 {
		_, err := b.courier.Events(t.Context(), b.key, []signals.Event{tag(fmt.Sprintf("t%d", i), epoch)})
		require.NoError(t, err)
	}

	_, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m1", epoch)})
	require.NoError(t, err)
	require.Equal(t, 1, b.server.count(b.id))
	require.Len(t, b.server.got(b.id, 0), 251)
	require.Equal(t, "m1", b.server.got(b.id, 0)[250])
	require.Len(t, b.server.run(t, b.id, 0).batches, 3)
}

func TestParkedAcrossAClosedSession(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.open(t, b.id)
	b.server.end(t, b.id, closedResult())

	seen := tag("m1", epoch)
	late := tag("t1", closedAt.Add(time.Minute))
	late.Thread = "T1"
	fresh := tag("t2", closedAt.Add(time.Minute))
	require.NoError(t, b.keeper.Park(t.Context(), b.key, []signals.Event{seen, late, fresh}))

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m9", closedAt.Add(time.Minute))})
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{Signalled: 1}, got)
	require.Equal(t, []string{"t2", "m9"}, b.server.got(b.id, 1))
	require.Equal(t, []keptEvent{{"t1", 3, courier.Late}}, b.keeper.archived(b.key))
	require.Empty(t, b.keeper.waiting(b.key))
}

func TestRunWithoutResult(t *testing.T) {
	t.Parallel()

	state := map[string]any{
		"version": 1, "session": 5, "seqs": map[string]int64{"a": 9}, "ids": []signals.SeenID{{ID: "m1", At: epoch}},
		"key": b0Key(), "threads": []map[string]any{{"id": "own"}}, "past_threads": []string{"T0"}, "past_closed_at": closedAt,
	}
	tests := map[string]struct {
		input []any
		want  signals.Start
	}{
		"started with nothing": {nil, signals.Start{Version: 1, Session: 2}},
		"started with a start": {
			[]any{signals.Start{Version: 1, Session: 4, Seqs: map[string]int64{"a": 9}, Threads: []string{"T0"}, ClosedAt: closedAt}},
			signals.Start{Version: 1, Session: 5, Seqs: map[string]int64{"a": 9}, Threads: []string{"T0"}, ClosedAt: closedAt},
		},
		"continued with a state": {
			[]any{state}, signals.Start{
				Version: 1, Session: 6, Seqs: map[string]int64{"a": 9}, IDs: []signals.SeenID{{ID: "m1", At: epoch}},
				Threads: []string{"T0"}, ClosedAt: closedAt, Conversation: "C1",
			},
		},
		"continued with a wrapped state": {
			[]any{map[string]any{"version": 1, "state": state}}, signals.Start{
				Version: 1, Session: 6, Seqs: map[string]int64{"a": 9}, IDs: []signals.SeenID{{ID: "m1", At: epoch}},
				Threads: []string{"T0"}, ClosedAt: closedAt, Conversation: "C1",
			},
		},
		"started with something else": {[]any{"hello"}, signals.Start{Version: 1, Session: 2}},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, courier.Config{})
			b.server.open(t, b.id, test.input...)
			b.server.end(t, b.id, nil)

			_, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m9", closedAt.Add(time.Minute))})
			require.NoError(t, err)
			require.Equal(t, test.want, b.server.run(t, b.id, 1).start(t))
		})
	}
}

func b0Key() signals.Key { return signals.Key{Source: "livechat", Conversation: "C1"} }

func TestResultOfAnotherKindFallsBackToTheInput(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.open(t, b.id)
	b.server.end(t, b.id, []int{1, 2})

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m9", epoch)})
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{Signalled: 1}, got)
	require.Equal(t, 2, b.server.run(t, b.id, 1).start(t).Session)
}

func TestRunThatOpensWhileItIsLookedAt(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	var once atomic.Bool

	b.server.fail(func(_ context.Context, op, id string) error {
		if op == "history" && once.CompareAndSwap(false, true) {
			b.server.open(t, id)
		}

		return nil
	})

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{tag("t1", epoch)})
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{Signalled: 1}, got)
	require.Equal(t, []string{"t1"}, b.server.got(b.id, 0))
}

func TestRunThatRetentionTakesWhileItIsLookedAt(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.open(t, b.id)
	b.server.end(t, b.id, closedResult())

	b.server.fail(func(_ context.Context, op, id string) error {
		if op == "history" {
			b.server.mu.Lock()
			delete(b.server.runs, id)
			b.server.mu.Unlock()
		}

		return nil
	})

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{message("m9", epoch)})
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{Signalled: 1}, got)
	require.Equal(t, 1, b.server.count(b.id))
}

func TestBrokenKeeperPromisesNothing(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.keeper.broken = errBroken

	_, err := b.courier.Events(t.Context(), b.key, []signals.Event{tag("t1", epoch)})
	require.ErrorIs(t, err, courier.ErrUnavailable)
	require.ErrorIs(t, err, errBroken)

	b.keeper.broken = fmt.Errorf("inbox full: %w", courier.ErrBusy)

	_, err = b.courier.Events(t.Context(), b.key, []signals.Event{tag("t1", epoch)})
	require.ErrorIs(t, err, courier.ErrBusy)
	require.NotErrorIs(t, err, courier.ErrUnavailable)

	b.server.open(t, b.id)
	b.server.end(t, b.id, closedResult())

	late := message("m9", epoch)
	_, err = b.courier.Events(t.Context(), b.key, []signals.Event{late, message("m10", closedAt.Add(time.Minute))})
	require.ErrorIs(t, err, courier.ErrBusy)
	require.Equal(t, 1, b.server.count(b.id), "a session was started although its batch was refused")
}

func TestTell(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	report := signals.Event{ID: "k1", Type: signals.TicketCreated, At: epoch}

	require.NoError(t, b.courier.Tell(t.Context(), b.key, []signals.Event{report}))
	require.Zero(t, b.server.count(b.id))
	require.Empty(t, b.keeper.waiting(b.key))

	b.server.open(t, b.id)
	require.NoError(t, b.courier.Tell(t.Context(), b.key, []signals.Event{report}))
	require.Equal(t, []string{"k1"}, b.server.got(b.id, 0))

	b.server.end(t, b.id, closedResult())
	require.NoError(t, b.courier.Tell(t.Context(), b.key, []signals.Event{report}))
	require.Equal(t, 1, b.server.count(b.id))
	require.Empty(t, b.keeper.waiting(b.key))
}

func TestRawStaysBehindAndReachesTheKeeper(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	event := tag("t1", epoch)
	event.Raw = json.RawMessage(`{"whole":true}`)

	_, err := b.courier.Events(t.Context(), b.key, []signals.Event{event})
	require.NoError(t, err)
	require.JSONEq(t, `{"whole":true}`, string(b.keeper.waiting(b.key)[0].Raw))
}
