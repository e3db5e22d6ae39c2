package conversation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/workflows/conversation"
)

// maxAttribute is what Temporal takes as the value of one search attribute, in
// bytes as JSON; a run that sets a longer one is terminated.
const maxAttribute = 2048

// TestTagsFitTheirAttribute however they are written.
func TestTagsFitTheirAttribute(t *testing.T) {
	t.Parallel()

	many := make([]string, 0, 80)
	for i := range 80 {
		many = append(many, fmt.Sprintf("Sales & Support %d", i))
	}

	for _, tags := range [][]string{many, {strings.Repeat("<", 255)}, {strings.Repeat("<", 40), strings.Repeat(">", 300), "x"}} {
		encoded, err := json.Marshal(conversation.BoundTags(tags))
		require.NoError(t, err)
		require.LessOrEqual(t, len(encoded), maxAttribute)
	}

	rapid.Check(t, func(r *rapid.T) {
		encoded, err := json.Marshal(conversation.BoundTags(rapid.SliceOf(rapid.String()).Draw(r, "tags")))
		require.NoError(r, err)
		require.LessOrEqual(r, len(encoded), maxAttribute)
	})
}

// TestFit cuts by the encoded size, and no more than it must.
func TestFit(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(r *rapid.T) {
		text, limit := rapid.String().Draw(r, "text"), rapid.IntRange(0, 60).Draw(r, "limit")

		encoded, err := json.Marshal(conversation.Fit(text, limit))
		require.NoError(r, err)
		require.LessOrEqual(r, len(encoded), limit+2)
	})

	require.Equal(t, "<<", conversation.Fit("<<<", 12))
	require.Equal(t, "abc", conversation.Fit("abc", 3))
}
