package policy

import (
	"iter"
	"slices"
	"time"
)

// horizon is how far ahead a search in a calendar goes: far beyond any clock,
// so that a search ends whatever it is asked.
const horizon = 20 * 365 * 24 * time.Hour

const secondsPerDay = 24 * 3600

// Hours is a calendar of business hours: windows on the days of the week, in
// the local time of a zone, except on holidays. A window belongs to the day on
// which it starts, also where it goes on past midnight. It opens when a clock on
// the wall first shows its start and shuts when that first shows its end, so a
// window over a change of clocks lasts an hour less or more; what is counted is
// real elapsed time. A nil or empty calendar is always open.
//
// Its JSON form holds the rules of its time zone, so that a snapshot in a
// history means the same everywhere and always.
type Hours struct {
	zone     string
	rules    []byte
	location *time.Location
	// week is by [time.Weekday], each day's windows in order.
	week [7][]Window
	// holidays are sorted.
	holidays []date
}

// Zone returns the name of the calendar's time zone, empty if it is always open.
func (h *Hours) Zone() string {
	if h == nil {
		return ""
	}

	return h.zone
}

// Open reports whether t lies in a window. The end of a window is outside.
func (h *Hours) Open(t time.Time) bool {
	if h.always() {
		return true
	}

	for start, end := range h.spans(t) {
		if start.After(t) {
			return false
		}

		if t.Before(end) {
			return true
		}
	}

	return false
}

// Add returns the time at which d of open time after t has passed, t itself
// where d is not positive. It looks at most twenty years ahead.
func (h *Hours) Add(t time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return t
	}

	if h.always() {
		return t.Add(d)
	}

	for start, end := range h.spans(t) {
		if start.Before(t) {
			start = t
		}

		room := end.Sub(start)
		if d <= room {
			return start.Add(d).In(t.Location())
		}

		d -= max(room, 0)
	}

	return t.Add(horizon)
}

// Between returns how much open time lies between a and b, zero where b is not
// after a. It looks at most twenty years ahead.
func (h *Hours) Between(a, b time.Time) time.Duration {
	if !b.After(a) {
		return 0
	}

	if h.always() {
		return b.Sub(a)
	}

	var sum time.Duration

	for start, end := range h.spans(a) {
		if !start.Before(b) {
			break
		}

		if start.Before(a) {
			start = a
		}

		if end.After(b) {
			end = b
		}

		sum += max(end.Sub(start), 0)
	}

	return sum
}

func (h *Hours) always() bool { return h == nil || h.location == nil }

// spans returns the windows from two days before t on, in order, as times; what
// one day's window takes of the next day's is left out there.
func (h *Hours) spans(t time.Time) iter.Seq2[time.Time, time.Time] {
	// A window reaches into the next day, and where the clock is put back over
	// midnight the date says the day before for the second time.
	const back = 2

	first := dateOf(t.In(h.location)).unix() - back*secondsPerDay
	last := first + int64(horizon/time.Second)

	return func(yield func(time.Time, time.Time) bool) {
		shut := int64(0)
		begun := false

		for midnight := first; midnight < last; midnight += secondsPerDay {
			day := time.Unix(midnight, 0).UTC()

			windows := h.week[day.Weekday()]
			if len(windows) == 0 || h.holiday(dateOf(day)) {
				continue
			}

			for _, window := range windows {
				start := reach(midnight+window.from(), h.location)
				end := reach(midnight+window.to(), h.location)

				if begun {
					start = max(start, shut)
				}

				if end <= start {
					continue
				}

				shut, begun = end, true

				if !yield(time.Unix(start, 0), time.Unix(end, 0)) {
					return
				}
			}
		}
	}
}

func (h *Hours) holiday(day date) bool {
	_, found := slices.BinarySearch(h.holidays, day)

	return found
}

// date is a day of the calendar as the number yyyymmdd.
type date int

func dateOf(t time.Time) date {
	year, month, day := t.Date()

	return date(year*10_000 + int(month)*100 + day)
}

// unix returns the seconds since 1970 of the day's beginning in UTC.
func (d date) unix() int64 {
	return time.Date(int(d)/10_000, time.Month(int(d)/100%100), int(d)%100, 0, 0, 0, 0, time.UTC).Unix()
}

func (d date) String() string { return time.Unix(d.unix(), 0).UTC().Format(time.DateOnly) }
