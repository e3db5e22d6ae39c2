// Package parley is the dialect of Parley's own events: one event, an array of
// events or {"events":[…]} as JSON, signed as Standard Webhooks
// (standardwebhooks.com) where the source has a secret.
package parley

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Name is the dialect's word in the configuration.
const Name = "parley"

// Tolerance is how far a signature's timestamp may be from the clock, both
// ways, as Standard Webhooks' own libraries have it.
const Tolerance = 5 * time.Minute

// secretPrefix begins a secret whose rest is the key in base64; any other
// secret is the key itself.
const secretPrefix = "whsec_"

// Dialect speaks Parley's own events.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// Name returns "parley".
func (Dialect) Name() string { return Name }

// Verify checks the Standard Webhooks signature over the raw body, with any of
// the source's secrets. The timestamp is compared with ReceivedAt.
func (Dialect) Verify(req dialect.Request, src dialect.Source) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	said := req.Header.Get(standardwebhooks.HeaderWebhookTimestamp)
	if said == "" || req.Header.Get(standardwebhooks.HeaderWebhookSignature) == "" ||
		req.Header.Get(standardwebhooks.HeaderWebhookID) == "" {
		return dialect.ErrNotSigned
	}

	seconds, err := strconv.ParseInt(said, 10, 64)
	if err != nil {
		return dialect.ErrUnauthorized
	}

	if age := req.ReceivedAt.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return fmt.Errorf("%w: the timestamp is not within %s", dialect.ErrUnauthorized, Tolerance)
	}

	for _, secret := range src.Secrets {
		key := secretKey(secret)
		if len(key) == 0 {
			continue
		}

		hook, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return fmt.Errorf("%w: %w", dialect.ErrUnauthorized, err)
		}

		if hook.VerifyIgnoringTimestamp(req.Body, req.Header) == nil {
			return nil
		}
	}

	return dialect.ErrUnauthorized
}

// secretKey returns the key of a secret; none for a prefixed one that is not
// base64, so that a misspelt secret lets nobody in.
func secretKey(secret string) []byte {
	encoded, prefixed := strings.CutPrefix(secret, secretPrefix)
	if !prefixed {
		return []byte(secret)
	}

	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil
	}

	return key
}

// Decode returns the events of a body.
func (Dialect) Decode(req dialect.Request, src dialect.Source) ([]signals.Event, error) {
	return Events(req.Body, signals.Key{Source: src.Name}, req.ReceivedAt)
}

// Events decodes a body for a source. What only the gateway may say, source,
// seq, inbox and received_at, is replaced. Where the key names a conversation,
// events may leave it out but not name another. An event without an id gets one
// derived from its text, and one without a time that of its receipt.
func Events(body []byte, key signals.Key, received time.Time) ([]signals.Event, error) {
	elements, single, err := split(body)
	if err != nil {
		return nil, err
	}

	events := make([]signals.Event, 0, len(elements))

	for i, raw := range elements {
		path := "events[" + strconv.Itoa(i) + "]"
		if single {
			path = ""
		}

		event, err := decode(raw, path, key, received)
		if err != nil {
			return nil, err
		}

		events = append(events, event)
	}

	return events, nil
}

// split takes a body apart into its events, and reports whether it is one alone.
func split(body []byte) ([]json.RawMessage, bool, error) {
	if err := dialect.CheckDepth(body); err != nil {
		return nil, false, err
	}

	var elements []json.RawMessage

	switch {
	case dialect.IsArray(body):
		if err := dialect.Unmarshal(body, "events", &elements); err != nil {
			return nil, false, err
		}
	case dialect.IsObject(body):
		var batch struct {
			Type   json.RawMessage   `json:"type"`
			Events []json.RawMessage `json:"events"`
		}

		if err := dialect.Unmarshal(body, "", &batch); err != nil {
			return nil, false, err
		}

		if batch.Type != nil || batch.Events == nil {
			return []json.RawMessage{body}, true, nil
		}

		elements = batch.Events
	case json.Valid(body):
		return nil, false, &signals.FieldError{Field: "body", Reason: "must be an event or an array of events"}
	default:
		return nil, false, fmt.Errorf("%w: no JSON", dialect.ErrMalformed)
	}

	if len(elements) == 0 {
		return nil, false, &signals.FieldError{Field: "events", Reason: "is empty"}
	}

	return elements, false, nil
}

func decode(raw json.RawMessage, path string, key signals.Key, received time.Time) (signals.Event, error) {
	var event signals.Event

	if !dialect.IsObject(raw) {
		return event, &signals.FieldError{Field: dialect.Join(path, ""), Reason: "must be an object"}
	}

	if err := dialect.Unmarshal(raw, path, &event); err != nil {
		return event, err
	}

	event.Source, event.Seq, event.Inbox, event.ReceivedAt = key.Source, 0, "", received
	event.Raw = compact(raw)

	if event.ID == "" {
		event.ID = signals.DerivedID(string(event.Raw))
	}

	if event.At.IsZero() {
		event.At = received
	}

	if event.Conversation == "" {
		event.Conversation = key.Conversation
	} else if key.Conversation != "" && event.Conversation != key.Conversation {
		return event, &signals.FieldError{Field: dialect.Join(path, "conversation"), Reason: "is another than the path's"}
	}

	if event.Type.Known() && !event.Type.Incoming() {
		return event, &signals.FieldError{Field: dialect.Join(path, "type"), Reason: "is one that only Parley makes"}
	}

	if err := event.Validate(); err != nil {
		return event, within(path, err)
	}

	return event, nil
}

// within puts a path before that of a field.
func within(path string, err error) error {
	field, ok := err.(*signals.FieldError) //nolint:errorlint // Validate returns it bare
	if !ok {
		return err
	}

	return &signals.FieldError{Field: dialect.Join(path, field.Field), Reason: field.Reason}
}

// compact drops the blanks, so that the same event in another layout has the
// same derived id.
func compact(raw json.RawMessage) json.RawMessage {
	var out bytes.Buffer

	if json.Compact(&out, raw) != nil { // raw has been decoded
		return raw
	}

	return out.Bytes()
}

// Answer is 200 and what became of the events.
func (Dialect) Answer(_ dialect.Request, _ dialect.Source, out dialect.Outcome) dialect.Response {
	return dialect.Accepted(out)
}

// Refuse answers a missing or wrong signature with 401, and the others as usual.
func (Dialect) Refuse(_ dialect.Request, err error) dialect.Response {
	return dialect.Refusal(err, http.StatusUnauthorized)
}

// Encode writes the event itself, without what belongs to the gateway.
func (Dialect) Encode(event signals.Event) ([]byte, error) {
	event.Raw, event.Seq, event.Inbox = nil, 0, ""

	body, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", event.Type, err)
	}

	return body, nil
}
