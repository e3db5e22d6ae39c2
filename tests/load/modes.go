package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/staff"
)

// size is how much work a mode is.
type size struct{ conversations, events int }

// mode is one kind of work.
type mode struct {
	name string
	// what it does, for people.
	what        string
	full, quick size
	// targets that it is run on, in this order. A baseline that costs nothing
	// stands before and after, for its median.
	targets []string
	// spared are the targets that the quick form leaves out.
	spared []string
	// rate is that of a mode which always offers a fixed one.
	rate float64
	// plan of a mode that sends whole conversations; what it names is filled in.
	plan drive.Plan
	// run measures a mode that does something else, once.
	run func(ctx context.Context, b *bench, m *mode, target string) error
	// patience is how long one run may take.
	patience time.Duration
	// owned needs a process that was started here.
	owned bool
}

// offeredRate is one that every target sustains on two cores.
const offeredRate = 300

// modes are all, in the order in which they are run.
func modes() []mode {
	const (
		usual  = 3 * time.Minute
		longer = 30 * time.Minute
	)

	parley := []string{report.TargetParley}
	all := []string{report.TargetBare, report.TargetParley, report.TargetBare, report.TargetNaive, report.TargetBare}

	return []mode{
		{
			name: report.ModeMany, what: "many conversations of 20 events, each connection one after the other", targets: all,
			full: size{500, 20}, quick: size{250, 20}, patience: usual,
		},
		{
			name: report.ModeFew, what: "few conversations of 200 events", targets: parley,
			full: size{50, 200}, quick: size{25, 200}, patience: usual,
		},
		{
			name: "hot", what: "one conversation whose events come over all connections at once", targets: parley,
			full: size{1, 2000}, quick: size{1, 1000}, plan: drive.Plan{Crowded: true}, patience: usual,
		},
		{
			name: "duplicates", what: "every third webhook comes twice, at the same time or after its answer", targets: parley,
			full: size{200, 20}, quick: size{75, 20}, plan: drive.Plan{Repeats: true}, patience: usual,
		},
		{
			name: "short", what: "conversations of a message and a close", targets: parley,
			full: size{1000, 2}, quick: size{400, 2}, patience: usual,
		},
		{
			name: report.ModeOffered, what: fmt.Sprintf("many at %d events/s, whatever the answers take", offeredRate),
			targets: []string{report.TargetBare, report.TargetParley, report.TargetNaive}, spared: []string{report.TargetBare},
			full: size{200, 20}, quick: size{75, 20}, rate: offeredRate, patience: usual,
		},
		{
			name: report.ModeSingle, what: "20 messages one at a time into a running conversation, nothing else going on",
			targets: []string{report.TargetParley, report.TargetBare, report.TargetNaive}, spared: []string{report.TargetNaive},
			full: size{1, 20}, quick: size{1, 20}, run: single, patience: usual,
		},
		{
			name: "clocks", what: fmt.Sprintf("%d clocks per second, and how late they fire", report.ClocksPerSecond), targets: parley,
			// The last of them opens before the first clock fires.
			full: size{2 * report.ClocksPerSecond, 1}, quick: size{2 * report.ClocksPerSecond, 1}, run: clocks, patience: usual,
		},
		{
			name: "idle", what: "open conversations with armed clocks; then SIGKILL, and a restart when clocks are overdue",
			targets: parley, full: size{5000, 1}, quick: size{5000, 1}, run: idle, patience: longer, owned: true,
		},
		{
			name: "desk", what: "all escalate at once on one desk, then on ten side by side; agents take, chat for a second and close",
			targets: parley, full: size{2000, staff.Events}, quick: size{200, staff.Events}, run: desks, patience: longer, owned: true,
		},
	}
}

func modeNames() []string {
	names := make([]string, 0, len(modes()))
	for _, m := range modes() {
		names = append(names, m.name)
	}

	return names
}

func describeModes() string {
	var text strings.Builder
	for _, m := range modes() {
		fmt.Fprintf(&text, "  %-11s %s\n", m.name, m.what)
	}

	return text.String()
}

// chosen are the modes that the options ask for, at their sizes.
func chosen(opts *options) []mode {
	var out []mode

	for _, m := range modes() {
		if len(opts.modes) > 0 && !slices.Contains(opts.modes, m.name) {
			continue
		}

		// Where everything is measured, what needs a process of our own is left out
		// of a foreign one.
		if len(opts.modes) == 0 && opts.url != "" && m.owned {
			continue
		}

		m.targets = slices.Clone(m.targets)
		how := m.full

		if opts.quick {
			how = m.quick
			m.targets = slices.DeleteFunc(m.targets, func(name string) bool { return slices.Contains(m.spared, name) })
		}

		if opts.long && m.name == "idle" {
			how.conversations = report.LongIdle
		}

		if opts.conversations > 0 && m.name != report.ModeSingle {
			how.conversations = opts.conversations
		}

		if opts.events > 0 && m.run == nil {
			how.events = opts.events
		}

		if opts.rate > 0 && m.run == nil {
			m.rate = opts.rate
		}

		if opts.patience > 0 {
			m.patience = opts.patience
		}

		m.plan.Conversations, m.plan.Events = how.conversations, how.events
		m.targets = slices.DeleteFunc(m.targets, func(name string) bool { return !slices.Contains(opts.targets, name) })
		out = append(out, m)
	}

	return out
}
