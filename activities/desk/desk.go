// Package desk holds the activities of desks: what they tell conversations, which
// conversations still count on them, and the webhook that may choose an agent.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	registry.RegisterActivityWithOptions(a.Lost, activity.RegisterOptions{Name: desk.LostActivity})
	registry.RegisterActivityWithOptions(a.Choose, activity.RegisterOptions{Name: desk.ChooseActivity})
}

// dispatchTime is how long a dispatch waits for conversations that take nothing.
// The desk bounds an attempt by more.
const dispatchTime = 3 * time.Second

// Dispatch tells each conversation what the desk decided, all of them at a time,
// and returns which do not run, and which could not be reached while others could.
func (a *Activities) Dispatch(ctx context.Context, payload desk.Dispatch) (desk.Dispatched, error) {
	ctx, cancel := context.WithTimeout(ctx, dispatchTime)
	defer cancel()

	keys, offers := byConversation(payload.Offers)
	running := make([]bool, len(keys))
	errs := make([]error, len(keys))

	var telling sync.WaitGroup

	for i, key := range keys {
		telling.Go(func() { running[i], errs[i] = a.offer(ctx, key, offers[key]) })
	}

	telling.Wait()

	var done desk.Dispatched

	for i, key := range keys {
		switch {
		case errs[i] != nil:
			done.Unreached = append(done.Unreached, key)
		case !running[i]:
			done.Gone = append(done.Gone, key)
		}
	}

	err := errors.Join(errs...)
	if err != nil && len(done.Unreached) == len(keys) {
		return desk.Dispatched{}, err
	}

	if err != nil {
		a.Log.WarnContext(ctx, "conversations of a desk could not be told; they are told later", slog.String("desk", payload.Desk),
			slog.Int("count", len(done.Unreached)), slog.Any("error", err))
	}

	return done, nil
}

// byConversation gathers what each conversation is told, both in order.
func byConversation(all []desk.Addressed) ([]signals.Key, map[signals.Key][]signals.Offer) {
	keys := make([]signals.Key, 0, len(all))
	offers := make(map[signals.Key][]signals.Offer, len(all))

	for i := range all {
		if offers[all[i].Key] == nil {
			keys = append(keys, all[i].Key)
		}

		offers[all[i].Key] = append(offers[all[i].Key], all[i].Offer)
	}

	return keys, offers
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
