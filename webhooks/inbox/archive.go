package inbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/parleyhq/parley/signals"
)

// State says where an accepted event stands.
type State string

// The states.
const (
	// StatePending events wait for Temporal.
	StatePending State = "pending"
	// StateForwarded events are in a run's history.
	StateForwarded State = "forwarded"
	// StateParked events wait for one that may start their conversation.
	StateParked State = "parked"
	// StateLate events came for a session that was closed.
	StateLate State = "late"
	// StateIgnored events could not start a conversation and met none in time.
	StateIgnored State = "ignored"
	// StateDead events were refused for good.
	StateDead State = "dead"
)

// ArchiveQuery selects a page of a conversation's archive.
type ArchiveQuery struct {
	// Limit of 0 means 50; the most is 500.
	Limit int
	// Cursor is what the page before returned, "" for the first.
	Cursor string
	// Raw asks for what the platform sent, too.
	Raw bool
}

// ArchivedEvent is an accepted event and where it stands.
type ArchivedEvent struct {
	Event signals.Event
	Seq   int64
	State State
	// Session is the closed session that a late or ignored event is kept
	// with, 0 for others.
	Session int
}

// Archive returns a page of everything that was accepted for a conversation,
// oldest first, and the cursor of the next page, "" at the end; a page may have
// fewer events than it could. [ErrBadCursor] if the cursor is none of these.
func (in *Inbox) Archive(ctx context.Context, key signals.Key, query ArchiveQuery) ([]ArchivedEvent, string, error) {
	after, err := parseCursor(query.Cursor, 0)
	if err != nil {
		return nil, "", err
	}

	if err := in.flush(ctx); err != nil {
		return nil, "", err
	}

	// What waits is asked for first: it may be forwarded meanwhile, not the
	// other way round.
	limit, waits := bounded(query.Limit), in.waits(key)

	seqs, err := in.seqs(ctx, key, after)
	if err != nil {
		return nil, "", err
	}

	next := ""
	if len(seqs) > limit {
		seqs = seqs[:limit]
		next = strconv.FormatInt(seqs[limit-1], 10)
	}

	page := make([]ArchivedEvent, 0, len(seqs))

	err = in.each(ctx, `
		SELECT e.seq, e.event, CASE WHEN ? THEN e.raw END, coalesce(s.state, ''), coalesce(s.session, 0)
		FROM inbox_events e LEFT JOIN inbox_states s ON s.seq = e.seq
		WHERE e.seq IN (SELECT value FROM json_each(?)) ORDER BY e.seq`, func(scan scanner) error {
		var (
			archived   ArchivedEvent
			state      string
			event, raw []byte
		)

		if err := scan(&archived.Seq, &event, &raw, &state, &archived.Session); err != nil {
			return err
		}

		if archived.Event, err = decode(event); err != nil {
			return err
		}

		archived.State = waits.state(archived.Seq, state)
		archived.Event.Seq = archived.Seq

		switch {
		case !query.Raw:
			archived.Event.Raw = nil
		case raw != nil:
			archived.Event.Raw = raw
		}

		page = append(page, archived)

		return nil
	}, query.Raw, listOf(seqs))
	if err != nil {
		return nil, "", fmt.Errorf("read archive of %s: %w", key, err)
	}

	in.number(page)

	return page, next, nil
}

// pendings are the seqs of a conversation that wait, in order.
type pendings []int64

// waits returns what waits of a conversation.
func (in *Inbox) waits(key signals.Key) pendings {
	in.mu.Lock()
	defer in.mu.Unlock()

	way, ok := in.lanes[key]
	if !ok {
		return nil
	}

	seqs := make(pendings, 0, len(way.pending))
	for i := range way.pending {
		seqs = append(seqs, way.pending[i].seq)
	}

	return seqs
}

// state translates a state on disk.
func (p pendings) state(seq int64, stored string) State {
	switch stored {
	case stateForwarded, statePending:
		if _, waits := slices.BinarySearch(p, seq); waits {
			return StatePending
		}

		return StateForwarded
	case stateOrphan:
		return StateIgnored
	default:
		return State(stored)
	}
}

// number says under which inbox ids events were numbered.
func (in *Inbox) number(page []ArchivedEvent) {
	in.mu.Lock()
	defer in.mu.Unlock()

	for i := range page {
		page[i].Event.Inbox = in.inboxOf(page[i].Seq)
	}
}
