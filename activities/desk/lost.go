package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

// errTooMany: a look would have to go through more than a desk holds.
var errTooMany = errors.New("more conversations than a desk holds")

// Lost returns those of a desk's conversations that are not listed as open and on
// the desk, at most [desk.MaxLost], in the order in which they were named. What
// began or ended a moment ago may be listed late, so that they are only to be
// doubted. Where nobody can tell it returns nobody: the desk looks again.
func (a *Activities) Lost(ctx context.Context, look desk.Look) ([]signals.Key, error) {
	if !signals.ValidName(look.Desk) {
		return nil, fmt.Errorf("%w: %q names no desk", signals.ErrBadName, look.Desk)
	}

	ctx, cancel := context.WithTimeout(ctx, desk.LostTime)
	defer cancel()

	unlisted, err := a.unlisted(ctx, look)
	if err != nil {
		a.Log.WarnContext(ctx, "the desk's conversations could not be looked up; it looks again in a minute",
			slog.String("desk", look.Desk), slog.Int("conversations", len(look.Keys)), slog.Any("error", err))

		return nil, nil
	}

	var lost []signals.Key

	for _, key := range look.Keys {
		if unlisted[key.WorkflowID()] && len(lost) < desk.MaxLost {
			lost = append(lost, key)
		}
	}

	return lost, nil
}

// unlisted returns the workflow ids of those who are not listed. It reads no
// further than until all are found.
func (a *Activities) unlisted(ctx context.Context, look desk.Look) (map[string]bool, error) {
	if len(look.Keys) > maxSurvivors {
		return nil, errTooMany
	}

	missing := make(map[string]bool, len(look.Keys))
	for _, key := range look.Keys {
		missing[key.WorkflowID()] = true
	}

	request := openOn(look.Desk)

	for read := 0; len(missing) > 0; {
		page, err := a.Workflow.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the conversations of desk %s: %w", look.Desk, err)
		}

		for _, execution := range page.GetExecutions() {
			delete(missing, execution.GetExecution().GetWorkflowId())
		}

		request.NextPageToken = page.GetNextPageToken()
		if len(request.GetNextPageToken()) == 0 {
			break
		}

		if read += pageSize; read >= maxSurvivors {
			return nil, errTooMany
		}
	}

	return missing, nil
}
