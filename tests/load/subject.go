package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/parleyhq/parley/tests/load/baseline"
	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/target"
)

// configuration is that of everything that is driven, but for the mode desk.
//
//go:embed parley.yaml
var configuration []byte

// program is the package of the binary.
const program = "github.com/parleyhq/parley/cmd/parley"

// subject is what is driven.
type subject struct {
	name string
	// process is nil where it ran before.
	process  *target.Process
	url      string
	dataDir  string
	profile  string
	pid      int
	client   *drive.Client
	temporal client.Client
}

// builds Parley, unless there is a binary already.
func (b *bench) build(ctx context.Context) error {
	if b.opts.url != "" || b.opts.binary != "" {
		path, err := filepath.Abs(b.opts.binary)
		b.binary = path

		return err
	}

	b.binary = filepath.Join(b.dir, "parley")
	b.progress.say("building " + program)

	command := exec.CommandContext(ctx, "go", "build", "-o", b.binary, program)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr

	if err := command.Run(); err != nil {
		return fmt.Errorf("build %s (run this in a checkout, or name one with --binary): %w", program, errors.Join(err, ctx.Err()))
	}

	return nil
}

// open starts what is to be driven on an empty data directory, or finds what
// runs already.
func (b *bench) open(ctx context.Context, name string) (*subject, error) {
	return b.openWith(ctx, name, configuration)
}

// openWith is open with another configuration; what runs already has its own.
func (b *bench) openWith(ctx context.Context, name string, config []byte) (*subject, error) {
	if name == report.TargetParley && b.opts.url != "" {
		return b.attach()
	}

	command := []string{b.binary, "start"}

	if name != report.TargetParley {
		own, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}

		command = []string{own, map[string]string{report.TargetBare: serveBare, report.TargetNaive: serveNaive}[name]}
	}

	process, err := target.New(ctx, target.Spec{Name: name, Command: command, Config: config, Parent: b.dir})
	if err != nil {
		return nil, err
	}

	s := &subject{name: name, process: process, url: process.URL(), dataDir: process.DataDir(), profile: process.Profile()}

	if err := s.up(ctx, b.opts); err != nil {
		return nil, errors.Join(err, process.Remove())
	}

	return s, nil
}

// up starts the process, again after a kill, and connects to it.
func (s *subject) up(ctx context.Context, opts *options) error {
	if err := s.process.Start(); err != nil {
		return err
	}

	s.pid = s.process.PID()

	if err := s.process.AwaitReady(ctx); err != nil {
		return err
	}

	address := s.process.Temporal()
	if s.name == report.TargetBare {
		address = ""
	}

	return s.connect(address, opts.connections)
}

func (b *bench) attach() (*subject, error) {
	s := &subject{name: report.TargetParley, url: b.opts.url, dataDir: b.opts.dataDir, profile: b.opts.pprof, pid: b.opts.pid}

	if err := s.connect(b.opts.temporal, b.opts.connections); err != nil {
		return nil, err
	}

	return s, nil
}

func (s *subject) connect(temporal string, connections int) error {
	s.disconnect()

	var err error

	// A webhook that is repeated at the same time needs a second connection.
	if s.client, err = drive.NewClient(s.url, 2*connections); err != nil { //nolint:mnd // see above
		return err
	}

	if temporal == "" {
		return nil
	}

	silent := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	if s.temporal, err = client.NewLazyClient(client.Options{HostPort: temporal, Logger: silent}); err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}

	return nil
}

func (s *subject) disconnect() {
	if s.client != nil {
		s.client.Close()
	}

	if s.temporal != nil {
		s.temporal.Close()
		s.temporal = nil
	}
}

// close ends a process that was started here. Its data is of no further use, so
// it is killed.
func (s *subject) close() error {
	s.disconnect()

	if s.process == nil {
		return nil
	}

	return s.process.Remove()
}

// alive says why a process that was started here no longer runs.
func (s *subject) alive() error {
	if s.process == nil {
		return nil
	}

	return s.process.Alive()
}

// policies are what the configuration says.
func policies() (*baseline.File, error) { return baseline.ReadFile(configuration) }
