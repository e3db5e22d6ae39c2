package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// A platform that names its visitors and not their conversations, as TWT Chat
// does, never says that one conversation is over and another begins: a name
// that comes again after the session gap begins the next session.

const reasonGap = "session_gap"

// heard keeps the newest sign of the platform's.
func (m *Machine) heard(event *signals.Event) {
	if event.Type.Incoming() {
		m.HeardAt = latest(m.HeardAt, latest(event.At, clockTime(event)))
	}
}

// gapDue is when the session ends for want of any sign of the platform's.
func (m *Machine) gapDue() (time.Time, bool) {
	gap := m.Under.Policy.Limits.SessionGap.Std()
	from := latest(m.HeardAt, m.LiftedAt)

	if from.IsZero() {
		from = m.BegunAt
	}

	return from.Add(gap), gap > 0 && !from.IsZero()
}

// Lapse ends the session before an event that begins the next one: one that comes
// after the session gap, while the clock may not have fired yet, or its close may
// be within the grace; or an escalation after a close, where the policy has it so.
// The event then follows the session, as [Machine.Following] says.
func (m *Machine) Lapse(event *signals.Event, now time.Time) {
	if m.Decided || !event.Type.MayStart() || m.Known(event) {
		return
	}

	m.lapseByGap(event, now)

	if !m.Decided && event.Type == signals.EscalationRequested && m.Under.Policy.Closeout.Escalation == policy.FollowSession {
		m.Settle(now)

		if m.Close != nil && saidAt(event).After(m.Close.At) {
			m.decide(now)
		}
	}
}

// saidAt is when an event that is not dated yet counts as said.
func saidAt(event *signals.Event) time.Time {
	if event.At.IsZero() || !event.ReceivedAt.IsZero() && event.At.After(event.ReceivedAt.Add(skew)) {
		return event.ReceivedAt
	}

	return event.At
}

func (m *Machine) lapseByGap(event *signals.Event, now time.Time) {
	due, runs := m.gapDue()
	if !runs || m.Snooze != nil || !saidAt(event).After(due) {
		return
	}

	m.Settle(now)

	if m.Close == nil {
		m.closeForGap(due, now)
		m.Close = &closeFact{At: due, ClockAt: now, ByRole: signals.RoleSystem, Reason: reasonGap}
		m.settleEpisode(m.Close, now)
		m.settleRelay(m.Close)
	}

	m.decide(now)
}

// closeForGap closes the session as of the end of the gap, so that what the
// platform said since then is news.
func (m *Machine) closeForGap(at, now time.Time) {
	m.addClose(closeFact{At: at, ClockAt: now, ByRole: signals.RoleSystem, Reason: reasonGap})
	m.tellOwn(signals.Event{
		Type:    signals.ConversationClosed,
		Closing: &signals.Closing{ByRole: signals.RoleSystem, Reason: reasonGap, PlatformReason: m.platformAction()},
	}, now)
}
