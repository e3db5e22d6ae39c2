package acquire

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Encode writes an event as Acquire would send it: in the version and form in
// which it came, else as version 2 does. A case is written without its
// transcript, whose messages are events of their own; [EncodeAll] writes them
// together. What Acquire tells only beside something else, such as a contact,
// and what only agents may see, it has no word for.
func (Dialect) Encode(event signals.Event) ([]byte, error) { return write(&event, nil) }

// EncodeAll writes the events that one webhook brought as that webhook: the
// change of a case with the transcript. Without a change of a case it returns
// [dialect.ErrNotEncodable].
func EncodeAll(events []signals.Event) ([]byte, error) {
	var (
		whole      *signals.Event
		transcript []object
	)

	for i := range events {
		event := &events[i]

		switch event.Type { //nolint:exhaustive // the others are no part of a case's webhook
		case signals.ConversationOpened, signals.ConversationClosed, signals.ConversationStatusChanged:
			whole = event
		case signals.MessageReceived, signals.SystemNoted:
			if message := writeMessage(event); message != nil {
				transcript = append(transcript, message)
			}
		}
	}

	if whole == nil {
		return nil, fmt.Errorf("no change of a case: %w", dialect.ErrNotEncodable)
	}

	return write(whole, transcript)
}

func write(event *signals.Event, transcript []object) ([]byte, error) {
	var (
		name string
		data object
	)

	if version(event) == versionLegacy {
		name, data = writeLegacy(event)
	} else {
		name, data = writeCurrent(event)
	}

	if data == nil {
		return nil, fmt.Errorf("%s: %w", event.Type, dialect.ErrNotEncodable)
	}

	if _, there := data["messages"]; len(transcript) > 0 && !there {
		raw, err := json.Marshal(transcript)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", event.Type, err)
		}

		data["messages"] = raw
	}

	top := rest(event, levelEnvelope)

	if version(event) == versionLegacy && placeOf(event, name) == placeBeside {
		maps.Copy(top, data)
	} else {
		top.put(keyData, data)
	}

	top[keyEvent] = quote(name)

	body, err := json.Marshal(top)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", event.Type, err)
	}

	return body, nil
}

// version is Platform.Version of an event that Acquire sent; empty for others.
func version(event *signals.Event) string {
	if p := event.Platform; p != nil && p.Event != "" && (p.Version == versionCurrent || p.Version == versionLegacy) {
		return p.Version
	}

	return ""
}

// rest is what the decoder kept at a level, or an empty object.
func rest(event *signals.Event, level string) object {
	if version(event) == "" {
		return object{}
	}

	return readObject(event.Platform.ChatProperties[level]).clone()
}

// writeCurrent returns the name and the data of version 2; nil if it has no
// word for the event.
func writeCurrent(event *signals.Event) (string, object) {
	data := rest(event, levelData)

	switch event.Type {
	case signals.ConversationOpened:
		return ownName(event, defaultCaseNew), writeOpened(event, data)
	case signals.ConversationClosed:
		data.set("status", statusClosed)
	case signals.ConversationStatusChanged, signals.ConversationQueued, signals.AgentAssigned, signals.AgentAccepted:
		word := statusWord(event)
		if word == "" && data["status"] == nil {
			return "", nil
		}

		data.set("status", word)
	case signals.MessageReceived, signals.SystemNoted:
		return eventMessage, writeNew(event, data)
	case signals.AgentInvited:
		return eventInvite, writeInvited(event, data)
	case signals.ParticipantJoined:
		return eventJoined, writeJoined(event, data)
	case signals.AgentStatusChanged:
		return ownName(event, defaultAgentStatus), writeAgent(event, data)
	default:
		return "", nil
	}

	data.set("caseId", event.Conversation)

	return eventStatus, data
}

// ownName is the name under which an event came, where it is a setting.
func ownName(event *signals.Event, otherwise string) string {
	if version(event) != versionCurrent {
		return otherwise
	}

	return event.Platform.Event
}

func statusWord(event *signals.Event) string {
	switch {
	case event.Type == signals.ConversationQueued:
		return statusQueue
	case event.Type != signals.ConversationStatusChanged:
		return statusActive
	case event.Status == nil:
		return ""
	case version(event) != "":
		return event.Status.PlatformStatus
	}

	switch event.Status.To {
	case statusTo(statusPending):
		return statusPending
	case statusTo(statusQueue):
		return statusQueue
	case statusTo(statusActive):
		return statusActive
	case statusClosed:
		return statusClosed
	default:
		return ""
	}
}

func writeOpened(event *signals.Event, data object) object {
	data.setRead(keyCase, event.Conversation, openedOf)

	if version(event) == "" {
		data.set("status", statusPending)
	}

	details := event.Details
	if details == nil {
		return data
	}

	data.set("channel", details.Channel)
	data.put("fields", details.Properties["fields"])

	for i := range details.Participants {
		who := &details.Participants[i]
		if who.Role != signals.RoleVisitor {
			continue
		}

		customer := who.Customer
		if customer == nil {
			customer = &signals.Customer{ID: who.ID, Name: who.Name, Email: who.Email}
		}

		data.put("contact", writeContact(customer, rest(event, levelContact)))
	}

	return data
}

func writeContact(customer *signals.Customer, contact object) object {
	contact.set("id", strings.TrimPrefix(customer.ID, contactPrefix))

	fields := object(customer.Fields).clone()
	if contact.peek("name") == "" {
		fields.set("name", customer.Name)
	}

	if contact.peek("email") == "" {
		fields.set("email", customer.Email)
	}

	if contact.peek("phone") == "" {
		fields.set("phone", customer.Phone)
	}

	contact.put("fields", fields)

	return contact
}

// writeNew writes case:message:new in the form in which it came.
func writeNew(event *signals.Event, data object) object {
	message := writeMessage(event)
	if message == nil {
		return nil
	}

	switch rest(event, levelForm).peek("is") {
	case formFlat:
		maps.Copy(data, message)
	case formList:
		raw, err := json.Marshal([]object{message})
		if err != nil { // parts of valid JSON always marshal
			return nil
		}

		data["messages"] = raw
	default:
		data.put("message", message)
	}

	data.setRead(keyCase, event.Conversation, caseOf)

	// Who wrote stands beside the transcript, from which a message may come.
	if who := event.Actor; who != nil && who.Role == signals.RoleVisitor && who.ID != "" && who.Name+who.Email != "" {
		data.put("contact", writeContact(&signals.Customer{ID: who.ID, Name: who.Name, Email: who.Email}, object{}))
	}

	return data
}

// writeMessage returns nil for what is no message of Acquire's, or none that a
// visitor may see.
func writeMessage(event *signals.Event) object {
	o := rest(event, levelMessage)

	switch {
	case event.Type == signals.MessageReceived && event.Message != nil:
		if event.Message.Visibility == signals.VisibleToAgents {
			return nil
		}

		o.setRead(keyID, event.Message.ID, messageID)
		o.set("channel", event.Message.Channel)
		o.set("seen", event.Message.Seen)
		o.setRead(keyText, event.Message.Text, textOf)
		o.set("type", messageType(event.Message.Kind))
	case event.Type == signals.SystemNoted && event.Note != nil:
		if event.Note.Visibility == signals.VisibleToAgents {
			return nil
		}

		if natural(event.ID) {
			o.setRead(keyID, event.ID, messageID)
		}

		o.setRead(keyText, event.Note.Text, textOf)
		o.set("type", typeEvent)
	default:
		return nil
	}

	if version(event) == "" {
		if o["message"] == nil {
			return nil
		}

		o.set("channel", "chat")
	}

	setSender(o, event.Actor)

	if dateOf(o) == "" && !event.At.IsZero() {
		o.set(keyDate, writeDate(event.At))
	}

	return o
}

func messageType(kind signals.MessageKind) string {
	if kind == signals.KindSystem {
		return typeEvent
	}

	return typeMessage
}

func setSender(o object, actor *signals.Actor) {
	if actor == nil {
		return
	}

	switch actor.Role {
	case signals.RoleVisitor:
		o.set("senderId", strings.TrimPrefix(actor.ID, contactPrefix))
		o.set("senderType", senderContact)
	case signals.RoleAgent, signals.RoleBot:
		o.set("senderId", actor.ID)
		o.set("senderType", senderUser)
	default:
		o.set("senderId", actor.ID)
	}
}

func writeInvited(event *signals.Event, data object) object {
	if event.Invitation == nil || event.Invitation.AgentID == "" {
		return nil
	}

	return withUser(event, data, event.Invitation.AgentID)
}

func writeJoined(event *signals.Event, data object) object {
	who := event.Participant
	if who == nil || who.Role != signals.RoleAgent && who.Role != signals.RoleBot || who.Visibility == signals.VisibleToAgents {
		return nil
	}

	return withUser(event, data, who.ID)
}

func withUser(event *signals.Event, data object, id string) object {
	data.setRead(keyUser, id, userOf)
	data.setRead(keyCase, event.Conversation, caseOf)

	return data
}

func writeAgent(event *signals.Event, data object) object {
	agent := event.Agent
	if agent == nil || agent.ID == "" {
		return nil
	}

	data.setRead(keyUser, agent.ID, agentOf)

	if version(event) != "" {
		data.setRead(keyStatus, agent.PlatformStatus, wordOf)

		return data
	}

	if agent.Status == signals.AgentAccepting {
		data.set("status", "available")
	} else {
		data.set("status", "unavailable")
	}

	if channels := agent.Channels; channels != nil {
		setSwitch(data, "chat", channels.Chat)
		setSwitch(data, "email", channels.Email)
		setSwitch(data, "voip", channels.VOIP)
	}

	return data
}

func setSwitch(data object, name string, on *bool) {
	if on == nil {
		return
	}

	data[name] = json.RawMessage("false")
	if *on {
		data[name] = json.RawMessage("true")
	}
}
