package acquire

import (
	"encoding/json"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// userKeys are where a user, that is an agent, may be named; which of them
// Acquire writes is not documented.
func userKeys() []string {
	return []string{"userId", "agentId", "user_id", "agent_id", "user", "agent"}
}

// person is a user as far as a webhook names one.
type person struct{ id, name, email string }

func readUser(data object) person {
	for _, key := range [...]string{"user", "agent"} {
		if o := readObject(data[key]); o != nil {
			if id := o.peek("id", "userId", "_id"); id != "" {
				return person{id, o.peek("name"), o.peek("email")}
			}
		}
	}

	return person{id: data.peek(userKeys()...)}
}

func userOf(data object) string { return readUser(data).id }

// agentOf is userOf for "Agent Status Change", whose data may be the agent.
func agentOf(data object) string {
	if id := userOf(data); id != "" {
		return id
	}

	return data.peek("id")
}

// user reads user:case-invite and user:case-joined, whose data is not
// documented. What names no case or no user says nothing, and is kept.
func (d *decoder) user() []signals.Event {
	conversation, who := caseOf(d.data), readUser(d.data)
	if conversation == "" || who.id == "" {
		return d.unknown()
	}

	d.data.takeSole(keyCase, caseOf)
	d.data.takeSole(keyUser, userOf)

	event := signals.Event{Conversation: conversation, At: d.date(d.data.peek("dateCreated"))}

	if d.name == eventInvite {
		event.Type, event.Invitation = signals.AgentInvited, &signals.Invitation{AgentID: who.id}
	} else {
		present := true
		event.Type, event.Actor = signals.ParticipantJoined, d.agent(who.id, who.name)
		event.Participant = &signals.Participant{
			ID: who.id, Role: event.Actor.Role, Name: who.name, Email: who.email, Present: &present,
		}
	}

	keep(&event, levelData, d.data)
	keep(&event, levelEnvelope, d.top)

	return []signals.Event{event}
}

// agentStatus reads "Agent Status Change", of which the page says only what it
// captures: available, unavailable, and which of the channels chat, email and
// VOIP are on.
func (d *decoder) agentStatus() []signals.Event {
	who, id := readUser(d.data), d.data.takeSole(keyUser, agentOf)
	if id == "" {
		return d.unknown()
	}

	agent := &signals.Agent{ID: id, Name: who.name, Email: who.email}
	channels := &signals.AgentChannels{}
	capture(agent, channels, d.data)

	switches := readObject(d.data["channels"])
	if switches == nil {
		switches = d.data
	}

	for name, raw := range switches {
		if on, known := isOn(raw); known {
			turn(channels, name, on)
		}
	}

	if *channels != (signals.AgentChannels{}) {
		agent.Channels = channels
	}

	d.data.takeSole(keyStatus, wordOf)

	event := signals.Event{
		Type: signals.AgentStatusChanged, At: d.date(d.data.peek("dateCreated")), Agent: agent,
	}
	keep(&event, levelData, d.data)
	keep(&event, levelEnvelope, d.top)

	return []signals.Event{event}
}

// capture enters the words of the page wherever they stand.
func capture(agent *signals.Agent, channels *signals.AgentChannels, data object) {
	for _, key := range [...]string{keyStatus, "state", "availability", "channels"} {
		for _, word := range words(data[key]) {
			captured(agent, channels, word)
		}
	}
}

// wordOf is the agent's status in Acquire's word.
func wordOf(data object) string {
	var agent signals.Agent

	capture(&agent, &signals.AgentChannels{}, data)

	return agent.PlatformStatus
}

// captured enters one word of the page.
func captured(agent *signals.Agent, channels *signals.AgentChannels, word string) {
	if turn(channels, word, true) {
		return
	}

	agent.PlatformStatus = word

	switch strings.ToLower(word) {
	case "available":
		agent.Status = signals.AgentAccepting
	case "unavailable":
		agent.Status = signals.AgentNotAccepting
	case "offline":
		agent.Status = signals.AgentOffline
	}
}

// turn switches a channel, if name is one.
func turn(channels *signals.AgentChannels, name string, on bool) bool {
	switch strings.ToLower(name) {
	case "chat":
		channels.Chat = &on
	case "email":
		channels.Email = &on
	case "voip":
		channels.VOIP = &on
	default:
		return false
	}

	return true
}

// words are a text, or all texts of a list.
func words(raw json.RawMessage) []string {
	if word, plain := scalar(raw); plain {
		return []string{word}
	}

	var list []string

	if json.Unmarshal(raw, &list) != nil {
		return nil
	}

	return list
}

// isOn reads the ways in which Acquire and others write a switch.
func isOn(raw json.RawMessage) (on, known bool) {
	word := strings.ToLower(strings.Trim(string(raw), `"`))

	switch word {
	case "true", "1", "yes", "on", "active", "available":
		return true, true
	case "false", "0", "no", "off", "inactive", "unavailable":
		return false, true
	default:
		return false, false
	}
}
