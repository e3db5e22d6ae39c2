package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/parleyhq/parley/signals"
)

// sqlite is the store in a SQLite database.
type sqlite struct{ db *sql.DB }

var _ store = sqlite{}

func (s sqlite) load(ctx context.Context, use func(waiting)) (ends, error) {
	var found ends

	err := s.db.QueryRowContext(ctx, `
		SELECT settled, max(settled, (SELECT coalesce(max(seq), 0) FROM inbox_events)),
		       (SELECT count(*) FROM inbox_states WHERE state = 'dead')
		FROM inbox_ends`).Scan(&found.settled, &found.head, &found.dead)
	if err != nil {
		return ends{}, fmt.Errorf("read ends: %w", err)
	}

	err = eachOf(ctx, s.db, `SELECT first_seq, inbox FROM inbox_starts ORDER BY first_seq`, func(scan scanner) error {
		var from start
		if err := scan(&from.first, &from.inbox); err != nil {
			return err
		}

		found.starts = append(found.starts, from)

		return nil
	})
	if err != nil {
		return ends{}, fmt.Errorf("read starts: %w", err)
	}

	scan := func(scan scanner) error {
		var w waiting

		err := scan(&w.seq, &w.key.Source, &w.key.Conversation, &w.state, &w.session, &w.since, &w.received, &w.size, &w.total)
		if err != nil {
			return err
		}

		use(w)

		return nil
	}

	for _, query := range [...]string{
		`SELECT e.seq, e.source, e.conversation, s.state, s.session, s.since, e.received_at,
		        length(e.event), length(e.event) + coalesce(length(e.raw), 0)
		 FROM inbox_states s JOIN inbox_events e ON e.seq = s.seq WHERE s.state IN ('pending', 'parked')`,
		`SELECT e.seq, e.source, e.conversation, '', 0, 0, e.received_at,
		        length(e.event), length(e.event) + coalesce(length(e.raw), 0)
		 FROM inbox_events e WHERE e.seq > (SELECT settled FROM inbox_ends)
		 AND NOT EXISTS (SELECT 1 FROM inbox_states s WHERE s.seq = e.seq)`,
	} {
		if err := eachOf(ctx, s.db, query, scan); err != nil {
			return ends{}, fmt.Errorf("read what waits: %w", err)
		}
	}

	found.unplaced = make(map[signals.Key][]int64)

	err = eachOf(ctx, s.db, `
		SELECT seq, source, conversation FROM inbox_events WHERE seq > (SELECT indexed FROM inbox_ends) ORDER BY seq`,
		func(scan scanner) error {
			var (
				key signals.Key
				seq int64
			)

			if err := scan(&seq, &key.Source, &key.Conversation); err != nil {
				return err
			}

			found.unplaced[key] = append(found.unplaced[key], seq)

			return nil
		})
	if err != nil {
		return ends{}, fmt.Errorf("read what is in no list: %w", err)
	}

	return found, nil
}

func (s sqlite) seqs(ctx context.Context, key signals.Key, after int64) ([]int64, error) {
	return seqsOf(ctx, s.db, key, after)
}

func seqsOf(ctx context.Context, from querier, key signals.Key, after int64) ([]int64, error) {
	var all []int64

	err := eachOf(ctx, from, `SELECT seqs FROM inbox_places WHERE source = ? AND conversation = ? AND last > ? ORDER BY last`,
		func(scan scanner) error {
			var raw []byte
			if err := scan(&raw); err != nil {
				return err
			}

			var seqs []int64
			if err := json.Unmarshal(raw, &seqs); err != nil {
				return fmt.Errorf("decode list: %w", err)
			}

			all = append(all, seqs...)

			return nil
		}, key.Source, key.Conversation, after)
	if err != nil {
		return nil, fmt.Errorf("read where events are: %w", err)
	}

	return ascending(all, after), nil
}

// ascending sorts seqs and leaves out those that are not above after, and
// repetitions.
func ascending(seqs []int64, after int64) []int64 {
	slices.Sort(seqs)

	return slices.DeleteFunc(slices.Compact(seqs), func(seq int64) bool { return seq <= after })
}

func (s sqlite) begin(ctx context.Context, from start) error {
	// A start that accepted nothing leaves nothing behind.
	_, err := s.db.ExecContext(ctx, `INSERT OR REPLACE INTO inbox_starts (first_seq, inbox) VALUES (?, ?)`, from.first, from.inbox)
	if err != nil {
		return fmt.Errorf("record the inbox's start: %w", err)
	}

	return nil
}

func (s sqlite) events(ctx context.Context, seqs []int64) (map[int64][]byte, error) {
	found := make(map[int64][]byte, len(seqs))

	err := eachOf(ctx, s.db, `SELECT seq, event FROM inbox_events WHERE seq IN (SELECT value FROM json_each(?))`,
		func(scan scanner) error {
			var (
				seq   int64
				event []byte
			)

			if err := scan(&seq, &event); err != nil {
				return err
			}

			found[seq] = event

			return nil
		}, listOf(seqs))
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}

	return found, nil
}

// markQuery gives a row a state. What somebody settled meanwhile stays as it is.
const markQuery = `
	INSERT INTO inbox_states (seq, source, conversation, state, session, reason, since) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (seq) DO UPDATE SET
		state = excluded.state, session = excluded.session, reason = excluded.reason, since = excluded.since
	WHERE state IN ('pending', 'parked')`

// sqliteWriter holds its connection, and its statements prepared.
type sqliteWriter struct {
	conn *sql.Conn

	begins, commits, rollbacks, lists, selectIDs, inserts, accounts, marks, unmarks, settles, places, placeds *sql.Stmt
}

var _ writer = (*sqliteWriter)(nil)

//nolint:ireturn // a store of another kind has another writer
func (s sqlite) writer(ctx context.Context) (writer, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("take a connection: %w", err)
	}

	w := &sqliteWriter{conn: conn}

	for _, each := range [...]struct {
		into  **sql.Stmt
		query string
	}{
		{&w.begins, `BEGIN IMMEDIATE`},
		{&w.commits, `COMMIT`},
		{&w.rollbacks, `ROLLBACK`},
		{&w.lists, `SELECT seqs FROM inbox_places WHERE source = ? AND conversation = ?`},
		{&w.selectIDs, `SELECT event_id, received_at FROM inbox_events WHERE seq IN (SELECT value FROM json_each(?))`},
		{&w.inserts, `INSERT INTO inbox_events (seq, source, conversation, event_id, received_at, event, raw) VALUES (?, ?, ?, ?, ?, ?, ?)`},
		{&w.accounts, `
			INSERT INTO account_events (source, event_id, received_at, logged_at, event)
			SELECT ?, ?, ?, ?, ?
			WHERE NOT EXISTS (
				SELECT 1 FROM account_events WHERE source = ? AND event_id = ? AND received_at BETWEEN ? AND ?)`},
		{&w.marks, markQuery},
		{&w.unmarks, `DELETE FROM inbox_states WHERE seq = ? AND state IN ('pending', 'parked')`},
		{&w.settles, `UPDATE inbox_ends SET settled = ?1 WHERE settled < ?1`},
		{&w.places, `INSERT OR REPLACE INTO inbox_places (source, conversation, last, seqs) VALUES (?, ?, ?, ?)`},
		{&w.placeds, `UPDATE inbox_ends SET indexed = ?1 WHERE indexed < ?1`},
	} {
		//nolint:sqlclosecheck // close does
		if *each.into, err = conn.PrepareContext(ctx, each.query); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %s: %w", each.query, err), conn.Close())
		}
	}

	return w, nil
}

func (w *sqliteWriter) close() error {
	var errs []error

	for _, each := range [...]*sql.Stmt{
		w.begins, w.commits, w.rollbacks, w.lists, w.selectIDs, w.inserts, w.accounts, w.marks, w.unmarks, w.settles,
		w.places, w.placeds,
	} {
		errs = append(errs, each.Close())
	}

	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *sqliteWriter) begin(ctx context.Context) error {
	_, err := w.begins.ExecContext(ctx)

	return wrap("begin", err)
}

func (w *sqliteWriter) commit(ctx context.Context) error {
	_, err := w.commits.ExecContext(ctx)

	return wrap("commit", err)
}

func (w *sqliteWriter) rollback(ctx context.Context) {
	// Some errors have rolled back already, which makes this one fail.
	_, _ = w.rollbacks.ExecContext(ctx)
}

func (w *sqliteWriter) ids(ctx context.Context, key signals.Key, beyond []int64, use func(id string, received int64)) error {
	lists := make([]string, 0, 1)

	if len(beyond) > 0 {
		lists = append(lists, listOf(beyond))
	}

	err := eachRow(func() (*sql.Rows, error) { return w.lists.QueryContext(ctx, key.Source, key.Conversation) },
		func(scan scanner) error {
			var list string
			if err := scan(&list); err != nil {
				return err
			}

			lists = append(lists, list)

			return nil
		})
	if err != nil {
		return wrap("read where ids are", err)
	}

	for _, list := range lists {
		err := eachRow(func() (*sql.Rows, error) { return w.selectIDs.QueryContext(ctx, list) }, func(scan scanner) error {
			var (
				id       string
				received int64
			)

			if err := scan(&id, &received); err != nil {
				return err
			}

			use(id, received)

			return nil
		})
		if err != nil {
			return wrap("read ids", err)
		}
	}

	return nil
}

// listOf writes seqs as JSON.
func listOf(seqs []int64) string {
	if len(seqs) == 0 {
		return "[]"
	}

	list := make([]byte, 0, 12*len(seqs)) //nolint:mnd // about as many digits

	for i, seq := range seqs {
		list = append(list, "[,"[min(i, 1)])
		list = strconv.AppendInt(list, seq, 10)
	}

	return string(append(list, ']'))
}

func (w *sqliteWriter) place(ctx context.Context, key signals.Key, seqs []int64) error {
	_, err := w.places.ExecContext(ctx, key.Source, key.Conversation, seqs[len(seqs)-1], listOf(seqs))

	return wrap("write where events are", err)
}

func (w *sqliteWriter) placed(ctx context.Context, upTo int64) error {
	_, err := w.placeds.ExecContext(ctx, upTo)

	return wrap("write up to where events have a place", err)
}

func (w *sqliteWriter) insert(ctx context.Context, row *row) error {
	_, err := w.inserts.ExecContext(ctx,
		row.seq, row.key.Source, row.key.Conversation, row.id, row.received, row.event, nullable(row.raw))

	return wrap("insert event", err)
}

func (w *sqliteWriter) logAccount(ctx context.Context, row *row, now, from, to int64) (bool, error) {
	result, err := w.accounts.ExecContext(ctx, row.key.Source, row.id, row.received, now, row.event, row.key.Source, row.id, from, to)
	if err != nil {
		return false, wrap("insert account event", err)
	}

	n, err := result.RowsAffected()

	return n > 0, wrap("insert account event", err)
}

func (w *sqliteWriter) mark(ctx context.Context, change *mark) error {
	if change.state == stateForwarded {
		_, err := w.unmarks.ExecContext(ctx, change.seq)

		return wrap("take a state away", err)
	}

	_, err := w.marks.ExecContext(ctx, change.seq, change.key.Source, change.key.Conversation,
		change.state, change.session, change.reason, change.since)

	return wrap("write a state", err)
}

func (w *sqliteWriter) settle(ctx context.Context, upTo int64) error {
	_, err := w.settles.ExecContext(ctx, upTo)

	return wrap("write how far all is settled", err)
}

func (w *sqliteWriter) change(ctx context.Context, change func(tx *sql.Tx) error) error {
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return wrap("begin", err)
	}

	if err := change(tx); err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, undo)
		}

		return err
	}

	return wrap("commit", tx.Commit())
}

func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}

	return nil
}
