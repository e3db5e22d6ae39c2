package main

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProfilesStayOnThisMachine(t *testing.T) {
	t.Parallel()

	for address, want := range map[string]string{
		"0.0.0.0:0":      "reached from elsewhere",
		"localhost:0":    "reached from elsewhere",
		"192.168.1.1:0":  "reached from elsewhere",
		"127.0.0.1":      "missing port",
		"127.0.0.1:none": "PARLEY_PPROF_ADDR",
	} {
		part := &system{settings: &settings{Process: processSettings{ProfileAddr: address}}, log: slog.New(slog.DiscardHandler)}
		require.ErrorContains(t, part.startProfiles(t.Context()), want, address)
		require.Empty(t, part.stops)
	}
}

func TestProfilesAreServedAndEnd(t *testing.T) {
	t.Parallel()

	none := &system{settings: &settings{}, log: slog.New(slog.DiscardHandler)}
	require.NoError(t, none.startProfiles(t.Context()))
	require.Empty(t, none.stops)

	const address = "127.0.0.1:0"

	part := &system{settings: &settings{Process: processSettings{ProfileAddr: address}}, log: slog.New(slog.DiscardHandler)}
	require.NoError(t, part.startProfiles(t.Context()))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+part.profiles+"/debug/pprof/goroutine?debug=1",
		http.NoBody)
	require.NoError(t, err)

	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)

	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Contains(t, string(body), "goroutine profile")

	require.NoError(t, part.down(t.Context()))
}
