package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	minutesPerHour = 60
	minutesPerDay  = 24 * minutesPerHour
	// maxWindows bounds the windows of one day.
	maxWindows = 24
)

// ErrWindow says that a text is no window of business hours.
var ErrWindow = errors.New("not a window")

// Window is a stretch of a day in local time, in minutes since midnight. Where
// End is not after Start it goes on into the next day. As text it is
// 09:00-12:30; an end of 24:00 is midnight.
type Window struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// ParseWindow reads a window; its errors are [ErrWindow].
func ParseWindow(text string) (Window, error) {
	from, to, found := strings.Cut(text, "-")
	start, startOK := parseClock(strings.TrimSpace(from))
	end, endOK := parseClock(strings.TrimSpace(to))

	switch {
	case !found, !startOK, !endOK, start == minutesPerDay:
		return Window{}, fmt.Errorf("%w: %q, whose form is 09:00-17:30", ErrWindow, text)
	case start == end:
		return Window{}, fmt.Errorf("%w: %q has no length; a whole day is 00:00-24:00", ErrWindow, text)
	default:
		return Window{Start: start, End: end}, nil
	}
}

// MarshalText writes the form that [ParseWindow] reads.
func (w Window) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%02d:%02d-%02d:%02d",
		w.Start/minutesPerHour, w.Start%minutesPerHour, w.End/minutesPerHour, w.End%minutesPerHour), nil
}

// UnmarshalText reads what [ParseWindow] reads.
func (w *Window) UnmarshalText(text []byte) error {
	parsed, err := ParseWindow(string(text))
	if err != nil {
		return err
	}

	*w = parsed

	return nil
}

// from and to are in seconds since midnight; to may lie in the next day.
func (w Window) from() int64 { return int64(w.Start) * int64(time.Minute/time.Second) }

func (w Window) to() int64 {
	end := w.End
	if end <= w.Start {
		end += minutesPerDay
	}

	return int64(end) * int64(time.Minute/time.Second)
}

// parseClock reads 00:00 to 24:00 as minutes since midnight.
func parseClock(text string) (int, bool) {
	const length = len("09:00")

	if len(text) != length || text[2] != ':' {
		return 0, false
	}

	for i := range length {
		if i != 2 && (text[i] < '0' || text[i] > '9') {
			return 0, false
		}
	}

	hour := int(text[0]-'0')*10 + int(text[1]-'0')
	minute := int(text[3]-'0')*10 + int(text[4]-'0')
	total := hour*minutesPerHour + minute

	return total, minute < minutesPerHour && total <= minutesPerDay
}

// inOrder sorts the windows of a day and reports whether none overlaps the next.
func inOrder(windows []Window) bool {
	slices.SortFunc(windows, func(a, b Window) int { return a.Start - b.Start })

	for i := 1; i < len(windows); i++ {
		if int64(windows[i].Start)*int64(time.Minute/time.Second) < windows[i-1].to() {
			return false
		}
	}

	return true
}
