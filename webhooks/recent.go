package webhooks

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// recentCapacity bounds the remembered ids of all sources together; an
	// entry takes about 100 bytes.
	recentCapacity = 64 << 10
	// naturalWindow is how long a platform's own id is remembered here. The
	// workflow remembers it for longer; this only saves the signal.
	naturalWindow = 10 * time.Minute
	// derivedWindow is that of a source that names no retry window.
	derivedWindow = 2 * time.Minute
)

type recentID [sha256.Size]byte

// recent remembers which events were acknowledged lately, so that a
// platform's retry costs no signal and is counted as what it is. When it is
// full the oldest entry goes first.
type recent struct {
	mu    sync.Mutex
	until map[recentID]time.Time
	ring  []recentID
	next  int
}

func newRecent(capacity int) *recent {
	return &recent{until: make(map[recentID]time.Time), ring: make([]recentID, 0, capacity)}
}

// idOf keeps the parts apart by their lengths' absence of zero bytes: a
// source's name has none, and conversation and id are hashed on their own.
func idOf(source, conversation, id string) recentID {
	chat, event := sha256.Sum256([]byte(conversation)), sha256.Sum256([]byte(id))
	whole := make([]byte, 0, len(source)+2*sha256.Size)
	whole = append(whole, chat[:]...)
	whole = append(whole, event[:]...)

	return sha256.Sum256(append(whole, source...))
}

// seen reports whether the event was acknowledged within its window.
func (r *recent) seen(id recentID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	until, ok := r.until[id]

	return ok && now.Before(until)
}

// add remembers an acknowledged event until the given time.
func (r *recent) add(id recentID, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if _, known := r.until[id]; known {
		r.until[id] = until // its place in the ring stays

		return
	}

	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, id)
	} else {
		delete(r.until, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % len(r.ring)
	}

	r.until[id] = until
}

// window is how long an acknowledged event counts as the same one: a derived
// id only while its platform repeats, after which the same body is news.
func window(source *Source, id string) time.Duration {
	switch {
	case !signals.IsDerived(id):
		return naturalWindow
	case source.RetryWindow > 0:
		return source.RetryWindow
	default:
		return derivedWindow
	}
}
