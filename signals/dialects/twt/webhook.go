package twt

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// DefaultSubject is the subject of a conversation that has none.
const DefaultSubject = "New Conversation"

// Webhook is one of TWT Chat's webhooks as it goes out, with a single notice;
// times are unix seconds.
type Webhook struct {
	CreatedAt int64    `json:"created_at"`
	Event     string   `json:"event"`
	WebhookID string   `json:"webhook_id"`
	Content   []Notice `json:"content"`
}

// Notice is what a webhook says. Status, PushTimes and TimeSec belong to
// UNREPLIED.
type Notice struct {
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

// NewWebhook returns the notice that somebody other than TWT Chat gives of an
// event: of a visitor who is unreplied, or of a form before the chat or offline;
// false for other events. Its times are the event's, and a status that is not of
// the page's is the first of these. It says of the conversation only what the
// event's block does; the visitor and the webhook's id are the caller's to fill in.
func NewWebhook(event *signals.Event) (Webhook, bool) {
	form := event.Type == signals.FormSubmitted && event.Form != nil

	switch {
	case event.Unreplied != nil && (event.Type == signals.UnrepliedReported || event.Type == signals.UnrepliedPushed):
		return Webhook{CreatedAt: unix(event.At), Event: eventUnreplied, Content: []Notice{unrepliedNotice(event)}}, true
	case form && event.Form.Kind == signals.FormPrechat:
		return Webhook{CreatedAt: unix(formSent(event)), Event: eventPrechatForm, Content: []Notice{formNotice(event)}}, true
	case form && event.Form.Kind == signals.FormOffline:
		return Webhook{CreatedAt: unix(formSent(event)), Event: eventOfflineForm, Content: []Notice{formNotice(event)}}, true
	default:
		return Webhook{}, false
	}
}

func unrepliedNotice(event *signals.Event) Notice {
	u := event.Unreplied
	since, waited := unix(u.Since), u.Seconds

	if u.Since.IsZero() {
		since = unix(event.At) - waited
	} else {
		waited = max(0, unix(event.At)-since)
	}

	pushes := u.PushTimes
	status, known := statusWord(u.Status)

	if !known {
		status = statusOpen
	}

	return Notice{
		Subject: u.Subject, PropertyName: u.Property, AssignedAgentNickname: u.AgentNickname,
		CreatedAt: since, MessageContent: u.Text, Status: &status, PushTimes: &pushes, TimeSec: &waited,
	}
}

func formNotice(event *signals.Event) Notice {
	form := event.Form
	submitted := form.SubmittedAt

	if submitted.IsZero() {
		submitted = event.At
	}

	return Notice{
		Subject: form.Subject, PropertyName: form.Property, AssignedAgentNickname: form.AgentNickname,
		CreatedAt: unix(submitted), MessageContent: form.Rendered(),
	}
}

// formSent is when a form went out: as soon as it came in.
func formSent(event *signals.Event) time.Time {
	if event.ReceivedAt.IsZero() {
		return event.At
	}

	return event.ReceivedAt
}

// unix is t in seconds; a time that is not known is 0.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}

	return t.Unix()
}
