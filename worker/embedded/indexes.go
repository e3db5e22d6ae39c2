package embedded

import (
	"context"
	"fmt"
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
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
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
