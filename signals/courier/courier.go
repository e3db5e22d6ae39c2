package courier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/parleyhq/parley/signals"
)

// Temporal is what a courier uses of a Temporal client; a [client.Client] is
// one.
type Temporal interface {
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, signalArg any,
		options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool,
		filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Observer is told about every signal, for metrics. It must not block.
type Observer interface {
	// Signalled is called after each signal: its name, how many events or
	// orders it carried, how long Temporal took, and how it ended.
	Signalled(signal string, size int, took time.Duration, err error)
}

// Fate says where one event went.
type Fate int

// The fates.
const (
	// Signalled events are in a run's history.
	Signalled Fate = iota
	// Late ones belong to a closed session.
	Late
	// Parked ones met no run and may not start one. They go ahead of the next
	// event that may, or on their own to a run that somebody else started.
	Parked
	// Seen ones were applied by a closed session already.
	Seen
	// Unsent ones are left for another call: they start the next session, and
	// the Late ones of this call have to be kept before. If they were not, and
	// all went out again, the run that is open by then would drop the late ones
	// for their lower numbers.
	Unsent
)

// Outcome says where the events of one call went.
type Outcome struct {
	// Fates has one for each event, in the order of the call.
	Fates []Fate
	// Session is the closed one to which Late events belong, and Parked ones
	// if nothing comes that starts another; 0 if there was none.
	Session int
}

// Config holds a courier's bounds; a zero value means the default.
type Config struct {
	// Parallel is how many targets are signalled at a time.
	Parallel int `env:"PARLEY_COURIER_PARALLEL" envDefault:"64" min:"1" max:"10000" desc:"workflows that are signalled at a time"`
	// MaxQueued bounds the events and orders that wait, all in all; one source
	// may hold half of it.
	MaxQueued int `env:"PARLEY_COURIER_MAX_QUEUED" envDefault:"20000" min:"1" desc:"events that may wait for Temporal, all in all"`
	// MaxQueuedBytes bounds their encoded size, in the same way.
	MaxQueuedBytes int `env:"PARLEY_COURIER_MAX_QUEUED_BYTES" envDefault:"134217728" min:"1048576" desc:"bytes that may wait, all in all"`
	// RPCTimeout bounds one call to Temporal, with the client's own repeats.
	RPCTimeout time.Duration `env:"PARLEY_COURIER_RPC_TIMEOUT" envDefault:"3s" min:"100ms" desc:"longest wait for one answer of Temporal"`
	// Patience bounds the attempts at one batch whose callers set no nearer
	// deadline.
	Patience time.Duration `env:"PARLEY_COURIER_PATIENCE" envDefault:"10s" min:"1s" desc:"longest time spent on one batch"`

	// RetryWindow is how long the same derived id of a source counts as a
	// repetition.
	RetryWindow func(source string) time.Duration `env:"-"`
	// DataConverter reads the results and inputs of closed runs; it must be
	// the client's.
	DataConverter converter.DataConverter `env:"-"`
	// Observer may be nil.
	Observer Observer `env:"-"`
}

// defaultRetryWindow is how long platforms repeat a webhook without an id of
// its own (contract, section 4).
const defaultRetryWindow = 2 * time.Minute

// Courier sends events and orders to workflows. Make one per process with
// [New]; its methods may be called at the same time.
type Courier struct {
	temporal Temporal
	config   Config
	log      *slog.Logger

	// base ends when Close has lost patience.
	base  context.Context //nolint:containedctx // the life of the courier, not of a call
	stop  context.CancelFunc
	slots chan struct{}
	busy  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	lanes  map[string]*lane
	queued load
	shares map[string]load
}

// New returns a courier that signals through temporal. A nil log is silent.
func New(temporal Temporal, config Config, log *slog.Logger) *Courier {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}

	config = config.withDefaults()
	base, stop := context.WithCancel(context.Background())

	return &Courier{
		temporal: temporal,
		config:   config,
		log:      log,
		base:     base,
		stop:     stop,
		slots:    make(chan struct{}, config.Parallel),
		lanes:    make(map[string]*lane),
		shares:   make(map[string]load),
	}
}

// Events brings events to the conversation named by key, in order, starting
// its run where the rules say so, and says where each went: what is Signalled
// is in the run's history, the others are the caller's to keep, durably, before
// it sends more. Events that were Parked before stand ahead of the others, in
// their old order; a call goes out as one, in several signals if it is large.
// After an error nothing is promised.
func (c *Courier) Events(ctx context.Context, key signals.Key, events []signals.Event) (Outcome, error) {
	parcels, err := c.send(ctx, key, kindEvents, events)
	if err != nil || len(parcels) == 0 {
		return Outcome{}, err
	}

	return parcels[0].outcome, nil
}

// Tell brings events to the conversation named by key if it is running; that
// it is not is no error. Reports about tickets go this way.
func (c *Courier) Tell(ctx context.Context, key signals.Key, events []signals.Event) error {
	_, err := c.send(ctx, key, kindTell, events)

	return err
}

// Orders brings orders to the delivery workflows of their targets, in order
// for each, starting what is not running. It returns once all of them are in
// their workflows' histories.
func (c *Courier) Orders(ctx context.Context, key signals.Key, orders []signals.Order) error {
	if err := checkKey(key); err != nil {
		return err
	}

	groups := make(map[string][]*letter)
	targets := make([]string, 0, 1)

	for i := range orders {
		order := orders[i]
		if !signals.ValidName(order.Target) {
			return fmt.Errorf("%w: bad target %q of order %q", ErrRefused, order.Target, order.Key)
		}

		raw, err := encodeOrder(&order)
		if err != nil {
			return err
		}

		if groups[order.Target] == nil {
			targets = append(targets, order.Target)
		}

		groups[order.Target] = append(groups[order.Target], &letter{order: &order, raw: raw})
	}

	var (
		all  []*parcel
		errs []error
	)

	for _, target := range targets {
		parcels, err := c.post(ctx, address{key: key, target: target}, kindOrders, groups[target])
		all, errs = append(all, parcels...), append(errs, err)
	}

	return errors.Join(append(errs, c.await(ctx, all))...)
}

// Queued returns how many events and orders wait or are on their way.
func (c *Courier) Queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.queued.letters
}

// Close takes nothing more and waits until everything queued has gone out. If
// ctx ends before that, what remains fails with [ErrUnavailable].
func (c *Courier) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()

	drained := make(chan struct{})

	go func() {
		c.busy.Wait()
		close(drained)
	}()

	select {
	case <-drained:
		c.stop()

		return nil
	case <-ctx.Done():
		c.stop()
		<-drained

		return fmt.Errorf("drain courier: %w", ctx.Err())
	}
}

func (c *Courier) send(ctx context.Context, key signals.Key, kind kind, events []signals.Event) ([]*parcel, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}

	letters := make([]*letter, 0, len(events))

	for i := range events {
		event := events[i]

		raw, err := encodeEvent(&event)
		if err != nil {
			return nil, err
		}

		letters = append(letters, &letter{event: &event, raw: raw})
	}

	parcels, err := c.post(ctx, address{key: key}, kind, letters)
	if err != nil {
		return nil, err
	}

	return parcels, c.await(ctx, parcels)
}

// maxLetter is in bytes: above it the server's limit of 2 MB for one payload
// comes too near.
const maxLetter = 1536 << 10

func encodeEvent(event *signals.Event) (json.RawMessage, error) {
	batch, err := signals.NewBatch([]signals.Event{*event})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}

	return checkSize("event "+event.ID, batch.Events[0])
}

func encodeOrder(order *signals.Order) (json.RawMessage, error) {
	raw, err := json.Marshal(order)
	if err != nil {
		return nil, fmt.Errorf("%w: encode order %s: %w", ErrRefused, order.Key, err)
	}

	return checkSize("order "+order.Key, raw)
}

func checkSize(what string, raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) > maxLetter {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than %d", ErrRefused, what, len(raw), maxLetter)
	}

	return raw, nil
}

func checkKey(key signals.Key) error {
	if !signals.ValidName(key.Source) || key.Conversation == "" {
		return fmt.Errorf("%w: bad conversation key %q", ErrRefused, key)
	}

	return nil
}

func (config Config) withDefaults() Config {
	if config.Parallel <= 0 {
		config.Parallel = 64
	}

	if config.MaxQueued <= 0 {
		config.MaxQueued = 20_000
	}

	if config.MaxQueuedBytes <= 0 {
		config.MaxQueuedBytes = 128 << 20
	}

	if config.RPCTimeout <= 0 {
		config.RPCTimeout = 3 * time.Second
	}

	if config.Patience <= 0 {
		config.Patience = 10 * time.Second
	}

	if config.RetryWindow == nil {
		config.RetryWindow = func(string) time.Duration { return defaultRetryWindow }
	}

	if config.DataConverter == nil {
		config.DataConverter = converter.GetDefaultDataConverter()
	}

	return config
}
