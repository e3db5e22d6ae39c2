package courier

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
)

const (
	// firstPause and maxPause are between two attempts at a batch that met a
	// run on its way out; a completion takes some milliseconds.
	firstPause = 20 * time.Millisecond
	maxPause   = 500 * time.Millisecond
	// taskTimeout of every workflow: with Temporal's 10 s a process killed
	// under load left conversations hanging for as long (design, section 5).
	taskTimeout = 2 * time.Second
)

// deliver brings one batch to its workflow and answers the callers.
func (c *Courier) deliver(way *lane, batch []*parcel) {
	if len(batch) == 0 {
		return
	}

	letters := make([]*letter, 0, len(batch))
	for _, p := range batch {
		letters = append(letters, p.letters...)
	}

	ctx, cancel := c.patience(batch)
	defer cancel()

	session := 0
	err := c.persist(ctx, batch, func(ctx context.Context) (err error) {
		switch batch[0].kind {
		case kindEvents:
			session, err = c.conversation(ctx, way.to.key, letters)

			return err
		case kindTell:
			return c.tell(ctx, way.to.key, letters)
		case kindOrders:
			return c.delivery(ctx, way.to, letters)
		case kindOffers:
			return c.offers(ctx, way.to.key, letters)
		case kindAsks, kindWords:
			return c.desk(ctx, way.to.desk, letters)
		default:
			return fmt.Errorf("%w: unknown kind %d", ErrRefused, batch[0].kind)
		}
	})
	if err != nil {
		c.log.WarnContext(ctx, "batch not delivered", "source", way.to.key.Source, "conversation", way.to.key.Conversation,
			"workflow_id", way.id, "size", len(letters), "error", err)
	}

	c.finish(batch, session, err)
}

// patience returns the context of a batch: until the last of its callers gives
// up, and never so long that one target keeps a slot from the others.
func (c *Courier) patience(batch []*parcel) (context.Context, context.CancelFunc) {
	limit := time.Now().Add(c.config.Patience)

	var last time.Time

	for _, p := range batch {
		if p.deadline.IsZero() {
			last = limit

			break
		}

		if p.deadline.After(last) {
			last = p.deadline
		}
	}

	if last.After(limit) {
		last = limit
	}

	return context.WithDeadline(c.base, last)
}

// persist repeats attempt while only a pause is needed and somebody waits.
func (c *Courier) persist(ctx context.Context, batch []*parcel, attempt func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := attempt(ctx)
		if err == nil || !errors.Is(err, errAgain) {
			return err
		}

		if everyoneLeft(batch) {
			return err
		}

		timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // spreads attempts, guards nothing

		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()

			return err
		}
	}
}

func everyoneLeft(batch []*parcel) bool {
	for _, p := range batch {
		if !p.abandoned() {
			return false
		}
	}

	return true
}

// rpc returns the context of one call. The SDK gives a call half of the time
// that remains (internal_utils.go, newGRPCContext), so that it gets twice the
// configured timeout.
func (c *Courier) rpc(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 2*c.config.RPCTimeout)
}

// signal sends letters to the open run of a workflow. Its error is classified by
// the caller, who must tell NotFound apart.
func (c *Courier) signal(ctx context.Context, id string, letters []*letter) error {
	name, payload := payloadOf(letters)

	ctx, cancel := c.rpc(ctx)
	defer cancel()

	begun := time.Now()
	err := c.temporal.SignalWorkflow(ctx, id, "", name, payload)
	c.observe(name, len(letters), begun, err)

	return err
}

// opening is how a workflow is started if need be.
type opening struct {
	workflow string
	reuse    enumspb.WorkflowIdReusePolicy
	summary  string
	// input is nil for none.
	input any
	// attributes are those that the run begins with.
	attributes temporal.SearchAttributes
	// queue is where its tasks go; empty is the usual one.
	queue string
}

// start sends letters, starting the workflow as the reuse policy allows. What
// one signal cannot carry follows in others.
func (c *Courier) start(ctx context.Context, id string, letters []*letter, how opening) error {
	runs := pack(letters)

	if err := c.signalWithStart(ctx, id, runs[0], how); err != nil {
		return err
	}

	if err := c.signalAll(ctx, id, runs[1:]); err != nil {
		if isNotFound(err) {
			return fmt.Errorf("signal %s: %w: %w", id, ErrHeld, err)
		}

		return err
	}

	return nil
}

// signalAll sends several signals, one after the other. The workflow may end
// between two of them; what it has taken, the next attempt finds in its result.
func (c *Courier) signalAll(ctx context.Context, id string, runs [][]*letter) error {
	for _, run := range runs {
		if err := c.signal(ctx, id, run); err != nil {
			return err
		}
	}

	return nil
}

// signalWithStart leaves its error to the caller, who must tell AlreadyStarted
// apart.
func (c *Courier) signalWithStart(ctx context.Context, id string, letters []*letter, how opening) error {
	name, payload := payloadOf(letters)
	options := client.StartWorkflowOptions{
		ID:                    id,
		TaskQueue:             cmp.Or(how.queue, signals.TaskQueue),
		WorkflowTaskTimeout:   taskTimeout,
		WorkflowIDReusePolicy: how.reuse,
		StaticSummary:         how.summary,
		TypedSearchAttributes: how.attributes,
	}

	var args []any
	if how.input != nil {
		args = append(args, how.input)
	}

	ctx, cancel := c.rpc(ctx)
	defer cancel()

	begun := time.Now()
	_, err := c.temporal.SignalWithStartWorkflow(ctx, id, name, payload, options, how.workflow, args...)

	// A server learns of new attributes some seconds after they were registered,
	// and what it refuses for that would be refused for good.
	if options.TypedSearchAttributes.Size() > 0 && refusesAttributes(err) {
		options.TypedSearchAttributes = temporal.SearchAttributes{}
		_, err = c.temporal.SignalWithStartWorkflow(ctx, id, name, payload, options, how.workflow, args...)
	}

	c.observe(name, len(letters), begun, err)

	return err
}

func (c *Courier) observe(signal string, size int, begun time.Time, err error) {
	if c.config.Observer != nil {
		c.config.Observer.Signalled(signal, size, time.Since(begun), err)
	}
}

// payloadOf makes the signal that carries letters: its name and its argument.
func payloadOf(letters []*letter) (string, any) {
	raws := make([]json.RawMessage, 0, len(letters))
	for _, l := range letters {
		raws = append(raws, l.raw)
	}

	switch kind := letters[0].kind; kind {
	case kindOrders:
		return signals.OrdersSignal, signals.OrderBatch{Summary: summarizeOrders(letters), Orders: raws}
	case kindAsks, kindWords, kindOffers:
		return deskPayload(kind, letters, raws)
	case kindEvents, kindTell:
	}

	events := make([]signals.Event, 0, len(letters))
	for _, l := range letters {
		events = append(events, *l.event)
	}

	return signals.EventsSignal, signals.Batch{Summary: signals.Summarize(events), Events: raws}
}

func settle(letters []*letter, where Fate) {
	for _, l := range letters {
		l.fate = where
	}
}
