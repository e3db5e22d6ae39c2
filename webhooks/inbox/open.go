package inbox

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	// maxConns is small: SQLite has one writer, and readers are quick.
	maxConns = 4
	// fileMode: the file holds what visitors wrote. SQLite gives its journal
	// the mode of the database.
	fileMode = 0o600
	// versionTable keeps this package's migrations apart from those of others
	// in the same file.
	versionTable = "goose_inbox"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens, or creates, the database at path as Parley's stores share it:
// write-ahead log, every commit on disk before it is answered, and transactions
// that take the write lock when they begin, so that busy_timeout holds for all
// of them.
func Open(ctx context.Context, path string) (*sql.DB, error) {
	// Made here for its mode.
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}

	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}

	name := url.URL{Path: filepath.ToSlash(path)}
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"},
	}

	db, err := sql.Open("sqlite", "file:"+name.EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}

	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)

	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}

	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read inbox migrations: %w", err)
	}

	// Its Close would close the shared database.
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithVerbose(false))
	if err != nil {
		return fmt.Errorf("prepare inbox migrations: %w", err)
	}

	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate inbox: %w", err)
	}

	return nil
}
