package desk

import (
	"cmp"
	"slices"
	"time"
)

// A conversation whose agent is silent or gone asks whether another one is free,
// and stays where it is if none is. On a busy desk none ever would be: whoever is
// in line gets each slot at once. So the desk remembers who asked, and saves them
// the first slot that becomes free.

// savedFor is how long a slot is kept until the conversation says that it takes
// it, by asking for an agent.
const savedFor = 15 * time.Second

// save keeps slots for those who are stuck, the longest first, and tells them.
func (m *Machine) save(at stamp) {
	if !m.Rules.saves || m.free == 0 {
		return
	}

	var stuck []*talk

	// Sorted below.
	//workflowcheck:ignore
	for _, a := range m.agents {
		for _, t := range a.has {
			if t.Stuck && t.Stage == held {
				stuck = append(stuck, t)
			}
		}
	}

	slices.SortFunc(stuck, func(a, b *talk) int {
		return cmp.Or(-cmp.Compare(a.priority(), b.priority()), cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID))
	})

	for _, t := range stuck {
		if m.free == 0 {
			return
		}

		a := m.choose(m.others(t, at), "")
		if a == nil {
			continue
		}

		t.Stuck, t.Saved, t.SavedUntil = false, a.ID, at.plus(savedFor)
		a.saved++

		if !a.hasRoom(at) {
			m.free--
		}

		m.owe(t, owesFree)
	}
}

// lapseSaved gives back slots that were kept in vain; it reports whether there was
// one.
func (m *Machine) lapseSaved(at stamp) bool {
	return m.unsaveAll(func(t *talk) bool { return t.SavedUntil <= at }, false)
}

// dropSaved gives back what is kept of an agent who takes nothing any more: who
// counted on it is as stuck as before.
func (m *Machine) dropSaved(a *agent) {
	m.unsaveAll(func(t *talk) bool { return t.Saved == a.ID }, true)
}

// unsaveAll gives back slots, and reports whether there was one.
func (m *Machine) unsaveAll(which func(t *talk) bool, stuck bool) bool {
	found := false

	// All of them, in whatever order.
	//workflowcheck:ignore
	for _, a := range m.agents {
		for _, t := range a.has {
			if t.Saved == "" || !which(t) {
				continue
			}

			m.unsave(t)

			t.Stuck, found = stuck, true
		}
	}

	return found
}

// nextSaved adds what those who are stuck wait for, and when a slot is kept no
// longer; it reports whether anybody is stuck.
func (m *Machine) nextSaved(next *nearest, now time.Time) bool {
	var (
		stuck         bool
		skills, saved = nearest{after: next.after}, nearest{after: next.after}
		wait          = m.Under.SkillWait.Std()
	)

	// The least of all, in whatever order.
	//workflowcheck:ignore
	for _, a := range m.agents {
		for _, t := range a.has {
			stuck = stuck || t.Stuck
			saved.add(t.SavedUntil, "")

			if t.Stuck && wait > 0 {
				skills.add(t.From.plus(wait), "")
			}
		}
	}

	next.add(saved.at, "saved slot")
	next.add(skills.at, "skills")

	if change, ok := m.Under.Hours.Change(now); stuck && ok {
		next.add(stampOf(change.Add(time.Millisecond-1)), "hours")
	}

	return stuck
}

// unsave gives a slot that was kept for a conversation to whoever is next.
func (m *Machine) unsave(t *talk) {
	if t.Saved == "" {
		return
	}

	if a := m.agents[t.Saved]; a != nil { // who has left since has no slots
		a.saved = max(a.saved-1, 0)
	}

	t.Saved, t.SavedUntil = "", 0
}
