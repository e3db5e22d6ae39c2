package dialects_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals/dialects"
)

// Every value of every fixture is replaced by others: a webhook is then refused
// as the sender's fault or gives sound events, and nothing panics.
func TestOddValues(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, _ platform, s sample) {
		t.Helper()

		tree := parsed(s.req.Body)
		for _, odd := range oddValues() {
			visit(tree, func(replace func(any)) {
				replace(odd)

				soundOrRefused(t, d, with(s.req, tree))
			})
		}
	})
}

func oddValues() []any {
	return []any{
		nil, true, -1, 1e300, json.Number("12345678901234567890"), "", "x", "\x00\u202e", strings.Repeat("x", 3000),
		[]any{},
		[]any{nil},
		[]any{1, "x"},
		map[string]any{},
		map[string]any{"id": 1},
		"9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
	}
}

// visit calls each for every value in a tree but the root, with what replaces
// it, and puts it back.
func visit(tree any, each func(replace func(any))) {
	switch v := tree.(type) {
	case map[string]any:
		for key, value := range v {
			each(func(odd any) { v[key] = odd })
			v[key] = value
			visit(value, each)
		}
	case []any:
		for i, value := range v {
			each(func(odd any) { v[i] = odd })
			v[i] = value
			visit(value, each)
		}
	}
}

// What is no webhook at all, or nests deep, is refused, or can be kept and read
// again.
func TestHostileBodies(t *testing.T) {
	t.Parallel()

	everyDialect(t, func(t *testing.T, d dialects.Dialect, p platform) {
		t.Helper()

		bodies := []string{"", " ", "null", "0", `""`, "[]", "{}", "[[]]", "[null]", "\x00", "\xff\xfe", `{"":""}`, `{"event":null}`}

		for _, levels := range []int{400, 9_990, 9_999, 100_000} {
			bodies = append(bodies, nest(levels), `{"`+marker+`":`+nest(levels)+`}`)
		}

		for _, body := range bodies {
			req := p.unknown
			req.Body = []byte(body)
			soundOrRefused(t, d, req)

			if err := d.Verify(req, source(secret)); err != nil {
				require.GreaterOrEqual(t, d.Refuse(req, err).Status, 400)
			}
		}
	})
}

func TestDeepFieldsAreReadAgainOrRefused(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, _ platform, s sample) {
		t.Helper()

		req := s.req
		req.Body = []byte(strings.Replace(string(s.req.Body), "{", `{"`+marker+`":`+nest(9_990)+`,`, 1))
		soundOrRefused(t, d, req)
	})
}

func nest(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

func soundOrRefused(t *testing.T, d dialects.Dialect, req dialects.Request) {
	t.Helper()

	events, err := d.Decode(req, source())
	if err == nil {
		sound(t, events)
		require.Less(t, d.Answer(req, source(), dialects.Outcome{}).Status, 300)

		return
	}

	require.Contains(t, []int{400, 422}, d.Refuse(req, err).Status, err)
}
