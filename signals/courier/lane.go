package courier

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// kind tells what a parcel's letters are; a signal carries one kind only.
type kind int

const (
	kindEvents kind = iota
	kindTell
	kindOrders
	kindOffers
	kindAsks
	kindWords
)

// address is where a lane leads: to a conversation, to what delivers to target
// for it, or to a desk.
type address struct {
	key    signals.Key
	target string
	desk   string
}

func (a address) workflowID() string {
	switch {
	case a.desk != "":
		return signals.DeskWorkflowID(a.desk)
	case a.target != "":
		return a.key.DeliveryID(a.target)
	default:
		return a.key.WorkflowID()
	}
}

// share names whom what waits is counted against: a source, or a desk, whose
// name no source has.
func (a address) share() string {
	if a.desk != "" {
		return signals.DeskWorkflowID(a.desk)
	}

	return a.key.Source
}

// lane is the queue in front of one workflow. It exists only while something
// waits in it or is on its way, and so does its goroutine.
type lane struct {
	id    string
	to    address
	queue []*parcel
}

// letter is one event, one order, or one message between a desk and others, as
// it travels.
type letter struct {
	kind  kind
	event *signals.Event
	order *signals.Order
	// said is what a message of desks says in a summary.
	said string
	raw  json.RawMessage
	fate Fate
}

// parcel is what one call has in a lane. Events of one call stay together, since
// one of them may start the run that the others need; of orders a parcel has at
// most what one signal carries.
type parcel struct {
	kind    kind
	lane    string
	share   string
	letters []*letter
	size    load
	// gone ends when the caller stops waiting, at the latest at deadline; a
	// zero deadline is none.
	gone     <-chan struct{}
	deadline time.Time

	done chan struct{}
	// outcome is that of events.
	outcome Outcome
	err     error
}

// load is what counts against the bounds of a queue or of a signal.
type load struct {
	letters, bytes int
}

func (l load) plus(other load) load {
	return load{letters: l.letters + other.letters, bytes: l.bytes + other.bytes}
}

func (l load) minus(other load) load {
	return load{letters: l.letters - other.letters, bytes: l.bytes - other.bytes}
}

func (l load) over(bound load) bool { return l.letters > bound.letters || l.bytes > bound.bytes }

// perSignal bounds one signal (design, section 6); the margin is for what
// stands around the letters.
func perSignal() load {
	const margin = 4 << 10

	return load{letters: signals.MaxBatchEvents, bytes: signals.MaxBatchBytes - margin}
}

// pack cuts letters into runs that each fit one signal.
func pack(letters []*letter) [][]*letter {
	var (
		runs  [][]*letter
		bound = perSignal()
		from  int
		size  load
	)

	for i := range letters {
		next := size.plus(weigh(letters[i]))
		if i > from && next.over(bound) {
			runs = append(runs, letters[from:i])
			from, next = i, weigh(letters[i])
		}

		size = next
	}

	return append(runs, letters[from:])
}

// weigh counts the comma behind the letter too.
func weigh(letters ...*letter) load {
	size := load{letters: len(letters)}
	for i := range letters {
		size.bytes += len(letters[i].raw) + 1
	}

	return size
}

// post queues letters behind what is already on its way to the same workflow.
// It takes all of them or none.
func (c *Courier) post(ctx context.Context, to address, kind kind, letters []*letter) ([]*parcel, error) {
	if len(letters) == 0 {
		return nil, nil
	}

	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}

	id := to.workflowID()
	deadline, _ := ctx.Deadline()
	parcels := make([]*parcel, 0, 1)

	for _, l := range letters {
		l.kind = kind
	}

	runs := [][]*letter{letters}
	if kind != kindEvents {
		runs = pack(letters)
	}

	for _, run := range runs {
		parcels = append(parcels, &parcel{
			kind: kind, lane: id, share: to.share(), letters: run, size: weigh(run...),
			gone: ctx.Done(), deadline: deadline, done: make(chan struct{}),
		})
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if err := c.admit(to.share(), weigh(letters...)); err != nil {
		return nil, err
	}

	way, ok := c.lanes[id]
	if !ok {
		way = &lane{id: id, to: to}
		c.lanes[id] = way

		c.busy.Add(1)

		go c.drive(way) //nolint:contextcheck // a lane carries what many callers gave it and outlives each
	}

	way.queue = append(way.queue, parcels...)

	return parcels, nil
}

// admit counts size against the bounds. The caller holds mu.
func (c *Courier) admit(who string, size load) error {
	if c.closed {
		return ErrClosed
	}

	bound := load{letters: c.config.MaxQueued, bytes: c.config.MaxQueuedBytes}
	share := load{letters: max(1, bound.letters/2), bytes: max(1, bound.bytes/2)} //nolint:mnd // half, as Config says

	if c.queued.plus(size).over(bound) || c.shares[who].plus(size).over(share) {
		return fmt.Errorf("%w: %d events and orders, %d of %q",
			ErrBusy, c.queued.letters, c.shares[who].letters, who)
	}

	c.queued = c.queued.plus(size)
	c.shares[who] = c.shares[who].plus(size)

	return nil
}

// await returns once all parcels are done or ctx has ended; what has not gone
// out by then never does.
func (c *Courier) await(ctx context.Context, parcels []*parcel) error {
	var first error

	for _, p := range parcels {
		select {
		case <-p.done:
		case <-ctx.Done():
			c.withdraw(parcels)

			return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}

		if first == nil {
			first = p.err
		}
	}

	return first
}

// withdraw takes parcels that still wait out of their lane.
func (c *Courier) withdraw(parcels []*parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()

	for _, way := range c.lanesOf(parcels) {
		way.queue = slices.DeleteFunc(way.queue, func(p *parcel) bool {
			if !slices.Contains(parcels, p) {
				return false
			}

			c.release(p)

			return true
		})
	}
}

// lanesOf returns the lanes in which any of parcels may wait. The caller holds
// mu.
func (c *Courier) lanesOf(parcels []*parcel) []*lane {
	ways := make([]*lane, 0, 1)

	for _, p := range parcels {
		if way, ok := c.lanes[p.lane]; ok && !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}

	return ways
}

// release gives back what a parcel counted. The caller holds mu.
func (c *Courier) release(p *parcel) {
	c.queued = c.queued.minus(p.size)

	share := c.shares[p.share].minus(p.size)
	if share == (load{}) {
		delete(c.shares, p.share)
	} else {
		c.shares[p.share] = share
	}
}

// drive carries a lane's parcels until it is empty. It takes a slot before it
// looks into the queue, so that what arrives while it waits goes along.
func (c *Courier) drive(way *lane) {
	defer c.busy.Done()

	for !c.vacate(way) {
		select {
		case c.slots <- struct{}{}:
		case <-c.base.Done():
			// Fails at once below, without a slot.
			c.deliver(way, c.take(way))

			continue
		}

		c.deliver(way, c.take(way))
		<-c.slots
	}
}

// vacate removes the lane if nothing waits in it.
func (c *Courier) vacate(way *lane) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if len(way.queue) > 0 {
		return false
	}

	delete(c.lanes, way.id)

	return true
}

// take returns the parcels of the next signal: of one kind, whole, within the
// bounds. What nobody waits for any more is dropped.
func (c *Courier) take(way *lane) []*parcel {
	c.mu.Lock()
	defer c.mu.Unlock()

	var (
		batch []*parcel
		size  load
		bound = perSignal()
		next  int
	)

	for _, p := range way.queue {
		if p.abandoned() {
			c.release(p)

			next++

			continue
		}

		if len(batch) > 0 && (p.kind != batch[0].kind || size.plus(p.size).over(bound)) {
			break
		}

		batch, size = append(batch, p), size.plus(p.size)
		next++
	}

	way.queue = slices.Delete(way.queue, 0, next)

	return batch
}

// finish answers the callers.
func (c *Courier) finish(batch []*parcel, session int, err error) {
	c.mu.Lock()

	for _, p := range batch {
		c.release(p)
	}

	c.mu.Unlock()

	for _, p := range batch {
		p.err = err
		if err == nil {
			p.outcome = Outcome{Fates: fates(p.letters), Session: session}
		}

		close(p.done)
	}
}

func (p *parcel) abandoned() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

func fates(letters []*letter) []Fate {
	all := make([]Fate, len(letters))
	for i := range letters {
		all[i] = letters[i].fate
	}

	return all
}
