package inbox

import (
	"slices"

	"github.com/parleyhq/parley/signals"
)

// lane is what waits for one conversation. It exists only while something
// does. All of it is guarded by the inbox's mu.
type lane struct {
	key signals.Key
	// pending is in order of seq. What is on its way stays in front until it
	// is settled.
	pending []item
	// parked is in order of seq and below all that is pending.
	parked []item
	// busy while a batch is on its way, queued while it waits for a
	// forwarder, resting between two attempts.
	busy, queued, resting bool
	// going: events were forwarded before, so most likely it runs.
	going bool
	// tell: the parked events are to be told to a run that may be open.
	tell bool
	// unsaved: states were noted that must be on disk before more goes out.
	unsaved bool
	// fails counts the attempts that failed since the last success.
	fails   int
	waiters []waiter
}

// item is one event that waits.
type item struct {
	seq int64
	// at is when it was received, since when it was parked, in microseconds.
	at, since int64
	// size is of the event as JSON, total with what the platform sent.
	size, total int32
	// stored: its state is on disk, or about to be, and must be taken away.
	stored  bool
	session int
	// event is nil if it has to be read.
	event *signals.Event
}

// waiter waits until nothing at or below seq is pending.
type waiter struct {
	seq  int64
	done chan error
}

// lane returns the lane of a conversation.
func (in *Inbox) lane(key signals.Key) *lane {
	way, ok := in.lanes[key]
	if !ok {
		way = &lane{key: key}
		in.lanes[key] = way
	}

	return way
}

// vacate drops a lane in which nothing waits.
func (in *Inbox) vacate(way *lane) {
	if len(way.pending) == 0 && len(way.parked) == 0 && !way.busy && !way.queued && !way.resting {
		delete(in.lanes, way.key)
	}
}

// park adds an item to what waits for a start.
func (in *Inbox) park(way *lane, it item) {
	way.parked = append(way.parked, it)
	in.parked[way] = struct{}{}
}

// crowded reports whether one more parked event is too much.
func (way *lane) crowded(it *item) bool {
	size := int64(it.size)
	for i := range way.parked {
		size += int64(way.parked[i].size)
	}

	return len(way.parked) >= maxParked || size > maxParkedBytes
}

// take takes items off a list: those with the seqs given, both in order.
func take(list []item, seqs []int64) []item {
	if len(seqs) == 0 {
		return list
	}

	// Nearly always they are all in front.
	if len(seqs) <= len(list) && list[len(seqs)-1].seq == seqs[len(seqs)-1] {
		clear(list[:len(seqs)])

		if len(seqs) == len(list) {
			return nil
		}

		return list[len(seqs):]
	}

	return slices.DeleteFunc(list, func(it item) bool {
		_, gone := slices.BinarySearch(seqs, it.seq)

		return gone
	})
}
