package desk

import (
	"time"
)

// Tick does what is due by now: doubts, pauses that are over, hours that began or
// ended. What it gives away is as after [Machine.Settle].
func (m *Machine) Tick(now time.Time) {
	at := m.advance(now)

	m.resume(at)
	m.doubt(at)
	m.Settle(now)
	m.watch(at)
}

// NextDeadline returns when [Machine.Tick] is next due, and for what; ok is false
// when nothing runs.
func (m *Machine) NextDeadline(now time.Time) (time.Time, string, bool) {
	at := m.advance(now)
	next := nearest{after: at}

	if len(m.later) > 0 {
		next.add(m.laterAt, "not reached")
	}

	m.nextInLine(&next, now, at)

	stuck := m.nextSaved(&next, now)

	for _, a := range m.staff {
		if (stuck || len(m.line.list) > 0) && a.accepts() {
			next.add(a.Wrapup, "wrap-up")
		}

		for _, t := range a.has {
			if t.Stage == reserved {
				next.add(t.Until, "reservation")
			}
		}
	}

	if due := m.firstDoubt(m.short(at)); due > 0 {
		next.add(max(due, m.sweptAt.plus(sweepEvery), at+1), "doubts")
	}

	next.add(m.nextLook(), "open conversations")

	return next.at.time(), next.name, next.at > 0
}

// nextInLine adds what those in line wait for.
func (m *Machine) nextInLine(next *nearest, now time.Time, at stamp) {
	if len(m.line.list) == 0 {
		return
	}

	if m.settles(at) {
		next.add(m.settling, "open conversations")
	}

	if change, ok := m.Under.Hours.Change(now); ok {
		next.add(stampOf(change.Add(time.Millisecond-1)), "hours")
	}

	wait := m.Under.SkillWait.Std()
	open := m.Under.Hours.Open(now)

	for _, t := range m.line.list {
		next.add(t.Rest, "pause")

		if open && wait > 0 && len(t.skills()) > 0 {
			next.add(t.Since.plus(wait), "skills")
		}
	}
}

// nearest is the nearest of several deadlines in the future.
type nearest struct {
	after, at stamp
	name      string
}

func (n *nearest) add(due stamp, name string) {
	if due > n.after && (n.at == 0 || due < n.at) {
		n.at, n.name = due, name
	}
}
