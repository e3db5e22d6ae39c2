package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

func TestForwarded(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{}
	b.Start(carrier)
	b.accept(message("m1"), tag("t1"), in("C2", message("m1")))
	b.forwarded()

	calls := carrier.made()
	require.Len(t, calls, 2)

	for _, c := range calls {
		require.Equal(t, c.key.Conversation, c.events[0].Conversation)
		require.Nil(t, c.events[0].Raw, "raw is not for Temporal")
		require.Regexp(t, "^[0-9a-f]{12}$", c.events[0].Inbox)
		require.Positive(t, c.events[0].Seq)
	}

	require.Equal(t, map[string]inbox.State{"m1": inbox.StateForwarded, "t1": inbox.StateForwarded}, b.states(key()))
	require.Zero(t, b.kept(key()))
	require.Zero(t, b.Lanes())
	require.Zero(t, b.Memory())
}

func TestBatchesFillWhileOneIsOnItsWay(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	hold, entered := make(chan struct{}), make(chan struct{}, 100)
	carrier := &script{answer: func(_ signals.Key, events []signals.Event) (courier.Outcome, error) {
		entered <- struct{}{}

		<-hold

		return all(courier.Signalled, len(events)), nil
	}}
	b.Start(carrier)
	b.accept(message("m0"))
	<-entered

	for i := range 250 {
		b.accept(message(fmt.Sprintf("m%d", i+1)))
	}

	close(hold)
	b.forwarded()

	got := carrier.got()
	require.Len(t, got, 4)
	require.Equal(t, []int{1, 100, 100, 50}, []int{len(got[0]), len(got[1]), len(got[2]), len(got[3])})

	for i, id := range slices.Concat(got...) {
		require.Equal(t, fmt.Sprintf("m%d", i), id)
	}

	report, err := b.Report(t.Context())
	require.NoError(t, err)
	require.Equal(t, 100, report.Signal.Max)
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	events := make([]signals.Event, 0, 20)
	for i := range 20 {
		event := message(fmt.Sprintf("m%d", i))
		event.Message.Text = strings.Repeat("x", 60<<10)
		events = append(events, event)
	}

	b.accept(events...)

	carrier := &script{}
	b.Start(carrier)
	b.forwarded()

	for _, batch := range carrier.got() {
		require.LessOrEqual(t, len(batch), 4)
	}
}

// TestOneOnItsWayPerConversation also counts how many go at a time.
func TestOneOnItsWayPerConversation(t *testing.T) {
	t.Parallel()

	const parallel = 4

	var (
		mu         sync.Mutex
		flying     = make(map[signals.Key]int)
		most, here int
	)

	b := setup(t, inbox.Config{Parallel: parallel})
	carrier := &script{answer: func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
		mu.Lock()

		flying[key]++
		here++
		most = max(most, here)

		if flying[key] > 1 {
			t.Error("two batches to one conversation at a time")
		}

		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()

		flying[key]--
		here--

		return all(courier.Signalled, len(events)), nil
	}}
	b.Start(carrier)

	var waiting sync.WaitGroup

	for worker := range 8 {
		waiting.Go(func() {
			for i := range 20 {
				event := in(fmt.Sprintf("C%d", i%10), message(fmt.Sprintf("m%d-%d", worker, i)))
				_, err := b.Accept(t.Context(), "livechat", []signals.Event{event})
				check(t, err)
			}
		})
	}

	waiting.Wait()
	b.forwarded()
	require.Equal(t, parallel, most)
}

// TestHangingHoldsUpNobody: as many conversations hang as may be served at a
// time, and the others are served all the same.
func TestHangingHoldsUpNobody(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{Parallel: 2})
	release := make(chan struct{})
	served := make(chan string, 10)

	b.Start(&script{answer: func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
		if strings.HasPrefix(key.Conversation, "H") {
			<-release
		} else {
			served <- key.Conversation
		}

		return all(courier.Signalled, len(events)), nil
	}})

	for _, conversation := range []string{"H1", "H2", "C1", "C2"} {
		_, err := b.Accept(t.Context(), "livechat", []signals.Event{in(conversation, message("m"))})
		require.NoError(t, err)
	}

	for range 2 {
		select {
		case <-served:
		case <-time.After(30 * time.Second):
			t.Error("those that hang hold up the others")
		}
	}

	close(release)
	b.forwarded()
}

// TestGoingOnesTakeTurns: a flood of new conversations holds up none that runs.
func TestGoingOnesTakeTurns(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{Parallel: 1})
	carrier := &script{}
	gate := make(chan struct{})
	carrier.answer = func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
		if key.Conversation == "gate" {
			<-gate
		}

		return all(courier.Signalled, len(events)), nil
	}
	b.Start(carrier)

	accept := func(conversation, id string) {
		_, err := b.Accept(t.Context(), "livechat", []signals.Event{in(conversation, message(id))})
		require.NoError(t, err)
	}

	for i := range 3 {
		accept(fmt.Sprintf("running%d", i), "m1")
	}

	b.forwarded()
	accept("gate", "m1")
	require.Eventually(t, func() bool { return len(carrier.made()) == 4 }, 30*time.Second, time.Millisecond)

	for i := range 50 {
		accept(fmt.Sprintf("new%d", i), "m1")
	}

	for i := range 3 {
		accept(fmt.Sprintf("running%d", i), "m2")
	}

	close(gate)
	b.forwarded()

	order := make([]string, 0, 8)
	for _, c := range carrier.made()[4:12] {
		order = append(order, c.key.Conversation)
	}

	require.Equal(t, []string{"new0", "running0", "new1", "running1", "new2", "running2", "new3", "new4"}, order)
}

// TestSourcesTakeTurns: a flood of one source holds up no other.
func TestSourcesTakeTurns(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{Parallel: 1})

	for i := range 50 {
		_, err := b.Accept(t.Context(), "flood", []signals.Event{in(fmt.Sprintf("C%d", i), message("m"))})
		require.NoError(t, err)
	}

	for i := range 3 {
		_, err := b.Accept(t.Context(), "quiet", []signals.Event{in(fmt.Sprintf("C%d", i), message("m"))})
		require.NoError(t, err)
	}

	carrier := &script{}
	b.Start(carrier)
	b.forwarded()

	quiet := 0

	for _, c := range carrier.made()[:7] {
		if c.key.Source == "quiet" {
			quiet++
		}
	}

	require.Equal(t, 3, quiet, "the quiet source waited for the flood")
}

func TestMemoryHasABudget(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{MaxMemory: 1000})

	events := make([]signals.Event, 0, 250)
	for i := range 250 {
		events = append(events, message(fmt.Sprintf("m%d", i)))
	}

	b.accept(events...)
	require.LessOrEqual(t, b.Memory(), int64(1000))
	require.Positive(t, b.Memory())

	carrier := &script{}
	b.Start(carrier)
	b.forwarded()

	got := carrier.made()
	require.Len(t, got, 3)
	require.Zero(t, b.Memory())

	for _, c := range got {
		for i := range c.events {
			require.Equal(t, "Is anyone there?", c.events[i].Message.Text)
			require.Nil(t, c.events[i].Raw)
			require.Positive(t, c.events[i].Seq)
		}
	}
}

func TestTemporalAway(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: away}
	b.Start(carrier)

	for i := range 20 {
		b.accept(in(fmt.Sprintf("C%d", i), message("m1")))
	}

	require.Eventually(t, func() bool {
		report, err := b.Report(t.Context())

		return err == nil && report.Behind && strings.Contains(report.LastError, "temporal unavailable")
	}, 5*time.Second, time.Millisecond)

	// One probe at a time, ever less often, and acceptance goes on.
	before := len(carrier.got())

	b.accept(in("C1", message("m2")))
	time.Sleep(500 * time.Millisecond) // nothing can be waited for: it must not happen
	require.Less(t, len(carrier.got())-before, 10, "it is not left alone")
	require.ErrorIs(t, b.Settled(t.Context(), keyOf(1)), inbox.ErrBehind)
	require.NoError(t, b.Settled(t.Context(), keyOf(100)), "nothing waits there")

	carrier.say(nil)
	b.forwarded()

	report, err := b.Report(t.Context())
	require.NoError(t, err)
	require.False(t, report.Behind)
	require.Empty(t, report.LastError)
	require.NoError(t, b.Settled(t.Context(), keyOf(1)))
}

// TestHeldConversation: one that takes nothing rests, and the others go on.
func TestHeldConversation(t *testing.T) {
	t.Parallel()

	for name, fails := range map[string]error{
		"held": courier.ErrHeld, "away, for all that is seen of it": courier.ErrUnavailable, "a full queue": courier.ErrBusy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var failing atomic.Bool

			failing.Store(true)

			b := setup(t, inbox.Config{})
			carrier := &script{answer: func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
				if key.Conversation == "C1" && failing.Load() {
					return courier.Outcome{}, fmt.Errorf("signal: %w", fails)
				}

				return all(courier.Signalled, len(events)), nil
			}}
			b.Start(carrier)
			b.accept(message("m1"))

			for i := range 30 {
				b.accept(in(fmt.Sprintf("D%d", i), message("m1")))
			}

			require.Eventually(t, func() bool {
				report, err := b.Report(t.Context())

				return err == nil && report.Depth == 1
			}, 5*time.Second, time.Millisecond, "the others were held up, too")

			failing.Store(false)
			b.forwarded()
		})
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	hold := make(chan struct{}, 10)
	carrier := &script{answer: func(_ signals.Key, events []signals.Event) (courier.Outcome, error) {
		<-hold

		return all(courier.Signalled, len(events)), nil
	}}
	b.Start(carrier)
	require.NoError(t, b.Settled(t.Context(), key()))

	b.accept(message("m1"))

	settled := make(chan error, 1)

	go func() { settled <- b.Settled(context.Background(), key()) }()

	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()

	require.ErrorIs(t, b.Settled(short, key()), context.DeadlineExceeded)
	require.Empty(t, settled)

	// What comes after the call does not prolong it.
	b.accept(message("m2"))

	hold <- struct{}{}

	require.NoError(t, <-settled)

	hold <- struct{}{}

	b.forwarded()
	require.NoError(t, b.Settled(t.Context(), key()))
	require.Zero(t, b.Lanes())
}

func TestSettledGivesUpWhenTemporalGoes(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	hold := make(chan struct{})
	carrier := &script{answer: func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
		<-hold

		return away(key, events)
	}}
	b.Start(carrier)
	b.accept(message("m1"), in("C2", message("m1")))

	settled := make(chan error, 2)

	go func() { settled <- b.Settled(context.Background(), key()) }()
	go func() { settled <- b.Settled(context.Background(), keyOf(2)) }()

	require.Eventually(t, func() bool { return len(carrier.got()) == 2 }, 5*time.Second, time.Millisecond)
	close(hold)
	require.ErrorIs(t, <-settled, inbox.ErrBehind)
	require.ErrorIs(t, <-settled, inbox.ErrBehind)
}

func TestStopWaitsForWhatIsOnItsWay(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	hold, entered := make(chan struct{}), make(chan struct{}, 1)
	carrier := &script{answer: func(_ signals.Key, events []signals.Event) (courier.Outcome, error) {
		entered <- struct{}{}

		<-hold

		return all(courier.Signalled, len(events)), nil
	}}
	b.Start(carrier)
	b.accept(message("m1"))
	<-entered
	b.accept(message("m2"))

	stopped := make(chan error, 1)

	go func() { stopped <- b.Stop(context.Background()) }()

	require.Eventually(t, func() bool {
		_, err := b.Accept(t.Context(), "livechat", []signals.Event{message("m1")})

		return errors.Is(err, inbox.ErrClosed)
	}, 5*time.Second, time.Millisecond)
	require.Empty(t, stopped)
	require.ErrorIs(t, b.Settled(t.Context(), key()), inbox.ErrBehind)
	close(hold)
	require.NoError(t, <-stopped)
	require.Equal(t, [][]string{{"m1"}}, carrier.got(), "more was sent after the stop")
	require.True(t, b.Flushed())

	b.stop()
	b.open()
	require.Equal(t, map[string]inbox.State{"m1": inbox.StateForwarded, "m2": inbox.StatePending}, b.states(key()))
}

func TestStopLosesPatience(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	entered := make(chan struct{}, 1)
	b.Start(patient{entered})
	b.accept(message("m1"))
	<-entered

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()

	require.ErrorIs(t, b.Stop(ctx), context.DeadlineExceeded)
	require.Equal(t, inbox.Kept{Pending: 1}, b.kept(key()))
}

// patient answers when its caller no longer waits.
type patient struct{ entered chan struct{} }

func (p patient) Events(ctx context.Context, _ signals.Key, _ []signals.Event) (courier.Outcome, error) {
	p.entered <- struct{}{}

	<-ctx.Done()

	return courier.Outcome{}, fmt.Errorf("%w: %w", courier.ErrUnavailable, ctx.Err())
}

func TestCarrierThatMiscounts(t *testing.T) {
	t.Parallel()

	var once atomic.Bool

	b := setup(t, inbox.Config{})
	carrier := &script{answer: func(_ signals.Key, events []signals.Event) (courier.Outcome, error) {
		if once.CompareAndSwap(false, true) {
			return courier.Outcome{}, nil
		}

		return all(courier.Signalled, len(events)), nil
	}}
	b.Start(carrier)
	b.accept(message("m1"))
	b.forwarded()
	require.Len(t, carrier.got(), 2)
}
