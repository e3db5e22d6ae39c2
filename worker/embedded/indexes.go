package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/searchattribute/sadefs"
)

// The server's visibility table comes with 58 indexes, one for each column that somebody might ask for, and each entry
// of the list of runs writes them all, since all of them hold the time of closing. Most are of columns that are never
// filled here. What is left answers the questions that Parley and Temporal's UI ask; any other is still answered, by
// reading through the namespace's runs.
const (
	indexesQuery = `SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL`
	// indexForm is the form in which the server's schema has the index of a column (schema/sqlite/v3/visibility, v1.32.1).
	indexForm = `CREATE INDEX %s ON executions_visibility ` +
		`(namespace_id, %s, (COALESCE(close_time, '9999-12-31 23:59:59+00:00')) DESC, start_time DESC, run_id)`
)

// keptIndexes are those that do not depend on which attributes a namespace has.
func keptIndexes() []string {
	return []string{"default_idx", "by_workflow_id", "by_workflow_type", "by_status", "by_temporal_namespace_division"}
}

// statistics tell SQLite how many rows a value of an indexed column has, as its ANALYZE would: of all rows, in the
// namespace, with the value, and so on. Without them it takes the first index that fits, such as that of the status of
// running, which is that of nearly all rows. They are written down rather than measured, so that a plan does not depend on
// when somebody last looked: an id or an attribute is rare, a type or a status is not.
const (
	statisticsQuery = `SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'`
	analyze         = `ANALYZE executions_visibility`
	forget          = `DELETE FROM sqlite_stat1 WHERE tbl = 'executions_visibility'`
	note            = `INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('executions_visibility', ?, ?)`

	ofRuns, ofAttributes, ofOthers, ofDefault = "100000 100000 2 1 1 1", "100000 100000 1000 100 1 1", "100000 100000 50000 100 1 1",
		"100000 100000 100 1 1"
)

func statisticsOf(index string) string {
	switch index {
	case "default_idx":
		return ofDefault
	case "by_workflow_id":
		return ofRuns
	case "by_workflow_type", "by_status", "by_temporal_namespace_division":
		return ofOthers
	default:
		return ofAttributes
	}
}

// tendIndexes drops the indexes of visibility that nothing asks for, and makes those of attributes that somebody added.
// It runs while the server does not.
func tendIndexes(ctx context.Context, dir string, file *config.SQL, aliases map[string]string) (err error) {
	visibility, err := openStore(ctx, dir, visibilityFile, file)
	if err != nil {
		return err
	}
	defer visibility.close()

	have, err := visibility.indexes(ctx)
	if err != nil {
		return err
	}
	wanted := columnIndexes(aliases)
	kept := keptIndexes()

	tx, err := visibility.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("tend the indexes of %s: %w", visibility.path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("tend the indexes of %s: %w", visibility.path, err)
			_ = tx.Rollback() // after a failed commit there is nothing left to roll back
		}
	}()

	for _, name := range have {
		if _, ok := wanted[name]; ok || slices.Contains(kept, name) {
			continue
		}
		if _, err := tx.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return fmt.Errorf("drop %s: %w", name, err)
		}
	}
	for name, column := range wanted {
		if slices.Contains(have, name) {
			continue
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(indexForm, name, column)); err != nil {
			return fmt.Errorf("create %s: %w", name, err)
		}
	}
	if err := noteStatistics(ctx, tx, append(slices.Sorted(maps.Keys(wanted)), kept...)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// noteStatistics lets SQLite make its table of them if there is none, and fills it in.
func noteStatistics(ctx context.Context, tx *sql.Tx, indexes []string) error {
	var count int
	if err := tx.QueryRowContext(ctx, statisticsQuery).Scan(&count); err != nil {
		return fmt.Errorf("look for statistics: %w", err)
	}
	if count == 0 {
		if _, err := tx.ExecContext(ctx, analyze); err != nil {
			return fmt.Errorf("make statistics: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, forget); err != nil {
		return fmt.Errorf("forget statistics: %w", err)
	}
	for _, name := range indexes {
		if _, err := tx.ExecContext(ctx, note, name, statisticsOf(name)); err != nil {
			return fmt.Errorf("note statistics of %s: %w", name, err)
		}
	}
	return nil
}

func (f *storeFile) indexes(ctx context.Context) ([]string, error) {
	rows, err := f.db.QueryContext(ctx, indexesQuery)
	if err != nil {
		return nil, damaged(f.path, err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, damaged(f.path, err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return nil, damaged(f.path, err)
	}
	return names, nil
}

var columnForm = regexp.MustCompile(`^([A-Za-z]+)(\d\d)$`)

// columnIndexes are the indexes, by name, of the columns that aliases give a meaning: by_keyword_01 of Keyword01. Texts
// and lists have none, they are found by full-text search.
func columnIndexes(aliases map[string]string) map[string]string {
	kinds := sadefs.GetDBIndexSearchAttributes(nil).GetCustomSearchAttributes()
	names := make(map[string]string, len(aliases))
	for column := range aliases {
		parts := columnForm.FindStringSubmatch(column)
		switch kinds[column] {
		case enumspb.INDEXED_VALUE_TYPE_TEXT, enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST, enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED:
			continue
		default:
		}
		if parts != nil {
			names["by_"+strings.ToLower(parts[1])+"_"+parts[2]] = column
		}
	}
	return names
}
