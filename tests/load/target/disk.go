package target

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// BytesOnDisk is how much a data directory holds: of a SQLite database the
// pages in use, those in its write-ahead log included, since the log itself is
// reused and says nothing; of other files their size. An empty directory name
// holds nothing.
func BytesOnDisk(ctx context.Context, dir string) (int64, error) {
	if dir == "" {
		return 0, nil
	}

	var total int64

	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") {
			return ignoreMissing(err)
		}

		size, err := sizeOf(ctx, path, entry)
		total += size

		return ignoreMissing(err)
	})
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", dir, err)
	}

	return total, nil
}

// ignoreMissing lets a file go that a running process has just removed.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return err
}

func sizeOf(ctx context.Context, path string, entry fs.DirEntry) (int64, error) {
	if strings.HasSuffix(path, ".db") {
		return pagesOf(ctx, path)
	}

	info, err := entry.Info()
	if err != nil {
		return 0, err
	}

	return info.Size(), nil
}

func pagesOf(ctx context.Context, path string) (int64, error) {
	name := url.URL{Path: filepath.ToSlash(path)}

	db, err := sql.Open("sqlite", "file:"+name.EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	defer db.Close() //nolint:errcheck // it was only read

	var pages, free, size int64

	for pragma, value := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(value); err != nil {
			return 0, fmt.Errorf("read %s of %s: %w", pragma, path, err)
		}
	}

	return (pages - free) * size, nil
}
