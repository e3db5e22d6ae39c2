package acquire_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/tests/dialecttest"
)

func received() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 301e6, time.UTC) }

func source() dialect.Source {
	return dialect.Source{Name: "acquire", Zone: time.FixedZone("", 2*3600), RetryWindow: 2 * time.Minute}
}

func post(body string) dialect.Request {
	return dialect.Request{
		Method: http.MethodPost, Body: []byte(body), ReceivedAt: received(),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, // curl's default
	}
}

// allFixtures are the published samples and those in derived, which were made
// by the description of what has no published one.
func allFixtures(tb testing.TB) []dialecttest.Fixture {
	tb.Helper()

	all := dialecttest.Read(tb, "case-*.json", "v1/*.json", "derived/*.json")
	require.Len(tb, all, 16, "fixtures")

	return all
}

func decode(tb testing.TB, body string) []signals.Event {
	tb.Helper()

	return dialecttest.Decode(tb, acquire.Dialect{}, post(body), source())
}

func one(tb testing.TB, body string) signals.Event {
	tb.Helper()

	return dialecttest.One(tb, acquire.Dialect{}, post(body), source())
}

func TestFixturesDecodeToGolden(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()

			events := decode(t, string(f.Body))
			dialecttest.Sound(t, received(), events...)
			dialecttest.Golden(t, f.Name, dialecttest.Bare(events...))
		})
	}
}

func TestFixturesEncodeBack(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()

			events := dialecttest.Kept(t, decode(t, string(f.Body))...)

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

			want := tree(t, f.Body)

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

	return nested(dialecttest.Object(t, body)).(map[string]any)
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
