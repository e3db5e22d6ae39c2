package baseline

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/webhooks/inbox"
)

const (
	// bareFile is the bare log's database.
	bareFile = "bare.db"
	// maxGroup bounds one commit.
	maxGroup = 1000
)

// row is one body that waits for its commit.
type row struct {
	body []byte
	done chan error
}

// Bare writes each body into a table (seq, body) and answers once it is on
// disk. All that wait share one commit, and nothing else happens: no decoding,
// no duplicates, no Temporal. It is the most that any inbox on the same
// database could do.
func Bare(ctx context.Context) error {
	dir, err := dataDir()
	if err != nil {
		return err
	}

	db, err := inbox.Open(ctx, filepath.Join(dir, bareFile))
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer db.Close() //nolint:errcheck // every commit was on disk before

	if _, err := db.ExecContext(ctx, "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)"); err != nil {
		return fmt.Errorf("create the table: %w", err)
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	rows := make(chan row, maxGroup)

	go func() { cancel(write(ctx, db, rows)) }()

	app := newApp()
	log := &bareLog{db: db, rows: rows}
	app.Post("/webhooks/:source", log.webhook)
	app.Get("/count", log.count)

	return errors.Join(serve(ctx, app), context.Cause(ctx))
}

// bareLog answers requests.
type bareLog struct {
	db   *sql.DB
	rows chan<- row
}

func (l *bareLog) webhook(c *fiber.Ctx) error {
	one := row{body: bytes.Clone(c.Request().Body()), done: make(chan error, 1)}
	l.rows <- one

	if err := <-one.done; err != nil {
		return unavailable(c, err)
	}

	return accepted(c)
}

func (l *bareLog) count(c *fiber.Ctx) error {
	var count int64
	if err := l.db.QueryRowContext(c.UserContext(), "SELECT count(*) FROM events").Scan(&count); err != nil {
		return fmt.Errorf("count: %w", err)
	}

	return c.JSON(count)
}

// write commits whatever waits, as long as something does.
func write(ctx context.Context, db *sql.DB, rows <-chan row) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close() //nolint:errcheck // the database is closed next

	insert, err := conn.PrepareContext(ctx, "INSERT INTO events (body) VALUES (?)")
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	defer insert.Close() //nolint:errcheck // as above

	group := make([]row, 0, maxGroup)

	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-rows:
			group = append(group[:0], first)
		}

		for more := true; more && len(group) < maxGroup; {
			select {
			case next := <-rows:
				group = append(group, next)
			default:
				more = false
			}
		}

		err := commit(ctx, conn, insert, group)
		for _, one := range group {
			one.done <- err
		}
	}
}

func commit(ctx context.Context, conn *sql.Conn, insert *sql.Stmt, group []row) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}

	into := tx.StmtContext(ctx, insert) //nolint:sqlclosecheck // the end of the transaction closes it

	for _, one := range group {
		if _, err := into.ExecContext(ctx, one.body); err != nil {
			return errors.Join(fmt.Errorf("insert: %w", err), tx.Rollback())
		}
	}

	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}

	return nil
}
