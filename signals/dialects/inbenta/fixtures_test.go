package inbenta_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/inbenta"
)

var update = flag.Bool("update", false, "write the golden files anew") //nolint:gochecknoglobals // a flag of go test

// The fixtures are made: the envelope is published, the data is what Inbenta's
// own connectors and chat adapter read, and for events that none of them reads
// the forms that the decoder accepts.
const fixtures = "testdata/fixtures"

const secret = "test-secret"

func received() time.Time { return time.Date(2020, 3, 4, 14, 10, 0, 301e6, time.UTC) }

func source() dialect.Source { return dialect.Source{Name: "inbenta"} }

func signed() dialect.Source {
	return dialect.Source{Name: "inbenta", Secrets: []string{"old-secret", secret}}
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)

	return hex.EncodeToString(mac.Sum(nil))
}

type fixture struct {
	name string
	body []byte
}

func (f fixture) request() dialect.Request { return post(string(f.body)) }

func post(body string) dialect.Request {
	return dialect.Request{Method: http.MethodPost, Body: []byte(body), Header: http.Header{}, ReceivedAt: received()}
}

func allFixtures(tb testing.TB) []fixture {
	tb.Helper()

	paths, err := filepath.Glob(filepath.Join(fixtures, "*.json"))
	require.NoError(tb, err)
	require.Len(tb, paths, 45, "fixtures")

	all := make([]fixture, 0, len(paths))

	for _, path := range paths {
		body, err := os.ReadFile(path)
		require.NoError(tb, err)

		all = append(all, fixture{name: strings.TrimSuffix(filepath.Base(path), ".json"), body: body})
	}

	return all
}

func decode(tb testing.TB, body string) signals.Event {
	tb.Helper()

	events, err := inbenta.Dialect{}.Decode(post(body), source())
	require.NoError(tb, err)
	require.Len(tb, events, 1)

	return events[0]
}

func encode(tb testing.TB, event signals.Event) map[string]any {
	tb.Helper()

	body, err := inbenta.Dialect{}.Encode(event)
	require.NoError(tb, err)

	return object(tb, body)
}

func object(tb testing.TB, raw []byte) map[string]any {
	tb.Helper()

	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()

	var out map[string]any

	require.NoError(tb, decoder.Decode(&out))

	return out
}

// stored sends an event through JSON, without Raw, as history does.
func stored(tb testing.TB, event signals.Event) signals.Event {
	tb.Helper()

	event.Raw = nil
	raw, err := json.Marshal(event)
	require.NoError(tb, err)

	var out signals.Event

	require.NoError(tb, json.Unmarshal(raw, &out))

	return out
}
