package inbenta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// object is a JSON object whose numbers are exact. Decoding takes out of it
// what the canonical blocks carry; what remains is the rest.
type object map[string]any

// place is where a value may stand, as the keys that lead to it.
type place []string

func (p place) String() string { return strings.Join(p, ".") }

// parse reads a body, whatever its content type says.
func parse(body []byte) (object, error) {
	if err := dialect.CheckDepth(body); err != nil {
		return nil, err
	}

	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()

	var top any

	if err := decoder.Decode(&top); err != nil {
		return nil, fmt.Errorf("%w: %w", dialect.ErrMalformed, err)
	}

	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one value", dialect.ErrMalformed)
	}

	members, ok := top.(map[string]any)
	if !ok {
		return nil, &signals.FieldError{Field: "body", Reason: "must be an object"}
	}

	return members, nil
}

// scrub cuts out what may be a credential: no page puts one into a webhook, but
// payloads mirror the answers of an API that carries some.
func scrub(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if isSecret(key) {
				delete(v, key)
			} else {
				scrub(inner)
			}
		}
	case []any:
		for _, inner := range v {
			scrub(inner)
		}
	}
}

// maxSecretKey is longer than every name below.
const maxSecretKey = 16

// isSecret knows the names of credentials, however they are spelt.
func isSecret(key string) bool {
	if len(key) > maxSecretKey {
		return false
	}

	var plain [maxSecretKey]byte

	n := 0

	for i := range len(key) {
		c := key[i]

		switch {
		case c == '-', c == '_':
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}

		plain[n] = c
		n++
	}

	switch string(plain[:n]) {
	case "secret", "secretkey", "token", "accesstoken", "refreshtoken", "sessiontoken", "authorization", "password",
		"xhypersecret", "xhooksecret":
		return true
	default:
		return false
	}
}

// text returns a string, or the digits of a number; "" is anything else.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return ""
	}
}

// number returns a whole number, also of a string of digits.
func number(value any) (int64, bool) {
	n, err := strconv.ParseInt(text(value), 10, 64)

	return n, err == nil
}

// in returns the object under a key, or nil.
func (o object) in(key string) object {
	inner, _ := o[key].(map[string]any)

	return inner
}

// into returns the object under a key and makes it if there is none.
func (o object) into(key string) object {
	if inner := o.in(key); inner != nil {
		return inner
	}

	inner := map[string]any{}
	o[key] = inner

	return inner
}

// prune drops an object that is empty.
func (o object) prune(key string) {
	if inner, ok := o[key].(map[string]any); ok && len(inner) == 0 {
		delete(o, key)
	}
}

// get returns what stands at a place.
func (o object) get(at place) any {
	for _, key := range at[:len(at)-1] {
		o = o.in(key)
	}

	return o[at[len(at)-1]]
}

func (o object) drop(at place) {
	for _, key := range at[:len(at)-1] {
		o = o.in(key)
	}

	delete(o, at[len(at)-1])
}

func (o object) put(at place, value any) {
	for _, key := range at[:len(at)-1] {
		o = o.into(key)
	}

	o[at[len(at)-1]] = value
}

// find returns the text at home, else the first at any of the places.
func (o object) find(home place, places []place) string {
	if said := text(o.get(home)); said != "" {
		return said
	}

	for _, at := range places {
		if said := text(o.get(at)); said != "" {
			return said
		}
	}

	return ""
}

// says reports whether one of the places, but home, holds value.
func (o object) says(value string, home place, places []place) bool {
	return slices.ContainsFunc(places, func(at place) bool {
		return !slices.Equal(at, home) && text(o.get(at)) == value
	})
}

// claim finds a value and takes it out where [object.restore] will put it back:
// at home, if it is a string and stands nowhere else.
func (o object) claim(home place, places []place) string {
	value := o.find(home, places)

	if plain, ok := o.get(home).(string); ok && plain == value && !o.says(value, home, places) {
		o.drop(home)
	}

	return value
}

// restore puts a value home unless the rest says it already.
func (o object) restore(value string, home place, places []place) {
	if value == "" || text(o.get(home)) == value || o.says(value, home, places) {
		return
	}

	o.put(home, value)
}

// take takes a string out; what is none stays, and its text is returned.
func (o object) take(key string) string {
	said := o[key]
	if _, ok := said.(string); ok {
		delete(o, key)
	}

	return text(said)
}

// give puts a text back unless the rest says it already.
func (o object) give(key, value string) {
	if value != "" && text(o[key]) != value {
		o[key] = value
	}
}

// takeNumber takes a whole number out; nil if there is none.
func (o object) takeNumber(key string) *int64 {
	n, ok := number(o[key])
	if !ok {
		return nil
	}

	if _, plain := o[key].(json.Number); plain {
		delete(o, key)
	}

	return &n
}

// giveNumber puts a number back unless the rest says it already.
func (o object) giveNumber(key string, value *int64) {
	if value == nil {
		return
	}

	if n, ok := number(o[key]); !ok || n != *value {
		o[key] = *value
	}
}

// copy returns the object with members of its own.
func (o object) copy() object { return maps.Clone(o) }

// takeTexts takes out a list that holds strings only; nil if there is none.
func (o object) takeTexts(key string) []string {
	list, _ := o[key].([]any)
	out := make([]string, 0, len(list))

	for _, element := range list {
		said, ok := element.(string)
		if !ok {
			return nil
		}

		out = append(out, said)
	}

	if len(out) == 0 {
		return nil
	}

	delete(o, key)

	return out
}
