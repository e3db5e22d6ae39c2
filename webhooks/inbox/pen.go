package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/parleyhq/parley/signals"
)

// pen writes. Only one goroutine has it.
type pen struct {
	*Inbox

	// to is nil until it is needed.
	to writer
	// rows is reused.
	rows []*entry
}

// do carries out jobs in order, neighbouring webhooks in one transaction.
func (p *pen) do(ctx context.Context, queue []job) {
	var flushes []*change

	for len(queue) > 0 {
		if queue[0].place {
			p.place(ctx)

			queue = queue[1:]

			continue
		}

		if c := queue[0].change; c != nil {
			// Who wants the marks written is served by the next webhook's commit.
			if c.run == nil {
				flushes = append(flushes, c)
			} else {
				c.done <- p.alter(ctx, c)
			}

			queue = queue[1:]

			continue
		}

		n, events, bytes := 0, 0, int64(0)

		for n < len(queue) && queue[n].ask != nil && events < maxGroup && bytes < maxGroupBytes {
			for i := range queue[n].ask.entries {
				bytes += queue[n].ask.entries[i].total()
			}

			events += len(queue[n].ask.entries)
			n++
		}

		p.accept(ctx, queue[:n])
		queue = queue[n:]
	}

	if len(flushes) > 0 {
		err := p.flushMarks(ctx)

		for _, c := range flushes {
			c.done <- err
		}
	}
}

// open takes a connection if there is none.
func (p *pen) open(ctx context.Context) error {
	if p.to != nil {
		return nil
	}

	to, err := p.store.writer(ctx)
	if err != nil {
		return err
	}

	p.to = to

	return nil
}

func (p *pen) release() {
	if p.to == nil {
		return
	}

	if err := p.to.close(); err != nil {
		p.log.Error("inbox could not give back its connection", "error", err)
	}

	p.to = nil
}

// accept writes a group of webhooks in one transaction and answers them.
func (p *pen) accept(ctx context.Context, group []job) {
	asks := make([]*ask, 0, len(group))

	for _, each := range group {
		if !each.ask.left.Load() {
			asks = append(asks, each.ask)
		}
	}

	if len(asks) == 0 {
		return
	}

	err := p.inscribe(ctx, asks)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrDisk, err)
	}

	p.wrote(err)

	for _, a := range asks {
		if err != nil && a.err == nil {
			a.receipt, a.err = Receipt{}, err
		}

		close(a.done)
	}
}

// inscribe writes a group. After an error nothing of it is on disk.
func (p *pen) inscribe(ctx context.Context, asks []*ask) error {
	if err := p.open(ctx); err != nil {
		return err
	}

	if err := p.to.begin(ctx); err != nil {
		p.release()

		return err
	}

	p.rows = p.rows[:0]
	taken := p.takeMarks(false)

	err := p.insertAll(ctx, asks)
	if err == nil {
		err = p.writeMarks(ctx, taken)
	}

	if err == nil {
		p.faults.pass("before-commit")

		err = p.to.commit(ctx)
	}

	if err != nil {
		p.to.rollback(ctx)
		p.release() // a connection that failed is better made anew
		p.giveMarksBack(taken)
		p.known.clear()

		return err
	}

	p.faults.pass("after-commit")

	p.written(taken)
	p.accepted(len(p.rows))
	clear(p.rows)

	return nil
}

// insertAll inserts what is fresh of every webhook that its source has room for.
func (p *pen) insertAll(ctx context.Context, asks []*ask) error {
	// Nobody else hands out seqs, and others only make room.
	p.mu.Lock()
	next := p.window.head + 1
	room := make(map[string]share, 1)

	for _, a := range asks {
		if held, ok := p.shares[a.source]; ok {
			room[a.source] = *held
		}
	}

	p.mu.Unlock()

	for _, a := range asks {
		undo, err := p.sift(ctx, a)
		if err != nil {
			return err
		}

		held := room[a.source]

		for _, i := range a.fresh {
			held.events++
			held.bytes += a.entries[i].total()
		}

		if len(a.fresh) > 0 && (held.events > int64(p.config.MaxWaiting) || held.bytes > p.config.MaxWaitingBytes) {
			p.known.undo(undo)

			a.err = fmt.Errorf("%w: source %q has %d events and %d bytes waiting",
				ErrFull, a.source, room[a.source].events, room[a.source].bytes)

			continue
		}

		room[a.source] = held

		if next, err = p.insert(ctx, a, next); err != nil {
			return err
		}
	}

	return nil
}

// sift finds what is fresh among the events of conversations.
func (p *pen) sift(ctx context.Context, a *ask) ([]undone, error) {
	undo := make([]undone, 0, len(a.entries))

	for i := range a.entries {
		e := &a.entries[i]
		if e.account {
			continue
		}

		in, err := p.knownOf(ctx, e.key)
		if err != nil {
			return nil, err
		}

		id := knownID{hash: p.known.hash(e.id), at: e.received}
		if in.has(id, e.derived, a.window) {
			continue
		}

		e.again = len(in.list) > 0
		undo = append(undo, p.known.add(in, id))
		a.fresh = append(a.fresh, i)
	}

	return undo, nil
}

// knownOf returns the ids of a conversation, read from disk if need be.
func (p *pen) knownOf(ctx context.Context, key signals.Key) (*ids, error) {
	if in := p.known.of(key); in != nil {
		return in, nil
	}

	in := &ids{key: key}

	p.mu.Lock()
	beyond := p.places.of(key)
	p.mu.Unlock()

	err := p.to.ids(ctx, key, beyond, func(id string, received int64) {
		in.add(knownID{hash: p.known.hash(id), at: received})
	})
	if err != nil {
		return nil, err
	}

	p.known.put(in)

	return in, nil
}

// insert writes what is fresh and returns the next seq.
func (p *pen) insert(ctx context.Context, a *ask, next int64) (int64, error) {
	accepted := len(a.fresh)

	for _, i := range a.fresh {
		e := &a.entries[i]
		e.seq = next
		next++

		if err := p.to.insert(ctx, &e.row); err != nil {
			return next, err
		}

		p.rows = append(p.rows, e)
	}

	for i := range a.entries {
		e := &a.entries[i]
		if !e.account {
			continue
		}

		from, to := sameFor(e, a.window.Microseconds())

		fresh, err := p.to.logAccount(ctx, &e.row, p.config.Now().UnixMicro(), from, to)
		if err != nil {
			return next, err
		}

		if fresh {
			accepted++
		}
	}

	a.receipt = Receipt{Accepted: accepted, Duplicates: len(a.entries) - accepted}

	return next, nil
}

// sameFor returns between which times of reception, in microseconds, the same id
// is the same event.
func sameFor(e *entry, width int64) (int64, int64) {
	if !e.derived {
		return -1 << 62, 1 << 62
	}

	return e.received - width, e.received + width
}

// accepted puts what is on disk into its lanes.
func (p *pen) accepted(size int) {
	if size == 0 {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	p.window.hand(p.rows[size-1].seq)
	p.meters.committed(p.config.Now(), size)
	p.metrics.committed(size)

	for _, e := range p.rows {
		p.enter(e)
	}

	p.placeSoon(placeAfter)

	if p.places.count > maxUnplaced {
		p.places.count = 0
		p.submit(job{place: true})
	}
}

// enter puts one event into its lane. The caller holds mu.
func (p *pen) enter(e *entry) {
	it := item{seq: e.seq, at: e.received, size: int32(len(e.row.event)), total: int32(e.total())} //nolint:gosec // at most 1 MiB

	if p.memory+int64(it.size) <= p.config.MaxMemory {
		it.event = e.event
		p.memory += int64(it.size)
	}

	p.places.add(e.key, it.seq)

	way := p.lane(e.key)
	// A lane that is empty has forwarded what came before.
	way.going = way.going || e.again && len(way.pending) == 0
	way.pending = append(way.pending, it)
	p.hold(e.key.Source, &it)
	p.ready(way)
}

// alter runs a change, the marks first: it may read what they say.
func (p *pen) alter(ctx context.Context, c *change) error {
	if err := p.flushMarks(ctx); err != nil {
		return err
	}

	if err := p.open(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}

	if err := p.to.change(ctx, c.run); err != nil {
		if isOurs(err) {
			return err
		}

		p.release()

		err = fmt.Errorf("%w: %w", ErrDisk, err)
		p.wrote(err)

		return err
	}

	p.wrote(nil)

	if c.committed != nil {
		c.committed()
	}

	return nil
}

// flushMarks writes the marks on their own.
func (p *pen) flushMarks(ctx context.Context) error {
	taken := p.takeMarks(true)
	if len(taken.marks) == 0 && taken.settled == p.disk.settled {
		return nil
	}

	err := p.open(ctx)
	if err == nil {
		err = p.to.begin(ctx)
	}

	if err == nil {
		if err = p.writeMarks(ctx, taken); err == nil {
			err = p.to.commit(ctx)
		}

		if err != nil {
			p.to.rollback(ctx)
		}
	}

	if err != nil {
		p.release()
		p.giveMarksBack(taken)

		err = fmt.Errorf("%w: %w", ErrDisk, err)
	} else {
		p.written(taken)
	}

	p.wrote(err)

	return err
}

// isOurs tells a change that was refused for what it is from a failing disk.
func isOurs(err error) bool { return errors.Is(err, ErrNotFound) || errors.Is(err, ErrPinned) }
