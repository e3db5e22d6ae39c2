package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/parleyhq/parley/signals"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

// LogAccount writes events that belong to no conversation to their source's
// account log and returns how many were new and how many were there already: a
// natural id once, a derived one once within the source's retry window. All of
// them are on disk when it returns; on an error none is.
func (in *Inbox) LogAccount(ctx context.Context, source string, events []signals.Event) (int, int, error) {
	accepted := 0

	err := in.write(ctx, func(tx *sql.Tx) error {
		accepted = 0

		for i := range events {
			fresh, err := in.logEvent(ctx, tx, source, &events[i])
			if err != nil {
				return err
			}

			if fresh {
				accepted++
			}
		}

		if held := in.holding(source).account; accepted > 0 && held+accepted > in.config.MaxAccount {
			return fmt.Errorf("%w: source %q has %d account events", ErrFull, source, held)
		}

		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("log account events: %w", err)
	}

	in.countAccount(source, accepted)

	return accepted, len(events) - accepted, nil
}

func (in *Inbox) logEvent(ctx context.Context, tx *sql.Tx, source string, event *signals.Event) (bool, error) {
	raw, err := encode(*event)
	if err != nil {
		return false, err
	}

	received := in.receivedAt(event)
	from, to := in.window(source, event.ID, received)

	result, err := tx.ExecContext(ctx, `
		INSERT INTO account_events (source, event_id, received_at, logged_at, event)
		SELECT ?, ?, ?, ?, ?
		WHERE NOT EXISTS (
			SELECT 1 FROM account_events WHERE source = ? AND event_id = ? AND received_at BETWEEN ? AND ?)`,
		source, event.ID, received.UnixMicro(), in.config.Now().UnixMicro(), raw, source, event.ID, from, to)
	if err != nil {
		return false, fmt.Errorf("insert account event: %w", err)
	}

	return changed(result)
}

// AccountEvents returns a page of a source's account log, newest first, and
// the cursor of the next page, "" at the end. A limit of 0 means 50; the most
// is 500. [ErrBadCursor] if the cursor is none of these.
func (in *Inbox) AccountEvents(ctx context.Context, source string, limit int, cursor string) ([]signals.Event, string, error) {
	if limit <= 0 {
		limit = defaultLimit
	}

	limit = min(limit, maxLimit)
	before := int64(1) << 62

	if cursor != "" {
		seq, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil || seq <= 0 {
			return nil, "", fmt.Errorf("%w: %q", ErrBadCursor, signals.Cut(cursor, defaultLimit))
		}

		before = seq
	}

	var (
		events []signals.Event
		next   string
		last   int64
	)

	err := in.each(ctx, `
		SELECT seq, event FROM account_events WHERE source = ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
		func(scan scanner) error {
			var (
				seq int64
				raw []byte
			)

			if err := scan(&seq, &raw); err != nil {
				return err
			}

			if len(events) == limit {
				next = strconv.FormatInt(last, 10)

				return nil
			}

			event, err := decode(raw)
			if err != nil {
				return err
			}

			events, last = append(events, event), seq

			return nil
		}, source, before, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("read account events: %w", err)
	}

	return events, next, nil
}
