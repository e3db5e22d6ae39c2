package inbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// Carrier brings events to their conversations; it is the courier.
type Carrier interface {
	Events(ctx context.Context, key signals.Key, events []signals.Event) (courier.Outcome, error)
}

const (
	// firstRest and maxRest are between two attempts, at one conversation or,
	// while Temporal is away, at all of them.
	firstRest = 50 * time.Millisecond
	maxRest   = 5 * time.Second
	// maxFailing is how many conversations must fail one after the other until
	// it is no longer their own fault.
	maxFailing = 2
	// slowAfter is from when on an attempt no longer counts against
	// Config.Parallel: what hangs must not hold up the conversations behind it.
	slowAfter = time.Second
	// maxSlow is how many attempts there are at most, hanging ones included, for
	// each that Config.Parallel allows.
	maxSlow = 8
)

// forwarder hands batches to the carrier. Everything but base is guarded by the
// inbox's mu.
type forwarder struct {
	carrier Carrier
	// base ends when [Inbox.Stop] has lost patience.
	base context.Context //nolint:containedctx // the life of the forwarder, not of a call
	stop context.CancelFunc
	busy sync.WaitGroup

	// work is signalled when something is ready, or all must look up.
	work  *sync.Cond
	ready ring
	// brisk are the attempts that count against Config.Parallel.
	brisk int
	// stopped since [Inbox.Stop].
	stopped bool
	// waiting are the lanes that somebody waits for.
	waiting map[*lane]struct{}

	// failing are the conversations that failed since the last success.
	failing map[signals.Key]struct{}
	lastErr error
	// away: Temporal is, and one probe goes out at a time, not before next.
	away, probing bool
	rest          time.Duration
	next          time.Time
}

func (f *forwarder) init(mu *sync.Mutex) {
	f.work = sync.NewCond(mu)
	f.ready = newRing()
	f.waiting = make(map[*lane]struct{})
	f.failing = make(map[signals.Key]struct{})
	f.base, f.stop = context.WithCancel(context.Background())
}

// Start begins to forward what waits, and everything that comes from then on,
// through carrier. Call it once.
func (in *Inbox) Start(carrier Carrier) {
	in.mu.Lock()
	defer in.mu.Unlock()

	in.forwarder.carrier = carrier

	for range in.config.Parallel * maxSlow {
		in.forwarder.busy.Go(in.forward)
	}

	for _, way := range in.lanes {
		in.ready(way)
	}
}

// Stop takes in nothing more, stops forwarding and returns once what is on its
// way has been answered and written down, or ctx has ended. What is left goes
// out at the next start. The archive can still be read and written until the
// database is closed.
func (in *Inbox) Stop(ctx context.Context) error {
	in.closed.Store(true)

	in.mu.Lock()
	in.forwarder.stopped = true
	in.giveUp(ErrClosed)
	in.forwarder.work.Broadcast()
	in.mu.Unlock()

	drained := make(chan struct{})

	go func() {
		in.forwarder.busy.Wait()
		close(drained)
	}()

	var late error

	select {
	case <-drained:
	case <-ctx.Done():
		late = fmt.Errorf("stop the inbox: %w", ctx.Err())
	}

	in.forwarder.stop()
	<-drained

	// Marks that are lost cost repetitions, no more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushEvery)
	defer cancel()

	return errors.Join(late, in.change(ctx, nil, nil))
}

// Settled returns once everything that was accepted for key before the call has
// been forwarded, parked or settled otherwise. [ErrBehind], at once, while
// Temporal is known to be away; the error of ctx if that ends first.
func (in *Inbox) Settled(ctx context.Context, key signals.Key) error {
	in.mu.Lock()

	way, ok := in.lanes[key]
	if !ok || len(way.pending) == 0 {
		in.mu.Unlock()

		return nil
	}

	if in.forwarder.stopped || in.forwarder.away || way.fails > 0 {
		in.mu.Unlock()

		return ErrBehind
	}

	w := waiter{seq: way.pending[len(way.pending)-1].seq, done: make(chan error, 1)}
	way.waiters = append(way.waiters, w)
	in.forwarder.waiting[way] = struct{}{}
	in.mu.Unlock()

	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		in.mu.Lock()
		defer in.mu.Unlock()

		way.waiters = slices.DeleteFunc(way.waiters, func(other waiter) bool { return other.done == w.done })
		in.answer(way)

		return fmt.Errorf("wait for %s: %w", key, ctx.Err())
	}
}

// answer tells those who wait for a lane what is settled by now. The caller
// holds mu.
func (in *Inbox) answer(way *lane) {
	way.waiters = slices.DeleteFunc(way.waiters, func(w waiter) bool {
		if len(way.pending) > 0 && way.pending[0].seq <= w.seq {
			return false
		}

		w.done <- nil

		return true
	})

	if len(way.waiters) == 0 {
		delete(in.forwarder.waiting, way)
	}
}

// ready puts a lane in line for a forwarder if there is anything to do in it.
// The caller holds mu.
func (in *Inbox) ready(way *lane) {
	if way.busy || way.queued || way.resting || len(way.pending) == 0 && !way.tell {
		return
	}

	way.queued = true
	in.forwarder.ready.push(way)
	in.forwarder.work.Signal()
}

// forward carries one batch after the other.
func (in *Inbox) forward() {
	for {
		b, ok := in.next()
		if !ok {
			return
		}

		slow := time.AfterFunc(slowAfter, func() { in.makeRoom(b) })

		in.carry(in.forwarder.base, b)
		slow.Stop()
		in.makeRoom(b)
	}
}

// makeRoom lets another batch go out beside this one.
func (in *Inbox) makeRoom(b *batch) {
	in.mu.Lock()
	defer in.mu.Unlock()

	if b.brisk {
		b.brisk = false
		in.forwarder.brisk--
		in.forwarder.work.Signal()
	}
}

// next waits for a lane that is ready and takes its batch.
func (in *Inbox) next() (*batch, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()

	f := &in.forwarder

	for {
		switch {
		case f.stopped:
			return nil, false
		case f.ready.len() == 0, f.brisk >= in.config.Parallel, f.away && (f.probing || time.Now().Before(f.next)):
			f.work.Wait()
		default:
			f.probing = f.away
			f.brisk++

			return in.pack(f.ready.pop()), true
		}
	}
}

// succeeded says that Temporal is there. The caller holds mu.
func (in *Inbox) succeeded(way *lane) {
	f := &in.forwarder
	way.fails = 0

	if len(f.failing) > 0 {
		clear(f.failing)
	}

	if f.away {
		f.away, f.probing, f.rest, f.lastErr = false, false, 0, nil
		f.work.Broadcast()
		in.log.Info("temporal answers again", "waiting", in.depth())
	}
}

// failed lets a conversation rest, or all of them, if Temporal is away. The
// caller holds mu.
func (in *Inbox) failed(b *batch, err error) {
	f, way := &in.forwarder, b.way
	way.fails++

	if b.probe {
		f.probing = false
	}

	switch {
	case f.stopped:
		return
	case !errors.Is(err, courier.ErrUnavailable), errors.Is(err, courier.ErrHeld), errors.Is(err, ErrDisk):
		// A run that is held up says nothing about the others, nor does a full
		// queue or our own disk about Temporal.
		in.rest(way)

		f.work.Broadcast() // another may probe

		return
	}

	f.failing[way.key] = struct{}{}
	f.lastErr = err

	in.desert(way, ErrBehind)

	begins := !f.away && len(f.failing) >= maxFailing
	if begins {
		f.away = true

		in.giveUp(ErrBehind)
		in.log.Warn("temporal does not answer; webhooks are accepted and wait", "error", err, "waiting", in.depth())
	}

	if !f.away {
		in.rest(way)

		return
	}

	in.ready(way)

	if begins || b.probe {
		in.probeLater()
	}
}

// probeLater lets one batch go out after a pause. The caller holds mu.
func (in *Inbox) probeLater() {
	f := &in.forwarder
	f.rest = min(max(2*f.rest, in.config.firstRest), maxRest)

	after := jitter(f.rest)
	f.next = time.Now().Add(after)

	time.AfterFunc(after, func() {
		in.mu.Lock()
		defer in.mu.Unlock()

		f.work.Broadcast()
	})
}

// rest lets one conversation rest. The caller holds mu.
func (in *Inbox) rest(way *lane) {
	way.resting = true
	after := in.config.firstRest << min(way.fails-1, 10) //nolint:mnd // far above maxRest already

	time.AfterFunc(jitter(min(after, maxRest)), func() {
		in.mu.Lock()
		defer in.mu.Unlock()

		way.resting = false
		in.ready(way)
		in.vacate(way)
	})
}

// jitter spreads attempts, so that those who failed together come apart.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // guards nothing
}

// desert tells those who wait for a lane that it is in vain. The caller holds
// mu.
func (in *Inbox) desert(way *lane, err error) {
	for _, w := range way.waiters {
		w.done <- err
	}

	way.waiters = nil
	delete(in.forwarder.waiting, way)
}

// giveUp tells all who wait. The caller holds mu.
func (in *Inbox) giveUp(err error) {
	for way := range in.forwarder.waiting {
		in.desert(way, err)
	}
}

// depth counts what waits. The caller holds mu.
func (in *Inbox) depth() int64 {
	var depth int64
	for _, held := range in.shares {
		depth += held.events
	}

	return depth
}
