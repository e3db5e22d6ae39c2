package livechat

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// member is the payload of joins and leaves. The reason and the requester came
// with 3.2; samples of 3.2 and later leave user_type out.
type member struct {
	User        *user  `json:"user"`
	UserID      string `json:"user_id"`
	UserType    string `json:"user_type"`
	Reason      string `json:"reason"`
	RequesterID string `json:"requester_id"`
}

func (d *decoder) joined() (signals.Event, error) {
	var payload member

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if payload.User == nil {
		return signals.Event{}, d.need("user", "")
	}

	p, err := d.participant(d.at("user"), payload.User, payload.UserType)
	if err != nil {
		return signals.Event{}, err
	}

	p.Reason, p.RequesterID = payload.Reason, payload.RequesterID
	event.Type = signals.ParticipantJoined
	event.Actor = &signals.Actor{ID: p.ID, Role: p.Role, Name: p.Name, Email: p.Email, Visibility: p.Visibility}
	event.Participant = &p

	return event, nil
}

func (d *decoder) left() (signals.Event, error) {
	var payload member

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if err := d.need("user_id", payload.UserID); err != nil {
		return signals.Event{}, err
	}

	event.Type = signals.ParticipantLeft
	event.Participant = &signals.Participant{
		ID: payload.UserID, Role: d.role(payload.UserID, payload.UserType),
		Reason: payload.Reason, RequesterID: payload.RequesterID,
	}
	event.Actor = &signals.Actor{ID: payload.UserID, Role: event.Participant.Role}

	return event, nil
}

// seen is a read mark: a time since 3.1, unix seconds in 3.0.
func (d *decoder) seen() (signals.Event, error) {
	var payload struct {
		SeenUpTo  string `json:"seen_up_to"`
		Timestamp int64  `json:"timestamp"`
	}

	event, who, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	upTo, err := parseTime(d.at("seen_up_to"), payload.SeenUpTo, d.src.Zone)
	if err != nil {
		return signals.Event{}, err
	}

	if upTo.IsZero() && payload.Timestamp != 0 {
		upTo = time.Unix(payload.Timestamp, 0).UTC()
	}

	event.Type = signals.MessageRead
	event.Actor = whoever(who.UserID)
	event.Read = &signals.Read{UserID: who.UserID, UpTo: upTo}

	return event, nil
}

// agentStatus belongs to the account: routing has no conversation.
func (d *decoder) agentStatus() (signals.Event, error) {
	var payload struct {
		AgentID string `json:"agent_id"`
		Status  string `json:"status"`
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if err := d.need("agent_id", payload.AgentID); err != nil {
		return signals.Event{}, err
	}

	return signals.Event{Type: signals.AgentStatusChanged, Agent: &signals.Agent{
		ID: payload.AgentID, Status: agentStatus(payload.Status), PlatformStatus: payload.Status,
	}}, nil
}

// agentStatus reads both spellings: webhooks write blanks, user objects
// underscores. A word that is not known has no meaning here.
func agentStatus(said string) string {
	switch said {
	case "accepting chats", "accepting_chats":
		return signals.AgentAccepting
	case "not accepting chats", "not_accepting_chats":
		return signals.AgentNotAccepting
	case "offline":
		return signals.AgentOffline
	default:
		return ""
	}
}
