// Package deliver holds the activities of delivery workflows: one attempt at
// one order, and the report about a ticket or about a platform's command.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// Sender makes one attempt at one order. Its errors that are an
// [outbound.Failure] say themselves whether trying again is of use; the texts
// of others are not shown.
type Sender interface {
	Send(ctx context.Context, order *signals.Order) (delivery.Receipt, error)
}

// Tickets takes in what ticket.* events say; an unknown ticket is
// [tickets.ErrNotFound].
type Tickets interface {
	Update(ctx context.Context, ref signals.TicketRef, source, conversation string) error
}

// Courier brings messages to workflows.
type Courier interface {
	// Tell signals a conversation that runs; one that does not is no error.
	Tell(ctx context.Context, key signals.Key, events []signals.Event) error
	// Orders brings orders to delivery workflows.
	Orders(ctx context.Context, key signals.Key, orders []signals.Order) error
}

// Activities are the activities of delivery workflows.
type Activities struct {
	// Notices sends orders of the kind notice.
	Notices Sender
	// TicketSystem sends orders of the kind ticket.
	TicketSystem Sender
	// Platform sends orders of the kind platform; nil refuses them.
	Platform Sender
	Tickets  Tickets
	Courier  Courier
	// Channels names the channels that a source's policy tells of a type of
	// event. The conversation is over when a ticket fails, and cannot tell them.
	Channels func(source string, kind signals.Type) []string
	Log      *slog.Logger
}

// Register makes the activities known under the names that the workflow calls.
func (a *Activities) Register(registry worker.ActivityRegistry) {
	registry.RegisterActivityWithOptions(a.Attempt, activity.RegisterOptions{Name: delivery.AttemptActivity})
	registry.RegisterActivityWithOptions(a.Report, activity.RegisterOptions{Name: delivery.ReportActivity})
}

// Attempt makes one attempt. The workflow decides what follows from its error.
func (a *Activities) Attempt(ctx context.Context, attempt delivery.Attempt) (delivery.Receipt, error) {
	order := &attempt.Order
	if !attempt.ExpiresAt.IsZero() && !time.Now().Before(attempt.ExpiresAt) {
		return delivery.Receipt{}, failed("no worker took the attempt before it expired", delivery.ExpiredError, 0)
	}

	receipt, err := a.send(ctx, order)
	a.count(ctx, order, err)

	if err != nil {
		return delivery.Receipt{}, a.explain(ctx, &attempt, err)
	}

	a.Log.DebugContext(ctx, "Delivered", attributes(&attempt, slog.String("detail", receipt.Detail))...)

	return receipt, nil
}

func (a *Activities) send(ctx context.Context, order *signals.Order) (delivery.Receipt, error) {
	switch {
	case order.Kind == signals.OrderTicket:
		return sendWhole(ctx, a.TicketSystem, order)
	case order.Kind == signals.OrderPlatform && a.Platform == nil:
		return delivery.Receipt{}, outbound.Permanent("no source's platform takes commands")
	case order.Kind == signals.OrderPlatform:
		return sendWhole(ctx, a.Platform, order)
	default:
		return sendWhole(ctx, a.Notices, order)
	}
}

// explain makes an error fit for Temporal's history, which everybody who sees
// the UI can read: the causes of failures hold URLs, which are secrets.
func (a *Activities) explain(ctx context.Context, attempt *delivery.Attempt, err error) error {
	failure, ok := errors.AsType[*outbound.Failure](err)
	if !ok {
		a.Log.ErrorContext(ctx, "An attempt failed within Parley", attributes(attempt, slog.Any("error", err))...)

		return temporal.NewApplicationError("the attempt failed within Parley; its log says why", delivery.TemporaryError)
	}

	a.Log.WarnContext(ctx, "An attempt failed", attributes(attempt, slog.String("error", failure.Reason),
		slog.Bool("permanent", failure.Permanent))...)

	if failure.Permanent {
		return failed(failure.Reason, delivery.PermanentError, 0)
	}

	return failed(failure.Reason, delivery.TemporaryError, failure.RetryAfter)
}

// failed is an attempt's error as the workflow reads it. A receiver that says
// no is nothing that the SDK should log or count as an error of Parley's.
func failed(reason, kind string, retryAfter time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(reason, kind, temporal.ApplicationErrorOptions{
		NonRetryable: kind != delivery.TemporaryError, NextRetryDelay: retryAfter, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

func (a *Activities) count(ctx context.Context, order *signals.Order, err error) {
	outcome := "delivered"

	switch {
	case outbound.IsPermanent(err):
		outcome = "permanent"
	case err != nil:
		outcome = "temporary"
	}

	// Outside a worker, as in a test that calls the method itself, nothing counts.
	if !activity.IsActivity(ctx) {
		return
	}

	activity.GetMetricsHandler(ctx).WithTags(map[string]string{
		"target": order.Target, "kind": string(order.Kind), "outcome": outcome,
	}).Counter("parley_delivery_attempts").Inc(1)
}

// Report says what became of an order: of a ticket, see [Activities.reportTicket];
// of a platform's command to the conversation, which tells people. One that is
// over has nobody left to move the chat for.
func (a *Activities) Report(ctx context.Context, report delivery.Report) error {
	switch {
	case report.Event.Ticket != nil:
		return a.reportTicket(ctx, report)
	case report.Event.Note != nil:
		return a.reportCommand(ctx, report)
	default:
		return temporal.NewNonRetryableApplicationError("the report names neither a ticket nor a command", "BadReport", nil)
	}
}

func (a *Activities) reportCommand(ctx context.Context, report delivery.Report) error {
	if report.Event.Note.Kind == signals.NotePlatformFailed {
		a.Log.ErrorContext(ctx, "A platform did not carry out a command", "source", report.Key.Source,
			"conversation", report.Key.Conversation, "reason", report.Event.Note.Text)
	}

	if err := a.Courier.Tell(ctx, report.Key, []signals.Event{report.Event}); err != nil {
		return fmt.Errorf("report command %s: %w", report.Event.ID, err)
	}

	return nil
}

// reportTicket says what became of a ticket: first to the store, which everybody
// reads it from, then to the conversation, if it still runs, and to the
// channels that the policy names. Each step may be repeated.
func (a *Activities) reportTicket(ctx context.Context, report delivery.Report) error {
	event := report.Event

	err := a.Tickets.Update(ctx, *event.Ticket, report.Key.Source, report.Key.Conversation)

	switch {
	case errors.Is(err, tickets.ErrNotFound):
		// Retention was quicker; whoever still listens is told all the same.
		a.Log.WarnContext(ctx, "A ticket that is no longer kept was reported", "ticket", event.Ticket.ID,
			"source", report.Key.Source, "conversation", report.Key.Conversation)
	case err != nil:
		return fmt.Errorf("report ticket %s: %w", event.Ticket.ID, err)
	}

	if err := a.Courier.Tell(ctx, report.Key, []signals.Event{event}); err != nil {
		return fmt.Errorf("report ticket %s: %w", event.Ticket.ID, err)
	}

	if a.Channels == nil {
		return nil
	}

	var orders []signals.Order

	for _, channel := range a.Channels(report.Key.Source, event.Type) {
		orders = append(orders, signals.Order{
			Key: event.ID, Kind: signals.OrderNotice, Target: channel, Session: event.Session,
			// The conversation ordered nothing after its ticket.
			Counter: report.Counter + 1, Event: &event,
		})
	}

	if len(orders) == 0 {
		return nil
	}

	if err := a.Courier.Orders(ctx, report.Key, orders); err != nil {
		return fmt.Errorf("report ticket %s: %w", event.Ticket.ID, err)
	}

	return nil
}

func attributes(attempt *delivery.Attempt, more ...any) []any {
	order := &attempt.Order
	list := []any{
		slog.String("target", order.Target), slog.String("order", order.Key), slog.String("what", delivery.Describe(order)),
		slog.Int("attempt", attempt.Number),
	}

	switch {
	case order.Event != nil:
		list = append(list, slog.String("source", order.Event.Source), slog.String("conversation", order.Event.Conversation))
	case order.Ticket != nil:
		list = append(list, slog.String("source", order.Ticket.Source), slog.String("conversation", order.Ticket.Conversation))
	case order.Platform != nil:
		list = append(list, slog.String("conversation", order.Platform.Chat))
	}

	return append(list, more...)
}
