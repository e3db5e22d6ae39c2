package faults_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The command line; see the package's description.
//
//nolint:gochecknoglobals // flags are
var (
	seedFlag     = flag.Uint64("seed", 0, "repeats the choices of the run that printed it; 0 takes a new one")
	durationFlag = flag.Duration("duration", 0, "repeats all scenarios for so long; 0 runs the short form once")
	onlyFlag     = flag.String("only", "", "scenarios to run, separated by commas; all of them if empty")
	keepFlag     = flag.Bool("keep", false, "keep the data directories of failed scenarios")
	binaryFlag   = flag.String("binary", "", "a program built with the tag faults; built here if empty")
)

// binary is the program under test; begun is when the tests did.
//
//nolint:gochecknoglobals // set by TestMain only
var (
	binary string
	begun  = time.Now()
)

// Variables by which the tests' own program is started for other ends.
const (
	hostVariable   = "PARLEY_FAULTS_TEMPORAL"
	insideVariable = "PARLEY_FAULTS_INSIDE"
)

func TestMain(m *testing.M) {
	if os.Getenv(hostVariable) != "" {
		os.Exit(hostTemporal())
	}

	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	flag.Parse()

	if err := settle(); err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	dir, err := os.MkdirTemp("", "parley-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	defer func() { _ = os.RemoveAll(dir) }()

	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	return m.Run()
}

// settle chooses a seed, and lets more scenarios run at once than there are
// processors, unless told otherwise: most of the time they wait.
func settle() error {
	const together = 3

	if *seedFlag == 0 {
		*seedFlag = rand.Uint64N(1_000_000_000) + 1
	}

	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })

	if told || runtime.GOMAXPROCS(0) >= together {
		return nil
	}

	return flag.Set("test.parallel", strconv.Itoa(together))
}

func build(dir string) error {
	binary = *binaryFlag
	if binary != "" {
		return nil
	}

	binary = filepath.Join(dir, "parley")

	command := exec.Command("go", "build", "-tags", "faults", "-o", binary, "github.com/parleyhq/parley/cmd/parley")
	command.Stdout, command.Stderr = os.Stderr, os.Stderr

	if err := command.Run(); err != nil {
		return fmt.Errorf("build the binary: %w", err)
	}

	return nil
}

// scenario is one kind of fault.
type scenario struct {
	name string
	run  func(w *world)
}

func scenarios() []scenario {
	return []scenario{
		{"kill", killed},
		{"points", killedAtPoints},
		{"away", temporalAway},
		{"brink", brink},
		{"disk", diskFull},
		{"clock", clocksJump},
		{"shuffle", shuffled},
		{"same", sameAtOnce},
		{"desk", deskKilled},
		{"desk-away", deskAway},
		{"desk-cut", deskCut},
	}
}

// TestFaults runs every scenario, in the long form again and again.
//
//nolint:tparallel // one round after the other; within a round they run together
func TestFaults(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", *seedFlag)

	chosen := choose(t)
	sum := &totals{}

	for round := 1; round == 1 || time.Since(begun) < *durationFlag; round++ {
		t.Run(fmt.Sprintf("round-%d", round), func(t *testing.T) {
			for _, each := range chosen {
				t.Run(each.name, func(t *testing.T) {
					t.Parallel()

					w := newWorld(t, each.name, *seedFlag+uint64(round)-1)
					each.run(w)
					sum.add(w.report())
				})
			}
		})
	}

	t.Logf("all in all, in %s: %s", time.Since(begun).Round(time.Second), sum)
}

// choose returns the scenarios that -only names.
func choose(t *testing.T) []scenario {
	t.Helper()

	if *onlyFlag == "" {
		return scenarios()
	}

	var chosen []scenario

	for name := range strings.SplitSeq(*onlyFlag, ",") {
		at := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		require.GreaterOrEqual(t, at, 0, "there is no scenario %q", name)

		chosen = append(chosen, scenarios()[at])
	}

	return chosen
}

// long reports whether this is the long form.
func long() bool { return *durationFlag > 0 }

// pick is what the short form and the long form do of something.
func pick[T any](short, longer T) T {
	if long() {
		return longer
	}

	return short
}

// background is for what must be done although the test is over.
func background(patience time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}
