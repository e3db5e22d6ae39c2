// Package tickets keeps what a conversation leaves behind: its closed sessions
// as the API shows them, and their tickets, in the embedded database; and it
// makes tickets in a ticket system over a webhook.
package tickets

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// ErrNotFound says that no such session or ticket is kept.
var ErrNotFound = errors.New("not found")

// versionTable records the migrations of this package apart from those of
// others in the same file.
const versionTable = "tickets_versions"

//go:embed migrations/*.sql
var migrations embed.FS

// Store keeps closed sessions and tickets. It is safe for concurrent use.
type Store struct {
	db  *sql.DB
	now func() time.Time
}

// Open brings the tables in db, a SQLite database, to the present form.
// The caller opens and closes db; a busy_timeout lets several stores share it.
func Open(ctx context.Context, db *sql.DB) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("find ticket migrations: %w", err)
	}

	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithTableName(versionTable),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read ticket migrations: %w", err)
	}

	if _, err := provider.Up(ctx); err != nil {
		return nil, fmt.Errorf("migrate ticket tables: %w", err)
	}

	return &Store{db: db, now: time.Now}, nil
}

// pruneBatch bounds one transaction of [Store.Prune], so that writers wait
// only briefly.
const pruneBatch = 500

// Prune forgets the sessions and tickets that closed before a time, and
// returns how many rows went.
func (s *Store) Prune(ctx context.Context, before time.Time) (int64, error) {
	var total int64

	for _, statement := range []string{
		`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE closed_at < ? LIMIT ?)`,
		`DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE closed_at < ? LIMIT ?)`,
	} {
		for {
			result, err := s.db.ExecContext(ctx, statement, nanos(before), pruneBatch)
			if err != nil {
				return total, fmt.Errorf("prune tickets: %w", err)
			}

			rows, err := result.RowsAffected()
			if err != nil {
				return total, fmt.Errorf("prune tickets: %w", err)
			}

			total += rows
			if rows < pruneBatch {
				break
			}
		}
	}

	return total, nil
}

// nanos is t as it is stored; a time that is not known is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}

	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}

	return time.Unix(0, n).UTC()
}
