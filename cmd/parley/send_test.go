package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/webhooks"
)

const (
	firstSecret  = "first-secret-of-two"
	secondSecret = "second-secret-of-two"
)

// gateway verifies and decodes as the real one does, and keeps what came.
type gateway struct {
	*httptest.Server

	environ map[string]string
	source  *webhooks.Source
	events  []signals.Event
	last    dialects.Request
}

// newGateway serves one source, called shop, of a dialect.
func newGateway(t *testing.T, dialect, secrets, options string) *gateway {
	t.Helper()

	path := filepath.Join(t.TempDir(), "parley.yaml")
	text := fmt.Sprintf("sources:\n  shop: {dialect: %s, secrets: [%s], options: {%s}}\n", dialect, secrets, options)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))

	g := &gateway{environ: map[string]string{configVariable: path}}

	var err error

	g.source, err = configuredSource("shop", lookupIn(g.environ))
	require.NoError(t, err)

	g.Server = httptest.NewServer(http.HandlerFunc(g.take))
	t.Cleanup(g.Close)

	return g
}

func (g *gateway) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	path, ours := strings.CutPrefix(r.URL.Path, "/webhooks/shop")
	raw, _ := strings.CutPrefix(r.URL.EscapedPath(), "/webhooks/shop")

	if err != nil || !ours {
		http.Error(w, "not ours", http.StatusNotFound)

		return
	}

	g.last = dialects.Request{
		Method: r.Method, Path: path, RawPath: raw, Query: r.URL.Query(), Header: r.Header, Body: body, ReceivedAt: time.Now().UTC(),
	}

	answer := func(response dialects.Response) {
		w.WriteHeader(response.Status)
		_, _ = w.Write(response.Body)
	}

	if err := g.source.Dialect.Verify(g.last, g.source.Source); err != nil {
		answer(g.source.Dialect.Refuse(g.last, err))

		return
	}

	events, err := g.source.Dialect.Decode(g.last, g.source.Source)
	if err != nil {
		answer(g.source.Dialect.Refuse(g.last, err))

		return
	}

	g.events = append(g.events, events...)
	answer(g.source.Dialect.Answer(g.last, g.source.Source, dialects.Outcome{Accepted: len(events)}))
}

// send runs `parley send shop …` against the gateway.
func (g *gateway) send(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()

	var out bytes.Buffer

	command := newSendCommand(g.environ)
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(append([]string{"shop", "--url", g.URL}, args...))
	command.SetIn(strings.NewReader(stdin))
	command.SetOut(&out)

	err := command.ExecuteContext(t.Context())
	require.NotContains(t, out.String(), firstSecret)

	return out.String(), err
}

// bothSecrets are those of a source that is being rotated.
func bothSecrets() string { return firstSecret + ", " + secondSecret }

// TestSamplesVerifyAndDecode sends every built-in sample of every dialect: each
// verifies with the first secret, is about the conversation that was asked for,
// is of now, and is another event each time.
func TestSamplesVerifyAndDecode(t *testing.T) {
	t.Parallel()

	for dialect := range dialects.Table() {
		require.NotEmpty(t, sampleNames(dialect), dialect)

		for _, sample := range sampleNames(dialect) {
			t.Run(dialect+"/"+sample, func(t *testing.T) {
				t.Parallel()

				begun := time.Now().Add(-time.Second)
				g := newGateway(t, dialect, bothSecrets(), "")

				out, err := g.send(t, "", sample, "--conversation", "MY CHAT")
				require.NoError(t, err, out)
				require.Contains(t, out, "signed with secret 1 of 2")
				require.NotEmpty(t, g.events)

				for i := range g.events {
					event := &g.events[i]
					require.Contains(t, out, "conversation  "+g.URL+"/v1/conversations/shop/"+url.PathEscape(event.Conversation)+"\n")

					if dialect != "twt" { // which hashes it
						require.Equal(t, "MY CHAT", event.Conversation)
					}

					require.NotEqual(t, signals.Unknown, event.Type)
					require.WithinRange(t, event.At, begun.Add(-time.Hour), time.Now().Add(time.Second), event.Type)
				}

				alone := g.source.Source
				alone.Secrets = []string{secondSecret}
				require.Error(t, g.source.Dialect.Verify(g.last, alone), "it is signed with the first secret")
			})
		}
	}
}

func TestFreshMessagesAreNewEvents(t *testing.T) {
	t.Parallel()

	for dialect, sample := range map[string]string{
		"livechat": "incoming_event", "parley": "message.received", "inbenta": "messages-new", "pypestream": "message",
		"acquire": "case-status",
	} {
		if _, spoken := dialects.Table()[dialect]; !spoken {
			continue
		}

		t.Run(dialect, func(t *testing.T) {
			t.Parallel()

			g := newGateway(t, dialect, bothSecrets(), "")
			ids := func() []string {
				g.events = nil

				_, err := g.send(t, "", sample, "--conversation", "c")
				require.NoError(t, err)

				out := []string{}

				for i := range g.events {
					if g.events[i].Type == signals.MessageReceived {
						out = append(out, g.events[i].ID)
					}
				}

				return out
			}

			first, second := ids(), ids()
			require.NotEmpty(t, first)
			require.Len(t, second, len(first))

			for _, id := range first {
				require.NotContains(t, second, id)
			}
		})
	}
}

func TestLiveChatLifecycleKeepsItsThread(t *testing.T) {
	t.Parallel()

	g := newGateway(t, "livechat", bothSecrets(), "")

	for _, sample := range []string{"incoming_chat", "incoming_event", "chat_deactivated"} {
		_, err := g.send(t, "", sample, "--conversation", "C1")
		require.NoError(t, err)
	}

	ids := map[string]int{}
	thread := g.events[0].Thread
	require.NotEmpty(t, thread)
	require.NotEqual(t, "PZ070E0W1B", thread)

	for i := range g.events {
		require.Equal(t, "C1", g.events[i].Conversation)
		require.Equal(t, thread, g.events[i].Thread)

		ids[g.events[i].ID]++
		require.Equal(t, 1, ids[g.events[i].ID])

		if !signals.IsDerived(g.events[i].ID) {
			require.True(t, strings.HasPrefix(g.events[i].ID, thread+"_"), g.events[i].ID)
		}
	}

	require.True(t, slices.ContainsFunc(g.events, func(e signals.Event) bool { return e.Type == signals.ConversationClosed }))

	_, err := g.send(t, "", "incoming_event", "--conversation", "C1", "--thread", "T2")
	require.NoError(t, err)
	require.Equal(t, "T2", g.events[len(g.events)-1].Thread)
}

// TestAnyIDGoesIntoAPath: what a path cannot hold is escaped in it.
func TestAnyIDGoesIntoAPath(t *testing.T) {
	t.Parallel()

	const id = "a/b:c%d?e#f"

	g := newGateway(t, "pypestream", bothSecrets(), "")

	for _, args := range [][]string{
		{"message", "--conversation", id},
		{"message", "--path", "/contactCenter/v1/conversations/a%2Fb:c%25d%3Fe%23f/messages/m%2F1", "--fresh=false"},
	} {
		said, err := g.send(t, "", args...)
		require.NoError(t, err)
		require.Equal(t, id, g.events[len(g.events)-1].Conversation)
		require.Contains(t, said, "/v1/conversations/shop/a%2Fb:c%25d%3Fe%23f")
	}

	require.Equal(t, "m/1", g.events[1].Message.ID)
}

func TestBodiesOfOnesOwn(t *testing.T) {
	t.Parallel()

	const (
		bare  = `{"chat_id":"a","thread_id":"T","event":{"id":"T_1","type":"message","text":"<b>&","author_id":"x"}}`
		event = `{"id":"1","type":"message.received","conversation":"a","at":"2026-11-20T10:00:00Z","message":{"text":"hi"}}`
		v1    = `{"event":"CHAT_ON_START","data":{" id":172,"status":"pending","date_created":"2017-09-20 10:17:08"}}`
	)

	asB := []string{"--conversation", "b"}

	tests := map[string]struct {
		dialect, secrets, options, body string
		args                            []string
		conversations                   []string
		header, value                   string
	}{
		"LiveChat, bare": {
			"livechat", bothSecrets(), "", bare,
			[]string{"--path", "/incoming_event", "--conversation", "b"},
			[]string{"b"},
			"Authorization", "Bearer " + firstSecret,
		},
		"LiveChat, 3.0": {
			"livechat", bothSecrets(), "", `{"action":"incoming_event","data":` + bare + `}`,
			[]string{"--conversation", "b"},
			[]string{"b"},
			"Authorization", "",
		},
		"LiveChat, as it is": {
			"livechat", bothSecrets(), "", `{"action":"incoming_event","payload":` + bare + `}`,
			[]string{"--fresh=false"},
			[]string{"a"},
			"Authorization", "",
		},
		"Parley, several":   {"parley", bothSecrets(), "", "[" + event + "," + event + "]", asB, []string{"b", "b"}, "", ""},
		"Parley, a list":    {"parley", bothSecrets(), "", `{"events":[` + event + `]}`, []string{"--conversation", "b"}, []string{"b"}, "", ""},
		"Parley, as it is":  {"parley", bothSecrets(), "", " " + event, []string{"--fresh=false"}, []string{"a"}, "", ""},
		"Parley, whsec":     {"parley", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "", event, nil, []string{"a"}, "", ""},
		"Parley, no secret": {"parley", "", "", event, nil, []string{"a"}, "Webhook-Signature", ""},
		"Acquire, version 1": {
			"acquire", "", "", v1, []string{"--conversation", "b"}, []string{"b"}, "X-Acquire-Signature", "",
		},
		"Pypestream, its header": {
			"pypestream", bothSecrets(), "pypestream: {token_header: X-Token}", `{"typing":true}`,
			[]string{"--path", "/contactCenter/v1/conversations/a/type", "--conversation", "b c"},
			[]string{"b c"},
			"X-Token", firstSecret,
		},
		"Pypestream, a question": {
			"pypestream", bothSecrets(), "", "",
			[]string{"--path", "contactCenter/v1/agents/availability?skill=x"},
			[]string{""},
			"Authorization", "Bearer " + firstSecret,
		},
	}

	for name, test := range tests {
		if _, spoken := dialects.Table()[test.dialect]; !spoken {
			continue
		}

		t.Run(name, func(t *testing.T) {
			t.Parallel()

			g := newGateway(t, test.dialect, test.secrets, test.options)

			out, err := g.send(t, test.body, append([]string{"-"}, test.args...)...)
			require.NoError(t, err, out)

			got := []string{}
			for i := range g.events {
				got = append(got, g.events[i].Conversation)
			}

			require.Equal(t, test.conversations, got)

			if test.header != "" {
				require.Equal(t, test.value, g.last.Header.Get(test.header))
			}

			if test.secrets == "" {
				require.Contains(t, out, "not signed")
			}

			if strings.Contains(name, "as it is") && test.dialect == "parley" {
				require.Equal(t, test.body, string(g.last.Body), "not a byte differs")
			}
		})
	}
}

func TestSendSaysWhatFails(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		dialect, body string
		args          []string
		want          string
	}{
		"a refusal":           {"livechat", `{"action":"incoming_event","payload":{}}`, nil, "the gateway answered 422"},
		"no JSON":             {"parley", `{`, nil, "the body is no JSON"},
		"more than one":       {"parley", `{} {}`, nil, "the body is no JSON"},
		"no conversation":     {"livechat", `{"action":"tag_created","payload":{}}`, []string{"--conversation", "b"}, "names no conversation"},
		"no such sample":      {"livechat", "", []string{"incoming_evnt"}, "neither a file nor a built-in sample of livechat; there are"},
		"a bad address":       {"livechat", "", []string{"incoming_chat", "--url", "localhost"}, "--url must be an address"},
		"a password":          {"livechat", "", []string{"incoming_chat", "--url", "http://u:p@localhost"}, "--url must be an address"},
		"nobody there":        {"livechat", "", []string{"incoming_chat", "--url", "http://127.0.0.1:1"}, "is Parley running there?"},
		"another's whsec":     {"parley", `{}`, nil, "not base64"},
		"a path of elsewhere": {"parley", `{}`, []string{"--path", "a#b"}, "--path must be a path"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			secrets := bothSecrets()
			if name == "another's whsec" {
				secrets = "whsec_-"
			}

			g := newGateway(t, test.dialect, secrets, "")

			_, err := g.send(t, test.body, test.args...)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "whsec_-")
			require.Empty(t, g.events)
		})
	}

	_, err := configuredSource("livechatt", lookupIn(map[string]string{}))
	require.ErrorContains(t, err, `no source is called "livechatt"; did you mean livechat?`)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()

	g := newGateway(t, "livechat", bothSecrets(), "")
	front := httptest.NewServer(http.RedirectHandler(g.URL+"/webhooks/shop", http.StatusTemporaryRedirect))
	t.Cleanup(front.Close)

	_, err := g.send(t, "", "incoming_event", "--url", front.URL)
	require.ErrorContains(t, err, "307")
	require.Empty(t, g.events)
}

func TestGatewayURL(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ said, addr, want, fault string }{
		"default":         {"", "", "http://127.0.0.1:8080", ""},
		"another port":    {"", "localhost:9000", "http://localhost:9000", ""},
		"everywhere":      {"", "0.0.0.0:80", "http://127.0.0.1:80", ""},
		"no host":         {"", ":80", "http://127.0.0.1:80", ""},
		"IPv6":            {"", "[::1]:80", "http://[::1]:80", ""},
		"another machine": {"", "192.0.2.1:80", "", "is not on this machine"},
		"another name":    {"", "chat.example:80", "", "is not on this machine"},
		"no port":         {"", "127.0.0.1", "", "is not on this machine"},
		"said":            {"https://chat.example/base/", "", "https://chat.example/base", ""},
		"said, plain":     {"http://192.0.2.1", "x", "http://192.0.2.1", ""},
		"said, no scheme": {"chat.example", "", "", "--url"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := gatewayURL(test.said, lookupIn(map[string]string{addrVariable: test.addr}))
			if test.fault != "" {
				require.ErrorContains(t, err, test.fault)

				return
			}

			require.NoError(t, err)
			require.Equal(t, test.want, got.String())
		})
	}
}
