package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

// dispatchActivity is how a desk tells conversations what it decided.
const dispatchActivity = "desk-dispatch"

// Desk is what the histories of one desk say, from its first run to its newest.
type Desk struct {
	// Length is the number of history events, Runs that of runs.
	Length, Runs int
	// TaskWaits are from the scheduling of a workflow task to its start.
	TaskWaits []Wait
	// MessageWaits are from when a signal stood in history to the start of the
	// workflow task that took it in: what comes while a task runs waits for its
	// end, too, before the next one is even scheduled.
	MessageWaits []Wait
	// Offers are the invitations, in the order in which they left the desk.
	Offers []Offer
	// Most is the most slots that each agent had taken at a time.
	Most map[string]int
	// Twice are the invitations for a conversation that another agent had.
	Twice []string
}

// Wait is how long something waited, since when, and where the start of the task
// stands that it waited for.
type Wait struct {
	Since time.Time
	For   time.Duration
	// Run counts from 1; Event is the id of WorkflowTaskStarted.
	Run   int
	Event int64
}

// Offer is one invitation.
type Offer struct {
	Key   signals.Key
	Agent string
	// Left is when the desk had decided, Told when its conversation had the
	// message in its history; zero if nobody knows.
	Left, Told time.Time
}

// ReadDesk reads the histories of a desk.
func ReadDesk(ctx context.Context, temporal client.Client, name string) (*Desk, error) {
	var runs [][]*historypb.HistoryEvent

	err := eachRun(ctx, temporal, signals.DeskWorkflowID(name), func(events []*historypb.HistoryEvent) error {
		runs = append(runs, events)

		return nil
	})
	if err != nil {
		return nil, err
	}

	slices.Reverse(runs)

	found, err := DeskOf(runs...)
	if err != nil {
		return nil, fmt.Errorf("desk %s: %w", name, err)
	}

	return found, nil
}

// DeskOf makes the same of histories, the first run first.
func DeskOf(runs ...[]*historypb.HistoryEvent) (*Desk, error) {
	found := &Desk{Most: make(map[string]int)}
	slots := newSlots(found)

	for _, events := range runs {
		run := deskRun{desk: found, slots: slots, scheduled: make(map[int64]time.Time), started: make(map[int64]begun), left: make(map[int64]int)}

		for _, event := range events {
			if err := run.take(event); err != nil {
				return nil, fmt.Errorf("run %d, event %d: %w", found.Runs+1, event.GetEventId(), err)
			}
		}

		found.Length += len(events)
		found.Runs++
	}

	return found, nil
}

// begun is a workflow task that was started, and how many signals it saw.
type begun struct {
	at   time.Time
	seen int
}

// deskRun is one run while it is read.
type deskRun struct {
	desk  *Desk
	slots *slots

	scheduled map[int64]time.Time
	started   map[int64]begun
	// said is when each signal came; the first of them were taken in.
	said  []time.Time
	taken int
	// left is where the invitations of a dispatch begin, by its event.
	left map[int64]int
}

func (r *deskRun) take(event *historypb.HistoryEvent) error {
	at := event.GetEventTime().AsTime()

	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		r.scheduled[event.GetEventId()] = at
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		since := r.scheduled[event.GetWorkflowTaskStartedEventAttributes().GetScheduledEventId()]
		r.desk.TaskWaits = append(r.desk.TaskWaits, Wait{Since: since, For: at.Sub(since), Run: r.desk.Runs + 1, Event: event.GetEventId()})
		r.started[event.GetEventId()] = begun{at: at, seen: len(r.said)}
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		started := event.GetWorkflowTaskCompletedEventAttributes().GetStartedEventId()
		task := r.started[started]

		for ; r.taken < task.seen; r.taken++ {
			since := r.said[r.taken]
			r.desk.MessageWaits = append(r.desk.MessageWaits, Wait{Since: since, For: task.at.Sub(since), Run: r.desk.Runs + 1, Event: started})
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		r.said = append(r.said, at)

		said := event.GetWorkflowExecutionSignaledEventAttributes()
		if said.GetSignalName() == signals.AsksSignal {
			return r.asked(said.GetInput())
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		dispatch := event.GetActivityTaskScheduledEventAttributes()
		if dispatch.GetActivityType().GetName() == dispatchActivity {
			r.left[event.GetEventId()] = len(r.desk.Offers)

			return r.offered(dispatch.GetInput(), at)
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		done := event.GetActivityTaskCompletedEventAttributes()

		return r.told(done.GetScheduledEventId(), done.GetResult(), at)
	default:
	}

	return nil
}

// asked takes in what conversations say.
func (r *deskRun) asked(input *commonpb.Payloads) error {
	var batch struct {
		Asks []signals.Ask `json:"asks"`
	}

	if err := decode(input, &batch); err != nil {
		return err
	}

	for i := range batch.Asks {
		r.slots.asked(&batch.Asks[i])
	}

	return nil
}

// offered takes in what a dispatch tells.
func (r *deskRun) offered(input *commonpb.Payloads, at time.Time) error {
	var dispatch struct {
		Offers []struct {
			Key   signals.Key   `json:"key"`
			Offer signals.Offer `json:"offer"`
		} `json:"offers"`
	}

	if err := decode(input, &dispatch); err != nil {
		return err
	}

	for i := range dispatch.Offers {
		if one := &dispatch.Offers[i]; one.Offer.Kind == signals.OfferAgent {
			r.desk.Offers = append(r.desk.Offers, Offer{Key: one.Key, Agent: one.Offer.Agent, Left: at})
			r.slots.offered(one.Key, one.Offer.Agent)
		}
	}

	return nil
}

// told takes in that a dispatch arrived, but for those that do not run.
func (r *deskRun) told(scheduled int64, result *commonpb.Payloads, at time.Time) error {
	first, ok := r.left[scheduled]
	if !ok {
		return nil
	}

	var done struct {
		Gone []signals.Key `json:"gone"`
	}

	if err := decode(result, &done); err != nil {
		return err
	}

	// One dispatch is under way at a time: what left since is its own.
	for i := first; i < len(r.desk.Offers); i++ {
		r.desk.Offers[i].Told = at
	}

	for _, key := range done.Gone {
		r.slots.free(key)
	}

	return nil
}

func decode(payloads *commonpb.Payloads, into any) error {
	if len(payloads.GetPayloads()) == 0 {
		return nil
	}

	if err := json.Unmarshal(payloads.GetPayloads()[0].GetData(), into); err != nil {
		return fmt.Errorf("read a payload: %w", err)
	}

	return nil
}
