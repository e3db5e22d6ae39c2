package conversation

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// enqueue keeps that something put the conversation into a queue. A full list
// drops what an agent has ended, then a late one: the first decides since when
// the conversation waits, the newest in which line.
func (m *Machine) enqueue(at, clockAt time.Time) {
	m.QueuedAt = latest(m.QueuedAt, at)

	pos, found := slices.BinarySearchFunc(m.Marks, at, func(mark queueMark, at time.Time) int { return mark.At.Compare(at) })
	if found {
		m.Marks[pos].ClockAt = minTime(m.Marks[pos].ClockAt, clockAt)

		return
	}

	m.Marks = slices.Insert(m.Marks, pos, queueMark{At: at, ClockAt: clockAt})
	if len(m.Marks) > maxMarks {
		over := m.lastClaim()
		m.Marks = slices.DeleteFunc(m.Marks, func(mark queueMark) bool { return !mark.At.After(over) })
	}

	if len(m.Marks) > maxMarks {
		m.Marks = slices.Delete(m.Marks, maxMarks-1, maxMarks)
	}
}

// markAfter returns the first one that is newer than a time.
func (m *Machine) markAfter(at time.Time) (queueMark, bool) {
	for _, mark := range m.Marks {
		if mark.At.After(at) {
			return mark, true
		}
	}

	return queueMark{}, false
}

// wait is since when a conversation waits.
type wait struct {
	// since decides about the place in the line.
	since time.Time
	// clockAt is what the queue clock counts from: the entry into this line.
	clockAt time.Time
	// head: it was taken from an agent, or an agent left it: not.
	head bool
	not  string
	// again is the agent from before a close, who is asked first.
	again string
}

// waited derives the wait from the facts, so that it does not depend on the
// order in which they came.
func (m *Machine) waited() wait {
	rest := m.rested()

	var began wait

	switch {
	case m.letGo():
		// Whoever is asked for after that is asked for in the same wait.
		floor := m.claimsFloor()
		began = wait{since: floor, clockAt: floor, head: true, again: m.holderBefore()}
	case m.QueuedAt.After(rest):
		mark, ok := m.markAfter(rest)
		if !ok {
			mark = queueMark{At: m.QueuedAt, ClockAt: m.QueuedAt} // a run before the desk
		}

		began = wait{since: mark.At, clockAt: mark.ClockAt}

		if t := m.Taken; t != nil && t.At.After(rest) && !m.ClaimsFloor.After(t.At) {
			began.since, began.head, began.not = t.Since, true, t.From
		}

		if mark, ok := m.markAfter(m.ClaimsFloor.Add(-1)); ok && m.ClaimsFloor.After(rest) && mark.At.Equal(m.ClaimsFloor) {
			began.clockAt = mark.ClockAt // another line
		}
	default:
		if who := m.lastHolder(); who != nil {
			began = wait{since: who.LeftAt, clockAt: who.clock(who.LeftAt), head: true, not: who.ID}
		}
	}

	return m.reopenedWait(began)
}

// rested is the newest time at which the conversation did not wait: an agent had
// it, or spoke in it before that became void.
func (m *Machine) rested() time.Time {
	rest, floor := latest(m.lastClaim(), m.AnsweredAt), m.claimsFloor()

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.Role == signals.RoleAgent && !who.hidden() && who.LastAt.Before(floor) {
			rest = latest(rest, who.LastAt)
		}
	}

	return rest
}

// reopenedWait begins anew what was closed since it began.
func (m *Machine) reopenedWait(began wait) wait {
	var closed time.Time
	for i := range m.Closes {
		closed = latest(closed, m.Closes[i].At)
	}

	if closed.Before(began.since) && closed.Before(began.clockAt) || closed.IsZero() {
		return began
	}

	lifted := queueMark{At: m.ReopenedAt, ClockAt: m.ReopenedAt}

	for i := range m.Kept {
		k := &m.Kept[i]
		if k.Role != signals.RoleVisitor || k.Private || !k.At.After(closed) || k.Thread != "" && m.threadClosedBy(k.Thread, k.At) {
			continue
		}

		if !lifted.At.After(closed) || k.At.Before(lifted.At) {
			lifted = queueMark{At: k.At, ClockAt: k.ClockAt}
		}
	}

	if !lifted.At.After(closed) {
		lifted = queueMark{At: closed, ClockAt: closed}
	}

	began.clockAt = latest(began.clockAt, lifted.ClockAt)
	began.since = latest(began.since, lifted.At)

	return began
}

// lastHolder is the agent who had the conversation and left it last.
func (m *Machine) lastHolder() *member {
	var last *member

	floor := m.claimsFloor()

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.Role != signals.RoleAgent || who.hidden() || !latest(who.claimed(), who.SpokeAt).After(floor) || who.LeftAt.IsZero() {
			continue
		}

		if last == nil || who.LeftAt.After(last.LeftAt) || who.LeftAt.Equal(last.LeftAt) && who.ID < last.ID {
			last = who
		}
	}

	return last
}

// clock is when a clock counts from that starts at one of w's times (contract,
// section 3).
func (w *member) clock(at time.Time) time.Time { return reach(at, w.ReceivedAt) }

func reach(at, receivedAt time.Time) time.Time {
	if at.Before(receivedAt.Add(-clockReach)) {
		return receivedAt
	}

	return at
}

// need is what the desk is asked for.
func (m *Machine) need() *signals.Need {
	began, rule := m.waited(), m.Under.Policy.Accept
	need := &signals.Need{
		Since: began.since, Priority: m.priority(), Head: began.head, Not: began.not, Visitor: m.Visitor.ID.Text,
		Timeout: rule.Timeout.Std(), Rounds: rule.Rounds, Pause: rule.Pause.Std(),
	}

	if skill := m.skill(); skill != "" {
		need.Skills = []string{skill}
	}

	need.Again = began.again

	over := m.wishOver()

	if m.Only.At.After(over) {
		need.Only = m.Only.Agent
	}

	if m.Named.At.After(over) {
		need.Candidates = m.Named.List
	}

	return need
}

// wishOver is up to when whom somebody asked for by name counts no more: another
// group has others, and whoever had it and is silent now, or gone, is not the only
// one who will do.
func (m *Machine) wishOver() time.Time {
	if !m.Rules.unstuck {
		return m.TransferredAt
	}

	over := m.TransferredAt
	if m.Taken != nil {
		over = latest(over, m.Taken.At)
	}

	for i := range m.Roster {
		over = latest(over, m.Roster[i].hadAt())
	}

	return over
}

// skill is what the newest escalation asks for; a transfer voids it, since the
// other group's agents are told apart by other skills.
func (m *Machine) skill() string {
	if !m.Skill.At.After(m.TransferredAt) {
		return ""
	}

	return m.Skill.Text
}

// maxPriority bounds a priority that is a number.
const maxPriority = 100

// priority is the newest escalation's as a number; a word that nobody knows is
// normal.
func (m *Machine) priority() int {
	switch text := strings.ToLower(m.Urgency.Text); text {
	case "low":
		return -1
	case "high":
		return 1
	case "urgent":
		return 2
	default:
		value, err := strconv.Atoi(text)
		if err != nil {
			return 0
		}

		return max(-maxPriority, min(value, maxPriority))
	}
}

// sameWish reports whether two needs let the same agents be asked.
func sameWish(a, b *signals.Need) bool {
	return a.Only == b.Only && slices.Equal(a.Skills, b.Skills) && slices.EqualFunc(a.Candidates, b.Candidates,
		func(one, other signals.Candidate) bool { return one.AgentID == other.AgentID })
}

// sameNeed reports whether two needs are one. The visitor's id, which is only a
// hint, and the policy's rules make no difference.
func sameNeed(a, b *signals.Need) bool {
	return sameWish(a, b) && a.Since.Equal(b.Since) && a.Priority == b.Priority && a.Head == b.Head && a.Not == b.Not && a.Again == b.Again
}

// enterWish keeps whom an escalation asks for.
func (m *Machine) enterWish(event *signals.Event) {
	asked := event.Escalation
	if asked == nil {
		m.Only.set("", event.At)

		return
	}

	m.Skill.set(clip(asked.Skill, maxTagBytes), event.At)
	m.Urgency.set(clip(asked.Priority, maxNameBytes), event.At)

	if m.Rules.desk {
		m.Desk.set(m.Under.Groups[asked.GroupID], event.At)
	}

	if asked.AgentID == "" || m.byName(asked) {
		m.Only.set(personID(asked.AgentID), event.At)

		return
	}

	m.Only.set("", event.At)
	m.claim(asked.AgentID, "", "", event.At)
}

// byName reports whether the agent of an escalation is one to be asked; else it
// has the conversation already.
func (m *Machine) byName(asked *signals.Escalation) bool {
	return m.routed() && asked.Status != escalationAccepted
}

const escalationAccepted = "accepted"

// enterNamed keeps among whom the platform lets Parley choose.
func (m *Machine) enterNamed(event *signals.Event) {
	if event.Invitation == nil || len(event.Invitation.Candidates) == 0 || event.At.Before(m.Named.At) {
		return
	}

	var (
		list []signals.Candidate
		size int
	)

	// The desk knows what its agents have and can.
	for i := range event.Invitation.Candidates {
		id := personID(event.Invitation.Candidates[i].AgentID)
		if size += jsonSize(id); size > maxCandidateBytes || len(list) == maxCandidates {
			break
		}

		list = append(list, signals.Candidate{AgentID: id})
	}

	m.Named = named{At: event.At, List: list}
}
