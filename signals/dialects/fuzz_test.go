package dialects_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals/dialects"
)

// FuzzVerify forges webhooks of every dialect: whatever they carry, nobody is
// let in who has not seen the secret, which is another one in every run.
func FuzzVerify(f *testing.F) {
	table := dialects.Table()
	names := slices.Sorted(maps.Keys(table))
	unknown := rand.Text()

	for i, name := range names {
		for _, s := range platforms()[name].samples(f) {
			for _, req := range []dialects.Request{s.req, platforms()[name].signed(s.req, other)} {
				f.Add(byte(i), req.Path, credentialOf(req.Header), req.Body)
			}
		}
	}

	f.Fuzz(func(t *testing.T, number byte, path, credential string, body []byte) {
		d := table[names[int(number)%len(names)]]
		req := dialects.Request{
			Method: http.MethodPost, Path: path, Query: url.Values{}, Header: forged(credential), Body: body, ReceivedAt: received(),
		}

		for _, src := range []dialects.Source{source(unknown), source("", unknown, "")} {
			err := d.Verify(req, src)
			require.Error(t, err)
			require.NotContains(t, err.Error(), unknown)

			answer := d.Refuse(req, err)
			require.GreaterOrEqual(t, answer.Status, 400)
			require.Less(t, answer.Status, 500)
			require.NotContains(t, string(answer.Body), unknown)
		}
	})
}

// credentials are the headers in which one of the platforms shows who it is.
func credentials() []string {
	return []string{
		"Authorization", "X-Acquire-Signature", "X-Hook-Signature", "X-Chat-Signature", "X-Pypestream-Token", "Webhook-Signature",
	}
}

func credentialOf(header http.Header) string {
	for _, name := range credentials() {
		if value := header.Get(name); value != "" {
			return value
		}
	}

	return ""
}

// forged shows a credential wherever one may be shown.
func forged(credential string) http.Header {
	header := http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1795168800"}, "Content-Type": {"application/json"}}
	for _, name := range credentials() {
		header.Set(name, credential)
	}

	return header
}
