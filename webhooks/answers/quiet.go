package answers

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logEvery is how often it is logged that an answer went without the desk: while
// Temporal is away all of them do.
const logEvery = time.Second

// quiet logs one of many, and how many it stands for.
type quiet struct {
	logger *slog.Logger

	mu     sync.Mutex
	last   time.Time
	silent int
}

func (l *quiet) log(ctx context.Context, about ...slog.Attr) {
	l.mu.Lock()

	now := time.Now()
	if now.Sub(l.last) < logEvery {
		l.silent++
		l.mu.Unlock()

		return
	}

	if l.silent > 0 {
		about = append(about, slog.Int("more_like_it", l.silent))
	}

	l.last, l.silent = now, 0
	l.mu.Unlock()

	l.logger.LogAttrs(ctx, slog.LevelWarn, "answered without the desk", about...)
}
