// Package stats is the arithmetic of measuring: quantiles, medians, and when
// the requests of a fixed offered rate are due.
package stats

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Quantiles are the ones that are shown of a set of durations; all are zero
// for an empty one.
type Quantiles struct {
	Count int           `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Summarize returns the quantiles of values, in whatever order they are; it
// sorts them.
func Summarize(values []time.Duration) Quantiles {
	slices.Sort(values)

	return Quantiles{
		Count: len(values), P50: At(values, 0.50), P95: At(values, 0.95), P99: At(values, 0.99), Max: At(values, 1),
	}
}

// At returns the quantile q, from 0 to 1, of sorted values by the nearest
// rank: the smallest value that at least that share of all does not exceed. Of
// no values it is the zero value.
func At[T any](sorted []T, q float64) T {
	if len(sorted) == 0 {
		var none T

		return none
	}

	rank := int(math.Ceil(q * float64(len(sorted))))

	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Median returns the value in the middle, the lower of two; it leaves values as
// they are.
func Median[T cmp.Ordered](values []T) T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)

	return At(sorted, 0.5) //nolint:mnd // the middle
}

// PerSecond is how many there were in a second; zero in no time.
func PerSecond(count int, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}

	return float64(count) / took.Seconds()
}
