package inbenta

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// encoder writes one event.
type encoder struct {
	event *signals.Event
	// trigger is the name it came under, or today's.
	trigger string
	// data begins as the rest of what came.
	data object
}

// Encode writes an event as Inbenta would send it: under the name and in the
// unit of time in which it came, else as today's API does.
func (Dialect) Encode(event signals.Event) ([]byte, error) {
	e := &encoder{event: &event, trigger: triggerOf(event.Type), data: object{}}
	if e.trigger == "" {
		return nil, fmt.Errorf("%s: %w", event.Type, dialect.ErrNotEncodable)
	}

	out := map[string]any{keyCreated: event.At.Unix()}

	if e.ours() {
		e.trigger, e.data = event.Platform.Event, readRest(event.Platform.ChatProperties)

		if event.Platform.AppID != "" {
			out[keyAppID] = event.Platform.AppID
		}

		if event.Platform.Version == versionMillis {
			out[keyCreated] = event.At.UnixMilli()
		}
	}

	if !e.write() {
		return nil, fmt.Errorf("this %s: %w", event.Type, dialect.ErrNotEncodable)
	}

	e.data.restore(event.Conversation, chatHome(e.trigger, e.data), chatPlaces())
	out[keyTrigger], out[keyData] = e.trigger, e.data

	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", event.Type, err)
	}

	return body, nil
}

// ours reports whether the event came as one of Inbenta's.
func (e *encoder) ours() bool {
	p := e.event.Platform
	if p == nil || p.Version != versionSeconds && p.Version != versionMillis {
		return false
	}

	return eventType(p.Event) == eventType(e.trigger)
}

func readRest(properties map[string]json.RawMessage) object {
	rest := make(object, len(properties))

	for key, raw := range properties {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()

		var value any

		if decoder.Decode(&value) == nil {
			rest[key] = value
		}
	}

	return rest
}

// write fills the data; false means that Inbenta has no word for it.
func (e *encoder) write() bool {
	ev := e.event

	switch ev.Type {
	case signals.ConversationOpened:
		e.opened()
	case signals.ConversationClosed:
		e.closed()
	case signals.AssignmentRequested:
		e.assignment()
	case signals.ParticipantJoined, signals.ParticipantLeft:
		return e.member()
	case signals.AgentAccepted:
		e.user(e.agent())
	case signals.MessageReceived:
		return e.message()
	case signals.MessageRead:
		return e.read()
	case signals.QueueMoved:
		e.queue()
	case signals.TypingChanged:
		return e.typing()
	case signals.PresenceChanged:
		return e.presence()
	case signals.SystemNoted, signals.TicketCreated:
		return e.note()
	default: // forever:alone has nothing but its chat
	}

	return true
}

// user writes who an event is about.
func (e *encoder) user(id string) { e.data.restore(id, userHome(e.data), userPlaces()) }

// actorID is who did it, by Inbenta's words for those who are no users.
func actorID(actor *signals.Actor) string {
	switch {
	case actor == nil:
		return ""
	case actor.ID == "" && actor.Role == signals.RoleSystem:
		return system
	default:
		return actor.ID
	}
}

func (e *encoder) agent() string {
	if a := e.event.Assignment; a != nil && a.AgentID != "" {
		return a.AgentID
	}

	return actorID(e.event.Actor)
}

func (e *encoder) opened() {
	chat := chatOf(e.data)

	switch {
	case chat != nil:
	case e.data.says(e.event.Conversation, nil, chatPlaces()):
		chat = e.data
	default:
		chat = e.data.into(keyChat)
	}

	details := e.event.Details
	if details == nil {
		return
	}

	chat.give("source", details.Channel)
	chat.give("lang", details.Lang)

	if len(details.GroupIDs) > 0 {
		chat.give("room", details.GroupIDs[0])
	}

	if chat.in("creator") != nil {
		return
	}

	for i := range details.Participants {
		if details.Participants[i].Role == signals.RoleVisitor {
			chat.give("creator", details.Participants[i].ID)

			return
		}
	}
}

func (e *encoder) closed() {
	closing := e.event.Closing
	if closing == nil {
		closing = &signals.Closing{}
	}

	id := closing.ByID
	if id == "" && closing.ByRole == signals.RoleSystem {
		id = system
	}

	if id == "" {
		id = actorID(e.event.Actor)
	}

	e.user(id)
	e.data.restore(closing.Reason, reasonHome(), reasonPlaces())
}

// assignment puts the candidates back among what was left of the agents.
func (e *encoder) assignment() {
	invitation := e.event.Invitation
	if invitation == nil {
		invitation = &signals.Invitation{}
	}

	if e.trigger == invitationsNew {
		e.user(invitation.AgentID)

		if len(invitation.Candidates) == 0 {
			return
		}
	}

	said, there := e.data["agents"]
	list, _ := said.([]any)

	switch {
	case there && list == nil: // of another form, left as it was
		return
	case list == nil:
		list = make([]any, len(invitation.Candidates))
		for i := range list {
			list[i] = map[string]any{}
		}
	case len(list) != len(invitation.Candidates): // some had no id, and all were left
		return
	}

	for i := range invitation.Candidates {
		if members, ok := list[i].(map[string]any); ok {
			giveCandidate(members, &invitation.Candidates[i])
		}
	}

	e.data["agents"] = list
}

func giveCandidate(agent object, candidate *signals.Candidate) {
	agent.restore(candidate.AgentID, agentHome(), agentPlaces())
	agent.giveNumber("capacity", candidate.Capacity)
	agent.giveNumber("load", candidate.Load)

	if len(candidate.Skills) > 0 {
		agent["skills"] = candidate.Skills
	}
}

// member writes a user with names as an object, as the chat adapter reads it.
func (e *encoder) member() bool {
	p := e.event.Participant
	if p == nil {
		return false
	}

	for _, field := range [...]struct{ key, value string }{
		{"name", p.Name},
		{"nickname", p.Nickname},
		{"externalId", p.ExternalID},
		{"providerId", p.ProviderID},
		{"contact", p.Email},
	} {
		if field.value != "" {
			e.data.into(keyUser).give(field.key, field.value)
		}
	}

	e.user(p.ID)
	e.data.restore(p.Reason, reasonHome(), reasonPlaces())

	return true
}

// message writes what a visitor may see: Inbenta has no word for the rest.
func (e *encoder) message() bool {
	m := e.event.Message
	if m == nil || m.Visibility == signals.VisibleToAgents {
		return false
	}

	message := e.data.into(keyMessage)
	_, typed := message["type"]

	switch {
	case m.Kind == signals.KindFile && m.File != nil:
		message.give("type", typeMedia)
		giveFile(message.into(keyMessage), m.File)
	case m.Kind == signals.KindCustom && e.ours():
		if m.Custom != nil {
			message[keyMessage] = m.Custom
		}
	case m.Kind == signals.KindText || m.Kind == "", m.Kind == signals.KindSystem && e.ours(), m.Kind == signals.KindRich && m.Text != "":
		message[keyMessage] = m.Text

		if !typed {
			message["type"] = typeText
		}
	default:
		return false
	}

	message.give("id", m.ID)
	e.data.restore(actorID(e.event.Actor), senderHome(), senderPlaces())

	return true
}

func giveFile(media object, file *signals.File) {
	media.give("name", file.Name)
	media.give("url", file.URL)
	media.give("type", file.ContentType)

	if file.Size != 0 {
		media.giveNumber("size", &file.Size)
	}
}

func (e *encoder) read() bool {
	r := e.event.Read
	if r == nil {
		return false
	}

	e.user(r.UserID)
	e.data.restore(r.MessageID, readHome(), readPlaces())

	return true
}

func (e *encoder) queue() {
	e.user(actorID(e.event.Actor))

	if e.event.Queue == nil || e.event.Queue.Position == nil {
		return
	}

	for _, at := range positionPlaces() {
		if n, ok := number(e.data.get(at)); ok && n == *e.event.Queue.Position {
			return
		}
	}

	e.data.into("data")["queuePosition"] = *e.event.Queue.Position
}

func (e *encoder) typing() bool {
	if e.event.Typing == nil {
		return false
	}

	e.user(actorID(e.event.Actor))

	switch _, said := e.data["type"]; {
	case e.event.Typing.On:
		e.data["type"] = writing
	case !said:
		e.data["type"] = notWriting
	}

	return true
}

// presence needs Inbenta's own word, which is not documented.
func (e *encoder) presence() bool {
	if e.event.Presence == nil || e.event.Presence.PlatformType == "" || !e.ours() {
		return false
	}

	e.user(actorID(e.event.Actor))
	e.data.give("type", e.event.Presence.PlatformType)

	return true
}

// note writes the ticket that a chat became; other notes only as they came.
func (e *encoder) note() bool {
	ticket := ""

	switch {
	case e.event.Note != nil:
		ticket = e.event.Note.TicketID
	case e.event.Ticket != nil && e.event.Ticket.ExternalID != "":
		ticket = e.event.Ticket.ExternalID
	case e.event.Ticket != nil:
		ticket = e.event.Ticket.ID
	}

	e.data.restore(ticket, ticketHome(), ticketPlaces())

	return ticket != "" || e.ours()
}
