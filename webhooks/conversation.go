package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

// queryPatience bounds the question to a running conversation; a worker that
// does not answer by then is not there.
const queryPatience = 2 * time.Second

// placePatience bounds the question to a conversation's desk, which is only
// beside the point.
const placePatience = time.Second

// errNotRunning says that a conversation has no open run.
var errNotRunning = errors.New("no open run")

// wholeView always shows participants and timeline, which a list leaves out.
type wholeView struct {
	signals.View

	Participants []signals.ViewParticipant `json:"participants"`
	Timeline     []signals.TimelineEntry   `json:"timeline"`
}

func whole(view *signals.View) wholeView {
	out := wholeView{View: *view, Participants: view.Participants, Timeline: view.Timeline}
	if out.Participants == nil {
		out.Participants = []signals.ViewParticipant{}
	}

	if out.Timeline == nil {
		out.Timeline = []signals.TimelineEntry{}
	}

	return out
}

// getConversation shows the newest session, or the one of ?session=n.
func (s *Server) getConversation(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}

	query, err := onlyParams(c, "session")
	if err != nil {
		return err
	}

	session := 0

	if text := query.Get("session"); text != "" {
		if session, err = strconv.Atoi(text); err != nil || session < 1 {
			return invalid("session", "is no number of a session")
		}
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	s.catchUp(ctx, key)

	view, err := s.find(ctx, key, session)
	if err != nil {
		return err
	}

	s.place(ctx, &view)

	return c.JSON(whole(&view))
}

// place adds where a conversation stands in its desk's queue; a desk that keeps
// silent, or has never heard of it, leaves that out.
func (s *Server) place(ctx context.Context, view *signals.View) {
	if view.Status != signals.StatusQueued && view.Status != signals.StatusOffered || !s.deps.Desks.Known(view.Desk) {
		return
	}

	ctx, cancel := context.WithTimeout(ctx, placePatience)
	defer cancel()

	position, err := s.deps.Desks.Position(ctx, view.Desk, keyOfView(view))

	switch {
	case err != nil:
		s.log.WarnContext(ctx, "a desk did not say where a conversation stands", slog.String("desk", view.Desk),
			slog.String("source", view.Source), slog.String("conversation", view.ID), slog.Any("error", err))
	case position.Status != "" && position.Session == view.Session:
		view.Queue = &signals.ViewQueue{
			Status: position.Status, Position: position.Position, Depth: position.Depth, WaitSeconds: position.WaitSeconds,
		}
	}
}

// find returns a conversation's session: an open run by query, a closed
// session from the store. Once the store has a session it is final, though
// its run may have a moment left.
func (s *Server) find(ctx context.Context, key signals.Key, session int) (signals.View, error) {
	if session > 0 {
		view, err := s.stored(ctx, key, session)
		if !errors.Is(err, ErrNotFound) {
			return view, err
		}
	}

	view, err := s.running(ctx, key)

	switch {
	case err == nil && (session == 0 || view.Session == session):
		err = s.complete(ctx, &view)

		return view, err
	case err == nil, errors.Is(err, errNotRunning) && session > 0:
		return signals.View{}, notFound("this conversation has no session " + strconv.Itoa(session))
	case !errors.Is(err, errNotRunning):
		return signals.View{}, err
	}

	view, err = s.stored(ctx, key, 0)
	if errors.Is(err, ErrNotFound) {
		return signals.View{}, s.missing(ctx, key)
	}

	return view, err
}

// missing explains a 404 where events of the conversation wait.
func (s *Server) missing(ctx context.Context, key signals.Key) error {
	waiting, err := s.deps.Inbox.InboxCounts(ctx, key, 0)
	if err != nil {
		return fmt.Errorf("count what waits: %w", err)
	}

	// They wait for one that may start the conversation, or for Temporal.
	archive := "; " + conversationPath(key) + "/events says what for"

	switch waiting.Pending {
	case 0:
		return notFound("no such conversation")
	case 1:
		return notFound("no such conversation yet: 1 event waits" + archive)
	default:
		return notFound("no such conversation yet: " + strconv.FormatInt(waiting.Pending, 10) + " events wait" + archive)
	}
}

func (s *Server) stored(ctx context.Context, key signals.Key, session int) (signals.View, error) {
	view, err := s.deps.Sessions.Session(ctx, key, session)
	if err != nil {
		return signals.View{}, fmt.Errorf("read session: %w", err)
	}

	err = s.merge(ctx, &view)

	return view, err
}

// query repeats within its patience while no worker has asked for work yet, as
// right after a start, the run has not got through its first task, or it made way
// for the next one before it could answer.
func (s *Server) query(ctx context.Context, key signals.Key, name string) (*client.QueryWorkflowWithOptionsResponse, error) {
	const pause = 100 * time.Millisecond

	for {
		answer, err := s.deps.Temporal.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
			WorkflowID:           key.WorkflowID(),
			QueryType:            name,
			QueryRejectCondition: enums.QUERY_REJECT_CONDITION_NOT_OPEN,
		})

		_, idle := errors.AsType[*serviceerror.FailedPrecondition](err)
		_, starting := errors.AsType[*serviceerror.QueryFailed](err)
		followed := err == nil && answer.QueryRejected.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW

		if !idle && !starting && !followed {
			return answer, err
		}

		select {
		case <-ctx.Done():
			return answer, err
		case <-time.After(pause):
		}
	}
}

// running asks the open run for its state; [errNotRunning] if there is none.
func (s *Server) running(ctx context.Context, key signals.Key) (signals.View, error) {
	var view signals.View

	err := s.ask(ctx, key, signals.StateQuery, &view)

	return view, err
}

// ask queries the open run; [errNotRunning] if there is none.
func (s *Server) ask(ctx context.Context, key signals.Key, name string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, queryPatience)
	defer cancel()

	answer, err := s.query(ctx, key, name)

	var missing *serviceerror.NotFound

	switch {
	case errors.As(err, &missing):
		return errNotRunning
	case err != nil:
		return s.temporalProblem(key, err)
	case answer.QueryRejected != nil:
		return errNotRunning
	}

	if err := answer.QueryResult.Get(into); err != nil {
		return fmt.Errorf("read the state of %s: %w", key, err)
	}

	return nil
}

// keyOfView returns the key with the platform's own chat id, which the path
// and the workflow id may hold as a hash only.
func keyOfView(view *signals.View) signals.Key {
	return signals.Key{Source: view.Source, Conversation: view.ID}
}

// complete adds to a running conversation's state what only the stores know.
func (s *Server) complete(ctx context.Context, view *signals.View) error {
	stored, err := s.deps.Sessions.Session(ctx, keyOfView(view), view.Session)

	switch {
	case err == nil:
		view.Ticket = stored.Ticket
	case errors.Is(err, ErrNotFound):
		view.Ticket = nil
	default:
		return fmt.Errorf("read ticket: %w", err)
	}

	return s.merge(ctx, view)
}

// merge adds what the inbox counted beside the workflow, so that applied,
// late and ignored still add up to accepted, and makes empty lists of absent ones.
func (s *Server) merge(ctx context.Context, view *signals.View) error {
	filled(view)

	waiting, err := s.deps.Inbox.InboxCounts(ctx, keyOfView(view), view.Session)
	if err != nil {
		return fmt.Errorf("count what waits: %w", err)
	}

	view.Pending = waiting.Pending
	view.Late += waiting.Late
	view.Ignored += waiting.Orphans
	view.Accepted += waiting.Late + waiting.Orphans

	return nil
}

// filled makes empty lists of absent ones.
func filled(view *signals.View) {
	if view.Tags == nil {
		view.Tags = []string{}
	}

	if view.Clocks == nil {
		view.Clocks = []signals.ViewClock{}
	}
}

// temporalProblem turns a failed call into 503, whatever failed: a repeat may
// cure it, and the log says what it was.
func (s *Server) temporalProblem(key signals.Key, err error) error {
	s.log.Warn("temporal did not answer", slog.String("source", key.Source),
		slog.String("conversation", key.Conversation), slog.Any("error", err))

	return unavailable("the conversation does not answer for now")
}
