package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

const (
	// patience is how long a platform waits for its answer at most.
	patience = 4 * time.Second
	// parallel bounds the conversations of one webhook that are handed on at once.
	parallel = 16
)

// errNoID is a dialect's fault: it returned an event that nothing could tell
// from its repetition.
var errNoID = errors.New("the dialect made an event without an id")

// group is one conversation's part of a webhook, in order.
type group struct {
	key    signals.Key
	events []signals.Event
	ids    []recentID
}

// sorted is a webhook's events by where they go.
type sorted struct {
	account    group
	groups     []*group
	paths      []string
	duplicates int
}

// accept hands the events of one webhook on and returns once all of them are
// durable, or with an error in the outcome, when a repeat may cure it. What
// was handed on by then is remembered, so that the repeat brings the rest.
func (s *Server) accept(source *Source, events []signals.Event, now time.Time) dialect.Outcome {
	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	parts, err := s.sort(source, events, now)
	if err != nil {
		return dialect.Outcome{Err: err}
	}

	out := dialect.Outcome{Duplicates: parts.duplicates, Conversations: parts.paths}

	if len(parts.account.events) > 0 {
		if err := s.deps.Accounts.AppendAccount(ctx, source.Name, parts.account.events); err != nil {
			out.Err = fmt.Errorf("keep account events: %w", err)

			return out
		}

		s.remember(source, &parts.account, now)
		out.Accepted = len(parts.account.events)
	}

	var (
		mu   sync.Mutex
		work errgroup.Group
	)

	work.SetLimit(parallel)

	for _, part := range parts.groups {
		work.Go(func() error {
			seen, err := s.handOn(ctx, source, part, now)
			if err != nil {
				return err
			}

			mu.Lock()
			defer mu.Unlock()

			out.Accepted += len(part.events) - seen
			out.Duplicates += seen

			return nil
		})
	}

	out.Err = work.Wait()

	return out
}

// handOn gives one conversation's events to the acceptor and returns how many
// of them a session before had seen.
func (s *Server) handOn(ctx context.Context, source *Source, part *group, now time.Time) (int, error) {
	outcome, err := s.deps.Acceptor.Events(ctx, part.key, part.events)
	if err == nil {
		s.remember(source, part, now)

		return outcome.Seen, nil
	}

	s.log.ErrorContext(ctx, "events not accepted", slog.String("source", source.Name),
		slog.String("conversation", part.key.Conversation), slog.Int("events", len(part.events)), slog.Any("error", err))

	if errors.Is(err, courier.ErrRefused) {
		return 0, &signals.FieldError{Field: "conversation", Reason: "its events cannot be taken"}
	}

	return 0, fmt.Errorf("hand on events of %q: %w", part.key.Conversation, err)
}

// sort groups events by conversation in the order in which they came and
// leaves out the ones acknowledged before. Seq and Inbox are not for
// outsiders to set (contract, section 4).
func (s *Server) sort(source *Source, events []signals.Event, now time.Time) (sorted, error) {
	var (
		out   sorted
		index = make(map[string]*group)
		seen  = make(map[recentID]struct{}, len(events))
	)

	for i := range events {
		event := events[i]
		if event.ID == "" {
			return sorted{}, errNoID
		}

		event.Source, event.Seq, event.Inbox = source.Name, 0, ""

		into := &out.account
		if event.Conversation != "" {
			into = out.into(index, signals.Key{Source: source.Name, Conversation: event.Conversation})
		}

		id := idOf(source.Name, event.Conversation, event.ID)
		_, twice := seen[id]
		seen[id] = struct{}{}

		if twice || s.recent.seen(id, now) {
			out.duplicates++

			continue
		}

		into.events, into.ids = append(into.events, event), append(into.ids, id)
	}

	out.dropEmpty()

	if err := out.check(); err != nil {
		return sorted{}, err
	}

	return out, nil
}

func (o *sorted) into(index map[string]*group, key signals.Key) *group {
	part, ok := index[key.Conversation]
	if !ok {
		part = &group{key: key}
		index[key.Conversation] = part
		o.groups = append(o.groups, part)
		o.paths = append(o.paths, conversationPath(key))
	}

	return part
}

// maxPerConversation bounds the events of one conversation in one webhook: the
// run remembers 512 ids, and a repeat of the whole must be told from news.
const maxPerConversation = 500

// check refuses a webhook that could not be repeated safely.
func (o *sorted) check() error {
	for _, part := range o.groups {
		if len(part.events) > maxPerConversation {
			return &signals.FieldError{
				Field:  "events",
				Reason: fmt.Sprintf("are more than %d for one conversation: send them in several webhooks", maxPerConversation),
			}
		}
	}

	return nil
}

func (o *sorted) dropEmpty() {
	kept := o.groups[:0]

	for _, part := range o.groups {
		if len(part.events) > 0 {
			kept = append(kept, part)
		}
	}

	o.groups = kept
}

func (s *Server) remember(source *Source, part *group, now time.Time) {
	for i, id := range part.ids {
		s.recent.add(id, now.Add(window(source, part.events[i].ID)))
	}
}
