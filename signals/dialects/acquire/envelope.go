package acquire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Members that every webhook has.
const (
	keyEvent = "event"
	keyData  = "data"
)

// envelope is a JSON body taken apart.
type envelope struct {
	name string
	// top is what stands beside event and data; of a flat webhook everything.
	top  object
	data object
	// hasData says that there is a member data, of whatever kind.
	hasData bool
	// raw is the body without secrets, in one form for the same content.
	raw json.RawMessage
}

// open takes a body apart, whatever the content type says: curl's default is
// that of a form.
func open(req dialect.Request) (envelope, error) {
	members, err := dialect.Members(req.Body)
	if err != nil {
		return envelope{}, err
	}

	var env envelope

	top := object(members)

	raw, there := top[keyEvent]
	if !there {
		return envelope{}, signals.Missing(keyEvent)
	}

	if err := dialect.Unmarshal(raw, keyEvent, &env.name); err != nil {
		return envelope{}, err
	}

	if env.name == "" {
		return envelope{}, signals.Missing(keyEvent)
	}

	if mentionsSecret(req.Body) {
		top.cut(maxCutDepth)
	}

	env.data = readObject(top[keyData])
	env.raw = top.raw()
	_, env.hasData = top[keyData]

	delete(top, keyEvent)

	if env.data != nil {
		delete(top, keyData)
	}

	env.top = top

	return env, nil
}

// maxCutDepth bounds how deep secrets are looked for.
const maxCutDepth = 8

// mentionsSecret spares most bodies the search.
func mentionsSecret(body []byte) bool {
	body = bytes.ToLower(body)

	return bytes.Contains(body, []byte("hmac")) || bytes.Contains(body, []byte("secret")) || bytes.Contains(body, []byte(`\u`))
}

// cut removes what may hold the key with which webhooks are signed; hmacKey is
// its name where a webhook is registered.
func (o object) cut(depth int) {
	for name, value := range o {
		if isSecret(name) {
			delete(o, name)
		} else if inner, is := cutValue(value, depth-1); is {
			o[name] = inner
		}
	}
}

// cutValue reports whether there was anything to look into.
func cutValue(raw json.RawMessage, depth int) (json.RawMessage, bool) {
	if depth == 0 {
		return nil, false
	}

	if o := readObject(raw); o != nil {
		o.cut(depth)

		return orEmpty(o.raw(), "{}"), true
	}

	var list []json.RawMessage

	if !dialect.IsArray(raw) || json.Unmarshal(raw, &list) != nil {
		return nil, false
	}

	for i := range list {
		if inner, is := cutValue(list[i], depth-1); is {
			list[i] = inner
		}
	}

	out, err := json.Marshal(list)
	if err != nil { // parts of valid JSON always marshal
		return nil, false
	}

	return out, true
}

func orEmpty(raw json.RawMessage, empty string) json.RawMessage {
	if raw == nil {
		return json.RawMessage(empty)
	}

	return raw
}

func isSecret(name string) bool {
	switch strings.ToLower(name) {
	case "hmackey", "hmac_key", "secret", "secretkey", "secret_key":
		return true
	default:
		return false
	}
}

// Formats that a webhook can have beside JSON, as the answer names them.
const (
	formatForm = "a form"
	formatXML  = "XML"
)

// foreignFormat names the format of a body that is not JSON and does not claim
// to be; empty for the others. What begins as JSON is JSON, truncated or not.
func foreignFormat(req dialect.Request) string {
	body := bytes.TrimLeft(req.Body, " \t\r\n")
	if len(body) == 0 || body[0] == '{' || body[0] == '[' || json.Valid(body) {
		return ""
	}

	media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}

	switch media {
	case "application/x-www-form-urlencoded":
		return formatForm
	case "application/xml", "text/xml":
		return formatXML
	default:
		return ""
	}
}

// foreign keeps a body that is not JSON as an unknown event of the account.
func foreign(req dialect.Request, format string, src dialect.Source) (signals.Event, error) {
	body := string(req.Body)

	if format == formatForm {
		body = cutForm(body)
	}

	raw, err := json.Marshal(struct {
		Format string `json:"format"`
		Body   string `json:"body"`
	}{format, body})
	if err != nil { // strings always marshal
		return signals.Event{}, fmt.Errorf("%w: %w", dialect.ErrMalformed, err)
	}

	event := signals.Event{
		ID: signals.DerivedID(format, body), Type: signals.Unknown, Source: src.Name,
		At: req.ReceivedAt, ReceivedAt: req.ReceivedAt, Raw: raw,
	}

	return event, event.Validate()
}

// cutForm removes secrets from a form, which otherwise stays as it came.
func cutForm(body string) string {
	fields := strings.Split(body, "&")
	kept := make([]string, 0, len(fields))

	for _, field := range fields {
		name, _, _ := strings.Cut(field, "=")

		if plain, err := url.QueryUnescape(name); err == nil && isSecret(plain) {
			continue
		}

		kept = append(kept, field)
	}

	return strings.Join(kept, "&")
}
