package embedded_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/parleyhq/parley/worker/embedded"
)

// requireSetupError wants a refusal of the given kind: one line, with all the words.
func requireSetupError(
	t *testing.T, cfg embedded.Config, attrs map[string]enumspb.IndexedValueType, kind error, words ...string,
) {
	t.Helper()
	server, err := embedded.Start(t.Context(), cfg, attrs, slog.New(slog.DiscardHandler))
	if err == nil {
		stop(t, server)
	}
	requireLine(t, err, kind, words...)
}

func requireLine(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	require.NotContains(t, err.Error(), "\n")
	for _, word := range words {
		require.Contains(t, err.Error(), word)
	}
}

func TestSettingsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*embedded.Config)
		words  []string
	}{
		{"no directory", func(c *embedded.Config) { c.DataDir = " " }, []string{"PARLEY_DATA_DIR"}},
		{"host is a name", func(c *embedded.Config) { c.Host = "localhost" }, []string{"PARLEY_TEMPORAL_HOST", "127.0.0.1"}},
		{"host is empty", func(c *embedded.Config) { c.Host = "" }, []string{"PARLEY_TEMPORAL_HOST"}},
		{"host beyond loopback", func(c *embedded.Config) { c.Host = "0.0.0.0" }, []string{"PARLEY_TEMPORAL_HOST", "--expose-temporal"}},
		{"mapped host beyond loopback", func(c *embedded.Config) { c.Host = "::ffff:10.0.0.1" }, []string{"--expose-temporal"}},
		{"host with a zone", func(c *embedded.Config) { c.Host = "fe80::1%eth0" }, []string{"PARLEY_TEMPORAL_HOST"}},
		{"port", func(c *embedded.Config) { c.Port = 65536 }, []string{"PARLEY_TEMPORAL_PORT"}},
		{"UI port", func(c *embedded.Config) { c.UIPort = -1 }, []string{"PARLEY_UI_PORT"}},
		{"one port twice", func(c *embedded.Config) { c.Port, c.UIPort = 7233, 7233 }, []string{"PARLEY_UI_PORT", "PARLEY_TEMPORAL_PORT"}},
		{"no namespace", func(c *embedded.Config) { c.Namespace = "" }, []string{"TEMPORAL_NAMESPACE"}},
		{"the server's namespace", func(c *embedded.Config) { c.Namespace = "temporal-system" }, []string{"TEMPORAL_NAMESPACE"}},
		{"retention", func(c *embedded.Config) { c.Retention = time.Minute }, []string{"PARLEY_RETENTION"}},
		{"synchronous", func(c *embedded.Config) { c.Synchronous = "off" }, []string{"PARLEY_SQLITE_SYNCHRONOUS", "full"}},
		{"history cache", func(c *embedded.Config) { c.HistoryCache = 0 }, []string{"PARLEY_TEMPORAL_HISTORY_CACHE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			tt.change(&cfg)
			requireSetupError(t, cfg, nil, embedded.ErrConfig, tt.words...)
			require.NoDirExists(t, cfg.DataDir, "a refused setting must leave no directory")
		})
	}
}

func TestHostIsNoAddressOfThisMachine(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Host, cfg.Port, cfg.ExposeTemporal = "192.0.2.1", 7233, true // a documentation address
	requireSetupError(t, cfg, nil, embedded.ErrConfig, "PARLEY_TEMPORAL_HOST", "192.0.2.1")
}

func TestExposedServerIsDialledOnLoopback(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Host, cfg.ExposeTemporal = "0.0.0.0", true
	server := start(t, cfg, nil)
	require.True(t, strings.HasPrefix(server.FrontendAddress(), "127.0.0.1:"), server.FrontendAddress())
	require.True(t, strings.HasPrefix(server.UIAddress(), "127.0.0.1:"), server.UIAddress())
	require.Equal(t, 30*24*time.Hour, retention(t, server))
}

func TestTakenPorts(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	addr, err := netip.ParseAddrPort(listener.Addr().String())
	require.NoError(t, err)
	port := int(addr.Port())

	cfg := testConfig(t)
	cfg.Port = port
	words := []string{fmt.Sprintf("temporal gRPC port 127.0.0.1:%d is taken", port), "PARLEY_TEMPORAL_PORT"}
	requireSetupError(t, cfg, nil, embedded.ErrPortTaken, words...)
	requireLine(t, embedded.CheckPorts(t.Context(), cfg), embedded.ErrPortTaken, words...)
	cfg.Port, cfg.UIPort = 0, port
	words = []string{fmt.Sprintf("temporal UI port 127.0.0.1:%d is taken", port), "PARLEY_UI_PORT"}
	requireSetupError(t, cfg, nil, embedded.ErrPortTaken, words...)
	requireLine(t, embedded.CheckPorts(t.Context(), cfg), embedded.ErrPortTaken, words...)

	cfg.UIPort = 0
	require.NoError(t, embedded.CheckPorts(t.Context(), cfg))
	start(t, cfg, nil) // neither refusal keeps the directory
}

func TestSecondProcessIsRefusedWithTheFirstOnesID(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	start(t, cfg, nil)
	holder := fmt.Sprintf("process %d", os.Getpid())
	requireSetupError(t, cfg, nil, embedded.ErrInUse, cfg.DataDir, holder, "PARLEY_DATA_DIR")
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "parley-data")
	first, err := embedded.Lock(dir)
	require.NoError(t, err)
	require.Equal(t, dir, first.Dir())
	_, err = embedded.Lock(dir)
	requireLine(t, err, embedded.ErrInUse, fmt.Sprintf("process %d", os.Getpid()))
	require.NoError(t, first.Close())
	second, err := embedded.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, second.Close())
}

func TestLockOfTheCallerIsUsedAndKept(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	lock, err := embedded.Lock(cfg.DataDir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lock.Close()) })
	cfg.Lock = lock
	stop(t, start(t, cfg, nil))
	_, err = embedded.Lock(cfg.DataDir)
	require.ErrorIs(t, err, embedded.ErrInUse, "the caller's claim outlives the server")
}

func TestDirectoriesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		make  func(t *testing.T, dir string) string
		kind  error
		words []string
	}{
		{"a file", func(t *testing.T, dir string) string {
			t.Helper()
			return writeFile(t, filepath.Join(dir, "file"), "x")
		}, embedded.ErrNotWritable, []string{"not a directory"}},
		{"below a file", func(t *testing.T, dir string) string {
			t.Helper()
			return filepath.Join(writeFile(t, filepath.Join(dir, "file"), "x"), "parley-data")
		}, embedded.ErrNotWritable, []string{"not a directory"}},
		{"somebody else's", func(t *testing.T, dir string) string {
			t.Helper()
			writeFile(t, filepath.Join(dir, "thesis.tex"), "x")
			return dir
		}, embedded.ErrForeign, []string{"thesis.tex"}},
		{"another program's parley.json", func(t *testing.T, dir string) string {
			t.Helper()
			writeFile(t, filepath.Join(dir, "parley.json"), `{"chat":true}`)
			return dir
		}, embedded.ErrForeign, []string{"parley.json"}},
		{"a newer Parley's", func(t *testing.T, dir string) string {
			t.Helper()
			writeFile(t, filepath.Join(dir, "parley.json"), `{"format":2}`)
			return dir
		}, embedded.ErrForeign, []string{"newer", "2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := tt.make(t, t.TempDir())
			_, err := embedded.Lock(dir)
			words := append([]string{dir, "PARLEY_DATA_DIR"}, tt.words...)
			requireLine(t, err, tt.kind, words...)
			requireLine(t, embedded.CheckDataDir(dir), tt.kind, words...)
		})
	}
}

func TestCheckDataDirChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, embedded.CheckDataDir(dir))
	require.NoError(t, embedded.CheckDataDir(filepath.Join(dir, "deep", "parley-data")))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	lock, err := embedded.Lock(dir)
	require.NoError(t, err)
	requireLine(t, embedded.CheckDataDir(dir), embedded.ErrInUse, fmt.Sprintf("process %d", os.Getpid()))
	require.NoError(t, lock.Close())
	require.NoError(t, embedded.CheckDataDir(dir))
}

func TestForeignDirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "thesis.tex"), "x")
	_, err := embedded.Lock(dir)
	require.ErrorIs(t, err, embedded.ErrForeign)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestInterruptedFirstStartIsNotForeign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "parley.lock"), "123\n")
	writeFile(t, filepath.Join(dir, "parley.json.new"), `{"for`)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	lock, err := embedded.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}

func TestDataFilesOfAnotherVersion(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	stop(t, start(t, cfg, nil))
	marker := filepath.Join(cfg.DataDir, "parley.json")
	text, err := os.ReadFile(marker)
	require.NoError(t, err)
	require.Contains(t, string(text), `"temporal_server": "`+embedded.Version+`"`)

	writeFile(t, marker, strings.Replace(string(text), embedded.Version, "1.29.0", 1))
	words := []string{"temporal.db", "1.29.0", embedded.Version, "PARLEY_DATA_DIR"}
	requireSetupError(t, cfg, nil, embedded.ErrVersion, words...)
	requireLine(t, embedded.CheckDataDir(cfg.DataDir), embedded.ErrVersion, words...)
	writeFile(t, marker, `{"format":1}`)
	requireSetupError(t, cfg, nil, embedded.ErrVersion, "parley.json", embedded.Version)
	writeFile(t, marker, string(text))
	start(t, cfg, nil)
}

func TestDataFileIsMissing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"temporal.db", "temporal-visibility.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			server := start(t, cfg, nil)
			requireRecordedRun(t, server)
			stop(t, server)
			// A copy stands in for what another process would find: this one keeps the server's connections open.
			moved := cfg
			moved.DataDir = filepath.Join(t.TempDir(), "copy")
			require.NoError(t, os.CopyFS(moved.DataDir, os.DirFS(cfg.DataDir)))
			require.NoError(t, os.Remove(filepath.Join(moved.DataDir, name)))
			requireSetupError(t, moved, nil, embedded.ErrIncomplete, name, "PARLEY_DATA_DIR")
		})
	}
}

func TestInterruptedCreationIsCompleted(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	writeFile(t, filepath.Join(cfg.DataDir, "parley.json"), `{"format":1,"temporal_server":"`+embedded.Version+`"}`)
	writeFile(t, filepath.Join(cfg.DataDir, "temporal-visibility.db"), "")
	requireRecordedRun(t, start(t, cfg, nil))
}

func TestDamagedDataFile(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	writeFile(t, filepath.Join(cfg.DataDir, "parley.json"), `{"format":1,"temporal_server":"`+embedded.Version+`"}`)
	writeFile(t, filepath.Join(cfg.DataDir, "temporal.db"), strings.Repeat("this is no database ", 500))
	requireSetupError(t, cfg, nil, embedded.ErrDamaged, "temporal.db", "PARLEY_DATA_DIR")
}

// writeFile returns the path, and makes the directory.
func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
