package desk

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// onwardsAfter is the least pause before who waits on after a none is offered to
// agents who did not take it.
const onwardsAfter = time.Minute

// Settle gives away what can be given, in order, and tells those who wait what
// they have to know.
func (m *Machine) Settle(now time.Time) {
	at := m.advance(now)

	if m.stopped {
		m.Stop(now)

		return
	}

	m.lapse(at)
	lapsed := m.lapseSaved(at)
	m.prune(at)

	if m.settles(at) {
		return
	}

	m.settling = 0
	m.free = 0

	if len(m.sought) == 0 && len(m.flying) == 0 {
		clear(m.missing)
	}

	for _, a := range m.staff {
		m.free += one(a.hasRoom(at))
	}

	open := m.Under.Hours.Open(now)
	saved := !open
	ahead := crowd{}
	stays := m.line.list[:0]

	// Whoever is offered leaves the list; nobody enters it.
	for _, t := range m.line.list {
		// Who is at the head was taken from an agent before; and a slot that was kept
		// in vain is for the line.
		if !saved && !lapsed && !t.Head {
			m.save(at)

			saved = true
		}

		m.guess(t, &ahead, open, at)

		if m.place(t, open, at) {
			continue
		}

		ahead.add(m.classFor(t, at))

		// While the webhook is asked for one at the head, its slot stays free.
		saved = saved || t.Head && t.asking
		stays = append(stays, t)
	}

	clear(m.line.list[len(stays):])
	m.line.list = stays

	if !saved {
		m.save(at)
	}
}

// lapse ends reservations that nobody confirmed.
func (m *Machine) lapse(at stamp) {
	var ended []*talk

	for _, a := range m.staff {
		for _, t := range a.has {
			if t.Stage == reserved && t.Until <= at {
				ended = append(ended, t)
			}
		}
	}

	for _, t := range ended {
		m.leave(t)

		if t.Number == 0 && t.Session == 0 {
			t.Stage = over
			m.forget(t)

			continue
		}

		m.close(t)
	}
}

// place finds an agent for a talk, and reports whether it left the line.
func (m *Machine) place(t *talk, open bool, at stamp) bool {
	switch {
	case !open:
		m.shut(t, at)

		return false
	case t.Told == signals.ReasonClosed:
		t.begin()
	}

	for {
		if a := m.pick(t, at); a != nil {
			if m.asksFirst(t) {
				return false
			}

			m.offer(t, a, at)

			return true
		}

		t.answered, t.choice = false, ""

		if !m.roundOver(t, at) {
			return false
		}

		switch {
		case t.Rest == 0:
			if !m.endRound(t, at) {
				return false
			}
		case t.Rest > at:
			return false
		default:
			t.Round, t.tried, t.Rest = t.Round+1, nil, 0
		}
	}
}

// shut tells a conversation that the desk is closed: not in a circle with one
// that asks anew at once.
func (m *Machine) shut(t *talk, at stamp) {
	again := t.NoneAt.plus(againAfter)

	switch {
	case t.Told == signals.ReasonClosed:
		t.Rest = 0
	case t.NoneAt > 0 && again > at:
		t.Rest = again
	default:
		t.Rest = 0
		m.tellNone(t, signals.ReasonClosed, at)
	}
}

// roundOver reports whether there is nobody left to ask in this round. As long as
// nobody was asked, whoever waits for a busy agent is in line and in no round.
func (m *Machine) roundOver(t *talk, at stamp) bool {
	if len(t.tried) > 0 {
		return true
	}

	for _, a := range m.classFor(t, at).agents {
		if a.accepts() {
			return false
		}
	}

	return true
}

// endRound ends a round that nobody took it in. It reports whether there may be
// another one at once.
func (m *Machine) endRound(t *talk, at stamp) bool {
	why := signals.ReasonDeclined
	if len(t.tried) == 0 {
		why = signals.ReasonUnavailable
	}

	switch {
	case t.Told == "" && t.Round < t.terms.Rounds:
		t.RoundTold, t.RoundEmpty = t.Round, len(t.tried) == 0
		t.Rest = max(at.plus(t.terms.Pause), 1)
		m.owe(t, owesRound)

		return true
	case t.Told == "":
		m.tellNone(t, why, at)
	}

	// It waits on: for somebody new, or until those who did not take it are asked
	// once more.
	if len(t.tried) > 0 {
		t.Rest = at.plus(max(t.terms.Pause, onwardsAfter))
	}

	return false
}

func (m *Machine) tellNone(t *talk, why string, at stamp) {
	t.Told, t.NoneAt = why, at
	t.Guess = -1
	m.owe(t, owesNone)
}

// offer offers a talk that has been taken out of the line to an agent.
func (m *Machine) offer(t *talk, a *agent, at stamp) {
	if t.asking {
		m.asking--
	}

	t.asking, t.answered, t.choice = false, false, ""
	t.Attempt++

	if t.First == 0 {
		t.First = at
	}

	// The pause comes after the last who was asked.
	if m.Rules.pause {
		t.Rest = 0
	}

	m.occupy(t, a.ID, offered, at)
	t.Until = m.until(t, at)
	a.Assigned, m.cursor = at, a.ID
	m.counts.Offers++

	if !a.hasRoom(at) {
		m.free--
	}

	m.owe(t, owesOffer)
	m.weigh(t)
}

// until is how long an agent who is asked now may think; 0 is for ever.
func (m *Machine) until(t *talk, at stamp) stamp {
	if t.terms == nil || t.terms.Timeout <= 0 {
		return 0
	}

	return at.plus(t.terms.Timeout)
}

// confirm makes an offer of a reservation, for a conversation that asks only now.
func (m *Machine) confirm(t *talk, who string, until, at stamp) {
	a := m.agents[who]
	if a == nil || !a.accepts() {
		m.enter(t)

		return
	}

	m.offer(t, a, at)
	t.Until = until
}

// Stop tells everybody in line that the desk stops. Nothing is given away after
// it.
func (m *Machine) Stop(now time.Time) {
	at := m.advance(now)
	m.stopped = true

	for _, t := range m.line.list {
		if t.Told != signals.ReasonStopped {
			m.tellNone(t, signals.ReasonStopped, at)
		}
	}
}
