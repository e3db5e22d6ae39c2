package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	_ "modernc.org/sqlite" // the driver that the server's plugin uses, under its name
)

// The data files. Visibility, which is what lists are read from, has a file of its own: in one file with the
// histories, and with all its indexes (see tendIndexes), it made clocks late.
const (
	mainFile       = "temporal.db"
	visibilityFile = "temporal-visibility.db"
)

// The tables by which a finished schema is known, one per file.
const (
	mainTable       = "namespaces"
	visibilityTable = "executions_visibility"
)

// checkpointTimeout bounds the wait for another connection when the write-ahead log is folded in at the end.
const checkpointTimeout = 2 * time.Second

// stores describes the two data files to the server.
type stores struct {
	main       *config.SQL
	visibility *config.SQL
}

// newStores names the files. The attributes that are no URI parameters become PRAGMAs (the plugin's buildDSNAttr).
// Visibility is always NORMAL: it can be a moment behind after a power cut, never wrong, and it is no record of truth.
func newStores(dir, synchronous string) stores {
	store := func(name, synchronous string) *config.SQL {
		return &config.SQL{
			PluginName:   sqliteplugin.PluginName,
			DatabaseName: escapePath(filepath.Join(dir, name)),
			ConnectAttributes: map[string]string{
				"mode":         "rwc",
				"journal_mode": "wal",
				"synchronous":  synchronous,
				"busy_timeout": "10000",
				"temp_store":   "memory",
			},
		}
	}
	return stores{main: store(mainFile, synchronous), visibility: store(visibilityFile, "normal")}
}

// escapePath makes a path safe inside SQLite's file: URI, where the plugin puts it as it is.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// prepare records or checks the server version, and creates the schemas where there are none. A crash at any point
// leaves what the next start completes: the record comes first, and a schema is written in one transaction.
func prepare(ctx context.Context, lock *DirLock, files stores) error {
	if err := recordVersion(lock); err != nil {
		return err
	}
	visibility, err := openStore(ctx, lock.dir, visibilityFile, files.visibility)
	if err != nil {
		return err
	}
	defer visibility.close()
	main, err := openStore(ctx, lock.dir, mainFile, files.main)
	if err != nil {
		return err
	}
	defer main.close()

	hasVisibility, err := visibility.has(ctx, visibilityTable)
	if err != nil {
		return err
	}
	hasMain, err := main.has(ctx, mainTable)
	if err != nil {
		return err
	}
	if hasMain && !hasVisibility {
		return missingFile(lock.dir, visibilityFile)
	}
	if !hasVisibility {
		if err := visibility.createSchema(ctx); err != nil {
			return err
		}
	}
	if hasMain {
		return nil
	}
	// Visibility is created first, so alone it is either new or what remains of files that belonged together.
	if used, err := visibility.used(ctx, visibilityTable); err != nil || used {
		return errors.Join(err, missingFile(lock.dir, mainFile))
	}
	return main.createSchema(ctx)
}

// recordVersion writes the server's version into a new directory's record.
func recordVersion(lock *DirLock) error {
	if err := checkVersion(lock); err != nil {
		return err
	}
	mark, err := lock.readMarker()
	if err != nil || mark.TemporalServer == Version {
		return err
	}
	mark.TemporalServer = Version
	return lock.writeMarker(mark)
}

// checkVersion refuses data files of any other version: the server has no migrations for existing SQLite files. A
// release that is known to read the files of an older one is to be let through here.
func checkVersion(lock *DirLock) error {
	mark, err := lock.readMarker()
	if err != nil {
		return err
	}
	path := filepath.Join(lock.dir, mainFile)
	switch mark.TemporalServer {
	case Version:
		return nil
	case "":
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return fmt.Errorf("data file %s %w (%s names none, this program embeds %s): restore %s, or set PARLEY_DATA_DIR to a new directory",
				path, ErrVersion, markerFile, Version, markerFile)
		}
		return nil
	default:
		return fmt.Errorf("data file %s %w (%s, this program embeds %s): run the Parley that made it, or set PARLEY_DATA_DIR to a new directory",
			path, ErrVersion, mark.TemporalServer, Version)
	}
}

func missingFile(dir, name string) error {
	return fmt.Errorf("data directory %s %w: %s is missing; restore both data files from one backup, or set PARLEY_DATA_DIR",
		dir, ErrIncomplete, name)
}

func damaged(path string, err error) error {
	return fmt.Errorf("data file %s %w: %w; restore it from a backup, or set PARLEY_DATA_DIR", path, ErrDamaged, err)
}

// storeFile is a connection of our own to a data file, for the moments in which the server has none in use.
type storeFile struct {
	db   *sql.DB
	path string
}

// openStore creates the file with mode 0600 if need be; SQLite gives its companions the same mode.
func openStore(ctx context.Context, dir, name string, cfg *config.SQL) (*storeFile, error) {
	path := filepath.Join(dir, name)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, notWritable(dir, err)
	}
	if err := file.Close(); err != nil {
		return nil, notWritable(dir, err)
	}
	db, err := sql.Open("sqlite", dataSource(cfg))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(damaged(path, err), db.Close())
	}
	return &storeFile{db: db, path: path}, nil
}

// dataSource is the name under which the plugin opens a store, so that both use the same settings.
func dataSource(cfg *config.SQL) string {
	query := url.Values{}
	for key, value := range cfg.ConnectAttributes {
		if key == "mode" {
			query.Set(key, value)
			continue
		}
		query.Add("_pragma", key+"="+value)
	}
	return "file:" + cfg.DatabaseName + "?" + query.Encode()
}

func (f *storeFile) close() {
	_ = f.db.Close() // everything was committed or rolled back before
}

func (f *storeFile) has(ctx context.Context, table string) (bool, error) {
	var count int
	err := f.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", table).Scan(&count)
	if err != nil {
		return false, damaged(f.path, err)
	}
	return count > 0, nil
}

func (f *storeFile) used(ctx context.Context, table string) (bool, error) {
	var used bool
	err := f.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&used)
	if err != nil {
		return false, damaged(f.path, err)
	}
	return used, nil
}

// createSchema writes all tables in one transaction: all of them are there afterwards, or none.
func (f *storeFile) createSchema(ctx context.Context) error {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("create %s: %w", f.path, err)
	}
	if err := sqliteschema.SetupSchemaOnDB(&schemaWriter{ctx: ctx, tx: tx}); err != nil {
		return errors.Join(fmt.Errorf("create %s: %w", f.path, err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("create %s: %w", f.path, err)
	}
	return nil
}

// schemaWriter is the one method of an AdminDB that the schema set-up calls; a call to any other panics.
type schemaWriter struct {
	sqlplugin.AdminDB

	ctx context.Context //nolint:containedctx // the interface has no room for one
	tx  *sql.Tx
}

// Exec runs one statement of the schema.
func (w *schemaWriter) Exec(stmt string, args ...any) error {
	if _, err := w.tx.ExecContext(w.ctx, stmt, args...); err != nil {
		return fmt.Errorf("run statement: %w", err)
	}
	return nil
}

// checkpoint folds the write-ahead logs into the files, so that each is whole by itself when nothing runs: the
// server's pool keeps its connections, and SQLite would do it only when the last one closes.
func checkpoint(ctx context.Context, dir string, files stores) error {
	ctx, cancel := context.WithTimeout(ctx, checkpointTimeout)
	defer cancel()
	var errs []error
	for name, cfg := range map[string]*config.SQL{mainFile: files.main, visibilityFile: files.visibility} {
		file, err := openStore(ctx, dir, name, cfg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := file.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			errs = append(errs, fmt.Errorf("checkpoint %s: %w", file.path, err))
		}
		file.close()
	}
	return errors.Join(errs...)
}
