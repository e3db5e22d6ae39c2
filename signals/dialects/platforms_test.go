package dialects_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals/dialects"
)

// customerFields are what Pypestream sends along of an integration's own
// credentials.
const customerFields = "eyJhcGlLZXkiOiJ0MHBzM2NyM3QifQ=="

// platform is what the suite must know to send what a platform sends.
type platform struct {
	// samples are the fixtures as webhooks without a credential, atLeast how
	// many there are.
	samples func(tb testing.TB) []sample
	atLeast int
	// sign gives a webhook the platform's credential.
	sign func(req *dialects.Request, secret string)
	// signature says that the credential covers the body.
	signature bool
	// unknown is a webhook about an event that no page has.
	unknown dialects.Request
}

// sample is one webhook.
type sample struct {
	name string
	req  dialects.Request
	// refused is the platform's status for a wrong or missing credential.
	refused int
	// unsigned says that the platform signs no such webhook, which is refused
	// where there are secrets.
	unsigned bool
}

// signed is a copy of req with a credential.
func (p platform) signed(req dialects.Request, secret string) dialects.Request {
	req.Header = req.Header.Clone()
	p.sign(&req, secret)

	return req
}

func platforms() map[string]platform {
	return map[string]platform{
		"acquire": {
			samples: acquireSamples, atLeast: 4, sign: hmacHeader("X-Acquire-Signature"), signature: true,
			unknown: post("", `{"event":"later","data":{"`+marker+`":1}}`),
		},
		"inbenta": {
			samples: inbentaSamples, atLeast: 11, sign: hmacHeader("X-Hook-Signature"), signature: true,
			unknown: post("", `{"trigger":"later","appId":"a","data":{"`+marker+`":1},"created_at":1583331000}`),
		},
		"livechat": {
			samples: livechatSamples, atLeast: 100, sign: livechatSecret,
			unknown: post("", `{"webhook_id":"w","action":"later","payload":{"`+marker+`":1}}`),
		},
		"parley": {
			samples: parleySamples, atLeast: 3, sign: standardSignature, signature: true,
			unknown: post("", `{"id":"u","type":"unknown","conversation":"c","platform":{"event":"later","version":"`+marker+`"}}`),
		},
		"pypestream": {
			samples: pypestreamSamples, atLeast: 12, sign: bearer,
			unknown: post("/contactCenter/v1/conversations/c-1/later", `{"`+marker+`":1}`),
		},
		"twt": {
			samples: twtSamples, atLeast: 3, sign: hmacHeader("X-Chat-Signature"), signature: true,
			unknown: post("", `{"event":"later","created_at":1765439941,"webhook_id":"w","content":[{"`+marker+`":1}]}`),
		},
	}
}

func post(path, body string) dialects.Request {
	return dialects.Request{
		Method: http.MethodPost, Path: path, Query: url.Values{}, Body: []byte(body), ReceivedAt: received(),
		Header: http.Header{"Content-Type": {"application/json"}, "X-Pypestream-Customer": {customerFields}},
	}
}

// with is req with another body.
func with(req dialects.Request, tree any) dialects.Request {
	body, err := json.Marshal(tree)
	if err != nil { // a tree that was parsed always marshals
		panic(err)
	}

	req.Body = body

	return req
}

// parsed is JSON as a tree with exact numbers; nil if it is none.
func parsed(body []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()

	var tree any

	if decoder.Decode(&tree) != nil {
		return nil
	}

	return tree
}

func hmacHeader(name string) func(req *dialects.Request, secret string) {
	return func(req *dialects.Request, secret string) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(req.Body)
		req.Header.Set(name, hex.EncodeToString(mac.Sum(nil)))
	}
}

func bearer(req *dialects.Request, secret string) { req.Header.Set("Authorization", "Bearer "+secret) }

// livechatSecret stands in the body, and in a header beside a bare payload.
func livechatSecret(req *dialects.Request, secret string) {
	body, ok := parsed(req.Body).(map[string]any)
	if !ok || req.Path != "" {
		bearer(req, secret)

		return
	}

	body["secret_key"] = secret
	*req = with(*req, body)
}

func standardSignature(req *dialects.Request, secret string) {
	const id = "msg_1"

	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id + "." + strconv.FormatInt(received().Unix(), 10) + "." + string(req.Body)))

	if hook, err := standardwebhooks.NewWebhookRaw([]byte(secret)); err == nil {
		signature, err := hook.Sign(id, received(), req.Body)
		if err != nil { // it only fails for a bad key
			panic(err)
		}

		req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}

	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(received().Unix(), 10))
}

// files reads the fixtures of a dialect, by their path without its ending.
func files(tb testing.TB, dialect string) map[string][]byte {
	tb.Helper()

	root := filepath.Join(dialect, "testdata", "fixtures")
	all := map[string][]byte{}

	require.NoError(tb, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}

		name, err := filepath.Rel(root, strings.TrimSuffix(path, ".json"))
		if err != nil {
			return err
		}

		all[filepath.ToSlash(name)], err = os.ReadFile(path)

		return err
	}))

	return all
}

func twtSamples(tb testing.TB) []sample {
	tb.Helper()

	var all []sample

	for name, body := range files(tb, "twt") {
		all = append(all, sample{name: name, req: post("", string(body)), refused: http.StatusForbidden})
	}

	return all
}

func inbentaSamples(tb testing.TB) []sample {
	tb.Helper()

	var all []sample

	for name, body := range files(tb, "inbenta") {
		if root, ok := parsed(body).(map[string]any); ok && root["trigger"] != nil {
			all = append(all, sample{name: name, req: post("", string(body)), refused: http.StatusUnauthorized})
		}
	}

	return all
}

func acquireSamples(tb testing.TB) []sample {
	tb.Helper()

	var all []sample

	for name, body := range files(tb, "acquire") {
		root, ok := parsed(body).(map[string]any)
		if !ok { // the vectors
			continue
		}

		event, _ := root["event"].(string)
		all = append(all, sample{
			name: name, req: post("", string(body)), refused: http.StatusUnauthorized, unsigned: strings.HasPrefix(event, "CHAT_"),
		})
	}

	return all
}

// livechatSamples leaves out those in which the pages print {} for an object,
// and fills in the name.
func livechatSamples(tb testing.TB) []sample {
	tb.Helper()

	var all []sample

	for name, body := range files(tb, "livechat") {
		root, ok := parsed(body).(map[string]any)
		if !ok || strings.HasPrefix(name, "objects/") || placeholders(root) {
			continue
		}

		action, _, _ := strings.Cut(filepath.Base(name), "-")
		one := sample{name: name, refused: http.StatusBadRequest, req: post("", "")}

		if strings.HasPrefix(name, "v3.0-beta-bare/") {
			one.req.Path, one.refused = "/"+action, http.StatusUnauthorized
		}

		if root["action"] == "<action>" {
			root["action"] = action
		}

		delete(root, "secret_key")

		one.req = with(one.req, root)
		all = append(all, one)
	}

	return all
}

func placeholders(tree any) bool {
	found := false

	visitNamed(tree, func(key string, value any) {
		switch key {
		case "event", "user", "customer", "thread", "typing_indicator", "sneak_peek":
			object, ok := value.(map[string]any)
			found = found || ok && len(object) == 0
		}
	})

	return found
}

func visitNamed(tree any, each func(key string, value any)) {
	switch v := tree.(type) {
	case map[string]any:
		for key, value := range v {
			each(key, value)
			visitNamed(value, each)
		}
	case []any:
		for _, value := range v {
			visitNamed(value, each)
		}
	}
}

func parleySamples(testing.TB) []sample {
	const (
		message = `{"id":"m1","type":"message.received","conversation":"c1","at":"2026-11-20T09:59:59Z",` +
			`"actor":{"id":"ann","role":"visitor"},"message":{"text":"hi","kind":"text"}}`
		typing = `{"type":"typing.changed","conversation":"c1","typing":{"on":true}}`
	)

	var all []sample

	for name, body := range map[string]string{
		"one": message, "one without an id": typing, "array": `[` + message + `,` + typing + `]`,
		"batch": `{"events":[` + message + `,` + typing + `]}`,
	} {
		all = append(all, sample{name: name, req: post("", body), refused: http.StatusUnauthorized})
	}

	return all
}

func pypestreamSamples(tb testing.TB) []sample {
	tb.Helper()

	const (
		base         = "/contactCenter/v1/"
		conversation = base + "conversations/c-1/"
	)

	calls := map[string]struct{ method, path string }{
		"escalate": {http.MethodPost, conversation + "escalate"},
		"type":     {http.MethodPost, conversation + "type"},
		"message":  {http.MethodPut, conversation + "messages/m-1"},
		"end":      {http.MethodPost, conversation + "end"},
	}

	all := []sample{
		{name: "availability", req: post(base+"agents/availability", "")}, {name: "waitTime", req: post(base+"agents/waitTime", "")},
	}
	for i := range all {
		all[i].req.Method, all[i].req.Query = http.MethodGet, url.Values{"skill": {"general"}}
	}

	for name, body := range files(tb, "pypestream") {
		verb, rest, _ := strings.Cut(filepath.Base(name), ".")
		verb, _, _ = strings.Cut(verb, "-")

		call, known := calls[verb]
		if !known || rest != "request" { // an answer, or settings
			continue
		}

		one := sample{name: name, req: post(call.path, string(body))}
		one.req.Method = call.method
		all = append(all, one)
	}

	for i := range all {
		all[i].refused = http.StatusUnauthorized
	}

	return all
}
