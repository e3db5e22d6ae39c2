package webhooks_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/webhooks/inbox"
)

// sqliteError is an error with a result code of SQLite's.
type sqliteError int

func (e sqliteError) Error() string { return fmt.Sprintf("write /var/lib/secret: code %d", int(e)) }

func (e sqliteError) Code() int { return int(e) }

func TestNotReady(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		prepare  func(*world)
		check    string
		word     string
		webhooks string
	}{
		"temporal away": {
			func(w *world) { w.healthy = errors.New("refused by 10.0.0.1") }, "temporal", "unavailable", "accepted",
		},
		"database away": {func(w *world) { w.database = os.ErrDeadlineExceeded }, "database", "unavailable", "refused"},
		"disk full":     {sickOf(sqliteError(13)), "inbox", "disk_full", "refused"},
		"no room":       {sickOf(syscall.ENOSPC), "inbox", "disk_full", "refused"},
		"read only":     {sickOf(sqliteError(8 | 3<<8)), "inbox", "read_only", "refused"},
		"disk broken":   {sickOf(sqliteError(10 | 4<<8)), "inbox", "io_error", "refused"},
		"file damaged":  {sickOf(sqliteError(11)), "inbox", "damaged", "refused"},
		"disk, somehow": {sickOf(errDown), "inbox", "unavailable", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t)
			test.prepare(e.world)

			got := e.do(http.MethodGet, "/readyz", "")
			require.Equal(t, http.StatusServiceUnavailable, got.status)
			require.Equal(t, "5", got.header.Get("Retry-After"))

			fields := got.fields(t)
			require.Equal(t, "unavailable", fields["status"])
			require.Equal(t, test.webhooks, fields["webhooks"])

			checks, ok := fields["checks"].(map[string]any)
			require.True(t, ok)
			require.Len(t, checks, 3)

			for check, word := range checks {
				if check == test.check {
					require.Equal(t, test.word, word)
				} else {
					require.Equal(t, "ok", word, check)
				}
			}

			require.NotContains(t, got.body, "10.0.0.1")
			require.NotContains(t, got.body, "secret")
			require.Equal(t, http.StatusOK, e.do(http.MethodGet, "/healthz", "").status)
		})
	}
}

func sickOf(cause error) func(*world) {
	return func(w *world) { w.sick = fmt.Errorf("%w: %w", inbox.ErrDisk, cause) }
}
