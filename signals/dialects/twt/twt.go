// Package twt is the dialect of TWT Chat's webhooks: UNREPLIED, with which the
// platform says that a visitor's message has no answer yet, and the two forms
// PRE_CHAT_FORM_SUBMIT and OFFLINE_FORM_SUBMIT. Parley's own custom webhook is
// of the same form.
//
// TWT Chat names no conversation. One is told by the customer identifier (sbs)
// where there is one, else by project and visitor name, both hashed, so that no
// personal data gets into an id; a notice with neither stands alone, by its
// message's time. What was hashed is kept in the actor and the customer.
//
// It signs the raw body and nothing else (no time, so a replay looks like a
// repetition), and repeats a webhook until it is answered with exactly 200
// within 5 seconds. Not documented, and therefore settings of the source:
//
//   - How often and how far apart it repeats. Events get ids derived from what
//     they say; within the source's retry window a repetition is the same event.
//     The same notice after it is still one push, since pushes are told by
//     message and number; the same form would count again.
//   - Whether webhook_id stays the same from attempt to attempt. It looks like
//     that of the registration and is part of the ids, unless
//     [dialect.TWTOptions.NewWebhookID] says that it differs.
//
// Whether content ever holds more than one object is not documented either:
// each is an event of its own.
package twt

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Name is the dialect's word in the configuration.
const Name = "twt"

// SignatureHeader carries the lower-case hexadecimal HMAC-SHA256 of the raw
// body, with the AppSecret as its key.
const SignatureHeader = "X-Chat-Signature"

// The platform's names of its events.
const (
	eventUnreplied   = "UNREPLIED"
	eventPrechatForm = "PRE_CHAT_FORM_SUBMIT"
	eventOfflineForm = "OFFLINE_FORM_SUBMIT"
)

// maxPushes is where the platform stops to report.
const maxPushes = 4

// Dialect speaks TWT Chat's webhooks.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// Name returns "twt".
func (Dialect) Name() string { return Name }

// Events returns what each event of the platform's page means here.
func Events() map[string]signals.Type {
	events := make(map[string]signals.Type)

	for _, name := range [...]string{eventUnreplied, eventPrechatForm, eventOfflineForm} {
		events[name] = meaning(name)
	}

	return events
}

// meaning is the canonical type of a platform's event.
func meaning(name string) signals.Type {
	switch name {
	case eventUnreplied:
		return signals.UnrepliedReported
	case eventPrechatForm, eventOfflineForm:
		return signals.FormSubmitted
	default:
		return signals.Unknown
	}
}

// Verify compares the signature over the raw body with those by each of the
// source's secrets.
func (Dialect) Verify(req dialect.Request, src dialect.Source) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	given := req.Header.Get(SignatureHeader)
	if given == "" {
		return dialect.ErrNotSigned
	}

	matches := 0

	for _, secret := range src.Secrets {
		if secret != "" {
			matches |= subtle.ConstantTimeCompare([]byte(given), signature(req.Body, secret))
		}
	}

	if matches != 1 {
		return dialect.ErrUnauthorized
	}

	return nil
}

// Sign returns what [SignatureHeader] holds for a body.
func Sign(body []byte, secret string) string { return string(signature(body, secret)) }

func signature(body []byte, secret string) []byte {
	return hex.AppendEncode(nil, dialect.MAC(body, secret))
}

// Sign signs a webhook as TWT Chat does, with the source's first secret.
func (Dialect) Sign(req *dialect.Request, src dialect.Source, _ time.Time) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	if req.Header == nil {
		req.Header = make(http.Header)
	}

	req.Header.Set(SignatureHeader, Sign(req.Body, src.Secrets[0]))

	return nil
}

// Answer is 200, the only status after which TWT Chat does not repeat.
func (Dialect) Answer(_ dialect.Request, _ dialect.Source, out dialect.Outcome) dialect.Response {
	return dialect.Accepted(out)
}

// Refuse answers a missing or wrong signature with 403, as TWT Chat's page asks
// for, and the others as usual.
func (Dialect) Refuse(_ dialect.Request, err error) dialect.Response {
	if errors.Is(err, dialect.ErrNotSigned) {
		return dialect.Problem(http.StatusForbidden, dialect.ProblemUnauthorized, dialect.ErrNotSigned.Error(), "")
	}

	return dialect.Refusal(err, http.StatusForbidden)
}
