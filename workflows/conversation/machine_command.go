package conversation

import (
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Refused is why a command cannot be done; nothing has changed.
type Refused struct { //nolint:errname // a refusal is an answer, and so named in the contract
	Reason string
}

// Error is what the caller reads.
func (r *Refused) Error() string { return r.Reason }

func refuse(format string, args ...any) error {
	return &Refused{Reason: fmt.Sprintf(format, args...)}
}

// Judge says whether a command can be done now; it changes nothing.
func (m *Machine) Judge(name string, command signals.Command, now time.Time) error {
	if m.Decided {
		return refuse("session %d is closed and has its ticket", m.Session)
	}

	switch name {
	case signals.AcceptUpdate:
		return m.judgeAccept(command)
	case signals.AssignUpdate:
		return m.judgeAssign(command)
	case signals.DeclineUpdate:
		return m.judgeDecline(command)
	case signals.TransferUpdate:
		return m.judgeTransfer(command)
	case signals.EscalateUpdate:
		return m.judgeEscalate(command)
	case signals.SnoozeUpdate:
		return m.judgeSnooze(command, now)
	case signals.NoteUpdate:
		if command.Text == "" {
			return refuse("a note needs a text")
		}
	}

	return nil
}

func (m *Machine) judgeAssign(command signals.Command) error {
	switch {
	case command.AgentID == "":
		return refuse("agent_id is missing")
	case m.Close == nil && m.Agent == personID(command.AgentID):
		return nil
	case m.Close != nil:
		return refuse("the conversation is closed since %s", m.Close.At.UTC().Format(time.RFC3339))
	case m.Agent != "":
		return refuse("the conversation is with %s", m.Agent)
	case m.Status != signals.StatusOpen && m.Status != signals.StatusQueued && m.Status != signals.StatusOffered:
		return refuse("the conversation is %s", m.Status)
	default:
		return nil
	}
}

func (m *Machine) judgeSnooze(command signals.Command, now time.Time) error {
	switch {
	case m.Close != nil:
		return refuse("the conversation is closed since %s", m.Close.At.UTC().Format(time.RFC3339))
	case !command.Until.IsZero() && !command.Until.After(now):
		return refuse("until is not in the future")
	default:
		return nil
	}
}

// Command does what a command says. Repeating one that already holds succeeds
// and changes nothing.
func (m *Machine) Command(name string, command signals.Command, now time.Time) error {
	if err := m.Judge(name, command, now); err != nil {
		return err
	}

	m.receivedAt = now

	switch name {
	case signals.AcceptUpdate:
		m.assign(signals.AgentAccepted, command, now)
	case signals.AssignUpdate:
		m.assign(signals.AgentAssigned, command, now)
	case signals.DeclineUpdate:
		m.decline(command, now)
	case signals.TransferUpdate:
		m.transfer(command, now)
	case signals.EscalateUpdate:
		m.escalate(command, now)
	case signals.CloseUpdate:
		if m.Close == nil {
			m.closeBySelf(personID(command.By), clip(prefer(command.Reason, "command"), maxTagBytes), now)
		}
	case signals.ReopenUpdate:
		m.reopen(now)
	case signals.SnoozeUpdate:
		m.snoozeUntil(command, now)
	case signals.NoteUpdate:
		m.tellOwn(signals.Event{
			Type: signals.SystemNoted, Actor: actorOf(command),
			Note: &signals.Note{Text: signals.Cut(command.Text, signals.MaxTextBytes), Visibility: signals.VisibleToAgents},
		}, now)
	}

	m.Settle(now)

	return nil
}

func (m *Machine) assign(t signals.Type, command signals.Command, now time.Time) {
	if m.Agent == personID(command.AgentID) {
		return
	}

	if asked := m.invitation(); asked != nil && asked.Agent == personID(command.AgentID) {
		command.AgentName = prefer(command.AgentName, asked.Name)
	}

	from, seize := m.Agent, m.give
	if t == signals.AgentAccepted {
		seize = m.claim
	}

	seize(command.AgentID, command.AgentName, command.AgentNickname, m.against(command.AgentID, now))

	if m.Under.Platform {
		m.tellPlatform(signals.PlatformCommand{Action: signals.PlatformTransfer, AgentID: command.AgentID, From: from})
	}

	m.tellOwn(signals.Event{
		Type: t, Actor: actorOf(command),
		Assignment: &signals.Assignment{
			AgentID: command.AgentID, AgentName: command.AgentName, AgentNickname: command.AgentNickname,
			Reason: command.Reason, By: command.By,
		},
	}, now)
}

// against is from when on an agent is the assignee, against all that is known by
// now.
func (m *Machine) against(agent string, now time.Time) time.Time {
	m.escalatedAt(now)

	newest := latest(m.QueuedAt, m.claimsFloor())
	if m.Agent != "" {
		newest = latest(newest, m.lastClaim())
	}

	at := latest(now, newest.Add(time.Nanosecond))
	if who := m.member(agent); !who.LeftAt.Before(at) {
		at = who.LeftAt.Add(time.Nanosecond)
	}

	return at
}

func (m *Machine) snoozeUntil(command signals.Command, now time.Time) {
	if m.Snooze != nil {
		if m.Snooze.Until.Equal(command.Until) {
			return
		}

		m.Snooze.Until, m.Snooze.By = command.Until, clip(command.By, maxNameBytes)
	} else {
		m.Snooze = &snoozed{At: now, Known: m.newest(), Until: command.Until, By: clip(command.By, maxNameBytes)}
	}

	m.tellOwn(signals.Event{
		Type: signals.ConversationSnoozed, Actor: actorOf(command),
		Snooze: &signals.Snooze{Until: command.Until, By: command.By},
	}, now)
}

func actorOf(command signals.Command) *signals.Actor {
	return &signals.Actor{ID: command.By, Name: command.By, Role: signals.RoleSystem}
}
