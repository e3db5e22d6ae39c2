package dialect_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

func TestCheckDepth(t *testing.T) {
	t.Parallel()

	deep := func(levels int) string { return strings.Repeat(`{"a":[`, levels/2) + strings.Repeat(`]}`, levels/2) }

	for name, body := range map[string]string{
		"flat": `1`, "empty": ``, "at the bound": deep(dialect.MaxDepth), "wide": strings.Repeat(`[]`, 1000),
		"in a string": `"` + strings.Repeat("[", 1000) + `"`, "in a string with quotes": `"\"` + strings.Repeat("[", 1000) + `\\"`,
		"ends in an escape": `"\`,
	} {
		require.NoError(t, dialect.CheckDepth([]byte(body)), name)
	}

	for name, body := range map[string]string{
		"beyond the bound": deep(dialect.MaxDepth + 2), "after a string": `["\\",` + deep(dialect.MaxDepth) + `]`,
		"unclosed": strings.Repeat("[", dialect.MaxDepth+1),
	} {
		require.ErrorIs(t, dialect.CheckDepth([]byte(body)), dialect.ErrMalformed, name)
	}
}
