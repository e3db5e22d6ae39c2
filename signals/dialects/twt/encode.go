package twt

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// defaultSubject is the subject of a conversation that has none.
const defaultSubject = "New Conversation"

// body is a webhook as it goes out; times are unix seconds.
type body struct {
	CreatedAt int64     `json:"created_at"`
	Event     string    `json:"event"`
	WebhookID string    `json:"webhook_id"`
	Content   []content `json:"content"`
}

// content is one notice. Status, PushTimes and TimeSec belong to UNREPLIED.
type content struct {
	Subject               string  `json:"subject"`
	VisitorName           string  `json:"visitor_name"`
	CreatedAt             int64   `json:"created_at"`
	MessageContent        string  `json:"message_content"`
	PropertyName          string  `json:"property_name"`
	VisitorNickname       string  `json:"visitor_nickname"`
	SBS                   string  `json:"sbs"`
	Status                *string `json:"status,omitempty"`
	PushTimes             *int    `json:"push_times,omitempty"`
	TimeSec               *int64  `json:"time_sec,omitempty"`
	AssignedAgentNickname string  `json:"assigned_agent_nickname"`
}

// Encode writes an event as TWT Chat would send it: a notice that a visitor is
// unreplied, or a form before the chat or offline. Each is a webhook of its own.
// For an event of another platform the webhook's id is made of the source's name.
func (Dialect) Encode(event signals.Event) ([]byte, error) {
	var out body

	switch {
	case event.Unreplied != nil && (event.Type == signals.UnrepliedReported || event.Type == signals.UnrepliedPushed):
		out = wrap(&event, eventUnreplied, event.At)
		out.Content = []content{unrepliedContent(&event, out.CreatedAt)}
	case event.Form != nil && event.Type == signals.FormSubmitted && event.Form.Kind == signals.FormPrechat:
		out = wrap(&event, eventPrechatForm, formSent(&event))
		out.Content = []content{formContent(&event)}
	case event.Form != nil && event.Type == signals.FormSubmitted && event.Form.Kind == signals.FormOffline:
		out = wrap(&event, eventOfflineForm, formSent(&event))
		out.Content = []content{formContent(&event)}
	default:
		return nil, fmt.Errorf("%s: %w", event.Type, dialect.ErrNotEncodable)
	}

	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", event.Type, err)
	}

	return raw, nil
}

// ours reports whether TWT Chat itself sent the event.
func ours(event *signals.Event) bool {
	return event.Platform != nil && meaning(event.Platform.Event) != signals.Unknown
}

func wrap(event *signals.Event, name string, sent time.Time) body {
	out := body{CreatedAt: unix(sent), Event: name}

	if !ours(event) {
		out.WebhookID = hash("source", event.Source)

		return out
	}

	out.WebhookID = event.Platform.WebhookID

	if !event.Platform.SentAt.IsZero() {
		out.CreatedAt = unix(event.Platform.SentAt)
	}

	return out
}

// formSent is when a form went out: as soon as it came in.
func formSent(event *signals.Event) time.Time {
	if event.ReceivedAt.IsZero() {
		return event.At
	}

	return event.ReceivedAt
}

func unrepliedContent(event *signals.Event, sent int64) content {
	u := event.Unreplied
	out := about(event, u.Subject, u.Property, u.AgentNickname)
	out.MessageContent = u.Text
	out.CreatedAt = unix(u.Since)

	status, pushes, waited := statusWord(u.Status), u.PushTimes, u.Seconds

	switch {
	case u.Since.IsZero():
		out.CreatedAt = unix(after(time.Unix(sent, 0), -waited, time.Time{}))
	case !ours(event):
		waited = max(0, sent-out.CreatedAt)
	}

	out.Status, out.PushTimes, out.TimeSec = &status, &pushes, &waited

	return out
}

func formContent(event *signals.Event) content {
	form := event.Form
	out := about(event, form.Subject, form.Property, form.AgentNickname)
	out.MessageContent = form.Rendered()
	out.CreatedAt = unix(form.SubmittedAt)

	if form.SubmittedAt.IsZero() {
		out.CreatedAt = unix(event.At)
	}

	return out
}

// about fills in what every notice says of its conversation.
func about(event *signals.Event, subject, property, agent string) content {
	out := content{Subject: subject, PropertyName: property, AssignedAgentNickname: agent}

	if subject == "" && !ours(event) {
		out.Subject = defaultSubject
	}

	if event.Actor != nil && event.Actor.Role == signals.RoleVisitor {
		out.VisitorName, out.VisitorNickname = event.Actor.Name, event.Actor.Nickname
	}

	if event.Customer != nil {
		out.SBS = event.Customer.ExternalID
	}

	return out
}

// unix is t in seconds; a time that is not known is 0.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}

	return t.Unix()
}
