package spelling_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals/spelling"
)

func TestNearest(t *testing.T) {
	t.Parallel()

	known := []string{"first", "repeat", "max", "starts_on", "typing_pause", "typing_pause_max"}

	for text, want := range map[string]string{
		"frist": "first", "First": "first", "repaet": "repeat", "mx": "max", "start_on": "starts_on", "typing-pause": "typing_pause",
		"typing_pause_mx": "typing_pause_max", "colour": "", "completely_different": "",
		"typing": "typing_pause", "starts": "starts_on", "ma": "max", "zzz": "", "": "", strings.Repeat("x", 1<<20): "",
	} {
		require.Equal(t, want, spelling.Nearest(text, known), text)
	}

	require.Empty(t, spelling.Nearest("x", nil))
	require.Empty(t, spelling.Nearest("to", []string{"by"}), "no letter is right")
	require.Empty(t, spelling.Suggest("x", nil))
	require.Equal(t, "; did you mean max?", spelling.Suggest("mx", known))
	require.Equal(t, "; known are by, reason", spelling.Suggest("colour", []string{"by", "reason"}))
}

func TestPropertyEditDistance(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c]{0,6}`)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")

		require.Equal(t, spelling.Distance(a, b), spelling.Distance(b, a))
		require.Equal(t, a == b, spelling.Distance(a, b) == 0)
		require.LessOrEqual(t, spelling.Distance(a, b), max(len(a), len(b)))
		require.GreaterOrEqual(t, spelling.Distance(a, b), max(len(a), len(b))-min(len(a), len(b)))
	})
}
