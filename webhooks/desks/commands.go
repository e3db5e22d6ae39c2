package desks

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

// Put puts an agent on a desk, or changes one; what the word leaves out stays as
// it is. Of several with the same id, empty for none, only the first counts, and
// all have its answer. The errors are *[signals.FieldError], *[RefusedError], and
// those of [Board.View]: then it may or may not have happened.
func (b *Board) Put(ctx context.Context, name, id string, word signals.AgentWord) (signals.DeskAgent, error) {
	var agent signals.DeskAgent

	err := b.update(ctx, name, id, signals.AgentUpdate, word, &agent)

	return agent, err
}

// Remove takes an agent off a desk and returns who that was; one who still has
// conversations keeps them until the reassign clocks take them. The errors are
// those of [Board.Put].
func (b *Board) Remove(ctx context.Context, name, id, agent string) (signals.DeskAgent, error) {
	var removed signals.DeskAgent

	err := b.update(ctx, name, id, signals.RemoveAgentUpdate, signals.AgentWord{ID: agent}, &removed)

	return removed, err
}

// Elsewhere names a desk other than this one that has the agent, "" for none: an
// agent belongs to one. A desk that does not answer counts as it was last.
func (b *Board) Elsewhere(ctx context.Context, name, agent string) string {
	// Who is known here already was looked for before.
	if view, _, _ := b.LastView(name); has(&view, agent) {
		return ""
	}

	others := b.Look(ctx, b.Others(name)...)

	return others.Home(agent, "")
}

// Choose asks a desk for agents at once, one for each of the choices in their
// order, "" where it has none. The errors are those of [Board.Put].
func (b *Board) Choose(ctx context.Context, name string, choices signals.Choices) (signals.Chosen, error) {
	var chosen signals.Chosen

	err := b.update(ctx, name, "", signals.ChooseUpdate, choices, &chosen)

	return chosen, err
}

// Reload starts a desk that does not run, and has one that does read its
// configuration again. The errors are those of [Board.View].
func (b *Board) Reload(ctx context.Context, name string) error {
	return b.update(ctx, name, "", signals.ReloadUpdate, struct{}{}, nil)
}

// update commands a desk, which is started if it does not run.
func (b *Board) update(ctx context.Context, name, id, update string, arg, into any) error {
	if !b.Known(name) {
		return unknown(name)
	}

	handle, err := b.temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: b.temporal.NewWithStartWorkflowOperation(startOptions(name), signals.DeskWorkflow),
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: id, WorkflowID: signals.DeskWorkflowID(name), UpdateName: update, Args: []any{arg},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = handle.Get(ctx, into)
	}

	b.views.expire()
	b.skills[name].expire()

	if err != nil {
		return verdict(name, update, err)
	}

	return nil
}

// verdict tells a desk's own no from one that does not answer.
func verdict(name, update string, err error) error {
	application, ok := errors.AsType[*temporal.ApplicationError](err)

	switch {
	case !ok:
		return silent(name, err)
	case application.Type() == signals.RefusedError:
		return &RefusedError{Reason: application.Message()}
	case application.Type() == desk.InvalidError:
		fault := &signals.FieldError{Reason: application.Message()}
		if err := application.Details(&fault.Field, &fault.Reason); err != nil {
			return fmt.Errorf("read why desk %s refused %s: %w", name, update, err)
		}

		return fault
	case application.Type() == endedMeanwhile:
		return silent(name, err)
	default:
		return fmt.Errorf("%s of desk %s: %w", update, name, err)
	}
}

// endedMeanwhile is the server's word for a run that ended while a command was
// under way (service/history/workflow/update/abort_reason.go, 1.32).
const endedMeanwhile = "AcceptedUpdateCompletedWorkflow"
