package livechat

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// timeForm is how LiveChat writes times: RFC 3339 in UTC with microseconds.
const timeForm = "2006-01-02T15:04:05.000000Z"

// localForm is a time without a zone, which takes the source's.
const localForm = "2006-01-02T15:04:05.999999999"

// parseTime reads a time; an absent one is zero.
func parseTime(path, text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}

	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}

	if zone == nil {
		zone = time.UTC
	}

	at, err := time.ParseInLocation(localForm, text, zone)
	if err != nil {
		return time.Time{}, &signals.FieldError{Field: path, Reason: "is no RFC 3339 time"}
	}

	return at.UTC(), nil
}

// text is a string that may be written as a number, such as a group's id.
type text string

// UnmarshalJSON takes strings and numbers.
func (t *text) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)

	switch {
	case string(raw) == "null":
		return nil
	case raw[0] == '"':
		var s string

		if err := json.Unmarshal(raw, &s); err != nil {
			return err //nolint:wrapcheck // encoding/json adds the path to its own errors only
		}

		*t = text(s)

		return nil
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		*t = text(raw)

		return nil
	default:
		return &json.UnmarshalTypeError{Value: word(raw[0]), Type: reflect.TypeFor[string]()}
	}
}

func word(first byte) string {
	switch first {
	case '{':
		return "object"
	case '[':
		return "array"
	default:
		return "bool"
	}
}

func texts(in []text) []string {
	if in == nil {
		return nil
	}

	out := make([]string, 0, len(in))

	for _, t := range in {
		out = append(out, string(t))
	}

	return out
}

// number restores what [text] took for a number; other ids stay strings.
func number(id string) any {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != id {
		return id
	}

	return n
}

func numbers(ids []string) []any {
	out := make([]any, 0, len(ids))

	for _, id := range ids {
		out = append(out, number(id))
	}

	return out
}

// visibility reads the key of 3.3 and later, else that of before. A word that
// is not known hides the message: nothing internal may leak by a new one.
func visibility(current, recipients string) signals.Visibility {
	said := current
	if said == "" {
		said = recipients
	}

	switch said {
	case "":
		return ""
	case string(signals.VisibleToAll):
		return signals.VisibleToAll
	default:
		return signals.VisibleToAgents
	}
}

// isTrue reports whether a property says true, plain or as {"value": true}.
func isTrue(raw json.RawMessage) bool {
	value := strings.TrimSpace(string(unwrap(raw)))

	return value == "true" || value == "1"
}

// propertyText returns a property's text, plain or as {"value": "…"}.
func propertyText(raw json.RawMessage) string {
	var s string

	if json.Unmarshal(unwrap(raw), &s) != nil {
		return ""
	}

	return s
}

// unwrap returns v of {"value": v}, the form of 3.0, else raw itself.
func unwrap(raw json.RawMessage) json.RawMessage {
	if inner, ok := wrapped(raw); ok {
		return inner
	}

	return raw
}

func wrapped(raw json.RawMessage) (json.RawMessage, bool) {
	var object map[string]json.RawMessage

	if json.Unmarshal(raw, &object) != nil || len(object) != 1 {
		return nil, false
	}

	inner, ok := object["value"]

	return inner, ok
}
