package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	// relayReports is how many reports a platform sends at most (TWT Chat
	// stops at push_times 4), and how many are remembered.
	relayReports = 4
	maxRelaySeen = 64
	// relaySilence: without a report for three times the observed spacing, and
	// at least this long, the platform has stopped reporting.
	relaySilence        = 15 * time.Minute
	relaySpacings       = 3
	reportedByPlatform  = "platform"
	relayStoppedComment = "the platform stopped reporting"
)

// relay follows the unreplied clock of a platform that runs it itself.
type relay struct {
	Since   time.Time     `json:"since"`
	Pushes  int           `json:"pushes"`
	LastAt  time.Time     `json:"last_at"`
	ClockAt time.Time     `json:"clock_at"`
	Spacing time.Duration `json:"spacing,omitempty"`
	Number  int           `json:"number"`
}

// relaySeen is one report that made a push.
type relaySeen struct {
	Since  time.Time `json:"since"`
	Pushes int       `json:"pushes"`
}

func (m *Machine) relayed() bool { return m.Under.Policy.Unreplied.Mode == policy.ModeRelay }

// enterReport takes a platform's own notice that a visitor is unreplied: each
// distinct message and push number makes one push with the platform's number.
func (m *Machine) enterReport(event *signals.Event, now time.Time) {
	report := event.Unreplied
	if report == nil || !m.relayed() {
		return
	}

	m.Subject.set(clip(report.Subject, maxTagBytes), event.At)
	m.Property.set(clip(report.Property, maxTagBytes), event.At)

	if report.Status == signals.UnrepliedReplied {
		m.AnsweredAt = latest(m.AnsweredAt, event.At)
		m.spoke(event.At)

		return
	}

	if report.Status == signals.UnrepliedQueued {
		m.QueuedAt = latest(m.QueuedAt, event.At)
	}

	m.ReportedAt = latest(m.ReportedAt, event.At)

	// The report stands for the visitor's message, which nobody else tells.
	m.VisitorAt = latest(m.VisitorAt, report.Since)

	m.sign(event, report.Since)

	m.relayPush(event, now)
}

func (m *Machine) relayPush(event *signals.Event, now time.Time) {
	report := event.Unreplied

	seen := slices.ContainsFunc(m.Reported, func(s relaySeen) bool {
		return s.Pushes == report.PushTimes && s.Since.Equal(report.Since)
	})
	if seen || !event.At.After(m.relayOver()) || m.settledByClose(report.Since, event.Thread) {
		return
	}

	m.Reported = append(m.Reported, relaySeen{Since: report.Since, Pushes: report.PushTimes})
	if len(m.Reported) > maxRelaySeen {
		m.Reported = slices.Delete(m.Reported, 0, 1)
	}

	if m.Relay == nil {
		m.Episodes++
		m.Relay = &relay{Since: report.Since, Number: m.Episodes}
	}

	running := m.Relay
	if gap := event.At.Sub(running.LastAt); !running.LastAt.IsZero() && gap > 0 {
		running.Spacing = gap
	}

	running.Since = minTime(running.Since, report.Since)
	running.LastAt = latest(running.LastAt, event.At)
	running.ClockAt = latest(running.ClockAt, clockTime(event))
	running.Pushes = max(running.Pushes, report.PushTimes)

	pushed := *report
	pushed.Episode, pushed.ReportedBy = running.Number, reportedByPlatform
	pushed.Text = signals.Cut(pushed.Text, signals.MaxTextBytes)
	m.announce(signals.Event{Type: signals.UnrepliedPushed, Unreplied: &pushed},
		m.Under.Policy.PushChannels(report.PushTimes), pushGroup(running.Number), time.Time{}, now)
}

// relayOver is the newest time at which the platform or a reply said that
// nothing is owed.
func (m *Machine) relayOver() time.Time { return latest(m.AnsweredAt, m.lastReply()) }

// settleRelay ends the relayed stretch at a close or an agent's reply.
func (m *Machine) settleRelay(closing *closeFact) {
	if m.Relay != nil && (closing != nil || !m.relayOver().Before(m.Relay.LastAt)) {
		m.clearRelay()
	}
}

func (m *Machine) relayDue() (time.Time, bool) {
	if m.Relay == nil || m.Relay.Pushes >= relayReports {
		return time.Time{}, false
	}

	return m.Relay.ClockAt.Add(max(relaySpacings*m.Relay.Spacing, relaySilence)), true
}

func (m *Machine) stopRelay(now time.Time) {
	m.AnsweredAt = latest(m.AnsweredAt, m.Relay.LastAt)
	m.clearRelay()
	m.spoke(latest(now, m.VisitorAt.Add(time.Nanosecond))) // the idle clock counts from here
	m.addLine(line{At: now, Type: signals.SystemNoted, Text: relayStoppedComment, Role: signals.RoleSystem})
}

func (m *Machine) clearRelay() {
	if m.Relay == nil {
		return
	}

	m.cancelPushes(pushGroup(m.Relay.Number))
	m.Relay = nil
}
