package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
)

// webhook is the custom webhook: unreplied notices and forms in the form of
// TWT Chat (lifecycle, section 5), everything else as the canonical event.
type webhook struct{}

// The names of TWT Chat's events.
const (
	eventUnreplied   = "UNREPLIED"
	eventPrechatForm = "PRE_CHAT_FORM_SUBMIT"
	eventOfflineForm = "OFFLINE_FORM_SUBMIT"
)

// defaultSubject stands where a conversation has none, as TWT Chat's own does.
const defaultSubject = "New Conversation"

// envelope is the outer form; times are unix seconds.
type envelope struct {
	CreatedAt int64     `json:"created_at"`
	Event     string    `json:"event"`
	WebhookID string    `json:"webhook_id"`
	Content   []content `json:"content"`
}

// content is one notice. The last four fields but one belong to UNREPLIED only.
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

func (webhook) render(order *signals.Order, to *named, now time.Time) (*outbound.Request, error) {
	body, err := json.Marshal(webhookBody(order, to.name))
	if err != nil {
		return nil, outbound.Permanent("the notice cannot be written as JSON")
	}

	header := http.Header{"Content-Type": {"application/json"}}
	if err := outbound.Sign(header, order.Key, body, to.Secret, now); err != nil {
		return nil, fmt.Errorf("channel %s: %w", to.name, err)
	}

	return &outbound.Request{URL: to.URL, Header: header, Body: body}, nil
}

func (webhook) judge(response *outbound.Response, now time.Time) error {
	return outbound.Judge(response, now)
}

func webhookBody(order *signals.Order, channel string) any {
	event := order.Event

	switch {
	case event.Type == signals.UnrepliedPushed && event.Unreplied != nil:
		return wrap(eventUnreplied, channel, event.At, unrepliedContent(order))
	case event.Type == signals.FormSubmitted && event.Form != nil && event.Form.Kind == signals.FormPrechat:
		return wrap(eventPrechatForm, channel, formSent(event), formContent(order))
	case event.Type == signals.FormSubmitted && event.Form != nil && event.Form.Kind == signals.FormOffline:
		return wrap(eventOfflineForm, channel, formSent(event), formContent(order))
	default:
		bare := *event
		bare.Raw = nil

		return bare
	}
}

func wrap(name, channel string, at time.Time, one content) envelope {
	return envelope{CreatedAt: unix(at), Event: name, WebhookID: webhookID(channel), Content: []content{one}}
}

// webhookID is what TWT Chat calls the unique identifier of a webhook: 32
// hexadecimal digits that stay the same for a channel.
func webhookID(channel string) string {
	sum := sha256.Sum256([]byte("channel:" + channel))

	return hex.EncodeToString(sum[:16])
}

func unrepliedContent(order *signals.Order) content {
	unreplied := order.Event.Unreplied
	one := about(order, unreplied.Subject, unreplied.Property, unreplied.AgentNickname)
	one.CreatedAt = unix(unreplied.Since)
	one.MessageContent = unreplied.Text

	status := statusDigit(unreplied.Status)
	waited := max(0, unix(order.Event.At)-one.CreatedAt)

	if unreplied.Since.IsZero() {
		one.CreatedAt = unix(order.Event.At) - unreplied.Seconds
		waited = unreplied.Seconds
	}

	one.Status, one.PushTimes, one.TimeSec = &status, &unreplied.PushTimes, &waited

	return one
}

// statusDigit is TWT Chat's number for a status, as a string.
func statusDigit(status string) string {
	switch status {
	case signals.UnrepliedQueued:
		return "2"
	case signals.UnrepliedPending:
		return "3"
	case signals.UnrepliedReplied:
		return "4"
	default:
		return "1"
	}
}

func formContent(order *signals.Order) content {
	form := order.Event.Form
	one := about(order, form.Subject, form.Property, form.AgentNickname)
	one.CreatedAt = unix(form.SubmittedAt)
	one.MessageContent = form.Rendered()

	if form.SubmittedAt.IsZero() {
		one.CreatedAt = unix(order.Event.At)
	}

	return one
}

// formSent is when the notice was decided: with the form's arrival.
func formSent(event *signals.Event) time.Time {
	if event.ReceivedAt.IsZero() {
		return event.At
	}

	return event.ReceivedAt
}

// about fills in what every notice says of its conversation; what the event
// says itself goes first.
func about(order *signals.Order, subject, property, agent string) content {
	known := signals.About{}
	if order.About != nil {
		known = *order.About
	}

	name := known.VisitorName
	if name == "" && order.Event.Actor != nil && order.Event.Actor.Role == signals.RoleVisitor {
		name = order.Event.Actor.Name
	}

	return content{
		Subject:               cmp.Or(subject, known.Subject, defaultSubject),
		VisitorName:           name,
		PropertyName:          cmp.Or(property, known.Property),
		VisitorNickname:       known.VisitorNickname,
		SBS:                   known.CustomerID,
		AssignedAgentNickname: cmp.Or(agent, known.AgentNickname),
	}
}

// unix is t in seconds; a time that is not known is 0.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}

	return t.Unix()
}
