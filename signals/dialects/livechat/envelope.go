package livechat

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Keys of the envelopes.
const (
	keyAction       = "action"
	keyAdditional   = "additional_data"
	keyData         = "data"
	keyLicense      = "license_id"
	keyOrganization = "organization_id"
	keyPayload      = "payload"
	keyRequester    = "requester"
	keySecret       = "secret_key"
	keyWebhook      = "webhook_id"

	keyAppID    = "applicationID"
	keyAppEvent = "event"
)

// Versions as Platform.Version names them.
const (
	versionBare    = "3.0-beta"
	versionData    = "3.0"
	versionPayload = "3.1"
	versionLicense = "3.2"
	// versionVisibility brought visibility for recipients, and presence ids.
	versionVisibility   = "3.3"
	versionOrganization = "3.6"
	versionApp          = "app"
)

// envelope is a body taken apart.
type envelope struct {
	action string
	// path is where payload lies in the body, for errors; empty if it is the
	// body.
	path     string
	payload  json.RawMessage
	platform signals.Platform
	// raw is the body without its secret, in one form for the same content.
	raw json.RawMessage
}

type additionalData struct {
	ChatProperties  map[string]json.RawMessage `json:"chat_properties"`
	PresenceUserIDs []string                   `json:"chat_presence_user_ids"`
}

// appWebhook is what LiveChat tells about an application's installation and
// payments.
type appWebhook struct {
	ApplicationID   string          `json:"applicationID"`
	ApplicationName string          `json:"applicationName"`
	ClientID        string          `json:"clientID"`
	Date            string          `json:"date"`
	Event           string          `json:"event"`
	LicenseID       json.RawMessage `json:"licenseID"`
	OrganizationID  string          `json:"organizationID"`
	Payload         json.RawMessage `json:"payload"`
	UserID          string          `json:"userID"`
}

func isEnvelope(top map[string]json.RawMessage) bool {
	return has(top, keySecret) || has(top, keyWebhook) ||
		has(top, keyAction) && (has(top, keyPayload) || has(top, keyData))
}

func isApp(top map[string]json.RawMessage) bool { return has(top, keyAppID) && has(top, keyAppEvent) }

func has(top map[string]json.RawMessage, key string) bool {
	_, ok := top[key]

	return ok
}

// open takes a body apart by its keys.
func open(req dialect.Request) (envelope, error) {
	top, err := dialect.Members(req.Body)
	if err != nil {
		return envelope{}, err
	}

	for key := range top {
		if strings.EqualFold(key, keySecret) && key != keySecret {
			delete(top, key)
		}
	}

	enveloped := isEnvelope(top)
	delete(top, keySecret)

	raw, err := json.Marshal(top)
	if err != nil {
		return envelope{}, fmt.Errorf("%w: %w", dialect.ErrMalformed, err)
	}

	switch {
	case enveloped:
		return openEnvelope(top, raw)
	case isApp(top):
		return openApp(raw)
	default:
		return openBare(req.Path, raw)
	}
}

func openEnvelope(top map[string]json.RawMessage, raw json.RawMessage) (envelope, error) {
	env := envelope{raw: raw, path: keyPayload, payload: top[keyPayload]}
	env.platform.LicenseID = top[keyLicense]

	if !has(top, keyPayload) && has(top, keyData) {
		env.path, env.payload = keyData, top[keyData]
	}

	if dialect.IsNull(env.payload) {
		return envelope{}, signals.Missing(env.path)
	}

	var additional additionalData

	fields := [...]struct {
		key  string
		into any
	}{
		{keyAction, &env.action},
		{keyWebhook, &env.platform.WebhookID},
		{keyOrganization, &env.platform.OrganizationID},
		{keyRequester, &env.platform.Requester},
		{keyAdditional, &additional},
	}

	for _, field := range fields {
		if !has(top, field.key) {
			continue
		}

		if err := dialect.Unmarshal(top[field.key], field.key, field.into); err != nil {
			return envelope{}, err
		}
	}

	if env.action == "" {
		return envelope{}, signals.Missing(keyAction)
	}

	env.platform.Event = env.action
	env.platform.ChatProperties = additional.ChatProperties
	env.platform.PresenceUserIDs = additional.PresenceUserIDs
	env.platform.Version = version(top, env.action, additional)

	return env, nil
}

// version tells the oldest version that has these keys. 3.2 and 3.3 look alike
// where the registration asked for no additional data; what then tells is an
// event or a field that 3.3 brought, which the decoder sees.
func version(top map[string]json.RawMessage, action string, additional additionalData) string {
	switch {
	case !has(top, keyPayload):
		return versionData
	case has(top, keyOrganization):
		return versionOrganization
	case !has(top, keyLicense):
		return versionPayload
	case additional.PresenceUserIDs != nil, since33(action):
		return versionVisibility
	default:
		return versionLicense
	}
}

func since33(action string) bool {
	switch action {
	case "chat_transferred", "incoming_customer", "customer_session_fields_updated":
		return true
	default:
		return false
	}
}

func openApp(raw json.RawMessage) (envelope, error) {
	var app appWebhook

	if err := dialect.Unmarshal(raw, "", &app); err != nil {
		return envelope{}, err
	}

	env := envelope{action: app.Event, payload: raw, raw: raw, platform: signals.Platform{
		Event: app.Event, Version: versionApp, AppID: app.ClientID,
		OrganizationID: app.OrganizationID, LicenseID: app.LicenseID,
	}}

	if app.UserID != "" {
		env.platform.Requester = &signals.Requester{UserID: app.UserID}
	}

	if sent, err := time.Parse(time.RFC3339, app.Date); err == nil {
		env.platform.SentAt = sent.UTC()
	}

	return env, nil
}

// maxActionBytes bounds the name that a path may carry.
const maxActionBytes = 64

func openBare(path string, raw json.RawMessage) (envelope, error) {
	action := strings.Trim(path, "/")

	switch {
	case action == "":
		return envelope{}, &signals.FieldError{Field: keyAction, Reason: "is missing, in the body and in the path"}
	case len(action) > maxActionBytes, strings.ContainsRune(action, '/'):
		return envelope{}, &signals.FieldError{Field: keyAction, Reason: "in the path is no name of an event"}
	}

	return envelope{
		action: action, payload: raw, raw: raw,
		platform: signals.Platform{Event: action, Version: versionBare},
	}, nil
}
