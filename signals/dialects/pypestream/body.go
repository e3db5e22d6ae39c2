package pypestream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// maxDepth bounds how deep a body may nest. encoding/json reads no more than
// 10,000 levels, and what is kept lies some levels deeper than it came: without
// a bound of its own an event could be written that nobody can read again.
const maxDepth = 500

// members are a body's fields while they are read; the first one of a wrong
// type is the error.
type members struct {
	fields map[string]any
	err    error
}

// parse reads a body as JSON, numbers exact. An empty one is nil.
func parse(body []byte) (any, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) == 0 {
		return nil, nil //nolint:nilnil // no body is no value
	}

	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()

	var tree any

	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("%w: %w", dialect.ErrMalformed, err)
	}

	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON", dialect.ErrMalformed)
	}

	if !shallow(tree, maxDepth) {
		return nil, fmt.Errorf("%w: nested deeper than %d levels", dialect.ErrMalformed, maxDepth)
	}

	return tree, nil
}

func shallow(tree any, levels int) bool {
	deep := func(value any) bool { return !shallow(value, levels-1) }

	switch v := tree.(type) {
	case map[string]any:
		for _, value := range v {
			if levels == 0 || deep(value) {
				return false
			}
		}
	case []any:
		return levels > 0 && !slices.ContainsFunc(v, deep)
	}

	return true
}

// fieldsOf returns the fields of a body; none at all is an empty object.
func fieldsOf(tree any) (*members, error) {
	switch v := tree.(type) {
	case nil:
		return &members{}, nil
	case map[string]any:
		return &members{fields: v}, nil
	default:
		return nil, &signals.FieldError{Field: "body", Reason: "must be an object, is " + wordFor(tree)}
	}
}

func (m *members) wrong(key, want string) {
	if m.err == nil {
		m.err = &signals.FieldError{Field: key, Reason: "must be " + want + ", is " + wordFor(m.fields[key])}
	}
}

// text reads an id or a word; a number is taken as it is written.
func (m *members) text(key string) string {
	var out string

	switch v := m.fields[key].(type) {
	case nil:
		return ""
	case string:
		out = v
	case json.Number:
		out = v.String()
	default:
		m.wrong(key, "a string")

		return ""
	}

	if err := badID(key, out, signals.MaxIDBytes); err != nil && m.err == nil {
		m.err = err
	}

	return out
}

// truth reads true or false, which may stand in a string; nil if absent.
func (m *members) truth(key string) *bool {
	switch v := m.fields[key].(type) {
	case nil:
		return nil
	case bool:
		return &v
	case string:
		if said, err := strconv.ParseBool(v); err == nil {
			return &said
		}
	}

	m.wrong(key, "true or false")

	return nil
}

// whole reads an integer, which may stand in a string; nil if absent.
func (m *members) whole(key string) *int64 {
	var digits string

	switch v := m.fields[key].(type) {
	case nil:
		return nil
	case json.Number:
		digits = v.String()
	case string:
		digits = strings.TrimSpace(v)
	}

	if said, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return &said
	}

	// 30.0 and 3e1 are whole numbers, too, as far as a float tells them apart.
	const exact = 1 << 53

	if said, err := strconv.ParseFloat(digits, 64); err == nil && said > -exact && said < exact {
		if out := int64(said); float64(out) == said {
			return &out
		}
	}

	m.wrong(key, "a whole number")

	return nil
}

func wordFor(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

// rawOf is what is kept of a call: its body without secrets, in one form for
// the same content; beside it the query, if there is one.
func rawOf(tree any, query url.Values, secrets []string) (json.RawMessage, error) {
	kept := clean(tree, secrets)

	if len(query) > 0 {
		both := map[string]any{"query": cleanQuery(query, secrets)}
		if tree != nil {
			both["body"] = kept
		}

		kept = both
	}

	if kept == nil {
		kept = map[string]any{}
	}

	raw, err := json.Marshal(kept)
	if err != nil { // what was decoded from JSON always marshals
		return nil, fmt.Errorf("%w: %w", dialect.ErrMalformed, err)
	}

	return raw, nil
}

// clean copies a tree without its secrets.
func clean(tree any, secrets []string) any {
	switch v := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))

		for key, value := range v {
			if !isSecretKey(key) {
				out[cut(key, secrets)] = clean(value, secrets)
			}
		}

		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = clean(value, secrets)
		}

		return out
	case string:
		return cut(v, secrets)
	default:
		return tree
	}
}

func cleanQuery(query url.Values, secrets []string) url.Values {
	out := make(url.Values, len(query))

	for key, values := range query {
		if isSecretKey(key) {
			continue
		}

		for _, value := range values {
			out.Add(cut(key, secrets), cut(value, secrets))
		}
	}

	return out
}

// isSecretKey knows the fields of an integration's registration, and the usual
// names of credentials, with and without dashes, underscores and capitals.
func isSecretKey(key string) bool {
	const longest = len("xpypestreamcustomer")

	var bare [longest]byte

	n := 0

	for i := range len(key) {
		c := key[i]

		switch {
		case c == '-' || c == '_':
			continue
		case n == longest:
			return false
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}

		bare[n] = c
		n++
	}

	switch string(bare[:n]) {
	case "callbacktoken", "integrationfields", "xpypestreamcustomer", "xpypestreamtoken",
		"authorization", "token", "accesstoken", "secret", "clientsecret", "password":
		return true
	default:
		return false
	}
}

// cut takes the source's secrets out of a text.
func cut(text string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}

	return text
}
