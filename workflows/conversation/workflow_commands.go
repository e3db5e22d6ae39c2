package conversation

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
)

// answer registers queries and updates, before anything can block.
func (c *conversation) answer(ctx workflow.Context) error {
	err := workflow.SetQueryHandler(ctx, signals.StateQuery, func() (signals.View, error) {
		if c.machine == nil {
			return signals.View{}, errStarting
		}

		return c.machine.View(c.info.WorkflowExecution.RunID, true), nil
	})
	if err != nil {
		return fmt.Errorf("register the query %s: %w", signals.StateQuery, err)
	}

	err = workflow.SetQueryHandler(ctx, signals.TimelineQuery, func() ([]signals.TimelineEntry, error) {
		if c.machine == nil {
			return nil, errStarting
		}

		return c.machine.timeline(), nil
	})
	if err != nil {
		return fmt.Errorf("register the query %s: %w", signals.TimelineQuery, err)
	}

	err = workflow.SetQueryHandler(ctx, signals.StatementQuery, func() (signals.Statement, error) {
		if c.machine == nil {
			return signals.Statement{}, errStarting
		}

		return c.machine.Statement(), nil
	})
	if err != nil {
		return fmt.Errorf("register the query %s: %w", signals.StatementQuery, err)
	}

	for _, name := range []string{
		signals.AcceptUpdate, signals.DeclineUpdate, signals.AssignUpdate, signals.CloseUpdate,
		signals.ReopenUpdate, signals.SnoozeUpdate, signals.NoteUpdate, signals.TransferUpdate, signals.EscalateUpdate,
	} {
		if err := c.command(ctx, name); err != nil {
			return err
		}
	}

	return nil
}

// errStarting answers a query that arrives before the first task is through.
var errStarting = &Refused{Reason: "the conversation is starting"}

// command registers one update. The SDK runs update handlers before the root
// coroutine, so each first takes in the signals that were acknowledged before
// it, and only then judges.
func (c *conversation) command(ctx workflow.Context, name string) error {
	handle := func(ctx workflow.Context, command signals.Command) (signals.Answer, error) {
		if err := workflow.Await(ctx, func() bool { return c.machine != nil }); err != nil {
			return signals.Answer{}, fmt.Errorf("wait for the conversation to start: %w", err)
		}

		c.drain(ctx)

		now := workflow.Now(ctx)
		c.touched = true
		c.machine.Settle(now)

		if err := c.machine.Command(name, command, now); err != nil {
			c.woken = true

			return signals.Answer{}, refusal(err, command)
		}

		c.woken = true

		return signals.Answer{View: c.machine.View(c.info.WorkflowExecution.RunID, true), Command: command.Digest()}, nil
	}

	err := workflow.SetUpdateHandlerWithOptions(ctx, name, handle, workflow.UpdateHandlerOptions{
		Description: "A command to the conversation; refused with the reason when it does not fit its state.",
		Validator: func(ctx workflow.Context, command signals.Command) error {
			// It may not take signals in: with one waiting, the handler judges.
			if c.machine == nil || c.waiting() {
				return nil
			}

			return refusal(c.machine.Judge(name, command, workflow.Now(ctx)), command)
		},
	})
	if err != nil {
		return fmt.Errorf("register the update %s: %w", name, err)
	}

	return nil
}
