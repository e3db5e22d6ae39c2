package acquire_test

import (
	"bytes"
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
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

var update = flag.Bool("update", false, "write the golden files anew") //nolint:gochecknoglobals // a flag of go test

const fixtures = "testdata/fixtures"

func received() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 301e6, time.UTC) }

func source() dialect.Source {
	return dialect.Source{Name: "acquire", Zone: time.FixedZone("", 2*3600), RetryWindow: 2 * time.Minute}
}

type fixture struct {
	name string
	body []byte
}

func post(body string) dialect.Request {
	return dialect.Request{
		Method: http.MethodPost, Body: []byte(body), ReceivedAt: received(),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, // curl's default
	}
}

// allFixtures are the published samples and those in derived, which were made
// by the description of what has no published one.
func allFixtures(tb testing.TB) []fixture {
	tb.Helper()

	var all []fixture

	for _, pattern := range []string{"case-*.json", "v1/*.json", "derived/*.json"} {
		paths, err := filepath.Glob(filepath.Join(fixtures, pattern))
		require.NoError(tb, err)

		for _, path := range paths {
			body, err := os.ReadFile(path)
			require.NoError(tb, err)

			name, err := filepath.Rel(fixtures, strings.TrimSuffix(path, ".json"))
			require.NoError(tb, err)

			all = append(all, fixture{strings.ReplaceAll(name, string(filepath.Separator), "-"), body})
		}
	}

	require.Len(tb, all, 16, "fixtures")

	return all
}

func decode(tb testing.TB, body string) []signals.Event {
	tb.Helper()

	events, err := acquire.Dialect{}.Decode(post(body), source())
	require.NoError(tb, err)
	require.NotEmpty(tb, events)

	return events
}

func one(tb testing.TB, body string) signals.Event {
	tb.Helper()

	events := decode(tb, body)
	require.Len(tb, events, 1)

	return events[0]
}

// stored sends events through JSON, as history and the archive do, and cuts
// Raw off: nothing may be encoded from it.
func stored(tb testing.TB, events []signals.Event) []signals.Event {
	tb.Helper()

	raw, err := json.Marshal(events)
	require.NoError(tb, err)

	var out []signals.Event

	require.NoError(tb, json.Unmarshal(raw, &out))

	for i := range out {
		out[i].Raw = nil
	}

	return out
}

func TestFixturesDecodeToGolden(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()

			events := decode(t, string(f.body))

			for i := range events {
				require.True(t, json.Valid(events[i].Raw))
				require.NoError(t, events[i].Validate())
				require.True(t, events[i].Type.Incoming())
				require.NotEqual(t, signals.Unknown, events[i].Type)
				require.Equal(t, received(), events[i].ReceivedAt)

				events[i].Raw = nil // checked above, and the fixture itself shows it
			}

			golden(t, f.name, events)
		})
	}
}

func golden(t *testing.T, name string, events []signals.Event) {
	t.Helper()

	var got bytes.Buffer

	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(events))

	path := filepath.Join("testdata", "golden", name+".json")

	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, got.Bytes(), 0o600))
	}

	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got.String())
}

func TestFixturesEncodeBack(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()

			events := stored(t, decode(t, string(f.body)))

			var (
				got  []byte
				err  error
				main *signals.Event
			)

			for i := range events {
				if events[i].Type != signals.CustomerUpdated && (main == nil || main.Type != signals.ConversationOpened) {
					main = &events[i]
				}
			}

			got, err = acquire.Dialect{}.Encode(*main)
			require.NoError(t, err)

			want := tree(t, f.body)

			if len(events) > 2 || main.Type == signals.ConversationOpened && main.Platform.Version != "1" {
				// The case alone lacks its transcript and nothing else; with its
				// messages it is the webhook again.
				data := want["data"].(map[string]any)
				transcript := data["messages"]
				delete(data, "messages")
				require.Equal(t, want, tree(t, got))

				data["messages"] = transcript
				got, err = acquire.EncodeAll(events)
				require.NoError(t, err)
				encodesTranscript(t, events, transcript.([]any))
			}

			require.Equal(t, want, tree(t, got))
		})
	}
}

// encodesTranscript compares each message with what it encodes to alone.
func encodesTranscript(t *testing.T, events []signals.Event, transcript []any) {
	t.Helper()

	for i := range events {
		if events[i].Type != signals.MessageReceived && events[i].Type != signals.SystemNoted {
			continue
		}

		body, err := acquire.Dialect{}.Encode(events[i])
		require.NoError(t, err)

		data := map[string]any{"caseId": "72", "message": transcript[0]}
		if transcript[0].(map[string]any)["senderType"] == "contact" {
			data["contact"] = map[string]any{"id": "5", "fields": map[string]any{"name": "Jhon", "email": "jhone@example.com"}}
		}

		require.Equal(t, map[string]any{"event": "case:message:new", "data": data}, tree(t, body))

		transcript = transcript[1:]
	}

	require.Empty(t, transcript)
}

// tree reads a body, with the objects that strings hold.
func tree(t *testing.T, body []byte) map[string]any {
	t.Helper()

	var out map[string]any

	require.NoError(t, json.Unmarshal(body, &out))

	return nested(out).(map[string]any)
}

func nested(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = nested(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = nested(inner)
		}
	case string:
		var held any

		if strings.HasPrefix(v, "{") && json.Unmarshal([]byte(v), &held) == nil {
			return []any{"held by a string", nested(held)}
		}
	}

	return value
}
