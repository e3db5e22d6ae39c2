package drive

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/tests/load/stats"
)

// Sent is what was sent and how it was acknowledged.
type Sent struct {
	// Begin is when the first webhook was due, End when the last was
	// acknowledged.
	Begin, End time.Time
	// Acks are the times from when a webhook was due until its 2xx: in a closed
	// loop from its sending, at a fixed rate from its place in the schedule.
	Acks []time.Duration
	// Repeated webhooks, and those that were answered with 503 and sent again.
	Repeated, Refused int64

	// due is when each event was due first, in Unix nanoseconds, by
	// conversation and event; claimed is the time that it carries.
	due, claimed []int64
	// events in each conversation.
	events int
}

// Due is when an event was due first.
func (s *Sent) Due(conversation, event int) time.Time {
	return time.Unix(0, s.due[conversation*s.events+event])
}

// Claimed is the time that an event carries, from which its clocks count.
func (s *Sent) Claimed(conversation, event int) time.Time {
	return time.Unix(0, s.claimed[conversation*s.events+event])
}

// Progress counts while a run goes on; it may be read at any time.
type Progress struct {
	Acknowledged, Refused atomic.Int64
}

// Run sends plan over this many connections. A rate of zero is a closed loop:
// each connection sends when it has its last answer. Otherwise events are due
// at that many per second, whatever the answers take, and a connection that is
// behind sends as fast as it can.
func Run(ctx context.Context, client *Client, plan *Plan, connections int, rate float64, progress *Progress) (*Sent, error) {
	if progress == nil {
		progress = &Progress{}
	}

	run := &run{
		client: client, plan: plan, progress: progress,
		sent: &Sent{
			due: make([]int64, plan.Total()), claimed: make([]int64, plan.Total()), events: plan.Events, Begin: time.Now(),
		},
	}
	run.sent.Acks = make([]time.Duration, 0, plan.Total())

	if rate > 0 {
		// What is due first should not find the connections still unmade.
		const headStart = 20 * time.Millisecond

		run.schedule = &stats.Schedule{Begin: run.sent.Begin.Add(headStart), Rate: rate}
		run.sent.Begin = run.schedule.Begin
	}

	var err error

	switch {
	case plan.Crowded:
		err = run.crowded(ctx, connections)
	case rate > 0:
		err = run.side(ctx, connections)
	default:
		err = run.loop(ctx, connections)
	}

	run.sent.End = time.Now()
	run.sent.Refused = progress.Refused.Load()

	return run.sent, err
}

// run is one plan while it is sent.
type run struct {
	client   *Client
	plan     *Plan
	schedule *stats.Schedule
	progress *Progress

	mu   sync.Mutex
	sent *Sent
}

// loop gives each connection a whole conversation, and the next when it is done.
func (r *run) loop(ctx context.Context, connections int) error {
	var next atomic.Int64

	return r.together(ctx, connections, func(ctx context.Context, w *worker, _ int) error {
		for {
			conversation := int(next.Add(1)) - 1
			if conversation >= r.plan.Conversations {
				return nil
			}

			for event := range r.plan.Events {
				if err := w.send(ctx, conversation, event, time.Now()); err != nil {
					return err
				}
			}
		}
	})
}

// side sends as many conversations side by side as there are connections, each
// of them over its own, as the schedule has them due.
func (r *run) side(ctx context.Context, connections int) error {
	width := min(connections, r.plan.Conversations)
	order := stats.Interleaving{Conversations: r.plan.Conversations, Events: r.plan.Events, Width: width}

	return r.together(ctx, width, func(ctx context.Context, w *worker, number int) error {
		for conversation := number; conversation < r.plan.Conversations; conversation += width {
			for event := range r.plan.Events {
				if err := w.sendAt(ctx, conversation, event, order.Place(conversation, event)); err != nil {
					return err
				}
			}
		}

		return nil
	})
}

// crowded sends one event of each conversation after the other, whichever
// connection is free; the close follows when all others are acknowledged.
func (r *run) crowded(ctx context.Context, connections int) error {
	last := r.plan.Events
	if !r.plan.Open {
		last--
	}

	for _, span := range [][2]int{{0, last}, {last, r.plan.Events}} {
		from, count := span[0], (span[1]-span[0])*r.plan.Conversations

		var next atomic.Int64

		err := r.together(ctx, min(connections, count), func(ctx context.Context, w *worker, _ int) error {
			for {
				place := int(next.Add(1)) - 1
				if place >= count {
					return nil
				}

				conversation, event := place%r.plan.Conversations, from+place/r.plan.Conversations
				if err := w.sendAt(ctx, conversation, event, from*r.plan.Conversations+place); err != nil {
					return err
				}
			}
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// together runs one worker per connection and collects what they measured.
func (r *run) together(ctx context.Context, connections int, work func(ctx context.Context, w *worker, number int) error) error {
	group, ctx := errgroup.WithContext(ctx)

	for number := range connections {
		group.Go(func() error {
			w := &worker{run: r}
			err := work(ctx, w, number)

			r.mu.Lock()
			defer r.mu.Unlock()

			r.sent.Acks = append(r.sent.Acks, w.acks...)
			r.sent.Repeated += w.repeated

			return err
		})
	}

	return group.Wait()
}

// worker is one connection.
type worker struct {
	run      *run
	acks     []time.Duration
	repeated int64
}

// sendAt waits until the schedule has the event due; in a closed loop that is
// now.
func (w *worker) sendAt(ctx context.Context, conversation, event, place int) error {
	due := time.Now()

	if w.run.schedule != nil {
		due = w.run.schedule.Due(place)

		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
	}

	return w.send(ctx, conversation, event, due)
}

func (w *worker) send(ctx context.Context, conversation, event int, due time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	plan := w.run.plan
	made := plan.Event(conversation, event)
	place := conversation*plan.Events + event
	w.run.sent.due[place], w.run.sent.claimed[place] = due.UnixNano(), made.At.UnixNano()

	body, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}

	how := plan.repeat(conversation, event)

	var second errgroup.Group

	if how == beside {
		second.Go(func() error {
			_, err := w.post(ctx, body)

			return err
		})
	}

	if _, err := w.post(ctx, body); err != nil {
		return fmt.Errorf("%s, event %d: %w", plan.Key(conversation), event, err)
	}

	w.acks = append(w.acks, time.Since(due))

	if how == after {
		second.Go(func() error {
			_, err := w.post(ctx, body)

			return err
		})
	}

	if how != once {
		w.repeated++
	}

	if err := second.Wait(); err != nil {
		return fmt.Errorf("%s, event %d repeated: %w", plan.Key(conversation), event, err)
	}

	return nil
}

func (w *worker) post(ctx context.Context, body []byte) (answer, error) {
	said, refused, err := w.run.client.post(ctx, w.run.plan.Path(), body)
	w.run.progress.Refused.Add(int64(refused))

	if err == nil {
		w.run.progress.Acknowledged.Add(1)

		if said.Accepted+said.Duplicates != 1 {
			return said, fmt.Errorf("%w: one event, accepted %d, duplicates %d", ErrStatus, said.Accepted, said.Duplicates)
		}
	}

	return said, err
}
