package acquire

import (
	"strconv"

	"github.com/parleyhq/parley/signals"
)

// writeLegacy returns the name and the fields of version 1, for an event that
// came in it; nil if the event is no longer what its name says.
func writeLegacy(event *signals.Event) (string, object) {
	name := event.Platform.Event
	fields := rest(event, levelData)
	fine := false

	switch name {
	case legacyStart:
		fine = writeStarted(event, fields)
	case legacyAccept:
		fine = writeAccepted(event, fields)
	case legacyMessage:
		fine = writeWritten(event, fields)
	case legacyClose:
		fine = writeClosed(event, fields)
	}

	if !fine {
		return "", nil
	}

	fields.setRead(keyID, event.Conversation, legacyID)

	return name, fields
}

// placeOf is where the fields stood, or would stand.
func placeOf(event *signals.Event, name string) string {
	if place := rest(event, levelPlace).peek("is"); place != "" {
		return place
	}

	return usualPlace(name)
}

func writeStarted(event *signals.Event, fields object) bool {
	if event.Type != signals.ConversationOpened || event.Details == nil {
		return false
	}

	if len(event.Details.GroupIDs) > 0 {
		fields.set("department_id", event.Details.GroupIDs[0])
	}

	for i := range event.Details.Participants {
		customer := event.Details.Participants[i].Customer
		if customer == nil {
			continue
		}

		details := object(customer.Fields).clone()
		details.set("name", customer.Name)
		details.set("email", customer.Email)
		details.set("phone", customer.Phone)
		fields.put("details", details)
	}

	return true
}

func writeAccepted(event *signals.Event, fields object) bool {
	if event.Type != signals.AgentAccepted || event.Assignment == nil {
		return false
	}

	user := rest(event, levelUser)
	if user.said("id_real") == "" || user["id"] == nil {
		user.set("id", prefixed(agentPrefix, event.Assignment.AgentID))
	}

	user.set("name", event.Assignment.AgentName)
	fields.put("user", user)

	return true
}

func writeWritten(event *signals.Event, fields object) bool {
	inner := rest(event, levelMessage)

	switch {
	case event.Type == signals.MessageReceived && event.Message != nil:
		inner.set("type", typeMessage)
		inner.set("id", event.Message.ID)
		inner.setRead("msg", event.Message.Text, legacyText)
	case event.Type == signals.SystemNoted && event.Note != nil:
		inner.set("type", typeEvent)
		inner.setRead("msg", event.Note.Text, legacyText)

		if natural(event.ID) {
			inner.set("id", event.ID)
		}
	default:
		return false
	}

	inner.put("user", writeSender(event))

	switch rest(event, levelForm).peek("is") {
	case formObject:
		fields["message"] = inner.raw()
	case formText:
		fields["message"] = orEmpty(inner["msg"], `""`)
	default:
		fields["message"] = quote(string(inner.raw()))
	}

	return true
}

func writeSender(event *signals.Event) object {
	user := rest(event, levelUser)
	if event.Actor == nil {
		return user
	}

	switch event.Actor.Role {
	case signals.RoleAgent, signals.RoleBot:
		user.set("type", senderAgent)
	case signals.RoleVisitor:
		user.set("type", senderVisitor)
	default:
	}

	user.set("name", event.Actor.Name)

	return user
}

func writeClosed(event *signals.Event, fields object) bool {
	closing := event.Closing
	if event.Type != signals.ConversationClosed || closing == nil {
		return false
	}

	switch closing.ByRole {
	case signals.RoleAgent, signals.RoleBot:
		fields.set("by", prefixed(agentPrefix, closing.ByID))
	default:
		fields.set("by", closing.ByID)
	}

	setCount(fields, "chat_wait_time", closing.WaitSeconds)
	setCount(fields, "chat_duration", closing.DurationSeconds)

	return true
}

func setCount(fields object, name string, n *int64) {
	if n != nil {
		fields.set(name, strconv.FormatInt(*n, 10))
	}
}
