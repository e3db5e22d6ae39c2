package outbound

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parleyhq/parley/signals/dialects/twt"
)

// Headers of a signed request.
const (
	// ChatSignatureHeader holds the lower-case hexadecimal HMAC-SHA256 of the
	// raw body (the custom webhook of TWT Chat).
	ChatSignatureHeader = twt.SignatureHeader
	// WebhookIDHeader stays the same over retries.
	WebhookIDHeader = "Webhook-Id"
	// standardSecret begins a secret in Standard Webhooks' own form, base64.
	standardSecret = "whsec_"
)

// Sign sets the id and, where there is a secret, the signatures of body: the
// plain one of custom webhooks, and the one of Standard Webhooks, which covers
// id and time as well.
func Sign(header http.Header, id string, body []byte, secret string, now time.Time) error {
	header.Set(WebhookIDHeader, id)

	if secret == "" {
		return nil
	}

	header.Set(ChatSignatureHeader, ChatSignature(body, secret))

	hook, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	if strings.HasPrefix(secret, standardSecret) {
		hook, err = standardwebhooks.NewWebhook(secret)
	}

	if err != nil {
		// The library's error would hold a part of the secret.
		return Permanent("the secret begins with whsec_ and is not base64 after it")
	}

	signature, err := hook.Sign(id, now, body)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}

	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)

	return nil
}

// ChatSignature returns what [ChatSignatureHeader] holds for a body.
func ChatSignature(body []byte, secret string) string {
	return twt.Sign(body, secret)
}
