package webhooks

import (
	"context"
	"errors"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/answers"
)

// talks are the conversations of the edge, as answers ask them.
type talks struct{ *Server }

// Settled waits for what the inbox has of a conversation.
func (t talks) Settled(ctx context.Context, key signals.Key) error {
	return t.deps.Acceptor.Settled(ctx, key)
}

// Statement asks the open run.
func (t talks) Statement(ctx context.Context, key signals.Key) (signals.Statement, error) {
	var said signals.Statement

	err := t.ask(ctx, key, signals.StatementQuery, &said)
	if errors.Is(err, errNotRunning) {
		err = answers.ErrNotRunning
	}

	return said, err
}

// Closed looks for the newest closed session.
func (t talks) Closed(ctx context.Context, key signals.Key) (int, error) {
	view, err := t.deps.Sessions.Session(ctx, key, 0)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}

	return view.Session, err
}

func (s *Server) newFinder() *answers.Finder {
	return answers.New(answers.Config{Desks: s.deps.Desks, Conversations: talks{s}, Work: s.work, Log: s.log})
}

// question is what the answer to one webhook depends on; nil is on nothing more
// than what becomes of its events.
type question struct {
	answers.Query

	ctx    context.Context //nolint:containedctx // it began with the webhook
	cancel context.CancelFunc
}

// question begins with the webhook, whose platform waits already.
func (s *Server) question(source *Source, req dialect.Request, events []signals.Event) *question {
	asker, asks := source.Dialect.(dialect.Asker)
	if !asks {
		return nil
	}

	ask, asks := asker.Asks(req, events)
	if !asks {
		return nil
	}

	q := &question{Query: answers.Query{
		Ask: ask, Key: signals.Key{Source: source.Name, Conversation: ask.Conversation}, Desk: source.Desk, Routed: source.Routed,
		Event: events[0].ID,
	}}
	q.ctx, q.cancel = context.WithTimeout(s.work, ask.Within)

	return q
}

// findOut puts into the outcome what the answer needs beside it.
func (s *Server) findOut(q *question, source *Source, req dialect.Request, events []signals.Event, out *dialect.Outcome) {
	if q == nil || out.Err != nil {
		return
	}

	q.Fresh = out.Accepted > 0
	q.Again = func(salt string) bool {
		again := s.accept(source, salted(events, salt), req.ReceivedAt)
		if again.Err == nil {
			out.Accepted, out.Duplicates = out.Accepted+again.Accepted, out.Duplicates-again.Accepted
		}

		return again.Err == nil
	}
	out.Found = s.finder.Find(q.ctx, &q.Query)
}

// salted are the events under other ids, so that they repeat nothing.
func salted(events []signals.Event, salt string) []signals.Event {
	out := make([]signals.Event, 0, len(events))

	for i := range events {
		event := events[i]
		event.ID = signals.DerivedID(event.ID, salt)
		out = append(out, event)
	}

	return out
}

func (q *question) end() {
	if q != nil {
		q.cancel()
	}
}
