package webhooks

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// refusalLogEvery is how often webhooks that could not be kept are logged: a
// full disk refuses all of them.
const refusalLogEvery = time.Second

// refusals logs one of many failures, and how many it stands for.
type refusals struct {
	logger *slog.Logger

	mu     sync.Mutex
	last   time.Time
	silent int
}

// log writes a line, or counts it towards the next one.
func (r *refusals) log(ctx context.Context, now time.Time, about ...slog.Attr) {
	r.mu.Lock()

	if since := now.Sub(r.last); since >= 0 && since < refusalLogEvery {
		r.silent++
		r.mu.Unlock()

		return
	}

	if r.silent > 0 {
		about = append(about, slog.Int("more_like_it", r.silent))
	}

	r.last, r.silent = now, 0
	r.mu.Unlock()

	r.logger.LogAttrs(ctx, slog.LevelError, "webhook not accepted", about...)
}
