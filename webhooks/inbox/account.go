package inbox

import (
	"context"
	"fmt"
	"strconv"

	"github.com/parleyhq/parley/signals"
)

// AccountEvents returns a page of a source's account log, newest first, and
// the cursor of the next page, "" at the end. A limit of 0 means 50; the most
// is 500. [ErrBadCursor] if the cursor is none of these.
func (in *Inbox) AccountEvents(ctx context.Context, source string, limit int, cursor string) ([]signals.Event, string, error) {
	before, err := parseCursor(cursor, 1<<62)
	if err != nil {
		return nil, "", err
	}

	limit = bounded(limit)

	var (
		events []signals.Event
		next   string
		last   int64
	)

	err = in.each(ctx, `
		SELECT seq, event FROM account_events WHERE source = ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
		func(scan scanner) error {
			var (
				seq int64
				raw []byte
			)

			if err := scan(&seq, &raw); err != nil {
				return err
			}

			if len(events) == limit {
				next = strconv.FormatInt(last, 10)

				return nil
			}

			event, err := decode(raw)
			if err != nil {
				return err
			}

			events, last = append(events, event), seq

			return nil
		}, source, before, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("read account events: %w", err)
	}

	return events, next, nil
}
