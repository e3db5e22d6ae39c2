package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
	"github.com/parleyhq/parley/workflows/policy"
)

// ledger shows the inbox to the edge in the edge's words.
type ledger struct{ inbox *inbox.Inbox }

func (l ledger) AccountEvents(ctx context.Context, source string, limit int, cursor string) ([]signals.Event, string, error) {
	events, next, err := l.inbox.AccountEvents(ctx, source, limit, cursor)
	if errors.Is(err, inbox.ErrBadCursor) {
		return nil, "", fmt.Errorf("%w: %w", webhooks.ErrBadCursor, err)
	}

	if err != nil {
		return nil, "", fmt.Errorf("read account events of %s: %w", source, err)
	}

	return events, next, nil
}

func (l ledger) CountAccepted(source string, accepted, duplicates int) {
	l.inbox.Count(source, inbox.Tally{Accepted: int64(accepted), Duplicates: int64(duplicates)})
}

func (l ledger) CountRefused(source, reason string) {
	l.inbox.Count(source, inbox.Tally{Refused: 1, Error: reason})
}

func (l ledger) SourceCounts(_ context.Context, source string) (webhooks.SourceCounts, error) {
	for _, counts := range l.inbox.Sources() {
		if counts.Source != source {
			continue
		}

		shown := webhooks.SourceCounts{
			Accepted: counts.Accepted, Duplicates: counts.Duplicates, Refused: counts.Refused, LastError: counts.LastError,
		}

		if !counts.LastErrorAt.IsZero() {
			at := counts.LastErrorAt
			shown.LastErrorAt = &at
		}

		return shown, nil
	}

	return webhooks.SourceCounts{}, nil
}

func (l ledger) InboxCounts(ctx context.Context, key signals.Key, session int) (webhooks.Waiting, error) {
	kept, err := l.inbox.Kept(ctx, key, session)
	if err != nil {
		return webhooks.Waiting{}, fmt.Errorf("count what the inbox has of %s: %w", key, err)
	}

	return webhooks.Waiting{Pending: kept.Pending, Late: kept.Late, Orphans: kept.Ignored}, nil
}

func (l ledger) InboxEvents(ctx context.Context, key signals.Key, session int) ([]signals.Event, error) {
	late, err := l.inbox.Late(ctx, key, session)
	if err != nil {
		return nil, fmt.Errorf("read late events of %s: %w", key, err)
	}

	orphans, err := l.inbox.Orphans(ctx, key, session)
	if err != nil {
		return nil, fmt.Errorf("read orphans of %s: %w", key, err)
	}

	all := slices.Concat(late, orphans)
	slices.SortStableFunc(all, func(a, b signals.Event) int { return a.ReceivedAt.Compare(b.ReceivedAt) })

	return all, nil
}

// Stray archives what came after the decision about a ticket.
func (l ledger) Stray(ctx context.Context, key signals.Key, session int, events []signals.Event) error {
	if err := l.inbox.Keep(ctx, key, inbox.Orphan, session, events); err != nil {
		return fmt.Errorf("keep stray events of %s: %w", key, err)
	}

	return nil
}

var errDialect = errors.New("is not available in this version")

// edgeSources are the configured sources whose dialect this build speaks. A
// dialect that a file names and nobody speaks is an error; of the default
// sources it is left out.
func edgeSources(book *policy.Book, fromFile bool) ([]webhooks.Source, error) {
	table := dialects.Table()
	sources := make([]webhooks.Source, 0, len(table))

	for _, source := range book.Sources() {
		dialect, spoken := table[source.Dialect]

		switch {
		case !spoken && fromFile:
			return nil, fmt.Errorf("sources.%s.dialect: %q %w", source.Name, source.Dialect, errDialect)
		case !spoken:
			continue
		}

		sources = append(sources, webhooks.Source{
			Source: dialects.Source{
				Name: source.Name, Secrets: source.Secrets, Zone: source.Location(), RetryWindow: source.RetryWindow.Std(),
				Agents: source.Agents, Bots: source.Bots, Groups: source.Groups, Options: source.Options,
			},
			Dialect: dialect, Title: source.Title, Policy: source.Policy, Desk: source.Desk,
			Routed: source.Routing == policy.RoutingDesk,
		})
	}

	return sources, nil
}
