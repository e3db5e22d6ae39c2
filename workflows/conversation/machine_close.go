package conversation

import (
	"cmp"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	maxThreads = 50
	maxCloses  = 20

	reasonOffline   = "offline"
	reasonStale     = "stale"
	reasonIdle      = "idle"
	routingPlatform = "platform"
)

// enterThread keeps the earliest event of each thread that may start a
// conversation: the thread that began last is the present one.
func (m *Machine) enterThread(event *signals.Event) {
	if event.Thread == "" || !event.Type.MayStart() {
		return
	}

	for i := range m.Threads {
		if m.Threads[i].ID != event.Thread {
			continue
		}

		if event.At.Before(m.Threads[i].FirstAt) {
			m.Threads[i].FirstAt = event.At
		}

		return
	}

	if len(m.Threads) >= maxThreads {
		oldest := 0

		for i := range m.Threads {
			if m.Threads[i].FirstAt.Before(m.Threads[oldest].FirstAt) {
				oldest = i
			}
		}

		m.Threads = slices.Delete(m.Threads, oldest, oldest+1)
	}

	m.Threads = append(m.Threads, threadMark{ID: event.Thread, FirstAt: event.At})
}

// thread is the present one; the zero value where the platform has none.
func (m *Machine) thread() threadMark {
	var newest threadMark

	for _, thread := range m.Threads {
		if newest.ID == "" || thread.after(&newest) {
			newest = thread
		}
	}

	return newest
}

// after reports whether a thread took another one's place: it began later; of two
// that began together the same one always did.
func (t *threadMark) after(other *threadMark) bool {
	return t.FirstAt.After(other.FirstAt) || t.FirstAt.Equal(other.FirstAt) && t.ID > other.ID
}

// threadOf returns what is known of a thread of this session; nil for another.
func (m *Machine) threadOf(id string) *threadMark {
	if i := slices.IndexFunc(m.Threads, func(t threadMark) bool { return t.ID == id }); i >= 0 && id != "" {
		return &m.Threads[i]
	}

	return nil
}

// markThread keeps the visitor's newest word in a thread, by which a close that
// names none may be lifted.
func (m *Machine) markThread(id string, at time.Time) {
	if thread := m.threadOf(id); thread != nil {
		thread.VisitorAt = latest(thread.VisitorAt, at)
	}
}

// superseded reports whether a newer thread took a thread's place: what it
// still owed is history, as its close says or will say.
func (m *Machine) superseded(id string) bool {
	return id != m.thread().ID && m.threadOf(id) != nil
}

func (m *Machine) enterClose(event *signals.Event) {
	fact := closeFact{At: event.At, ClockAt: clockTime(event), Thread: event.Thread, ByRole: signals.RoleSystem}

	if event.Closing != nil {
		fact.ByID = personID(event.Closing.ByID)
		fact.Reason = clip(event.Closing.Reason, maxTagBytes)
		fact.ByRole = event.Closing.ByRole
	}

	if fact.ByID == "" && event.Actor != nil {
		fact.ByID = event.Actor.ID
		fact.ByRole = signals.Role(prefer(string(fact.ByRole), string(event.Actor.Role)))
	}

	if fact.ByRole == "" || fact.ByRole == signals.RoleUnknown {
		fact.ByRole = m.roleOf(fact.ByID, "")
	}

	if fact.ByID == "" && fact.ByRole == signals.RoleUnknown {
		fact.ByRole = signals.RoleSystem
	}

	m.addClose(fact)
}

// addClose keeps the closes in order of time. A full list drops one that was
// reopened, else the newest, which changes nothing.
func (m *Machine) addClose(fact closeFact) {
	at, _ := slices.BinarySearchFunc(m.Closes, fact, compareCloses)
	m.Closes = slices.Insert(m.Closes, at, fact)

	if len(m.Closes) <= maxCloses {
		return
	}

	if !m.reopened(&m.Closes[0]) {
		m.Closes = m.Closes[:maxCloses]

		return
	}

	// What a close settled stays settled without it.
	gone := m.Closes[0]
	m.LostAt = latest(m.LostAt, m.lostAt(&gone))
	m.Closes = slices.Delete(m.Closes, 0, 1)
	m.ReplyFloor = latest(m.ReplyFloor, gone.At)

	if gone.Thread != "" && !slices.Contains(m.PastThreads, gone.Thread) {
		m.PastThreads = append(m.PastThreads, gone.Thread)
		m.PastThreads = m.PastThreads[max(0, len(m.PastThreads)-maxThreads):]
	}
}

func compareCloses(a, b closeFact) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Thread, b.Thread), cmp.Compare(a.ByRole, b.ByRole),
		cmp.Compare(a.ByID, b.ByID), cmp.Compare(a.Reason, b.Reason), a.ClockAt.Compare(b.ClockAt))
}

// effectiveClose is the close that the conversation stands under: the first
// that nothing newer reopened.
func (m *Machine) effectiveClose() *closeFact {
	for i := range m.Closes {
		if !m.reopened(&m.Closes[i]) {
			found := m.Closes[i]

			return &found
		}
	}

	return nil
}

// reopened reports whether a newer command, escalation, thread or visitor's
// message lifted a close. Within the thread that a platform closed nothing
// does but a command: its events belong to the closed session.
func (m *Machine) reopened(fact *closeFact) bool {
	if m.ReopenedAt.After(fact.At) || m.WroteAt.After(fact.At) ||
		m.visitorWrote(fact.At, func(k *kept) bool { return k.Thread == "" }) {
		return true
	}

	thread := m.thread()
	if fact.Thread != "" && m.superseded(fact.Thread) || thread.ID != fact.Thread && thread.FirstAt.After(fact.At) {
		return true
	}

	if fact.Thread != "" {
		return false
	}

	return m.visitorWrote(fact.At, func(k *kept) bool { return k.Thread != "" && !m.threadClosedBy(k.Thread, k.At) }) ||
		slices.ContainsFunc(m.Threads, func(t threadMark) bool { return t.VisitorAt.After(fact.At) })
}

// threadClosedBy reports whether the platform had closed the thread at a time.
func (m *Machine) threadClosedBy(id string, at time.Time) bool {
	return slices.ContainsFunc(m.Closes, func(c closeFact) bool { return c.Thread == id && !c.At.After(at) })
}

// deriveStatus is lifecycle, section 1.
func (m *Machine) deriveStatus(closing *closeFact) signals.Status {
	switch {
	case m.Decided:
		return signals.StatusClosed
	case closing != nil:
		return signals.StatusClosing
	case m.Snooze != nil:
		return signals.StatusSnoozed
	case m.Agent != "":
		return signals.StatusActive
	case m.waits() && m.invitation() != nil:
		return signals.StatusOffered
	case m.waits():
		return signals.StatusQueued
	default:
		return signals.StatusOpen
	}
}

// waits reports whether a conversation that no agent has is in a queue: it was
// put there and nobody took it since, or the last agent left while the visitor
// was owed an answer, or it was closed and the visitor goes on.
func (m *Machine) waits() bool {
	if !m.QueuedAt.IsZero() && latest(m.lastClaim(), m.AnsweredAt).Before(m.QueuedAt) {
		return true
	}

	first := m.firstUnanswered()
	if first == nil {
		return false
	}

	left, held := m.lastHeld()

	return held && !first.At.After(left) || m.letGo()
}

// statusChanged tells what follows from a new status.
func (m *Machine) statusChanged(before signals.Status, now time.Time) {
	switch {
	case before == signals.StatusClosing && m.Status != signals.StatusClosed:
		m.tellOwn(signals.Event{Type: signals.ConversationReopened}, now)
	case m.Status == signals.StatusQueued && before != signals.StatusOffered:
		m.tellOwn(signals.Event{Type: signals.ConversationQueued, Queue: &signals.Queue{Desk: m.queuedOn()}}, now)
	}
}

// closeBySelf closes the conversation by Parley's own decision or a command. It
// names no thread: the platform's goes on, and a visitor who writes in it later
// is heard.
func (m *Machine) closeBySelf(byID, reason string, now time.Time) {
	at := latest(now, m.newest())
	if m.Rules.slots {
		at = latest(at, m.lastClaim())
	}

	m.addClose(closeFact{
		At: at, ClockAt: now, ByID: byID, ByRole: signals.RoleSystem, Reason: reason,
	})
	m.tellOwn(signals.Event{
		Type:    signals.ConversationClosed,
		Closing: &signals.Closing{ByID: byID, ByRole: signals.RoleSystem, Reason: reason, PlatformReason: m.platformAction()},
	}, now)
}

// newest is the newest thing that could lift a close: a platform's clock may go
// before ours, and a decision holds against all that is known by now.
func (m *Machine) newest() time.Time {
	at := latest(m.ReopenedAt, m.WroteAt)

	for i := range m.Threads {
		at = latest(at, latest(m.Threads[i].FirstAt, m.Threads[i].VisitorAt))
	}

	for i := range m.Kept {
		at = latest(at, m.Kept[i].At)
	}

	return at
}

// platformAction says that a platform which routes for itself has not been
// told: no command is configured, and Parley does not claim otherwise.
func (m *Machine) platformAction() string {
	if m.Under.Routing == routingPlatform {
		return "platform_action: pending"
	}

	return ""
}
