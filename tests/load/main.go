// Command load is Parley's benchmark. It drives Parley, and beside it two
// baselines with the same work, and prints one table and the ratios:
//
//	go run ./tests/load
//
// builds Parley, starts it on a temporary data directory, and measures
// everything; --quick does so in less than three minutes, --url drives a Parley
// that runs already with the configuration tests/load/parley.yaml.
//
// It sends to loopback only, a bounded number of requests, and checks every
// conversation's counts at the end: a figure of a run that lost something is
// no figure.
//
// The time from a webhook to its application is not asked for while it runs:
// Temporal's history has the time at which the task that took an event in was
// completed, and the program knows when the event was due to be sent, on the
// same machine's clock. Read afterwards, this is exact for every event and
// costs nothing meanwhile. In the same way a run's last event tells when the
// conversation was finished.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/parleyhq/parley/tests/load/baseline"
)

// The hidden subcommands with which this program starts the baselines, so that
// their processor time and memory are measured as Parley's are.
const (
	serveBare  = "serve-bare"
	serveNaive = "serve-naive"
)

func main() {
	// A reader that has gone, or a terminal, is a reason to clean up, too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := newCommand().ExecuteContext(ctx)

	stop()

	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "load: interrupted")

		const interrupted = 130

		os.Exit(interrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	opts := &options{}
	command := &cobra.Command{
		Use:   "load",
		Short: "Measure Parley against its own baselines",
		Long: "Builds Parley, starts it on a temporary data directory and free ports, and measures it: how fast it acknowledges,\n" +
			"applies and finishes, what that costs, how late clocks fire, and how soon it is back after SIGKILL. Two baselines\n" +
			"take the same work in the same run, so that the ratios hold on any machine:\n\n" +
			"  bare   the same HTTP server in front of one SQLite table, group commit, and nothing else\n" +
			"  naive  one SignalWithStart per request, no inbox, and the same workflow, server and settings\n\n" +
			"Modes:\n\n" + describeModes() +
			"\nEverything runs on 127.0.0.1. An interrupt stops what was started and removes it.",
		Example: "  go run ./tests/load --quick                       # everything, in less than three minutes\n" +
			"  go run ./tests/load --repeat 3                    # medians of three runs\n" +
			"  go run ./tests/load --mode idle --long            # 100,000 open conversations\n" +
			"  go run ./tests/load --mode few --rate 500         # at a fixed offered rate\n" +
			"  go run ./tests/load --mode many --profile .       # with CPU profiles, where the process offers them\n" +
			"  go run ./tests/load --url http://127.0.0.1:8080 --pid 4711 --data-dir parley-data",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := opts.check(command.Flags()); err != nil {
				return err
			}

			// It shares the machine with what it measures.
			const collectLess = 400

			debug.SetGCPercent(collectLess)

			return run(command.Context(), opts, command.OutOrStdout(), command.ErrOrStderr())
		},
	}

	opts.declare(command.Flags())
	command.CompletionOptions.DisableDefaultCmd = true
	command.AddCommand(
		newBaseline(serveBare, baseline.Bare),
		newBaseline(serveNaive, baseline.Naive),
	)

	return command
}

func newBaseline(name string, serve func(ctx context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return serve(command.Context()) },
	}
}
