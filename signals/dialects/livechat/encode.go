package livechat

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// encoder writes one event.
type encoder struct {
	event *signals.Event
	// platform is empty for an event that no LiveChat webhook brought.
	platform signals.Platform
	version  string
	action   string
}

// Encode writes an event as LiveChat would send it: in the version and under
// the name in which it came, else as 3.6 does. The secret and what a webhook
// says twice are not restored; absent and empty values are the same. Times are
// written with microseconds, whatever their precision was.
//
// A chat's opening is written with an empty list of events: each of them is an
// event of its own. queued_at is written so in all versions, as LiveChat's own
// library reads it.
func (Dialect) Encode(event signals.Event) ([]byte, error) {
	e := &encoder{event: &event, version: versionOrganization}

	name := newestName(&event)
	if name == "" {
		return nil, fmt.Errorf("%s: %w", event.Type, dialect.ErrNotEncodable)
	}

	e.action = name

	if p := event.Platform; p != nil && ours(p.Version) && (isAction(p.Event) || p.Version == versionApp) {
		e.platform, e.version = *p, p.Version

		if !opens(p.Event) || event.Type == signals.ConversationOpened {
			e.action = p.Event
		}
	}

	payload, err := e.payload()
	if err != nil {
		return nil, err
	}

	body, err := json.Marshal(e.envelope(payload))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", event.Type, err)
	}

	return body, nil
}

func ours(version string) bool {
	switch version {
	case versionBare, versionData, versionPayload, versionLicense, versionVisibility, versionOrganization, versionApp:
		return true
	default:
		return false
	}
}

func isAction(name string) bool { return handler(name) != nil || opens(name) }

func opens(name string) bool { return name == "incoming_chat" || name == "incoming_chat_thread" }

// newestName is the name of an event in 3.6, or the last it had; empty if
// LiveChat has none.
func newestName(event *signals.Event) string {
	switch event.Type {
	case signals.ConversationOpened:
		return "incoming_chat"
	case signals.ConversationClosed:
		return "chat_deactivated"
	case signals.ConversationTransferred:
		return "chat_transferred"
	case signals.ConversationSummarized:
		return "thread_summary_set"
	case signals.ParticipantJoined:
		return "user_added_to_chat"
	case signals.ParticipantLeft:
		return "user_removed_from_chat"
	case signals.MessageReceived, signals.FormSubmitted:
		return "incoming_event"
	case signals.MessageUpdated:
		return "event_updated"
	case signals.MessageDeleted:
		return "event_deleted"
	case signals.MessageRead:
		return "events_marked_as_seen"
	case signals.MessagePreview:
		return "incoming_sneak_peek"
	case signals.TypingChanged:
		return "incoming_typing_indicator"
	case signals.ButtonPressed:
		return "incoming_rich_message_postback"
	default:
		return newestOther(event)
	}
}

func newestOther(event *signals.Event) string {
	switch event.Type {
	case signals.PropertiesUpdated:
		return propertiesName(event.Properties, "updated")
	case signals.PropertiesDeleted:
		return propertiesName(event.Properties, "deleted")
	case signals.TagAdded:
		return "thread_tagged"
	case signals.TagRemoved:
		return "thread_untagged"
	case signals.AccessChanged:
		return accessName(event.Access)
	case signals.CustomerCreated:
		return "incoming_customer"
	case signals.CustomerUpdated:
		return "customer_session_fields_updated"
	case signals.AgentStatusChanged:
		return "routing_status_set"
	case signals.MulticastReceived:
		return "incoming_multicast"
	case signals.SystemNoted:
		return noteName(event.Note)
	case signals.AccountChanged:
		return accountName(event.Account)
	default:
		return ""
	}
}

func noteName(n *signals.Note) string {
	if n == nil || n.Kind != "follow_up_requested" {
		return ""
	}

	return n.Kind
}

func accessName(a *signals.Access) string {
	if a != nil && a.Resource == scopeThread {
		return "access_set"
	}

	return "chat_access_updated"
}

func propertiesName(p *signals.Properties, op string) string {
	if p == nil || p.Scope == "" {
		return "chat_properties_" + op
	}

	return p.Scope + "_properties_" + op
}

func accountName(a *signals.Account) string {
	switch {
	case a == nil:
		return ""
	case a.Object == objectApp:
		return a.Action
	case isAction(a.Object + "_" + a.Action):
		return a.Object + "_" + a.Action
	default:
		return ""
	}
}

// envelope puts a payload into the form of the version.
func (e *encoder) envelope(payload any) any {
	switch e.version {
	case versionBare, versionApp:
		return payload
	}

	out := object{keyAction: e.action, keyPayload: payload}
	out.text(keyWebhook, e.platform.WebhookID)
	out.raw(keyLicense, e.platform.LicenseID)
	out.text(keyOrganization, e.platform.OrganizationID)

	if e.version == versionData {
		delete(out, keyPayload)
		out[keyData] = payload
	}

	if r := e.platform.Requester; r != nil {
		out[keyRequester] = r
	}

	additional := object{}
	if e.platform.ChatProperties != nil {
		additional["chat_properties"] = e.platform.ChatProperties
	}

	list(additional, "chat_presence_user_ids", e.platform.PresenceUserIDs)
	out[keyAdditional] = additional

	return out
}

// payload writes what the envelope carries.
func (e *encoder) payload() (any, error) {
	switch ev := e.event; {
	case ev.Account != nil && ev.Type == signals.AccountChanged:
		return e.account(), nil
	case ev.Type == signals.ConversationOpened:
		return object{"chat": e.chat()}, nil
	case ev.Type == signals.CustomerCreated && ev.Customer != nil:
		return e.customerCreated(), nil
	case ev.Type == signals.CustomerUpdated && ev.Customer != nil:
		return e.customerUpdated(), nil
	case ev.Type == signals.AgentStatusChanged && ev.Agent != nil:
		return object{"agent_id": ev.Agent.ID, "status": agentStatusWord(ev.Agent)}, nil
	case ev.Type == signals.AccessChanged && ev.Access != nil:
		return e.access(), nil
	case ev.Type == signals.MulticastReceived && ev.Multicast != nil:
		out := object{"content": ev.Multicast.Content}
		out.text("author_id", ev.Multicast.AuthorID)
		out.text("type", ev.Multicast.Kind)

		return out, nil
	default:
		return e.inThread()
	}
}

// inThread writes a payload that begins with the chat and the thread.
func (e *encoder) inThread() (any, error) {
	ev := e.event
	out := object{"chat_id": ev.Conversation}
	out.text("thread_id", ev.Thread)

	missing := false

	switch ev.Type {
	case signals.ConversationClosed:
		if ev.Closing != nil {
			out.text("user_id", ev.Closing.ByID)
		}
	case signals.SystemNoted:
		out.text("customer_id", actorID(ev))
	case signals.ConversationTransferred:
		missing = !e.transfer(out)
	case signals.ConversationSummarized:
		missing = !e.summary(out)
	case signals.ParticipantJoined, signals.ParticipantLeft:
		missing = !e.member(out)
	case signals.MessageRead:
		missing = !e.read(out)
	case signals.TagAdded, signals.TagRemoved:
		if missing = ev.Tag == nil; !missing {
			out["tag"] = ev.Tag.Name
		}
	case signals.PropertiesUpdated, signals.PropertiesDeleted:
		missing = !e.properties(out)
	default:
		missing = !e.written(out)
	}

	if missing {
		return nil, fmt.Errorf("%s without its block: %w", ev.Type, dialect.ErrNotEncodable)
	}

	return out, nil
}

func (e *encoder) account() any {
	a := e.event.Account
	if a.Object != objectApp {
		if a.Data != nil {
			return a.Data
		}

		out := object{"id": a.ID}
		out.text("name", a.Name)

		return out
	}

	out := object{keyAppID: a.ID, keyAppEvent: a.Action}
	out.text("applicationName", a.Name)
	out.text("clientID", e.platform.AppID)
	out.raw("licenseID", e.platform.LicenseID)
	out.text("organizationID", e.platform.OrganizationID)
	out.raw("payload", a.Data)

	if !e.platform.SentAt.IsZero() {
		out["date"] = e.platform.SentAt.Format(time.RFC3339)
	}

	if e.platform.Requester != nil {
		out.text("userID", e.platform.Requester.UserID)
	}

	return out
}

func (e *encoder) access() any {
	a := e.event.Access
	out := object{"id": a.ResourceID}
	out.groups("access", a.GroupIDs)

	if e.action == "access_granted" || e.action == "access_revoked" || e.action == "access_set" {
		out["resource"] = a.Resource
	}

	return out
}

func agentStatusWord(a *signals.Agent) string {
	if a.PlatformStatus != "" {
		return a.PlatformStatus
	}

	switch a.Status {
	case signals.AgentAccepting:
		return "accepting chats"
	case signals.AgentNotAccepting:
		return "not accepting chats"
	default:
		return a.Status
	}
}

func actorID(event *signals.Event) string {
	if event.Actor == nil {
		return ""
	}

	return event.Actor.ID
}
