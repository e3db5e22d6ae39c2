package deliver

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// beatEvery is well below the workflow's heartbeat timeout.
const beatEvery = time.Second

// sendWhole makes the attempt with signs of life. Those also bring word that it
// was called back; what is on the wire ends by itself all the same, so that the
// history says what became of it.
func sendWhole(ctx context.Context, sender Sender, order *signals.Order) (delivery.Receipt, error) {
	stop := beat(ctx)
	defer stop()

	whole := context.WithoutCancel(ctx)

	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc

		whole, cancel = context.WithDeadline(whole, deadline)
		defer cancel()
	}

	return sender.Send(whole, order)
}

// beat gives a sign of life until the function that it returns is called: an
// attempt waits for a receiver without a word, and only so can Temporal tell it
// from one whose process was killed.
func beat(ctx context.Context) (stop func()) {
	// Outside a worker, as in a test that calls the method itself, nobody hears.
	if !activity.IsActivity(ctx) {
		return func() {}
	}

	ctx, cancel := context.WithCancel(ctx)

	var beating sync.WaitGroup

	beating.Go(func() {
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()

		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	})

	return func() {
		cancel()
		beating.Wait()
	}
}
