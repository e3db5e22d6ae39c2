// Package sparing lets one of many lines into the log: what befalls every request
// while a disk is full or Temporal is away must not fill it.
package sparing

import (
	"log/slog"
	"sync"
	"time"
)

// every is the least time between two lines.
const every = time.Second

// Gate lets a line through at most every second. The zero value is ready, and may
// be used by several goroutines.
type Gate struct {
	mu     sync.Mutex
	last   time.Time
	silent int
}

// Pass reports whether a line may be written now, and returns what it is about,
// with how many others it stands for.
func (g *Gate) Pass(now time.Time, about ...slog.Attr) ([]slog.Attr, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if since := now.Sub(g.last); since >= 0 && since < every {
		g.silent++

		return nil, false
	}

	if g.silent > 0 {
		about = append(about, slog.Int("more_like_it", g.silent))
	}

	g.last, g.silent = now, 0

	return about, true
}
