package answers

import (
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// maxTold bounds the conversations in each half of a memory, some hundred bytes
// each.
const maxTold = 8 << 10

// session is what an answer said of a conversation.
type session struct {
	number     int
	reopenedAt time.Time
}

// told remembers what was answered lately, so that the next answer agrees with it.
// It forgets by halves.
type told[V any] struct {
	mu         sync.Mutex
	young, old map[signals.Key]V
}

func newTold[V any]() *told[V] { return &told[V]{young: make(map[signals.Key]V)} }

func (t *told[V]) get(key signals.Key) (V, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if was, ok := t.young[key]; ok {
		return was, true
	}

	was, ok := t.old[key]

	return was, ok
}

func (t *told[V]) put(key signals.Key, said V) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if _, there := t.young[key]; !there && len(t.young) >= maxTold {
		t.old, t.young = t.young, make(map[signals.Key]V)
	}

	t.young[key] = said
}

func (t *told[V]) drop(key signals.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()

	delete(t.young, key)
	delete(t.old, key)
}
