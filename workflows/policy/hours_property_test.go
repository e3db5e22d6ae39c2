package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/workflows/policy"
)

// drawHours makes calendars with odd windows in zones with odd clocks, and
// times near the changes of those clocks.
func drawHours(t *rapid.T) *policy.Hours {
	zone := rapid.SampledFrom([]string{
		"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC", "America/St_Johns",
	}).Draw(t, "zone")
	days := map[string][]string{}

	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		cuts := rapid.SliceOfNDistinct(rapid.IntRange(0, 24*12-1), 0, 6, rapid.ID).Draw(t, day)
		days[day] = windows(cuts)
	}

	if len(days["wed"]) == 0 {
		days["wed"] = []string{"01:30-03:00"}
	}

	holidays := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return drawTime(t, "holiday").Format(time.DateOnly)
	}), 0, 3).Draw(t, "holidays")

	return calendar(t, zone, days, holidays...)
}

// windows makes pairs of the cuts, in five minutes; a last pair may go past
// midnight.
func windows(cuts []int) []string {
	sorted := append([]int(nil), cuts...)
	for i := range sorted {
		for j := i + 1; j < len(sorted); j++ {
			if sorted[j] < sorted[i] {
				sorted[i], sorted[j] = sorted[j], sorted[i]
			}
		}
	}

	out := []string{}

	for i := 0; i+1 < len(sorted); i += 2 {
		out = append(out, fmt.Sprintf("%s-%s", clock(sorted[i]), clock(sorted[i+1])))
	}

	if len(sorted)%2 == 1 {
		out = append(out, fmt.Sprintf("%s-%s", clock(sorted[len(sorted)-1]), clock(sorted[0]/2)))
	}

	if len(sorted) == 1 && sorted[0] == 0 {
		return []string{"00:00-24:00"}
	}

	return out
}

func clock(fives int) string { return fmt.Sprintf("%02d:%02d", fives/12, fives%12*5) }

func drawTime(t *rapid.T, label string) time.Time {
	near := rapid.SampledFrom([]time.Time{
		time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
		time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),
		time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC),
		time.Date(2028, 12, 31, 12, 0, 0, 0, time.UTC), // a leap year's last day
		time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC), // and one beyond the tables
		time.Date(2010, 11, 7, 2, 31, 0, 0, time.UTC),
	}).Draw(t, label)

	return near.Add(drawDuration(t, label+" off", -72*time.Hour, 72*time.Hour))
}

func drawDuration(t *rapid.T, label string, from, to time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(int64(from), int64(to)).Draw(t, label))
}

func TestPropertyBetweenUndoesAdd(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		h, at := drawHours(t), drawTime(t, "at")
		d := drawDuration(t, "d", 0, 100*time.Hour)

		require.Equal(t, d, h.Between(at, h.Add(at, d)))
	})
}

func TestPropertyAddInTwoSteps(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		h, at := drawHours(t), drawTime(t, "at")
		a, b := drawDuration(t, "a", 0, 50*time.Hour), drawDuration(t, "b", 0, 50*time.Hour)

		require.True(t, h.Add(at, a+b).Equal(h.Add(h.Add(at, a), b)))
	})
}

func TestPropertyMonotone(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		h, at := drawHours(t), drawTime(t, "at")
		later := at.Add(drawDuration(t, "later", 0, 48*time.Hour))
		d, more := drawDuration(t, "d", 0, 50*time.Hour), drawDuration(t, "more", 1, time.Hour)

		require.False(t, h.Add(later, d).Before(h.Add(at, d)))
		require.True(t, h.Add(at, d+more).After(h.Add(at, d)))
		require.False(t, h.Add(at, d).Before(at.Add(d)), "open time is never longer than time")
	})
}

func TestPropertyBetweenAdds(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		h, a := drawHours(t), drawTime(t, "a")
		b := a.Add(drawDuration(t, "b", 0, 72*time.Hour))
		c := b.Add(drawDuration(t, "c", 0, 72*time.Hour))

		require.Equal(t, h.Between(a, c), h.Between(a, b)+h.Between(b, c))
	})
}

func TestPropertyBetweenCountsOpen(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		h := drawHours(t)
		from := drawTime(t, "from").Truncate(time.Minute)
		to := from.Add(drawDuration(t, "for", 0, 30*time.Hour).Truncate(time.Minute))

		require.Equal(t, openMinutes(h, from, to), h.Between(from, to))
	})
}

// TestPropertyOpenFollowsTheWall states anew, from the clock on the wall alone,
// when a calendar is open: minute by minute, the latest time that the clock has
// shown so far lies in a window. A clock that is put back shows nothing new.
func TestPropertyOpenFollowsTheWall(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}).Draw(t, "zone")
		from := rapid.IntRange(0, 24*12-2).Draw(t, "from")
		to := rapid.IntRange(from+1, 24*12-1).Draw(t, "to")
		h := calendar(t, zone, map[string][]string{"mon-sun": {clock(from) + "-" + clock(to)}})

		location, err := policy.LoadZone(zone)
		require.NoError(t, err)

		start := drawTime(t, "start").Truncate(time.Minute)
		shown := int64(0)

		for at := start.Add(-3 * time.Hour); at.Before(start.Add(6 * time.Hour)); at = at.Add(time.Minute) {
			_, offset := at.In(location).Zone()
			shown = max(shown, at.Unix()+int64(offset))

			if at.Before(start) {
				continue
			}

			minute := shown % 86400 / 60
			want := minute >= int64(from)*5 && minute < int64(to)*5
			require.Equal(t, want, h.Open(at), at.In(location))
		}
	})
}
