package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/worker/embedded"
)

// childDir names the data directory to a copy of the test program that runs a server until it is killed.
const childDir = "PARLEY_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(serve(dir))
	}
	os.Exit(m.Run())
}

// serve prints the frontend's address and waits for its end.
func serve(dir string) int {
	cfg := embedded.Config{
		DataDir: dir, Host: "127.0.0.1", Namespace: "default", Retention: time.Hour, Synchronous: "full", HistoryCache: 100,
	}
	server, err := embedded.Start(context.Background(), cfg, baseAttributes(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := fmt.Fprintln(os.Stdout, server.FrontendAddress()); err != nil {
		return 1
	}
	time.Sleep(time.Minute) // the test kills it long before
	return 0
}

func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+cfg.DataDir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)

	requireSetupError(t, cfg, nil, embedded.ErrInUse, fmt.Sprintf("process %d", child.Process.Pid))
	c, err := client.Dial(client.Options{HostPort: strings.TrimSpace(address)})
	require.NoError(t, err)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "killed", TaskQueue: "parley"}, "Conversation")
	require.NoError(t, err)
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	c.Close()

	described, err := dial(t, start(t, cfg, baseAttributes())).DescribeWorkflowExecution(t.Context(), "killed", run.GetRunID())
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.GetWorkflowExecutionInfo().GetStatus())
}
