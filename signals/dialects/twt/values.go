package twt

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// maxWhole bounds the numbers: beyond it none is a time or a count.
const maxWhole = 1 << 52

// Reasons for refusing a value.
var (
	errNoText   = errors.New("must be a string")
	errNoNumber = errors.New("must be a number")
)

// text is a string, or a number that is meant as one; null is empty.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return errNoText
		}

		*t = text(s)
	case 'n':
		*t = ""
	case '{', '[', 't', 'f':
		return errNoText
	default:
		*t = text(raw)
	}

	return nil
}

// free is a text of any shape: what is neither a string nor a number stays as
// its JSON, since the page does not say how a form's content is laid out.
type free string

// UnmarshalJSON implements [json.Unmarshaler].
func (f *free) UnmarshalJSON(raw []byte) error {
	var plain text

	if plain.UnmarshalJSON(raw) == nil {
		*f = free(plain)

		return nil
	}

	var out bytes.Buffer

	if json.Compact(&out, raw) != nil {
		return errNoText
	}

	*f = free(out.String())

	return nil
}

// whole is a whole number, or a string that holds one; null and "" are none,
// and a fraction is cut off.
type whole struct {
	value int64
	set   bool
}

// UnmarshalJSON implements [json.Unmarshaler].
func (w *whole) UnmarshalJSON(raw []byte) error {
	var said text

	if said.UnmarshalJSON(raw) != nil {
		return errNoNumber
	}

	digits := strings.TrimSpace(string(said))
	if digits == "" {
		*w = whole{}

		return nil
	}

	value, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(value) || math.Abs(value) > maxWhole {
		return errNoNumber
	}

	*w = whole{value: int64(value), set: true}

	return nil
}

// natural returns the number, which may be none, as one that counts something.
func (w whole) natural(field string) (int64, error) {
	if w.value < 0 || w.value > math.MaxInt32 {
		return 0, &signals.FieldError{Field: field, Reason: "must be between 0 and " + strconv.Itoa(math.MaxInt32)}
	}

	return w.value, nil
}

// moment returns the number as unix seconds. None and 0 are no time; one that
// no live chat can have had is refused.
func (w whole) moment(field string, received time.Time) (time.Time, error) {
	if w.value == 0 {
		return time.Time{}, nil
	}

	at := time.Unix(w.value, 0).UTC()

	if !plausible(at, received) {
		return time.Time{}, &signals.FieldError{Field: field, Reason: "must be unix seconds of a live chat's time"}
	}

	return at, nil
}

// plausible reports whether a live chat can have had a time.
func plausible(at, received time.Time) bool {
	return at.Year() >= firstYear && at.Year() <= lastYear && (received.IsZero() || !at.After(received.AddDate(1, 0, 0)))
}

// after is a time so many seconds after another, or before it; zero if it is not
// plausible, or the other is not known.
func after(at time.Time, seconds int64, received time.Time) time.Time {
	if at.IsZero() {
		return at
	}

	if at = time.Unix(at.Unix()+seconds, 0).UTC(); !plausible(at, received) {
		return time.Time{}
	}

	return at
}

// The years between which an event may lie, as [signals.Event.Validate] has it.
const (
	firstYear = 2000
	lastYear  = 9999
)

// maxStatusBytes cuts a status that is none of the page's.
const maxStatusBytes = 64

// The platform's words for the states of a notice.
const (
	statusOpen    = "1"
	statusQueued  = "2"
	statusPending = "3"
	statusReplied = "4"
)

// statusOf reads a status; one that is not of the page's stays as it is.
func statusOf(said string) string {
	switch strings.TrimSpace(said) {
	case statusOpen:
		return signals.UnrepliedOpen
	case statusQueued:
		return signals.UnrepliedQueued
	case statusPending:
		return signals.UnrepliedPending
	case statusReplied:
		return signals.UnrepliedReplied
	default:
		return signals.Cut(said, maxStatusBytes)
	}
}

// statusWord is the platform's word for a status, none being the first; false
// if it has none.
func statusWord(status string) (string, bool) {
	switch status {
	case signals.UnrepliedOpen, "":
		return statusOpen, true
	case signals.UnrepliedQueued:
		return statusQueued, true
	case signals.UnrepliedPending:
		return statusPending, true
	case signals.UnrepliedReplied:
		return statusReplied, true
	default:
		return "", false
	}
}
