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
	Since    time.Time     `json:"since"`
	Pushes   int           `json:"pushes"`
	LastAt   time.Time     `json:"last_at"`
	Spacing  time.Duration `json:"spacing,omitempty"`
	Number   int           `json:"number"`
	Repeated []relaySeen   `json:"repeated,omitempty"`
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

	m.Subject = prefer(signals.Cut(report.Subject, maxTagBytes), m.Subject)
	m.Property = prefer(signals.Cut(report.Property, maxTagBytes), m.Property)

	switch report.Status {
	case signals.UnrepliedReplied:
		m.clearRelay()

		return
	case signals.UnrepliedQueued:
		m.QueuedAt = latest(m.QueuedAt, event.At)
	}

	m.VisitorAt = latest(m.VisitorAt, event.At)
	m.relayPush(event, now)
}

func (m *Machine) relayPush(event *signals.Event, now time.Time) {
	report, mark := event.Unreplied, relaySeen{Since: event.Unreplied.Since, Pushes: event.Unreplied.PushTimes}
	if m.Relay != nil && slices.Contains(m.Relay.Repeated, mark) {
		return
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
	running.Pushes = max(running.Pushes, report.PushTimes)
	running.Repeated = append(running.Repeated, mark)

	if len(running.Repeated) > maxRelaySeen {
		running.Repeated = slices.Delete(running.Repeated, 0, 1)
	}

	pushed := *report
	pushed.Episode, pushed.ReportedBy = running.Number, reportedByPlatform
	m.announce(signals.Event{Type: signals.UnrepliedPushed, Unreplied: &pushed},
		m.Under.Policy.PushChannels(report.PushTimes), pushGroup(running.Number), time.Time{}, now)
}

// settleRelay ends the relayed stretch at a close or an agent's reply.
func (m *Machine) settleRelay(closing *closeFact) {
	if m.Relay != nil && (closing != nil || !m.lastReply().Before(m.Relay.LastAt)) {
		m.clearRelay()
	}
}

func (m *Machine) relayDue() (time.Time, bool) {
	if m.Relay == nil || m.Relay.Pushes >= relayReports {
		return time.Time{}, false
	}

	return m.Relay.LastAt.Add(max(relaySpacings*m.Relay.Spacing, relaySilence)), true
}

func (m *Machine) stopRelay(now time.Time) {
	m.clearRelay()
	m.addLine(line{At: now, Type: signals.SystemNoted, Text: relayStoppedComment, Role: signals.RoleSystem})
}

func (m *Machine) clearRelay() {
	if m.Relay == nil {
		return
	}

	m.cancelPushes(pushGroup(m.Relay.Number))
	m.Relay = nil
}
