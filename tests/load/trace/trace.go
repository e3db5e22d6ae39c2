// Package trace reads from Temporal's histories what became of each event. A
// history has the time at which a signal came, at which the workflow task that
// took it in was completed, and at which the run ended: exact, for every event,
// and read when the run is over, so that it costs nothing while it lasts.
package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// Conversation is what the histories of one conversation's newest session say,
// those of the runs that it continued from included.
type Conversation struct {
	// Applied is when the workflow task that took an event in was completed, by
	// the event's id; of a repeated one it is the first.
	Applied map[string]time.Time
	// Batches are how many events each signal carried.
	Batches []int
	// Length is the number of history events.
	Length int
	// Firings are the timers that fired.
	Firings []Firing
	// Completed is when the run ended, zero while it goes on.
	Completed time.Time
}

// Firing is one timer that fired, and the workflow task that acted on it.
type Firing struct {
	Fired, Started, Completed time.Time
}

// ActedAt is when the workflow task began, and ended, that acted on what was due
// at a time: that of the first timer that fired then, or, where the event that
// set the clock was itself taken in later, the task that applied it.
func (c *Conversation) ActedAt(due time.Time, event string) (started, completed time.Time) {
	for _, firing := range c.Firings {
		if !firing.Started.Before(due) {
			return firing.Started, firing.Completed
		}
	}

	return c.Applied[event], c.Applied[event]
}

// Read reads the histories of a workflow, from the newest run back to the first
// that it continued from.
func Read(ctx context.Context, temporal client.Client, workflowID string) (*Conversation, error) {
	found := &Conversation{Applied: make(map[string]time.Time)}

	return found, eachRun(ctx, temporal, workflowID, found.add)
}

// eachRun hands each run's history over, from the newest back to the first that
// it continued from.
func eachRun(ctx context.Context, temporal client.Client, workflowID string, add func(events []*historypb.HistoryEvent) error) error {
	for runID, newest := "", true; newest || runID != ""; newest = false {
		var (
			events []*historypb.HistoryEvent
			parent string
		)

		for iterator := temporal.GetWorkflowHistory(ctx, workflowID, runID, false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); iterator.HasNext(); {
			event, err := iterator.Next()
			if err != nil {
				return fmt.Errorf("read the history of %s: %w", workflowID, err)
			}

			if started := event.GetWorkflowExecutionStartedEventAttributes(); started != nil {
				parent = started.GetContinuedExecutionRunId()
			}

			events = append(events, event)
		}

		if err := add(events); err != nil {
			return fmt.Errorf("%s: %w", workflowID, err)
		}

		runID = parent
	}

	return nil
}

// Of makes the same of one run's history.
func Of(history *historypb.History) (*Conversation, error) {
	found := &Conversation{Applied: make(map[string]time.Time)}
	if err := found.add(history.GetEvents()); err != nil {
		return nil, err
	}

	return found, nil
}

// before is what stood in a history when a workflow task started.
type before struct {
	at               time.Time
	signals, firings int
}

// add takes one run in. A task takes in every signal and timer that stands
// before its start; what comes while it runs is written after its end.
func (c *Conversation) add(events []*historypb.HistoryEvent) error {
	var (
		signalled []string
		fired     []time.Time
		tasks     = make(map[int64]before)
		// done is what tasks have taken in so far.
		done before
	)

	c.Length += len(events)

	for _, event := range events {
		at := event.GetEventTime().AsTime()

		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			ids, err := idsOf(event.GetWorkflowExecutionSignaledEventAttributes().GetInput())
			if err != nil {
				return fmt.Errorf("event %d: %w", event.GetEventId(), err)
			}

			c.Batches = append(c.Batches, len(ids))
			signalled = append(signalled, ids...)
		case enumspb.EVENT_TYPE_TIMER_FIRED:
			fired = append(fired, at)
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			tasks[event.GetEventId()] = before{at: at, signals: len(signalled), firings: len(fired)}
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			task := tasks[event.GetWorkflowTaskCompletedEventAttributes().GetStartedEventId()]
			c.apply(signalled[done.signals:task.signals], at)
			c.fire(fired[done.firings:task.firings], task.at, at)
			done = task
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			c.Completed = at
		default:
		}
	}

	return nil
}

func (c *Conversation) apply(ids []string, at time.Time) {
	for _, id := range ids {
		if first, ok := c.Applied[id]; !ok || at.Before(first) {
			c.Applied[id] = at
		}
	}
}

func (c *Conversation) fire(fired []time.Time, started, completed time.Time) {
	for _, at := range fired {
		c.Firings = append(c.Firings, Firing{Fired: at, Started: started, Completed: completed})
	}
}

// batch is a signal's payload, as far as it is of interest.
type batch struct {
	Events []struct {
		ID string `json:"id"`
	} `json:"events"`
}

func idsOf(input *commonpb.Payloads) ([]string, error) {
	if len(input.GetPayloads()) == 0 {
		return nil, nil
	}

	var carried batch
	if err := json.Unmarshal(input.GetPayloads()[0].GetData(), &carried); err != nil {
		return nil, fmt.Errorf("read signal: %w", err)
	}

	ids := make([]string, 0, len(carried.Events))
	for _, event := range carried.Events {
		ids = append(ids, event.ID)
	}

	return ids, nil
}

// Count asks visibility how many workflows there are; it is behind the truth by
// some milliseconds.
func Count(ctx context.Context, temporal client.Client, query string) (int, error) {
	answer, err := temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	if err != nil {
		return 0, fmt.Errorf("count workflows: %w", err)
	}

	return int(answer.GetCount()), nil
}

// AwaitCount looks twice a second until a query counts at least this many.
func AwaitCount(ctx context.Context, temporal client.Client, query string, wanted int, seen func(count int)) error {
	const every = 500 * time.Millisecond

	ticker := time.NewTicker(every)
	defer ticker.Stop()

	for count := 0; ; {
		found, err := Count(ctx, temporal, query)
		if err == nil {
			count = found
		}

		seen(count)

		if count >= wanted {
			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d of %s: %w", count, wanted, query, ctx.Err())
		case <-ticker.C:
		}
	}
}
