package inbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// TestPlaces: a conversation's rows are found, and its ids known, whether they
// are in lists on disk, in memory, or in both after a kill.
func TestPlaces(t *testing.T) {
	t.Parallel()

	const rounds, conversations = 12, 300 // more than one transaction lists

	b := setup(t, inbox.Config{})

	for round := range rounds {
		events := make([]signals.Event, 0, conversations)
		for i := range conversations {
			events = append(events, in(fmt.Sprintf("C%d", i), message(fmt.Sprintf("m%02d", round))))
		}

		b.accept(events...)

		switch round % 4 {
		case 0:
			b.PlaceAll()
		case 1:
			b.crash()
			b.open()
		case 2:
			b.stop()
			b.open()
			b.PlaceAll()
		}
	}

	for i := range conversations {
		var (
			got    []string
			cursor string
		)

		for {
			page, next, err := b.Archive(t.Context(), keyOf(i), inbox.ArchiveQuery{Limit: 5, Cursor: cursor})
			require.NoError(t, err)

			for _, archived := range page {
				got = append(got, archived.Event.ID)
			}

			if cursor = next; next == "" {
				break
			}
		}

		require.Len(t, got, rounds)
		require.IsIncreasing(t, got)
	}

	b.crash()
	b.open()

	got, err := b.Accept(t.Context(), "livechat", []signals.Event{message("m00"), message("m05"), message("m11"), message("new")})
	require.NoError(t, err)
	require.Equal(t, inbox.Receipt{Accepted: 1, Duplicates: 3}, got)
}

// TestPlacesAreWrittenUnderLoad without waiting for a pause.
func TestPlacesAreWrittenUnderLoad(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	for batch := range 2 * inbox.MaxUnplaced / 1000 {
		events := make([]signals.Event, 0, 1000)
		for i := range 1000 {
			events = append(events, in(fmt.Sprintf("C%d", i%100), message(fmt.Sprintf("m%d-%d", batch, i))))
		}

		b.accept(events...)
	}

	require.Eventually(t, func() bool {
		var indexed int
		err := b.db.QueryRowContext(t.Context(), `SELECT indexed FROM inbox_ends`).Scan(&indexed)

		return err == nil && indexed >= inbox.MaxUnplaced
	}, 4*time.Second, time.Millisecond)
	require.Len(t, b.archive(keyOf(7)), 2*inbox.MaxUnplaced/100)
}
