package inbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// apply settles every event of a batch by its fate. The caller holds mu.
func (in *Inbox) apply(b *batch, outcome *courier.Outcome) {
	way, now := b.way, in.config.Now()
	gone := make([]int64, 0, len(b.parked))

	for i := range b.parked {
		it := find(way.parked, b.parked[i].seq)

		switch fate := outcome.Fates[i]; {
		case fate == courier.Unsent:
			continue
		case fate != courier.Parked:
			in.settleAs(way, it, fate, outcome.Session, now)
		case now.UnixMicro()-it.since >= parkedFor.Microseconds():
			// It was told once more, and nobody was there.
			in.conclude(way, it, stateOrphan, "", outcome.Session, now)
		default:
			if it.session != outcome.Session {
				it.session = outcome.Session
				in.noteState(way, it, stateParked, "", it.session, it.since)
			}

			continue
		}

		gone = append(gone, it.seq)
	}

	way.parked = take(way.parked, gone)
	gone = gone[:0]

	for i := range b.pending {
		it := find(way.pending, b.pending[i].seq)

		switch fate := outcome.Fates[len(b.parked)+i]; fate {
		case courier.Unsent:
			continue
		case courier.Parked:
			in.parkOrLose(way, it, outcome.Session, now)
		default:
			in.settleAs(way, it, fate, outcome.Session, now)
		}

		gone = append(gone, it.seq)
	}

	way.pending = take(way.pending, gone)

	if len(way.parked) == 0 {
		delete(in.parked, way)
	}

	in.meters.forwarded(now, len(b.pending), len(outcome.Fates))
	in.metrics.signalled(len(outcome.Fates))
}

// settleAs settles an event that has gone where it belongs.
func (in *Inbox) settleAs(way *lane, it *item, fate courier.Fate, session int, now time.Time) {
	if fate == courier.Late {
		in.conclude(way, it, stateLate, "", session, now)

		return
	}

	in.settle(way, it)
	in.release(way, it)
}

// conclude gives an event its last state. Nothing more goes to the conversation
// before that is on disk: were it lost, the event would go out again, and a run
// that has seen higher numbers meanwhile would drop it, counted by nobody.
func (in *Inbox) conclude(way *lane, it *item, state, reason string, session int, now time.Time) {
	in.noteState(way, it, state, reason, session, now.UnixMicro())
	in.release(way, it)
	way.unsaved = true
}

// parkOrLose lets an event wait for one that may start its conversation.
func (in *Inbox) parkOrLose(way *lane, it *item, session int, now time.Time) {
	if way.crowded(it) {
		in.conclude(way, it, stateOrphan, "", session, now)
		in.log.Warn("too much waits for the start of one conversation", "source", way.key.Source,
			"conversation", way.key.Conversation, "parked", len(way.parked))

		return
	}

	it.session, it.since = session, now.UnixMicro()
	in.noteState(way, it, stateParked, "", session, it.since)
	in.forget(it)
	in.park(way, *it)
}

// bury makes a dead letter of an event. The caller holds mu.
func (in *Inbox) bury(way *lane, seq int64, reason error) {
	it := find(way.pending, seq)
	if it == nil {
		it = find(way.parked, seq)
	}

	in.conclude(way, it, stateDead, oneLine(reason.Error()), 0, in.config.Now())
	in.withdraw(way, seq)

	in.dead++
	in.metrics.died()
	in.log.Error("event refused for good; it is a dead letter", "source", way.key.Source,
		"conversation", way.key.Conversation, "seq", seq, "error", reason)
}

// withdraw takes one item out of its lane. The caller holds mu.
func (in *Inbox) withdraw(way *lane, seq int64) {
	way.pending = take(way.pending, []int64{seq})
	way.parked = take(way.parked, []int64{seq})

	if len(way.parked) == 0 {
		delete(in.parked, way)
	}
}

// forget lets go of the event itself. The caller holds mu.
func (in *Inbox) forget(it *item) {
	if it.event != nil {
		it.event = nil
		in.memory -= int64(it.size)
	}
}

// release takes an event that waits no more off its source's share. The caller
// holds mu.
func (in *Inbox) release(way *lane, it *item) {
	in.forget(it)

	held := in.share(way.key.Source)
	held.events--
	held.bytes -= int64(it.total)
}

// find returns the item with a seq, nil if there is none.
func find(list []item, seq int64) *item {
	at, ok := slices.BinarySearchFunc(list, seq, func(it item, seq int64) int { return int(it.seq - seq) })
	if !ok {
		return nil
	}

	return &list[at]
}

// eventsOf returns the events of a batch with their numbers, from memory as far
// as they are there. It returns fewer if some could not be read, for good; those
// are settled then.
func (in *Inbox) eventsOf(ctx context.Context, b *batch) ([]signals.Event, error) {
	var absent []int64

	for _, list := range [...][]item{b.parked, b.pending} {
		for i := range list {
			if list[i].event == nil {
				absent = append(absent, list[i].seq)
			}
		}
	}

	var stored map[int64][]byte

	if len(absent) > 0 {
		var err error
		if stored, err = in.store.events(ctx, absent); err != nil {
			return nil, fmt.Errorf("read events of %s: %w", b.way.key, err)
		}
	}

	events := make([]signals.Event, 0, len(b.inboxes))

	for _, list := range [...][]item{b.parked, b.pending} {
		for i := range list {
			event, err := in.eventOf(b.way, &list[i], stored)
			if err != nil {
				continue
			}

			event.Seq, event.Inbox = list[i].seq, b.inboxes[len(events)]
			events = append(events, event)
		}
	}

	return events, nil
}

// eventOf returns one event. One that cannot be read is settled.
func (in *Inbox) eventOf(way *lane, it *item, stored map[int64][]byte) (signals.Event, error) {
	if it.event != nil {
		return *it.event, nil
	}

	event, err := decode(stored[it.seq])
	event.Raw = nil

	if err != nil {
		in.mu.Lock()
		defer in.mu.Unlock()

		in.bury(way, it.seq, err)
	}

	return event, err
}
