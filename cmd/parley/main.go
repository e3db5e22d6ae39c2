// Command parley runs live-chat conversations as durable workflows.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version of Parley; a release sets it with -ldflags "-X main.version=…".
var version = "0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)

	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code: 0, or 1 with one
// line on stderr that says what to change. Tests call it as main does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand() //nolint:contextcheck // cobra hands the context to its commands
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)

	if err := root.ExecuteContext(ctx); err != nil {
		if _, printErr := fmt.Fprintln(stderr, "parley: "+err.Error()); printErr != nil {
			return 1
		}

		return 1
	}

	return 0
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "parley",
		Short: "Durable workflows for live-chat conversations",
		Long: "Parley runs every live-chat conversation as one durable Temporal workflow: webhooks come in,\n" +
			"clocks that survive anything drive escalations, notices and tickets.\n\n" +
			"Begin with: parley start --demo",
		Version:           version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}

	root.AddCommand(
		newStartCommand(), newDoctorCommand(), newKeyCommand(), newSendCommand(environment()), newVerifyCommand(environment()),
		newConfigCommand([]envConfig{{config: &settings{}}}, environment()),
	)

	return root
}

// environment is the process's own, by name.
func environment() map[string]string {
	variables := make(map[string]string)

	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok {
			variables[name] = value
		}
	}

	return variables
}
