package desk

import (
	"context"
	"fmt"
	"log/slog"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/parleyhq/parley/signals"
)

const (
	// maxSurvivors is more than a desk holds.
	maxSurvivors = 10_000
	pageSize     = 1000
)

// Survivors returns the open conversations that say they are on a desk: those
// that a desk finds which was terminated and began anew.
func (a *Activities) Survivors(ctx context.Context, name string) ([]signals.Key, error) {
	if !signals.ValidName(name) {
		return nil, fmt.Errorf("%w: %q names no desk", signals.ErrBadName, name)
	}

	request := openOn(name)
	keys := []signals.Key{}

	for {
		page, err := a.Workflow.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the conversations of desk %s: %w", name, err)
		}

		for _, execution := range page.GetExecutions() {
			key, err := signals.ParseWorkflowID(execution.GetExecution().GetWorkflowId())
			if err != nil {
				a.Log.WarnContext(ctx, "a conversation of the desk is left out", slog.String("desk", name), slog.Any("error", err))

				continue
			}

			keys = append(keys, key)
		}

		request.NextPageToken = page.GetNextPageToken()

		switch {
		case len(request.GetNextPageToken()) == 0:
			return keys, nil
		case len(keys) >= maxSurvivors:
			a.Log.WarnContext(ctx, "the desk has more open conversations than it can take up", slog.String("desk", name),
				slog.Int("taken", maxSurvivors))

			return keys[:maxSurvivors], nil
		}
	}
}

// openOn asks for the first page of a desk's open conversations.
func openOn(name string) *workflowservice.ListWorkflowExecutionsRequest {
	return &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: pageSize,
		Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running' AND %s = '%s'",
			signals.ConversationWorkflow, signals.AttrDesk, name),
	}
}
