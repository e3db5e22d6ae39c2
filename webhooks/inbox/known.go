package inbox

import (
	"container/list"
	"hash/maphash"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// maxKnownIDs and maxKnownKeys bound the memory to some tens of MiB.
	maxKnownIDs  = 500_000
	maxKnownKeys = 100_000
	// maxLinear is up to how many ids looking through them is quicker than a
	// map, and smaller.
	maxLinear = 32
)

// known remembers the ids of the conversations that events came for lately. It
// is the writer's alone.
type known struct {
	// seed makes hashes that nobody outside can make collide.
	seed maphash.Seed
	keys map[signals.Key]*list.Element
	// newest first; the values are *ids.
	order  *list.List
	total  int
	maxIDs int
}

// ids are what one conversation has on disk.
type ids struct {
	key  signals.Key
	list []knownID
	// index has the places in list; it is nil while list is short.
	index map[uint64]int
}

type knownID struct {
	hash uint64
	// at is when the id was last received, in microseconds.
	at int64
}

func newKnown() *known {
	return &known{
		seed: maphash.MakeSeed(), keys: make(map[signals.Key]*list.Element), order: list.New(), maxIDs: maxKnownIDs,
	}
}

func (k *known) hash(id string) uint64 { return maphash.String(k.seed, id) }

// of returns the ids of a conversation, nil if they must be read first.
func (k *known) of(key signals.Key) *ids {
	at, ok := k.keys[key]
	if !ok {
		return nil
	}

	k.order.MoveToFront(at)

	return at.Value.(*ids) //nolint:forcetypeassert // the list has no others
}

// put remembers a conversation.
func (k *known) put(in *ids) {
	k.keys[in.key] = k.order.PushFront(in)
	k.total += len(in.list)
	k.trim()
}

// trim forgets what nobody came for lately, but never the newest.
func (k *known) trim() {
	for k.order.Len() > 1 && (k.total > k.maxIDs || k.order.Len() > maxKnownKeys) {
		k.drop(k.order.Back())
	}
}

func (k *known) drop(at *list.Element) {
	in := k.order.Remove(at).(*ids) //nolint:forcetypeassert // the list has no others
	k.total -= len(in.list)
	delete(k.keys, in.key)
}

// forget makes a conversation's ids be read again.
func (k *known) forget(key signals.Key) {
	if at, ok := k.keys[key]; ok {
		k.drop(at)
	}
}

// clear forgets everything.
func (k *known) clear() {
	clear(k.keys)
	k.order.Init()
	k.total = 0
}

func (in *ids) find(hash uint64) int {
	if in.index != nil {
		if at, ok := in.index[hash]; ok {
			return at
		}

		return -1
	}

	for at := range in.list {
		if in.list[at].hash == hash {
			return at
		}
	}

	return -1
}

// has reports whether an id is there already: a natural one at any time, a
// derived one within window of its last.
func (in *ids) has(id knownID, derived bool, window time.Duration) bool {
	at := in.find(id.hash)
	if at < 0 {
		return false
	}

	return !derived || time.Duration(id.at-in.list[at].at).Abs() <= window/time.Microsecond
}

// undone is how to take back what [ids.add] did.
type undone struct {
	in  *ids
	was knownID
	new bool
}

func (in *ids) add(id knownID) undone {
	if at := in.find(id.hash); at >= 0 {
		was := in.list[at]
		in.list[at].at = max(was.at, id.at)

		return undone{in: in, was: was}
	}

	in.list = append(in.list, id)

	switch {
	case in.index != nil:
		in.index[id.hash] = len(in.list) - 1
	case len(in.list) > maxLinear:
		in.index = make(map[uint64]int, 2*maxLinear)
		for at := range in.list {
			in.index[in.list[at].hash] = at
		}
	}

	return undone{in: in, was: id, new: true}
}

// add remembers an id of a conversation that is in the set.
func (k *known) add(in *ids, id knownID) undone {
	undo := in.add(id)
	if undo.new {
		k.total++
		k.trim()
	}

	return undo
}

// undo takes additions back, the newest first.
func (k *known) undo(all []undone) {
	for _, each := range slices.Backward(all) {
		in := each.in

		if !each.new {
			in.list[in.find(each.was.hash)] = each.was

			continue
		}

		last := len(in.list) - 1
		delete(in.index, in.list[last].hash)
		in.list = in.list[:last]

		if at, ok := k.keys[in.key]; ok && at.Value == in {
			k.total--
		}
	}
}
