package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	maxHolidays = 1000
	// maxShut is the longest time for which a calendar may be shut.
	maxShut = 2 * 366
)

// ErrNeverOpen says that a calendar has no window for two years.
var ErrNeverOpen = errors.New("never opens within two years")

// Calendar is the form in which a configuration writes business hours. A day's
// key is mon to sun, or a range such as mon-fri, which a single day overrides;
// its windows are texts such as 09:00-12:30.
type Calendar struct {
	Zone     string              `yaml:"zone"     desc:"time zone by its IANA name, such as Europe/Berlin"`
	Holidays []string            `yaml:"holidays" desc:"days without hours, such as 2026-12-25"`
	Days     map[string][]string `yaml:",inline"  desc:"windows of these days, such as 09:00-12:30"`
}

// Hours returns the calendar ready for use. The paths in its errors begin with
// field; all that is wrong is in one joined error of *[signals.FieldError].
func (c *Calendar) Hours(field string) (*Hours, error) {
	var f faults

	h := &Hours{}
	c.zone(&f, field+".zone", h)
	c.week(&f, field, h)
	c.days(&f, field+".holidays", h)

	if len(f) == 0 {
		if err := h.checkOpens(); err != nil {
			f.addf(field, "%s", err)
		}
	}

	if err := f.err(); err != nil {
		return nil, err
	}

	return h, nil
}

func (c *Calendar) zone(f *faults, field string, h *Hours) {
	if c.Zone == "" {
		f.addf(field, "is missing; its form is Europe/Berlin")

		return
	}

	rules, location, err := loadZone(c.Zone)
	if err != nil {
		f.addf(field, "%s", err)

		return
	}

	h.zone, h.rules, h.location = c.Zone, rules, location
}

func (c *Calendar) week(f *faults, field string, h *Hours) {
	var ranges, singles [7]string

	for _, key := range slices.Sorted(maps.Keys(c.Days)) {
		days, err := parseDays(key)
		if err != nil {
			f.addf(field+"."+key, "%s", err)

			continue
		}

		windows := c.windows(f, field+"."+key, c.Days[key])

		if len(days) == 1 {
			singles[days[0]] = key
			h.week[days[0]] = windows

			continue
		}

		for _, day := range days {
			if ranges[day] != "" {
				f.addf(field+"."+key, "%s is in %s too", dayNames[day], ranges[day])
			}

			ranges[day] = key

			if singles[day] == "" {
				h.week[day] = windows
			}
		}
	}
}

func (c *Calendar) windows(f *faults, field string, texts []string) []Window {
	if len(texts) > maxWindows {
		f.addf(field, "must be at most %d windows", maxWindows)

		return nil
	}

	windows := make([]Window, 0, len(texts))

	for i, text := range texts {
		window, err := ParseWindow(text)
		if err != nil {
			f.addf(index(field, i), "%s", err)

			continue
		}

		windows = append(windows, window)
	}

	if !inOrder(windows) {
		f.addf(field, "windows overlap")
	}

	return windows
}

func (c *Calendar) days(f *faults, field string, h *Hours) {
	if len(c.Holidays) > maxHolidays {
		f.addf(field, "must be at most %d days", maxHolidays)

		return
	}

	for i, text := range c.Holidays {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			f.addf(index(field, i), "%q is no day; the form is 2026-12-25", text)

			continue
		}

		h.holidays = append(h.holidays, dateOf(day))
	}

	slices.Sort(h.holidays)
	h.holidays = slices.Compact(h.holidays)
}

// checkOpens looks for a stretch of two years without a window. Only holidays
// can make one, so it is enough to begin at each, and at any day without them.
func (h *Hours) checkOpens() error {
	if !slices.ContainsFunc(h.week[:], func(windows []Window) bool { return len(windows) > 0 }) {
		return ErrNeverOpen
	}

	searched := date(0)

	for _, day := range h.holidays {
		if day <= searched {
			continue
		}

		opens, found := h.nextDay(day)
		if !found {
			return fmt.Errorf("%w after %s", ErrNeverOpen, day)
		}

		searched = opens
	}

	return nil
}

func (h *Hours) nextDay(from date) (date, bool) {
	for i := range maxShut {
		day := time.Unix(from.unix()+int64(i)*secondsPerDay, 0).UTC()
		if len(h.week[day.Weekday()]) > 0 && !h.holiday(dateOf(day)) {
			return dateOf(day), true
		}
	}

	return 0, false
}

// dayNames is by [time.Weekday].
var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} //nolint:gochecknoglobals // a constant table

var errDay = errors.New("is no day; days are mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri")

// parseDays reads mon, or mon-fri; a range may go over the end of the week.
func parseDays(key string) ([]time.Weekday, error) {
	from, to, isRange := strings.Cut(key, "-")
	first := slices.Index(dayNames[:], from)
	last := first

	if isRange {
		last = slices.Index(dayNames[:], to)
	}

	if first < 0 || last < 0 || isRange && first == last {
		return nil, errDay
	}

	days := []time.Weekday{time.Weekday(first)}

	for day := first; day != last; {
		day = (day + 1) % len(dayNames)
		days = append(days, time.Weekday(day))
	}

	return days, nil
}

// hoursForm is the calendar as a history keeps it.
type hoursForm struct {
	Zone string `json:"zone"`
	// Rules are the zone's, in the format of RFC 9636.
	Rules    []byte   `json:"rules"`
	Mon      []Window `json:"mon,omitempty"`
	Tue      []Window `json:"tue,omitempty"`
	Wed      []Window `json:"wed,omitempty"`
	Thu      []Window `json:"thu,omitempty"`
	Fri      []Window `json:"fri,omitempty"`
	Sat      []Window `json:"sat,omitempty"`
	Sun      []Window `json:"sun,omitempty"`
	Holidays []string `json:"holidays,omitempty"`
}

// MarshalJSON writes the calendar with the rules of its zone.
func (h *Hours) MarshalJSON() ([]byte, error) {
	form := hoursForm{
		Zone: h.zone, Rules: h.rules,
		Mon: h.week[time.Monday], Tue: h.week[time.Tuesday], Wed: h.week[time.Wednesday], Thu: h.week[time.Thursday],
		Fri: h.week[time.Friday], Sat: h.week[time.Saturday], Sun: h.week[time.Sunday],
	}

	for _, day := range h.holidays {
		form.Holidays = append(form.Holidays, day.String())
	}

	data, err := json.Marshal(form)
	if err != nil {
		return nil, fmt.Errorf("encode hours: %w", err)
	}

	return data, nil
}

// UnmarshalJSON reads what [Hours.MarshalJSON] writes; it needs no time zone
// database.
func (h *Hours) UnmarshalJSON(data []byte) error {
	var form hoursForm
	if err := json.Unmarshal(data, &form); err != nil {
		return fmt.Errorf("decode hours: %w", err)
	}

	out := Hours{
		zone: form.Zone, rules: form.Rules,
		week: [7][]Window{form.Sun, form.Mon, form.Tue, form.Wed, form.Thu, form.Fri, form.Sat},
	}

	if len(form.Rules) > 0 {
		location, err := time.LoadLocationFromTZData(form.Zone, form.Rules)
		if err != nil {
			return fmt.Errorf("decode rules of time zone %q: %w", form.Zone, err)
		}

		out.location = location
	}

	for _, text := range form.Holidays {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return fmt.Errorf("decode holiday: %w", err)
		}

		out.holidays = append(out.holidays, dateOf(day))
	}

	*h = out

	return nil
}
