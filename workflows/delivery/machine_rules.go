package delivery

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// rulesVersion is what new runs record; each version that an open run may have
// recorded stays in [RulesFor].
const rulesVersion = 1

// Rules are the durations and bounds that a delivery follows.
type Rules struct {
	// Idle is how long a run with nothing to do stays open.
	Idle time.Duration
	// FirstRetry is the pause after the first failed attempt; it doubles with
	// each one up to MaxRetry.
	FirstRetry time.Duration
	MaxRetry   time.Duration
	// MaxRetryAfter bounds what a receiver may ask for.
	MaxRetryAfter time.Duration
	// NoticeLimit, TicketLimit and PlatformLimit are how long an order without a
	// time of its own is tried. A chat that is moved late is moved from somebody
	// who meanwhile answers it.
	NoticeLimit   time.Duration
	TicketLimit   time.Duration
	PlatformLimit time.Duration
	// MaxPending orders of MaxPendingBytes altogether wait at most; the oldest
	// notice makes room. One of more than MaxOrderBytes is refused.
	MaxPending      int
	MaxPendingBytes int
	MaxOrderBytes   int
	// MaxSessions whose counters are remembered.
	MaxSessions int
}

// RulesFor returns the rules of a recorded version. So far there is one.
func RulesFor(_ int) Rules {
	return Rules{
		Idle:            10 * time.Minute,
		FirstRetry:      time.Second,
		MaxRetry:        5 * time.Minute,
		MaxRetryAfter:   time.Hour,
		NoticeLimit:     24 * time.Hour,
		TicketLimit:     72 * time.Hour,
		PlatformLimit:   2 * time.Minute,
		MaxPending:      500,
		MaxPendingBytes: 512 << 10,
		MaxOrderBytes:   128 << 10,
		MaxSessions:     64,
	}
}

// limit is how long an order of this kind is tried at most.
func (r Rules) limit(kind signals.OrderKind) time.Duration {
	switch kind {
	case signals.OrderTicket:
		return r.TicketLimit
	case signals.OrderPlatform:
		return r.PlatformLimit
	case signals.OrderNotice, signals.OrderCancel:
		return r.NoticeLimit
	default:
		return r.NoticeLimit
	}
}

// pause is how long to wait after so many failed attempts. There is no jitter:
// deliveries fail at the times at which their conversations decided them,
// which spreads them enough.
func (r Rules) pause(attempts int, retryAfter time.Duration) time.Duration {
	pause := r.FirstRetry

	for range attempts - 1 {
		pause *= 2
		if pause >= r.MaxRetry {
			break
		}
	}

	pause = min(pause, r.MaxRetry)

	return max(pause, min(retryAfter, r.MaxRetryAfter))
}
