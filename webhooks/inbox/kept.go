package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/parleyhq/parley/signals"
)

// Reason says why an event is kept with a closed session.
type Reason string

// The reasons.
const (
	// Late events came for a session that was closed.
	Late Reason = "late"
	// Orphan events could not start a conversation and met none in time.
	Orphan Reason = "orphan"
)

// Kept counts what the inbox has of one conversation.
type Kept struct {
	// Late came for a session that was closed.
	Late int64
	// Ignored could not start a conversation and met none in time.
	Ignored int64
	// Pending still wait, dead letters included. They belong to no session
	// yet.
	Pending int64
}

// Kept counts what the inbox has of a conversation: late and ignored of the
// session, of all sessions if that is 0, and everything that waits.
func (in *Inbox) Kept(ctx context.Context, key signals.Key, session int) (Kept, error) {
	if err := in.flush(ctx); err != nil {
		return Kept{}, err
	}

	var kept Kept

	err := in.each(ctx, `
		SELECT state, count(*) FROM inbox_states
		WHERE source = ? AND conversation = ? AND state <> 'pending' AND (state = 'dead' OR ? = 0 OR session = ?)
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
		case stateDead:
			kept.Pending = n
		}

		return nil
	}, key.Source, key.Conversation, session, session)
	if err != nil {
		return Kept{}, fmt.Errorf("count kept events: %w", err)
	}

	in.mu.Lock()
	defer in.mu.Unlock()

	if way, ok := in.lanes[key]; ok {
		kept.Pending += int64(len(way.pending) + len(way.parked))
	}

	return kept, nil
}

// Late returns the newest late events of a closed session, oldest first, at
// most 200, without what the platform sent.
func (in *Inbox) Late(ctx context.Context, key signals.Key, session int) ([]signals.Event, error) {
	return in.kept(ctx, key, stateLate, session)
}

// Orphans returns the newest orphans of a session, oldest first, at most 200: a
// late rating, tag or note, shown with its ticket. Session 0 has those of
// conversations that never began.
func (in *Inbox) Orphans(ctx context.Context, key signals.Key, session int) ([]signals.Event, error) {
	return in.kept(ctx, key, stateOrphan, session)
}

func (in *Inbox) kept(ctx context.Context, key signals.Key, state string, session int) ([]signals.Event, error) {
	if err := in.flush(ctx); err != nil {
		return nil, err
	}

	var events []signals.Event

	err := in.each(ctx, `
		SELECT event FROM (
			SELECT s.seq, e.event FROM inbox_states s JOIN inbox_events e ON e.seq = s.seq
			WHERE s.source = ? AND s.conversation = ? AND s.state = ? AND s.state <> 'pending' AND s.session = ?
			ORDER BY s.seq DESC LIMIT ?)
		ORDER BY seq`, func(scan scanner) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}

		event, err := decode(raw)
		if err != nil {
			return err
		}

		event.Raw = nil
		events = append(events, event)

		return nil
	}, key.Source, key.Conversation, state, session, maxShown)
	if err != nil {
		return nil, fmt.Errorf("read %s events: %w", state, err)
	}

	return events, nil
}

// Keep archives events with a closed session of a conversation. Those that came
// through the inbox are known by their seq and are marked; the others are added,
// unless one with that id is there.
func (in *Inbox) Keep(ctx context.Context, key signals.Key, reason Reason, session int, events []signals.Event) error {
	if reason != Late && reason != Orphan {
		return fmt.Errorf("keep %q events: no such reason", reason)
	}

	k := &keeping{in: in, key: key, state: string(reason), session: session, entries: make([]entry, len(events))}

	for i := range events {
		event := events[i]
		event.Conversation = key.Conversation

		if err := in.encode(&k.entries[i], key.Source, event); err != nil {
			return fmt.Errorf("keep %s events: %w", reason, err)
		}

		k.entries[i].seq = in.ownSeq(&events[i])
	}

	if err := in.change(ctx, func(tx *sql.Tx) error { return k.run(ctx, tx) }, k.committed); err != nil {
		return fmt.Errorf("keep %s events: %w", reason, err)
	}

	return nil
}

// ownSeq returns the seq of an event that came through this inbox, else 0.
func (in *Inbox) ownSeq(event *signals.Event) int64 {
	in.mu.Lock()
	defer in.mu.Unlock()

	if event.Inbox == "" || event.Seq <= 0 || event.Seq > in.window.head || in.inboxOf(event.Seq) != event.Inbox {
		return 0
	}

	return event.Seq
}

// keeping is one call of [Inbox.Keep] at the writer.
type keeping struct {
	in      *Inbox
	key     signals.Key
	state   string
	session int
	entries []entry
	head    int64
	// beyond are the rows of the conversation that are in no list on disk,
	// added those that this call writes.
	beyond, added []int64
}

func (k *keeping) run(ctx context.Context, tx *sql.Tx) error {
	// Only the writer hands out seqs, and this is it.
	k.in.mu.Lock()
	k.head, k.beyond, k.added = k.in.window.head, k.in.places.of(k.key), nil
	k.in.mu.Unlock()

	for i := range k.entries {
		if err := k.one(ctx, tx, &k.entries[i]); err != nil {
			return err
		}
	}

	return nil
}

func (k *keeping) one(ctx context.Context, tx *sql.Tx, e *entry) error {
	if e.seq > 0 {
		var there int

		err := tx.QueryRowContext(ctx, `SELECT 1 FROM inbox_events WHERE seq = ? AND source = ? AND conversation = ?`,
			e.seq, e.key.Source, e.key.Conversation).Scan(&there)
		if err == nil {
			return k.mark(ctx, tx, e)
		}

		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("find event: %w", err)
		}
	}

	from, to := sameFor(e, k.in.config.RetryWindow(e.key.Source).Microseconds())

	listed, err := seqsOf(ctx, tx, e.key, 0)
	if err != nil {
		return err
	}

	result, err := tx.ExecContext(ctx, `
		INSERT INTO inbox_events (seq, source, conversation, event_id, received_at, event, raw)
		SELECT ?, ?, ?, ?, ?, ?, ?
		WHERE NOT EXISTS (
			SELECT 1 FROM inbox_events
			WHERE seq IN (SELECT value FROM json_each(?)) AND event_id = ? AND received_at BETWEEN ? AND ?)`,
		k.head+1, e.key.Source, e.key.Conversation, e.id, e.received, e.row.event, nullable(e.raw),
		listOf(slices.Concat(listed, k.beyond, k.added)), e.id, from, to)
	if err != nil {
		return fmt.Errorf("insert event: %w", err)
	}

	if added, err := changed(result); err != nil || added == 0 {
		return err
	}

	k.head++
	e.seq = k.head
	k.added = append(k.added, e.seq)

	return k.mark(ctx, tx, e)
}

// mark gives a row its state, unless it has a final one.
func (k *keeping) mark(ctx context.Context, tx *sql.Tx, e *entry) error {
	_, err := tx.ExecContext(ctx, markQuery, e.seq, e.key.Source, e.key.Conversation, k.state, k.session, "",
		k.in.config.Now().UnixMicro())
	if err != nil {
		return fmt.Errorf("write a state: %w", err)
	}

	return nil
}

// committed makes the rows that were added known, as settled: they have states.
func (k *keeping) committed() {
	in := k.in
	in.known.forget(k.key)

	in.mu.Lock()
	defer in.mu.Unlock()

	in.window.hand(k.head)

	for _, seq := range k.added {
		in.window.done(seq)
		in.places.add(k.key, seq)
		in.placeSoon(placeAfter)
	}
}

func changed(result sql.Result) (int64, error) {
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("count changed rows: %w", err)
	}

	return n, nil
}

// nullable keeps an absent blob from becoming an empty one.
func nullable(raw []byte) any {
	if raw == nil {
		return nil
	}

	return raw
}
