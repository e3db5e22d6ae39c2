package dialects_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
)

func TestTable(t *testing.T) {
	t.Parallel()

	table := dialects.Table()
	require.Len(t, table, 6)

	for name, d := range table {
		require.Equal(t, name, d.Name())
		require.True(t, signals.ValidName(name), "a source is named after its dialect")

		// Without a secret everybody is let in; what fails for a moment is to be
		// sent again; broken JSON is not.
		require.NoError(t, d.Verify(dialects.Request{}, dialects.Source{}))
		require.Equal(t, http.StatusServiceUnavailable, d.Refuse(dialects.Request{}, errors.New("away")).Status)
		require.Contains(t, []int{http.StatusOK, http.StatusNoContent},
			d.Answer(dialects.Request{}, dialects.Source{}, dialects.Outcome{}).Status)

		_, err := d.Decode(dialects.Request{Body: []byte("{")}, dialects.Source{Name: "s"})
		require.ErrorIs(t, err, dialects.ErrMalformed)
	}
}
