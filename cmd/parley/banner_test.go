package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBannerNamesHowManyDesks(t *testing.T) {
	t.Parallel()

	for desks, want := range map[int]string{1: "\n  desks     1\n", 3: "\n  desks     3\n"} {
		var out strings.Builder

		require.NoError(t, (&banner{Desks: desks}).print(&out))
		require.Contains(t, out.String(), want)
	}

	var out strings.Builder

	require.NoError(t, new(banner).print(&out))
	require.NotContains(t, out.String(), "desks")
}
