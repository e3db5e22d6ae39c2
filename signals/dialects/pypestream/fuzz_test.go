package pypestream_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/pypestream"
)

func FuzzDecode(f *testing.F) {
	for _, sample := range allFixtures() {
		f.Add(sample.method, sample.path, sample.query, sample.body(f))
	}

	f.Add("PUT", "/contactCenter/v1/conversations/a%2Fb%3F/messages/%2f:%25", "", []byte(`{"content":"x"}`))
	f.Add("POST", "/contactCenter/v2/conversations/c/rate", "a=%ff", []byte(`[null]`))

	f.Fuzz(func(t *testing.T, method, path, text string, body []byte) {
		asked, err := url.ParseQuery(text)
		if err != nil {
			return
		}

		src := dialect.Source{Name: "pypestream", Secrets: []string{"c0rrect-h0rse"}}
		req := dialect.Request{Method: method, Path: path, Query: asked, Body: body, ReceivedAt: received()}

		if plain, err := url.PathUnescape(path); err == nil {
			req.Path, req.RawPath = plain, path
		}

		answer := pypestream.Dialect{}.Answer(req, src, dialect.Outcome{})
		require.Contains(t, []int{200, 201, 204}, answer.Status)
		require.True(t, len(answer.Body) == 0 || json.Valid(answer.Body))

		events, err := pypestream.Dialect{}.Decode(req, src)
		if err != nil {
			refused := pypestream.Dialect{}.Refuse(req, err)
			require.Equal(t, 400, refused.Status, err)
			require.True(t, json.Valid(refused.Body))

			return
		}

		require.Len(t, events, 1)

		event := events[0]
		require.NoError(t, event.Validate())
		require.True(t, event.Type.Incoming())
		require.True(t, json.Valid(event.Raw))
		require.NotContains(t, string(event.Raw), "c0rrect-h0rse")
		require.NotContains(t, event.Platform.Event, "c0rrect-h0rse")
		require.True(t, utf8.ValidString(event.Conversation))

		encoded, err := pypestream.Dialect{}.Encode(event)
		if err != nil {
			require.ErrorIs(t, err, dialect.ErrNotEncodable)

			return
		}

		require.True(t, json.Valid(encoded))

		line, target, err := pypestream.RequestLine(event)
		require.NoError(t, err)

		sent, err := url.Parse(target)
		require.NoError(t, err)

		// What was encoded says the same again.
		again, err := pypestream.Dialect{}.Decode(dialect.Request{
			Method: line, Path: sent.Path, RawPath: sent.RawPath, Query: sent.Query(), Body: encoded, ReceivedAt: received(),
		}, src)
		require.NoError(t, err)
		require.Equal(t, event.Type, again[0].Type)
		require.Equal(t, event.Conversation, again[0].Conversation)

		twice, err := pypestream.Dialect{}.Encode(again[0])
		require.NoError(t, err)
		require.JSONEq(t, string(encoded), string(twice))
	})
}

// Whoever is let in has shown the secret, whole.
func FuzzVerify(f *testing.F) {
	const secret = "c0rrect-h0rse"

	f.Add("Bearer "+secret, "", "", "")
	f.Add(basic("user", secret), secret, "X-Callback", secret)
	f.Add("Basic "+secret, secret[1:], "Authorization", "Bearer "+secret)
	f.Add("Bearer \t"+secret, "", "", "")

	f.Fuzz(func(t *testing.T, auth, token, option, own string) {
		src := dialect.Source{Secrets: []string{secret, ""}}
		src.Options.Pypestream.TokenHeader = option

		header := http.Header{}
		header.Set("Authorization", auth)
		header.Set("X-Pypestream-Token", token)

		if option != "" {
			header.Set(option, own)
		}

		req := dialect.Request{Header: header}

		if err := (pypestream.Dialect{}).Verify(req, src); err != nil {
			require.Equal(t, 401, pypestream.Dialect{}.Refuse(req, err).Status)

			return
		}

		shown := false

		for _, values := range header {
			for _, value := range values {
				shown = shown || proves(value, secret)
			}
		}

		require.True(t, shown, "let in without the secret")
	})
}

// proves reports whether a header ends in the secret, plain or as Basic has it.
func proves(value, secret string) bool {
	value = strings.TrimSpace(value)
	_, credential, _ := strings.Cut(value, " ")
	credential = strings.TrimSpace(credential)

	if value == secret || credential == secret {
		return true
	}

	plain, err := base64.StdEncoding.DecodeString(credential)

	return err == nil && strings.HasSuffix(string(plain), ":"+secret)
}

// BenchmarkDecode reports what verifying and decoding one event costs.
func BenchmarkDecode(b *testing.B) {
	src := source()
	src.Secrets = []string{"c0rrect-h0rse"}

	for _, sample := range allFixtures() {
		req := sample.request(b)
		req.Header.Set("Authorization", "Bearer c0rrect-h0rse")

		b.Run(sample.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(req.Body)))

			for b.Loop() {
				if err := (pypestream.Dialect{}).Verify(req, src); err != nil {
					b.Fatal(err)
				}

				if _, err := (pypestream.Dialect{}).Decode(req, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
