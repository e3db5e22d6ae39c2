package stats_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/tests/load/stats"
)

func TestQuantilesAreNearestRanks(t *testing.T) {
	t.Parallel()

	hundred := make([]time.Duration, 0, 100)
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}

	require.Equal(t, stats.Quantiles{
		Count: 100, P50: 50 * time.Millisecond, P95: 95 * time.Millisecond, P99: 99 * time.Millisecond, Max: 100 * time.Millisecond,
	}, stats.Summarize(hundred))

	for name, test := range map[string]struct {
		values []int
		q      float64
		want   int
	}{
		"none":           {nil, 0.5, 0},
		"one":            {[]int{7}, 0.99, 7},
		"lower of two":   {[]int{1, 2}, 0.5, 1},
		"the first":      {[]int{1, 2, 3}, 0, 1},
		"the last":       {[]int{1, 2, 3}, 1, 3},
		"p99 of a few":   {[]int{1, 2, 3, 4}, 0.99, 4},
		"p95 of twenty":  {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, 0.95, 19},
		"just above p95": {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, 0.951, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, stats.At(test.values, test.q))
		})
	}
}

func TestQuantileBoundsItsShare(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.IntRange(0, 50), 1, 300).Draw(t, "values")
		q := rapid.Float64Range(0.01, 1).Draw(t, "q")

		slices.Sort(values)
		at := stats.At(values, q)

		notAbove, below := 0, 0

		for _, value := range values {
			if value <= at {
				notAbove++
			}

			if value < at {
				below++
			}
		}

		share := q * float64(len(values))
		if float64(notAbove) < share-1e-9 {
			t.Fatalf("%d of %d values are not above %d, want at least %f", notAbove, len(values), at, share)
		}

		if float64(below) >= share {
			t.Fatalf("%d of %d values are below %d: a smaller one would do for %f", below, len(values), at, share)
		}
	})
}

func TestMedianLeavesItsValuesAlone(t *testing.T) {
	t.Parallel()

	values := []float64{3, 1, 2}
	require.InDelta(t, 2.0, stats.Median(values), 0)
	require.Equal(t, []float64{3, 1, 2}, values)
	require.Zero(t, stats.Median([]int(nil)))
}

func TestPerSecond(t *testing.T) {
	t.Parallel()

	require.InDelta(t, 500.0, stats.PerSecond(1000, 2*time.Second), 1e-9)
	require.Zero(t, stats.PerSecond(1000, 0))
}

func TestScheduleDoesNotDrift(t *testing.T) {
	t.Parallel()

	begin := time.Unix(1_800_000_000, 0)
	schedule := stats.Schedule{Begin: begin, Rate: 3}

	require.Equal(t, begin, schedule.Due(0))
	require.WithinDuration(t, begin.Add(time.Second/3), schedule.Due(1), time.Microsecond)
	// A third of a second has no exact form; a million of them are a million thirds all the same.
	require.WithinDuration(t, begin.Add(1_000_000*time.Second), schedule.Due(3_000_000), time.Microsecond)
}

func TestInterleavingNumbersEveryEventOnce(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		order := stats.Interleaving{
			Conversations: rapid.IntRange(1, 40).Draw(t, "conversations"),
			Events:        rapid.IntRange(1, 20).Draw(t, "events"),
			Width:         rapid.IntRange(1, 50).Draw(t, "width"),
		}

		seen := make([]bool, order.Conversations*order.Events)

		for conversation := range order.Conversations {
			before := -1

			for event := range order.Events {
				place := order.Place(conversation, event)
				if place <= before {
					t.Fatalf("event %d of conversation %d is due before the one before it", event, conversation)
				}

				if seen[place] {
					t.Fatalf("place %d is taken twice", place)
				}

				seen[place], before = true, place
			}
		}

		if slices.Contains(seen, false) {
			t.Fatalf("a place is empty")
		}
	})
}

func TestInterleavingGoesSideBySide(t *testing.T) {
	t.Parallel()

	order := stats.Interleaving{Conversations: 3, Events: 2, Width: 2}

	require.Equal(t, [][]int{{0, 2}, {1, 3}, {4, 5}}, [][]int{
		{order.Place(0, 0), order.Place(0, 1)},
		{order.Place(1, 0), order.Place(1, 1)},
		{order.Place(2, 0), order.Place(2, 1)},
	})
}
