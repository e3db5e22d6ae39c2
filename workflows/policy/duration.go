package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxDuration keeps sums of a few durations and a time within range.
const maxDuration = 10 * 365 * 24 * time.Hour

// ErrDuration says that a text is no duration that a policy can use.
var ErrDuration = errors.New("not a duration")

// Duration is a length of time that is never negative. In YAML and JSON it is a
// text in Go's form with a unit, such as 5m, 1m30s or 500ms; a bare 0 is
// accepted.
type Duration time.Duration

// ParseDuration reads a [Duration]; its errors are [ErrDuration].
func ParseDuration(text string) (Duration, error) {
	parsed, err := time.ParseDuration(text)

	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %q, which must be a number with a unit, such as 30s, 5m or 24h", ErrDuration, text)
	case parsed < 0:
		return 0, fmt.Errorf("%w: %q is negative", ErrDuration, text)
	case parsed > maxDuration:
		return 0, fmt.Errorf("%w: %q is more than ten years", ErrDuration, text)
	default:
		return Duration(parsed), nil
	}
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String leaves out the zero units at the end: 5m, not 5m0s.
func (d Duration) String() string {
	text := time.Duration(d).String()

	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}

	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}

	return text
}

// MarshalText writes the form that [ParseDuration] reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [ParseDuration] reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}

	*d = parsed

	return nil
}

// UnmarshalJSON reads a text, or the number 0; other numbers have no unit.
func (d *Duration) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '"' {
		if bytes.Equal(data, []byte("null")) {
			return nil
		}

		return d.UnmarshalText(data)
	}

	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%w: %w", ErrDuration, err)
	}

	return d.UnmarshalText([]byte(text))
}
