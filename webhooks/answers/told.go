package answers

import (
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// maxTold bounds the conversations in each half of the memory, about 200 bytes
// each.
const maxTold = 8 << 10

// session is what an answer said of a conversation.
type session struct {
	number     int
	reopenedAt time.Time
}

// told remembers what was answered lately, so that the next answer agrees with it
// while the conversation cannot be asked. It forgets by halves.
type told struct {
	mu         sync.Mutex
	young, old map[signals.Key]session
}

func newTold() *told { return &told{young: make(map[signals.Key]session)} }

func (t *told) get(key signals.Key) (session, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if was, ok := t.young[key]; ok {
		return was, true
	}

	was, ok := t.old[key]

	return was, ok
}

func (t *told) put(key signals.Key, said session) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if _, there := t.young[key]; !there && len(t.young) >= maxTold {
		t.old, t.young = t.young, make(map[signals.Key]session)
	}

	t.young[key] = said
}
