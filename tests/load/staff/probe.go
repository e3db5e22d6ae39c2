package staff

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// every is how often a desk is asked.
const every = 100 * time.Millisecond

// Asked is what a desk's answers took while it was asked.
type Asked struct {
	// Took counts from when a question was due, so that a slow answer does not
	// keep the next question back.
	Took []time.Duration
	// Failed are questions without an answer, and Err is the first one's error.
	Failed int
	Err    error
	// Waiting is the most that waited in the answers' views.
	Waiting int
}

// Ask asks the plan's desks in turn, one every 100 ms, until the context ends, and
// waits for the answers.
func Ask(ctx context.Context, plan *Plan, view func(ctx context.Context, desk string) (signals.DeskView, error)) *Asked {
	var (
		mu      sync.Mutex
		out     Asked
		answers sync.WaitGroup
	)

	begun := time.Now()

	for number := 0; ; number++ {
		due := begun.Add(time.Duration(number) * every)

		select {
		case <-ctx.Done():
			answers.Wait()

			return &out
		case <-time.After(time.Until(due)):
		}

		answers.Go(func() {
			// A question that is out when the rest is done is answered, too.
			found, err := view(context.WithoutCancel(ctx), plan.Desk(number%plan.Desks))
			took := time.Since(due)

			mu.Lock()
			defer mu.Unlock()

			if err != nil {
				out.Failed++
				out.Err = cmp.Or(out.Err, err)
			}

			out.Took = append(out.Took, took)
			out.Waiting = max(out.Waiting, found.Waiting)
		})
	}
}
