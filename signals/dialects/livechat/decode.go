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
			return nil, err
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

	switch decode := handler(d.action); {
	case opens(d.action):
		return d.opened()
	case decode != nil:
		return one(decode(d))
	default:
		return []signals.Event{d.unknown()}, nil
	}
}

// handler returns what reads the payload of an action: every name that a
// LiveChat webhook has had, newer and older. incoming_chat and
// incoming_chat_thread stand apart, since they carry more than one event; nil
// means that a name is not known.
func handler(action string) func(*decoder) (signals.Event, error) {
	switch action {
	case "chat_deactivated", "thread_closed":
		return (*decoder).closed
	case "chat_transferred":
		return (*decoder).transferred
	case "user_added_to_chat", "chat_user_added":
		return (*decoder).joined
	case "user_removed_from_chat", "chat_user_removed":
		return (*decoder).left
	case "incoming_event":
		return (*decoder).incomingEvent
	case "event_updated":
		return (*decoder).eventUpdated
	case "event_deleted":
		return (*decoder).eventDeleted
	case "incoming_rich_message_postback":
		return (*decoder).postback
	case "incoming_typing_indicator":
		return (*decoder).typing
	case "incoming_sneak_peek":
		return (*decoder).sneakPeek
	case "events_marked_as_seen", "last_seen_timestamp_updated":
		return (*decoder).seen
	case "chat_thread_tagged", "thread_tagged", "chat_thread_untagged", "thread_untagged":
		return (*decoder).tagged
	default:
		return otherHandler(action)
	}
}

// otherHandler knows the actions about properties, access, the account and the like.
func otherHandler(action string) func(*decoder) (signals.Event, error) {
	switch action {
	case "chat_properties_updated", "chat_thread_properties_updated", "thread_properties_updated", "event_properties_updated":
		return (*decoder).propertiesUpdated
	case "chat_properties_deleted", "chat_thread_properties_deleted", "thread_properties_deleted", "event_properties_deleted":
		return (*decoder).propertiesDeleted
	case "access_granted", "access_revoked", "access_set",
		"chat_access_granted", "chat_access_revoked", "chat_access_updated":
		return (*decoder).access
	case "customer_created", "incoming_customer":
		return (*decoder).customerCreated
	case "customer_session_fields_updated":
		return (*decoder).customerUpdated
	case "routing_status_set", "agent_status_changed":
		return (*decoder).agentStatus
	case "incoming_multicast":
		return (*decoder).multicast
	case "thread_summary_set":
		return (*decoder).summarized
	case "follow_up_requested":
		return (*decoder).followUp
	case "agent_created", "agent_approved", "agent_updated", "agent_suspended", "agent_unsuspended", "agent_deleted",
		"bot_created", "bot_updated", "bot_deleted", "group_created", "group_updated", "group_deleted",
		"tag_created", "tag_updated", "tag_deleted",
		"auto_access_added", "auto_access_updated", "auto_access_deleted", "auto_accesses_updated":
		return (*decoder).account
	default:
		return nil
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
	return dialect.Unmarshal(d.payload, d.path, into)
}

// at returns the path of a field of the payload.
func (d *decoder) at(field string) string { return dialect.Join(d.path, field) }

// need refuses an absent field of the payload.
func (d *decoder) need(field, value string) error {
	if value == "" {
		return signals.Missing(d.at(field))
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

func one(event signals.Event, err error) ([]signals.Event, error) {
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
