package dialecttest

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Fixtures is the folder of a dialect's fixtures.
const Fixtures = "testdata/fixtures"

var update = flag.Bool("update", false, "write the files that are compared anew") //nolint:gochecknoglobals // a flag of go test

// Fixture is the body of one webhook.
type Fixture struct {
	// Path is that of its file below [Fixtures], with slashes and without its ending.
	Path string
	// Name is Path with dashes for slashes, and the name of the golden file.
	Name string
	Body []byte
}

// Read returns the fixtures that match one of the patterns below [Fixtures],
// in the order of the patterns.
func Read(tb testing.TB, patterns ...string) []Fixture {
	tb.Helper()

	var all []Fixture

	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(Fixtures, pattern))
		require.NoError(tb, err)
		require.NotEmpty(tb, paths, pattern)

		for _, path := range paths {
			body, err := os.ReadFile(path)
			require.NoError(tb, err)

			path, err = filepath.Rel(Fixtures, strings.TrimSuffix(path, ".json"))
			require.NoError(tb, err)

			path = filepath.ToSlash(path)
			all = append(all, Fixture{Path: path, Name: strings.ReplaceAll(path, "/", "-"), Body: body})
		}
	}

	return all
}

// Golden compares got as JSON with testdata/golden/name.json, see [Written].
func Golden(tb testing.TB, name string, got any) {
	tb.Helper()

	var text bytes.Buffer

	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(tb, encoder.Encode(got))

	Written(tb, filepath.Join("testdata", "golden", name+".json"), text.String())
}

// Written compares got with the text of a file. With -update it writes the file
// first.
func Written(tb testing.TB, path, got string) {
	tb.Helper()

	if *update {
		require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(tb, os.WriteFile(path, []byte(got), 0o600))
	}

	want, err := os.ReadFile(path)
	require.NoError(tb, err, "run the test with -update")
	require.Equal(tb, string(want), got, "run the test with -update")
}

// Vector is a signature that is known to be right.
type Vector struct {
	Header    string `json:"header"`
	Secret    string `json:"secret"`
	Body      string `json:"body"`
	Signature string `json:"signature_hex"`
}

// Vectors returns the signatures of a file, at least one.
func Vectors(tb testing.TB, path string) []Vector {
	tb.Helper()

	raw, err := os.ReadFile(path)
	require.NoError(tb, err)

	var vectors []Vector

	require.NoError(tb, json.Unmarshal(raw, &vectors))
	require.NotEmpty(tb, vectors)

	return vectors
}

// Tree reads one JSON value, its numbers as they are written.
func Tree(tb testing.TB, raw []byte) any {
	tb.Helper()

	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()

	var out any

	require.NoError(tb, decoder.Decode(&out), string(raw))

	_, err := decoder.Token()
	require.ErrorIs(tb, err, io.EOF, "one value and nothing behind it")

	return out
}

// Object is the [Tree] of a JSON object.
func Object(tb testing.TB, raw []byte) map[string]any {
	tb.Helper()

	out, ok := Tree(tb, raw).(map[string]any)
	require.True(tb, ok, "an object: %s", raw)

	return out
}
