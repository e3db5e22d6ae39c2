package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/workflows/policy"
)

func TestCalendarRefuses(t *testing.T) {
	t.Parallel()

	week := func(days map[string][]string) policy.Calendar {
		return policy.Calendar{Zone: "UTC", Days: days}
	}

	for _, tc := range []struct {
		want string
		c    policy.Calendar
	}{
		{"hours.office.zone: is missing", policy.Calendar{Days: map[string][]string{"mon": {"09:00-10:00"}}}},
		{`hours.office.zone: unknown time zone "Mars/Base"`, policy.Calendar{Zone: "Mars/Base"}},
		{`did you mean Europe/Berlin?`, policy.Calendar{Zone: "europe/berlin"}},
		{`unknown time zone "Local"`, policy.Calendar{Zone: "Local"}},
		{`unknown time zone "Europe"`, policy.Calendar{Zone: "Europe"}},
		{`unknown time zone "../Europe/Berlin"`, policy.Calendar{Zone: "../Europe/Berlin"}},
		{"hours.office.monday: is no day; days are mon", week(map[string][]string{"monday": nil})},
		{"hours.office.mon-mon: is no day", week(map[string][]string{"mon-mon": nil})},
		{"hours.office.mon-: is no day", week(map[string][]string{"mon-": nil})},
		{"hours.office.wed-sun: wed is in mon-wed too", week(map[string][]string{"mon-wed": nil, "wed-sun": nil})},
		{"hours.office.mon[0]: not a window: \"9-5\"", week(map[string][]string{"mon": {"9-5"}})},
		{"hours.office.mon[1]: not a window: \"10:00\"", week(map[string][]string{"mon": {"09:00-10:00", "10:00"}})},
		{"\"10:60-11:00\", whose form is", week(map[string][]string{"mon": {"10:60-11:00"}})},
		{"\"23:00-24:01\", whose form is", week(map[string][]string{"mon": {"23:00-24:01"}})},
		{"\"24:00-02:00\", whose form is", week(map[string][]string{"mon": {"24:00-02:00"}})},
		{"\"+9:00-10:00\", whose form is", week(map[string][]string{"mon": {"+9:00-10:00"}})},
		{"\"09:00-09:00\" has no length", week(map[string][]string{"mon": {"09:00-09:00"}})},
		{"hours.office.mon: windows overlap", week(map[string][]string{"mon": {"11:00-12:00", "09:00-11:01"}})},
		{"hours.office.mon: windows overlap", week(map[string][]string{"mon": {"22:00-02:00", "23:00-23:30"}})},
		{"hours.office.mon: must be at most 24 windows", week(map[string][]string{"mon": make([]string, 25)})},
		{"hours.office.holidays[0]: \"25.12.\" is no day", policy.Calendar{Zone: "UTC", Holidays: []string{"25.12."}}},
		{"hours.office.holidays: must be at most", policy.Calendar{Zone: "UTC", Holidays: make([]string, 1001)}},
		{"hours.office: never opens within two years", week(nil)},
		{"hours.office: never opens within two years", week(map[string][]string{"mon-sun": {}})},
		{"hours.office: never opens within two years after 2026-01-05", mondaysOff(2 * 53)},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Parallel()

			_, err := tc.c.Hours("hours.office")
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestCalendarMayBeShutForLong(t *testing.T) {
	t.Parallel()

	c := mondaysOff(103)
	h, err := c.Hours("hours.rare")
	require.NoError(t, err)

	require.Equal(t, "2027-12-27 09:30", h.Add(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), 30*time.Minute).Format("2006-01-02 15:04"))
}

func TestCalendarRanges(t *testing.T) {
	t.Parallel()

	h := calendar(t, "UTC", map[string][]string{"sat-mon": {"10:00-11:00"}, "sun": {}})

	for day, open := range map[int]bool{20: false, 21: true, 22: false, 23: true, 24: false} { // the 20th is a Friday
		require.Equal(t, open, h.Open(time.Date(2026, 11, day, 10, 30, 0, 0, time.UTC)), day)
	}
}

func TestWindowText(t *testing.T) {
	t.Parallel()

	for _, text := range []string{"09:00-12:30", "22:00-02:00", "00:00-24:00", "23:59-00:00"} {
		w, err := policy.ParseWindow(text)
		require.NoError(t, err)

		back, err := w.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, string(back))
	}

	spaced, err := policy.ParseWindow(" 09:00 - 12:30 ")
	require.NoError(t, err)
	require.Equal(t, policy.Window{Start: 540, End: 750}, spaced)
}

func TestLoadZone(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]string{"": "UTC", "Asia/Kolkata": "+0530", "Pacific/Apia": "+1300"} {
		location, err := policy.LoadZone(name)
		require.NoError(t, err)

		zone := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).In(location).Format("-0700")
		require.Equal(t, strings.Replace(want, "UTC", "+0000", 1), zone)
	}

	_, err := policy.LoadZone("Nowhere/Else")
	require.ErrorIs(t, err, policy.ErrZone)
}

// mondaysOff opens on Mondays, but not on the first n from 2026-01-05 on.
func mondaysOff(n int) policy.Calendar {
	c := policy.Calendar{Zone: "UTC", Days: map[string][]string{"mon": {"09:00-10:00"}}}

	for i := range n {
		c.Holidays = append(c.Holidays, time.Date(2026, 1, 5+7*i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}

	return c
}
