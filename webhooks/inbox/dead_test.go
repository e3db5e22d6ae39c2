package inbox_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// refusing refuses batches with any of these ids.
func refusing(
	next func(signals.Key, []signals.Event) (courier.Outcome, error), bad ...string,
) func(signals.Key, []signals.Event) (courier.Outcome, error) {
	return func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
		for i := range events {
			if slices.Contains(bad, events[i].ID) {
				return courier.Outcome{}, fmt.Errorf("%w: event %s\nis bad", courier.ErrRefused, events[i].ID)
			}
		}

		return next(key, events)
	}
}

// TestDeadLettersHoldNobodyUp: the guilty ones alone are put aside.
func TestDeadLettersHoldNobodyUp(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: refusing(noRun(0), "bad1", "bad2", "bad3")}
	b.accept(tag("t1"), message("bad1"), tag("t2"), tag("bad2"), message("m1"), message("bad3"), message("m2"))
	b.accept(in("C2", message("m1")))
	b.Start(carrier)
	b.forwarded()

	require.Equal(t, map[string]inbox.State{
		"t1": inbox.StateForwarded, "bad1": inbox.StateDead, "t2": inbox.StateForwarded, "bad2": inbox.StateDead,
		"m1": inbox.StateForwarded, "bad3": inbox.StateDead, "m2": inbox.StateForwarded,
	}, b.states(key()))
	require.Equal(t, inbox.Kept{Pending: 3}, b.kept(key()))

	// In order, and what waits for a start ahead of it.
	var signalled []string

	for _, batch := range carrier.got() {
		if slices.Contains(batch, "m1") && !slices.ContainsFunc(batch, func(id string) bool { return id[:2] == "ba" }) && len(batch) > 1 {
			signalled = batch
		}
	}

	require.Equal(t, []string{"t1", "t2", "m1"}, signalled)

	letters, next, err := b.Dead(t.Context(), 2, "")
	require.NoError(t, err)
	require.Len(t, letters, 2)
	require.Equal(t, "bad1", letters[0].EventID)
	require.Equal(t, signals.MessageReceived, letters[0].Type)
	require.Equal(t, key(), letters[0].Key)
	require.Equal(t, "refused: event bad1 is bad", letters[0].Reason)
	require.Equal(t, b.clock.Now(), letters[0].DiedAt)
	require.Equal(t, epoch, letters[0].At)
	require.Equal(t, "Is anyone there?", letters[0].Event.Message.Text)

	letters, next, err = b.Dead(t.Context(), 2, next)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Empty(t, next)

	_, _, err = b.Dead(t.Context(), 2, "x")
	require.ErrorIs(t, err, inbox.ErrBadCursor)

	report, err := b.Report(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, report.Dead)
	require.Zero(t, report.Depth, "a dead letter takes room")
}

func TestDeadAmongParked(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: noRun(0)}
	b.Start(carrier)
	b.accept(tag("t1"), tag("bad"), tag("t2"))
	b.parked(3)
	carrier.say(refusing(noRun(0), "bad", "worse"))
	b.accept(message("worse"), message("m1"))
	b.forwarded()

	calls := carrier.got()
	require.Equal(t, []string{"t1", "t2", "m1"}, calls[len(calls)-1])
	require.Equal(t, map[string]inbox.State{
		"t1": inbox.StateForwarded, "bad": inbox.StateDead, "t2": inbox.StateForwarded, "worse": inbox.StateDead, "m1": inbox.StateForwarded,
	}, b.states(key()))
}

// TestTemporalGoesWhileTheGuiltyAreSought leaves what is open for later.
func TestTemporalGoesWhileTheGuiltyAreSought(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	gone := false
	carrier := &script{}
	carrier.answer = func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
		if gone {
			return away(key, events)
		}

		gone = len(events) == 1 && events[0].ID == "m1"

		return refusing(noRun(0), "bad")(key, events)
	}
	b.accept(message("m1"), message("bad"), message("m2"))
	b.Start(carrier)
	require.Eventually(t, func() bool { return len(carrier.got()) > 3 }, 5*time.Second, time.Millisecond)
	require.Equal(t, map[string]inbox.State{
		"m1": inbox.StateForwarded, "bad": inbox.StatePending, "m2": inbox.StatePending,
	}, b.states(key()))

	carrier.say(refusing(noRun(0), "bad"))
	b.forwarded()
	require.Equal(t, map[string]inbox.State{
		"m1": inbox.StateForwarded, "bad": inbox.StateDead, "m2": inbox.StateForwarded,
	}, b.states(key()))
}

func TestRetry(t *testing.T) {
	t.Parallel()

	for _, restarted := range []bool{false, true} {
		t.Run(strconv.FormatBool(restarted), func(t *testing.T) {
			t.Parallel()

			b := setup(t, inbox.Config{})
			carrier := &script{answer: refusing(noRun(0), "bad")}
			b.Start(carrier)
			b.accept(message("m1"), message("bad"), message("m2"))
			b.forwarded()

			if restarted {
				b.stop()
				b.open()
				b.Start(carrier)
			}

			letters, _, err := b.Dead(t.Context(), 0, "")
			require.NoError(t, err)
			require.Len(t, letters, 1)

			_, err = b.Retry(t.Context(), letters[0].ID+100)
			require.ErrorIs(t, err, inbox.ErrNotFound)
			require.NoError(t, b.Health(), "a wrong id is no failure of the disk")

			carrier.say(noRun(0))

			seq, err := b.Retry(t.Context(), letters[0].ID)
			require.NoError(t, err)
			require.EqualValues(t, 4, seq)
			b.forwarded()

			calls := carrier.made()
			last := calls[len(calls)-1].events
			require.Equal(t, []string{"bad"}, ids(last))
			require.Equal(t, seq, last[0].Seq)
			require.Equal(t, epoch, last[0].At)

			archive := b.archive(key())
			require.Len(t, archive, 3, "it is there once")
			require.Equal(t, archive[2].Event.Inbox, last[0].Inbox)
			require.Zero(t, b.kept(key()))

			_, err = b.Retry(t.Context(), letters[0].ID)
			require.ErrorIs(t, err, inbox.ErrNotFound)

			report, err := b.Report(t.Context())
			require.NoError(t, err)
			require.Zero(t, report.Dead)

			// The platform's own repetition is one all the same.
			got, err := b.Accept(t.Context(), "livechat", []signals.Event{message("bad")})
			require.NoError(t, err)
			require.Equal(t, inbox.Receipt{Duplicates: 1}, got)
		})
	}
}
