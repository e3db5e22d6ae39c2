package livechat

import (
	"encoding/json"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Objects of an account event.
const (
	objectApp        = "app"
	objectAutoAccess = "auto_access"
)

// account translates what happened to agents, bots, groups, tags and automatic
// access. auto_accesses_updated carries an array: it stays one event.
func (d *decoder) account() (signals.Event, error) {
	var payload struct {
		ID      text   `json:"id"`
		AgentID string `json:"agent_id"` // agent_deleted until 3.3
		Name    string `json:"name"`
	}

	if !dialect.IsArray(d.payload) {
		if err := d.read(&payload); err != nil {
			return signals.Event{}, err
		}
	}

	object, action := accountWords(d.action)
	id := string(payload.ID)

	if id == "" {
		id = payload.AgentID
	}

	if id == "" && object != objectAutoAccess {
		id = payload.Name // a tag is its name
	}

	if id == "" && !dialect.IsArray(d.payload) {
		return signals.Event{}, d.need("id", "")
	}

	return signals.Event{Type: signals.AccountChanged, Account: &signals.Account{
		Object: object, Action: action, ID: id, Name: payload.Name, Data: d.payload,
	}}, nil
}

// accountWords parts agent_created into agent and created.
func accountWords(name string) (string, string) {
	at := strings.LastIndexByte(name, '_')
	object, action := name[:at], name[at+1:]

	if object == "auto_accesses" {
		object = objectAutoAccess
	}

	return object, action
}

// app translates an application's installation or payment.
func (d *decoder) app() (signals.Event, error) {
	var app appWebhook

	if err := d.read(&app); err != nil {
		return signals.Event{}, err
	}

	return signals.Event{Type: signals.AccountChanged, At: plausible(d.platform.SentAt), Account: &signals.Account{
		Object: objectApp, Action: app.Event, ID: app.ApplicationID, Name: app.ApplicationName, Data: app.Payload,
	}}, nil
}

// customerCreated takes both published forms: the payload is the customer, or
// has a member of that name.
func (d *decoder) customerCreated() (signals.Event, error) {
	var payload struct {
		Customer json.RawMessage `json:"customer"`
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	raw, path := d.payload, d.path
	if payload.Customer != nil {
		raw, path = payload.Customer, d.at("customer")
	}

	var u user

	if err := dialect.Unmarshal(raw, path, &u); err != nil {
		return signals.Event{}, err
	}

	if u.ID == "" {
		return signals.Event{}, signals.Missing(dialect.Join(path, "id"))
	}

	customer, err := d.customer(path, &u)
	if err != nil {
		return signals.Event{}, err
	}

	keepPresence(customer, &u, raw)
	customer.Wrapped = payload.Customer != nil

	return signals.Event{
		Type: signals.CustomerCreated, At: plausible(customer.CreatedAt), Customer: customer,
		Actor: &signals.Actor{ID: u.ID, Role: signals.RoleVisitor, Name: u.Name, Email: u.Email},
	}, nil
}

// keepPresence saves the members that a participant has a place for and a
// customer has not.
func keepPresence(customer *signals.Customer, u *user, raw json.RawMessage) {
	var all map[string]json.RawMessage

	if json.Unmarshal(raw, &all) != nil {
		return
	}

	for _, key := range [...]string{"type", "present", "events_seen_up_to", "visibility", "routing_status"} {
		if value, ok := all[key]; ok {
			u.rest[key] = value
		}
	}

	customer.Fields = u.rest
}

// customerUpdated is sent once for each active chat of the customer; without
// one it belongs to the account.
func (d *decoder) customerUpdated() (signals.Event, error) {
	var payload struct {
		ID         string `json:"id"`
		ActiveChat struct {
			ChatID   string `json:"chat_id"`
			ThreadID string `json:"thread_id"`
		} `json:"active_chat"`
		SessionFields []sessionField `json:"session_fields"`
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if err := d.need("id", payload.ID); err != nil {
		return signals.Event{}, err
	}

	return signals.Event{
		Type: signals.CustomerUpdated, Conversation: payload.ActiveChat.ChatID, Thread: payload.ActiveChat.ThreadID,
		Actor:    &signals.Actor{ID: payload.ID, Role: signals.RoleVisitor},
		Customer: &signals.Customer{ID: payload.ID, SessionFields: sessionFields(payload.SessionFields)},
	}, nil
}

// multicast goes to many and so belongs to the account.
func (d *decoder) multicast() (signals.Event, error) {
	var payload struct {
		AuthorID string          `json:"author_id"`
		Content  json.RawMessage `json:"content"`
		Type     string          `json:"type"`
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if dialect.IsNull(payload.Content) {
		return signals.Event{}, d.need("content", "")
	}

	return signals.Event{
		Type: signals.MulticastReceived, Actor: whoever(payload.AuthorID),
		Multicast: &signals.Multicast{Kind: payload.Type, AuthorID: payload.AuthorID, Content: payload.Content},
	}, nil
}
