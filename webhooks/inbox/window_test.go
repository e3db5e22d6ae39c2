package inbox //nolint:testpackage // what it tests is nobody's but the inbox's

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestWindow compares with a set.
func TestWindow(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Int64Range(0, 200).Draw(t, "start")
		w := newWindow(start)
		open := map[int64]bool{}
		settled := func() int64 {
			lowest := w.head + 1
			for seq := range open {
				lowest = min(lowest, seq)
			}

			return lowest - 1
		}

		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "hand out") {
				head := w.head + rapid.Int64Range(0, 150).Draw(t, "by")
				for seq := w.head + 1; seq <= head; seq++ {
					open[seq] = true
				}

				w.hand(head)
			} else {
				// Often a low one, or the window would never move.
				seq := w.settled + rapid.Int64Range(-2, 3).Draw(t, "near")
				if rapid.Bool().Draw(t, "far") {
					seq = rapid.Int64Range(start, w.head+1).Draw(t, "seq")
				}

				delete(open, seq)
				w.done(seq)
			}

			require.Equal(t, settled(), w.settled)
			require.Len(t, open, w.open)
			require.Equal(t, w.head-w.settled-int64(len(open)), w.scattered())
			require.LessOrEqual(t, int64(len(w.words)), (w.head-w.settled)/wordBits+2, "words pile up")
		}
	})
}
