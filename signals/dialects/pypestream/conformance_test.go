package pypestream_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/pypestream"
	"github.com/parleyhq/parley/tests/dialecttest"
)

const (
	conversation = "/contactCenter/v1/conversations/c-1"
)

func received() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 301e6, time.UTC) }

func source() dialect.Source { return dialect.Source{Name: "pypestream"} }

// fixture is one call with the body of a published or derived sample.
type fixture struct {
	name   string
	method string
	path   string
	query  string
	file   string // empty: no body
}

func allFixtures() []fixture {
	const (
		get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
		agents         = "/contactCenter/v1/agents/"
		message        = conversation + "/messages/m-1"
	)

	return []fixture{
		{"availability", get, agents + "availability", "skill=general", ""},
		{"availability-no-skill", get, agents + "availability", "", ""},
		{"availability-attributes", post, agents + "availability", "", "derived/agents-availability.request"},
		{"availability-receivers-words", get, agents + "availability", "skill=general", "agents-availability.response"},
		{"waitTime", get, agents + "waitTime", "skill=a%26b+c", ""},
		{"waitTime-attributes", post, agents + "waitTime", "", "agents-waitTime.response"},
		{"escalate", post, conversation + "/escalate", "", "escalate.request"},
		{"escalate-bare", post, conversation + "/escalate", "", "derived/escalate-bare.request"},
		{"escalate-no-body", post, conversation + "/escalate", "", ""},
		{"escalate-accepted", post, conversation + "/escalate", "", "escalate.response.accepted"},
		{"escalate-queued", post, conversation + "/escalate", "", "escalate.response.queued"},
		{"type", post, conversation + "/type", "", "type.request"},
		{"type-escalation", post, conversation + "/type", "", "derived/type-escalation.request"},
		{"message", put, message, "", "message.request"},
		{"message-escalation", put, message, "", "derived/message-escalation.request"},
		{"message-agent", put, message, "", "derived/message-agent.request"},
		{"message-bot", put, message, "", "derived/message-bot.request"},
		{"message-anonymous", put, message, "", "derived/message-anonymous_consumer.request"},
		{"message-other-side", put, message, "", "derived/message-supervisor.request"},
		{"message-no-side", put, message, "", "derived/message-no-side.request"},
		{"message-rich", put, message, "", "derived/message-rich.request"},
		{"end", post, conversation + "/end", "", "derived/end.request"},
		{"end-bare", post, conversation + "/end", "", "derived/end-bare.request"},
	}
}

func (f fixture) body(tb testing.TB) []byte {
	tb.Helper()

	if f.file == "" {
		return nil
	}

	raw, err := os.ReadFile(filepath.Join(dialecttest.Fixtures, filepath.FromSlash(f.file)+".json"))
	require.NoError(tb, err)

	return raw
}

func (f fixture) request(tb testing.TB) dialect.Request {
	tb.Helper()

	req := call(f.method, f.path, string(f.body(tb)))
	req.Query = query(tb, f.query)

	return req
}

func query(tb testing.TB, text string) url.Values {
	tb.Helper()

	values, err := url.ParseQuery(text)
	require.NoError(tb, err)

	return values
}

// call is a request as the vendor's own test sends it: not marked as JSON.
func call(method, path, body string) dialect.Request {
	return dialect.Request{
		Method: method, Path: path, Body: []byte(body), ReceivedAt: received(),
		Header: http.Header{
			"Content-Type": {"application/octet-stream"}, "X-Pypestream-Integration": {"Genesys"},
			"X-Pypestream-Customer": {"eyJrZXkiOiJ0b3BzM2NyZXQifQ=="},
		},
	}
}

func one(tb testing.TB, req dialect.Request, src dialect.Source) signals.Event {
	tb.Helper()

	return dialecttest.One(tb, pypestream.Dialect{}, req, src)
}

func TestFixturesDecodeToGolden(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()

			event := one(t, f.request(t), source())
			dialecttest.Sound(t, received(), event)
			require.Equal(t, event.Type, pypestream.Events()[event.Platform.Event])

			if f.file != "" && f.query == "" {
				require.JSONEq(t, string(f.body(t)), string(event.Raw))
			}

			dialecttest.Golden(t, f.name, []signals.Event{event})
		})
	}
}

func TestFixturesEncodeBack(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()

			event := dialecttest.Kept(t, one(t, f.request(t), source()))[0]
			body := dialecttest.Encode(t, pypestream.Dialect{}, event)

			want := string(f.body(t))
			if want == "" {
				want = "{}"
			}

			require.Equal(t, dialecttest.Tree(t, []byte(want)), dialecttest.Tree(t, body))

			method, target, err := pypestream.RequestLine(event)
			require.NoError(t, err)
			require.Equal(t, f.method, method)

			path, asked, _ := strings.Cut(target, "?")
			require.Equal(t, f.path, path)
			require.Equal(t, f.query, asked)
		})
	}
}

// Every call of the reference page means something, and nothing else does.
func TestEveryCallOfThePageHasAMeaning(t *testing.T) {
	t.Parallel()

	page := map[string]signals.Type{
		"GET agents/availability":                                    signals.AvailabilityRequested,
		"GET agents/waitTime":                                        signals.AvailabilityRequested,
		"POST conversations/{conversationId}/escalate":               signals.EscalationRequested,
		"POST conversations/{conversationId}/type":                   signals.TypingChanged,
		"PUT conversations/{conversationId}/messages/{messageId}":    signals.MessageReceived,
		"POST conversations/{conversationId}/end":                    signals.ConversationClosed,
		"POST agents/availability" /* the page's literal reading */ : signals.AvailabilityRequested,
		"POST agents/waitTime" /*     likewise */ :                   signals.AvailabilityRequested,
	}
	require.Equal(t, page, pypestream.Events())

	ids := strings.NewReplacer("{conversationId}", "c", "{messageId}", "m")

	for name, meaning := range page {
		method, path, _ := strings.Cut(name, " ")

		// Slashes too many and other cases come from how a team writes its URL.
		for _, written := range []string{
			pypestream.Base + "/" + path, "/" + pypestream.Base + "/" + path + "/", strings.ToLower(pypestream.Base + "/" + path),
		} {
			written = strings.NewReplacer("{conversationid}", "c", "{messageid}", "m").Replace(ids.Replace(written))
			event := one(t, call(method, written, `{"typing":true,"content":"x"}`), source())
			require.Equal(t, meaning, event.Type, written)
			require.Equal(t, name, event.Platform.Event)
			require.Equal(t, "v1", event.Platform.Version)
			require.Equal(t, "Genesys", event.Platform.Integration)
		}
	}
}
