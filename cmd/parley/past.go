package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

// past shows the store of closed sessions to the edge in the edge's words.
type past struct{ store *tickets.Store }

var _ webhooks.SessionStore = past{}

func (p past) Session(ctx context.Context, key signals.Key, session int) (signals.View, error) {
	view, err := p.store.Session(ctx, key, session)

	return view, notFound(err)
}

func (p past) ClosedSessions(ctx context.Context, filter webhooks.SessionFilter) ([]signals.View, string, error) {
	wanted := tickets.SessionFilter{
		Source: filter.Source, Agent: filter.Agent, Desk: filter.Desk, Tag: filter.Tag, Newest: true,
	}

	if filter.Unreplied {
		wanted.Unreplied = &filter.Unreplied
	}

	views, next, err := p.store.Sessions(ctx, wanted, filter.Limit, filter.Cursor)

	return views, next, notFound(err)
}

func (p past) Ticket(ctx context.Context, id string) (signals.Ticket, error) {
	ticket, err := p.store.Ticket(ctx, id)

	return ticket, notFound(err)
}

func (p past) Tickets(ctx context.Context, filter webhooks.TicketFilter) ([]signals.Ticket, string, error) {
	found, next, err := p.store.Tickets(ctx, tickets.TicketFilter{Source: filter.Source, Status: filter.Status},
		filter.Limit, filter.Cursor)

	return found, next, notFound(err)
}

// notFound gives the edge its own errors for what the store does not have.
func notFound(err error) error {
	switch {
	case errors.Is(err, tickets.ErrNotFound):
		return fmt.Errorf("%w: %w", webhooks.ErrNotFound, err)
	case errors.Is(err, tickets.ErrBadCursor):
		return fmt.Errorf("%w: %w", webhooks.ErrBadCursor, err)
	default:
		return err
	}
}
