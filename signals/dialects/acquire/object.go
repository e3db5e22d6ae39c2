package acquire

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// object is a JSON object of which the decoder takes out what has a canonical
// place; what is left is kept as it came. A value leaves it only if the
// canonical form restores it exactly: what does not stays for the encoder.
type object map[string]json.RawMessage

// readObject returns nil for what is no object.
func readObject(raw []byte) object {
	var o object

	if first := bytes.TrimLeft(raw, " \t\r\n"); len(first) == 0 || first[0] != '{' || json.Unmarshal(raw, &o) != nil {
		return nil
	}

	return o
}

// readNested also reads an object that is held by a string, as version 1 does.
func readNested(raw []byte) object {
	if text, plain := scalar(raw); plain {
		if dialect.CheckDepth([]byte(text)) != nil {
			return nil
		}

		return readObject([]byte(text))
	}

	return readObject(raw)
}

// scalar returns a string or a number as text, and whether it was a string that
// says something. Everything else is empty.
func scalar(raw []byte) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}

	switch c := raw[0]; {
	case c == '"':
		var text string

		if json.Unmarshal(raw, &text) != nil {
			return "", false
		}

		return text, text != ""
	case c == '-', c >= '0' && c <= '9':
		return string(raw), false
	default:
		return "", false
	}
}

// peek returns the first of some members that says something.
func (o object) peek(names ...string) string {
	for _, name := range names {
		if text, _ := scalar(o[name]); text != "" {
			return text
		}
	}

	return ""
}

// take returns what a member says, and removes it if it is a string, as the
// encoder will write it.
func (o object) take(name string) string {
	text, plain := scalar(o[name])
	if plain {
		delete(o, name)
	}

	return text
}

// takeSole returns what read finds, and removes the member under which setRead
// writes it, provided that setRead will: nothing else in the object says it.
func (o object) takeSole(name string, read func(object) string) string {
	text, raw := read(o), o[name]

	if text == "" || o.peek(name) != text {
		return text
	}

	o.take(name)

	if read(o) != "" {
		o[name] = raw
	}

	return text
}

// takeWord takes a member only if it is one of some words, and returns it
// anyway.
func (o object) takeWord(name string, words ...string) string {
	text, plain := scalar(o[name])

	for _, word := range words {
		if text == word && plain {
			delete(o, name)
		}
	}

	return text
}

// said is peek for version 1, which writes "null" for nothing.
func (o object) said(names ...string) string {
	for _, name := range names {
		if text, _ := scalar(o[name]); text != "" && text != "null" {
			return text
		}
	}

	return ""
}

// takeSaid is take for version 1.
func (o object) takeSaid(name string) string {
	if o.said(name) == "" {
		return ""
	}

	return o.take(name)
}

// takeCount takes a whole number that may be written as a string.
func (o object) takeCount(name string) *int64 {
	text, plain := scalar(o[name])

	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return nil
	}

	if plain && strconv.FormatInt(n, 10) == text {
		delete(o, name)
	}

	return &n
}

// set writes a text unless there is one, or nothing to write.
func (o object) set(name, text string) {
	if _, there := o[name]; !there && text != "" {
		o[name] = quote(text)
	}
}

// setRead writes a text unless read finds it already.
func (o object) setRead(name, text string, read func(object) string) {
	if read(o) != text {
		o.set(name, text)
	}
}

func (o object) put(name string, inner object) {
	if _, there := o[name]; !there && len(inner) > 0 {
		o[name] = inner.raw()
	}
}

// raw is the object's text, nil if it is empty.
func (o object) raw() json.RawMessage {
	if len(o) == 0 {
		return nil
	}

	raw, err := json.Marshal(o)
	if err != nil { // parts of valid JSON always marshal
		return nil
	}

	return raw
}

func (o object) clone() object {
	if o == nil {
		return object{}
	}

	return maps.Clone(o)
}

func quote(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil { // a string always marshals
		return json.RawMessage(`""`)
	}

	return raw
}

// Forms of dates: JavaScript's, whose name of the zone is cut off before, and
// version 1's without a zone.
const (
	scriptForm = "Mon Jan 02 2006 15:04:05 GMT-0700"
	utcName    = " (Coordinated Universal Time)"
	localForm  = "2006-01-02 15:04:05"
)

// readDate reads a date in any of the forms; what is none is zero.
func readDate(text string, zone *time.Location) time.Time {
	bare, _, _ := strings.Cut(text, " (")

	if at, err := time.Parse(scriptForm, bare); err == nil {
		return at.UTC()
	}

	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC()
	}

	if zone == nil {
		zone = time.UTC
	}

	at, err := time.ParseInLocation(localForm, text, zone)
	if err != nil {
		return time.Time{}
	}

	return at.UTC()
}

// writeDate is the date as version 2 writes it.
func writeDate(at time.Time) string { return at.UTC().Format(scriptForm) + utcName }
