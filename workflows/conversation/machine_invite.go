package conversation

import (
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// How an invitation ends.
const (
	outcomeAccepted  = "accepted"
	outcomeDeclined  = "declined"
	outcomeExpired   = "expired"
	outcomeWithdrawn = "withdrawn"
)

// invitation is the one that is out; nil where none is.
func (m *Machine) invitation() *invited {
	if n := len(m.Talk.Invited); n > 0 && m.Talk.Invited[n-1].Outcome == "" {
		return &m.Talk.Invited[n-1]
	}

	return nil
}

// newestInvitation is the newest one of an agent's; nil where none is known.
func (m *Machine) newestInvitation(agent string) *invited {
	for i := len(m.Talk.Invited) - 1; i >= 0; i-- {
		if m.Talk.Invited[i].Agent == agent {
			return &m.Talk.Invited[i]
		}
	}

	return nil
}

// invite offers the conversation to an agent, for whom the desk holds a slot.
func (m *Machine) invite(offer *signals.Offer, now time.Time) {
	if !m.waiting() || !needing(m.Talk.Said.Kind) || offer.Agent == "" || offer.Attempt <= m.Talk.Attempt {
		return
	}

	m.endInvitation(outcomeWithdrawn, "offered to another agent", now)
	m.Talk.Attempt = offer.Attempt

	asked := invited{
		Agent: personID(offer.Agent), Name: clip(offer.Name, maxNameBytes), Attempt: offer.Attempt, Round: offer.Round,
		At: now, Until: offer.Until,
	}

	if !asked.Until.IsZero() && !asked.Until.After(now) {
		// It was too long on its way: the agent has the whole time all the same.
		asked.Until = now.Add(max(m.Under.Policy.Accept.Timeout.Std(), time.Second))
	}

	m.Talk.Invited = append(m.Talk.Invited, asked)
	m.Talk.Invited = m.Talk.Invited[max(0, len(m.Talk.Invited)-maxInvited):]
	m.tellOwn(signals.Event{Type: signals.InvitationSent, Invitation: m.invitationOf(&asked)}, now)
}

// endInvitation ends the one that is out, if one is.
func (m *Machine) endInvitation(outcome, reason string, now time.Time) {
	asked := m.invitation()
	if asked == nil {
		return
	}

	asked.Outcome, asked.Reason, asked.EndedAt = outcome, clip(reason, maxTagBytes), now
	m.tellOwn(signals.Event{Type: signals.InvitationEnded, Invitation: m.invitationOf(asked)}, now)
}

func (m *Machine) invitationOf(asked *invited) *signals.Invitation {
	return &signals.Invitation{
		ID: strconv.Itoa(m.Session) + "." + strconv.FormatInt(asked.Attempt, 10), AgentID: asked.Agent, Round: asked.Round,
		Attempt: int(asked.Attempt), ExpiresAt: asked.Until, Outcome: asked.Outcome, Reason: asked.Reason,
	}
}

// settleInvitation ends the invitation that the facts have overtaken.
func (m *Machine) settleInvitation(closing *closeFact, now time.Time) {
	asked := m.invitation()
	if asked == nil {
		return
	}

	switch {
	case closing != nil:
		m.endInvitation(outcomeWithdrawn, "closed", now)
	case m.Agent == asked.Agent:
		m.endInvitation(outcomeAccepted, "", now)
	case m.Agent != "":
		m.endInvitation(outcomeWithdrawn, m.Agent+" has it", now)
	case m.Snooze != nil:
		m.endInvitation(outcomeWithdrawn, "snoozed", now)
	case !m.waiting():
		m.endInvitation(outcomeWithdrawn, "no agent is needed", now)
	case m.desk() != m.Talk.Desk:
		m.endInvitation(outcomeWithdrawn, "transferred to "+m.desk(), now)
	case m.Talk.Said.Need == nil || !sameWish(m.Talk.Said.Need, m.need()):
		m.endInvitation(outcomeWithdrawn, "another agent is asked for", now)
	}
}

// refused ends the invitation by its agent's word or silence, and says so.
func (m *Machine) refused(kind signals.AskKind, outcome, reason string, now time.Time) {
	agent := m.invitation().Agent
	m.endInvitation(outcome, reason, now)
	m.sayNeed(kind, agent, clip(reason, maxTagBytes), now)
}

// acceptDue is when the invitation that is out expires.
func (m *Machine) acceptDue() (time.Time, bool) {
	asked := m.invitation()
	if asked == nil || asked.Until.IsZero() {
		return time.Time{}, false
	}

	return asked.Until, true
}

// judgeAccept says whether an agent may take the conversation: on a desk of ours
// the invited one, for whom it holds a slot, and elsewhere anybody while nobody
// has it.
func (m *Machine) judgeAccept(command signals.Command) error {
	agent := personID(command.AgentID)
	asked, newest := m.invitation(), m.newestInvitation(agent)

	switch {
	case agent == "" || m.Close != nil || m.Agent != "":
		return m.judgeAssign(command)
	case asked != nil && asked.Agent == agent:
		return nil
	case asked != nil:
		return refuse("the conversation is offered to %s%s", asked.Agent, asked.expiry())
	case m.Rules.slots && m.routed():
		return refuse("%s", newest.over(agent))
	case newest != nil && newest.Outcome == outcomeWithdrawn && m.waiting() && !newest.EndedAt.Before(m.waited().clockAt):
		return refuse("the invitation to %s was withdrawn: %s", agent, newest.Reason)
	default:
		return m.judgeAssign(command)
	}
}

// over says why an agent cannot accept any more; nil is one who was not invited.
func (i *invited) over(agent string) string {
	const instead = "; assign gives the conversation to somebody without an invitation"

	switch {
	case i == nil:
		return "no invitation is out to " + agent + instead
	case i.Outcome == outcomeWithdrawn:
		return "the invitation to " + agent + " was withdrawn: " + i.Reason + instead
	default:
		return "the invitation to " + agent + " is over, " + i.Outcome + " at " + i.EndedAt.UTC().Format(time.RFC3339) + instead
	}
}

func (i *invited) expiry() string {
	if i.Until.IsZero() {
		return ""
	}

	return " until " + i.Until.UTC().Format(time.RFC3339)
}

// judgeDecline lets the invited agent decline, twice as well as once.
func (m *Machine) judgeDecline(command signals.Command) error {
	agent := personID(command.AgentID)
	asked, newest := m.invitation(), m.newestInvitation(agent)
	who := prefer(agent, "anybody")

	switch {
	case agent == "" && asked != nil:
		return refuse("agent_id is missing")
	case asked != nil && asked.Agent == agent, newest != nil && newest.Outcome == outcomeDeclined && m.Agent == "" && m.Close == nil:
		return nil
	case m.Close != nil:
		return refuse("no invitation is out to %s: the conversation is closed since %s", who, m.Close.At.UTC().Format(time.RFC3339))
	case m.Agent != "":
		return refuse("no invitation is out to %s: the conversation is with %s", who, m.Agent)
	case asked != nil:
		return refuse("no invitation is out to %s: the conversation is offered to %s", who, asked.Agent)
	default:
		return refuse("no invitation is out to %s", who)
	}
}

// decline is the invited agent's word; said again it changes nothing.
func (m *Machine) decline(command signals.Command, now time.Time) {
	if asked := m.invitation(); asked != nil && asked.Agent == personID(command.AgentID) {
		m.refused(signals.AskDeclined, outcomeDeclined, command.Reason, now)
	}
}

// viewInvitations shows the invitations so far.
func (m *Machine) viewInvitations() []signals.Invitation {
	list := make([]signals.Invitation, 0, len(m.Talk.Invited))

	for i := range m.Talk.Invited {
		list = append(list, *m.invitationOf(&m.Talk.Invited[i]))
	}

	return list
}
