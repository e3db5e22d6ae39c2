package inbox_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/webhooks/inbox"
)

func TestTheFirstSecretStays(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "parley.db")

	db, err := inbox.Open(t.Context(), path)
	require.NoError(t, err)

	in, err := inbox.New(t.Context(), db, inbox.Config{}, nil)
	require.NoError(t, err)

	none, err := in.PinnedSecret(t.Context(), "shop")
	require.NoError(t, err)
	require.Empty(t, none)

	require.NoError(t, in.PinSecret(t.Context(), "shop", "first"))
	require.NoError(t, in.PinSecret(t.Context(), "shop", "first"), "the same again")
	require.ErrorIs(t, in.PinSecret(t.Context(), "shop", "second"), inbox.ErrPinned)
	require.NoError(t, in.PinSecret(t.Context(), "other", "second"), "each source has its own")
	require.NoError(t, db.Close())

	db, err = inbox.Open(t.Context(), path)
	require.NoError(t, err)

	defer func() { require.NoError(t, db.Close()) }()

	in, err = inbox.New(t.Context(), db, inbox.Config{}, nil)
	require.NoError(t, err)

	kept, err := in.PinnedSecret(t.Context(), "shop")
	require.NoError(t, err)
	require.Equal(t, "first", kept)
}
