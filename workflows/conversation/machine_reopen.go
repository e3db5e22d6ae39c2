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
	floor := m.ClaimsFloor

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

// holderBefore is the agent whom a lifted close let go of, if nobody has taken the
// conversation since; "" for none.
func (m *Machine) holderBefore() string {
	if !m.letGo() {
		return ""
	}

	floor := m.claimsFloor()

	var best *member

	for i := range m.Roster {
		who := &m.Roster[i]
		gone := who.LeftAt.After(latest(who.claimed(), who.LastAt)) && !who.LeftAt.After(floor)

		if m.had(who) && !gone && (best == nil || who.before(best, m.ClaimsFloor)) {
			best = who
		}
	}

	if best == nil {
		return ""
	}

	return best.ID
}

// letGo reports whether a lifted close let go of an agent and nobody has taken the
// conversation since.
func (m *Machine) letGo() bool {
	floor := m.claimsFloor()
	if !floor.After(m.ClaimsFloor) || m.lastClaim().After(floor) {
		return false
	}

	for i := range m.Roster {
		if m.had(&m.Roster[i]) {
			return true
		}
	}

	return false
}

// had reports whether an agent had the conversation since the claims before were
// voided, other than by a close.
func (m *Machine) had(who *member) bool {
	return who.Role == signals.RoleAgent && !who.hidden() && latest(who.claimed(), who.LastAt).After(m.ClaimsFloor)
}

// reopen takes the close back.
func (m *Machine) reopen(now time.Time) {
	if m.Close == nil {
		return
	}

	newest := m.Closes[len(m.Closes)-1].At

	m.ClaimsFloor = m.claimsFloor() // what earlier ones voided stays void
	m.ReopenedAt = latest(m.ReopenedAt, latest(now, newest.Add(time.Nanosecond)))
	m.ResumedAt = m.ReopenedAt
}

// settleLifted has what was lifted by older rules stay as it is when the next run
// follows newer ones.
func (m *Machine) settleLifted() {
	if m.Rules.slots || m.Close != nil {
		return
	}

	for i := range m.Closes {
		m.ResumedAt = latest(m.ResumedAt, m.Closes[i].At.Add(time.Nanosecond))
	}
}
