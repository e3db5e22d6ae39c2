package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
)

// explain runs `parley verify shop …`.
func (g *gateway) explain(t *testing.T, body string, args ...string) (events, steps string, err error) {
	t.Helper()

	var stdout, stderr bytes.Buffer

	command := newVerifyCommand(g.environ)
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(append([]string{"shop"}, args...))
	command.SetIn(strings.NewReader(body))
	command.SetOut(&stdout)
	command.SetErr(&stderr)

	err = command.ExecuteContext(t.Context())

	for _, shown := range []string{stdout.String(), stderr.String()} {
		require.NotContains(t, shown, firstSecret)
		require.NotContains(t, shown, secondSecret)
	}

	return stdout.String(), stderr.String(), err
}

// headersOf are the flags that give back a request's headers.
func headersOf(req *dialects.Request) []string {
	args := []string{}
	if req.Path != "" {
		args = append(args, "--path", req.Path)
	}

	for name := range req.Header {
		args = append(args, "--header", name+": "+req.Header.Get(name))
	}

	return args
}

// TestWhatIsSentVerifies takes what each sample became on its way to the
// gateway, and has it explained.
func TestWhatIsSentVerifies(t *testing.T) {
	t.Parallel()

	for dialect := range dialects.Table() {
		for _, sample := range sampleNames(dialect) {
			t.Run(dialect+"/"+sample, func(t *testing.T) {
				t.Parallel()

				g := newGateway(t, dialect, bothSecrets(), "")

				_, err := g.send(t, "", sample)
				require.NoError(t, err)

				events, steps, err := g.explain(t, string(g.last.Body), headersOf(&g.last)...)
				require.NoError(t, err)
				require.Contains(t, steps, "ok: secret 1 of 2 fits")

				lines := strings.Split(strings.TrimSuffix(events, "\n"), "\n")
				require.Len(t, lines, len(g.events))

				for i, line := range lines {
					var event signals.Event

					require.NoError(t, json.Unmarshal([]byte(line), &event))
					require.Equal(t, g.events[i].ID, event.ID)
					require.Equal(t, g.events[i].Type, event.Type)
					require.Empty(t, event.Raw)
				}

				_, steps, err = g.explain(t, string(g.last.Body[:len(g.last.Body)-3]), headersOf(&g.last)...)
				require.Error(t, err)
				require.Contains(t, steps, "FAIL")
			})
		}
	}
}

func TestVerifyExplains(t *testing.T) {
	t.Parallel()

	const event = `{"type":"message.received","conversation":"c","message":{"text":"\u202ehi"}}`

	tests := map[string]struct {
		dialect, secrets, body string
		args                   []string
		want                   []string
		fault                  string
	}{
		"the second secret": {
			"livechat", bothSecrets(),
			`{"action":"x","payload":{},"organization_id":"o","secret_key":"` + secondSecret + `"}`, nil,
			[]string{"has 2 secrets", `organization_id (3.4 or later) with action "x"`, "secret 2 of 2 fits", "decoded     1 event\n"},
			"",
		},
		"another secret": {
			"livechat", bothSecrets(), `{"action":"x","payload":{},"secret_key":"no"}`, nil,
			[]string{"looked for  secret_key in the body", "none of 2 secrets fits", "answer      400"},
			"wrong secret",
		},
		"no bearer token": {
			"livechat", bothSecrets(), `{"chat_id":"c"}`,
			[]string{"--path", "/x"},
			[]string{"bare payload, whose event is the path: \"/x\"", "header authorization: missing", "answer      401"},
			"no credential",
		},
		"an application's": {
			"livechat", "", `{"applicationID":"a","event":"application_installed"}`, nil,
			[]string{"about an application, event \"application_installed\""},
			"",
		},
		"no secrets": {"parley", "", event, nil, []string{"from this machine only", `type "message.received"`}, ""},
		"not signed": {"parley", bothSecrets(), event, nil, []string{"webhook-id: missing", "headers given: none"}, "no credential"},
		"does not decode": {
			"parley", "", `{"type":"message.received","conversation":1}`, nil,
			[]string{"FAIL: conversation: must be a string", "422"},
			"conversation",
		},
		"no JSON":    {"parley", "", `{"a":`, nil, []string{"no JSON: unexpected end of JSON input at byte 5", "400"}, "malformed"},
		"empty":      {"livechat", "", ``, nil, []string{"body        empty"}, "malformed"},
		"an array":   {"livechat", "", `[1]`, nil, []string{"a JSON array with 1 element"}, "must be an object"},
		"a number":   {"livechat", "", `1`, nil, []string{"neither an object nor an array"}, "must be an object"},
		"bad header": {"livechat", "", `{}`, []string{"--header", "x"}, nil, "--header must be"},
		"a terminal's orders": {
			"livechat", "", "{\"action\":\"\u009b31m\u202e\",\"payload\":{}}", nil, []string{`with action "\u009b31m\u202e"`}, "",
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			g := newGateway(t, test.dialect, test.secrets, "")

			events, steps, err := g.explain(t, test.body, test.args...)
			for _, want := range test.want {
				require.Contains(t, steps, want)
			}

			require.NotContains(t, events+steps, "\u202e")
			require.NotContains(t, events+steps, "\u009b")

			if test.fault == "" {
				require.NoError(t, err)
				require.NotEmpty(t, events)

				return
			}

			require.ErrorContains(t, err, test.fault)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestVerifyTellsWhatWouldVerify(t *testing.T) {
	t.Parallel()

	const event = `{"type":"message.received","conversation":"c","message":{"text":"hi"}}`

	g := newGateway(t, "parley", bothSecrets(), "")

	signed := func(body string, at time.Time) (string, []string) {
		req := dialects.Request{Header: map[string][]string{}, Body: []byte(body)}
		require.NoError(t, signParley(&req, secondSecret, at))

		return body, headersOf(&req)
	}

	body, headers := signed(event, time.Now())
	_, steps, err := g.explain(t, body+"\n", headers...)
	require.Error(t, err)
	require.Contains(t, steps, "secret 2 fits, but the signature is over the body without the blanks at its end")

	body, headers = signed(event+"\n", time.Now())
	_, steps, err = g.explain(t, strings.TrimSpace(body), headers...)
	require.Error(t, err)
	require.Contains(t, steps, "secret 2 fits, but the signature is over the body with a line end")

	body, headers = signed(event, time.Now())
	_, steps, err = g.explain(t, strings.ReplaceAll(body, ",", ",\n  "), headers...)
	require.Error(t, err)
	require.Contains(t, steps, "secret 2 fits, but the signature is over the body in another layout")

	body, headers = signed(event, time.Now().Add(-time.Hour))
	_, steps, err = g.explain(t, body, headers...)
	require.Error(t, err)
	require.Contains(t, steps, "secret 2 fits, but the timestamp is 1h0m")

	body, headers = signed(event, time.Now())
	events, steps, err := g.explain(t, body, append(headers, "--indent")...)
	require.NoError(t, err)
	require.Contains(t, steps, "secret 2 of 2 fits")
	require.Contains(t, events, "\n  \"type\": \"message.received\"")
}
