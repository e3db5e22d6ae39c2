package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// judgeTransfer says whether the conversation can go to an agent or a desk.
func (m *Machine) judgeTransfer(command signals.Command) error {
	desk, known := m.deskOf(command)

	switch {
	case m.Close != nil:
		return refuse("the conversation is closed since %s", m.Close.At.UTC().Format(time.RFC3339))
	case command.AgentID != "":
		return nil
	case command.Desk == "" && command.GroupID == "":
		return refuse("agent_id, desk or group_id is missing")
	case !known:
		return refuse("there is no desk called %q", prefer(desk, command.GroupID))
	default:
		return nil
	}
}

// deskOf is the desk that a command names.
func (m *Machine) deskOf(command signals.Command) (string, bool) {
	desk := prefer(command.Desk, m.Under.Groups[command.GroupID])

	return desk, m.knowsDesk(desk)
}

// groupOf is the platform's group that stands for a desk, of several the first;
// "" where none does.
func (m *Machine) groupOf(desk string) string {
	first := ""

	// The least of all, in whatever order.
	//
	//workflowcheck:ignore
	for group, name := range m.Under.Groups {
		if name == desk && desk != "" && (first == "" || group < first) {
			first = group
		}
	}

	return first
}

// transfer hands the conversation to an agent or to a desk. What holds already
// changes nothing.
func (m *Machine) transfer(command signals.Command, now time.Time) {
	desk, _ := m.deskOf(command)
	agent := personID(command.AgentID)

	if agent != "" && m.Agent == agent || agent == "" && m.Agent == "" && m.desk() == desk && m.waits() {
		return
	}

	from := m.Agent
	moved := &signals.Transfer{Reason: command.Reason, RequesterID: command.By}

	if agent != "" {
		moved.AgentIDs = []string{agent}

		m.give(command.AgentID, command.AgentName, command.AgentNickname, m.against(command.AgentID, now))

		moved.PlatformAction = m.tellPlatform(signals.PlatformCommand{
			Action: signals.PlatformTransfer, AgentID: command.AgentID, From: from,
		})
	} else {
		group := prefer(command.GroupID, m.groupOf(desk))
		moved.GroupIDs, moved.Queue = []string{prefer(group, desk)}, &signals.Queue{Desk: desk}

		m.escalatedAt(now)
		m.moveTo(desk, now)

		moved.PlatformAction = m.tellPlatform(signals.PlatformCommand{
			Action: signals.PlatformTransfer, GroupID: group, From: from,
		})
	}

	m.tellOwn(signals.Event{Type: signals.ConversationTransferred, Actor: actorOf(command), Transfer: moved}, now)
}

// judgeEscalate says whether an agent can be asked for.
func (m *Machine) judgeEscalate(command signals.Command) error {
	desk, known := m.deskOf(command)

	switch {
	case m.Close == nil && m.Agent != "" && !m.asked(command, desk):
		return refuse("the conversation is with %s", m.Agent)
	case (command.Desk != "" || command.GroupID != "") && !known:
		return refuse("there is no desk called %q", prefer(desk, command.GroupID))
	default:
		return nil
	}
}

// escalate asks for an agent, as the visitor's own escalation does.
func (m *Machine) escalate(command signals.Command, now time.Time) {
	desk, named := m.deskOf(command)

	if m.escalated(command, desk) {
		return
	}

	known := latest(latest(m.newest(), m.TransferredAt), latest(m.lastClaim(), m.AnsweredAt))
	at := latest(now, known.Add(time.Nanosecond))

	if m.Close != nil {
		at = latest(at, m.Closes[len(m.Closes)-1].At.Add(time.Nanosecond))
		m.ReopenedAt = latest(m.ReopenedAt, at)
	}

	event := signals.Event{
		Type: signals.EscalationRequested, Actor: actorOf(command),
		Escalation: &signals.Escalation{
			Skill: command.Skill, GroupID: command.GroupID, AgentID: command.AgentID, Reason: command.Reason, Priority: command.Priority,
			Status: escalationRequested,
		},
	}
	m.tellOwn(event, now)

	event.At, event.ReceivedAt = at, now
	event.ID = m.WorkflowID + "/escalate/" + at.UTC().Format(time.RFC3339Nano)
	m.heard(&event)
	m.enterEscalation(&event)

	if named {
		m.Desk.set(desk, latest(at, m.Desk.At.Add(time.Nanosecond)))
	}
}

const escalationRequested = "requested"

// escalated reports whether an escalation would change nothing: an agent has the
// conversation, or it waits for what is asked.
func (m *Machine) escalated(command signals.Command, desk string) bool {
	return m.Close == nil && (m.Agent != "" || m.Snooze == nil && m.waits()) && m.asked(command, desk)
}

// asked reports whether what a command asks for is what was asked for before.
func (m *Machine) asked(command signals.Command, desk string) bool {
	agent := personID(command.AgentID)

	return (desk == "" || desk == m.queuedOn()) &&
		(command.Skill == "" || clip(command.Skill, maxTagBytes) == m.skill()) &&
		(command.Priority == "" || clip(command.Priority, maxNameBytes) == m.Urgency.Text) &&
		(agent == "" || agent == m.Agent || agent == m.Only.Agent && m.Only.At.After(m.wishOver()))
}

// tellPlatform tells the source's platform where the chat goes, if it takes
// commands; else it returns what a platform that routes for itself has not done
// yet.
func (m *Machine) tellPlatform(command signals.PlatformCommand) string {
	if m.Under.Platform {
		command.Chat, command.Thread = m.Key.Conversation, m.thread().ID
		m.order(signals.Order{Kind: signals.OrderPlatform, Target: signals.PlatformTarget(m.Key.Source), Platform: &command})

		return ""
	}

	if m.Under.Routing == routingPlatform {
		return platformPending
	}

	return ""
}
