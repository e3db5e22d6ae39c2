package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
)

// listedTicket is an element of the list: without its transcript.
type listedTicket struct {
	signals.Ticket

	Transcript *struct{} `json:"transcript,omitempty"`
}

// wholeTicket is a ticket with what came after its session was closed, such as
// a rating or a tag.
type wholeTicket struct {
	signals.Ticket

	LateEvents []signals.Event `json:"late_events"`
}

type ticketList struct {
	Tickets []listedTicket `json:"tickets"`
	Next    string         `json:"next"`
}

func (s *Server) listTickets(c *fiber.Ctx) error {
	query, page, err := listParams(c, "source", "status")
	if err != nil {
		return err
	}

	filter := TicketFilter{Source: query.Get("source"), Status: query.Get("status"), Limit: page.limit, Cursor: page.cursor}

	if filter.Source != "" && !signals.ValidName(filter.Source) {
		return invalid("source", "must match [a-z0-9-]{1,40}")
	}

	if filter.Status != "" && !slices.Contains(ticketStatuses(), filter.Status) {
		return invalid("status", "must be pending, created, failed or skipped")
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	tickets, next, err := s.deps.Sessions.Tickets(ctx, filter)
	if err != nil {
		return listProblem("list tickets", err)
	}

	list := ticketList{Tickets: make([]listedTicket, 0, len(tickets)), Next: next}
	for i := range tickets {
		list.Tickets = append(list.Tickets, listedTicket{Ticket: tickets[i]})
	}

	return c.JSON(list)
}

func ticketStatuses() []string {
	return []string{
		signals.TicketStatusPending, signals.TicketStatusCreated, signals.TicketStatusFailed, signals.TicketStatusSkipped,
	}
}

func (s *Server) getTicket(c *fiber.Ctx) error {
	id, err := pathParam(c, "id")
	if err != nil {
		return err
	}

	if _, err := onlyParams(c); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	ticket, err := s.deps.Sessions.Ticket(ctx, id)

	switch {
	case errors.Is(err, ErrNotFound):
		return notFound("no such ticket")
	case err != nil:
		return fmt.Errorf("read ticket: %w", err)
	}

	if ticket.Transcript == nil {
		ticket.Transcript = []signals.TranscriptLine{}
	}

	key := signals.Key{Source: ticket.Source, Conversation: ticket.Conversation}

	late, err := s.deps.Inbox.InboxEvents(ctx, key, ticket.Session)
	if err != nil {
		return fmt.Errorf("read late events: %w", err)
	}

	// Raw bodies are for keys that may read them, and not shown here.
	shown := make([]signals.Event, 0, len(late))
	for i := range late {
		shown = append(shown, late[i].Bounded())
	}

	return c.JSON(wholeTicket{Ticket: ticket, LateEvents: shown})
}
