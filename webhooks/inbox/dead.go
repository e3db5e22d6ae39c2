package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// DeadLetter is an event that Temporal refuses for good.
type DeadLetter struct {
	// ID is the event's seq.
	ID  int64
	Key signals.Key
	// EventID, Type and At are the event's own.
	EventID string
	Type    signals.Type
	At      time.Time
	// Reason is what Temporal said, and DiedAt when.
	Reason string
	DiedAt time.Time
	// Event is whole but for Raw, which [Inbox.Archive] has.
	Event signals.Event
}

// Dead returns a page of the dead letters, oldest first, and the cursor of the
// next page, "" at the end. A limit of 0 means 50; the most is 500.
// [ErrBadCursor] if the cursor is none of these.
func (in *Inbox) Dead(ctx context.Context, limit int, cursor string) ([]DeadLetter, string, error) {
	after, err := parseCursor(cursor, 0)
	if err != nil {
		return nil, "", err
	}

	if err := in.flush(ctx); err != nil {
		return nil, "", err
	}

	limit = bounded(limit)

	var letters []DeadLetter

	err = in.each(ctx, `
		SELECT e.seq, e.source, e.conversation, e.event_id, s.reason, s.since, e.event
		FROM inbox_states s JOIN inbox_events e ON e.seq = s.seq
		WHERE s.state = 'dead' AND s.seq > ? ORDER BY s.seq LIMIT ?`, func(scan scanner) error {
		var (
			letter DeadLetter
			since  int64
			raw    []byte
		)

		err := scan(&letter.ID, &letter.Key.Source, &letter.Key.Conversation, &letter.EventID, &letter.Reason, &since, &raw)
		if err != nil {
			return err
		}

		// One that cannot be decoded is shown all the same: that is its reason.
		if event, err := decode(raw); err == nil {
			event.Raw = nil
			letter.Event, letter.Type, letter.At = event, event.Type, event.At
		}

		letter.DiedAt = fromMicros(since)
		letters = append(letters, letter)

		return nil
	}, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("read dead letters: %w", err)
	}

	if len(letters) <= limit {
		return letters, "", nil
	}

	letters = letters[:limit]

	return letters, strconv.FormatInt(letters[limit-1].ID, 10), nil
}

// Retry lets a dead letter wait again, as the newest of its conversation, and
// returns its new seq; event id and time stay. [ErrNotFound] if id names none.
func (in *Inbox) Retry(ctx context.Context, id int64) (int64, error) {
	r := &revival{in: in, id: id}

	if err := in.change(ctx, func(tx *sql.Tx) error { return r.run(ctx, tx) }, r.committed); err != nil {
		return 0, fmt.Errorf("retry dead letter %d: %w", id, err)
	}

	return r.seq, nil
}

// revival is one call of [Inbox.Retry] at the writer.
type revival struct {
	in      *Inbox
	id, seq int64
	key     signals.Key
	item    item
}

func (r *revival) run(ctx context.Context, tx *sql.Tx) error {
	err := tx.QueryRowContext(ctx, `
		SELECT e.source, e.conversation, e.received_at, length(e.event), length(e.event) + coalesce(length(e.raw), 0)
		FROM inbox_states s JOIN inbox_events e ON e.seq = s.seq WHERE s.seq = ? AND s.state = 'dead'`, r.id).
		Scan(&r.key.Source, &r.key.Conversation, &r.item.at, &r.item.size, &r.item.total)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}

	if err != nil {
		return fmt.Errorf("find dead letter: %w", err)
	}

	r.in.mu.Lock()
	r.seq = r.in.window.head + 1
	r.in.mu.Unlock()

	// The row moves: what was accepted once is there once.
	for _, statement := range [...]struct {
		query string
		args  []any
	}{
		{`UPDATE inbox_events SET seq = ? WHERE seq = ?`, []any{r.seq, r.id}},
		{`DELETE FROM inbox_states WHERE seq = ?`, []any{r.id}},
	} {
		if _, err := tx.ExecContext(ctx, statement.query, statement.args...); err != nil {
			return fmt.Errorf("revive dead letter: %w", err)
		}
	}

	return nil
}

func (r *revival) committed() {
	in := r.in

	in.mu.Lock()
	defer in.mu.Unlock()

	in.window.hand(r.seq)
	in.dead--

	in.places.add(r.key, r.seq)
	in.placeSoon(placeAfter)

	r.item.seq = r.seq
	way := in.lane(r.key)
	way.pending = append(way.pending, r.item)
	in.hold(r.key.Source, &r.item)
	in.ready(way)
}

// parseCursor returns the seq that a cursor names, or first for none.
func parseCursor(cursor string, first int64) (int64, error) {
	if cursor == "" {
		return first, nil
	}

	seq, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || seq <= 0 {
		return 0, fmt.Errorf("%w: %q", ErrBadCursor, signals.Cut(cursor, defaultLimit))
	}

	return seq, nil
}

// bounded returns how long a page may be.
func bounded(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}

	return min(limit, maxLimit)
}
