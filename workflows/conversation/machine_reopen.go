package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// A desk gives an agent's slot to somebody else once a conversation is closed. So
// what the visitor's next word lifts is with nobody: the desk is asked anew, for
// the same agent if there is still room. A command that reopens takes the close
// back instead, for the agent, too, whatever the slots.

// claimsFloor is the time up to which nobody's claim counts: a transfer to a
// group, a reassignment, or a close that was lifted voids what was before it. It
// is derived from the facts, so that it does not depend on the order in which they
// came.
func (m *Machine) claimsFloor() time.Time {
	floor := latest(m.ClaimsFloor, m.LostAt)

	for i := range m.Closes {
		floor = latest(floor, m.lostAt(&m.Closes[i]))
	}

	return floor
}

// lostAt is when a close let go of the agent for good; zero if it did not. That is
// not after a newer thread began, in which somebody may have taken the conversation.
func (m *Machine) lostAt(fact *closeFact) time.Time {
	if !m.Rules.slots || !m.routed() || fact.At.Before(m.ResumedAt) || !m.reopened(fact) {
		return time.Time{}
	}

	at, own := fact.At, m.threadOf(fact.Thread)

	for i := range m.Threads {
		if next := &m.Threads[i]; own != nil && next.after(own) {
			at = minTime(at, next.FirstAt.Add(-time.Nanosecond))
		}
	}

	return at
}

// holderBefore is the agent who had the conversation when it was let go of; "" for
// none.
func (m *Machine) holderBefore() string {
	var best *member

	from, to := m.heldLast()

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.hadAt().After(from) && !who.leftBefore(to) && (best == nil || who.before(best, m.ClaimsFloor)) {
			best = who
		}
	}

	if best == nil {
		return ""
	}

	return best.ID
}

// letGo reports whether a lifted close ended that an agent had the conversation, or
// that it waited for the next one, and nobody has taken it since.
func (m *Machine) letGo() bool {
	floor := m.claimsFloor()
	if !floor.After(m.ClaimsFloor) || m.lastClaim().After(floor) {
		return false
	}

	from, to := m.heldLast()

	for i := range m.Roster {
		if who := &m.Roster[i]; who.hadAt().After(from) && (!who.leftBefore(to) || m.unansweredWhen(who.LeftAt)) {
			return true
		}
	}

	return false
}

// heldLast is the span between two losses in which agents last had the conversation.
func (m *Machine) heldLast() (from, to time.Time) {
	var newest time.Time

	for i := range m.Roster {
		newest = latest(newest, m.Roster[i].hadAt())
	}

	from, to = m.ClaimsFloor, m.claimsFloor()
	lost := func(at time.Time) {
		if at.Before(newest) {
			from = latest(from, at)
		} else {
			to = minTime(to, at)
		}
	}

	lost(m.LostAt)

	for i := range m.Closes {
		if at := m.lostAt(&m.Closes[i]); !at.IsZero() {
			lost(at)
		}
	}

	return from, to
}

// hadAt is the newest time at which an agent had the conversation or spoke in it;
// zero for everybody else.
func (w *member) hadAt() time.Time {
	if w.Role != signals.RoleAgent || w.hidden() {
		return time.Time{}
	}

	return latest(w.claimed(), w.LastAt)
}

// leftBefore reports whether an agent left before a close let go: platforms take
// agents out of what they close.
func (w *member) leftBefore(closed time.Time) bool {
	return w.LeftAt.After(w.hadAt()) && w.LeftAt.Before(closed)
}

// reopen takes the close back.
func (m *Machine) reopen(now time.Time) {
	if m.Close == nil {
		return
	}

	newest := m.Closes[len(m.Closes)-1].At

	for i := range m.Closes {
		m.LostAt = latest(m.LostAt, m.lostAt(&m.Closes[i])) // what earlier ones let go of stays so
	}

	m.ReopenedAt = latest(m.ReopenedAt, latest(now, newest.Add(time.Nanosecond)))
	m.ResumedAt = m.ReopenedAt
}

// settleLifted has what was lifted by older rules, or where the platform gave the
// conversation to agents, stay as it is when the next run does otherwise.
func (m *Machine) settleLifted() {
	if m.Rules.slots && m.routed() || m.Close != nil {
		return
	}

	for i := range m.Closes {
		m.ResumedAt = latest(m.ResumedAt, m.Closes[i].At.Add(time.Nanosecond))
	}
}
