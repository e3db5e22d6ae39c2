package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"go.temporal.io/server/common/headers"
)

// Version is the version of the Temporal server in this build. Data files belong to exactly one version.
const Version = headers.ServerVersion

// What a setup error is about; compare with errors.Is.
var (
	// ErrConfig marks a setting whose value cannot be used.
	ErrConfig = errors.New("cannot be used")
	// ErrPortTaken marks a port that another program listens on.
	ErrPortTaken = errors.New("is taken")
	// ErrNotWritable marks a data directory that cannot be created or written.
	ErrNotWritable = errors.New("is not writable")
	// ErrForeign marks a directory that holds files which are not Parley's.
	ErrForeign = errors.New("belongs to something else")
	// ErrInUse marks a data directory that another process holds.
	ErrInUse = errors.New("is in use")
	// ErrVersion marks data files that another version of the Temporal server made.
	ErrVersion = errors.New("was made by another version of the Temporal server")
	// ErrDamaged marks a data file that SQLite cannot read.
	ErrDamaged = errors.New("cannot be read")
	// ErrIncomplete marks data files of which one is missing.
	ErrIncomplete = errors.New("is incomplete")
)

// minRetention is the least that the server accepts for a namespace (common/namespace.MinRetentionLocal).
const minRetention = time.Hour

// maxHistoryCache bounds the history cache in entries, of about 100 kB resident each.
const maxHistoryCache = 1_000_000

// Config says where the embedded server keeps its data, where it listens, and how careful it is.
type Config struct {
	// DataDir is the directory of the data files; it is created with mode 0700 if it does not exist.
	DataDir string `env:"PARLEY_DATA_DIR" envDefault:"parley-data" desc:"directory of the data files"`
	// Host is the IP address of the gRPC frontend. Anything beyond loopback also needs ExposeTemporal.
	Host string `env:"PARLEY_TEMPORAL_HOST" envDefault:"127.0.0.1" desc:"IP address of Temporal; beyond loopback only with --expose-temporal"`
	// Port is the gRPC frontend's TCP port; 0 takes a free one.
	Port int `env:"PARLEY_TEMPORAL_PORT" envDefault:"7233" desc:"gRPC port of the embedded Temporal frontend; 0 takes a free one"`
	// UIPort is the Web UI's TCP port, always on 127.0.0.1; 0 takes a free one.
	UIPort int `env:"PARLEY_UI_PORT" envDefault:"8233" desc:"port of the Temporal Web UI on 127.0.0.1; 0 takes a free one"`
	// Namespace is created if it does not exist.
	Namespace string `env:"TEMPORAL_NAMESPACE" envDefault:"default" desc:"Temporal namespace"`
	// Retention is how long a closed run is kept; at least one hour. It is set anew at every start.
	Retention time.Duration `env:"PARLEY_RETENTION" envDefault:"720h" desc:"how long a closed run is kept"`
	// Synchronous is SQLite's setting for the main file: full survives a power cut, normal only a killed process.
	Synchronous string `env:"PARLEY_SQLITE_SYNCHRONOUS" envDefault:"full" desc:"full survives a power cut, normal a killed process"`
	// HistoryCache is the number of open conversations that the server keeps in memory, of about 100 kB each.
	HistoryCache int `env:"PARLEY_TEMPORAL_HISTORY_CACHE" envDefault:"4000" desc:"open runs kept in memory, about 100 kB each"`
	// LogLevel is the least severe message of the Temporal server that reaches the log.
	LogLevel slog.Level `env:"PARLEY_TEMPORAL_LOG_LEVEL" envDefault:"warn" desc:"least severe log line of the embedded server"`
	// ExposeTemporal allows a Host beyond loopback (the flag --expose-temporal): the frontend has no authentication.
	ExposeTemporal bool `env:"-"`
	// TimeSkipping lets clients skip time in a workflow; for tests and demonstrations.
	TimeSkipping bool `env:"-"`
	// Lock is the claim on DataDir, if the caller holds it already; otherwise Start takes it and Stop releases it.
	Lock *DirLock `env:"-"`
}

// Validate reports the first setting that cannot be used, without touching the disk or the network.
func (c *Config) Validate() error {
	if strings.TrimSpace(c.DataDir) == "" {
		return settingError("PARLEY_DATA_DIR", c.DataDir, "name a directory")
	}
	if _, err := c.hostAddr(); err != nil {
		return err
	}
	if err := checkPort("PARLEY_TEMPORAL_PORT", c.Port); err != nil {
		return err
	}
	if err := checkPort("PARLEY_UI_PORT", c.UIPort); err != nil {
		return err
	}
	if c.Port != 0 && c.Port == c.UIPort {
		return settingError("PARLEY_UI_PORT", c.UIPort, "it is the same port as PARLEY_TEMPORAL_PORT")
	}
	if strings.TrimSpace(c.Namespace) == "" || c.Namespace == systemNamespace {
		return settingError("TEMPORAL_NAMESPACE", c.Namespace, "name a namespace of your own, such as default")
	}
	if c.Retention < minRetention {
		return settingError("PARLEY_RETENTION", c.Retention, "Temporal keeps closed runs for an hour at least")
	}
	if c.Synchronous != "full" && c.Synchronous != "normal" {
		return settingError("PARLEY_SQLITE_SYNCHRONOUS", c.Synchronous, "use full or normal")
	}
	if c.HistoryCache < 1 || c.HistoryCache > maxHistoryCache {
		return settingError("PARLEY_TEMPORAL_HISTORY_CACHE", c.HistoryCache, fmt.Sprintf("use 1 to %d", maxHistoryCache))
	}
	return nil
}

// hostAddr parses Host. The server binds to addresses only, never to names.
func (c *Config) hostAddr() (netip.Addr, error) {
	addr, err := netip.ParseAddr(c.Host)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, settingError("PARLEY_TEMPORAL_HOST", c.Host, "use an IP address such as 127.0.0.1")
	}
	addr = addr.Unmap()
	if !addr.IsLoopback() && !c.ExposeTemporal {
		return netip.Addr{}, settingError("PARLEY_TEMPORAL_HOST", c.Host,
			"it opens Temporal, which has no authentication here, to the network; use 127.0.0.1, or add --expose-temporal if you mean it")
	}
	return addr, nil
}

func checkPort(setting string, port int) error {
	if port < 0 || port > 65535 {
		return settingError(setting, port, "use 1 to 65535, or 0 for a free one")
	}
	return nil
}

func settingError(setting string, value any, hint string) error {
	return fmt.Errorf("%s=%q %w: %s", setting, fmt.Sprint(value), ErrConfig, hint)
}
