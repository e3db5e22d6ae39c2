package acquire

import (
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// legacyID is the chat's id; the documentation prints the second of its names,
// with a blank, in CHAT_ON_START.
func legacyID(fields object) string { return fields.said(keyID, " id") }

// flat is where version 1 has its fields: in data, as in CHAT_ON_START, or
// beside event.
func (d *decoder) flat() object {
	if d.data != nil {
		return d.data
	}

	return d.top
}

// Places of version 1's fields.
const (
	placeBeside = "beside"
	placeData   = keyData
)

func legacyPlace(data object) string {
	if data == nil {
		return placeBeside
	}

	return placeData
}

// usualPlace is where the documentation shows an event's fields.
func usualPlace(name string) string {
	if name == legacyStart {
		return placeData
	}

	return placeBeside
}

// legacy reads CHAT_ON_*. The name says what happened: status may contradict it
// (the published CHAT_ON_CLOSE is active).
func (d *decoder) legacy() ([]signals.Event, error) {
	var read func(*decoder, object, string) []signals.Event

	switch d.name {
	case legacyStart:
		read = (*decoder).legacyStarted
	case legacyAccept:
		read = (*decoder).legacyAccepted
	case legacyMessage:
		read = (*decoder).legacyWritten
	case legacyClose:
		read = (*decoder).legacyClosed
	default:
		return d.unknown(), nil
	}

	fields := d.flat()

	conversation := legacyID(fields)
	if conversation == "" {
		return nil, signals.Missing("id")
	}

	events := read(d, fields, conversation)

	fields.takeSole(keyID, legacyID)

	for i := range events {
		if events[i].Type != signals.CustomerUpdated {
			keep(&events[i], levelData, fields)

			if d.data != nil {
				keep(&events[i], levelEnvelope, d.top)
			}

			if place := legacyPlace(d.data); place != usualPlace(d.name) {
				keep(&events[i], levelPlace, object{"is": quote(place)})
			}
		}
	}

	return events, nil
}

func (d *decoder) legacyStarted(fields object, conversation string) []signals.Event {
	event := signals.Event{
		Type: signals.ConversationOpened, Conversation: conversation,
		At: d.date(fields.said("date_created")), Details: &signals.Details{},
	}

	if group := fields.takeSaid("department_id"); group != "" {
		event.Details.GroupIDs = []string{group}
	}

	visitor := takeNested(fields, "details")
	if len(visitor) == 0 {
		return []signals.Event{event}
	}

	known := d.legacyVisitor(conversation, "", visitor)
	event.Details.Participants = []signals.Participant{{
		Role: signals.RoleVisitor, Name: known.Customer.Name, Email: known.Customer.Email, Customer: known.Customer,
	}}

	return []signals.Event{event, known}
}

// legacyVisitor tells what is known about the visitor; fields keeps the rest.
func (d *decoder) legacyVisitor(conversation, id string, fields object) signals.Event {
	customer := &signals.Customer{
		ID:   prefixed(visitorPrefix, id),
		Name: fields.takeSaid("name"), Email: fields.takeSaid("email"), Phone: fields.takeSaid("phone"),
	}

	if len(fields) > 0 {
		customer.Fields = fields
	}

	return signals.Event{Type: signals.CustomerUpdated, Conversation: conversation, Customer: customer}
}

func (d *decoder) legacyAccepted(fields object, conversation string) []signals.Event {
	user := takeNested(fields, "user")
	id := legacyAgentID(user.said("id"))

	switch {
	case id == "":
		id = user.said("id_real")
	case strings.HasPrefix(user.said("id"), agentPrefix):
		user.take("id")
	}

	event := signals.Event{
		Type: signals.AgentAccepted, Conversation: conversation, At: d.date(fields.said("date_picked")),
		Actor: d.agent(id, user.said("name")),
	}
	event.Assignment = &signals.Assignment{AgentID: id, AgentName: event.Actor.Name}

	if event.Actor.Name == user.said("name") {
		user.takeSaid("name")
	}

	keep(&event, levelUser, user)

	return []signals.Event{event}
}

// legacyAgentID is an agent's id without version 1's prefix.
func legacyAgentID(id string) string { return strings.TrimPrefix(id, agentPrefix) }

// legacyWritten reads CHAT_ON_MESSAGE, whose message is an object or a string
// that holds one. It has neither an id nor a time of its own: the dates are the
// chat's. Two equal messages within the retry window are one event, since
// nothing tells the second from a repetition.
func (d *decoder) legacyWritten(fields object, conversation string) []signals.Event {
	raw := fields["message"]
	inner, form := readNested(raw), ""

	switch {
	case inner == nil && fields.said("message") == "":
		return d.unknown()
	case inner == nil:
		inner, form = object{"msg": raw}, formText
	case readObject(raw) != nil:
		form = formObject
	}

	delete(fields, "message")

	event := signals.Event{Conversation: conversation, At: d.legacyDate(inner)}
	user := takeNested(inner, "user")
	event.Actor = d.legacySender(user)

	id := inner.said("id")
	if natural(id) {
		event.ID = id
		inner.take("id")
	} else {
		id = ""
	}

	word := inner.takeWord("type", typeMessage, typeEvent)
	text := inner.takeSole("msg", legacyText)

	if word == typeEvent {
		event.Type, event.Note = signals.SystemNoted, &signals.Note{Kind: typeEvent, Text: text}
	} else {
		event.Type, event.Message = signals.MessageReceived, &signals.Message{ID: id, Text: text, Kind: kind(word)}
	}

	keep(&event, levelMessage, inner)
	keep(&event, levelUser, user)

	if form != "" {
		keepForm(&event, form)
	}

	return []signals.Event{event}
}

func legacyText(inner object) string { return inner.peek("msg", "message", "text") }

// takeNested takes an object that says something out of another.
func takeNested(o object, name string) object {
	inner := readNested(o[name])
	if len(inner) > 0 {
		delete(o, name)
	}

	return inner
}

func (d *decoder) legacyDate(inner object) time.Time {
	return d.date(inner.said("date_created", "dateCreated", "date"))
}

func (d *decoder) legacySender(user object) *signals.Actor {
	id := user.said("id")

	var actor *signals.Actor

	switch user.takeWord("type", senderAgent, senderVisitor) {
	case senderAgent:
		actor = d.agent(legacyAgentID(id), "")
	case senderVisitor:
		actor = &signals.Actor{ID: prefixed(visitorPrefix, strings.TrimPrefix(id, visitorPrefix)), Role: signals.RoleVisitor}
	default:
		actor = &signals.Actor{ID: id, Role: signals.RoleUnknown}
	}

	if name := user.said("name"); len(name) <= maxNameBytes {
		actor.Name = user.takeSaid("name")
	} else {
		actor.Name = signals.Cut(name, maxNameBytes)
	}

	if *actor == (signals.Actor{Role: signals.RoleUnknown}) {
		return nil
	}

	return actor
}

func (d *decoder) legacyClosed(fields object, conversation string) []signals.Event {
	closing := &signals.Closing{
		ByRole:      signals.RoleUnknown,
		WaitSeconds: fields.takeCount("chat_wait_time"), DurationSeconds: fields.takeCount("chat_duration"),
	}
	event := signals.Event{Type: signals.ConversationClosed, Conversation: conversation, Closing: closing}
	by := fields.said("by")

	if agent, is := strings.CutPrefix(by, agentPrefix); is && agent != "" {
		closing.ByID, closing.ByRole = agent, d.agentRole(agent)
		fields.take("by")
	} else if visitor, is := strings.CutPrefix(by, visitorPrefix); is && visitor != "" {
		closing.ByID, closing.ByRole = by, signals.RoleVisitor
		fields.take("by")
	}

	if closing.ByID != "" {
		event.Actor = &signals.Actor{ID: closing.ByID, Role: closing.ByRole}
	}

	// users stays where it is, for the encoder; its visitor is told on its own.
	visitor := readNested(readNested(fields["users"])["visitor"])
	if len(visitor) == 0 {
		return []signals.Event{event}
	}

	return []signals.Event{d.legacyVisitor(conversation, fields.said("visitor_id"), visitor), event}
}
