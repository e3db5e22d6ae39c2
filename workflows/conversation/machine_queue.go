package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// Why a conversation that nobody took was closed.
const (
	reasonMaxWait   = "max_wait"
	reasonNobody    = "no_agent"
	reasonAbandoned = "abandoned"
)

// deskClocks are those of a conversation that waits on its desk.
func (m *Machine) deskClocks(running []clock) []clock {
	if due, ok := m.acceptDue(); ok {
		running = append(running, clock{clockAccept, due})
	}

	if due, ok := m.queueDue(); ok {
		running = append(running, clock{clockQueue, due})
	}

	if due, ok := m.abandonDue(); ok {
		running = append(running, clock{clockAbandon, due})
	}

	return running
}

// queueDue is when the longest wait is over; it ends but once in one line.
func (m *Machine) queueDue() (time.Time, bool) {
	length := m.Under.Policy.Queue.MaxWait.Std()
	if length <= 0 || !m.waiting() {
		return time.Time{}, false
	}

	from := m.waited().clockAt
	if from.IsZero() || from.Equal(m.QueueEnded) {
		return time.Time{}, false
	}

	return m.after(from, length+m.QueueShift.of(from)), true
}

// waitForHours lets the longest wait stand still until a closed desk opens.
func (m *Machine) waitForHours(opens, now time.Time) {
	if !m.Rules.unstuck || m.Under.Policy.OutOfHours != policy.OutOfHoursPause {
		return
	}

	from, line := now, m.waited().clockAt
	if m.QueueShift.From.Equal(line) {
		from = latest(now, m.Talk.OpensAt)
	}

	if opens.After(from) {
		m.Talk.OpensAt = opens
		m.QueueShift.add(line, m.Under.Hours.Between(from, opens))
	}
}

// abandonDue is until when a visitor who left keeps the place in the line.
func (m *Machine) abandonDue() (time.Time, bool) {
	length := m.Under.Policy.Queue.Abandon.Std()
	if length <= 0 || !m.waiting() {
		return time.Time{}, false
	}

	at, gone := m.visitorGone()

	return m.after(at, length), gone
}

// visitorGone reports whether the visitor left or went away, and since when.
func (m *Machine) visitorGone() (time.Time, bool) {
	away, back := m.AwaySince, latest(m.BackSince, m.VisitorAt)
	since := reach(away, m.AwayReceivedAt)

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.Role != signals.RoleVisitor {
			continue
		}

		if left := latest(who.AwayAt, who.LeftAt); left.After(away) {
			away, since = left, who.clock(left)
		}

		back = latest(back, latest(latest(who.BackAt, who.SeenAt), who.JoinedAt))
	}

	return since, away.After(back)
}

// waitedTooLong does what the policy says of the longest wait.
func (m *Machine) waitedTooLong(now time.Time) {
	m.QueueEnded = m.waited().clockAt

	end := m.Under.Policy.Queue.End
	status := statusBusy

	if end == policy.EndOffline {
		status = reasonOffline
	}

	m.tellUnavailable(status, nil, now)
	m.end(end, reasonMaxWait, now)
}

// end is the policy's end of a wait in which nobody took the conversation.
func (m *Machine) end(end policy.End, reason string, now time.Time) {
	switch desk, other := end.Desk(); {
	case other && desk != m.desk() && m.knowsDesk(desk):
		m.moveTo(desk, now)
	case end == policy.EndOffline:
		m.closeBySelf("", reasonOffline, now)
	case end == policy.EndClose:
		m.closeBySelf("", reason, now)
	}
}

// moveTo queues the conversation on a desk, whoever had it: a transfer.
func (m *Machine) moveTo(desk string, now time.Time) {
	at := m.void(now)
	m.TransferredAt = at
	m.Desk.set(desk, latest(at, m.Desk.At.Add(time.Nanosecond)))
}

// void ends every agent's claim, and queues the conversation, at a time that
// counts against all that is known by now: a platform's clock may go before
// ours.
func (m *Machine) void(now time.Time) time.Time {
	newest := latest(latest(m.lastClaim(), m.claimsFloor()), latest(m.QueuedAt, m.TransferredAt))
	at := latest(now, newest.Add(time.Nanosecond))

	m.ClaimsFloor = at
	m.enqueue(at, now)

	return at
}
