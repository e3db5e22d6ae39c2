package livechat

import (
	"encoding/json"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// decoder holds one webhook while its events are made.
type decoder struct {
	envelope

	src      dialect.Source
	received time.Time
}

// Decode returns the events of one webhook. A name that is not known becomes an
// event of type unknown with its raw text.
func (Dialect) Decode(req dialect.Request, src dialect.Source) ([]signals.Event, error) {
	env, err := open(req)
	if err != nil {
		return nil, err
	}

	d := &decoder{envelope: env, src: src, received: req.ReceivedAt}

	events, err := d.events()
	if err != nil {
		return nil, err
	}

	for i := range events {
		d.complete(&events[i])

		if err := events[i].Validate(); err != nil {
			return nil, err //nolint:wrapcheck // names the field
		}
	}

	return events, nil
}

func (d *decoder) events() ([]signals.Event, error) {
	if d.platform.Version == versionApp {
		return one(d.app())
	}

	if d.misnamed() {
		return one(d.transferred())
	}

	switch decode := actions()[d.action]; {
	case d.action == "incoming_chat", d.action == "incoming_chat_thread":
		return d.opened()
	case decode != nil:
		return one(decode(d))
	default:
		return []signals.Event{d.unknown()}, nil
	}
}

// actions maps every name that a LiveChat webhook has had to what it means.
// incoming_chat and incoming_chat_thread stand apart, since they carry more
// than one event.
func actions() map[string]func(*decoder) (signals.Event, error) {
	return map[string]func(*decoder) (signals.Event, error){
		"chat_deactivated":       (*decoder).closed,
		"thread_closed":          (*decoder).closed,
		"chat_transferred":       (*decoder).transferred,
		"user_added_to_chat":     (*decoder).joined,
		"chat_user_added":        (*decoder).joined,
		"user_removed_from_chat": (*decoder).left,
		"chat_user_removed":      (*decoder).left,
		"thread_summary_set":     (*decoder).summarized,
		"follow_up_requested":    (*decoder).followUp,

		"incoming_event":                 (*decoder).incomingEvent,
		"event_updated":                  (*decoder).eventUpdated,
		"event_deleted":                  (*decoder).eventDeleted,
		"incoming_rich_message_postback": (*decoder).postback,
		"incoming_typing_indicator":      (*decoder).typing,
		"incoming_sneak_peek":            (*decoder).sneakPeek,
		"incoming_multicast":             (*decoder).multicast,
		"events_marked_as_seen":          (*decoder).seen,
		"last_seen_timestamp_updated":    (*decoder).seen,

		"chat_properties_updated":        (*decoder).propertiesUpdated,
		"chat_thread_properties_updated": (*decoder).propertiesUpdated,
		"thread_properties_updated":      (*decoder).propertiesUpdated,
		"event_properties_updated":       (*decoder).propertiesUpdated,
		"chat_properties_deleted":        (*decoder).propertiesDeleted,
		"chat_thread_properties_deleted": (*decoder).propertiesDeleted,
		"thread_properties_deleted":      (*decoder).propertiesDeleted,
		"event_properties_deleted":       (*decoder).propertiesDeleted,
		"chat_thread_tagged":             (*decoder).tagged,
		"thread_tagged":                  (*decoder).tagged,
		"chat_thread_untagged":           (*decoder).tagged,
		"thread_untagged":                (*decoder).tagged,
		"access_granted":                 (*decoder).access,
		"access_revoked":                 (*decoder).access,
		"access_set":                     (*decoder).access,
		"chat_access_granted":            (*decoder).access,
		"chat_access_revoked":            (*decoder).access,
		"chat_access_updated":            (*decoder).access,

		"customer_created":                (*decoder).customerCreated,
		"incoming_customer":               (*decoder).customerCreated,
		"customer_session_fields_updated": (*decoder).customerUpdated,
		"routing_status_set":              (*decoder).agentStatus,
		"agent_status_changed":            (*decoder).agentStatus,

		"agent_created": (*decoder).account, "agent_approved": (*decoder).account, "agent_updated": (*decoder).account,
		"agent_suspended": (*decoder).account, "agent_unsuspended": (*decoder).account, "agent_deleted": (*decoder).account,
		"bot_created": (*decoder).account, "bot_updated": (*decoder).account, "bot_deleted": (*decoder).account,
		"group_created": (*decoder).account, "group_updated": (*decoder).account, "group_deleted": (*decoder).account,
		"tag_created": (*decoder).account, "tag_updated": (*decoder).account, "tag_deleted": (*decoder).account,
		"auto_access_added": (*decoder).account, "auto_access_updated": (*decoder).account,
		"auto_access_deleted": (*decoder).account, "auto_accesses_updated": (*decoder).account,
	}
}

// misnamed recognises a transfer under a name of another event, as the 3.3
// documentation prints it.
func (d *decoder) misnamed() bool {
	var shape struct {
		TransferredTo json.RawMessage `json:"transferred_to"`
	}

	return d.action == "chat_access_revoked" && json.Unmarshal(d.payload, &shape) == nil && shape.TransferredTo != nil
}

// complete adds what every event of the webhook has in common.
func (d *decoder) complete(event *signals.Event) {
	platform := d.platform

	event.Source = d.src.Name
	event.ReceivedAt = d.received
	event.Platform = &platform

	if event.At.IsZero() {
		event.At = d.received
	}

	if event.Raw == nil {
		event.Raw = d.raw
	}

	if event.ID == "" {
		event.ID = signals.DerivedID(d.action, string(d.raw))
	}
}

// read decodes the payload.
func (d *decoder) read(into any) error {
	return dialect.Unmarshal(d.payload, d.path, into) //nolint:wrapcheck // names the field
}

// at returns the path of a field of the payload.
func (d *decoder) at(field string) string { return dialect.Join(d.path, field) }

// need refuses an absent field of the payload.
func (d *decoder) need(field, value string) error {
	if value == "" {
		return &signals.FieldError{Field: d.at(field), Reason: "is missing"}
	}

	return nil
}

// unknown keeps a webhook that has no meaning here yet, with the conversation
// it names, if any.
func (d *decoder) unknown() signals.Event {
	var named struct {
		ChatID   string `json:"chat_id"`
		ThreadID string `json:"thread_id"`
	}

	if json.Unmarshal(d.payload, &named) != nil ||
		len(named.ChatID) > signals.MaxConversationBytes || len(named.ThreadID) > signals.MaxIDBytes {
		return signals.Event{Type: signals.Unknown}
	}

	return signals.Event{Type: signals.Unknown, Conversation: named.ChatID, Thread: named.ThreadID}
}

func one(event signals.Event, err error) ([]signals.Event, error) { //nolint:gocritic // takes what a decoder returns
	if err != nil {
		return nil, err
	}

	return []signals.Event{event}, nil
}

// whoever is an actor whose role the payload does not prove.
func whoever(id string) *signals.Actor {
	if id == "" {
		return nil
	}

	return &signals.Actor{ID: id, Role: signals.RoleUnknown}
}

// plausible returns at unless it is older than any live chat, which is how some
// versions write "never".
func plausible(at time.Time) time.Time {
	if at.Year() < 2000 {
		return time.Time{}
	}

	return at
}
