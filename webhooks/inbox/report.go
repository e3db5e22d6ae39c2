package inbox

import (
	"context"
	"time"
)

// Report is how the inbox is doing.
type Report struct {
	// Depth counts the events that wait, Parked included, and Bytes their
	// size on disk. Dead ones wait for an operator and are not in Depth.
	Depth, Bytes, Parked, Dead int64
	// OldestAge is how long the oldest event that is not parked has waited.
	OldestAge time.Duration
	// AcceptedPerSecond and ForwardedPerSecond are means of the last minute.
	AcceptedPerSecond, ForwardedPerSecond float64
	// Behind says that Temporal does not answer; LastError is why.
	Behind    bool
	LastError string
	// Commit and Signal tell how many events a transaction and a signal
	// carried lately.
	Commit, Signal BatchSizes
	// Sources that have anything waiting, ordered by name.
	Sources []SourceDepth
}

// BatchSizes are quantiles over the newest batches, in events.
type BatchSizes struct{ P50, P95, Max int }

// SourceDepth is what waits of one source.
type SourceDepth struct {
	Source       string
	Depth, Bytes int64
	// Share is the used part of what the source may have waiting, 0 to 1, of
	// events or bytes, whichever is more.
	Share float64
}

// Report returns how the inbox is doing, from memory but for the dead letters.
func (in *Inbox) Report(ctx context.Context) (Report, error) { return Report{}, ctx.Err() }

// Health returns why the last write failed, nil if it did not. While it did,
// the inbox tries by itself every few seconds. The error is an [ErrDisk].
func (in *Inbox) Health() error { return nil }
