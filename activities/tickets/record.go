package tickets

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/parleyhq/parley/signals"
)

// parts of a view that are kept apart from it, since no list shows them.
type parts struct {
	Participants []signals.ViewParticipant `json:"participants,omitempty"`
	Timeline     []signals.TimelineEntry   `json:"timeline,omitempty"`
}

// Record keeps a closed session and, where it has one, its ticket. A repeated
// call changes nothing: what ticket.* events said meanwhile stays.
func (s *Store) Record(ctx context.Context, view signals.View, ticket *signals.Ticket) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("record session: %w", err)
	}
	defer tx.Rollback()

	if err := s.recordSession(ctx, tx, view); err != nil {
		return err
	}

	if ticket != nil {
		if err := s.recordTicket(ctx, tx, *ticket, &view); err != nil {
			return err
		}
	}

	if err := tx.Commit(); err != nil {
		return fmt.Errorf("record session: %w", err)
	}

	return nil
}

func (s *Store) recordSession(ctx context.Context, tx *sql.Tx, view signals.View) error {
	body, err := json.Marshal(parts{Participants: view.Participants, Timeline: view.Timeline})
	if err != nil {
		return fmt.Errorf("record session: %w", err)
	}

	closed := s.now()
	if view.ClosedAt != nil {
		closed = *view.ClosedAt
	}

	view.Participants, view.Timeline = nil, nil

	head, err := json.Marshal(view)
	if err != nil {
		return fmt.Errorf("record session: %w", err)
	}

	_, err = tx.ExecContext(ctx, `
INSERT INTO sessions (workflow_id, session, source, conversation, status, agent, desk, unreplied, opened_at, closed_at, head, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (workflow_id, session) DO NOTHING`,
		workflowOf(&view), view.Session, view.Source, view.ID, string(view.Status), view.Agent, view.Desk, view.Unreplied,
		nanos(view.OpenedAt), nanos(closed), string(head), string(body))
	if err != nil {
		return fmt.Errorf("record session: %w", err)
	}

	return nil
}

func (s *Store) recordTicket(ctx context.Context, tx *sql.Tx, ticket signals.Ticket, view *signals.View) error {
	if ticket.Session == 0 {
		ticket.Session = view.Session
	}

	if ticket.WorkflowID == "" {
		ticket.WorkflowID = workflowOf(view)
	}

	if ticket.ID == "" {
		ticket.ID = signals.TicketID(ticket.WorkflowID, ticket.Session)
	}

	messages, err := json.Marshal(ticket.Messages)
	if err != nil {
		return fmt.Errorf("record ticket: %w", err)
	}

	transcript := []byte("[]")
	if len(ticket.Transcript) > 0 {
		if transcript, err = json.Marshal(ticket.Transcript); err != nil {
			return fmt.Errorf("record ticket: %w", err)
		}
	}

	now := nanos(s.now())

	_, err = tx.ExecContext(ctx, `
INSERT INTO tickets (id, external_id, url, status, reason, source, conversation, session, workflow_id, subject, unreplied,
    messages, opened_at, closed_at, transcript, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		ticket.ID, ticket.ExternalID, ticket.URL, ticket.Status, ticket.Reason, ticket.Source, ticket.Conversation, ticket.Session,
		ticket.WorkflowID, ticket.Subject, ticket.Unreplied, string(messages), nanos(ticket.OpenedAt), nanos(ticket.ClosedAt),
		string(transcript), now, now)
	if err != nil {
		return fmt.Errorf("record ticket: %w", err)
	}

	return nil
}

// workflowOf is the conversation's workflow id, which names it even where its
// own id had to be hashed.
func workflowOf(view *signals.View) string {
	if view.WorkflowID != "" {
		return view.WorkflowID
	}

	return signals.Key{Source: view.Source, Conversation: view.ID}.WorkflowID()
}

// Update takes in what a ticket.* event says: fields that it leaves empty stay
// as they are, and a ticket that was created does not fail any more by a
// report that came late. A ticket that is not kept, or belongs to another
// conversation, is [ErrNotFound]. Without an id the ticket is the one of the
// session that ref names.
func (s *Store) Update(ctx context.Context, ref signals.TicketRef, source, conversation string) error {
	workflowID := signals.Key{Source: source, Conversation: conversation}.WorkflowID()

	id := ref.ID
	if id == "" {
		id = signals.TicketID(workflowID, ref.Session)
	}

	result, err := s.db.ExecContext(ctx, `
UPDATE tickets SET
    external_id = CASE WHEN ?2 <> '' THEN ?2 ELSE external_id END,
    url         = CASE WHEN ?3 <> '' THEN ?3 ELSE url END,
    reason      = CASE WHEN ?4 = '' OR (?4 = 'failed' AND status = 'created') THEN reason ELSE ?5 END,
    status      = CASE WHEN ?4 = '' OR (?4 = 'failed' AND status = 'created') THEN status ELSE ?4 END,
    updated_at  = ?6
WHERE id = ?1 AND workflow_id = ?7`,
		id, ref.ExternalID, ref.URL, ref.Status, ref.Reason, nanos(s.now()), workflowID)
	if err != nil {
		return fmt.Errorf("update ticket %s: %w", id, err)
	}

	rows, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("update ticket %s: %w", id, err)
	}

	if rows == 0 {
		return fmt.Errorf("update ticket %s: %w", id, ErrNotFound)
	}

	return nil
}
