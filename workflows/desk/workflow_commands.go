package desk

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
)

// errStarting answers a query that arrives before the first task is through.
var errStarting = &Refused{Reason: "the desk is starting"}

// InvalidError is the type of the application error with which a desk refuses
// what it cannot read; the HTTP API answers it with 422.
const InvalidError = "Invalid"

// answer registers queries and updates, before anything can block.
func (d *desk) answer(ctx workflow.Context) error {
	for _, query := range []struct {
		name   string
		answer any
	}{
		{signals.StateQuery, func() (signals.DeskView, error) {
			if d.machine == nil {
				return signals.DeskView{}, errStarting
			}

			return d.machine.View(workflow.Now(ctx)), nil
		}},
		{signals.AvailabilityQuery, func(skill string) (signals.Availability, error) {
			if d.machine == nil {
				return signals.Availability{}, errStarting
			}

			return d.machine.Availability(skill, workflow.Now(ctx)), nil
		}},
		{signals.PositionQuery, func(key signals.Key) (signals.DeskPosition, error) {
			if d.machine == nil {
				return signals.DeskPosition{}, errStarting
			}

			return d.machine.Position(key, workflow.Now(ctx)), nil
		}},
	} {
		if err := workflow.SetQueryHandler(ctx, query.name, query.answer); err != nil {
			return fmt.Errorf("register the query %s: %w", query.name, err)
		}
	}

	return d.commands(ctx)
}

func (d *desk) commands(ctx workflow.Context) error {
	err := command(ctx, d, signals.AgentUpdate, "Puts an agent on the desk, or changes one.",
		func(word signals.AgentWord) error { return d.machine.JudgeAgent(word) },
		func(ctx workflow.Context, word signals.AgentWord) (signals.DeskAgent, error) {
			return d.machine.PutAgent(word, workflow.Now(ctx))
		})
	if err != nil {
		return err
	}

	err = command(ctx, d, signals.RemoveAgentUpdate, "Takes an agent off the desk.",
		func(word signals.AgentWord) error { return d.machine.JudgeRemoval(word.ID) },
		func(ctx workflow.Context, word signals.AgentWord) (signals.DeskAgent, error) {
			return d.machine.RemoveAgent(word.ID, workflow.Now(ctx))
		})
	if err != nil {
		return err
	}

	err = command(ctx, d, signals.ChooseUpdate, "Chooses an agent for each of some conversations, at once.",
		func(choices signals.Choices) error { return d.machine.JudgeChoices(choices) },
		func(ctx workflow.Context, choices signals.Choices) (signals.Chosen, error) {
			return d.machine.Choose(choices, workflow.Now(ctx))
		})
	if err != nil {
		return err
	}

	return command(ctx, d, signals.ReloadUpdate, "Reads the desk's configuration again.",
		func(struct{}) error { return nil },
		func(workflow.Context, struct{}) (struct{}, error) {
			d.reload = true

			return struct{}{}, nil
		})
}

// command registers one update. The SDK runs update handlers before the root
// coroutine, so each first takes in the signals that were acknowledged before it,
// and only then judges.
func command[A, R any](
	ctx workflow.Context, d *desk, name, description string, judge func(arg A) error, do func(ctx workflow.Context, arg A) (R, error),
) error {
	handle := func(ctx workflow.Context, arg A) (R, error) {
		var none R

		if err := workflow.Await(ctx, func() bool { return d.machine != nil }); err != nil {
			return none, fmt.Errorf("wait for the desk to start: %w", err)
		}

		d.drain(ctx)
		d.woken = true

		answer, err := do(ctx, arg)
		if err != nil {
			return none, refusal(err)
		}

		return answer, nil
	}

	err := workflow.SetUpdateHandlerWithOptions(ctx, name, handle, workflow.UpdateHandlerOptions{
		Description: description,
		Validator: func(_ workflow.Context, arg A) error {
			// It may not take signals in: with one waiting, the handler judges.
			if d.machine == nil || d.waiting() {
				return nil
			}

			return refusal(judge(arg))
		},
	})
	if err != nil {
		return fmt.Errorf("register the update %s: %w", name, err)
	}

	return nil
}

// refusal makes the application error that the API answers with 409 or 422.
func refusal(err error) error {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return temporal.NewNonRetryableApplicationError(refused.Reason, signals.RefusedError, nil)
	}

	if fault, ok := errors.AsType[*signals.FieldError](err); ok {
		return temporal.NewNonRetryableApplicationError(fault.Error(), InvalidError, nil, fault.Field, fault.Reason)
	}

	return err
}
