package inbox_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// world is a carrier and the conversations behind it, as the courier and a run
// treat them: numbers that were seen are dropped, what may start does, what
// belongs to a closed session is late. It fails as it is told.
type world struct {
	mu    sync.Mutex
	chats map[signals.Key]*chat
	// troubles are used up one per call.
	troubles []trouble
}

type trouble int

const (
	none trouble = iota
	// dropped: nothing arrives.
	dropped
	// unanswered: it arrives, and nobody says so.
	unanswered
	held
	slow
	// ends: the run closes before, and the next call finds no run.
	ends
	troubles
)

type chat struct {
	open    bool
	session int
	// seqs are the highest seen per inbox, by the run and those before it.
	seqs    map[string]int64
	applied []string
	busy    bool
}

func newWorld(all ...trouble) *world {
	return &world{chats: make(map[signals.Key]*chat), troubles: all}
}

// of returns a conversation. The caller holds mu, or nobody else does.
func (w *world) of(key signals.Key) *chat {
	c, ok := w.chats[key]
	if !ok {
		c = &chat{seqs: make(map[string]int64)}
		w.chats[key] = c
	}

	return c
}

func (w *world) Events(ctx context.Context, key signals.Key, events []signals.Event) (courier.Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	c := w.of(key)
	if c.busy {
		panic("two batches to one conversation at a time")
	}

	next := none
	if len(w.troubles) > 0 {
		next, w.troubles = w.troubles[0], w.troubles[1:]
	}

	if next == slow {
		c.busy = true
		w.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		w.mu.Lock()

		c.busy = false
	}

	switch {
	case ctx.Err() != nil, next == dropped:
		return courier.Outcome{}, fmt.Errorf("signal: %w", courier.ErrUnavailable)
	case next == held:
		return courier.Outcome{}, fmt.Errorf("signal: %w", courier.ErrHeld)
	case slices.ContainsFunc(events, func(e signals.Event) bool { return strings.HasPrefix(e.ID, "bad") }):
		return courier.Outcome{}, fmt.Errorf("%w: bad event", courier.ErrRefused)
	case next == ends:
		c.open = false
	}

	out := c.take(events)

	if next == unanswered {
		return courier.Outcome{}, fmt.Errorf("signal: %w", courier.ErrUnavailable)
	}

	return out, nil
}

func (c *chat) take(events []signals.Event) courier.Outcome {
	out := courier.Outcome{Fates: make([]courier.Fate, len(events)), Session: c.session}

	var rest []int

	for i := range events {
		switch {
		case c.open:
			rest = append(rest, i)
		case events[i].Seq <= c.seqs[events[i].Inbox]:
			out.Fates[i] = courier.Seen
		case c.session > 0 && events[i].Thread == "old":
			out.Fates[i] = courier.Late
		default:
			rest = append(rest, i)
		}
	}

	starts := slices.ContainsFunc(rest, func(i int) bool { return events[i].Type.MayStart() })
	if !c.open && !starts {
		for _, i := range rest {
			out.Fates[i] = courier.Parked
		}

		return out
	}

	if !c.open && slices.Contains(out.Fates, courier.Late) {
		for _, i := range rest {
			out.Fates[i] = courier.Unsent
		}

		return out
	}

	if !c.open {
		c.open = true
		c.session++
	}

	for _, i := range rest {
		if events[i].Seq <= c.seqs[events[i].Inbox] {
			continue // a repetition
		}

		c.seqs[events[i].Inbox] = events[i].Seq
		c.applied = append(c.applied, events[i].ID)
	}

	return out
}

// TestEachExactlyOnce: whatever fails, and however often the process is killed,
// every accepted event ends exactly once as signalled, late, orphan or dead, and
// those that were signalled in the order in which they were accepted.
func TestEachExactlyOnce(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		conversations := rapid.IntRange(1, 4).Draw(rt, "conversations")
		kinds := []string{"m", "t", "old", "bad", "oldm"}
		plan := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) []string {
			return rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 8).Draw(rt, "events")
		}), 1, 12).Draw(rt, "webhooks")
		troubles := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, int(troubles)-1), func(i int) trouble { return trouble(i) }), 0, 25).
			Draw(rt, "troubles")
		crashes := rapid.SliceOfN(rapid.IntRange(0, 4), len(plan), len(plan)).Draw(rt, "crashes")
		memory := rapid.SampledFrom([]int64{1, 1 << 20}).Draw(rt, "memory")

		b := setupAt(t, filepath.Join(t.TempDir(), "parley.db"), inbox.Hasty(inbox.Config{
			Parallel: rapid.IntRange(1, 4).Draw(rt, "parallel"), MaxMemory: memory,
		}))
		w := newWorld(troubles...)
		b.Start(w)

		accepted := make(map[signals.Key][]string)

		for number, kinds := range plan {
			events := make([]signals.Event, 0, len(kinds))

			for i, kind := range kinds {
				id := fmt.Sprintf("%s-%d-%d", kind, number, i)
				event := tag(id)

				switch kind {
				case "m", "bad":
					event = message(id)
				case "old":
					event.Thread = "old"
				case "oldm":
					event = message(id)
					event.Thread = "old"
				}

				key := keyOf((number + i) % conversations)
				events = append(events, in(key.Conversation, event))
				accepted[key] = append(accepted[key], id)
			}

			got, err := b.Accept(context.Background(), "livechat", events)
			require.NoError(rt, err)
			require.Equal(rt, len(events), got.Accepted)

			switch crashes[number] {
			case 0:
				b.crash()
				b.open()
				b.Start(w)
			case 1:
				b.stop()
				b.open()
				b.Start(w)
			case 2:
				b.clock.turn(20 * time.Minute)
				b.Sweep(b.clock.Now())
			case 3:
				b.PlaceAll()
			}
		}

		b.settleAll()

		for key, ids := range accepted {
			b.account(rt, w, key, ids)
		}

		b.stop()
	})
}

// settleAll makes an orphan of everything that is parked, once nothing waits.
func (b *bundle) settleAll() {
	b.t.Helper()

	require.Eventually(b.t, func() bool {
		b.clock.turn(20 * time.Minute)
		b.Sweep(b.clock.Now())
		time.Sleep(time.Millisecond)

		return b.Lanes() == 0
	}, 20*time.Second, time.Millisecond)
}

// account compares what was accepted with what became of it.
func (b *bundle) account(t require.TestingT, w *world, key signals.Key, accepted []string) {
	states := b.states(key)
	require.Len(t, states, len(accepted))

	w.mu.Lock()
	applied := slices.Clone(w.of(key).applied)
	w.mu.Unlock()

	count := make(map[string]int)
	for _, id := range applied {
		count[id]++
	}

	for _, id := range accepted {
		want := 0
		if states[id] == inbox.StateForwarded {
			want = 1
		}

		require.Equal(t, want, count[id], "%s is %s and was applied %d times; all: %v", id, states[id], count[id], applied)
		require.Equal(t, strings.HasPrefix(id, "bad"), states[id] == inbox.StateDead, id)
	}

	require.Len(t, applied, len(slices.Collect(maps.Keys(count))))

	// In the order of acceptance.
	last := -1

	for _, id := range applied {
		at := slices.Index(accepted, id)
		require.Greater(t, at, last, "%s was overtaken: %v", id, applied)
		last = at
	}

	kept, err := b.Kept(context.Background(), key, 0)
	require.NoError(t, err)
	require.EqualValues(t, len(accepted), int64(len(applied))+kept.Late+kept.Ignored+kept.Pending)
}
