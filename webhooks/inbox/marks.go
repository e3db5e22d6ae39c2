package inbox

import (
	"context"
	"time"
)

const (
	// flushAfter is how long marks wait for a commit to ride along with.
	flushAfter = 50 * time.Millisecond
	// flushAgain is after a flush that failed.
	flushAgain = time.Second
	// maxScattered is how many events behind one that is stuck may be settled
	// before that gets a state of its own. They would all go out again at the
	// next start.
	maxScattered = 20_000
	// maxSpill bounds the states that one transaction writes for that.
	maxSpill = 500
)

// taken is what the writer writes beside rows.
type taken struct {
	marks   []mark
	settled int64
}

// note queues a mark. The caller holds mu.
func (in *Inbox) note(m mark) {
	in.marks = append(in.marks, m)
	in.flushSoon(flushAfter)
}

// settle says that an event has gone where it belongs. The caller holds mu.
func (in *Inbox) settle(way *lane, it *item) {
	if it.stored {
		in.note(mark{seq: it.seq, key: way.key, state: stateForwarded})
	} else {
		in.window.done(it.seq)
		in.flushSoon(flushAfter)
	}
}

// noteState gives an event a state. The caller holds mu.
func (in *Inbox) noteState(way *lane, it *item, state, reason string, session int, since int64) {
	in.note(mark{
		seq: it.seq, key: way.key, state: state, session: session, reason: reason, since: since,
	})

	// The number in inbox_ends may pass it once its state is written, and they
	// are written together.
	in.window.done(it.seq)
	it.stored = true
}

// flushSoon sees to it that the marks are written, with or without a webhook.
// The caller holds mu.
func (in *Inbox) flushSoon(after time.Duration) {
	if in.flushAt {
		return
	}

	in.flushAt = true

	time.AfterFunc(after, func() {
		in.mu.Lock()
		in.flushAt = false
		dirty := len(in.marks) > 0 || in.window.settled > in.taken
		in.mu.Unlock()

		if dirty {
			in.submit(job{change: &change{done: make(chan error, 1)}})
		}
	})
}

// takeMarks takes what there is to write: the number in inbox_ends only now and
// then, unless all is asked for, since it dirties a page of its own.
func (p *pen) takeMarks(everything bool) taken {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.spill()

	all := taken{marks: p.marks, settled: p.taken}
	p.marks = nil

	if now := time.Now(); everything || now.Sub(p.settledAt) >= flushAfter {
		all.settled, p.taken, p.settledAt = p.window.settled, p.window.settled, now
	}

	p.writing = len(all.marks) > 0

	return all
}

// written says that what was taken is on disk.
func (p *pen) written(all taken) {
	p.disk.settled = all.settled

	p.mu.Lock()
	defer p.mu.Unlock()

	p.writing = false
}

// giveMarksBack puts what could not be written in front of what came since.
func (p *pen) giveMarksBack(all taken) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.marks, p.taken = append(all.marks, p.marks...), p.disk.settled
	p.writing = false

	if len(p.marks) > 0 || p.window.settled > p.taken {
		p.flushSoon(flushAgain)
	}
}

func (p *pen) writeMarks(ctx context.Context, all taken) error {
	for i := range all.marks {
		if err := p.to.mark(ctx, &all.marks[i]); err != nil {
			return err
		}
	}

	if all.settled <= p.disk.settled {
		return nil
	}

	return p.to.settle(ctx, all.settled)
}

// spill gives the events that hold the number in inbox_ends back states of
// their own, if many others are settled behind them. The caller holds mu.
func (p *pen) spill() {
	if scattered := p.window.scattered(); scattered < maxScattered || scattered < int64(p.window.open) {
		return
	}

	middle, spilled := p.window.settled+(p.window.head-p.window.settled)/2, 0 //nolint:mnd // the older half

	for _, way := range p.lanes {
		for i := range way.pending {
			it := &way.pending[i]
			if it.stored || it.seq > middle {
				continue
			}

			p.noteState(way, it, statePending, "", 0, it.at)

			spilled++

			if spilled == maxSpill {
				return
			}
		}
	}
}

// flush writes the marks and waits for it, so that what is read next is true.
// If the disk fails, it is a little older.
func (in *Inbox) flush(ctx context.Context) error {
	in.mu.Lock()
	dirty := len(in.marks) > 0 || in.writing
	in.mu.Unlock()

	if !dirty {
		return nil
	}

	if err := in.change(ctx, nil, nil); err != nil && ctx.Err() != nil {
		return err
	}

	return nil
}
