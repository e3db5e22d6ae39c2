package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
)

const (
	// askPatience bounds the questions to all conversations of one page.
	askPatience = 2 * time.Second
	// askParallel bounds the questions asked at once.
	askParallel = 16
	// maxFetches bounds the pages looked at for one answer; a page whose
	// elements all fell out of the filter meanwhile ends in a cursor.
	maxFetches = 4
)

// listedView is an element of the list: without participants and timeline.
type listedView struct {
	signals.View

	// Partial says that the conversation did not answer in time, so that only
	// what Temporal's visibility knows is shown and the counts are missing.
	Partial bool `json:"partial,omitempty"`
}

func listed(view *signals.View) listedView {
	out := listedView{View: *view}
	out.Participants, out.Timeline = nil, nil

	return out
}

type viewList struct {
	Conversations []listedView `json:"conversations"`
	Next          string       `json:"next"`
}

// listConversations shows the open ones first, the closed ones after them.
func (s *Server) listConversations(c *fiber.Ctx) error {
	query, page, err := listParams(c, "source", "status", "agent", "desk", "tag", "unreplied")
	if err != nil {
		return err
	}

	filter, err := filterOf(query)
	if err != nil {
		return err
	}

	cursor, err := decodeCursor(page.cursor, filter.digest())
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	list, err := s.list(ctx, filter, cursor, page.limit)
	if err != nil {
		return listProblem("list conversations", err)
	}

	return c.JSON(list)
}

func filterOf(query url.Values) (*conversationFilter, error) {
	filter := &conversationFilter{
		source: query.Get("source"), agent: query.Get("agent"), desk: query.Get("desk"), tag: query.Get("tag"),
		status: signals.Status(query.Get("status")),
	}

	for name, value := range map[string]string{"source": filter.source, "desk": filter.desk} {
		if value != "" && !signals.ValidName(value) {
			return nil, invalid(name, "must match [a-z0-9-]{1,40}")
		}
	}

	for name, value := range map[string]string{"agent": filter.agent, "tag": filter.tag} {
		if !queryable(value) {
			return nil, invalid(name, "holds control characters")
		}
	}

	if filter.status != "" && !slices.Contains(statuses(), filter.status) {
		return nil, invalid("status", "must be open, queued, offered, active, snoozed, closing or closed")
	}

	switch query.Get("unreplied") {
	case "", "false":
	case "true":
		filter.unreplied = true
	default:
		return nil, invalid("unreplied", "must be true or false")
	}

	return filter, nil
}

func statuses() []signals.Status {
	return []signals.Status{
		signals.StatusOpen, signals.StatusQueued, signals.StatusOffered, signals.StatusActive,
		signals.StatusSnoozed, signals.StatusClosing, signals.StatusClosed,
	}
}

// list fills one page, going over from the open to the closed ones.
func (s *Server) list(ctx context.Context, filter *conversationFilter, at listCursor, limit int) (viewList, error) {
	out := viewList{Conversations: []listedView{}}
	at.Closed = at.Closed || !filter.open()

	for range maxFetches {
		views, more, err := s.fetch(ctx, filter, &at, limit-len(out.Conversations))
		if err != nil {
			return viewList{}, err
		}

		out.Conversations = append(out.Conversations, views...)

		if !more {
			return out, nil
		}

		if len(out.Conversations) >= limit {
			break
		}
	}

	next, err := at.encode()
	out.Next = next

	return out, err
}

// fetch takes one page from where at points, moves it on and reports whether
// there may be more.
func (s *Server) fetch(
	ctx context.Context, filter *conversationFilter, at *listCursor, limit int,
) ([]listedView, bool, error) {
	if !at.Closed {
		views, token, err := s.openPage(ctx, filter, limit, at.Open)
		at.Open = token
		at.Closed = len(token) == 0

		return views, !at.Closed || filter.closed(), err
	}

	views, next, err := s.closedPage(ctx, filter, limit, at.Store)
	at.Store = next

	return views, next != "", err
}

// closedPage lists closed sessions whose conversation has no open run again.
func (s *Server) closedPage(
	ctx context.Context, filter *conversationFilter, limit int, cursor string,
) ([]listedView, string, error) {
	views, next, err := s.deps.Sessions.ClosedSessions(ctx, SessionFilter{
		Source: filter.source, Agent: filter.agent, Desk: filter.desk, Tag: filter.tag, Unreplied: filter.unreplied,
		Limit: limit, Cursor: cursor,
	})
	if err != nil {
		return nil, "", fmt.Errorf("list closed sessions: %w", err)
	}

	ids := make([]string, 0, len(views))
	for i := range views {
		ids = append(ids, views[i].WorkflowID)
	}

	running, err := s.runningOf(ctx, ids)
	if err != nil {
		return nil, "", err
	}

	out := make([]listedView, 0, len(views))

	for i := range views {
		if _, open := running[views[i].WorkflowID]; open {
			continue
		}

		if err := s.merge(ctx, &views[i]); err != nil {
			return nil, "", err
		}

		out = append(out, listed(&views[i]))
	}

	return out, next, nil
}

// askAll asks every listed conversation for its state. One that closed or
// left the filter meanwhile is left out; one that does not answer in time is
// shown in part.
func (s *Server) askAll(
	ctx context.Context, filter *conversationFilter, infos []*workflow.WorkflowExecutionInfo,
) ([]listedView, error) {
	asking, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()

	found := make([]*listedView, len(infos))

	var work errgroup.Group

	work.SetLimit(askParallel)

	for i, info := range infos {
		work.Go(func() error {
			var err error

			found[i], err = s.askOne(ctx, asking, info)

			return err
		})
	}

	if err := work.Wait(); err != nil {
		return nil, err
	}

	out := make([]listedView, 0, len(found))

	for _, view := range found {
		if view != nil && filter.matches(view) {
			out = append(out, *view)
		}
	}

	return out, nil
}

func (s *Server) askOne(
	ctx, asking context.Context, info *workflow.WorkflowExecutionInfo,
) (*listedView, error) {
	key, err := signals.ParseWorkflowID(info.GetExecution().GetWorkflowId())
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // somebody else's workflow of this type is none of ours
	}

	view, err := s.running(asking, key)

	switch {
	case errors.Is(err, errNotRunning):
		return nil, nil //nolint:nilnil // it closed meanwhile
	case err != nil:
		return partial(key, info), nil //nolint:nilerr // the log has it, and the list shows what is known
	}

	if err := s.complete(ctx, &view); err != nil {
		return nil, err
	}

	return new(listed(&view)), nil
}

// partial shows a conversation that does not answer.
func partial(key signals.Key, info *workflow.WorkflowExecutionInfo) *listedView {
	out := listed(new(attributesView(key, info)))
	out.Partial = true

	return &out
}
