package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/livechat"
	"github.com/parleyhq/parley/signals/dialects/parley"
	"github.com/parleyhq/parley/workflows/policy"
)

// Where the platforms put their credentials.
const (
	secretKeyField   = "secret_key"
	authorization    = "Authorization"
	inbentaSignature = "X-Hook-Signature"
	inbentaHandshake = "X-Hook-Secret"
	acquireSignature = "X-Acquire-Signature"
	twtSignature     = "X-Chat-Signature"
)

var errUnsignable = errors.New("how this platform signs is not known here")

// signerFunc is a [dialect.Signer] that is a function.
type signerFunc func(req *dialects.Request, secret string, now time.Time) error

// signerOf returns how a dialect's platform signs: the dialect's own word, if
// it has one.
func signerOf(spoken dialects.Dialect, src dialects.Source) (func(req *dialects.Request, now time.Time) error, error) {
	if len(src.Secrets) == 0 {
		return func(*dialects.Request, time.Time) error { return nil }, nil
	}

	if own, ok := spoken.(dialect.Signer); ok {
		return func(req *dialects.Request, now time.Time) error { return own.Sign(req, src, now) }, nil
	}

	sign, ok := map[string]signerFunc{
		livechat.Name:            signLiveChat,
		parley.Name:              signParley,
		policy.DialectAcquire:    signBody(acquireSignature),
		policy.DialectPypestream: signToken(src.Options.Pypestream.TokenHeader),
	}[spoken.Name()]
	if !ok {
		return nil, fmt.Errorf("sign for %s: %w", spoken.Name(), errUnsignable)
	}

	return func(req *dialects.Request, now time.Time) error { return sign(req, src.Secrets[0], now) }, nil
}

// signLiveChat puts the secret into an envelope. A body that cannot carry one
// comes with a bearer token.
func signLiveChat(req *dialects.Request, secret string, _ time.Time) error {
	if !liveChatEnvelope(req.Body) {
		req.Header.Set(authorization, "Bearer "+secret)

		return nil
	}

	var top map[string]json.RawMessage

	if err := json.Unmarshal(req.Body, &top); err != nil {
		return fmt.Errorf("read the body: %w", err)
	}

	quoted, err := json.Marshal(secret)
	if err != nil {
		return fmt.Errorf("write %s: %w", secretKeyField, err)
	}

	top[secretKeyField] = quoted

	req.Body, err = writeJSON(top)

	return err
}

// signParley signs as Standard Webhooks.
func signParley(req *dialects.Request, secret string, now time.Time) error {
	hook, err := standardHook(secret)
	if err != nil {
		return err
	}

	id := "msg_" + uuid.NewString()

	signature, err := hook.Sign(id, now, req.Body)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}

	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)

	return nil
}

var errStandardSecret = errors.New("the secret begins with whsec_ but is not base64 after it")

// standardHook never quotes the secret: the library's own errors might.
func standardHook(secret string) (*standardwebhooks.Webhook, error) {
	if !strings.HasPrefix(secret, "whsec_") {
		hook, err := standardwebhooks.NewWebhookRaw([]byte(secret))
		if err != nil {
			return nil, fmt.Errorf("read the secret: %w", err)
		}

		return hook, nil
	}

	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, errStandardSecret
	}

	return hook, nil
}

// signBody signs with the lower-case hexadecimal HMAC-SHA256 of the raw body.
func signBody(header string) signerFunc {
	return func(req *dialects.Request, secret string, _ time.Time) error {
		req.Header.Set(header, hex.EncodeToString(dialect.MAC(req.Body, secret)))

		return nil
	}
}

// signToken sends the secret itself; without a header of its own as a bearer
// token.
func signToken(header string) signerFunc {
	return func(req *dialects.Request, secret string, _ time.Time) error {
		if header == "" {
			req.Header.Set(authorization, "Bearer "+secret)
		} else {
			req.Header.Set(header, secret)
		}

		return nil
	}
}

// credentialPlace names where a request of the platform carries its credential,
// and the headers that may do so.
func credentialPlace(spoken string, src dialects.Source, body []byte) (place string, headers []string) {
	switch spoken {
	case livechat.Name:
		if liveChatEnvelope(body) {
			return secretKeyField + " in the body", nil
		}

		return "a bearer token", []string{authorization}
	case parley.Name:
		return "a Standard Webhooks signature", []string{
			standardwebhooks.HeaderWebhookID, standardwebhooks.HeaderWebhookTimestamp, standardwebhooks.HeaderWebhookSignature,
		}
	case policy.DialectInbenta:
		return "an HMAC-SHA256 of the body", []string{inbentaSignature}
	case policy.DialectAcquire:
		return "an HMAC-SHA256 of the body", []string{acquireSignature}
	case policy.DialectTWT:
		return "an HMAC-SHA256 of the body", []string{twtSignature}
	case policy.DialectPypestream:
		if header := src.Options.Pypestream.TokenHeader; header != "" {
			return "the callback token", []string{header}
		}

		return "the callback token", []string{authorization, "X-Pypestream-Token"}
	default:
		return "what the dialect " + spoken + " looks for", nil
	}
}

// liveChatEnvelope reports whether a body is one of the envelopes that carry a
// secret, and not a bare payload or a webhook about an application.
func liveChatEnvelope(body []byte) bool {
	var top map[string]json.RawMessage

	if json.Unmarshal(body, &top) != nil {
		return false
	}

	has := func(key string) bool {
		_, ok := top[key]

		return ok
	}

	return has(secretKeyField) || has("webhook_id") || has("action") && (has("payload") || has("data"))
}

// writeJSON writes a body as platforms do: on one line, < and > as they are.
func writeJSON(value any) ([]byte, error) {
	var out bytes.Buffer

	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)

	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("write the body: %w", err)
	}

	return bytes.TrimRight(out.Bytes(), "\n"), nil
}
