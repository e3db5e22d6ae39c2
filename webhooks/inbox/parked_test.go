package inbox_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// parked waits until so many events are.
func (b *bundle) parked(n int) {
	b.t.Helper()

	require.Eventually(b.t, func() bool { return b.Parked() == n }, 10*time.Second, time.Millisecond)
}

func TestParkedGoesAhead(t *testing.T) {
	t.Parallel()

	for _, restarted := range []bool{false, true} {
		t.Run(strconv.FormatBool(restarted), func(t *testing.T) {
			t.Parallel()

			b := setup(t, inbox.Config{})
			carrier := &script{answer: noRun(0)}
			b.Start(carrier)
			b.accept(tag("t1"))
			b.parked(1)
			b.accept(tag("t2"))
			b.parked(2)
			require.Equal(t, map[string]inbox.State{"t1": inbox.StateParked, "t2": inbox.StateParked}, b.states(key()))
			require.Equal(t, inbox.Kept{Pending: 2}, b.kept(key()))
			require.Zero(t, b.Memory())

			want := [][]string{{"t1"}, {"t1", "t2"}}

			if restarted {
				b.stop()
				b.open()
				require.Equal(t, 2, b.Parked())
				b.Start(carrier)

				// Somebody else may have started the run meanwhile.
				want = append(want, []string{"t1", "t2"})

				require.Eventually(t, func() bool { return len(carrier.got()) == 3 }, 5*time.Second, time.Millisecond)
				b.parked(2)
			}

			b.accept(message("m1"))
			b.forwarded()
			require.Equal(t, append(want, []string{"t1", "t2", "m1"}), carrier.got())
			require.Equal(t, map[string]inbox.State{
				"t1": inbox.StateForwarded, "t2": inbox.StateForwarded, "m1": inbox.StateForwarded,
			}, b.states(key()))
			require.Zero(t, b.kept(key()))

			last := int64(0)
			for _, event := range carrier.made()[len(want)].events {
				require.Greater(t, event.Seq, last)
				last = event.Seq
			}
		})
	}
}

// TestParkedWhoseRunWasStarted: the process was killed between Temporal's answer
// and the mark, so that parked events are in a run's history.
func TestParkedWhoseRunWasStarted(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: noRun(0)}
	b.Start(carrier)
	b.accept(tag("t1"))
	b.parked(1)
	require.Eventually(t, b.Flushed, 5*time.Second, time.Millisecond)
	b.accept(message("m1"))
	b.forwarded()
	b.crash()
	b.open()
	require.Equal(t, map[string]inbox.State{"t1": inbox.StateParked, "m1": inbox.StatePending}, b.states(key()))

	carrier.say(func(_ signals.Key, events []signals.Event) (courier.Outcome, error) {
		return all(courier.Seen, len(events)), nil
	})
	b.Start(carrier)
	b.forwarded()
	require.Zero(t, b.kept(key()), "counted twice")
}

func TestLate(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: func(_ signals.Key, events []signals.Event) (courier.Outcome, error) {
		late := all(courier.Late, len(events))
		late.Session = 3

		if len(events) == 3 {
			late.Fates[1] = courier.Seen
		}

		return late, nil
	}}
	b.accept(tag("t1"), tag("t2"), message("m1"))
	b.Start(carrier)
	b.forwarded()

	for session, want := range map[int]inbox.Kept{0: {Late: 2}, 3: {Late: 2}, 2: {}} {
		kept, err := b.Kept(t.Context(), key(), session)
		require.NoError(t, err)
		require.Equal(t, want, kept, "session %d", session)
	}

	late, err := b.Late(t.Context(), key(), 3)
	require.NoError(t, err)
	require.Equal(t, []string{"t1", "m1"}, ids(late))

	for _, archived := range b.archive(key()) {
		if archived.Event.ID != "t2" {
			require.Equal(t, 3, archived.Session)
		}
	}

	b.stop()
	b.open()
	require.Equal(t, map[string]inbox.State{
		"t1": inbox.StateLate, "t2": inbox.StateForwarded, "m1": inbox.StateLate,
	}, b.states(key()))
}

// TestSweep: what has been parked for ten minutes is told once more, and is an
// orphan of the newest session if nobody is there.
func TestSweep(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: noRun(2)}
	b.Start(carrier)
	b.accept(tag("t1"))
	b.parked(1)
	b.clock.turn(9 * time.Minute)
	b.accept(tag("t2"))
	b.parked(2)

	require.Zero(t, b.Sweep(b.clock.Now()))
	b.clock.turn(time.Minute)
	carrier.say(noRun(4))

	calls := len(carrier.got())

	require.Equal(t, 1, b.Sweep(b.clock.Now()))
	b.parked(1)
	require.Equal(t, []string{"t1", "t2"}, carrier.got()[calls])
	require.Equal(t, map[string]inbox.State{"t1": inbox.StateIgnored, "t2": inbox.StateParked}, b.states(key()))
	require.Equal(t, inbox.Kept{Ignored: 1, Pending: 1}, b.kept(key()))

	orphans, err := b.Orphans(t.Context(), key(), 4)
	require.NoError(t, err)
	require.Equal(t, []string{"t1"}, ids(orphans), "an orphan belongs to the session that is the last by then")

	// The other finds a run that somebody started.
	b.clock.turn(9 * time.Minute)
	carrier.say(nil)
	require.Equal(t, 1, b.Sweep(b.clock.Now()))
	b.parked(0)
	require.Equal(t, inbox.StateForwarded, b.states(key())["t2"])
	require.Zero(t, b.Sweep(b.clock.Now().Add(time.Hour)))
	require.Zero(t, b.Lanes())
}

// TestSweepWhileTemporalIsAway makes no orphan of what was never asked for.
func TestSweepWhileTemporalIsAway(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: noRun(0)}
	b.Start(carrier)
	b.accept(tag("t1"))
	b.parked(1)
	carrier.say(away)
	b.clock.turn(time.Hour)

	calls := len(carrier.got())

	require.Equal(t, 1, b.Sweep(b.clock.Now()))
	require.Eventually(t, func() bool { return len(carrier.got()) > calls+1 }, 5*time.Second, time.Millisecond, "not told again")
	require.Equal(t, map[string]inbox.State{"t1": inbox.StateParked}, b.states(key()))

	carrier.say(noRun(0))
	b.parked(0)
	require.Equal(t, map[string]inbox.State{"t1": inbox.StateIgnored}, b.states(key()))
}

func TestOneConversationCannotParkWithoutEnd(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: noRun(1)}
	b.Start(carrier)

	for from := range 6 {
		events := make([]signals.Event, 0, 100)
		for i := range 100 {
			events = append(events, tag(fmt.Sprintf("t%03d", 100*from+i)))
		}

		b.accept(events...)
	}

	b.forwarded()
	require.Equal(t, inbox.MaxParked, b.Parked())
	require.Equal(t, inbox.Kept{Pending: inbox.MaxParked, Ignored: 600 - inbox.MaxParked}, b.kept(key()))

	b.accept(message("m1"))
	b.forwarded()

	calls := carrier.got()
	last := calls[len(calls)-1]
	require.Len(t, last, inbox.MaxParked+1, "what waits goes ahead as a whole")
	require.Equal(t, "t000", last[0])
	require.Equal(t, "m1", last[len(last)-1])

	// Nor in bytes.
	for i := range 20 {
		event := in("C2", tag(fmt.Sprintf("large%d", i)))
		event.Tag.Name = strings.Repeat("x", 100<<10)
		b.accept(event)
	}

	b.forwarded()
	require.Less(t, b.Parked(), 12)
	require.EqualValues(t, 20, b.kept(keyOf(2)).Pending+b.kept(keyOf(2)).Ignored)
}

// TestStartBehindManyOthers: an event that may start stands far behind, and
// everything before it goes ahead all the same.
func TestStartBehindManyOthers(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	events := make([]signals.Event, 0, 251)
	for i := range 250 {
		events = append(events, tag(fmt.Sprintf("t%03d", i)))
	}

	b.accept(append(events, message("m1"))...)

	carrier := &script{answer: noRun(0)}
	b.Start(carrier)
	b.forwarded()

	calls := carrier.got()
	last := calls[len(calls)-1]
	require.Len(t, last, 251)
	require.IsIncreasing(t, last[:250])
	require.Zero(t, b.kept(key()))
}
