package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// Why a conversation is taken from its agent.
const (
	reassignSilence = "silence"
	reassignPushes  = "pushes"
	reassignOffline = signals.ReasonOffline
	reassignRemoved = signals.ReasonRemoved
)

const (
	// askPatience is how long a desk may take to say whether another agent is
	// free; askTries is how often it is asked.
	askPatience = 30 * time.Second
	askTries    = 3
	// reassignAgain is the least time after which a desk is asked again on which
	// nobody was free.
	reassignAgain = time.Minute

	platformPending = "pending"
)

// lapse is why and since when an agent's time is up, or will be.
type lapse struct {
	reason string
	// from is what the clock counts from, due when it is over.
	from, due time.Time
}

// agentLapse is the nearest reason to take the conversation from its agent.
func (m *Machine) agentLapse() (lapse, bool) {
	rule := m.Under.Policy.Reassign
	if !m.Rules.desk || m.Agent == "" || m.Reassigned >= rule.Max || m.Hold.Fired {
		return lapse{}, false
	}

	var nearest lapse

	if from, owed := m.silentSince(); owed && rule.After > 0 {
		nearest = lapse{reassignSilence, from, m.after(from, rule.After.Std()+m.SilenceShift.of(from))}
	}

	if away, ok := m.absence(); ok && (nearest.reason == "" || away.due.Before(nearest.due)) {
		nearest = away
	}

	return nearest, nearest.reason != ""
}

// reassignDue is when the reassign clock goes: the agent's time is up, or the
// desk has not answered whether another is free.
func (m *Machine) reassignDue() (time.Time, bool) {
	if m.Talk.Question != nil {
		return m.Talk.Question.At.Add(askPatience), true
	}

	next, ok := m.agentLapse()

	return latest(next.due, m.Hold.NextAt), ok
}

// silentSince is the newest sign of the agent's who owes an answer: what is
// owed, the taking over, a word or typing.
func (m *Machine) silentSince() (time.Time, bool) {
	var owed time.Time

	switch who := m.find(m.Agent); {
	case who == nil:
		return owed, false
	case m.Episode != nil:
		owed = m.Episode.ClockAt
	case m.Relay != nil:
		owed = m.Relay.Since
	default:
		return owed, false
	}

	who := m.find(m.Agent)

	took := who.claimed()
	if !took.After(m.claimsFloor()) {
		took = who.SpokeAt
	}

	return latest(latest(owed, who.clock(took)), latest(who.TypedAt, who.LastAt)), true
}

// absence is how long the agent is away, by the platform's word or the desk's.
func (m *Machine) absence() (lapse, bool) {
	var found lapse

	grace := m.Under.Policy.Reassign.OfflineGrace.Std()

	if who := m.find(m.Agent); who != nil && who.AwayAt.After(latest(latest(who.BackAt, who.SeenAt), who.claimed())) {
		from := who.clock(who.AwayAt)
		found = lapse{reassignOffline, from, m.after(from, grace)}
	}

	if gone := m.Talk.Gone; gone != nil && gone.Agent == m.Agent {
		said := lapse{reassignOffline, gone.At, m.after(gone.At, grace)}
		if gone.Removed {
			said = lapse{reassignRemoved, gone.At, gone.At}
		}

		if found.reason == "" || said.due.Before(found.due) {
			found = said
		}
	}

	return found, found.reason != ""
}

// enterGone takes the desk's word that an agent went offline or was removed.
func (m *Machine) enterGone(offer *signals.Offer, now time.Time) {
	agent := personID(offer.Agent)

	if asked := m.invitation(); asked != nil && asked.Agent == agent {
		m.refused(signals.AskDeclined, outcomeDeclined, prefer(offer.Reason, reassignOffline), now)

		return
	}

	removed := offer.Reason == signals.ReasonRemoved

	if agent != m.Agent || agent == "" || m.Talk.Gone != nil && m.Talk.Gone.Removed == removed {
		return
	}

	at := reach(offer.At, now)
	m.Talk.Gone = &gone{Agent: agent, At: minTime(at, now), Removed: removed}
}

// settleHold follows who has the conversation, and drops what no longer holds.
func (m *Machine) settleHold() {
	if !m.Rules.desk {
		return
	}

	if m.Hold.Agent != m.Agent {
		m.Hold = hold{Agent: m.Agent}
	}

	who := m.find(m.Agent)

	if gone := m.Talk.Gone; gone != nil && (who == nil || gone.Agent != m.Agent ||
		!gone.Removed && latest(latest(who.BackAt, who.SeenAt), latest(who.claimed(), who.LastAt)).After(gone.At)) {
		m.Talk.Gone = nil
	}

	if asked := m.Talk.Question; asked != nil && !m.stillAsked(asked) {
		m.Talk.Question = nil
	}

	if kept := m.Hold.Kept; kept != nil && !m.stillAsked(kept) {
		m.Hold.Kept, m.Hold.NextAt = nil, time.Time{}
	}
}

// stillAsked reports whether the reason for a question still holds.
func (m *Machine) stillAsked(asked *question) bool {
	if m.Agent == "" || m.Close != nil || m.Snooze != nil || m.Hold.Fired {
		return false
	}

	switch asked.Reason {
	case reassignSilence, reassignPushes:
		from, owed := m.silentSince()

		return owed && from.Equal(asked.From)
	default:
		away, ok := m.absence()

		return ok && away.reason == asked.Reason && away.from.Equal(asked.From)
	}
}

// lapsed fires the reassign clock.
func (m *Machine) lapsed(now time.Time) {
	asked := m.Talk.Question

	switch {
	case asked == nil:
		if next, ok := m.agentLapse(); ok {
			m.wantAnother(next.reason, next.from, now)
		}
	case asked.Tries < askTries:
		asked.Tries++
		asked.At = now
		m.sayAgain(true)
	default:
		m.Talk.Question = nil
		m.keepAgent(asked, now)

		// A desk that does not answer will not say either when somebody is free.
		if m.Rules.unstuck && (asked.Reason == reassignOffline || asked.Reason == reassignRemoved) {
			m.Hold.NextAt = m.after(now, max(m.Under.Policy.Reassign.OfflineGrace.Std(), reassignAgain))
		}
	}
}

// pushedTooOften reassigns at the push that the policy names.
func (m *Machine) pushedTooOften(pushes int, now time.Time) {
	rule := m.Under.Policy

	if rule.Unreplied.ReassignAfter != pushes || m.Agent == "" || !m.Rules.desk || m.Hold.Fired ||
		m.Reassigned >= rule.Reassign.Max || m.Talk.Question != nil {
		return
	}

	if from, owed := m.silentSince(); owed {
		m.wantAnother(reassignPushes, from, now)
	}
}

// wantAnother asks the desk whether another agent is free. Without a desk
// nobody knows, and the conversation stays where it is.
func (m *Machine) wantAnother(reason string, from, now time.Time) {
	if m.desk() == "" {
		m.Hold.Fired = true
		m.keepAgent(nil, now)

		return
	}

	m.settleAsk(now)
	m.Talk.Question = &question{Reason: reason, From: from, At: now, Tries: 1}
	m.sayAgain(true)
}

// enterFree takes the desk's answer. That somebody is free by now it also says by
// itself, to whom it had to say that nobody was.
func (m *Machine) enterFree(free bool, now time.Time) {
	asked := m.Talk.Question
	if asked == nil && free && m.Reassigned < m.Under.Policy.Reassign.Max {
		asked = m.Hold.Kept
	}

	if asked == nil {
		if free && m.Rules.unstuck && m.Hold.Told && m.Talk.Said.Kind == signals.AskAccepted {
			m.sayAgain(false) // the slot is for somebody else
		}

		return
	}

	m.Talk.Question = nil

	if free {
		m.reassign(asked, now)
	} else {
		m.keepAgent(asked, now)
	}
}

// keepAgent leaves the conversation with its agent, since nobody else is free.
// The channels are told once; the desk says when somebody is, and is asked again
// after a while, so that a conversation is not stuck with an agent who never comes
// back.
func (m *Machine) keepAgent(asked *question, now time.Time) {
	m.Hold.NextAt = m.askedAgainAt(now)

	if m.Rules.unstuck {
		m.Hold.Kept = asked
	}

	if !m.Hold.Told {
		m.Hold.Told = true
		m.tellUnavailable(statusBusy, nil, now)
	}
}

// reassign takes the conversation from its agent. On a platform that routes for
// itself that is the platform's to do: it is told, or people are.
func (m *Machine) reassign(asked *question, now time.Time) {
	m.Reassigned++

	from, since := m.Agent, asked.From
	if owed, ok := m.silentSince(); ok && m.Rules.unstuck {
		since = minTime(since, owed) // of somebody who went away, too
	}

	silent := int64(max(now.Sub(since), 0) / time.Second)
	event := signals.Event{Type: signals.AgentReassigned, Assignment: &signals.Assignment{
		FromAgentID: from, Desk: m.desk(), Reason: asked.Reason, SilentSeconds: &silent,
	}}

	if m.routed() {
		began := m.waitingSince(now)
		m.Taken = &taken{From: from, At: m.void(now), Since: began}
		m.Agent = ""
	} else {
		m.Hold.Fired = true
		event.Assignment.PlatformAction = m.tellPlatform(signals.PlatformCommand{
			Action: signals.PlatformReassign, GroupID: m.groupOf(m.desk()), From: from,
		})

		if m.Rules.heed && m.Under.Platform {
			m.Hold.Command = m.orderKey(m.Counter)
		}
	}

	m.tellOwn(event, now)
}

// platformRefused takes in that the platform did not take the conversation from
// its agent, of which people are told: nobody was free there, or it could not be
// reached. It stays where it is, and the clock may go again after a while, as
// often as the policy allows.
func (m *Machine) platformRefused(event *signals.Event, now time.Time) {
	note := event.Note
	if m.Hold.Command == "" || note == nil || note.Kind != signals.NotePlatformFailed || event.ID != m.Hold.Command+":"+note.Kind {
		return
	}

	m.Hold.Command, m.Hold.Fired = "", false
	m.Hold.NextAt = m.askedAgainAt(now)
}

// askedAgainAt is when the clock may go again of an agent who is kept.
func (m *Machine) askedAgainAt(now time.Time) time.Time {
	rule := m.Under.Policy.Reassign

	return m.after(now, max(rule.After.Std(), rule.OfflineGrace.Std(), reassignAgain))
}

// waitingSince is the beginning of the wait of a visitor whose agent is silent:
// that of the line before, unless the agent has answered since then.
func (m *Machine) waitingSince(now time.Time) time.Time {
	if m.Episode == nil {
		return now
	}

	if m.Talk.Since.IsZero() || m.lastReply().After(m.Talk.Since) {
		return m.Episode.ClockAt
	}

	return m.Talk.Since
}

func (m *Machine) find(id string) *member {
	for i := range m.Roster {
		if m.Roster[i].ID == id {
			return &m.Roster[i]
		}
	}

	return nil
}
