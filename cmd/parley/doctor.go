package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/worker"
	"github.com/parleyhq/parley/worker/embedded"
	"github.com/parleyhq/parley/workflows/policy"
)

var errUnwell = errors.New("found something to mend")

// finding is one line of the doctor's: what was looked at, and what to do. A
// warning is a remark that somebody should read.
type finding struct {
	what    string
	err     error
	remark  string
	warning bool
}

// line says what was found.
func (f *finding) line() string {
	switch {
	case f.err != nil:
		return fmt.Sprintf("FAIL  %-18s %s\n", f.what, f.err)
	case f.warning:
		return fmt.Sprintf("warn  %-18s %s\n", f.what, f.remark)
	default:
		return fmt.Sprintf("ok    %-18s %s\n", f.what, f.remark)
	}
}

func newDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check settings, data directory, ports, Temporal, clock and secrets",
		Long: "Checks what Parley needs, without changing anything, and says for each finding what to do. With\n" +
			"TEMPORAL_ADDRESS set it asks that cluster; otherwise it looks whether the embedded server could start.\n" +
			"Exits with 1 if something must be mended.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return runDoctor(command.Context(), command.OutOrStdout())
		},
	}
}

func runDoctor(ctx context.Context, out io.Writer) error {
	all, err := readSettings()
	if err != nil {
		return err
	}

	data, running := checkDataDir(all)
	findings := []finding{checkEdge(ctx, all, running), data}
	findings = append(findings, checkFile()...)

	if worker.External() {
		findings = append(findings, checkCluster(ctx)...)
	} else {
		findings = append(findings, finding{what: "Temporal", remark: "embedded; set " + worker.AddressVariable + " to use a cluster"},
			checkPorts(ctx, all, running), checkClock(time.Now()))
	}

	bad := 0

	for i := range findings {
		if findings[i].err != nil {
			bad++
		}

		if _, err := io.WriteString(out, findings[i].line()); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}

	if bad > 0 {
		return fmt.Errorf("doctor %w: %d of %d checks", errUnwell, bad, len(findings))
	}

	return nil
}

var errTaken = errors.New("another program listens there: stop it, or set another PARLEY_HTTP_ADDR")

// held is what a check says that would only find the Parley that runs.
const held = "not tried: a Parley with this data directory runs"

func checkEdge(ctx context.Context, all *settings, running bool) finding {
	found := finding{what: "HTTP", err: all.HTTP.Validate(), remark: all.HTTP.HTTPAddr + " is free"}
	if found.err != nil {
		return found
	}

	if running {
		found.remark = held

		return found
	}

	var config net.ListenConfig

	listener, err := config.Listen(ctx, "tcp", all.HTTP.HTTPAddr)

	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		found.err = fmt.Errorf("%s: %w", all.HTTP.HTTPAddr, errTaken)
	case err != nil:
		found.err = fmt.Errorf("%s cannot be listened on: %w; set PARLEY_HTTP_ADDR", all.HTTP.HTTPAddr, err)
	default:
		found.err = listener.Close()
	}

	return found
}

func checkPorts(ctx context.Context, all *settings, running bool) finding {
	if running {
		return finding{what: "ports", remark: held}
	}

	return finding{
		what: "ports", err: embedded.CheckPorts(ctx, all.Temporal),
		remark: fmt.Sprintf("%d (gRPC) and %d (UI) are free", all.Temporal.Port, all.Temporal.UIPort),
	}
}

// checkDataDir also tells whether a running Parley holds the directory.
func checkDataDir(all *settings) (finding, bool) {
	err := embedded.CheckDataDir(all.Temporal.DataDir)
	if errors.Is(err, embedded.ErrInUse) {
		return finding{what: "data directory", warning: true, remark: err.Error()}, true
	}

	return finding{what: "data directory", err: err, remark: all.Temporal.DataDir}, false
}

// checkFile reads the configuration and looks for sources that anybody on this
// machine may send to.
func checkFile() []finding {
	file, err := findConfigFile(os.LookupEnv)
	if err != nil {
		return []finding{{what: "configuration", err: err}}
	}

	book, err := file.Book(false)
	if err != nil {
		return []finding{{what: "configuration", err: err}}
	}

	remark := "none; the defaults hold"
	if file.Path != "" {
		remark = file.Path
	}

	sources, err := edgeSources(book, file.Path != "" && file.sources != nil)

	found := []finding{{what: "configuration", remark: remark}, checkSecrets(sources, err)}
	for _, line := range strayIn(environment(), file) {
		found = append(found, finding{what: "environment", warning: true, remark: line})
	}

	return found
}

func checkSecrets(sources []webhooks.Source, err error) finding {
	var open []string

	for i := range sources {
		if len(sources[i].Secrets) == 0 {
			open = append(open, sources[i].Name)
		}
	}

	remark := "every source has one"
	if len(open) > 0 {
		remark = "none for " + strings.Join(open, ", ") + ": accepted from this machine only"
	}

	return finding{what: "secrets", err: err, remark: remark}
}

// earliest is before the first release; a clock that says less is not set.
const earliest = 2026

var errClock = errors.New("the clock is wrong: set it, or let NTP")

func checkClock(now time.Time) finding {
	if now.Year() < earliest {
		return finding{what: "clock", err: fmt.Errorf("%w (%s)", errClock, now.Format(time.RFC3339))}
	}

	return finding{what: "clock", remark: now.Format(time.RFC3339)}
}

// checkCluster asks the cluster of the environment.
func checkCluster(ctx context.Context) []finding {
	const patience = 10 * time.Second

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	quiet := slog.New(slog.DiscardHandler)

	temporal, namespace, err := worker.Dial(ctx, "", "", nil, quiet)
	if err != nil {
		return []finding{{what: "Temporal", err: err}, checkClock(time.Now())}
	}
	defer temporal.Close()

	found := []finding{{what: "Temporal", remark: "reachable, namespace " + namespace}}

	missing, err := worker.MissingAttributes(ctx, temporal, namespace)
	remark := "all present"

	if len(missing) > 0 {
		remark = "Parley adds at its start: " + strings.Join(missing, ", ")
	}

	found = append(found, finding{what: "search attributes", err: err, remark: remark})

	asked := time.Now()

	info, err := temporal.WorkflowService().GetClusterInfo(ctx, &workflowservice.GetClusterInfoRequest{})
	if err != nil {
		return append(found, finding{what: "cluster", err: fmt.Errorf("ask for its version: %w", err)}, checkClock(asked))
	}

	return append(found, finding{what: "cluster", remark: "server " + info.GetServerVersion()}, checkClock(asked))
}

// shownPolicy is the policy that a start with these flags uses by default.
func shownPolicy(book *policy.Book, demo bool) policy.Policy {
	name := policy.DefaultName
	if demo {
		name = policy.DemoName
	}

	shown, _ := book.Policy(name)

	return shown
}
