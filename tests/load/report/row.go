// Package report holds what was measured, compares it with the figures to
// reach, and prints both.
package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/stats"
	"github.com/parleyhq/parley/tests/load/trace"
)

// Row is what one run of a mode measured. What was not measured is zero.
type Row struct {
	Mode          string  `json:"mode"`
	Target        string  `json:"target"`
	Rate          float64 `json:"rate,omitempty"`
	Conversations int     `json:"conversations"`
	Events        int     `json:"events"`
	Connections   int     `json:"connections"`
	// Per second, from when the first event was due: until the last was
	// acknowledged, its run completed, and the last applied.
	Acknowledged float64 `json:"acknowledged_per_second"`
	Finished     float64 `json:"finished_per_second,omitempty"`
	Applied      float64 `json:"applied_per_second,omitempty"`
	// Ack is the time from when a webhook was due to its 2xx, ToApplied that to
	// the completion of the workflow task that took its event in.
	Ack       stats.Quantiles `json:"ack"`
	ToApplied stats.Quantiles `json:"to_applied,omitzero"`
	// SignalBatch is how many events a signal carried on average, SignalMost
	// the most; CommitBatch how many shared a commit of the inbox.
	SignalBatch float64 `json:"signal_batch,omitempty"`
	SignalMost  int     `json:"signal_batch_most,omitempty"`
	CommitBatch float64 `json:"commit_batch,omitempty"`
	// CPU is processor time in seconds, until everything was finished.
	CPU float64 `json:"cpu_seconds,omitempty"`
	// Resident is the most memory, in bytes.
	Resident        int64   `json:"resident_bytes,omitempty"`
	HistoryPerEvent float64 `json:"history_events_per_event,omitempty"`
	BytesPerEvent   float64 `json:"bytes_per_event,omitempty"`
	// Others is how many processors other programs kept busy meanwhile.
	Others   float64 `json:"others_processors"`
	Repeated int64   `json:"repeated,omitempty"`
	Refused  int64   `json:"refused,omitempty"`
}

func (r *Row) total() int { return r.Conversations * r.Events }

// Name is the mode with its rate, if that is not the mode's own.
func (r *Row) Name() string {
	if r.Rate > 0 && r.Mode != ModeOffered {
		return fmt.Sprintf("%s at %.0f/s", r.Mode, r.Rate)
	}

	return r.Mode
}

// Sent fills in what the sender measured.
func (r *Row) Sent(plan *drive.Plan, sent *drive.Sent) {
	r.Acknowledged = stats.PerSecond(plan.Total(), sent.End.Sub(sent.Begin))
	r.Ack = stats.Summarize(sent.Acks)
	r.Repeated, r.Refused = sent.Repeated, sent.Refused
}

// Traced fills in what the histories tell. Each event must be applied in them.
func (r *Row) Traced(plan *drive.Plan, sent *drive.Sent, found []*trace.Conversation) error {
	var (
		took                  = make([]time.Duration, 0, plan.Total())
		batches               []int
		lastApplied, lastDone time.Time
		history               int
	)

	for conversation, one := range found {
		for number := range plan.Events {
			at, ok := one.Applied[drive.EventID(number)]
			if !ok {
				return fmt.Errorf("%w: event %d of %s is in no history", drive.ErrLost, number, plan.Key(conversation))
			}

			took = append(took, at.Sub(sent.Due(conversation, number)))
			lastApplied = latest(lastApplied, at)
		}

		lastDone = latest(lastDone, one.Completed)
		history += one.Length
		batches = append(batches, one.Batches...)
	}

	r.ToApplied = stats.Summarize(took)
	r.Applied = stats.PerSecond(plan.Total(), lastApplied.Sub(sent.Begin))
	r.HistoryPerEvent = float64(history) / float64(plan.Total())

	if !plan.Open {
		r.Finished = stats.PerSecond(plan.Total(), lastDone.Sub(sent.Begin))
	}

	carried := 0
	for _, size := range batches {
		carried += size
	}

	r.SignalBatch, r.SignalMost = float64(carried)/float64(max(1, len(batches))), slices.Max(append(batches, 0))

	return nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}

	return a
}

// medians joins the runs of the same mode, target and rate into one row, with
// the median of each figure, in the order of their first appearance.
func medians(rows []Row) []Row {
	var (
		order  []Row
		groups = make(map[string][]Row)
	)

	for _, one := range rows {
		id := one.Name() + "\x00" + one.Target
		if groups[id] == nil {
			order = append(order, one)
		}

		groups[id] = append(groups[id], one)
	}

	for i := range order {
		order[i] = median(order[i], groups[order[i].Name()+"\x00"+order[i].Target])
	}

	return order
}

func median(first Row, group []Row) Row {
	float := func(of func(*Row) *float64) { *of(&first) = middle(group, func(r *Row) float64 { return *of(r) }) }
	float(func(r *Row) *float64 { return &r.Acknowledged })
	float(func(r *Row) *float64 { return &r.Finished })
	float(func(r *Row) *float64 { return &r.Applied })
	float(func(r *Row) *float64 { return &r.SignalBatch })
	float(func(r *Row) *float64 { return &r.CommitBatch })
	float(func(r *Row) *float64 { return &r.CPU })
	float(func(r *Row) *float64 { return &r.HistoryPerEvent })
	float(func(r *Row) *float64 { return &r.BytesPerEvent })
	float(func(r *Row) *float64 { return &r.Others })

	first.Resident = middle(group, func(r *Row) int64 { return r.Resident })
	first.SignalMost = middle(group, func(r *Row) int { return r.SignalMost })
	first.Repeated = middle(group, func(r *Row) int64 { return r.Repeated })
	first.Refused = middle(group, func(r *Row) int64 { return r.Refused })
	first.Ack = middleOf(group, func(r *Row) stats.Quantiles { return r.Ack })
	first.ToApplied = middleOf(group, func(r *Row) stats.Quantiles { return r.ToApplied })

	return first
}

func middle[T int | int64 | float64 | time.Duration](group []Row, of func(*Row) T) T {
	values := make([]T, 0, len(group))
	for i := range group {
		values = append(values, of(&group[i]))
	}

	return stats.Median(values)
}

func middleOf(group []Row, of func(*Row) stats.Quantiles) stats.Quantiles {
	each := func(pick func(stats.Quantiles) time.Duration) time.Duration {
		return middle(group, func(r *Row) time.Duration { return pick(of(r)) })
	}

	return stats.Quantiles{
		Count: of(&group[0]).Count,
		P50:   each(func(q stats.Quantiles) time.Duration { return q.P50 }),
		P95:   each(func(q stats.Quantiles) time.Duration { return q.P95 }),
		P99:   each(func(q stats.Quantiles) time.Duration { return q.P99 }),
		Max:   each(func(q stats.Quantiles) time.Duration { return q.Max }),
	}
}
