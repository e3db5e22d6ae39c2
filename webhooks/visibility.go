package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/parleyhq/parley/signals"
)

// idsPerQuery bounds how many workflow ids one visibility query names.
const idsPerQuery = 50

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
		if clause.value != "" {
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

// queryable reports whether value can stand in a visibility query at all.
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
		s.log.WarnContext(ctx, "temporal did not list conversations", slog.Any("error", err))

		return nil, nil, unavailable("the list does not answer for now")
	}

	views, err := s.askAll(ctx, filter, answer.GetExecutions())

	return views, answer.GetNextPageToken(), err
}

// attributesView is a running conversation as visibility knows it.
func attributesView(key signals.Key, info *workflow.WorkflowExecutionInfo) signals.View {
	return signals.View{
		ID:         key.Conversation,
		Source:     key.Source,
		WorkflowID: info.GetExecution().GetWorkflowId(),
		RunID:      info.GetExecution().GetRunId(),
		Status:     signals.Status(keyword(info, signals.AttrStatus)),
		Agent:      keyword(info, signals.AttrAgent),
		Desk:       keyword(info, signals.AttrDesk),
		Tags:       keywords(info, signals.AttrTags),
		Clocks:     []signals.ViewClock{},
	}
}

func keyword(info *workflow.WorkflowExecutionInfo, attribute string) string {
	var out string

	payload := info.GetSearchAttributes().GetIndexedFields()[attribute]
	if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &out) != nil {
		return ""
	}

	return out
}

func keywords(info *workflow.WorkflowExecutionInfo, attribute string) []string {
	out := []string{}

	payload := info.GetSearchAttributes().GetIndexedFields()[attribute]
	if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &out) != nil {
		return []string{}
	}

	return out
}

// runningOf returns which of the workflow ids have an open run.
func (s *Server) runningOf(ctx context.Context, ids []string) (map[string]struct{}, error) {
	running := make(map[string]struct{})

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
			s.log.WarnContext(ctx, "temporal did not list conversations", slog.Any("error", err))

			return nil, unavailable("the list does not answer for now")
		}

		for _, info := range answer.GetExecutions() {
			if info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				running[info.GetExecution().GetWorkflowId()] = struct{}{}
			}
		}
	}

	return running, nil
}
