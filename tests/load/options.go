package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/parleyhq/parley/tests/load/report"
)

// options are the command line.
type options struct {
	start    bool
	binary   string
	url      string
	temporal string
	pid      int
	dataDir  string
	pprof    string
	dir      string

	modes       []string
	targets     []string
	quick, long bool
	repeat      int

	conversations, events int
	connections           int
	rate                  float64
	patience              time.Duration

	profile string
	json    string
}

var (
	errNotLoopback = errors.New("is not on this machine: load goes to loopback only")
	errFlags       = errors.New("cannot be used")
)

func (o *options) declare(flags *pflag.FlagSet) {
	flags.BoolVar(&o.start, "start", false, "build Parley and start it on a temporary directory; so it is without --url")
	flags.StringVar(&o.binary, "binary", "", "start this binary instead of building one")
	flags.StringVar(&o.url, "url", "", "drive the Parley that listens here; it must use tests/load/parley.yaml")
	flags.StringVar(&o.temporal, "temporal", "127.0.0.1:7233", "with --url: its Temporal's address; empty leaves out what histories tell")
	flags.IntVar(&o.pid, "pid", 0, "with --url: its process, for CPU and memory")
	flags.StringVar(&o.dataDir, "data-dir", "", "with --url: its data directory, for bytes on disk")
	flags.StringVar(&o.pprof, "pprof", "", "with --url: where it offers Go's profiles, such as http://127.0.0.1:6060")
	flags.StringVar(&o.dir, "dir", "", "where temporary data directories are made (default: the system's)")

	flags.StringSliceVar(&o.modes, "mode", nil, "modes to run, separated by commas (default: all)")
	flags.StringSliceVar(&o.targets, "target", []string{report.TargetParley, report.TargetBare, report.TargetNaive}, "what to drive")
	flags.BoolVar(&o.quick, "quick", false, "smaller numbers, for CI: everything in less than three minutes")
	flags.BoolVar(&o.long, "long", false, "the mode idle with 100,000 conversations")
	flags.IntVar(&o.repeat, "repeat", 1, "run the modes that send whole conversations so often, in turn, and show medians")

	flags.IntVar(&o.conversations, "conversations", 0, "conversations, instead of the mode's own number")
	flags.IntVar(&o.events, "events", 0, "events in each conversation, the close among them, instead of the mode's own number")
	flags.IntVar(&o.connections, "connections", 64, "connections that send at the same time")
	flags.Float64Var(&o.rate, "rate", 0, "offer events at this many per second, whatever the answers take; 0 is a closed loop")
	flags.DurationVar(&o.patience, "patience", 0, "how long one run of a mode may take (default: the mode's own)")

	flags.StringVar(&o.profile, "profile", "", "write CPU profiles into this directory, from processes that offer one")
	flags.StringVar(&o.json, "json", "", "write the results to this file as JSON, too; - prints them instead of the table")
}

func (o *options) check(flags *pflag.FlagSet) error {
	for _, address := range []string{o.url, o.temporal, o.pprof} {
		if err := checkLoopback(address); err != nil {
			return err
		}
	}

	const (
		most            = 2_000_000
		mostConnections = 4096
		mostRate        = 100_000
		mostRepeats     = 20
	)

	for _, name := range o.modes {
		if !slices.Contains(modeNames(), name) {
			return fmt.Errorf("--mode %s %w: there are %s", name, errFlags, strings.Join(modeNames(), ", "))
		}
	}

	for _, name := range o.targets {
		if !slices.Contains([]string{report.TargetParley, report.TargetBare, report.TargetNaive}, name) {
			return fmt.Errorf("--target %s %w: there are parley, bare and naive", name, errFlags)
		}
	}

	switch {
	case o.url != "" && (o.start || o.binary != ""):
		return fmt.Errorf("--url %w together with --start or --binary", errFlags)
	case o.url == "" && (flags.Changed("temporal") || o.pid != 0 || o.dataDir != "" || o.pprof != ""):
		return fmt.Errorf("--temporal, --pid, --data-dir and --pprof %w without --url", errFlags)
	case o.quick && o.long:
		return fmt.Errorf("--quick %w together with --long", errFlags)
	case o.connections < 1 || o.connections > mostConnections:
		return fmt.Errorf("--connections %w: use 1 to %d", errFlags, mostConnections)
	case o.rate < 0 || o.rate > mostRate:
		return fmt.Errorf("--rate %w: use at most %d", errFlags, mostRate)
	case o.repeat < 1 || o.repeat > mostRepeats:
		return fmt.Errorf("--repeat %w: use 1 to %d", errFlags, mostRepeats)
	case o.conversations < 0 || o.events < 0 || o.events == 1 || max(o.conversations, 1)*max(o.events, 1) > most:
		return fmt.Errorf("--conversations and --events %w: use at least 2 events, and at most %d in all", errFlags, most)
	default:
		return nil
	}
}

func checkLoopback(address string) error {
	if address == "" {
		return nil
	}

	host := address
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		host = parsed.Host
	}

	host, _, err := net.SplitHostPort(host)
	if err != nil {
		return fmt.Errorf("%q: %w", address, err)
	}

	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q %w", address, errNotLoopback)
	}

	return nil
}
