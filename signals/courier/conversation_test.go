package courier_test

import (
	"context"
	"fmt"
	"slices"
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
		event  signals.Event
		want   courier.Fate
		starts bool
	}{
		"a new message starts the next session": {
			event: message("m9", after), want: courier.Signalled, starts: true,
		},
		"a seen id is dropped": {event: message("m1", after), want: courier.Seen},
		"a long seen id is dropped": {
			event: message(strings.Repeat("long", 40), after), want: courier.Seen,
		},
		"a derived id within the window is dropped": {
			event: message("h:same", closedAt.Add(2*time.Minute)), want: courier.Seen,
		},
		"a derived id after the window is new": {
			event: message("h:same", closedAt.Add(2*time.Minute+1)), want: courier.Signalled, starts: true,
		},
		"a seen number is dropped": {
			event: in(message("m9", after), func(e *signals.Event) { e.Seq, e.Inbox = 7, "a" }), want: courier.Seen,
		},
		"a higher number is new": {
			event: in(message("m9", after), func(e *signals.Event) { e.Seq, e.Inbox = 8, "a" }),
			want:  courier.Signalled, starts: true,
		},
		"another inbox's number is new": {
			event: in(message("m9", after), func(e *signals.Event) { e.Seq, e.Inbox = 7, "b" }),
			want:  courier.Signalled, starts: true,
		},
		"a closed thread is late, however new": {
			event: in(message("m9", after), func(e *signals.Event) { e.Thread = "T2" }),
			want:  courier.Late,
		},
		"a new thread starts, however old": {
			event: in(message("m9", epoch), func(e *signals.Event) { e.Thread = "T3" }),
			want:  courier.Signalled, starts: true,
		},
		"without a thread, not newer than the close is late": {
			event: message("m9", closedAt), want: courier.Late,
		},
		"a late tag is late too": {
			event: in(tag("t1", after), func(e *signals.Event) { e.Thread = "T1" }), want: courier.Late,
		},
		"what may not start waits": {event: tag("t1", after), want: courier.Parked},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, courier.Config{})
			b.server.open(t, b.id)
			b.server.end(t, b.id, closedResult())

			got, err := b.courier.Events(t.Context(), b.key, []signals.Event{test.event})
			require.NoError(t, err)
			require.Equal(t, courier.Outcome{Fates: []courier.Fate{test.want}, Session: 3}, got)

			if !test.starts {
				require.Equal(t, 1, b.server.count(b.id), "a ghost run was started")
			} else {
				require.Equal(t, closedResult().Next(), b.server.run(t, b.id, 1).start(t))
				require.Equal(t, []string{test.event.ID}, b.server.got(b.id, 1))
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

	fresh := []signals.Event{tag("t2", closedAt.Add(time.Minute)), message("m9", closedAt.Add(time.Minute))}

	got, err := b.courier.Events(t.Context(), b.key, append([]signals.Event{message("m1", epoch), late}, fresh...))
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{
		Fates: []courier.Fate{courier.Seen, courier.Late, courier.Unsent, courier.Unsent}, Session: 3,
	}, got)
	require.Equal(t, 1, b.server.count(b.id), "the next session began before the late event was kept")

	got, err = b.courier.Events(t.Context(), b.key, append([]signals.Event{message("m1", epoch)}, fresh...))
	require.NoError(t, err)
	require.Equal(t, courier.Outcome{
		Fates: []courier.Fate{courier.Seen, courier.Signalled, courier.Signalled}, Session: 3,
	}, got)
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
	require.Equal(t, courier.Outcome{Fates: []courier.Fate{courier.Seen}, Session: 3}, got)
}

func TestWhatWaitedGoesAhead(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	waiting := []signals.Event{tag("t1", epoch), tag("t2", epoch)}

	got, err := b.courier.Events(t.Context(), b.key, waiting)
	require.NoError(t, err)
	require.Equal(t, all(courier.Parked, 2), got)
	require.Zero(t, b.server.count(b.id))

	got, err = b.courier.Events(t.Context(), b.key, append(waiting, message("m1", epoch)))
	require.NoError(t, err)
	require.Equal(t, all(courier.Signalled, 3), got)
	require.Equal(t, []string{"t1", "t2", "m1"}, b.server.got(b.id, 0))
}

func TestWhatWaitedIsToldToARunOfSomebodyElse(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.open(t, b.id)

	got, err := b.courier.Events(t.Context(), b.key, []signals.Event{tag("t1", epoch)})
	require.NoError(t, err)
	require.Equal(t, went(courier.Signalled), got)
}

// TestMoreThanOneSignalCarries: the event that may start stands behind all that
// one signal takes, and the run must have them first.
func TestMoreThanOneSignalCarries(t *testing.T) {
	t.Parallel()

	for name, closed := range map[string]bool{"never seen": false, "after a session": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, courier.Config{})
			run := 0

			if closed {
				b.server.open(t, b.id)
				b.server.end(t, b.id, closedResult())

				run = 1
			}

			after := closedAt.Add(time.Minute)
			events := make([]signals.Event, 0, 251)

			for i := range 250 {
				events = append(events, tag(fmt.Sprintf("t%d", i), after))
			}

			got, err := b.courier.Events(t.Context(), b.key, events)
			require.NoError(t, err)
			require.Equal(t, all(courier.Parked, 250).Fates, got.Fates)

			got, err = b.courier.Events(t.Context(), b.key, append(events, message("m9", after)))
			require.NoError(t, err)
			require.Equal(t, all(courier.Signalled, 251).Fates, got.Fates)
			require.Equal(t, run+1, b.server.count(b.id))
			require.Len(t, b.server.got(b.id, run), 251)
			require.Equal(t, "m9", b.server.got(b.id, run)[250])
			require.Len(t, b.server.run(t, b.id, run).batches, 3)

			// To a run that is open they go in several signals, too.
			got, err = b.courier.Events(t.Context(), b.key, events)
			require.NoError(t, err)
			require.Equal(t, all(courier.Signalled, 250).Fates, got.Fates)
			require.Len(t, b.server.run(t, b.id, run).batches, 6)
		})
	}
}

// TestRunThatEndsBetweenTwoSignals: what the first carried is in its result,
// and the rest starts the next session.
func TestRunThatEndsBetweenTwoSignals(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	b.server.open(t, b.id)

	events := make([]signals.Event, 0, 150)

	for i := range 150 {
		event := message(fmt.Sprintf("m%d", i), closedAt.Add(time.Minute))
		event.Seq, event.Inbox = int64(i+1), "a"
		events = append(events, event)
	}

	var signalled atomic.Int64

	b.server.fail(func(_ context.Context, op, _ string) error {
		if op == "signal" && signalled.Add(1) == 1 {
			result := closedResult()
			result.Seqs["a"] = 100
			b.server.end(t, b.id, result)
		}

		return nil
	})

	got, err := b.courier.Events(t.Context(), b.key, events)
	require.NoError(t, err)
	require.Equal(t, slices.Concat(all(courier.Seen, 100).Fates, all(courier.Signalled, 50).Fates), got.Fates)
	require.Len(t, b.server.got(b.id, 0), 100)
	require.Len(t, b.server.got(b.id, 1), 50)
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
		"started with nothing": {nil, signals.Start{Version: 2, Session: 2}},
		"started with a start": {
			[]any{signals.Start{Version: 1, Session: 4, Seqs: map[string]int64{"a": 9}, Threads: []string{"T0"}, ClosedAt: closedAt}},
			signals.Start{Version: 2, Session: 5, Seqs: map[string]int64{"a": 9}, Threads: []string{"T0"}, ClosedAt: closedAt},
		},
		"continued with a state": {
			[]any{state}, signals.Start{
				Version: 2, Session: 6, Seqs: map[string]int64{"a": 9}, IDs: []signals.SeenID{{ID: "m1", At: epoch}},
				Threads: []string{"T0"}, ClosedAt: closedAt, Conversation: "C1",
			},
		},
		"continued with a wrapped state": {
			[]any{map[string]any{"version": 1, "state": state}}, signals.Start{
				Version: 2, Session: 6, Seqs: map[string]int64{"a": 9}, IDs: []signals.SeenID{{ID: "m1", At: epoch}},
				Threads: []string{"T0"}, ClosedAt: closedAt, Conversation: "C1",
			},
		},
		"started with something else": {[]any{"hello"}, signals.Start{Version: 2, Session: 2}},
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
	require.Equal(t, courier.Signalled, got.Fates[0])
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
	require.Equal(t, courier.Signalled, got.Fates[0])
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
	require.Equal(t, courier.Signalled, got.Fates[0])
	require.Equal(t, 1, b.server.count(b.id))
}

func TestTell(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	report := signals.Event{ID: "k1", Type: signals.TicketCreated, At: epoch}

	require.NoError(t, b.courier.Tell(t.Context(), b.key, []signals.Event{report}))
	require.Zero(t, b.server.count(b.id))

	b.server.open(t, b.id)
	require.NoError(t, b.courier.Tell(t.Context(), b.key, []signals.Event{report}))
	require.Equal(t, []string{"k1"}, b.server.got(b.id, 0))

	b.server.end(t, b.id, closedResult())
	require.NoError(t, b.courier.Tell(t.Context(), b.key, []signals.Event{report}))
	require.Equal(t, 1, b.server.count(b.id))
}

func TestNothingToSend(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})

	got, err := b.courier.Events(t.Context(), b.key, nil)
	require.NoError(t, err)
	require.Empty(t, got.Fates)
	require.Zero(t, b.server.calls.Load())
}
