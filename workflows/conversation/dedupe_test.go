package conversation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// TestManyInboxes: an inbox has another id after every start, and a run that
// outlives many of them keeps the newest.
func TestManyInboxes(t *testing.T) {
	t.Parallel()

	const starts, kept = 40, 32

	m := machine()
	inbox := func(i int) string { return fmt.Sprintf("%08x%04x", 0x67000000+i, 7*i%starts) }
	numbered := func(i int, seq int64) signals.Event {
		e := event(signals.ButtonPressed, "ann", time.Duration(i)*time.Hour)
		e.ID, e.Inbox, e.Seq = "", inbox(i), seq

		return e
	}

	for i := range starts {
		tell(m, numbered(i, int64(i+1)))
	}

	require.Equal(t, int64(starts), m.Applied)
	require.Len(t, m.Seqs, kept)

	for i := range starts {
		again := numbered(i, int64(i+1))
		require.Equal(t, i >= starts-kept, m.Known(&again), "start %d", i)
	}

	// What comes from an inbox older than all of them pushes none of them out.
	tell(m, numbered(0, 1))
	require.Len(t, m.Seqs, kept)
	require.NotContains(t, m.Seqs, inbox(0))
	require.Contains(t, m.Seqs, inbox(starts-kept))
}
