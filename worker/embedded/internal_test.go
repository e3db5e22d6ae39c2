package embedded

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

func testLogger() (*serverLogger, *bytes.Buffer) {
	out := new(bytes.Buffer)
	handler := slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	})
	return newServerLogger(slog.New(handler), slog.LevelWarn), out
}

func TestLoggerPassesWarningsAndErrors(t *testing.T) {
	t.Parallel()
	logger, out := testLogger()
	log.With(logger, tag.WorkflowID("conversation:livechat:1")).Warn("slow", tag.Error(errors.New("line one\nline two")))
	logger.Info("not this")
	logger.Debug("nor this")
	require.Equal(t, `level=WARN msg=slow wf_id=conversation:livechat:1 error="line one\nline two"`+"\n", out.String())
	require.Empty(t, logger.gate.last())
}

func TestLoggerIsQuietWhenTold(t *testing.T) {
	t.Parallel()
	logger, out := testLogger()
	logger.gate.quiet.Store(true)
	logger.Error("not up yet", tag.Error(errors.New("refused")))
	require.Equal(t, "level=DEBUG msg=\"not up yet\" error=refused\n", out.String())
	require.Equal(t, "not up yet: refused", logger.gate.last())
}

func TestLoggerIsQuietAboutTheUI(t *testing.T) {
	t.Parallel()
	logger, out := testLogger()
	logger.Warn(pageSizeComplaint)
	require.Equal(t, "level=DEBUG msg=\""+pageSizeComplaint+"\"\n", out.String())
}

func TestLoggerStopsStorms(t *testing.T) {
	t.Parallel()
	logger, _ := testLogger()
	now := time.Now()
	_, ok := logger.gate.admit("storm", now)
	require.True(t, ok)
	for range 500 {
		_, ok = logger.gate.admit("storm", now.Add(repeatWindow-1))
		require.False(t, ok)
	}
	_, ok = logger.gate.admit("other", now)
	require.True(t, ok)
	suppressed, ok := logger.gate.admit("storm", now.Add(repeatWindow))
	require.True(t, ok)
	require.Equal(t, 500, suppressed)
	for i := range 10 * maxRemembered {
		logger.gate.admit(strconv.Itoa(i), now)
	}
	require.LessOrEqual(t, len(logger.gate.repeats), maxRemembered)
}

func TestLoggerCutsValues(t *testing.T) {
	t.Parallel()
	logger, out := testLogger()
	logger.Warn("long", tag.NewStringTag("value", strings.Repeat("ä", 100_000)))
	require.Less(t, out.Len(), 2*maxValueLength)
}

func TestFatalDoesNotEndTheProcess(t *testing.T) {
	t.Parallel()
	logger, out := testLogger()
	logger.Fatal("worst")
	logger.Panic("worse")
	logger.DPanic("bad")
	require.Equal(t, 3, strings.Count(out.String(), "level=ERROR"))
}

// A port may be taken between the check and the server's own listening; the server calls Fatal then.
func TestPortTakenAfterTheCheck(t *testing.T) {
	t.Parallel()
	cfg := Config{Host: "127.0.0.1", HistoryCache: 1}
	taken, err := takePorts(t.Context(), &cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.close()) })
	lock, err := Lock(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lock.Close()) })
	files := newStores(lock.Dir(), "full")
	require.NoError(t, prepare(t.Context(), lock, files))
	thief, err := new(net.ListenConfig).Listen(t.Context(), "tcp", taken.frontend.String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, thief.Close()) })

	logger, _ := testLogger()
	_, err = build(logger, &cfg, files, taken)
	require.ErrorIs(t, err, ErrStart)
	require.ErrorContains(t, err, taken.frontend.String())
	require.ErrorContains(t, err, "address already in use")
}

// A port that was chosen here is replaced if somebody takes it before the server listens; one that the settings name is
// not, and the error says which.
func TestStolenPorts(t *testing.T) {
	t.Parallel()
	for name, steal := range map[string]func(*ports) netip.AddrPort{
		"history":  func(p *ports) netip.AddrPort { return p.history },
		"matching": func(p *ports) netip.AddrPort { return p.matching },
		"frontend": func(p *ports) netip.AddrPort { return p.frontend },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, named := range []bool{false, true} {
				server, cfg, taken := unstarted(t)
				if named {
					cfg.Port = int(taken.frontend.Port())
				}
				stolen := steal(taken)
				thief, err := new(net.ListenConfig).Listen(t.Context(), "tcp", stolen.String())
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, thief.Close()) })

				frontend := taken.frontend
				err = server.startTemporal(t.Context(), cfg, nil, taken, slog.New(slog.DiscardHandler))
				if named && stolen == frontend {
					require.ErrorIs(t, err, ErrPortTaken)
					require.ErrorContains(t, err, "PARLEY_TEMPORAL_PORT")
					require.NotContains(t, err.Error(), "\n")
					continue
				}
				require.NoError(t, err)
				require.NoError(t, taken.release())
				require.NotEqual(t, stolen, steal(taken))
				require.Equal(t, named, frontend == taken.frontend)
				require.Equal(t, taken.frontend.String(), server.frontend)
				require.NoError(t, server.stopTemporal(t.Context()))
			}
		})
	}
}

// unstarted is a server whose ports are reserved.
func unstarted(t *testing.T) (*Server, *Config, *ports) {
	t.Helper()
	cfg := &Config{Host: "127.0.0.1", Namespace: "default", Retention: minRetention, HistoryCache: 1}
	taken, err := takePorts(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.close()) })
	lock, err := Lock(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lock.Close()) })
	return &Server{lock: lock, files: newStores(lock.Dir(), "full")}, cfg, taken
}

// A port that the settings name is seen by those who choose, too.
func TestNamedPortsAreNotChosen(t *testing.T) {
	t.Parallel()
	chosen := new(ports)
	addr, err := chosen.reserve(t.Context(), loopback(), 0)
	require.NoError(t, err)
	require.NoError(t, chosen.release())

	named := new(ports)
	t.Cleanup(func() { require.NoError(t, named.close()) })
	_, err = named.reserve(t.Context(), loopback(), int(addr.Port()))
	require.NoError(t, err)
	require.Error(t, new(ports).guard(t.Context(), addr))
	_, err = new(ports).reserve(t.Context(), loopback(), int(addr.Port()))
	require.NoError(t, err, "a guard is not in the way of who names the port")
}

func TestChosenPortsStayChosen(t *testing.T) {
	t.Parallel()
	held := new(ports)
	t.Cleanup(func() { require.NoError(t, held.close()) })
	seen := make(map[netip.AddrPort]bool)
	for range 100 {
		addr, err := held.reserve(t.Context(), loopback(), 0)
		require.NoError(t, err)
		require.False(t, seen[addr], "%s was given out twice", addr)
		require.Less(t, addr.Port(), uint16(32768))
		seen[addr] = true
	}
}

func TestSettingsOfSQLite(t *testing.T) {
	t.Parallel()
	for synchronous, want := range map[string]int{"full": 2, "normal": 1} {
		t.Run(synchronous, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := newStores(dir, synchronous)
			main, err := openStore(t.Context(), dir, mainFile, files.main)
			require.NoError(t, err)
			t.Cleanup(main.close)
			requirePragma(t, main, "synchronous", want)
			requirePragma(t, main, "busy_timeout", 10000)
			requirePragma(t, main, "temp_store", 2)
			visibility, err := openStore(t.Context(), dir, visibilityFile, files.visibility)
			require.NoError(t, err)
			t.Cleanup(visibility.close)
			requirePragma(t, visibility, "synchronous", 1)
		})
	}
}

func requirePragma(t *testing.T, file *storeFile, name string, want int) {
	t.Helper()
	var value int
	require.NoError(t, file.db.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&value))
	require.Equal(t, want, value, name)
}

func TestSchemaIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := newStores(dir, "full")
	file, err := openStore(t.Context(), dir, mainFile, files.main)
	require.NoError(t, err)
	t.Cleanup(file.close)
	_, err = file.db.ExecContext(t.Context(), "CREATE TABLE executions_visibility (x)") // in the way of the schema's end
	require.NoError(t, err)
	require.Error(t, file.createSchema(t.Context()))
	has, err := file.has(t.Context(), mainTable)
	require.NoError(t, err)
	require.False(t, has)
}

func TestAliasesAreStable(t *testing.T) {
	t.Parallel()
	have := map[string]string{"Keyword01": "TheirOwn", "Int01": "ParleyPushes"}
	want := map[string]enumspb.IndexedValueType{
		"ParleySource": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"ParleyAgent":  enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"ParleyPushes": enumspb.INDEXED_VALUE_TYPE_INT,
	}
	aliases, err := mergeAliases(have, want)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"Keyword01": "TheirOwn", "Keyword02": "ParleyAgent", "Keyword03": "ParleySource", "Int01": "ParleyPushes",
	}, aliases)
	again, err := mergeAliases(aliases, want)
	require.NoError(t, err)
	require.Equal(t, aliases, again)
}

func TestDynamicSettingsHaveTheTypesOfTheirKeys(t *testing.T) {
	t.Parallel()
	cfg := Config{HistoryCache: 123, TimeSkipping: true}
	settings := dynamicconfig.NewCollection(dynamicSettings(&cfg), log.NewNoopLogger())
	require.Equal(t, 123, dynamicconfig.HistoryCacheHostLevelMaxSize.Get(settings)())
	require.True(t, dynamicconfig.WorkflowTimeSkippingEnabled.Get(settings)("default"))
	require.Equal(t, ackInterval, dynamicconfig.TransferProcessorUpdateAckInterval.Get(settings)())
	require.Equal(t, unlimited, dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Get(settings)("default"))
	require.Equal(t, bufferedQueries, dynamicconfig.MaxBufferedQueryCount.Get(settings)())
	require.Zero(t, dynamicconfig.WorkflowIdReuseMinimalInterval.Get(settings)("default"))
	require.False(t, dynamicconfig.EnableServerVersionCheck.Get(settings)())
}

func TestDialableAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:7233": "127.0.0.1:7233",
		"10.0.0.5:7233":  "10.0.0.5:7233",
		"0.0.0.0:7233":   "127.0.0.1:7233",
		"[::]:7233":      "[::1]:7233",
		"[::1]:7233":     "[::1]:7233",
	} {
		require.Equal(t, want, dialable(netip.MustParseAddrPort(listen)).String())
	}
}
