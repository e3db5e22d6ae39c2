package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
)

// upkeepBatch is how many rows one transaction changes, so that nobody waits
// long for the writer.
const upkeepBatch = 500

// Sweep turns what was parked more than ten minutes before now into orphans
// and returns how many there were. An orphan with a natural id that its
// conversation has already is dropped: it came twice.
func (in *Inbox) Sweep(ctx context.Context, now time.Time) (int, error) {
	total := 0

	for {
		swept, err := in.sweep(ctx, now.Add(-parkedFor))
		if err != nil {
			return total, fmt.Errorf("sweep parked events: %w", err)
		}

		total += len(swept)

		if len(swept) < upkeepBatch {
			return total, nil
		}
	}
}

type sweptRow struct {
	seq     int64
	key     signals.Key
	eventID string
}

func (in *Inbox) sweep(ctx context.Context, until time.Time) ([]sweptRow, error) {
	var (
		rows    []sweptRow
		orphans []sweptRow
	)

	err := in.write(ctx, func(tx *sql.Tx) error {
		rows, orphans = nil, nil

		err := eachOf(ctx, tx, `
			SELECT seq, source, conversation, event_id FROM kept_events
			WHERE state = ? AND kept_at <= ? ORDER BY seq LIMIT ?`, func(scan scanner) error {
			var row sweptRow
			if err := scan(&row.seq, &row.key.Source, &row.key.Conversation, &row.eventID); err != nil {
				return err
			}

			rows = append(rows, row)

			return nil
		}, stateParked, until.UnixMicro(), upkeepBatch)
		if err != nil {
			return err
		}

		for _, row := range rows {
			twice, err := dropTwice(ctx, tx, row)
			if err != nil {
				return err
			}

			if twice {
				continue
			}

			if _, err := tx.ExecContext(ctx, `UPDATE kept_events SET state = ? WHERE seq = ?`, stateOrphan, row.seq); err != nil {
				return fmt.Errorf("make an orphan: %w", err)
			}

			orphans = append(orphans, row)
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	for _, row := range rows {
		in.count(row.key, stateParked, -1)
	}

	for _, row := range orphans {
		in.count(row.key, stateOrphan, 1)
	}

	return rows, nil
}

func dropTwice(ctx context.Context, tx *sql.Tx, row sweptRow) (bool, error) {
	if signals.IsDerived(row.eventID) {
		return false, nil
	}

	result, err := tx.ExecContext(ctx, `
		DELETE FROM kept_events WHERE seq = ? AND EXISTS (
			SELECT 1 FROM kept_events WHERE source = ? AND conversation = ? AND state = ? AND event_id = ?)`,
		row.seq, row.key.Source, row.key.Conversation, stateOrphan, row.eventID)
	if err != nil {
		return false, fmt.Errorf("drop a repeated orphan: %w", err)
	}

	return changed(result)
}

// Prune deletes late, orphan and account events that were kept before the time
// given and returns how many. What is parked stays; [Inbox.Sweep] ends that.
func (in *Inbox) Prune(ctx context.Context, before time.Time) (int, error) {
	total := 0

	for {
		n, err := in.pruneKept(ctx, before)
		if err != nil {
			return total, fmt.Errorf("prune kept events: %w", err)
		}

		total += n

		if n < upkeepBatch {
			break
		}
	}

	for {
		n, err := in.pruneAccount(ctx, before)
		if err != nil {
			return total, fmt.Errorf("prune account events: %w", err)
		}

		total += n

		if n < upkeepBatch {
			return total, nil
		}
	}
}

func (in *Inbox) pruneKept(ctx context.Context, before time.Time) (int, error) {
	var keys []signals.Key

	err := in.write(ctx, func(tx *sql.Tx) error {
		keys = nil

		return eachOf(ctx, tx, `
			DELETE FROM kept_events WHERE seq IN (
				SELECT seq FROM kept_events WHERE state IN (?, ?) AND kept_at < ? LIMIT ?)
			RETURNING source, conversation`, func(scan scanner) error {
			var key signals.Key
			if err := scan(&key.Source, &key.Conversation); err != nil {
				return err
			}

			keys = append(keys, key)

			return nil
		}, stateLate, stateOrphan, before.UnixMicro(), upkeepBatch)
	})
	if err != nil {
		return 0, err
	}

	for _, key := range keys {
		in.count(key, stateLate, -1)
	}

	return len(keys), nil
}

func (in *Inbox) pruneAccount(ctx context.Context, before time.Time) (int, error) {
	var sources []string

	err := in.write(ctx, func(tx *sql.Tx) error {
		sources = nil

		return eachOf(ctx, tx, `
			DELETE FROM account_events WHERE seq IN (
				SELECT seq FROM account_events WHERE logged_at < ? LIMIT ?)
			RETURNING source`, func(scan scanner) error {
			var source string
			if err := scan(&source); err != nil {
				return err
			}

			sources = append(sources, source)

			return nil
		}, before.UnixMicro(), upkeepBatch)
	})
	if err != nil {
		return 0, err
	}

	for _, source := range sources {
		in.countAccount(source, -1)
	}

	return len(sources), nil
}
