package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
	"github.com/parleyhq/parley/worker"
	"github.com/parleyhq/parley/worker/embedded"
)

// settings are all environment variables of the process. Each part belongs to
// the package that uses it.
type settings struct {
	Process  processSettings
	HTTP     webhooks.Config
	Temporal embedded.Config
	Worker   worker.Config
	Courier  courier.Config
	Inbox    inbox.Config
}

// processSettings are those that belong to no package below.
type processSettings struct {
	// ConfigFile is read by findConfigFile; it may be missing unless named.
	ConfigFile string     `env:"PARLEY_CONFIG"     envDefault:"parley.yaml" desc:"configuration file: sources, policies, channels"`
	LogLevel   slog.Level `env:"PARLEY_LOG_LEVEL"  envDefault:"info"        desc:"least severe log line: debug, info, warn, error"`
	LogFormat  string     `env:"PARLEY_LOG_FORMAT" envDefault:"text"        desc:"text or json"`
	// ProfileAddr is for whoever looks for what takes time or memory.
	ProfileAddr string `env:"PARLEY_PPROF_ADDR" desc:"loopback address of Go's profiles; empty serves none"`
}

// The forms of the log.
const (
	formatText = "text"
	formatJSON = "json"
)

var errSetting = errors.New("cannot be used")

// readSettings reads the environment, with every fault in one line.
func readSettings() (*settings, error) {
	var all settings

	if err := parseEnv(envConfig{config: &all}, environment()); err != nil {
		return nil, err
	}

	if format := all.Process.LogFormat; format != formatText && format != formatJSON {
		return nil, fmt.Errorf("PARLEY_LOG_FORMAT=%q %w: set text or json", format, errSetting)
	}

	return &all, nil
}

func (s *settings) logger(out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.Process.LogLevel}

	if s.Process.LogFormat == formatJSON {
		return slog.New(slog.NewJSONHandler(out, options))
	}

	return slog.New(slog.NewTextHandler(out, options))
}
