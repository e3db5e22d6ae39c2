package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/parleyhq/parley/signals"
)

const (
	// idsPerQuery bounds how many workflow ids one visibility query names.
	idsPerQuery = 50
	// maxAttribute is how much of a value a search attribute holds, in bytes.
	maxAttribute = 255
)

// conversationFilter is what GET /v1/conversations was asked for.
type conversationFilter struct {
	source, agent, desk, tag string
	status                   signals.Status
	unreplied                bool
}

// open reports whether running conversations can match: all but those with
// the status closed.
func (f *conversationFilter) open() bool { return f.status != signals.StatusClosed }

// closed reports whether closed sessions can match. Who asks for unreplied
// ones means those that somebody can still answer, unless told otherwise.
func (f *conversationFilter) closed() bool {
	return f.status == signals.StatusClosed || f.status == "" && !f.unreplied
}

// digest names the filter within a cursor.
func (f *conversationFilter) digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{
		f.source, f.agent, f.desk, f.tag, string(f.status), strconv.FormatBool(f.unreplied),
	}))

	return hex.EncodeToString(sum[:8])
}

// matches reports whether a state is what was asked for. Visibility lags, and
// what could not be put into its query was left out of it.
func (f *conversationFilter) matches(view *listedView) bool {
	switch {
	case f.status != "" && view.Status != f.status,
		f.agent != "" && view.Agent != f.agent,
		f.desk != "" && view.Desk != f.desk,
		f.tag != "" && !slices.Contains(view.Tags, f.tag):
		return false
	default:
		return !f.unreplied || view.Unreplied
	}
}

// query writes the filter as a visibility query.
func (f *conversationFilter) query() string {
	parts := []string{runningConversations()}

	for _, clause := range [...]struct{ attribute, value string }{
		{signals.AttrSource, f.source},
		{signals.AttrStatus, string(f.status)},
		{signals.AttrAgent, f.agent},
		{signals.AttrDesk, f.desk},
		{signals.AttrTags, f.tag},
	} {
		if clause.value != "" && expressible(clause.value) {
			parts = append(parts, clause.attribute+" = "+quote(clause.value))
		}
	}

	if f.unreplied {
		parts = append(parts, signals.AttrUnrepliedSince+" IS NOT NULL")
	}

	return strings.Join(parts, " AND ")
}

func runningConversations() string {
	return "WorkflowType = " + quote(signals.ConversationWorkflow) + " AND ExecutionStatus = 'Running'"
}

// quote writes value as a string literal of Temporal's query language, in
// which a backslash escapes and a quote ends (its SQL parser's scanString).
func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// expressible reports whether a query for value finds it. The server's SQL
// stores write quotes and backslashes with a backslash too many
// (visibility/store/sql, escapeCharMap, 1.32), which SQLite's index of keyword
// lists even answers with a syntax error; and the workflow cuts longer values.
func expressible(value string) bool {
	return len(value) <= maxAttribute && !strings.ContainsAny(value, "\"\\")
}

// queryable reports whether value is text that anybody could have meant.
func queryable(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}

// openPage lists one page of running conversations. Visibility lags a little,
// and knows only a part of the state, so that each is asked itself as well.
func (s *Server) openPage(
	ctx context.Context, filter *conversationFilter, limit int, token []byte,
) ([]listedView, []byte, error) {
	answer, err := s.deps.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: int32(limit), NextPageToken: token, Query: filter.query(), //nolint:gosec // at most 200
	})
	if err != nil {
		return nil, nil, s.visibilityProblem(ctx, len(token) > 0, err)
	}

	views, err := s.askAll(ctx, filter, answer.GetExecutions())

	return views, answer.GetNextPageToken(), err
}

// attributesView is a running conversation as visibility knows it.
func attributesView(key signals.Key, info *workflow.WorkflowExecutionInfo) signals.View {
	view := signals.View{
		ID:         key.Conversation,
		Source:     key.Source,
		WorkflowID: info.GetExecution().GetWorkflowId(),
		RunID:      info.GetExecution().GetRunId(),
		Tags:       []string{},
		Clocks:     []signals.ViewClock{},
	}
	attribute(info, signals.AttrStatus, &view.Status)
	attribute(info, signals.AttrAgent, &view.Agent)
	attribute(info, signals.AttrDesk, &view.Desk)
	attribute(info, signals.AttrTags, &view.Tags)
	attribute(info, signals.AttrPushes, &view.PushTimes)
	attribute(info, signals.AttrUnrepliedSince, &view.UnrepliedSince)

	view.Unreplied = view.UnrepliedSince != nil

	return view
}

// attribute reads a search attribute that is set; one of another type, which
// somebody else must have set, counts as absent.
func attribute[T any](info *workflow.WorkflowExecutionInfo, name string, into *T) {
	payload := info.GetSearchAttributes().GetIndexedFields()[name]
	if payload == nil {
		return
	}

	var value T
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &value); err == nil {
		*into = value
	}
}

// visibilityProblem tells a page token that the server does not know from a
// server that does not answer.
func (s *Server) visibilityProblem(ctx context.Context, paged bool, err error) error {
	var wrong *serviceerror.InvalidArgument
	if paged && errors.As(err, &wrong) {
		return fmt.Errorf("%w: %w", ErrBadCursor, err)
	}

	s.log.WarnContext(ctx, "temporal did not list conversations", slog.Any("error", err))

	return unavailable("the list does not answer for now")
}

// runningOf returns which of the workflow ids have an open run.
func (s *Server) runningOf(ctx context.Context, all []string) (map[string]struct{}, error) {
	running := make(map[string]struct{})
	ids := make([]string, 0, len(all))

	for _, id := range all {
		if expressible(id) {
			ids = append(ids, id)
		} else if err := s.addRunning(ctx, id, running); err != nil {
			return nil, err
		}
	}

	for start := 0; start < len(ids); start += idsPerQuery {
		chunk := ids[start:min(start+idsPerQuery, len(ids))]
		quoted := make([]string, 0, len(chunk))

		for _, id := range chunk {
			quoted = append(quoted, quote(id))
		}

		answer, err := s.deps.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			PageSize: idsPerQuery,
			Query:    runningConversations() + " AND WorkflowId IN (" + strings.Join(quoted, ", ") + ")",
		})
		if err != nil {
			return nil, s.visibilityProblem(ctx, false, err)
		}

		for _, info := range answer.GetExecutions() {
			if info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				running[info.GetExecution().GetWorkflowId()] = struct{}{}
			}
		}
	}

	return running, nil
}

// addRunning asks the workflow itself, where its id cannot be asked for.
func (s *Server) addRunning(ctx context.Context, id string, running map[string]struct{}) error {
	key, err := signals.ParseWorkflowID(id)
	if err != nil {
		return nil //nolint:nilerr // such an id runs nowhere
	}

	_, err = s.running(ctx, key)

	switch {
	case err == nil:
		running[id] = struct{}{}
	case !errors.Is(err, errNotRunning):
		return err
	}

	return nil
}
