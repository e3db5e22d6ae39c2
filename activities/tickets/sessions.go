package tickets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// Session returns session n of a conversation, 0 meaning the newest one that
// closed, with its ticket as it stands now. One that is not kept is
// [ErrNotFound].
func (s *Store) Session(ctx context.Context, key signals.Key, n int) (signals.View, error) {
	return s.SessionOf(ctx, key.WorkflowID(), n)
}

// SessionOf is [Store.Session] by the conversation's workflow id.
func (s *Store) SessionOf(ctx context.Context, workflowID string, n int) (signals.View, error) {
	statement := `SELECT ` + sessionColumns + `, s.body FROM sessions s ` + joinTicket + ` WHERE s.workflow_id = ?1`
	if n > 0 {
		statement += ` AND s.session = ?2`
	}

	row := s.db.QueryRowContext(ctx, statement+` ORDER BY s.session DESC LIMIT 1`, workflowID, n)

	var body string

	view, _, err := scanSession(row.Scan, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return signals.View{}, fmt.Errorf("session %d of %s: %w", n, workflowID, ErrNotFound)
	}

	if err != nil {
		return signals.View{}, fmt.Errorf("read session of %s: %w", workflowID, err)
	}

	var more parts
	if err := json.Unmarshal([]byte(body), &more); err != nil {
		return signals.View{}, fmt.Errorf("read session of %s: %w", workflowID, err)
	}

	view.Participants, view.Timeline = more.Participants, more.Timeline

	return view, nil
}

// Next returns with what the session after the newest closed one starts, as far
// as the store can tell: its number, and what belongs to the one before. found
// is false where no session is kept. The result of the last run says more.
func (s *Store) Next(ctx context.Context, workflowID string) (start signals.Start, found bool, err error) {
	view, err := s.SessionOf(ctx, workflowID, 0)
	if errors.Is(err, ErrNotFound) {
		return signals.Start{}, false, nil
	}

	if err != nil {
		return signals.Start{}, false, err
	}

	start = signals.Start{Version: 1, Session: view.Session + 1, Conversation: view.ID}

	if view.Thread != "" {
		start.Threads = []string{view.Thread}
	}

	if view.ClosedAt != nil {
		start.ClosedAt = *view.ClosedAt
	}

	return start, true, nil
}

// SessionFilter narrows a list of closed sessions; empty fields match all.
type SessionFilter struct {
	Source       string
	Conversation string
	Status       signals.Status
	Agent        string
	Desk         string
	// Tag is one of the session's tags.
	Tag       string
	Unreplied *bool
	// Newest leaves out every session but a conversation's newest.
	Newest bool
}

// Sessions lists closed sessions without participants and timeline, the one
// that closed last first, and returns the cursor of the next page; "" after
// the last. A cursor that it did not give is [ErrBadCursor].
func (s *Store) Sessions(ctx context.Context, filter SessionFilter, limit int, cursor string) ([]signals.View, string, error) {
	var where conditions

	where.equal("s.source", filter.Source)
	where.equal("s.conversation", filter.Conversation)
	where.equal("s.status", string(filter.Status))
	where.equal("s.agent", filter.Agent)
	where.equal("s.desk", filter.Desk)

	if filter.Tag != "" {
		where.add("EXISTS (SELECT 1 FROM json_each(s.head, '$.tags') WHERE value = ?)", filter.Tag)
	}

	if filter.Tag != "" {
		where.add(`EXISTS (SELECT 1 FROM json_each(s.head, '$.tags') WHERE value = ?)`, filter.Tag)
	}

	if filter.Unreplied != nil {
		where.add("s.unreplied = ?", *filter.Unreplied)
	}

	if filter.Newest {
		where.add(`NOT EXISTS (SELECT 1 FROM sessions n WHERE n.workflow_id = s.workflow_id AND n.session > s.session)`)
	}

	limit = bounded(limit)

	if err := after[int64](&where, cursor, "s.closed_at", "s.id"); err != nil {
		return nil, "", err
	}

	//nolint:gosec // the conditions are constants, the values arguments
	rows, err := s.db.QueryContext(ctx, `SELECT `+sessionColumns+` FROM sessions s `+joinTicket+where.String()+
		` ORDER BY s.closed_at DESC, s.id DESC LIMIT ?`, append(where.args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()

	views := make([]signals.View, 0, limit)
	next := ""

	var last mark[int64]

	for rows.Next() {
		view, at, err := scanSession(rows.Scan)
		if err != nil {
			return nil, "", fmt.Errorf("list sessions: %w", err)
		}

		if len(views) == limit {
			next = last.cursor()

			break
		}

		views, last = append(views, view), at
	}

	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list sessions: %w", err)
	}

	return views, next, nil
}

const (
	sessionColumns = `s.id, s.closed_at, s.head, t.id, t.external_id, t.url, t.status, t.reason, t.session`
	joinTicket     = `LEFT JOIN tickets t ON t.workflow_id = s.workflow_id AND t.session = s.session`
)

func scanSession(scan func(...any) error, more ...any) (signals.View, mark[int64], error) {
	var (
		at                                   mark[int64]
		head                                 string
		id, external, url, status, reasonWhy sql.NullString
		session                              sql.NullInt64
		view                                 signals.View
	)

	dest := append([]any{&at.ID, &at.At, &head, &id, &external, &url, &status, &reasonWhy, &session}, more...)
	if err := scan(dest...); err != nil {
		return view, at, err
	}

	if err := json.Unmarshal([]byte(head), &view); err != nil {
		return view, at, fmt.Errorf("decode: %w", err)
	}

	switch {
	case id.Valid:
		view.Ticket = &signals.TicketRef{
			ID: id.String, ExternalID: external.String, URL: url.String, Status: status.String, Reason: reasonWhy.String,
			Session: int(session.Int64),
		}
	case view.Ticket != nil && view.Ticket.Status != signals.TicketStatusSkipped:
		// Nobody may show a ticket that is not kept.
		view.Ticket = nil
	}

	return view, at, nil
}

// conditions build a WHERE clause; only constants are ever put into its text.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// String returns the clause, or nothing.
func (c *conditions) String() string {
	if len(c.parts) == 0 {
		return ""
	}

	return " WHERE " + strings.Join(c.parts, " AND ")
}
