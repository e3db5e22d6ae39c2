package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/target"
)

// bench is one run of this program.
type bench struct {
	opts     *options
	progress *progress
	// dir holds everything that is made, and binary in it what is driven.
	dir, binary string
	// name sets the conversations of this run apart from those of others.
	name string
	runs atomic.Int64

	results report.Results
}

func (b *bench) add(one report.Row) {
	b.results.Rows = append(b.results.Rows, one)
	b.progress.say(fmt.Sprintf("%s %s: %s", one.Name(), one.Target, one.Short()))
}

// run measures what the options ask for and prints it. What was measured before
// a failure is printed, too.
func run(ctx context.Context, opts *options, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp(opts.dir, "parley-load-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	b := &bench{
		opts: opts, progress: newProgress(stderr), dir: dir, name: "load-" + strconv.FormatInt(time.Now().UnixMilli(), 36), //nolint:mnd // base
	}
	defer b.progress.close()

	if target.InMemory(dir) {
		b.progress.say(dir + " is in memory, where a commit costs nothing: name a directory on a disk with --dir")
	}

	if opts.profile != "" {
		const dirMode = 0o750
		if err := os.MkdirAll(opts.profile, dirMode); err != nil {
			return fmt.Errorf("make the directory of profiles: %w", err)
		}
	}

	if err := b.build(ctx); err != nil {
		return err
	}

	failed := b.measure(ctx)

	if ctx.Err() != nil {
		failed = context.Cause(ctx)
	}

	return errors.Join(failed, b.print(stdout))
}

// measure runs the chosen modes in turn; those that send whole conversations as
// often as is asked for, so that a disturbance does not meet all runs of one.
func (b *bench) measure(ctx context.Context) error {
	modes := chosen(b.opts)

	for range b.opts.repeat {
		for i := range modes {
			if modes[i].run != nil {
				continue
			}

			for _, name := range modes[i].targets {
				if err := b.one(ctx, &modes[i], name, b.work); err != nil {
					return err
				}
			}
		}
	}

	for i := range modes {
		if modes[i].run == nil {
			continue
		}

		for _, name := range modes[i].targets {
			err := b.one(ctx, &modes[i], name, func(ctx context.Context, m *mode, name string) error { return m.run(ctx, b, m, name) })
			if err != nil {
				return err
			}
		}
	}

	return nil
}

// one runs one mode on one target, for as long as it may take.
func (b *bench) one(ctx context.Context, m *mode, name string, do func(ctx context.Context, m *mode, name string) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.patience)
	defer cancel()

	b.progress.about(m.name+" "+name, func() string { return "starting" })

	if err := do(ctx, m, name); err != nil {
		return fmt.Errorf("%s %s: %w", m.name, name, err)
	}

	return nil
}

// print writes the table, and JSON where it is wanted.
func (b *bench) print(out io.Writer) error {
	if b.opts.json == "-" {
		return b.results.JSON(out)
	}

	if b.opts.json != "" {
		file, err := os.Create(b.opts.json)
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}

		if err := errors.Join(b.results.JSON(file), file.Close()); err != nil {
			return err
		}
	}

	if len(b.results.Rows) == 0 && b.results.Recovery == nil && len(b.results.Drains) == 0 {
		return nil
	}

	return b.results.Print(out, b.opts.repeat)
}
