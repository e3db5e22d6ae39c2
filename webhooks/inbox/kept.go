package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Kept counts what the inbox has of one conversation.
type Kept struct {
	// Late came for a session that was closed.
	Late int64
	// Ignored could not start a conversation and met none in time.
	Ignored int64
	// Pending still wait. They belong to no session yet.
	Pending int64
}

// HasParked reports whether anything waits for key, from memory.
func (in *Inbox) HasParked(key signals.Key) bool {
	in.mu.Lock()
	defer in.mu.Unlock()

	return in.parked[key] > 0
}

// Park keeps events until one comes that may start their conversation, or for
// ten minutes; then they are orphans of the session that their Session names.
// An event that is parked already is not parked twice. [ErrFull], with nothing
// kept, if the source or the conversation has too many.
func (in *Inbox) Park(ctx context.Context, key signals.Key, events []signals.Event) error {
	return in.keep(ctx, key, stateParked, func(event *signals.Event) int { return event.Session }, events)
}

// Keep archives events with a closed session of a conversation; one that is
// there already is not archived twice.
func (in *Inbox) Keep(
	ctx context.Context, key signals.Key, reason Reason, session int, events []signals.Event,
) error {
	return in.keep(ctx, key, string(reason), func(*signals.Event) int { return session }, events)
}

func (in *Inbox) keep(
	ctx context.Context, key signals.Key, state string, session func(*signals.Event) int, events []signals.Event,
) error {
	added := 0

	err := in.write(ctx, func(tx *sql.Tx) error {
		added = 0

		for i := range events {
			fresh, err := in.insert(ctx, tx, key, state, session(&events[i]), &events[i])
			if err != nil {
				return err
			}

			if fresh {
				added++
			}
		}

		return in.room(key, state, added)
	})
	if err != nil {
		return fmt.Errorf("keep %s events: %w", state, err)
	}

	in.count(key, state, added)

	return nil
}

// room refuses what would be too much. The caller is the only writer.
func (in *Inbox) room(key signals.Key, state string, added int) error {
	if added == 0 {
		return nil
	}

	held := in.holding(key.Source)

	if state != stateParked {
		if held.archived+added > in.config.MaxArchived {
			return fmt.Errorf("%w: source %q has %d late and orphan events", ErrFull, key.Source, held.archived)
		}

		return nil
	}

	in.mu.Lock()
	defer in.mu.Unlock()

	if held.parked+added > in.config.MaxParked || in.parked[key]+added > maxPerConversation {
		return fmt.Errorf("%w: source %q has %d parked events, this conversation %d",
			ErrFull, key.Source, held.parked, in.parked[key])
	}

	return nil
}

// insert adds an event unless it is there: a natural id once, a derived one
// once within the source's retry window.
func (in *Inbox) insert(
	ctx context.Context, tx *sql.Tx, key signals.Key, state string, session int, event *signals.Event,
) (bool, error) {
	raw, err := encode(*event)
	if err != nil {
		return false, err
	}

	received := in.receivedAt(event)
	from, to := in.window(key.Source, event.ID, received)

	result, err := tx.ExecContext(ctx, `
		INSERT INTO kept_events (source, conversation, session, state, event_id, received_at, kept_at, event)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?
		WHERE NOT EXISTS (
			SELECT 1 FROM kept_events
			WHERE source = ? AND conversation = ? AND state = ? AND event_id = ? AND received_at BETWEEN ? AND ?)`,
		key.Source, key.Conversation, session, state, event.ID, received.UnixMicro(), in.config.Now().UnixMicro(), raw,
		key.Source, key.Conversation, state, event.ID, from, to)
	if err != nil {
		return false, fmt.Errorf("insert event: %w", err)
	}

	return changed(result)
}

// window returns between which times of reception, in microseconds, the same
// id is the same event.
func (in *Inbox) window(source, id string, received time.Time) (int64, int64) {
	if !signals.IsDerived(id) {
		return -1 << 62, 1 << 62
	}

	width := in.config.RetryWindow(source)

	return received.Add(-width).UnixMicro(), received.Add(width).UnixMicro()
}

func changed(result sql.Result) (bool, error) {
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("count changed rows: %w", err)
	}

	return n > 0, nil
}

// Parked returns what waits for key and is younger than ten minutes, in the
// order in which it came, without the session it would be an orphan of.
func (in *Inbox) Parked(ctx context.Context, key signals.Key) ([]signals.Event, error) {
	events, err := in.events(ctx, `
		SELECT event FROM kept_events
		WHERE source = ? AND conversation = ? AND state = ? AND kept_at > ? ORDER BY seq LIMIT ?`,
		key.Source, key.Conversation, stateParked, in.config.Now().Add(-parkedFor).UnixMicro(), maxPerConversation)
	if err != nil {
		return nil, fmt.Errorf("read parked events: %w", err)
	}

	for i := range events {
		events[i].Session = 0
	}

	return events, nil
}

// Unpark says that parked events reached a run. One that was swept in the very
// moment is no orphan then.
func (in *Inbox) Unpark(ctx context.Context, key signals.Key, ids []string) error {
	removed := make(map[string]int)
	justSwept := in.config.Now().Add(-parkedFor - time.Minute).UnixMicro()

	err := in.write(ctx, func(tx *sql.Tx) error {
		clear(removed)

		for _, id := range ids {
			err := eachOf(ctx, tx, `
				DELETE FROM kept_events
				WHERE source = ? AND conversation = ? AND event_id = ?
				  AND (state = ? OR state = ? AND kept_at >= ?)
				RETURNING state`, func(scan scanner) error {
				var state string
				if err := scan(&state); err != nil {
					return err
				}

				removed[state]++

				return nil
			}, key.Source, key.Conversation, id, stateParked, stateOrphan, justSwept)
			if err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("unpark events: %w", err)
	}

	for state, n := range removed {
		in.count(key, state, -n)
	}

	return nil
}

// Kept counts what the inbox has of a conversation: late and ignored of the
// session, of all sessions if that is 0, and everything that waits.
func (in *Inbox) Kept(ctx context.Context, key signals.Key, session int) (Kept, error) {
	var kept Kept

	err := in.each(ctx, `
		SELECT state, count(*) FROM kept_events
		WHERE source = ? AND conversation = ? AND (state = ? OR ? = 0 OR session = ?)
		GROUP BY state`, func(scan scanner) error {
		var (
			state string
			n     int64
		)

		if err := scan(&state, &n); err != nil {
			return err
		}

		switch state {
		case stateLate:
			kept.Late = n
		case stateOrphan:
			kept.Ignored = n
		case stateParked:
			kept.Pending = n
		}

		return nil
	}, key.Source, key.Conversation, stateParked, session, session)
	if err != nil {
		return Kept{}, fmt.Errorf("count kept events: %w", err)
	}

	return kept, nil
}

// Late returns the newest late events of a closed session, oldest first, at
// most 200.
func (in *Inbox) Late(ctx context.Context, key signals.Key, session int) ([]signals.Event, error) {
	return in.archive(ctx, key, stateLate, session)
}

// Orphans returns the newest orphans of a session, oldest first, at most 200:
// a late rating, tag or note, shown with its ticket. Session 0 has those of
// conversations that never began.
func (in *Inbox) Orphans(ctx context.Context, key signals.Key, session int) ([]signals.Event, error) {
	return in.archive(ctx, key, stateOrphan, session)
}

func (in *Inbox) archive(ctx context.Context, key signals.Key, state string, session int) ([]signals.Event, error) {
	events, err := in.events(ctx, `
		SELECT event FROM (
			SELECT seq, event FROM kept_events
			WHERE source = ? AND conversation = ? AND state = ? AND session = ? ORDER BY seq DESC LIMIT ?)
		ORDER BY seq`, key.Source, key.Conversation, state, session, maxShown)
	if err != nil {
		return nil, fmt.Errorf("read %s events: %w", state, err)
	}

	return events, nil
}

func (in *Inbox) events(ctx context.Context, query string, args ...any) ([]signals.Event, error) {
	var events []signals.Event

	err := in.each(ctx, query, func(scan scanner) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}

		event, err := decode(raw)
		if err != nil {
			return err
		}

		events = append(events, event)

		return nil
	}, args...)

	return events, err
}
