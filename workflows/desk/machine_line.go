package desk

import (
	"cmp"
	"slices"
)

// ordered is a list of talks in an order that never leaves two alike.
type ordered struct {
	list []*talk
	less func(a, b *talk) int
}

func (o *ordered) insert(t *talk) {
	if at, there := slices.BinarySearchFunc(o.list, t, o.less); !there {
		o.list = slices.Insert(o.list, at, t)
	}
}

// remove takes a talk out. What the order is made of must not have changed since
// it was inserted.
func (o *ordered) remove(t *talk) {
	if at, there := slices.BinarySearchFunc(o.list, t, o.less); there {
		o.list = slices.Delete(o.list, at, at+1)
	}
}

// inOrder is the waiting order: those at the head, then by priority, then by how
// long they wait. It depends on nothing but what conversations say, so that it is
// the same in whatever order they say it.
func (m *Machine) inOrder(a, b *talk) int {
	head, priority := -cmp.Compare(one(a.Head), one(b.Head)), -cmp.Compare(a.priority(), b.priority())
	if !m.Rules.heads {
		head, priority = priority, head
	}

	return cmp.Or(head, priority, cmp.Compare(a.Since, b.Since), cmp.Compare(a.ID, b.ID))
}

// byHeard is the order in which what is over is forgotten.
func byHeard(a, b *talk) int { return cmp.Or(cmp.Compare(a.Heard, b.Heard), cmp.Compare(a.ID, b.ID)) }

func (t *talk) priority() int {
	if t.terms == nil {
		return 0
	}

	return t.terms.Priority
}

func one(b bool) int {
	if b {
		return 1
	}

	return 0
}

// leave takes a talk out of whatever it is in: the line, an agent's slots, the
// list of what is over.
func (m *Machine) leave(t *talk) {
	m.unsave(t)

	switch {
	case t.inLine():
		m.line.remove(t)
	case t.takesSlot():
		m.vacate(t)
	default:
		m.overs.remove(t)
	}

	if t.asking {
		m.asking--
	}

	t.asking, t.answered, t.choice = false, false, ""
}

// enter puts a talk into the line.
func (m *Machine) enter(t *talk) {
	t.Stage = waiting
	m.line.insert(t)
}

// occupy takes one of an agent's slots.
func (m *Machine) occupy(t *talk, id string, as stage, now stamp) {
	who := m.seat(id)
	t.Stage, t.Agent, t.From, t.AgentGone = as, id, now, false
	who.has = append(who.has, t)
	m.busy++
	m.from += now
}

// vacate frees it.
func (m *Machine) vacate(t *talk) {
	who := m.seat(t.Agent)
	who.has = slices.DeleteFunc(who.has, func(other *talk) bool { return other == t })
	m.busy--
	m.from -= t.From

	if len(who.has) == 0 {
		who.Idle = m.measured.At
	}

	t.Agent, t.From, t.Until, t.AgentGone = "", 0, 0, false
	t.Owes &^= owesOffer | owesGone | owesBack
	m.retire(who)
}

// close remembers of a talk only its number.
func (m *Machine) close(t *talk) {
	*t = talk{
		ID: t.ID, Session: t.Session, Number: t.Number, Attempt: t.Attempt, Heard: t.Heard, Stage: over, size: t.size,
	}
	m.overs.insert(t)
}

// forget drops a talk altogether, and with it what it is owed.
func (m *Machine) forget(t *talk) {
	m.leave(t)
	m.bytes -= t.size
	t.Owes = 0
	delete(m.talks, t.ID)
}

// prune forgets numbers that nobody will repeat any more.
func (m *Machine) prune(now stamp) {
	for len(m.overs.list) > 0 {
		oldest := m.overs.list[0]
		if len(m.overs.list) <= maxOver && m.bytes <= maxRequestBytes && now.minus(oldest.Heard) < overFor {
			return
		}

		m.forget(oldest)
	}
}

// weigh keeps account of a talk's bytes as JSON.
func (m *Machine) weigh(t *talk) {
	// What every talk has: names of fields, numbers, times.
	const fixed = 240

	// The id may stand among those that are owed something, too.
	size := fixed + 2*jsonSize(t.ID) + jsonSize(t.Not) + jsonSize(t.Only) + jsonSize(t.Again) + jsonSize(t.Visitor) + jsonSize(t.Agent)

	for _, list := range [...][]string{t.Candidates, t.skills(), t.tried} {
		for _, text := range list {
			size += jsonSize(text) + 1
		}
	}

	m.bytes += size - t.size
	t.size = size
}

// jsonSize is at least what JSON makes of a text.
func jsonSize(text string) int {
	if text == "" {
		return 0
	}

	const (
		quotes  = 2
		escaped = 6
	)

	size := quotes

	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			size += escaped
		default:
			size++
		}
	}

	return size
}
