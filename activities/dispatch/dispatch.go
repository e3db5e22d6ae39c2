// Package dispatch carries what a conversation decided out of its workflow: the
// closed session into the store, orders to the delivery workflows, statements to
// desks, what came too late into the archive. Its activities are short, idempotent, and repeated
// whole after a failure.
package dispatch

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/workflows/conversation"
)

// Sender brings orders to delivery workflows; it returns once they are in those
// workflows' histories.
type Sender interface {
	Orders(ctx context.Context, key signals.Key, orders []signals.Order) error
}

// Desks brings statements to desks; it returns once they are in the desk's
// history.
type Desks interface {
	Asks(ctx context.Context, desk string, asks []signals.Ask) error
}

// Sessions stores closed sessions with their tickets. Recording the same
// session again changes nothing.
type Sessions interface {
	Record(ctx context.Context, view signals.View, ticket *signals.Ticket) error
}

// Archive keeps events that start no session and came after theirs was decided.
type Archive interface {
	Stray(ctx context.Context, key signals.Key, session int, events []signals.Event) error
}

// Past tells with what the next session of a conversation starts, from what its
// last one left; found is false where there was none.
type Past interface {
	Next(ctx context.Context, workflowID string) (start signals.Start, found bool, err error)
}

// Printer writes notices where this process writes: a line needs no workflow
// that repeats it for hours.
type Printer interface {
	// Prints reports whether a target is such a channel.
	Prints(target string) bool
	Print(ctx context.Context, order *signals.Order) error
}

// Activities are what conversations call: the dispatch, and, as a local
// activity, the question what the session before left.
type Activities struct {
	Sender   Sender
	Desks    Desks
	Printer  Printer
	Sessions Sessions
	Archive  Archive
	Past     Past
}

// Register registers the activities under the names that conversations call.
func (a *Activities) Register(registry worker.ActivityRegistry) {
	registry.RegisterActivityWithOptions(a.Dispatch, activity.RegisterOptions{Name: conversation.DispatchActivity})
	registry.RegisterActivityWithOptions(a.LastSession, activity.RegisterOptions{Name: conversation.LastSessionActivity})
}

// Dispatch carries out one dispatch. The store goes first: whoever learns of a
// ticket from an order finds it there.
func (a *Activities) Dispatch(ctx context.Context, payload conversation.Dispatch) error {
	if payload.Closed != nil {
		if err := a.Sessions.Record(ctx, payload.Closed.View, payload.Closed.Ticket); err != nil {
			return fmt.Errorf("store session %d of %s: %w", payload.Session, payload.Key, err)
		}
	}

	if len(payload.Stray) > 0 {
		if err := a.Archive.Stray(ctx, payload.Key, payload.Session, payload.Stray); err != nil {
			return fmt.Errorf("archive late events of %s: %w", payload.Key, err)
		}
	}

	// A desk that takes nothing keeps nothing else back, nor the other way round.
	if err := errors.Join(a.ask(ctx, &payload), a.order(ctx, &payload)); err != nil {
		return err
	}

	// Last, since what is above may be repeated, and a line is printed once.
	a.print(ctx, payload.Orders)

	return nil
}

func (a *Activities) order(ctx context.Context, payload *conversation.Dispatch) error {
	orders := a.leaving(payload.Orders)
	if len(orders) == 0 {
		return nil
	}

	if err := a.Sender.Orders(ctx, payload.Key, orders); err != nil {
		return fmt.Errorf("hand out the orders of %s: %w", payload.Key, err)
	}

	return nil
}

// ask brings each statement to its desk. What no desk can ever take holds no
// conversation up: the log says so.
func (a *Activities) ask(ctx context.Context, payload *conversation.Dispatch) error {
	var errs []error

	for i := range payload.Asks {
		desk, ask := payload.Asks[i].Desk, payload.Asks[i].Ask

		err := a.Desks.Asks(ctx, desk, []signals.Ask{ask})

		switch {
		case errors.Is(err, courier.ErrRefused):
			activity.GetLogger(ctx).Error("A statement cannot be told to its desk.", "desk", desk, "source", payload.Key.Source,
				"conversation", payload.Key.Conversation, "error", err)
		case err != nil:
			errs = append(errs, fmt.Errorf("tell desk %s of %s: %w", desk, payload.Key, err))
		}
	}

	return errors.Join(errs...)
}

// leaving are the orders for delivery workflows: all but notices that are
// printed here, and what would cancel them.
func (a *Activities) leaving(orders []signals.Order) []signals.Order {
	leaving := make([]signals.Order, 0, len(orders))

	for i := range orders {
		kind := orders[i].Kind
		if kind != signals.OrderNotice && kind != signals.OrderCancel || !a.Printer.Prints(orders[i].Target) {
			leaving = append(leaving, orders[i])
		}
	}

	return leaving
}

// print writes the notices that stay here. A terminal that cannot be written
// to holds no conversation up: the log says so.
func (a *Activities) print(ctx context.Context, orders []signals.Order) {
	for i := range orders {
		order := &orders[i]
		if order.Kind != signals.OrderNotice || !a.Printer.Prints(order.Target) {
			continue
		}

		if err := a.Printer.Print(ctx, order); err != nil {
			activity.GetLogger(ctx).Error("A notice could not be printed.", "key", order.Key, "error", err)
		}
	}
}

// LastSession returns the start of the session after the newest closed one, and
// session 1 where there is none.
func (a *Activities) LastSession(ctx context.Context, workflowID string) (signals.Start, error) {
	if _, err := signals.ParseWorkflowID(workflowID); err != nil {
		return signals.Start{}, fmt.Errorf("session before: %w", err)
	}

	start, found, err := a.Past.Next(ctx, workflowID)
	if err != nil {
		return signals.Start{}, fmt.Errorf("session before of %s: %w", workflowID, err)
	}

	if !found {
		return signals.Start{Version: 1, Session: 1}, nil
	}

	return start, nil
}
