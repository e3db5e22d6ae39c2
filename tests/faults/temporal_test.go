package faults_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/worker"
	"github.com/parleyhq/parley/worker/embedded"
)

// lockThread keeps a goroutine on its thread for as long as it lives.
func lockThread() { runtime.LockOSThread() }

// host is a Temporal server in a process of its own: the tests' program itself,
// started once more.
type host struct {
	*process

	dir  string
	port int
	log  *os.File
}

func newHost(t *testing.T, dir string, port int) *host {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))

	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })

	return &host{dir: dir, port: port, log: log}
}

// start starts the server and waits until its frontend answers.
func (h *host) start(t *testing.T) {
	t.Helper()

	program, err := os.Executable()
	require.NoError(t, err)

	ready := filepath.Join(h.dir, readyFile)
	require.NoError(t, os.RemoveAll(ready))

	command := exec.Command(program)
	command.Env = append(os.Environ(), hostVariable+"="+h.dir, "PARLEY_TEMPORAL_PORT="+strconv.Itoa(h.port))
	h.process = run(t, command, h.log)

	require.Eventually(t, func() bool {
		_, err := os.Stat(ready)

		return err == nil || h.ended()
	}, 60*time.Second, 20*time.Millisecond)

	if h.ended() {
		text, _ := os.ReadFile(h.log.Name())
		require.FailNow(t, "the Temporal server ended", string(text))
	}
}

// readyFile appears in the host's directory when the server runs.
const readyFile = "ready"

// hostTemporal is what the process of a [host] does until it is told to end.
func hostTemporal() int {
	if err := serveTemporal(os.Getenv(hostVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	return 0
}

func serveTemporal(dir string) error {
	config, err := env.ParseAs[embedded.Config]()
	if err != nil {
		return err
	}

	config.DataDir, config.UIPort = filepath.Join(dir, "data"), 0

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()

	server, err := embedded.Start(ctx, config, worker.SearchAttributes(), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}

	if err := os.WriteFile(filepath.Join(dir, readyFile), nil, 0o600); err != nil {
		return err
	}

	<-ctx.Done()

	stopping, cancel := background(10 * time.Second)
	defer cancel()

	return server.Stop(stopping)
}
