package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/parleyhq/parley/signals"
)

const (
	// maxErrorText is in bytes.
	maxErrorText = 300
	// maxSources bounds the memory; sources come from the configuration.
	maxSources = 1000
)

// Tally is what one request of a source adds to its counts.
type Tally struct {
	// Accepted and Duplicates count events, Refused requests.
	Accepted, Duplicates, Refused int64
	// Error says why a request was refused, without any secret; it is cut to
	// 300 bytes.
	Error string
}

// SourceCounts is what was counted of one source.
type SourceCounts struct {
	Source     string
	Accepted   int64
	Duplicates int64
	Refused    int64
	// LastEventAt is when an event was last accepted, zero for never.
	LastEventAt time.Time
	// LastError is why a request was last refused.
	LastError   string
	LastErrorAt time.Time
}

type tallied struct {
	SourceCounts

	dirty bool
}

// Count adds to what is counted of a source. It is in memory, and on disk
// within some seconds.
func (in *Inbox) Count(source string, add Tally) {
	in.mu.Lock()
	defer in.mu.Unlock()

	counts, ok := in.sources[source]
	if !ok {
		if len(in.sources) >= maxSources {
			return
		}

		counts = &tallied{SourceCounts: SourceCounts{Source: source}}
		in.sources[source] = counts
	}

	now := in.config.Now()
	counts.Accepted += add.Accepted
	counts.Duplicates += add.Duplicates
	counts.Refused += add.Refused
	counts.dirty = true

	if add.Accepted > 0 {
		counts.LastEventAt = now
	}

	if add.Error != "" {
		counts.LastError = oneLine(add.Error)
		counts.LastErrorAt = now
	}
}

// Sources returns what was counted of every source that sent anything, ordered
// by name.
func (in *Inbox) Sources() []SourceCounts {
	in.mu.Lock()
	defer in.mu.Unlock()

	all := make([]SourceCounts, 0, len(in.sources))
	for _, counts := range in.sources {
		all = append(all, counts.SourceCounts)
	}

	slices.SortFunc(all, func(a, b SourceCounts) int { return strings.Compare(a.Source, b.Source) })

	return all
}

// Flush writes the counts per source to disk. Call it before the database is
// closed; [Inbox.Run] does.
func (in *Inbox) Flush(ctx context.Context) error {
	if !in.isDirty() {
		return nil
	}

	var dirty []SourceCounts

	err := in.change(ctx, func(tx *sql.Tx) error {
		// Taken here, so that of two flushes the later one is written last.
		dirty = in.takeDirty()

		for i := range dirty {
			counts := &dirty[i]

			_, err := tx.ExecContext(ctx, `
				INSERT OR REPLACE INTO source_counts
					(source, accepted, duplicates, refused, last_event_at, last_error, last_error_at)
				VALUES (?, ?, ?, ?, ?, ?, ?)`,
				counts.Source, counts.Accepted, counts.Duplicates, counts.Refused,
				micros(counts.LastEventAt), counts.LastError, micros(counts.LastErrorAt))
			if err != nil {
				return fmt.Errorf("write counts of %s: %w", counts.Source, err)
			}
		}

		return nil
	}, nil)
	if err != nil {
		in.markDirty(dirty)

		return fmt.Errorf("flush counts: %w", err)
	}

	return nil
}

func (in *Inbox) isDirty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()

	for _, counts := range in.sources {
		if counts.dirty {
			return true
		}
	}

	return false
}

func (in *Inbox) takeDirty() []SourceCounts {
	in.mu.Lock()
	defer in.mu.Unlock()

	var dirty []SourceCounts

	for _, counts := range in.sources {
		if counts.dirty {
			dirty = append(dirty, counts.SourceCounts)
			counts.dirty = false
		}
	}

	return dirty
}

func (in *Inbox) markDirty(all []SourceCounts) {
	in.mu.Lock()
	defer in.mu.Unlock()

	for i := range all {
		in.sources[all[i].Source].dirty = true
	}
}

func (in *Inbox) loadTallies(ctx context.Context) error {
	err := in.each(ctx, `
		SELECT source, accepted, duplicates, refused, last_event_at, last_error, last_error_at FROM source_counts`,
		func(scan scanner) error {
			var (
				counts  tallied
				event   int64
				refused int64
			)

			err := scan(&counts.Source, &counts.Accepted, &counts.Duplicates, &counts.Refused, &event, &counts.LastError, &refused)
			if err != nil {
				return err
			}

			counts.LastEventAt, counts.LastErrorAt = fromMicros(event), fromMicros(refused)
			in.sources[counts.Source] = &counts

			return nil
		})
	if err != nil {
		return fmt.Errorf("read counts: %w", err)
	}

	return nil
}

func micros(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}

	return at.UnixMicro()
}

func fromMicros(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}

	return time.UnixMicro(at).UTC()
}

// oneLine keeps an error's text from pretending to be several lines of a log.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}

		return r
	}, strings.ToValidUTF8(signals.Cut(text, 2*maxErrorText), "?"))

	return signals.Cut(text, maxErrorText)
}
