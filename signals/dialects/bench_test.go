package dialects_test

import (
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
)

// The figures of docs/benchmarks.md, over every fixture of every dialect:
//
//	go test ./signals/dialects -run '^$' -bench . -benchtime 2s

// perEvent measures work on all fixtures of each dialect, and divides what it
// takes by the number of their events. prepare returns the work on one fixture.
func perEvent(b *testing.B, prepare func(b *testing.B, d dialects.Dialect, p platform, s sample) func() error) {
	b.Helper()

	table := dialects.Table()

	for _, name := range slices.Sorted(maps.Keys(table)) {
		b.Run(name, func(b *testing.B) {
			d, p := table[name], platforms()[name]

			var work []func() error

			events := 0

			for _, s := range p.samples(b) {
				if s.unsigned { // refused where there are secrets
					continue
				}

				decoded, err := d.Decode(s.req, source())
				require.NoError(b, err)

				events += len(decoded)

				work = append(work, prepare(b, d, p, s))
			}

			var before, after runtime.MemStats

			runtime.GC()
			runtime.ReadMemStats(&before)

			for b.Loop() {
				for _, one := range work {
					if err := one(); err != nil {
						b.Fatal(err)
					}
				}
			}

			runtime.ReadMemStats(&after)

			done := float64(b.N * events)
			b.ReportMetric(0, "ns/op") // of the whole set, which means nothing
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/done, "ns/event")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/done, "B/event")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/done, "allocs/event")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	perEvent(b, func(_ *testing.B, d dialects.Dialect, p platform, s sample) func() error {
		req, src := p.signed(s.req, secret), source(other, secret)

		return func() error { return d.Verify(req, src) }
	})
}

func BenchmarkDecode(b *testing.B) {
	perEvent(b, func(_ *testing.B, d dialects.Dialect, p platform, s sample) func() error {
		req, src := p.signed(s.req, secret), source(secret)

		return func() error {
			_, err := d.Decode(req, src)

			return err
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	perEvent(b, func(b *testing.B, d dialects.Dialect, _ platform, s sample) func() error {
		b.Helper()

		events, err := d.Decode(s.req, source())
		require.NoError(b, err)

		var words []signals.Event

		for i := range events {
			if _, err := d.Encode(events[i]); err == nil { // what comes along need not have a word of its own
				words = append(words, events[i])
			}
		}

		return func() error {
			for i := range words {
				if _, err := d.Encode(words[i]); err != nil {
					return err
				}
			}

			return nil
		}
	})
}
