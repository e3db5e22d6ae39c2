package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// clockName names a deadline inside a conversation.
type clockName string

// The clocks (lifecycle, section 2).
const (
	clockUnreplied clockName = "unreplied"
	clockRelay     clockName = "relay"
	clockIdleWarn  clockName = "idle-warn"
	clockIdle      clockName = "idle"
	clockSnooze    clockName = "snooze"
	clockCloseout  clockName = "close-out"
	clockAge       clockName = "age"
	clockGap       clockName = "session-gap"
	clockOffline   clockName = "offline"
	clockAccept    clockName = "accept"
	clockReassign  clockName = "reassign"
	clockQueue     clockName = "queue"
	clockAbandon   clockName = "abandon"
	clockAskAgain  clockName = "ask-again"
)

// maxFired bounds what one tick fires; each clock that fires moves on, so that
// it is never reached.
const maxFired = 32

// clock is one running deadline.
type clock struct {
	Name clockName
	Due  time.Time
}

// clocks lists what runs, in a fixed order: of two that are due at once the
// first fires first.
func (m *Machine) clocks() []clock {
	if m.Decided || m.BegunAt.IsZero() {
		return nil
	}

	if m.Close != nil {
		grace := time.Duration(m.Under.Policy.Closeout.Grace)

		return []clock{{clockCloseout, m.Close.ClockAt.Add(grace)}}
	}

	running := make([]clock, 0, maxClocks)

	if m.Snooze != nil {
		if !m.Snooze.Until.IsZero() {
			running = append(running, clock{clockSnooze, m.Snooze.Until})
		}
	} else {
		running = m.waitingClocks(running)
	}

	if due, ok := m.askAgainDue(); ok {
		running = append(running, clock{clockAskAgain, due})
	}

	if age := time.Duration(m.Under.Policy.Limits.MaxAge); age > 0 {
		running = append(running, clock{clockAge, latest(m.BegunAt, m.LiftedAt).Add(age)})
	}

	return running
}

const maxClocks = 12

// waitingClocks are those that a snooze holds.
func (m *Machine) waitingClocks(running []clock) []clock {
	if due, ok := m.offlineDue(); ok {
		running = append(running, clock{clockOffline, due})
	} else if due, ok := m.pushDue(); ok {
		running = append(running, clock{clockUnreplied, due})
	}

	running = m.deskClocks(running)

	if due, ok := m.reassignDue(); ok {
		running = append(running, clock{clockReassign, due})
	}

	if due, ok := m.relayDue(); ok {
		running = append(running, clock{clockRelay, due})
	}

	if m.idles() {
		running = m.idleClocks(running)
	}

	if due, ok := m.gapDue(); ok {
		running = append(running, clock{clockGap, due})
	}

	return running
}

func (m *Machine) idleClocks(running []clock) []clock {
	idle := m.Under.Policy.Idle

	if warn := time.Duration(idle.Warn); warn > 0 && m.WarnedAt.IsZero() {
		running = append(running, clock{clockIdleWarn, m.after(m.SpokenAt, warn+m.IdleShift)})
	}

	if end := time.Duration(idle.Close); end > 0 {
		due := m.after(m.SpokenAt, end+m.IdleShift)

		if !m.WarnedAt.IsZero() && end > time.Duration(idle.Warn) {
			// A warning that came late leaves the visitor the whole time.
			due = latest(due, m.after(m.WarnedAt, end-time.Duration(idle.Warn)))
		}

		running = append(running, clock{clockIdle, due})
	}

	return running
}

// offlineDue reports whether a visitor wrote, or asked for a person, outside the
// hours, nobody has the conversation, and the policy answers that with a ticket
// instead of pushes. A visitor who goes on writing lifts the close, and it
// closes again.
func (m *Machine) offlineDue() (time.Time, bool) {
	if m.Agent != "" || m.Under.Policy.OutOfHours != policy.OutOfHoursOffline {
		return time.Time{}, false
	}

	if m.Episode != nil && !m.Under.Hours.Open(m.Episode.ClockAt) {
		return m.Episode.ClockAt, true
	}

	if !m.waiting() {
		return time.Time{}, false
	}

	from := m.waited().clockAt

	return from, !m.Under.Hours.Open(from)
}

// idles reports whether the idle clock runs: open or active, nothing owed, the
// visitor here and silent since our side's last public word.
func (m *Machine) idles() bool {
	if m.Status != signals.StatusOpen && m.Status != signals.StatusActive {
		return false
	}

	seen, away := m.visitorSeen()

	return m.Episode == nil && m.Relay == nil && !m.SpokenAt.IsZero() && m.SpokenAt.After(seen) && !away
}

// after is the time at which so much time has passed by the policy's hours.
func (m *Machine) after(from time.Time, length time.Duration) time.Time {
	if length <= 0 {
		return from
	}

	return m.Under.Hours.Add(from, length)
}

func (m *Machine) nextClock() (clock, bool) {
	var (
		nearest clock
		found   bool
	)

	for _, running := range m.clocks() {
		if !found || running.Due.Before(nearest.Due) {
			nearest, found = running, true
		}
	}

	return nearest, found
}

// fire does what a due clock says; the caller settles afterwards.
func (m *Machine) fire(due clock, now time.Time) {
	switch due.Name {
	case clockUnreplied:
		m.push(due.Due, now)
	case clockOffline:
		m.tellOwn(signals.Event{Type: signals.AgentsUnavailable, Availability: &signals.Availability{Status: "offline"}}, now)
		m.closeBySelf("", reasonOffline, now)
	case clockRelay:
		m.stopRelay(now)
	case clockIdleWarn:
		m.WarnedAt = now
		m.tellOwn(signals.Event{Type: signals.ConversationIdleWarned}, now)
	case clockIdle:
		m.closeBySelf("", reasonIdle, now)
	case clockSnooze:
		m.wake(now)
	case clockCloseout:
		m.decide(now)
	case clockAge:
		m.closeBySelf("", reasonStale, now)
	case clockGap:
		m.closeForGap(latest(due.Due, m.newest()), now)
	case clockAccept:
		m.refused(signals.AskExpired, outcomeExpired, "", now)
	case clockReassign:
		m.lapsed(now)
	case clockQueue:
		m.waitedTooLong(now)
	case clockAbandon:
		m.closeBySelf("", reasonAbandoned, now)
	case clockAskAgain:
		m.speakUp(now)
	}
}

// wakeOnMessage ends a snooze when the visitor writes.
func (m *Machine) wakeOnMessage(now time.Time) {
	if m.Snooze == nil {
		return
	}

	for i := range m.Kept {
		entry := &m.Kept[i]
		if entry.Role == signals.RoleVisitor && !entry.Private && !entry.Deleted && entry.At.After(latest(m.Snooze.At, m.Snooze.Known)) {
			m.wake(latest(m.Snooze.At, minTime(entry.At, now)))

			return
		}
	}
}

// wake ends a snooze: the held clocks go on with the time that remained.
func (m *Machine) wake(now time.Time) {
	slept := m.Snooze.At
	m.Snooze = nil
	m.HeardAt = latest(m.HeardAt, now)

	if m.Episode != nil {
		if from := latest(slept, latest(m.Episode.ClockAt, m.Episode.PushedAt)); now.After(from) {
			m.Episode.Shift += m.Under.Hours.Between(from, now)
		}
	}

	if from := latest(slept, m.SpokenAt); now.After(from) {
		m.IdleShift += m.Under.Hours.Between(from, now)
	}

	if from, owed := m.silentSince(); owed && now.After(latest(slept, from)) {
		m.SilenceShift.add(from, m.Under.Hours.Between(latest(slept, from), now))
	}

	if m.waiting() {
		from := m.waited().clockAt
		since := latest(slept, from)

		if m.Rules.unstuck && m.QueueShift.From.Equal(from) {
			since = latest(since, m.Talk.OpensAt) // until then it stood still anyway
		}

		if now.After(since) {
			m.QueueShift.add(from, m.Under.Hours.Between(since, now))
		}
	}
}
