package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/workflows/policy"
)

func TestAlwaysOpen(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

	for name, h := range map[string]*policy.Hours{"nil": nil, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.True(t, h.Open(now))
			require.Equal(t, now.Add(time.Hour), h.Add(now, time.Hour))
			require.Equal(t, time.Hour, h.Between(now, now.Add(time.Hour)))
			require.Zero(t, h.Between(now, now.Add(-time.Hour)))
			require.Equal(t, now, h.Add(now, -time.Hour))
			require.Empty(t, h.Zone())
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()

	office := calendar(t, "Europe/Berlin", map[string][]string{
		"mon-fri": {"09:00-12:30", "13:30-18:00"}, "wed": {"09:00-12:00"}, "sat": {"22:00-02:00"}, "fri": {"20:00-24:00"},
	}, "2026-12-25", "2026-12-26")

	for _, tc := range []struct {
		at   string
		open bool
	}{
		{"2026-11-23 08:59:59", false}, // a Monday
		{"2026-11-23 09:00:00", true},
		{"2026-11-23 12:29:59", true},
		{"2026-11-23 12:30:00", false},
		{"2026-11-23 13:30:00", true},
		{"2026-11-23 18:00:00", false},
		{"2026-11-25 11:59:59", true}, // Wednesday's own line counts
		{"2026-11-25 13:30:00", false},
		{"2026-11-27 10:00:00", false}, // Friday's too
		{"2026-11-27 23:59:59", true},
		{"2026-11-28 00:00:00", false},
		{"2026-11-28 22:00:00", true}, // Saturday's goes on past midnight
		{"2026-11-29 01:59:59", true},
		{"2026-11-29 02:00:00", false},
		{"2026-12-25 21:00:00", false}, // a holiday
		{"2026-12-26 23:00:00", false}, // another, and the night after it
		{"2026-12-27 01:00:00", false},
		{"2027-01-03 01:00:00", true},
	} {
		t.Run(tc.at, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.open, office.Open(local(t, office.Zone(), tc.at)))
		})
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()

	office := calendar(t, "Europe/Berlin", map[string][]string{"mon-fri": {"09:00-12:30", "13:30-18:00"}}, "2026-12-25")
	night := calendar(t, "Europe/Berlin", map[string][]string{"fri": {"22:00-02:00"}, "sat": {"01:00-03:00"}})

	for _, tc := range []struct {
		name  string
		hours *policy.Hours
		from  string
		add   time.Duration
		want  string
	}{
		{"inside", office, "2026-11-23 09:10:00", 5 * time.Minute, "2026-11-23 09:15:00"},
		{"before opening", office, "2026-11-23 03:00:00", 5 * time.Minute, "2026-11-23 09:05:00"},
		{"to the very end", office, "2026-11-23 12:00:00", 30 * time.Minute, "2026-11-23 12:30:00"},
		{"over lunch", office, "2026-11-23 12:29:00", 2 * time.Minute, "2026-11-23 13:31:00"},
		{"over the night", office, "2026-11-23 17:59:30", time.Minute, "2026-11-24 09:00:30"},
		{"over the weekend", office, "2026-11-27 17:00:00", 2 * time.Hour, "2026-11-30 10:00:00"},
		{"over Christmas", office, "2026-12-24 17:59:00", 2 * time.Minute, "2026-12-28 09:01:00"},
		{"two whole days", office, "2026-11-23 09:00:00", 16 * time.Hour, "2026-11-24 18:00:00"},
		{"nothing", office, "2026-11-22 10:00:00", 0, "2026-11-22 10:00:00"},
		{"past midnight", night, "2026-11-27 23:59:00", 2 * time.Minute, "2026-11-28 00:01:00"},
		{"what two windows share counts once", night, "2026-11-28 00:30:00", 2 * time.Hour, "2026-11-28 02:30:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			from, want := local(t, "Europe/Berlin", tc.from), local(t, "Europe/Berlin", tc.want)
			require.Equal(t, want.String(), tc.hours.Add(from, tc.add).String())
			require.Equal(t, tc.add, tc.hours.Between(from, want))
		})
	}
}

func TestClockChanges(t *testing.T) {
	t.Parallel()

	const night = "00:00-06:00"

	for _, tc := range []struct {
		name, zone, window string
		from, to           string // local, without a change of clocks in doubt
		open               time.Duration
	}{
		{"Berlin forward", "Europe/Berlin", night, "2026-03-28 12:00:00", "2026-03-29 12:00:00", 5 * time.Hour},
		{"Berlin back", "Europe/Berlin", night, "2026-10-24 12:00:00", "2026-10-25 12:00:00", 7 * time.Hour},
		{"Berlin, starts in the gap", "Europe/Berlin", "02:30-04:00", "2026-03-28 12:00:00", "2026-03-29 12:00:00", time.Hour},
		{"Berlin, ends in the gap", "Europe/Berlin", "01:00-02:30", "2026-03-28 12:00:00", "2026-03-29 12:00:00", time.Hour},
		{"Berlin, all in the gap", "Europe/Berlin", "02:10-02:50", "2026-03-28 12:00:00", "2026-03-29 12:00:00", 0},
		{"Berlin, starts in the hour twice", "Europe/Berlin", "02:30-04:00", "2026-10-24 12:00:00", "2026-10-25 12:00:00", 150 * time.Minute},
		{"Berlin, ends in it", "Europe/Berlin", "01:00-02:30", "2026-10-24 12:00:00", "2026-10-25 12:00:00", 90 * time.Minute},
		{"Berlin, all in it", "Europe/Berlin", "02:10-02:50", "2026-10-24 12:00:00", "2026-10-25 12:00:00", 40 * time.Minute},
		{"Berlin, from evening to morning", "Europe/Berlin", "22:00-06:00", "2026-03-28 12:00:00", "2026-03-29 12:00:00", 7 * time.Hour},
		{"Berlin, a whole long day", "Europe/Berlin", "00:00-24:00", "2026-10-25 00:00:00", "2026-10-26 00:00:00", 25 * time.Hour},
		{"New York forward", "America/New_York", night, "2026-03-07 12:00:00", "2026-03-08 12:00:00", 5 * time.Hour},
		{"New York back", "America/New_York", night, "2026-10-31 12:00:00", "2026-11-01 12:00:00", 7 * time.Hour},
		{"New York, starts in the gap", "America/New_York", "02:30-04:00", "2026-03-07 12:00:00", "2026-03-08 12:00:00", time.Hour},
		{"New York, all in the hour twice", "America/New_York", "01:10-01:50", "2026-10-31 12:00:00", "2026-11-01 12:00:00", 40 * time.Minute},
		{"Lord Howe forward by half an hour", "Australia/Lord_Howe", night, "2026-10-03 12:00:00", "2026-10-04 12:00:00", 330 * time.Minute},
		{"Lord Howe back by half an hour", "Australia/Lord_Howe", night, "2026-04-04 12:00:00", "2026-04-05 12:00:00", 390 * time.Minute},
		{"Lord Howe, starts in the gap", "Australia/Lord_Howe", "02:15-03:00", "2026-10-03 12:00:00", "2026-10-04 12:00:00", 30 * time.Minute},
		{"Lord Howe, from that half hour", "Australia/Lord_Howe", "01:45-03:00", "2026-04-04 12:00:00", "2026-04-05 12:00:00", 105 * time.Minute},
		{"Apia skipped a day", "Pacific/Apia", "09:00-17:00", "2011-12-29 18:00:00", "2011-12-31 08:00:00", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			h := calendar(t, tc.zone, map[string][]string{"mon-sun": {tc.window}})
			from, to := local(t, tc.zone, tc.from), local(t, tc.zone, tc.to)

			require.Equal(t, tc.open, h.Between(from, to))
			require.Equal(t, tc.open, openMinutes(h, from, to))

			if tc.open > 0 {
				require.False(t, h.Add(from, tc.open).After(to))
				require.True(t, h.Add(from, tc.open+time.Second).After(to) || h.Open(to))
			}
		})
	}
}

func TestAddKeepsTheLocation(t *testing.T) {
	t.Parallel()

	h := calendar(t, "Europe/Berlin", map[string][]string{"mon-fri": {"09:00-18:00"}})
	from := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

	require.Equal(t, time.Date(2026, 11, 23, 8, 0, 1, 0, time.UTC), h.Add(from, time.Second))
}

func TestSearchEnds(t *testing.T) {
	t.Parallel()

	h := calendar(t, "Europe/Berlin", map[string][]string{"mon": {"09:00-09:01"}})
	from := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	far := h.Add(from, 87600*time.Hour)

	require.Equal(t, from.AddDate(0, 0, 20*365), far)
	require.InDelta(t, 20*52, h.Between(from, from.AddDate(1000, 0, 0)).Minutes(), 10)
	require.Positive(t, h.Between(time.Time{}, from))
}

func TestHoursJSON(t *testing.T) {
	t.Parallel()

	h := calendar(t, "Australia/Lord_Howe", map[string][]string{"mon-fri": {"09:00-12:30", "13:30-18:00"}, "sun": {"22:00-24:00"}},
		"2026-12-26", "2026-12-25", "2026-12-25")

	data, err := json.Marshal(h)
	require.NoError(t, err)

	var shown map[string]any

	require.NoError(t, json.Unmarshal(data, &shown))
	require.NotEmpty(t, shown["rules"])
	delete(shown, "rules")

	workday := []any{"09:00-12:30", "13:30-18:00"}
	require.Equal(t, map[string]any{
		"zone": "Australia/Lord_Howe", "mon": workday, "tue": workday, "wed": workday, "thu": workday, "fri": workday,
		"sun": []any{"22:00-24:00"}, "holidays": []any{"2026-12-25", "2026-12-26"},
	}, shown)

	var back policy.Hours

	require.NoError(t, json.Unmarshal(data, &back))

	again, err := json.Marshal(&back)
	require.NoError(t, err)
	require.Equal(t, string(data), string(again))

	now := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	for range 200 {
		next := h.Add(now, 7*time.Hour)
		require.True(t, next.Equal(back.Add(now, 7*time.Hour)))
		now = next
	}
}

func TestHoursJSONRefuses(t *testing.T) {
	t.Parallel()

	for _, text := range []string{
		`[]`, `{"zone":"Europe/Berlin","rules":"bm9uc2Vuc2U="}`, `{"mon":["9-5"]}`, `{"holidays":["Christmas"]}`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			require.Error(t, json.Unmarshal([]byte(text), new(policy.Hours)))
		})
	}
}

// openMinutes counts open minutes by asking for each.
func openMinutes(h *policy.Hours, from, to time.Time) time.Duration {
	var sum time.Duration

	for at := from; at.Before(to); at = at.Add(time.Minute) {
		if h.Open(at) {
			sum += time.Minute
		}
	}

	return sum
}

func calendar(t require.TestingT, zone string, days map[string][]string, holidays ...string) *policy.Hours {
	c := policy.Calendar{Zone: zone, Days: days, Holidays: holidays}

	h, err := c.Hours("hours.test")
	require.NoError(t, err)

	return h
}

func local(t *testing.T, zone, text string) time.Time {
	t.Helper()

	location, err := policy.LoadZone(zone)
	require.NoError(t, err)

	at, err := time.ParseInLocation(time.DateTime, text, location)
	require.NoError(t, err)

	return at
}
