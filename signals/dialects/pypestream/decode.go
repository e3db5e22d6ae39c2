package pypestream

import (
	"encoding/json"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Fields of the bodies and of the query.
const (
	keyAgent       = "agentId"
	keyAvailable   = "available"
	keyContent     = "content"
	keyEscalation  = "escalationId"
	keyHours       = "hoursOfOperation"
	keyPosition    = "queuePosition"
	keyQueueDepth  = "queueDepth"
	keySender      = "senderId"
	keySide        = "side"
	keySkill       = "skill"
	keyStatus      = "status"
	keyTyping      = "typing"
	keyUser        = "userId"
	keyWaitSeconds = "estimatedWaitTime"
)

// The sides of a message that have been seen.
const (
	sideUser      = "user"
	sideAgent     = "agent"
	sideBot       = "bot"
	sideAnonymous = "anonymous_consumer"
)

// The statuses of an availability: the documented ones and, in the second line,
// those that the vendor's own receiver writes.
const (
	statusOnline, statusBusy, statusOffline = "online", "busy", "offline"
	statusAvailable, statusUnavailable      = "available", "unavailable"
)

// decoder holds one call while its event is made.
type decoder struct {
	call

	in *members
	// said is what the call says beside the blocks of its event, for Encode.
	said map[string]json.RawMessage
}

// Decode returns the one event of a call. A path that is not known becomes an
// event of type unknown; its body must be JSON as every other.
func (Dialect) Decode(req dialect.Request, src dialect.Source) ([]signals.Event, error) {
	tree, err := parse(req.Body)
	if err != nil {
		return nil, err
	}

	d := decoder{call: callOf(req)}
	if err := d.check(); err != nil {
		return nil, err
	}

	raw, err := rawOf(tree, req.Query, src.Secrets)
	if err != nil {
		return nil, err
	}

	event, err := d.event(req, tree)
	if err != nil {
		return nil, err
	}

	name := d.method + " " + d.path
	if d.path == "" {
		name = d.method + " " + cut(req.Path, src.Secrets)
	}

	if event.ID == "" {
		event.ID = signals.DerivedID(name, d.conversation, string(raw))
	}

	event.Source = src.Name
	event.Conversation = d.conversation
	event.At, event.ReceivedAt = req.ReceivedAt, req.ReceivedAt
	event.Raw = raw
	event.Platform = &signals.Platform{
		Event: short(name), Version: short(strings.ToLower(d.version)), ChatProperties: d.said,
		Integration: short(cut(req.Header.Get(headerIntegration), src.Secrets)),
	}

	if err := event.Validate(); err != nil {
		return nil, err
	}

	return []signals.Event{event}, nil
}

// short bounds what is kept for its own sake.
func short(text string) string {
	return signals.Cut(strings.ToValidUTF8(text, "\ufffd"), signals.MaxIDBytes)
}

func (d *decoder) event(req dialect.Request, tree any) (signals.Event, error) {
	if d.path == "" {
		return signals.Event{Type: signals.Unknown}, nil
	}

	in, err := fieldsOf(tree)
	if err != nil {
		return signals.Event{}, err
	}

	d.in = in

	var event signals.Event

	switch d.path {
	case pathAvailability, pathWaitTime:
		event = d.availability(req)
	case pathEscalate:
		event = d.escalate()
	case pathType:
		event = d.typing()
	case pathMessage:
		event = d.messaged()
	case pathEnd:
		event = d.end()
	}

	return event, in.err
}

// keep remembers a field that no block has room for.
func (d *decoder) keep(key string, value any) {
	raw, err := json.Marshal(value)
	if err != nil { // a string or nil always marshals
		return
	}

	if d.said == nil {
		d.said = make(map[string]json.RawMessage)
	}

	d.said[key] = raw
}

func (d *decoder) availability(req dialect.Request) signals.Event {
	asked := &signals.Availability{
		Skill: strings.ToValidUTF8(req.Query.Get(keySkill), "\ufffd"), Available: d.in.truth(keyAvailable), Open: d.in.truth(keyHours),
		WaitSeconds: d.in.whole(keyWaitSeconds), QueueDepth: d.in.whole(keyQueueDepth), Status: d.in.text(keyStatus),
	}

	if asked.Skill == "" {
		asked.Skill = d.in.text(keySkill)
	} else if err := badID(keySkill, asked.Skill, signals.MaxIDBytes); err != nil && d.in.err == nil {
		d.in.err = err
	}

	switch said := asked.Status; said {
	case statusAvailable:
		asked.Status = statusOnline
		d.keep(keyStatus, said)
	case statusUnavailable:
		asked.Status = statusOffline
		d.keep(keyStatus, said)
	}

	return signals.Event{Type: signals.AvailabilityRequested, Availability: asked}
}

func (d *decoder) escalate() signals.Event {
	user := d.in.text(keyUser)

	return signals.Event{
		Type:  signals.EscalationRequested,
		Actor: &signals.Actor{ID: user, Role: signals.RoleVisitor},
		Escalation: &signals.Escalation{
			ID: d.in.text(keyEscalation), Skill: d.in.text(keySkill), UserID: user, AgentID: d.in.text(keyAgent),
			Status: d.in.text(keyStatus), WaitSeconds: d.in.whole(keyWaitSeconds), QueuePosition: d.in.whole(keyPosition),
		},
	}
}

func (d *decoder) typing() signals.Event {
	on := d.in.truth(keyTyping)
	if on == nil {
		d.missing(keyTyping)

		return signals.Event{}
	}

	return signals.Event{
		Type:   signals.TypingChanged,
		Actor:  &signals.Actor{ID: d.in.text(keySender), Role: signals.RoleVisitor},
		Typing: &signals.Typing{On: *on, EscalationID: d.in.text(keyEscalation)},
	}
}

func (d *decoder) missing(key string) {
	if d.in.err == nil {
		d.in.err = signals.Missing(key)
	}
}

func (d *decoder) messaged() signals.Event {
	d.escalation()

	event := signals.Event{
		ID: d.message, Type: signals.MessageReceived,
		Actor:   &signals.Actor{ID: d.in.text(keySender), Role: d.role()},
		Message: d.content(),
	}

	// A platform's id is natural, even one that looks derived.
	if signals.IsDerived(d.message) {
		event.ID = "m:" + d.message
	}

	return event
}

// content reads what was written. It is a string; an object, as the second
// version of the history has it, is kept as rich content.
func (d *decoder) content() *signals.Message {
	switch v := d.in.fields[keyContent].(type) {
	case nil:
		d.missing(keyContent)
	case string:
		return &signals.Message{ID: d.message, Text: v, Kind: signals.KindText}
	case map[string]any, []any:
		raw, err := json.Marshal(v)
		if err != nil { // what was decoded from JSON always marshals
			d.in.wrong(keyContent, "a string")
		}

		return &signals.Message{ID: d.message, Text: textOf(v), Kind: signals.KindRich, Rich: raw}
	default:
		d.in.wrong(keyContent, "a string")
	}

	return nil
}

// textOf is what can be shown of rich content.
func textOf(content any) string {
	object, ok := content.(map[string]any)
	if !ok {
		return ""
	}

	text, _ := object["text"].(string)

	return text
}

// role reads who wrote a message. Without a side it is the end user, of whose
// messages alone the page speaks.
func (d *decoder) role() signals.Role {
	side := d.in.text(keySide)

	switch side {
	case sideUser:
		return signals.RoleVisitor
	case sideAgent:
		return signals.RoleAgent
	case sideBot:
		return signals.RoleBot
	case sideAnonymous:
		d.keep(keySide, side)

		return signals.RoleVisitor
	case "":
		d.keep(keySide, nil)

		return signals.RoleVisitor
	default:
		d.keep(keySide, side)

		return signals.RoleUnknown
	}
}

func (d *decoder) end() signals.Event {
	d.escalation()

	sender := d.in.text(keySender)

	return signals.Event{
		Type:    signals.ConversationClosed,
		Actor:   &signals.Actor{ID: sender, Role: signals.RoleVisitor},
		Closing: &signals.Closing{ByID: sender, ByRole: signals.RoleVisitor},
	}
}

// escalation keeps the id of the escalation that a message or an end names. It
// is no thread: a conversation reopened in its grace keeps it.
func (d *decoder) escalation() {
	if id := d.in.text(keyEscalation); id != "" {
		d.keep(keyEscalation, id)
	}
}
