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

// relaySeen is one report: of a message, with a push number, each but once.
type relaySeen struct {
	Since   time.Time `json:"since"`
	Pushes  int       `json:"pushes"`
	At      time.Time `json:"at"`
	ClockAt time.Time `json:"clock_at"`
	Thread  string    `json:"thread,omitempty"`
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
		m.enqueue(event.At, clockTime(event))
	}

	m.ReportedAt = latest(m.ReportedAt, event.At)

	// The report stands for the visitor's message, which nobody else tells; it
	// cannot be newer than the report.
	since := minTime(report.Since, event.At)
	m.VisitorAt = latest(m.VisitorAt, since)

	m.sign(event, since)

	m.relayPush(event, now)
}

func (m *Machine) relayPush(event *signals.Event, now time.Time) {
	report := event.Unreplied
	seen := relaySeen{
		Since: report.Since, Pushes: report.PushTimes, At: event.At, ClockAt: clockTime(event), Thread: event.Thread,
	}

	if slices.ContainsFunc(m.Reported, func(s relaySeen) bool {
		return s.Pushes == seen.Pushes && s.Since.Equal(seen.Since)
	}) {
		return
	}

	m.Reported = append(m.Reported, seen)
	if len(m.Reported) > maxRelaySeen {
		m.Reported = slices.Delete(m.Reported, 0, 1)
	}

	if !m.waitsFor(&seen) {
		return
	}

	if m.Relay != nil && !m.relayOver().Before(m.Relay.LastAt) {
		m.clearRelay() // the next stretch, in one batch with the end of this one
	}

	m.openRelay()
	m.Relay.LastAt = latest(m.Relay.LastAt, event.At) // more of the batch belongs to this stretch

	pushed := *report
	pushed.Episode, pushed.ReportedBy = m.Relay.Number, reportedByPlatform
	pushed.Text = signals.Cut(pushed.Text, signals.MaxTextBytes)
	m.announce(signals.Event{Type: signals.UnrepliedPushed, Unreplied: &pushed},
		m.Under.Policy.PushChannels(report.PushTimes), pushGroup(m.Relay.Number), time.Time{}, now)
}

func (m *Machine) openRelay() {
	if m.Relay == nil {
		m.Episodes++
		m.Relay = &relay{Number: m.Episodes}
	}
}

// waitsFor reports whether what a report said still holds: nothing newer said
// that it is over, and no close settled it.
func (m *Machine) waitsFor(seen *relaySeen) bool {
	return seen.At.After(m.relayOver()) && !m.settledByClose(seen.Since, seen.Thread)
}

// relayOver is the newest time at which the platform or a reply said that
// nothing is owed.
func (m *Machine) relayOver() time.Time { return latest(m.AnsweredAt, m.lastReply()) }

// settleRelay derives the relayed stretch from the reports that still hold; a
// close, the platform's word or an agent's reply ends it.
func (m *Machine) settleRelay(closing *closeFact) {
	var holding []relaySeen

	for i := range m.Reported {
		if closing == nil && m.waitsFor(&m.Reported[i]) {
			holding = append(holding, m.Reported[i])
		}
	}

	if len(holding) == 0 {
		m.clearRelay()

		return
	}

	m.openRelay()

	number := m.Relay.Number
	first := holding[0]
	*m.Relay = relay{Number: number, Since: first.Since, Pushes: first.Pushes, LastAt: first.At, ClockAt: first.ClockAt}

	for i := range holding {
		m.Relay.Since = minTime(m.Relay.Since, holding[i].Since)
		m.Relay.Pushes = max(m.Relay.Pushes, holding[i].Pushes)
		m.Relay.LastAt = latest(m.Relay.LastAt, holding[i].At)
		m.Relay.ClockAt = latest(m.Relay.ClockAt, holding[i].ClockAt)
	}

	for i := range holding {
		if gap := m.Relay.LastAt.Sub(holding[i].At); gap > 0 && (m.Relay.Spacing == 0 || gap < m.Relay.Spacing) {
			m.Relay.Spacing = gap
		}
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
