package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
)

// upkeepBatch is how many rows one transaction looks at, so that nobody waits
// long for the writer.
const upkeepBatch = 500

// Prune deletes what was received before the time given, of conversations and
// of accounts, and what an account log has too much, and returns how many rows
// went. What waits and what is dead stays.
func (in *Inbox) Prune(ctx context.Context, before time.Time) (int, error) {
	total := 0

	for p := (pruning{in: in, before: before.UnixMicro()}); !p.done; {
		if err := in.change(ctx, func(tx *sql.Tx) error { return p.run(ctx, tx) }, p.committed); err != nil {
			return total, fmt.Errorf("prune events: %w", err)
		}

		total += int(p.deleted)
	}

	for _, accounts := range [...]struct {
		query string
		args  []any
	}{
		{`DELETE FROM account_events WHERE seq IN (SELECT seq FROM account_events WHERE logged_at < ? LIMIT ?)`, []any{before.UnixMicro()}},
		{
			`DELETE FROM account_events WHERE seq IN (
			SELECT a.seq FROM (SELECT DISTINCT source FROM account_events) s JOIN account_events a ON a.source = s.source
			WHERE a.seq <= (SELECT seq FROM account_events WHERE source = s.source ORDER BY seq DESC LIMIT 1 OFFSET ?) LIMIT ?)`,
			[]any{in.config.MaxAccount},
		},
	} {
		n, err := in.deleteAll(ctx, accounts.query, accounts.args...)
		total += n

		if err != nil {
			return total, fmt.Errorf("prune account events: %w", err)
		}
	}

	return total, nil
}

// deleteAll repeats a statement, whose last argument is how many rows it may
// delete, until there are none.
func (in *Inbox) deleteAll(ctx context.Context, query string, args ...any) (int, error) {
	total := 0
	args = append(args, upkeepBatch)

	for {
		var n int64

		err := in.change(ctx, func(tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, query, args...)
			if err != nil {
				return fmt.Errorf("delete: %w", err)
			}

			n, err = changed(result)

			return err
		}, nil)
		if err != nil {
			return total, err
		}

		total += int(n)

		if n < upkeepBatch {
			return total, nil
		}
	}
}

// pruning goes through the events by seq, and so by age.
type pruning struct {
	in     *Inbox
	before int64
	// last is up to where it has come.
	last, end, deleted int64
	done               bool
}

func (p *pruning) run(ctx context.Context, tx *sql.Tx) error {
	var rows, old int64

	err := tx.QueryRowContext(ctx, `
		SELECT count(*), coalesce(max(seq), 0), coalesce(sum(received_at < ?), 0)
		FROM (SELECT seq, received_at FROM inbox_events WHERE seq > ? ORDER BY seq LIMIT ?)`,
		p.before, p.last, upkeepBatch).Scan(&rows, &p.end, &old)
	if err != nil {
		return fmt.Errorf("look for old events: %w", err)
	}

	p.deleted = 0

	// Where all are young, what follows is younger still.
	if p.done = old == 0; p.done {
		return nil
	}

	keys := make(map[signals.Key]struct{})

	err = eachOf(ctx, tx, `
		DELETE FROM inbox_events
		WHERE seq > ? AND seq <= ? AND seq <= (SELECT settled FROM inbox_ends) AND received_at < ?
		AND NOT EXISTS (
			SELECT 1 FROM inbox_states s WHERE s.seq = inbox_events.seq AND s.state IN ('pending', 'parked', 'dead'))
		RETURNING source, conversation`, func(scan scanner) error {
		var key signals.Key
		if err := scan(&key.Source, &key.Conversation); err != nil {
			return err
		}

		p.deleted++
		keys[key] = struct{}{}

		return nil
	}, p.last, p.end, p.before)
	if err != nil {
		return fmt.Errorf("delete old events: %w", err)
	}

	for key := range keys {
		if err := p.unlist(ctx, tx, key); err != nil {
			return err
		}
	}

	_, err = tx.ExecContext(ctx, `
		DELETE FROM inbox_states WHERE seq > ? AND seq <= ? AND state IN ('late', 'orphan')
		AND NOT EXISTS (SELECT 1 FROM inbox_events e WHERE e.seq = inbox_states.seq)`, p.last, p.end)
	if err != nil {
		return fmt.Errorf("delete states of old events: %w", err)
	}

	// Starts of which nothing is left.
	_, err = tx.ExecContext(ctx, `
		DELETE FROM inbox_starts WHERE first_seq < (
			SELECT max(first_seq) FROM inbox_starts WHERE first_seq <= (SELECT min(seq) FROM inbox_events))`)
	if err != nil {
		return fmt.Errorf("delete old starts: %w", err)
	}

	p.done = rows < upkeepBatch

	return nil
}

// unlist deletes the lists of a conversation's rows of which none is left.
func (p *pruning) unlist(ctx context.Context, tx *sql.Tx, key signals.Key) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM inbox_places WHERE source = ? AND conversation = ? AND last <= ? AND NOT EXISTS (
			SELECT 1 FROM json_each(inbox_places.seqs) j JOIN inbox_events e ON e.seq = j.value)`,
		key.Source, key.Conversation, p.end)
	if err != nil {
		return fmt.Errorf("delete lists of old events: %w", err)
	}

	return nil
}

func (p *pruning) committed() {
	p.last = p.end

	// Ids that are no longer kept may come again.
	if p.deleted > 0 {
		p.in.known.clear()
	}
}
