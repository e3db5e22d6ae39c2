package tickets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/parleyhq/parley/signals"
)

const ticketColumns = `id, external_id, url, status, reason, source, conversation, session, workflow_id, subject, unreplied,
    messages, opened_at, closed_at`

// Ticket returns one ticket with its transcript. One that is not kept is
// [ErrNotFound].
func (s *Store) Ticket(ctx context.Context, id string) (signals.Ticket, error) {
	row := s.db.QueryRowContext(ctx, `SELECT `+ticketColumns+`, transcript FROM tickets WHERE id = ?`, id)

	var transcript string

	ticket, err := scanTicket(row.Scan, &transcript)
	if errors.Is(err, sql.ErrNoRows) {
		return signals.Ticket{}, fmt.Errorf("ticket %s: %w", id, ErrNotFound)
	}

	if err != nil {
		return signals.Ticket{}, fmt.Errorf("read ticket %s: %w", id, err)
	}

	if err := json.Unmarshal([]byte(transcript), &ticket.Transcript); err != nil {
		return signals.Ticket{}, fmt.Errorf("read ticket %s: %w", id, err)
	}

	return ticket, nil
}

// TicketFilter narrows a list of tickets; empty fields match all.
type TicketFilter struct {
	Source       string
	Conversation string
	Status       string
}

// Tickets lists tickets without their transcripts, the one whose session closed
// last first, and returns the cursor of the next page; "" after the last. A
// cursor that it did not give is [ErrBadCursor].
func (s *Store) Tickets(ctx context.Context, filter TicketFilter, limit int, cursor string) ([]signals.Ticket, string, error) {
	var where conditions

	where.equal("source", filter.Source)
	where.equal("conversation", filter.Conversation)
	where.equal("status", filter.Status)

	limit = bounded(limit)

	if err := after[string](&where, cursor, "closed_at", "id"); err != nil {
		return nil, "", err
	}

	//nolint:gosec // the conditions are constants, the values arguments
	rows, err := s.db.QueryContext(ctx, `SELECT `+ticketColumns+` FROM tickets`+where.String()+
		` ORDER BY closed_at DESC, id DESC LIMIT ?`, append(where.args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list tickets: %w", err)
	}
	defer rows.Close()

	list := make([]signals.Ticket, 0, limit)
	next := ""

	for rows.Next() {
		ticket, err := scanTicket(rows.Scan)
		if err != nil {
			return nil, "", fmt.Errorf("list tickets: %w", err)
		}

		if len(list) == limit {
			last := &list[limit-1]
			next = mark[string]{At: nanos(last.ClosedAt), ID: last.ID}.cursor()

			break
		}

		list = append(list, ticket)
	}

	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list tickets: %w", err)
	}

	return list, next, nil
}

func scanTicket(scan func(...any) error, more ...any) (signals.Ticket, error) {
	var (
		ticket         signals.Ticket
		messages       string
		opened, closed int64
	)

	dest := append([]any{
		&ticket.ID, &ticket.ExternalID, &ticket.URL, &ticket.Status, &ticket.Reason, &ticket.Source, &ticket.Conversation,
		&ticket.Session, &ticket.WorkflowID, &ticket.Subject, &ticket.Unreplied, &messages, &opened, &closed,
	}, more...)
	if err := scan(dest...); err != nil {
		return ticket, err
	}

	if err := json.Unmarshal([]byte(messages), &ticket.Messages); err != nil {
		return ticket, fmt.Errorf("decode: %w", err)
	}

	ticket.OpenedAt, ticket.ClosedAt = fromNanos(opened), fromNanos(closed)

	return ticket, nil
}
