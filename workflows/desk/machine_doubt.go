package desk

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// overdue is how long after the end of an offer the desk waits for word of it.
	overdue = 15 * time.Second
	// endless is when an offer without an end is asked after.
	endless = 10 * time.Minute
	// patience is how long a conversation may say nothing until it is asked
	// whether it is still there, scarce the same where others wait for its slot.
	patience = 30 * time.Minute
	scarce   = 10 * time.Minute
	// asksAgain is when it is asked once more, doubled each time, up to so often.
	asksAgain    = time.Minute
	maxDoublings = 4
	// settlesFor is how long a desk that was started empty waits for its open
	// conversations, before it offers anything.
	settlesFor = 5 * time.Second
	// laterAfter is when a conversation that could not be reached is told again.
	laterAfter = 15 * time.Second
	// sweepEvery is the least time between two looks for whom to doubt.
	sweepEvery = 5 * time.Second
)

// doubtful is when a talk is to be asked after, 0 for never.
func (m *Machine) doubtful(t *talk, short bool) stamp {
	var due stamp

	switch {
	case t.Stage == offered && t.Until > 0:
		due = t.Until.plus(overdue)
	case t.Stage == offered:
		due = t.From.plus(endless)
	case t.Stage == held && short:
		due = t.Heard.plus(scarce)
	case t.Stage == held, t.Stage == waiting:
		due = t.Heard.plus(patience)
	default:
		return 0
	}

	if t.Checks > 0 {
		due = max(due, t.Checked.plus(asksAgain<<min(t.Checks-1, maxDoublings)))
	}

	return due
}

// short reports whether somebody waits for a slot.
func (m *Machine) short(at stamp) bool {
	if len(m.line.list) == 0 {
		return false
	}

	for _, a := range m.staff {
		if a.hasRoom(at) {
			return false
		}
	}

	return true
}

// doubt asks after those of whom nothing was heard for too long.
func (m *Machine) doubt(at stamp) {
	short := m.short(at)

	due := m.firstDoubt(short)
	if due == 0 || due > at || at < m.sweptAt.plus(sweepEvery) {
		return
	}

	m.sweptAt = at

	for _, t := range m.sorted() {
		if due := m.doubtful(t, short); due > 0 && due <= at && !t.isAsked() {
			m.check(t, at)
		}
	}
}

// check asks a conversation whether it is still there.
func (m *Machine) check(t *talk, at stamp) {
	t.Checked = at
	t.Checks++
	m.counts.Checks++
	m.owe(t, owesCheck)
}

// firstDoubt is when the first of all is to be asked after, 0 for never.
func (m *Machine) firstDoubt(short bool) stamp {
	var first stamp

	// The least of all, in whatever order.
	//workflowcheck:ignore
	for _, t := range m.talks {
		if t.isAsked() {
			continue
		}

		if due := m.doubtful(t, short); due > 0 && (first == 0 || due < first) {
			first = due
		}
	}

	return first
}

// Seek makes a desk that was started empty wait a little with its first offers,
// until it knows which conversations it still has.
func (m *Machine) Seek(now time.Time) {
	m.settling = m.advance(now).plus(settlesFor)
	m.unsought = true
}

// Seeks reports whether the desk still wants [Machine.Survivors].
func (m *Machine) Seeks() bool { return m.unsought }

// Survivors takes in which open conversations say that they are this desk's: those
// of whom it knows nothing are asked.
func (m *Machine) Survivors(keys []signals.Key, now time.Time) {
	m.advance(now)
	m.unsought = false
	size := 0

	for _, key := range keys {
		id, err := idOf(key)
		if size += jsonSize(id) + 1; err != nil || m.talks[id] != nil || m.missing[id] || size > 2*maxListBytes {
			continue
		}

		m.missing[id] = true
		m.sought = append(m.sought, id)
	}
}

// settles reports whether the desk waits for words of conversations that it may
// still have.
func (m *Machine) settles(at stamp) bool {
	return m.settling > at && (m.unsought || len(m.missing) > 0)
}

// found takes in that a conversation that was looked for said something, or is
// not there.
func (m *Machine) found(id string) { delete(m.missing, id) }
