package pypestream

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// object is a JSON object being written; what is absent is left out.
type object map[string]any

func (o object) text(key, value string) {
	if value != "" {
		o[key] = value
	}
}

func put[T any](o object, key string, value *T) {
	if value != nil {
		o[key] = *value
	}
}

// Encode writes the body of the call that says event; [RequestLine] has the
// rest. A question by GET has none, which is an empty object here.
func (Dialect) Encode(event signals.Event) ([]byte, error) {
	out, ok := bodyFor(event)
	if !ok {
		return nil, fmt.Errorf("%w: %s", dialect.ErrNotEncodable, event.Type)
	}

	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", event.Type, err)
	}

	return body, nil
}

func bodyFor(event signals.Event) (object, bool) {
	switch event.Type {
	case signals.AvailabilityRequested:
		return availabilityBody(event), true
	case signals.EscalationRequested:
		return escalationBody(event), true
	case signals.TypingChanged:
		return typingBody(event)
	case signals.MessageReceived:
		return messageBody(event)
	case signals.ConversationClosed:
		return endBody(event), true
	default:
		return nil, false
	}
}

func availabilityBody(event signals.Event) object {
	out := object{}

	asked := event.Availability
	if asked == nil {
		return out
	}

	put(out, keyAvailable, asked.Available)
	put(out, keyHours, asked.Open)
	put(out, keyWaitSeconds, asked.WaitSeconds)
	put(out, keyQueueDepth, asked.QueueDepth)
	out.text(keyStatus, asked.Status)

	if status, ok := said(event, keyStatus); ok {
		out[keyStatus] = status
	}

	if method, _ := callFor(event); method == http.MethodPost {
		out.text(keySkill, asked.Skill)
	}

	return out
}

func escalationBody(event signals.Event) object {
	out := object{}

	asked := event.Escalation
	if asked == nil {
		asked = &signals.Escalation{}
	}

	out.text(keyEscalation, asked.ID)
	out.text(keySkill, asked.Skill)
	out.text(keyUser, asked.UserID)
	out.text(keyAgent, asked.AgentID)
	out.text(keyStatus, asked.Status)
	put(out, keyWaitSeconds, asked.WaitSeconds)
	put(out, keyPosition, asked.QueuePosition)

	if asked.UserID == "" && event.Actor != nil && event.Actor.Role == signals.RoleVisitor {
		out.text(keyUser, event.Actor.ID)
	}

	return out
}

// typingBody writes an end user's typing: the call does not say whose it is.
func typingBody(event signals.Event) (object, bool) {
	if event.Typing == nil || event.Typing.Visibility == signals.VisibleToAgents ||
		event.Actor != nil && (event.Actor.Role == signals.RoleAgent || event.Actor.Role == signals.RoleBot) {
		return nil, false
	}

	out := object{keyTyping: event.Typing.On}
	out.text(keyEscalation, event.Typing.EscalationID)

	if event.Actor != nil {
		out.text(keySender, event.Actor.ID)
	}

	return out, true
}

// messageBody writes what the visitor sees, too; the call has no word for the rest.
func messageBody(event signals.Event) (object, bool) {
	message := event.Message
	if message == nil || message.Visibility == signals.VisibleToAgents {
		return nil, false
	}

	out := object{keyContent: message.Text}

	switch {
	case len(message.Rich) > 0 && ours(event):
		out[keyContent] = message.Rich
	case message.Text == "" && message.File != nil:
		out[keyContent] = message.File.URL
	}

	if event.Actor != nil {
		out.text(keySender, event.Actor.ID)
		out.text(keySide, sideOf(event.Actor.Role))
	}

	if side, ok := said(event, keySide); ok {
		delete(out, keySide)

		if !dialect.IsNull(side) {
			out[keySide] = side
		}
	}

	if id, ok := said(event, keyEscalation); ok {
		out[keyEscalation] = id
	}

	return out, true
}

func sideOf(role signals.Role) string {
	switch role {
	case signals.RoleVisitor:
		return sideUser
	case signals.RoleAgent:
		return sideAgent
	case signals.RoleBot:
		return sideBot
	default:
		return ""
	}
}

func endBody(event signals.Event) object {
	out := object{}

	if event.Actor != nil {
		out.text(keySender, event.Actor.ID)
	}

	if event.Closing != nil {
		out.text(keySender, event.Closing.ByID)
	}

	if id, ok := said(event, keyEscalation); ok {
		out[keyEscalation] = id
	}

	return out
}

// said returns a field that the call had beside the blocks of its event.
func said(event signals.Event, key string) (json.RawMessage, bool) {
	if !ours(event) {
		return nil, false
	}

	value, ok := event.Platform.ChatProperties[key]

	return value, ok
}

// ours reports whether an event came by one of the calls.
func ours(event signals.Event) bool {
	if event.Platform == nil {
		return false
	}

	_, ok := Events()[event.Platform.Event]

	return ok
}
