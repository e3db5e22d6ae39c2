package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// maxEpisodeText is how much of the first unanswered message a notice shows,
// in bytes.
const maxEpisodeText = 4 << 10

// lastReply is the newest reply: it answers everything older than itself, and
// what was written at the same time.
func (m *Machine) lastReply() time.Time {
	last := m.ReplyFloor

	for i := range m.Kept {
		if m.isReply(&m.Kept[i]) {
			last = latest(last, m.Kept[i].At)
		}
	}

	return last
}

// isReply is the rule of lifecycle, section 1.
func (m *Machine) isReply(entry *kept) bool {
	if entry.Private || entry.Auto || entry.Deleted && entry.Counted == "" || !spoken(entry.Kind) {
		return false
	}

	switch entry.Role {
	case signals.RoleAgent:
		return true
	case signals.RoleBot:
		return m.botReplies(entry.At)
	default:
		return false
	}
}

func (m *Machine) botReplies(at time.Time) bool {
	switch m.Under.Policy.Unreplied.BotReply {
	case policy.BotAlways:
		return true
	case policy.BotNever:
		return false
	default:
		return m.EscalatedAt.IsZero() || at.Before(m.EscalatedAt)
	}
}

func spoken(kind signals.MessageKind) bool {
	switch kind {
	case signals.KindText, signals.KindFile, signals.KindForm, signals.KindRich:
		return true
	case signals.KindCustom, signals.KindSystem:
		return false
	default:
		return false
	}
}

// firstUnanswered returns the first visitor message that nobody has answered
// and no close has settled.
func (m *Machine) firstUnanswered() *kept {
	last := m.lastReply()

	for i := range m.Kept {
		entry := &m.Kept[i]
		if entry.At.After(last) && m.owed(entry) && !m.settledByClose(entry.At, entry.Thread) {
			return entry
		}
	}

	return nil
}

// owed reports whether a message is one that a visitor expects an answer to.
func (m *Machine) owed(entry *kept) bool {
	return entry.Role == signals.RoleVisitor && !entry.Deleted && !entry.Private &&
		m.Under.Policy.StartsEpisode(entry.Kind)
}

// settledByClose reports whether a close ended what a message was owed: one at
// or after it, or one of its own thread that was not reopened.
func (m *Machine) settledByClose(at time.Time, thread string) bool {
	if m.superseded(thread) {
		return true
	}

	return slices.ContainsFunc(m.Closes, func(c closeFact) bool {
		if c.Thread != "" && thread != "" && c.Thread != thread {
			return false
		}

		return !c.At.Before(at) || c.Thread != "" && c.Thread == thread && !m.ReopenedAt.After(c.At)
	})
}

// unansweredWhen reports whether the visitor was still owed an answer at a
// time, as the ticket says it of the close.
func (m *Machine) unansweredWhen(at time.Time) bool {
	last := m.ReplyFloor

	for i := range m.Kept {
		if m.isReply(&m.Kept[i]) && !m.Kept[i].At.After(at) {
			last = latest(last, m.Kept[i].At)
		}
	}

	return slices.ContainsFunc(m.Kept, func(k kept) bool {
		return m.owed(&k) && k.At.After(last) && !k.At.After(at)
	})
}

// owedAtClose reports whether the conversation was closed while the visitor was
// owed an answer: by the kept messages, or, where the platform runs this clock,
// by its reports.
func (m *Machine) owedAtClose() bool {
	if m.relayed() {
		return m.ReportedAt.After(m.relayOver())
	}

	return m.unansweredWhen(m.Close.At)
}

// settleEpisode opens, keeps or ends the episode by what is unanswered now.
func (m *Machine) settleEpisode(closing *closeFact, now time.Time) {
	if m.relayed() {
		return
	}

	var first *kept
	if closing == nil {
		first = m.firstUnanswered()
	}

	if m.Episode != nil && (first == nil || m.episodeOver()) {
		m.endEpisode()
	}

	if first == nil {
		return
	}

	if m.Episode == nil {
		m.Episode = &episode{}
	}

	if m.Episode.MessageID != first.ID || !m.Episode.Since.Equal(first.At) {
		m.Episode.MessageID, m.Episode.Since, m.Episode.ClockAt = first.ID, first.At, first.ClockAt
		m.Episode.Text = signals.Cut(m.textOf(first.ID), maxEpisodeText)

		if first.ClockAt.After(now) {
			m.Episode.ClockAt = now
		}
	}
}

// episodeOver reports whether the present episode's message was answered or
// closed, even though a newer one is unanswered.
func (m *Machine) episodeOver() bool {
	if !m.Episode.Since.After(m.lastReply()) {
		return true
	}

	at := m.keptAt(m.Episode.MessageID)

	return at >= 0 && m.settledByClose(m.Kept[at].At, m.Kept[at].Thread)
}

// endEpisode drops what has not gone out yet.
func (m *Machine) endEpisode() {
	if m.Episode.Pushes > 0 {
		m.cancelPushes(pushGroup(m.Episode.Number))
	}

	m.Episode = nil
}

// typingMark is one word of an agent's typing.
type typingMark struct {
	at time.Time
	on bool
}

// enterTyping keeps what an agent's typing says until the batch is through: the
// message that the agent answers may stand behind it.
func (m *Machine) enterTyping(event *signals.Event) {
	if event.Typing == nil || event.Actor == nil || event.Typing.Visibility == signals.VisibleToAgents {
		return
	}

	hidden, stale := false, false

	if event.Actor.ID != "" {
		// Whoever turns out to be an agent gave a sign.
		who := m.member(event.Actor.ID)
		hidden, stale = who.hidden(), event.At.Before(who.TypedAt)
		who.TypedAt = latest(who.TypedAt, event.At)
	}

	if hidden || stale || m.roleOf(event.Actor.ID, event.Actor.Role) != signals.RoleAgent {
		return
	}

	m.typed = append(m.typed, typingMark{at: clockTime(event), on: event.Typing.On})
}

// settleTyping pauses the unreplied clock while an agent writes, for a while
// and at most so long in one episode.
func (m *Machine) settleTyping() {
	marks := m.typed
	m.typed = nil

	if m.Episode == nil {
		return
	}

	slices.SortStableFunc(marks, func(a, b typingMark) int { return a.at.Compare(b.at) })

	rule := m.Under.Policy.Unreplied

	for _, mark := range marks {
		switch {
		case mark.at.Before(m.Episode.ClockAt) || mark.at.Before(m.Episode.PushedAt):
		case mark.on:
			m.Episode.pause(mark.at, rule.TypingPause.Std(), rule.TypingPauseMax.Std())
		default:
			m.Episode.unpause(mark.at)
		}
	}
}

func (e *episode) pause(at time.Time, pause, most time.Duration) {
	from := latest(at, e.PausedUntil)
	extra := min(at.Add(pause).Sub(from), most-e.Paused)

	if extra <= 0 {
		return
	}

	e.PausedUntil = from.Add(extra)
	e.Paused += extra
	e.Shift += extra
}

func (e *episode) unpause(at time.Time) {
	rest := e.PausedUntil.Sub(at)
	if rest <= 0 || rest > e.Paused {
		return
	}

	e.PausedUntil = at
	e.Paused -= rest
	e.Shift -= rest
}
