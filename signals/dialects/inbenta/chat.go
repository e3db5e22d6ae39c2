package inbenta

import (
	"github.com/parleyhq/parley/signals"
)

// statusClosed is the one published word for a chat's status.
const statusClosed = "closed"

// chatOf returns the chat object of data: its own, or data itself where that
// names the chat flat.
func chatOf(data object) object {
	if chat := data.in(keyChat); chat != nil {
		return chat
	}

	for _, key := range [...]string{"chatId", keyChat, "chat_id", "id"} {
		if text(data[key]) != "" {
			return data
		}
	}

	return nil
}

// creator is the id of who began a chat, which may be an object.
func creator(chat object) any {
	if user := chat.in("creator"); user != nil {
		return user["id"]
	}

	return chat["creator"]
}

// opened reads a chat object; its source is the channel, its room the group.
func (d *decoder) opened(event *signals.Event) {
	details := &signals.Details{}
	event.Details = details

	chat := chatOf(d.data)
	if chat == nil {
		chat = object{}
	}

	details.Channel = chat.take("source")
	details.Lang = chat.take("lang")

	if room := chat.take("room"); room != "" {
		details.GroupIDs = []string{room}
	}

	if status := text(chat["status"]); status != "" {
		active := status != statusClosed
		details.Active = &active
	}

	if user := chat.in("creator"); user != nil {
		details.Participants = append(details.Participants, d.participant(text(user["id"]), user, false))
	} else if id := chat.take("creator"); id != "" {
		details.Participants = append(details.Participants, signals.Participant{ID: id, Role: d.role(id, nil)})
	}

	d.users(chat, details)

	for _, p := range details.Participants {
		if p.Role == signals.RoleVisitor {
			event.Actor = &signals.Actor{ID: p.ID, Role: p.Role, Name: p.Name, Nickname: p.Nickname}
		}
	}

	d.data.prune(keyChat)
}

// users reads who else is in a chat; the list itself stays in the rest.
func (d *decoder) users(chat object, details *signals.Details) {
	list, _ := chat["users"].([]any)

	for _, element := range list {
		user, _ := element.(map[string]any)

		id := text(element)
		if user != nil {
			id = text(user["id"])
		}

		if id != "" && id != d.creator {
			details.Participants = append(details.Participants, d.participant(id, user, false))
		}
	}
}

func (d *decoder) closed(event *signals.Event) {
	id, user := d.user()
	event.Closing = &signals.Closing{ByID: id, ByRole: d.role(id, user), Reason: d.reason()}
	event.Actor = d.actor(id, user)
}

// reason is why a chat was closed or left; of a reason that is no string
// nothing is known.
func (d *decoder) reason() string {
	said := d.data.claim(reasonHome(), reasonPlaces())
	if said != "" {
		d.data.prune("extraData")
	}

	return said
}

// assignment reads the agents that may be chosen. An invitation, as the event
// was called before, names the one agent invited.
func (d *decoder) assignment(event *signals.Event) {
	event.Invitation = &signals.Invitation{}

	if d.trigger == invitationsNew {
		event.Invitation.AgentID, _ = d.user()
	}

	list, _ := d.data["agents"].([]any)
	whole, bare := true, true

	for _, element := range list {
		whole = whole && agentID(element) != ""
	}

	for _, element := range list {
		candidate, left := readCandidate(element, whole)
		bare = bare && left == 0

		if candidate.AgentID != "" {
			event.Invitation.Candidates = append(event.Invitation.Candidates, candidate)
		}
	}

	if whole && bare && list != nil {
		delete(d.data, "agents")
	}
}

// agentPlaces are where an agent of chats:assign may have its id.
func agentPlaces() []place {
	return []place{{"id"}, {"agentId"}, {"userId"}, {keyUser, "id"}, {keyUser}, {"agent", "id"}, {"agent"}}
}

func agentHome() place { return place{"id"} }

func agentID(element any) string {
	if agent, ok := element.(map[string]any); ok {
		return object(agent).find(agentHome(), agentPlaces())
	}

	return text(element)
}

// readCandidate reads one agent, taking out what it understands if take is
// true, and returns how much is left.
func readCandidate(element any, take bool) (signals.Candidate, int) {
	members, ok := element.(map[string]any)
	if !ok {
		return signals.Candidate{AgentID: text(element)}, 1
	}

	agent := object(members)
	if !take {
		agent = agent.copy()
	}

	candidate := signals.Candidate{
		AgentID: agent.claim(agentHome(), agentPlaces()), Capacity: agent.takeNumber("capacity"), Load: agent.takeNumber("load"),
		Skills: agent.takeTexts("skills"),
	}

	return candidate, len(agent)
}
