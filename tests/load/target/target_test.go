package target_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/tests/load/target"
)

func TestTotalAddsASamplesLabelsUp(t *testing.T) {
	t.Parallel()

	metrics := []byte(`# HELP parley_batch_count of batches
parley_batch_count{source="a"} 3
parley_batch_count{source="b c",signal="x"} 4.5
parley_batch_count_total 100
parley_plain 7
`)

	sum, ok := target.Total(metrics, "parley_batch_count")
	require.True(t, ok)
	require.InDelta(t, 7.5, sum, 1e-9)

	sum, ok = target.Total(metrics, "parley_plain")
	require.True(t, ok)
	require.InDelta(t, 7, sum, 1e-9)

	_, ok = target.Total(metrics, "parley_missing")
	require.False(t, ok)
}

// The bytes of a database are those of its pages in use, whether they are in
// the file or still in the write-ahead log.
func TestBytesOnDiskCountsTheWriteAheadLog(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "some.db")+"?_pragma=journal_mode(WAL)")
	require.NoError(t, err)

	defer func() { require.NoError(t, db.Close()) }()

	exec := func(statement string, args ...any) {
		_, err := db.ExecContext(t.Context(), statement, args...)
		require.NoError(t, err)
	}

	exec("CREATE TABLE events (body BLOB)")

	before, err := target.BytesOnDisk(t.Context(), dir)
	require.NoError(t, err)

	const size = 100_000

	exec("INSERT INTO events VALUES (zeroblob(?))", size)

	after, err := target.BytesOnDisk(t.Context(), dir)
	require.NoError(t, err)
	require.InDelta(t, size, after-before, 8192)

	exec("DELETE FROM events")

	emptied, err := target.BytesOnDisk(t.Context(), dir)
	require.NoError(t, err)
	require.InDelta(t, before, emptied, 8192)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), make([]byte, 10), 0o600))

	more, err := target.BytesOnDisk(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, emptied+10, more)
}

func TestNothingIsInNoDirectory(t *testing.T) {
	t.Parallel()

	size, err := target.BytesOnDisk(t.Context(), "")
	require.NoError(t, err)
	require.Zero(t, size)
}

func TestUsageOfThisProcess(t *testing.T) {
	t.Parallel()

	if _, err := os.Stat("/proc/self/stat"); err != nil {
		require.Zero(t, target.UsageOf(os.Getpid()), "only Linux tells")

		return
	}

	before := target.OwnCPU()

	require.Eventually(t, func() bool {
		for begun := time.Now(); time.Since(begun) < 20*time.Millisecond; { //nolint:revive // to use time is all it does
		}

		return target.OwnCPU() > before
	}, 10*time.Second, time.Millisecond)

	used := target.UsageOf(os.Getpid())
	require.Positive(t, used.CPU)
	require.Greater(t, used.Resident, int64(1<<20))
	require.GreaterOrEqual(t, target.MachineCPU(), used.CPU)
	require.Zero(t, target.UsageOf(0))
}

func TestProcessIsStartedKilledAndStartedAgain(t *testing.T) {
	t.Parallel()

	if os.Getenv("PARLEY_HTTP_ADDR") != "" && os.Getenv(asServer) != "" {
		serveReady(t)
	}

	p, err := target.New(t.Context(), target.Spec{
		Name: "ready", Parent: t.TempDir(), Config: []byte("policies: {}\n"),
		Command: []string{"/usr/bin/env", asServer + "=1", os.Args[0], "-test.run=^" + t.Name() + "$"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Remove()) })

	for range 2 {
		require.NoError(t, p.Start())
		require.NoError(t, p.AwaitReady(t.Context()), p.Tail())
		require.NoError(t, p.Alive())
		require.Positive(t, p.PID())

		p.Kill()
		require.ErrorIs(t, p.Alive(), target.ErrEnded)
	}

	require.FileExists(t, filepath.Join(filepath.Dir(p.DataDir()), "parley.yaml"))
	require.NoError(t, p.Remove())
	require.NoDirExists(t, filepath.Dir(p.DataDir()))
}

// asServer makes this test binary the process that it starts.
const asServer = "PARLEY_LOAD_TEST_SERVER"

func serveReady(t *testing.T) {
	t.Helper()

	server := &http.Server{
		Addr: os.Getenv("PARLEY_HTTP_ADDR"), ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
	}
	require.NoError(t, server.ListenAndServe()) // until it is killed
}

func TestProcessThatEndsIsNotReady(t *testing.T) {
	t.Parallel()

	p, err := target.New(t.Context(), target.Spec{
		Name: "short-lived", Parent: t.TempDir(), Command: []string{"/bin/sh", "-c", "echo cannot; exit 3"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Remove()) })

	require.NoError(t, p.Start())

	err = p.AwaitReady(t.Context())
	require.ErrorIs(t, err, target.ErrEnded)
	require.ErrorContains(t, err, "cannot")
}

func TestProfile(t *testing.T) {
	t.Parallel()

	routes := http.NewServeMux()
	routes.HandleFunc("/debug/pprof/profile", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("profile of " + r.URL.Query().Get("seconds")))
	})

	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)

	path := filepath.Join(t.TempDir(), "cpu.pprof")
	require.NoError(t, target.SaveProfile(t.Context(), server.URL, 2*time.Second, path))

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "profile of 2", string(text))

	server.Close()

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()

	require.ErrorIs(t, target.SaveProfile(ctx, server.URL, time.Second, path), target.ErrNoProfile)
}
