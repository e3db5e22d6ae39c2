package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/parleyhq/parley/workflows/policy"
)

// stopPatience is how long a stop may take in all.
const stopPatience = 10 * time.Second

// startFlags are the flags of `parley start`.
type startFlags struct {
	demo   bool
	expose bool
}

func newStartCommand() *cobra.Command {
	var flags startFlags

	command := &cobra.Command{
		Use:   "start",
		Short: "Run everything in one process: webhooks, worker and, unless TEMPORAL_ADDRESS is set, Temporal with its UI",
		Long: "Runs the gateway for webhooks, the worker and, unless TEMPORAL_ADDRESS is set, a Temporal server with its\n" +
			"UI on SQLite in the data directory. A later start on the same directory goes on with every conversation and\n" +
			"every clock. `parley config` lists all settings.",
		Example: "  parley start --demo\n  PARLEY_CONFIG=parley.yaml parley start\n  TEMPORAL_ADDRESS=temporal:7233 parley start",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return start(command.Context(), flags, command.OutOrStdout(), command.ErrOrStderr())
		},
	}

	command.Flags().BoolVar(&flags.demo, "demo", false, "give every source the policy demo: the first push after 5 s")
	command.Flags().BoolVar(&flags.expose, "expose-temporal", false,
		"let PARLEY_TEMPORAL_HOST be an address beyond loopback; the embedded Temporal has no authentication")

	return command
}

// start runs Parley until the context ends, and stops it cleanly.
func start(ctx context.Context, flags startFlags, stdout, stderr io.Writer) error {
	begun := time.Now()

	all, err := readSettings()
	if err != nil {
		return err
	}

	all.Temporal.ExposeTemporal = flags.expose

	file, err := findConfigFile(os.LookupEnv)
	if err != nil {
		return err
	}

	book, err := file.Book(flags.demo)
	if err != nil {
		return err
	}

	sources, err := edgeSources(book, file.sources != nil)
	if err != nil {
		return err
	}

	log := all.logger(stderr)
	for _, line := range strayIn(environment(), file) {
		log.WarnContext(ctx, line) //nolint:sloglint // the line names the variable and the one that may be meant
	}

	running := &system{settings: all, file: file, book: book, sources: sources, log: log, stdout: stdout}

	if err := running.up(ctx); err != nil {
		return errors.Join(err, running.down(ctx))
	}

	shown := running.banner(flags, shownPolicy(book, flags.demo), begun)
	if err := shown.print(stdout); err != nil {
		return errors.Join(err, running.down(ctx))
	}

	failed := running.serve(ctx)

	log.InfoContext(ctx, "stopping", slog.String("at_most", stopPatience.String()))

	return errors.Join(failed, running.down(ctx))
}

// banner fills in what runs.
func (s *system) banner(flags startFlags, shown policy.Policy, begun time.Time) *banner {
	directory, err := filepath.Abs(s.settings.Temporal.DataDir)
	if err != nil {
		directory = s.settings.Temporal.DataDir
	}

	result := &banner{
		Version: version, DataDir: directory, Demo: flags.demo, Policy: shown, HTTP: s.edge.Addr(), Sources: s.sources,
		Desks: len(s.file.desks.Names()),
		Keys:  len(s.settings.HTTP.APIKeys) > 0, Namespace: s.namespace, GRPC: s.address, Took: time.Since(begun), Now: time.Now(),
	}

	if s.server != nil {
		result.UI, result.GRPC = s.server.UIAddress(), s.server.FrontendAddress()
	}

	return result
}

// serve answers requests until the context ends; the error is why it could not.
func (s *system) serve(ctx context.Context) error {
	ended := make(chan error, 1)

	go func() { ended <- s.edge.Serve() }()

	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		if err == nil {
			err = errServe
		}

		return fmt.Errorf("serve: %w", err)
	}
}

var errServe = errors.New("the HTTP server ended by itself")
