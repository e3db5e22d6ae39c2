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

		s := newServer()
		s.fail(func(context.Context, string, string) error {
			time.Sleep(50 * time.Microsecond) // lets others overtake if they can

			return nil
		})

		c := courier.New(s, courier.Config{Parallel: parallel}, nil)

		var (
			waiting sync.WaitGroup
			mu      sync.Mutex
			parked  = make(map[signals.Key][]string)
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

						for i, fate := range got.Fates {
							if fate == courier.Parked {
								parked[key] = append(parked[key], events[i].ID)
							}
						}

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

		for conversation := range conversations {
			key := signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", conversation)}
			got := s.got(key.WorkflowID(), 0)

			require.LessOrEqual(rt, s.count(key.WorkflowID()), 1)
			require.Len(rt, slices.Concat(got, parked[key]), sent*callers)

			next := make(map[string]string)

			// What was parked came before the run did.
			for _, id := range slices.Concat(parked[key], got) {
				caller, _, _ := strings.Cut(id, "-")
				require.Less(rt, next[caller], id, "overtaken or doubled")
				next[caller] = id
			}

			require.Len(rt, slices.Collect(maps.Keys(next)), callers)
		}
	})
}
