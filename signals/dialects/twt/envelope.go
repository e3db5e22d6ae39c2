package twt

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Keys of the envelope.
const (
	keyContent   = "content"
	keyCreatedAt = "created_at"
	keyEvent     = "event"
	keyWebhook   = "webhook_id"
)

// envelope is a body taken apart.
type envelope struct {
	name      string
	webhookID string
	// sent is when the platform sent the webhook; zero if it did not say.
	sent time.Time
	// items are the elements of content, without secrets.
	items []json.RawMessage
	// top holds the members of the envelope but content, without secrets.
	top map[string]json.RawMessage
}

// open takes a body apart, whatever the content type says.
func open(req dialect.Request) (envelope, error) {
	top, err := members(req.Body)
	if err != nil {
		return envelope{}, err
	}

	env := envelope{top: top}

	if env.name, err = env.text(keyEvent); err != nil {
		return envelope{}, err
	}

	if env.name == "" {
		return envelope{}, signals.Missing(keyEvent)
	}

	if env.webhookID, err = env.text(keyWebhook); err != nil {
		return envelope{}, err
	}

	if env.sent, err = env.sentAt(req.ReceivedAt); err != nil {
		return envelope{}, err
	}

	if err := env.open(top[keyContent]); err != nil {
		return envelope{}, err
	}

	delete(top, keyContent)

	return env, nil
}

// members are those of a body without what may be a secret.
func members(body []byte) (map[string]json.RawMessage, error) {
	top, err := dialect.Members(body)
	if err != nil {
		return nil, err
	}

	maps.DeleteFunc(top, func(key string, _ json.RawMessage) bool { return secret(key) })

	return top, nil
}

// secret reports whether a field may hold one. The page has none in a body, but
// whoever sends one does not want it stored.
func secret(key string) bool {
	key = strings.ToLower(key)

	return strings.Contains(key, "secret") || strings.Contains(key, "token") || strings.Contains(key, "password")
}

// text reads a short text of the envelope.
func (e *envelope) text(key string) (string, error) {
	var said text

	if raw, ok := e.top[key]; ok {
		if err := dialect.Unmarshal(raw, key, &said); err != nil {
			return "", err
		}
	}

	if len(said) > maxNameBytes {
		return "", &signals.FieldError{Field: key, Reason: "is longer than " + strconv.Itoa(maxNameBytes) + " bytes"}
	}

	return string(said), nil
}

func (e *envelope) sentAt(received time.Time) (time.Time, error) {
	raw, ok := e.top[keyCreatedAt]
	if !ok {
		return time.Time{}, nil
	}

	var said whole

	if err := dialect.Unmarshal(raw, keyCreatedAt, &said); err != nil {
		return time.Time{}, err
	}

	return said.moment(keyCreatedAt, received)
}

// open takes content apart: an array, or an object that stands for its only
// element.
func (e *envelope) open(content json.RawMessage) error {
	switch {
	case dialect.IsNull(content):
	case dialect.IsArray(content):
		if err := dialect.Unmarshal(content, keyContent, &e.items); err != nil {
			return err
		}
	case dialect.IsObject(content), meaning(e.name) == signals.Unknown:
		e.items = []json.RawMessage{content}
	default:
		return &signals.FieldError{Field: keyContent, Reason: "must be an array of objects"}
	}

	if len(e.items) > maxItems {
		return &signals.FieldError{Field: keyContent, Reason: "has more than " + strconv.Itoa(maxItems) + " elements"}
	}

	for i := range e.items {
		e.items[i] = clean(e.items[i])
	}

	return nil
}

// clean cuts the secrets out of an item.
func clean(raw json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage

	if json.Unmarshal(raw, &fields) != nil {
		return raw
	}

	before := len(fields)
	maps.DeleteFunc(fields, func(key string, _ json.RawMessage) bool { return secret(key) })

	if len(fields) == before {
		return raw
	}

	out, err := json.Marshal(fields)
	if err != nil { // parts of valid JSON always marshal
		return nil
	}

	return out
}

// rawOf is the webhook as if the item stood in it alone. Only the first of
// several carries what the page does not have in the envelope, so that all of
// them are not much larger than the body.
func (e *envelope) rawOf(i int) json.RawMessage {
	out := make(map[string]json.RawMessage, len(e.top)+1)

	for key, value := range e.top {
		if i == 0 || key == keyCreatedAt || key == keyEvent || key == keyWebhook {
			out[key] = value
		}
	}

	out[keyContent] = json.RawMessage("[]")

	if i < len(e.items) {
		out[keyContent] = append(append(json.RawMessage("["), e.items[i]...), ']')
	}

	raw, err := json.Marshal(out)
	if err != nil { // parts of valid JSON always marshal
		return nil
	}

	return raw
}
