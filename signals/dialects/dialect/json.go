package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// probeDepth bounds how deep the search for a bad field goes, the others how
// much of it is told, in bytes.
const (
	probeDepth = 4
	maxPath    = 200
	maxReason  = 300
)

// Unmarshal is json.Unmarshal whose errors tell the sender what to change:
// broken JSON wraps [ErrMalformed]; a value of the wrong type is a
// *[signals.FieldError] whose path begins with at.
func Unmarshal(raw []byte, at string, into any) error {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}

	if !json.Valid(raw) {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}

	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badField(Join(at, wrong.Field), "must be "+jsonWord(wrong.Type)+", is "+article(wrong.Value))
	}

	return badField(Join(at, probe(raw, reflect.TypeOf(into).Elem(), probeDepth)), err.Error())
}

// badField bounds what goes back to the sender, since both parts may carry what
// was sent.
func badField(field, reason string) error {
	return &signals.FieldError{Field: signals.Cut(field, maxPath), Reason: signals.Cut(reason, maxReason)}
}

// Join appends a field to a JSON path; either may be empty.
func Join(path, field string) string {
	switch {
	case path == "":
		if field == "" {
			return "body"
		}

		return field
	case field == "":
		return path
	case strings.HasPrefix(field, "["):
		return path + field
	default:
		return path + "." + field
	}
}

// probe finds the path of the value for which unmarshalling failed by trying
// each of an object's members alone, since errors such as those of times do not
// carry it.
func probe(raw []byte, target reflect.Type, depth int) string {
	return probeWithin(raw, func(member []byte) bool {
		return json.Unmarshal(member, reflect.New(target).Interface()) != nil
	}, depth)
}

func probeWithin(raw []byte, fails func([]byte) bool, depth int) string {
	var members map[string]json.RawMessage

	if depth == 0 || json.Unmarshal(raw, &members) != nil {
		return ""
	}

	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		alone := func(inner []byte) []byte {
			object, err := json.Marshal(map[string]json.RawMessage{name: inner})
			if err != nil { // inner is a part of valid JSON
				return inner
			}

			return object
		}

		if !fails(alone(value)) {
			continue
		}

		inside := probeWithin(value, func(inner []byte) bool { return fails(alone(inner)) }, depth-1)
		if inside == "" {
			return name
		}

		return name + "." + inside
	}

	return ""
}

func jsonWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Pointer:
		return jsonWord(t.Elem())
	default:
		return "an object"
	}
}

func article(value string) string {
	if value == "" {
		return "something else"
	}

	if strings.HasPrefix(value, "number ") { // encoding/json adds the number itself
		return value
	}

	if strings.ContainsRune("aeiou", rune(value[0])) {
		return "an " + value
	}

	return "a " + value
}

// IsObject reports whether raw begins as a JSON object.
func IsObject(raw []byte) bool { return first(raw) == '{' }

// IsArray reports whether raw begins as a JSON array.
func IsArray(raw []byte) bool { return first(raw) == '[' }

// IsNull reports whether raw is absent or null.
func IsNull(raw []byte) bool {
	raw = bytes.TrimSpace(raw)

	return len(raw) == 0 || string(raw) == "null"
}

func first(raw []byte) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}

	return raw[0]
}
