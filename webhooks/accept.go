package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/inbox"
)

const (
	// patience is how long a platform waits for its answer at most.
	patience = 4 * time.Second
	// settlePatience bounds the wait for what was acknowledged before a
	// conversation is read or commanded.
	settlePatience = 2 * time.Second
	// maxEvents bounds the events of one webhook. A platform's holds a few; what
	// somebody imports comes in several.
	maxEvents = 5000
)

// errNoID is a dialect's fault: it returned an event that nothing could tell
// from its repetition.
var errNoID = errors.New("the dialect made an event without an id")

// accept puts the events of one webhook on disk, all of them or, with an error
// in the outcome, none. What says nothing new is left out and counted as a
// duplicate.
func (s *Server) accept(source *Source, events []signals.Event, now time.Time) dialect.Outcome {
	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	paths, err := prepare(source.Name, events)
	if err != nil {
		return dialect.Outcome{Err: err}
	}

	news, turn := s.coalescer.begin(events, now)
	out := dialect.Outcome{Duplicates: len(events) - len(news), Conversations: paths}

	if len(news) > 0 {
		var receipt inbox.Receipt

		receipt, err = s.deps.Acceptor.Accept(ctx, source.Name, news)
		out.Accepted, out.Duplicates = receipt.Accepted, out.Duplicates+receipt.Duplicates
	}

	turn.end(err == nil)

	if err != nil {
		return dialect.Outcome{Err: s.notAccepted(ctx, source, news, err)}
	}

	s.metrics.coalesced(source.Name, len(events)-len(news))
	s.finder.Heard(news)

	return out
}

// prepare addresses events to their source and returns the API's paths of their
// conversations. Seq and Inbox are not for outsiders to set (contract, section 4).
func prepare(source string, events []signals.Event) ([]string, error) {
	if len(events) > maxEvents {
		return nil, &signals.FieldError{
			Field: "events", Reason: "are more than " + strconv.Itoa(maxEvents) + ": send them in several webhooks",
		}
	}

	var paths []string

	seen := make(map[string]struct{}, 1)

	for i := range events {
		event := &events[i]
		if event.ID == "" {
			return nil, errNoID
		}

		event.Source, event.Seq, event.Inbox = source, 0, ""

		if _, known := seen[event.Conversation]; known || event.Conversation == "" {
			continue
		}

		seen[event.Conversation] = struct{}{}
		paths = append(paths, conversationPath(signals.Key{Source: source, Conversation: event.Conversation}))
	}

	return paths, nil
}

// notAccepted logs why a webhook was not accepted and returns what its sender is
// told: what an event is at fault for, or else that a repeat may help.
func (s *Server) notAccepted(ctx context.Context, source *Source, events []signals.Event, err error) error {
	about, ok := s.refusals.Pass(s.now(), slog.String("source", source.Name),
		slog.String("conversation", events[0].Conversation), slog.Int("events", len(events)), slog.Any("error", err))
	if ok {
		s.log.LogAttrs(ctx, slog.LevelError, "webhook not accepted", about...)
	}

	switch {
	case errors.Is(err, inbox.ErrTooLarge):
		return &signals.FieldError{Field: "events", Reason: "hold one that is too large"}
	case errors.Is(err, courier.ErrRefused):
		return &signals.FieldError{Field: "events", Reason: "hold one that cannot be taken"}
	default:
		return fmt.Errorf("accept the events of %s: %w", source.Name, err)
	}
}

// catchUp waits until what was acknowledged for a conversation has reached its
// run, so that whoever wrote something reads it, and a command judges the state
// that its caller knows. While Temporal is away, or where it takes too long, it
// goes on without.
func (s *Server) catchUp(ctx context.Context, key signals.Key) {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()

	if err := s.deps.Acceptor.Settled(ctx, key); err != nil {
		s.log.DebugContext(ctx, "events of the conversation still wait", slog.String("source", key.Source),
			slog.String("conversation", key.Conversation), slog.Any("error", err))
	}
}
