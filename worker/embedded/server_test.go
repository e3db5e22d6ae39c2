package embedded_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/worker/embedded"
)

const keyword = enumspb.INDEXED_VALUE_TYPE_KEYWORD

func baseAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		"ParleySource":         keyword,
		"ParleyStatus":         keyword,
		"ParleyUnrepliedSince": enumspb.INDEXED_VALUE_TYPE_DATETIME,
		"ParleyPushes":         enumspb.INDEXED_VALUE_TYPE_INT,
		"ParleyTags":           enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
}

// testConfig has the defaults of production, on free ports and a directory of the test's own.
func testConfig(t *testing.T) embedded.Config {
	t.Helper()
	cfg, err := env.ParseAsWithOptions[embedded.Config](env.Options{Environment: map[string]string{}})
	require.NoError(t, err)
	cfg.DataDir, cfg.Port, cfg.UIPort = filepath.Join(t.TempDir(), "parley-data"), 0, 0
	return cfg
}

func start(t *testing.T, cfg embedded.Config, attrs map[string]enumspb.IndexedValueType) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(t.Context(), cfg, attrs, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, server) })
	return server
}

func stop(t *testing.T, server *embedded.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, server.Stop(ctx))
}

func dial(t *testing.T, server *embedded.Server) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: server.FrontendAddress(), Namespace: server.Namespace()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestRestartKeepsRunningWorkflow(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	first := start(t, cfg, baseAttributes())
	c := dial(t, first)
	source := temporal.NewSearchAttributeKeyKeyword("ParleySource")
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "conversation:livechat:PJ0M", TaskQueue: "parley",
		TypedSearchAttributes: temporal.NewSearchAttributes(source.ValueSet("livechat")),
	}, "Conversation")
	require.NoError(t, err)
	c.Close()
	stop(t, first)
	for _, name := range []string{"temporal.db-wal", "temporal-visibility.db-wal"} {
		info, err := os.Stat(filepath.Join(cfg.DataDir, name))
		if err == nil {
			require.Zero(t, info.Size(), "%s must be folded into its file after a stop", name)
		} else {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
	}

	second := start(t, cfg, baseAttributes())
	c = dial(t, second)
	described, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	require.NoError(t, err)
	require.Equal(t, run.GetRunID(), described.GetWorkflowExecutionInfo().GetExecution().GetRunId())
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.GetWorkflowExecutionInfo().GetStatus())
	require.Eventually(t, func() bool {
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "ParleySource = 'livechat'"})
		return err == nil && len(list.GetExecutions()) == 1
	}, 5*time.Second, 20*time.Millisecond)
}

func TestSearchAttributesAreThereAndAreAdded(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	first := start(t, cfg, baseAttributes())
	requireAttributes(t, first, baseAttributes())
	stop(t, first)

	more := baseAttributes()
	more["ParleyDesk"] = keyword
	second := start(t, cfg, more)
	requireAttributes(t, second, more)

	// A workflow that sets the new attribute at once is what a delayed cache would refuse.
	desk := temporal.NewSearchAttributeKeyKeyword("ParleyDesk")
	_, err := dial(t, second).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "desk:support", TaskQueue: "parley", TypedSearchAttributes: temporal.NewSearchAttributes(desk.ValueSet("support")),
	}, "Desk")
	require.NoError(t, err)
	stop(t, second)

	// Fewer attributes than before take none away.
	requireAttributes(t, start(t, cfg, baseAttributes()), more)
}

func requireAttributes(t *testing.T, server *embedded.Server, want map[string]enumspb.IndexedValueType) {
	t.Helper()
	known, err := dial(t, server).OperatorService().ListSearchAttributes(t.Context(),
		&operatorservice.ListSearchAttributesRequest{Namespace: server.Namespace()})
	require.NoError(t, err)
	custom := maps.Clone(known.GetCustomAttributes())
	maps.DeleteFunc(custom, func(name string, _ enumspb.IndexedValueType) bool { return !strings.HasPrefix(name, "Parley") })
	require.Equal(t, want, custom)
}

func TestSearchAttributeThatCannotBeMade(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	stop(t, start(t, cfg, baseAttributes()))

	attrs := baseAttributes()
	attrs["ParleyPushes"] = keyword
	requireSetupError(t, cfg, attrs, embedded.ErrConfig, "ParleyPushes", "PARLEY_DATA_DIR")

	attrs = baseAttributes()
	for i := range 20 {
		attrs[fmt.Sprintf("ParleyMore%02d", i)] = keyword
	}
	requireSetupError(t, cfg, attrs, embedded.ErrConfig, "Keyword", "TEMPORAL_NAMESPACE")
}

func TestRetentionFollowsTheSetting(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	first := start(t, cfg, nil)
	require.Equal(t, 30*24*time.Hour, retention(t, first))
	stop(t, first)
	cfg.Retention = 48 * time.Hour
	require.Equal(t, 48*time.Hour, retention(t, start(t, cfg, nil)))
}

func retention(t *testing.T, server *embedded.Server) time.Duration {
	t.Helper()
	described, err := dial(t, server).WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: server.Namespace()})
	require.NoError(t, err)
	return described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
}

func TestSecondNamespaceOnTheSameFiles(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	stop(t, start(t, cfg, baseAttributes()))
	cfg.Namespace = "staging"
	server := start(t, cfg, baseAttributes())
	require.Equal(t, "staging", server.Namespace())
	requireAttributes(t, server, baseAttributes())
}

func TestPathWithCharactersOfURIs(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.DataDir = filepath.Join(t.TempDir(), "a b?c#d%41&e=f")
	stop(t, start(t, cfg, nil))
	require.FileExists(t, filepath.Join(cfg.DataDir, "temporal.db"))
}

func TestFilesAreWALAndPrivate(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	server := start(t, cfg, nil)
	for _, name := range []string{"temporal.db", "temporal-visibility.db", "temporal.db-wal", "parley.json", "parley.lock"} {
		info, err := os.Stat(filepath.Join(cfg.DataDir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s must be readable by its owner only", name)
	}
	stop(t, server)
	for _, name := range []string{"temporal.db", "temporal-visibility.db"} {
		db, err := sql.Open("sqlite", filepath.Join(cfg.DataDir, name))
		require.NoError(t, err)
		var mode, check string
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&check))
		require.NoError(t, db.Close())
		require.Equal(t, "wal", mode)
		require.Equal(t, "ok", check)
	}
}

func TestUIAnswersOnLoopbackNamesOnly(t *testing.T) {
	t.Parallel()
	server := start(t, testConfig(t), nil)
	tests := []struct {
		name, path, host string
		status           int
		body             string
	}{
		{"page", "/", "", http.StatusOK, "<html"},
		{"page by name", "/namespaces/default/workflows", "localhost:8233", http.StatusOK, "<html"},
		{"api", "/api/v1/namespaces/default", "", http.StatusOK, `"name":"default"`},
		{"settings", "/api/v1/settings", "", http.StatusOK, `"DefaultNamespace":"default"`},
		{"foreign name", "/api/v1/namespaces/default", "rebind.example.com", http.StatusForbidden, "localhost"},
		{"foreign address", "/", "10.1.2.3:8233", http.StatusForbidden, "localhost"},
		{"name that begins like ours", "/", "127.0.0.1.example.com", http.StatusForbidden, "localhost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.UIAddress()+tt.path, http.NoBody)
			require.NoError(t, err)
			req.Host = tt.host
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tt.status, resp.StatusCode)
			require.Contains(t, strings.ReplaceAll(string(body), ": ", ":"), tt.body)
		})
	}
}

func TestTimeSkippingIsAccepted(t *testing.T) {
	t.Parallel()
	for _, enabled := range []bool{true, false} {
		t.Run(strconv.FormatBool(enabled), func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.TimeSkipping = enabled
			server := start(t, cfg, nil)
			_, err := dial(t, server).WorkflowService().StartWorkflowExecution(t.Context(), &workflowservice.StartWorkflowExecutionRequest{
				Namespace: server.Namespace(), WorkflowId: "skip", RequestId: "skip",
				WorkflowType:       &commonpb.WorkflowType{Name: "Conversation"},
				TaskQueue:          &taskqueuepb.TaskQueue{Name: "parley"},
				TimeSkippingConfig: &commonpb.TimeSkippingConfig{Enabled: true},
			})
			if enabled {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
		})
	}
}

func TestStopFromManyGoroutines(t *testing.T) {
	t.Parallel()
	server := start(t, testConfig(t), nil)
	var group sync.WaitGroup
	begun := time.Now()
	for range 4 {
		group.Go(func() { stop(t, server) })
	}
	group.Wait()
	require.Less(t, time.Since(begun), 8*time.Second)
	for _, addr := range []string{server.FrontendAddress(), server.UIAddress()} {
		_, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		require.Error(t, err, "%s must not be listened on any more", addr)
	}
}

func TestStartAndStopAreQuiet(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	cfg := testConfig(t)
	for range 2 {
		server, err := embedded.Start(t.Context(), cfg, baseAttributes(), slog.New(slog.NewTextHandler(&out, nil)))
		require.NoError(t, err)
		stop(t, server)
	}
	require.Empty(t, out.String())
}

func TestCancelledStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := embedded.Start(ctx, cfg, nil, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, context.Canceled)
	start(t, cfg, nil)
}

// lockedBuffer collects what several goroutines log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// requireRecordedRun starts a run and waits until it stands in visibility.
func requireRecordedRun(t *testing.T, server *embedded.Server) {
	t.Helper()
	c := dial(t, server)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "recorded", TaskQueue: "parley"}, "Conversation")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowId = 'recorded'"})
		return err == nil && len(list.GetExecutions()) == 1
	}, 5*time.Second, 20*time.Millisecond)
}
