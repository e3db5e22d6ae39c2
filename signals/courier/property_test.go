package courier_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// TestOrderPerConversation lets several callers per conversation send at the
// same time, each one event after the other, some with a start in it and some
// without: nothing is lost, doubled or overtaken, and no two signals to one
// conversation are ever in flight.
func TestOrderPerConversation(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		conversations := rapid.IntRange(1, 6).Draw(rt, "conversations")
		callers := rapid.IntRange(1, 6).Draw(rt, "callers")
		calls := rapid.IntRange(1, 6).Draw(rt, "calls")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 120), calls, calls).Draw(rt, "sizes")
		starters := rapid.SliceOfN(rapid.Bool(), calls, calls).Draw(rt, "starters")
		parallel := rapid.IntRange(1, 4).Draw(rt, "parallel")

		s, k := newServer(), newKeeper()
		s.fail(func(context.Context, string, string) error {
			time.Sleep(50 * time.Microsecond) // lets others overtake if they can

			return nil
		})

		c := courier.New(s, k, courier.Config{Parallel: parallel}, nil)

		var (
			waiting sync.WaitGroup
			mu      sync.Mutex
			total   courier.Outcome
		)

		for conversation := range conversations {
			key := signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", conversation)}

			for caller := range callers {
				waiting.Go(func() {
					number := 0

					for call, size := range sizes {
						events := make([]signals.Event, 0, size)

						for range size {
							id := fmt.Sprintf("%d-%06d", caller, number)
							number++

							if starters[call] {
								events = append(events, message(id, epoch))
							} else {
								events = append(events, tag(id, epoch))
							}
						}

						got, err := c.Events(context.Background(), key, events)
						if err != nil {
							t.Error(err)
						}

						mu.Lock()
						total.Signalled += got.Signalled
						total.Parked += got.Parked
						mu.Unlock()
					}
				})
			}
		}

		waiting.Wait()
		require.NoError(rt, c.Close(context.Background()))
		require.Zero(rt, s.overlaps.Load(), "two signals to one conversation at a time")

		sent := 0
		for _, size := range sizes {
			sent += size
		}

		require.Equal(rt, sent*callers*conversations, total.Signalled+total.Parked)

		for conversation := range conversations {
			key := signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", conversation)}
			all := s.got(key.WorkflowID(), 0)

			for _, event := range k.waiting(key) {
				all = append(all, event.ID)
			}

			require.LessOrEqual(rt, s.count(key.WorkflowID()), 1)
			require.Len(rt, all, sent*callers)

			next := make(map[string]string)

			for _, id := range all {
				caller, _, _ := strings.Cut(id, "-")
				require.Less(rt, next[caller], id, "overtaken or doubled")
				next[caller] = id
			}

			require.Len(rt, slices.Collect(maps.Keys(next)), callers)
		}
	})
}
