package inbenta

import (
	"strconv"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// Senders that are no users.
const (
	system    = "system"
	assistant = "assistant"
)

// user returns who an event is about, and the object about them, if any.
func (d *decoder) user() (string, object) {
	return d.data.claim(userHome(d.data), userPlaces()), d.data.in(keyUser)
}

// role follows what Inbenta's connectors conclude from a user: only agents have
// a providerId, and a chat's creator is the customer.
func (d *decoder) role(id string, user object) signals.Role {
	switch {
	case id == system:
		return signals.RoleSystem
	case id == assistant:
		return signals.RoleBot
	case text(user["providerId"]) != "":
		return signals.RoleAgent
	case id != "" && id == d.creator:
		return signals.RoleVisitor
	default:
		return signals.RoleUnknown
	}
}

// actor names who did something; the names stay in the rest too, since they are
// not written back from here.
func (d *decoder) actor(id string, user object) *signals.Actor {
	switch role := d.role(id, user); {
	case id == "":
		return nil
	case role == signals.RoleSystem:
		return &signals.Actor{Role: role}
	default:
		return &signals.Actor{ID: id, Role: role, Name: text(user["name"]), Nickname: text(user["nickname"]), Email: email(user["contact"])}
	}
}

// participant reads a user object, taking out what it understands if take is
// true.
func (d *decoder) participant(id string, user object, take bool) signals.Participant {
	p := signals.Participant{ID: id, Role: d.role(id, user)}

	if !take {
		user = user.copy()
	}

	if user == nil {
		return p
	}

	p.Name, p.Nickname = user.take("name"), user.take("nickname")
	p.ExternalID, p.ProviderID = user.take("externalId"), user.take("providerId")

	if p.Email = email(user["contact"]); p.Email != "" {
		delete(user, "contact")
	}

	return p
}

// email returns a contact that is an address; others are telephone numbers.
func email(contact any) string {
	if said := text(contact); strings.Contains(said, "@") {
		return said
	}

	return ""
}

// member reads joins and leaves.
func (d *decoder) member(event *signals.Event) error {
	id, user := d.user()
	if id == "" {
		return signals.Missing(keyData + ".userId")
	}

	p := d.participant(id, user, true)
	event.Actor = &signals.Actor{ID: id, Role: p.Role, Name: p.Name, Nickname: p.Nickname, Email: p.Email}

	if event.Type == signals.ParticipantLeft {
		p.Reason = d.reason()
	}

	event.Participant = &p

	return nil
}

// accepted: only agents are invited.
func (d *decoder) accepted(event *signals.Event) error {
	id, user := d.user()
	if id == "" {
		return signals.Missing(keyData + ".userId")
	}

	event.Actor = d.actor(id, user)
	event.Actor.ID, event.Actor.Role = id, signals.RoleAgent
	event.Assignment = &signals.Assignment{AgentID: id, AgentName: event.Actor.Name, AgentNickname: event.Actor.Nickname}

	return nil
}

// queue: who is told a place in the queue is the visitor.
func (d *decoder) queue(event *signals.Event) {
	event.Queue = &signals.Queue{}

	for _, at := range positionPlaces() {
		if n, ok := number(d.data.get(at)); ok {
			event.Queue.Position = &n

			break
		}
	}

	if p := event.Queue.Position; p != nil && !d.data.says(strconv.FormatInt(*p, 10), positionHome(), positionPlaces()) {
		d.data.in("data").takeNumber("queuePosition")
		d.data.prune("data")
	}

	id, user := d.user()
	if event.Actor = d.actor(id, user); event.Actor != nil && event.Actor.Role == signals.RoleUnknown {
		event.Actor.Role = signals.RoleVisitor
	}
}

// Types of users:activity. The second word for a stop is that of Inbenta's chat
// adapter.
const (
	writing     = "writing"
	notWriting  = "not-writing"
	stopWriting = "stop-writing"
)

// activity tells typing from going away and coming back.
func (d *decoder) activity(event *signals.Event) {
	id, user := d.user()
	event.Actor = d.actor(id, user)

	said := text(d.data["type"])

	if state := d.presence(said); state != "" {
		d.data.take("type")
		event.Type = signals.PresenceChanged
		event.Presence = &signals.Presence{State: state, PlatformType: said}

		return
	}

	event.Typing = &signals.Typing{On: said == writing}

	if said == writing || said == notWriting {
		d.data.take("type")
	}
}

// presence is the state that an activity tells, or "". How Inbenta spells that
// a user lost the connection is not documented: the usual words are understood,
// and the rest is a stop of writing, as Inbenta's own connectors take it.
func (d *decoder) presence(said string) string {
	word := strings.ToLower(said)

	switch {
	case word == "" || word == writing || word == notWriting || word == stopWriting:
		return ""
	case d.src.Options.Inbenta.LeaveActivity != "":
		if said == d.src.Options.Inbenta.LeaveActivity {
			return signals.PresenceAway
		}

		return ""
	case word == "back", anyOf(word, "reconnect", "return", "join", "online"):
		return signals.PresenceBack
	case anyOf(word, "leav", "left", "disconnect", "away", "offline"):
		return signals.PresenceAway
	default:
		return ""
	}
}

func anyOf(word string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(word, part) {
			return true
		}
	}

	return false
}
