package livechat

import (
	"encoding/json"

	"github.com/parleyhq/parley/signals"
)

func (e *encoder) chat() object {
	details := e.event.Details
	if details == nil {
		details = &signals.Details{}
	}

	users := make([]object, 0, len(details.Participants))

	for i := range details.Participants {
		users = append(users, userObject(&details.Participants[i]))
	}

	out := object{"id": e.event.Conversation, "users": users, "thread": e.thread(details)}
	out.properties(details.Properties)
	out.groups("access", details.GroupIDs)

	return out
}

func (e *encoder) thread(details *signals.Details) object {
	out := object{"events": []object{}}
	out.text("id", e.event.Thread)
	put(out, "active", details.Active)
	list(out, "tags", details.Tags)
	out.text("previous_thread_id", details.PreviousThread)
	out.text("next_thread_id", details.NextThread)

	if details.Queue != nil {
		out["queue"] = queueObject(details.Queue)
	}

	t := details.ThreadDetails
	if t == nil {
		out.time("created_at", e.event.At)

		return out
	}

	put(out, "order", t.Order)
	list(out, "user_ids", t.UserIDs)
	out.groups("access", t.GroupIDs)
	out.properties(t.Properties)
	out.text("restricted_access", t.RestrictedAccess)
	put(out, "queues_duration", t.QueuesSeconds)

	if e.old() && t.CreatedAt.Nanosecond() == 0 && !t.CreatedAt.IsZero() {
		out["timestamp"] = t.CreatedAt.Unix()
	} else {
		out.time("created_at", t.CreatedAt)
	}

	return out
}

// old reports whether the version wrote some times as unix seconds.
func (e *encoder) old() bool {
	return e.version == versionBare || e.version == versionData || e.version == versionPayload
}

func queueObject(q *signals.Queue) object {
	out := object{}
	put(out, "position", q.Position)
	put(out, "wait_time", q.WaitSeconds)
	out.time("queued_at", q.QueuedAt)

	return out
}

func userObject(p *signals.Participant) object {
	out := object{"id": p.ID}
	out.text("type", userWord(p.Role))
	out.text("name", p.Name)
	out.text("email", p.Email)
	out.text("avatar", p.Avatar)
	put(out, "present", p.Present)
	out.text("visibility", string(p.Visibility))
	out.text("routing_status", p.RoutingStatus)
	out.rest(p.Fields)

	if p.Customer != nil {
		customerInto(out, p.Customer)
	}

	if _, old := out[keyLastSeen]; !old {
		out.time("events_seen_up_to", p.SeenUpTo)
	}

	return out
}

func customerInto(out object, c *signals.Customer) {
	out.rest(c.Fields)
	out.text("id", c.ID)
	out.text("name", c.Name)
	out.text("email", c.Email)
	out.text("avatar", c.Avatar)
	out.text("phone_number", c.Phone)
	out.time("created_at", c.CreatedAt)
	put(out, "email_verified", c.EmailVerified)
	out.raw("last_visit", c.LastVisit)

	if c.Statistics != nil {
		out["statistics"] = c.Statistics
	}

	if len(c.SessionFields) > 0 {
		out["session_fields"] = sessionObjects(c.SessionFields)
	}
}

func sessionObjects(fields []signals.SessionField) []object {
	out := make([]object, 0, len(fields))

	for _, field := range fields {
		out = append(out, object{field.Key: field.Value})
	}

	return out
}

// userWord is LiveChat's word for a role; it calls bots agents.
func userWord(role signals.Role) string {
	switch role {
	case signals.RoleVisitor:
		return userCustomer
	case signals.RoleAgent, signals.RoleBot:
		return userAgent
	default:
		return ""
	}
}

func (e *encoder) customerCreated() any {
	out := object{}
	customerInto(out, e.event.Customer)

	if e.event.Customer.Wrapped || e.platform.Version == "" {
		return object{"customer": out}
	}

	return out
}

func (e *encoder) customerUpdated() any {
	out := object{"id": e.event.Customer.ID, "session_fields": sessionObjects(e.event.Customer.SessionFields)}

	if e.event.Conversation != "" {
		chat := object{"chat_id": e.event.Conversation}
		chat.text("thread_id", e.event.Thread)
		out["active_chat"] = chat
	}

	return out
}

// member writes joins and leaves. user_type is written wherever the role is
// known, though some published samples leave it out.
func (e *encoder) member(out object) bool {
	p := e.event.Participant
	if p == nil {
		return false
	}

	out.text("user_type", userWord(p.Role))
	out.text("reason", p.Reason)
	out.text("requester_id", p.RequesterID)

	if e.event.Type == signals.ParticipantJoined {
		out["user"] = userObject(p)
	} else {
		out["user_id"] = p.ID
	}

	return true
}

func (e *encoder) transfer(out object) bool {
	t := e.event.Transfer
	if t == nil {
		return false
	}

	to := object{}

	if t.AgentIDs != nil {
		to["agent_ids"] = numbers(t.AgentIDs)
	}

	if t.GroupIDs != nil {
		to["group_ids"] = numbers(t.GroupIDs)
	}

	out["transferred_to"] = to
	out.text("reason", t.Reason)
	out.text("requester_id", t.RequesterID)

	if t.Queue != nil {
		out["queue"] = queueObject(t.Queue)
	}

	return true
}

func (e *encoder) summary(out object) bool {
	s := e.event.Summary
	if s == nil {
		return false
	}

	summary := object{"text": s.Text}
	summary.text("status", s.Status)
	summary.time("updated_at", s.UpdatedAt)
	out["summary"] = summary

	return true
}

func (e *encoder) read(out object) bool {
	r := e.event.Read
	if r == nil {
		return false
	}

	out.text("user_id", r.UserID)

	if e.action == "last_seen_timestamp_updated" {
		out["timestamp"] = r.UpTo.Unix()
	} else {
		out.time("seen_up_to", r.UpTo)
	}

	return true
}

func (e *encoder) properties(out object) bool {
	p := e.event.Properties
	if p == nil {
		return false
	}

	out.text("event_id", p.EventID)

	switch {
	case e.event.Type == signals.PropertiesDeleted:
		out["properties"] = p.Deleted
	case p.Wrapped:
		out["properties"] = wrapAll(p.Set)
	default:
		out["properties"] = p.Set
	}

	return true
}

// members of a kept object, added to another.
func (o object) kept(raw json.RawMessage) {
	var fields map[string]json.RawMessage

	if json.Unmarshal(raw, &fields) == nil {
		o.rest(fields)
	}
}
