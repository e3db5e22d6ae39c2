package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// batch is what goes to one conversation at a time: everything that is parked,
// since its seqs are lower, and then the first of what is pending.
type batch struct {
	way *lane
	// inboxes are the ids under which the seqs were handed out.
	parked, pending []item
	inboxes         []string
	// probe: Temporal was away, and this finds out whether it is back.
	probe bool
	// brisk: it counts against Config.Parallel.
	brisk bool
}

// pack takes a lane's next batch. The items stay in the lane until it is known
// what became of them. The caller holds mu.
func (in *Inbox) pack(way *lane) *batch {
	way.queued, way.busy = false, true

	size, n := 0, 0
	for n < min(len(way.pending), signals.MaxBatchEvents) {
		size += int(way.pending[n].size)
		if n > 0 && size > signals.MaxBatchBytes {
			break
		}

		n++
	}

	// Copies, since more is appended meanwhile.
	b := &batch{
		way: way, parked: append([]item(nil), way.parked...), pending: append([]item(nil), way.pending[:n]...),
		inboxes: make([]string, 0, len(way.parked)+n), probe: in.forwarder.away, brisk: true,
	}
	way.tell = false

	for _, list := range [...][]item{b.parked, b.pending} {
		for i := range list {
			b.inboxes = append(b.inboxes, in.inboxOf(list[i].seq))
		}
	}

	return b
}

// errCarrier says that the carrier answered what it may not.
var errCarrier = errors.New("carrier did not answer for every event")

// seqs are those of all events of the batch.
func (b *batch) seqs() []int64 {
	all := make([]int64, 0, len(b.parked)+len(b.pending))

	for _, list := range [...][]item{b.parked, b.pending} {
		for i := range list {
			all = append(all, list[i].seq)
		}
	}

	return all
}

// carry brings a batch to its conversation and settles what came of it.
func (in *Inbox) carry(ctx context.Context, b *batch) {
	events, err := in.eventsOf(ctx, b)
	if err != nil {
		in.finish(b, err)

		return
	}

	if len(events) < len(b.inboxes) {
		// Something could not be read and is settled by now.
		in.finish(b, nil)

		return
	}

	err = in.send(ctx, b, events)
	if errors.Is(err, courier.ErrRefused) {
		err = in.separate(ctx, b, events)
	}

	in.finish(b, err)
}

// send hands events to the carrier and applies what it says of them.
func (in *Inbox) send(ctx context.Context, b *batch, events []signals.Event) error {
	if err := in.save(ctx, b.way); err != nil {
		return err
	}

	outcome, err := in.forwarder.carrier.Events(ctx, b.way.key, events)
	if err != nil {
		return err
	}

	in.faults.pass("after-signal")

	if len(outcome.Fates) != len(events) {
		return fmt.Errorf("%w: %d answers for %d events", errCarrier, len(outcome.Fates), len(events))
	}

	in.mu.Lock()
	defer in.mu.Unlock()

	in.apply(b, &outcome)

	return nil
}

// save sees to it that what was noted of a lane is on disk.
func (in *Inbox) save(ctx context.Context, way *lane) error {
	in.mu.Lock()
	unsaved := way.unsaved
	in.mu.Unlock()

	if !unsaved {
		return nil
	}

	if err := in.change(ctx, nil, nil); err != nil {
		return err
	}

	in.mu.Lock()
	defer in.mu.Unlock()

	way.unsaved = false

	return nil
}

// separate sends the events of a batch that was refused one by one, so that the
// guilty ones cost only themselves. What is parked still goes ahead of each.
func (in *Inbox) separate(ctx context.Context, b *batch, events []signals.Event) error {
	bySeq := make(map[int64]signals.Event, len(events))
	for i := range events {
		bySeq[events[i].Seq] = events[i]
	}

	if err := in.separateParked(ctx, b, events[:len(b.parked)]); err != nil {
		return err
	}

	for i := range b.pending {
		in.mu.Lock()
		one := &batch{way: b.way, parked: append([]item(nil), b.way.parked...), pending: b.pending[i : i+1]}
		in.mu.Unlock()

		together := make([]signals.Event, 0, len(one.parked)+1)
		for _, seq := range one.seqs() {
			together = append(together, bySeq[seq])
		}

		if err := in.attempt(ctx, one, together, b.pending[i].seq); err != nil {
			return err
		}
	}

	return nil
}

// separateParked finds out which of the parked events are refused by themselves.
func (in *Inbox) separateParked(ctx context.Context, b *batch, events []signals.Event) error {
	if len(events) == 0 {
		return nil
	}

	err := in.send(ctx, &batch{way: b.way, parked: b.parked}, events)
	if !errors.Is(err, courier.ErrRefused) {
		return err
	}

	for i := range events {
		if err := in.attempt(ctx, &batch{way: b.way, parked: b.parked[i : i+1]}, events[i:i+1], events[i].Seq); err != nil {
			return err
		}
	}

	return nil
}

// attempt sends a batch of which one event may be guilty.
func (in *Inbox) attempt(ctx context.Context, b *batch, events []signals.Event, suspect int64) error {
	err := in.send(ctx, b, events)
	if !errors.Is(err, courier.ErrRefused) {
		return err
	}

	in.mu.Lock()
	defer in.mu.Unlock()

	in.bury(b.way, suspect, err)

	return nil
}

// finish lets the lane go on.
func (in *Inbox) finish(b *batch, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()

	way := b.way
	way.busy = false

	if err == nil {
		way.going = true
		in.succeeded(way)
		in.ready(way)
	} else {
		// What is parked alone has still to be told.
		way.tell = way.tell || len(way.pending) == 0

		in.log.Debug("batch waits", "source", way.key.Source, "conversation", way.key.Conversation,
			"events", len(b.inboxes), "error", err)
		in.failed(b, err)
	}

	in.answer(way)
	in.vacate(way)
}
