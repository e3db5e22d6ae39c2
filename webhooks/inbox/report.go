package inbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// Report returns how the inbox is doing, from memory.
func (in *Inbox) Report(ctx context.Context) (Report, error) {
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("report on the inbox: %w", err)
	}

	report := in.report()
	report.Sources = slices.DeleteFunc(report.Sources, func(s SourceDepth) bool { return s.Depth == 0 })

	return report, nil
}

func (in *Inbox) report() Report {
	in.mu.Lock()
	defer in.mu.Unlock()

	now := in.config.Now()
	f := &in.forwarder
	report := Report{
		Dead: in.dead, AcceptedPerSecond: in.meters.in.perSecond(now), ForwardedPerSecond: in.meters.out.perSecond(now),
		Behind: f.away || len(f.failing) > 0, Commit: in.meters.commit.quantiles(), Signal: in.meters.signal.quantiles(),
	}

	if f.lastErr != nil && report.Behind {
		report.LastError = oneLine(f.lastErr.Error())
	}

	for source, held := range in.shares {
		report.Depth += held.events
		report.Bytes += held.bytes
		report.Sources = append(report.Sources, SourceDepth{
			Source: source, Depth: held.events, Bytes: held.bytes,
			Share: max(float64(held.events)/float64(in.config.MaxWaiting), float64(held.bytes)/float64(in.config.MaxWaitingBytes)),
		})
	}

	slices.SortFunc(report.Sources, func(a, b SourceDepth) int { return strings.Compare(a.Source, b.Source) })

	for way := range in.parked {
		report.Parked += int64(len(way.parked))
	}

	oldest := now

	for _, way := range in.lanes {
		if len(way.pending) > 0 && way.pending[0].at < oldest.UnixMicro() {
			oldest = time.UnixMicro(way.pending[0].at)
		}
	}

	report.OldestAge = now.Sub(oldest)

	return report
}

// gauge shows the metrics how much waits.
func (in *Inbox) gauge() {
	report := in.report()
	in.metrics.gauge(&report)
}
