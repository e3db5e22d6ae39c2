// Package desk holds the activities of desks: what they tell conversations, which
// conversations still count on them, and the webhook that may choose an agent.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// Courier brings a desk's messages to conversations and reports whether they run.
type Courier interface {
	Offers(ctx context.Context, key signals.Key, offers []signals.Offer) (bool, error)
}

// Lister lists workflows by a visibility query; a Temporal client is one.
type Lister interface {
	ListWorkflow(
		ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest,
	) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Poster makes requests; [outbound.Client] is one.
type Poster interface {
	Post(ctx context.Context, request *outbound.Request) (*outbound.Response, error)
}

// Activities are what desks call.
type Activities struct {
	Courier  Courier
	Workflow Lister
	Webhook  Poster
	// Assign says where a desk asks for an agent. It holds secrets, which a
	// desk's history does not.
	Assign func(desk string) policy.DeskAssign
	Log    *slog.Logger
}

// Register registers the activities under the names that desks call.
func (a *Activities) Register(registry worker.ActivityRegistry) {
	registry.RegisterActivityWithOptions(a.Dispatch, activity.RegisterOptions{Name: desk.DispatchActivity})
	registry.RegisterActivityWithOptions(a.Survivors, activity.RegisterOptions{Name: desk.SurvivorsActivity})
	registry.RegisterActivityWithOptions(a.Choose, activity.RegisterOptions{Name: desk.ChooseActivity})
}

// dispatchTime is how long one attempt at a dispatch waits for conversations that
// take nothing; the desk's own bound of an attempt is above it, so that the next
// one learns who has been told.
const dispatchTime = 4 * time.Second

// told is how far the attempts before came with a dispatch.
type told struct {
	// Done are the places of those who were told, Gone of those who do not run.
	Done []int `json:"done,omitempty"`
	Gone []int `json:"gone,omitempty"`
}

// Dispatch tells each conversation what the desk decided, all of them at a time,
// and returns which do not run. Who was told by an attempt that failed for others
// is not told again.
func (a *Activities) Dispatch(ctx context.Context, payload desk.Dispatch) (desk.Dispatched, error) {
	var before told

	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &before); err != nil {
			before = told{}
		}
	}

	waiting, cancel := context.WithTimeout(ctx, dispatchTime)
	defer cancel()

	after, err := a.tell(waiting, payload.Offers, before)
	if err != nil {
		// Under the attempt's own context, which has not ended.
		activity.RecordHeartbeat(ctx, after)

		return desk.Dispatched{}, err
	}

	var done desk.Dispatched

	for _, i := range after.Gone {
		done.Gone = append(done.Gone, payload.Offers[i].Key)
	}

	return done, nil
}

func (a *Activities) tell(ctx context.Context, offers []desk.Addressed, before told) (told, error) {
	var (
		mu      sync.Mutex
		errs    []error
		telling sync.WaitGroup
		after   = told{Done: slices.Clone(before.Done), Gone: slices.Clone(before.Gone)}
	)

	for key, places := range byConversation(offers, before) {
		telling.Go(func() {
			said := make([]signals.Offer, 0, len(places))
			for _, i := range places {
				said = append(said, offers[i].Offer)
			}

			running, err := a.offer(ctx, key, said)

			mu.Lock()
			defer mu.Unlock()

			switch {
			case err != nil:
				errs = append(errs, err)
			case running:
				after.Done = append(after.Done, places...)
			default:
				after.Gone = append(after.Gone, places...)
			}
		})
	}

	telling.Wait()
	slices.Sort(after.Gone)

	return after, errors.Join(errs...)
}

// byConversation gathers what each conversation is still to be told, in order.
func byConversation(offers []desk.Addressed, before told) map[signals.Key][]int {
	all := make(map[signals.Key][]int, len(offers))

	for i := range offers {
		if !slices.Contains(before.Done, i) && !slices.Contains(before.Gone, i) {
			all[offers[i].Key] = append(all[offers[i].Key], i)
		}
	}

	return all
}

func (a *Activities) offer(ctx context.Context, key signals.Key, offers []signals.Offer) (bool, error) {
	running, err := a.Courier.Offers(ctx, key, offers)

	switch {
	case errors.Is(err, courier.ErrRefused):
		// No conversation can have such a key, and none ever hears of it.
		a.Log.ErrorContext(ctx, "a conversation of the desk cannot exist", slog.String("source", key.Source),
			slog.String("conversation", key.Conversation), slog.Any("error", err))

		return false, nil
	case err != nil:
		return false, fmt.Errorf("tell %s: %w", key, err)
	default:
		return running, nil
	}
}
