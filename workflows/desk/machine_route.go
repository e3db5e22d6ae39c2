package desk

import (
	"cmp"
	"slices"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// class is a set of agents who may have a conversation: those with the skills,
// or those named. Many conversations share one.
type class struct {
	agents []*agent
	// bits has one for each of them, by their places.
	bits []uint64
}

// classMark tells when a talk's class has to be made anew.
type classMark struct {
	generation int
	anySkill   bool
}

// maxClasses bounds how many classes are kept; more are made again.
const maxClasses = 512

// classFor returns the agents who may have a conversation, whatever they do now.
func (m *Machine) classFor(t *talk, at stamp) *class {
	mark := classMark{generation: m.generation, anySkill: m.anySkill(t, at)}
	if t.class == nil || t.classOf != mark {
		t.class, t.classOf = m.makeClass(t.skills(), mark.anySkill, t.Only, t.Candidates), mark
	}

	return t.class
}

func (m *Machine) makeClass(skills []string, anySkill bool, only string, candidates []string) *class {
	if anySkill {
		skills = nil
	}

	key := strings.Join(skills, "\x00") + "\x01" + only + "\x01" + strings.Join(candidates, "\x00")
	if known := m.classes[key]; known != nil {
		return known
	}

	const word = 64

	made := &class{bits: make([]uint64, len(m.staff)/word+1)}

	for _, a := range m.staff {
		if a.Removed || only != "" && a.ID != only || len(candidates) > 0 && !contains(candidates, a.ID) || !a.knows(skills) {
			continue
		}

		made.agents = append(made.agents, a)
		made.bits[a.place/word] |= 1 << (a.place % word)
	}

	if len(m.classes) >= maxClasses {
		clear(m.classes)
	}

	m.classes[key] = made

	return made
}

// meets reports whether two classes have an agent in common.
func (c *class) meets(other *class) bool {
	for i, bits := range c.bits {
		if i < len(other.bits) && bits&other.bits[i] != 0 {
			return true
		}
	}

	return false
}

func contains(sorted []string, id string) bool {
	_, found := slices.BinarySearch(sorted, id)

	return found
}

func (t *talk) skills() []string {
	if t.terms == nil {
		return nil
	}

	return t.terms.Skills
}

// knows reports whether an agent has all of these skills.
func (a *agent) knows(skills []string) bool {
	for _, skill := range skills {
		if !contains(a.Skills, skill) {
			return false
		}
	}

	return true
}

// anySkill reports whether the wait is so long that skills no longer count.
func (m *Machine) anySkill(t *talk, at stamp) bool {
	wait := m.Under.SkillWait.Std()

	since := t.Since
	if t.Insisted > 0 {
		since = min(since, t.Insisted)
	}

	return wait > 0 && len(t.skills()) > 0 && at >= since.plus(wait)
}

// insist remembers since when an agent had what was taken from them now: for so
// long its skills have been insisted on.
func (m *Machine) insist(t, before *talk) {
	if m.Rules.saves && before.Stage == held && t.Head {
		t.Insisted = before.From
	}
}

func (a *agent) accepts() bool {
	return !a.Removed && a.Status == signals.AgentAccepting && a.Slots > 0
}

// hasRoom reports whether an agent can take one more now.
func (a *agent) hasRoom(at stamp) bool {
	return a.accepts() && len(a.has)+a.saved < a.Slots && a.Wrapup <= at
}

// pick chooses the agent who is asked next, nil if nobody can be.
func (m *Machine) pick(t *talk, at stamp) *agent {
	if m.free == 0 || len(t.tried) >= maxTried {
		return nil
	}

	var able, last []*agent

	for _, a := range m.classFor(t, at).agents {
		switch {
		case !a.hasRoom(at) || slices.Contains(t.tried, a.ID):
		case a.ID == t.Not:
			last = append(last, a)
		default:
			able = append(able, a)
		}
	}

	if len(able) == 0 || m.wanted(t, last) {
		able = last
	}

	if i := slices.IndexFunc(able, func(a *agent) bool { return t.answered && a.ID == t.choice }); i >= 0 {
		return able[i]
	}

	if i := slices.IndexFunc(able, func(a *agent) bool { return m.Rules.again && a.ID == t.Again }); i >= 0 {
		return able[i]
	}

	return m.choose(able, t.Visitor)
}

// choose applies what the policy says to those who can.
func (m *Machine) choose(able []*agent, visitor string) *agent {
	if len(able) == 0 {
		return nil
	}

	if last := m.lastOf(visitor); last != "" {
		if i := slices.IndexFunc(able, func(a *agent) bool { return a.ID == last }); i >= 0 {
			return able[i]
		}
	}

	switch m.Under.Strategy {
	case policy.StrategyRoundRobin:
		if i := slices.IndexFunc(able, func(a *agent) bool { return a.ID > m.cursor }); i >= 0 {
			return able[i]
		}

		return able[0]
	case policy.StrategyLongestIdle:
		return slices.MinFunc(able, byIdle)
	case policy.StrategyPriority:
		return slices.MinFunc(able, func(a, b *agent) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), byLoad(a, b)) })
	case policy.StrategyLeastBusy:
	}

	return slices.MinFunc(able, byLoad)
}

// byLoad compares parts of the slots, so that who has many gets more.
func byLoad(a, b *agent) int {
	return cmp.Or(cmp.Compare(len(a.has)*b.Slots, len(b.has)*a.Slots), byIdle(a, b))
}

// byIdle puts those who have nothing first, the longest first; then those who
// were given nothing for the longest time.
func byIdle(a, b *agent) int {
	if nothing := cmp.Compare(min(len(a.has), 1), min(len(b.has), 1)); nothing != 0 {
		return nothing
	}

	if len(a.has) == 0 {
		return cmp.Or(cmp.Compare(a.Idle, b.Idle), cmp.Compare(a.ID, b.ID))
	}

	return cmp.Or(cmp.Compare(a.Assigned, b.Assigned), cmp.Compare(a.ID, b.ID))
}

// remember keeps whom a visitor had last, where the policy wants to know.
func (m *Machine) remember(visitor, who string) {
	if visitor == "" || !m.Under.PreferLast {
		return
	}

	m.visits = slices.DeleteFunc(m.visits, func(v visit) bool { return v.Visitor == visitor })
	m.visits = append(m.visits, visit{Visitor: visitor, Agent: who})

	const fixed = 30

	kept, size := len(m.visits), 0
	for size <= maxListBytes && kept > max(0, len(m.visits)-maxVisits) {
		kept--
		size += jsonSize(m.visits[kept].Visitor) + jsonSize(m.visits[kept].Agent) + fixed
	}

	m.visits = m.visits[kept:]
}

func (m *Machine) lastOf(visitor string) string {
	if visitor == "" || !m.Under.PreferLast {
		return ""
	}

	for i := range m.visits {
		if m.visits[i].Visitor == visitor {
			return m.visits[i].Agent
		}
	}

	return ""
}

// another reports whether an accepting agent other than the one who has it could
// take a conversation now.
func (m *Machine) another(t *talk, at stamp) bool { return t.Saved != "" || len(m.others(t, at)) > 0 }

// others are those agents. Whom a silent agent has had for as long as skills are
// insisted on needs only somebody.
func (m *Machine) others(t *talk, at stamp) []*agent {
	var able []*agent

	skills := t.skills()
	if wait := m.Under.SkillWait.Std(); m.Rules.saves && wait > 0 && at >= t.From.plus(wait) {
		skills = nil
	}

	for _, a := range m.staff {
		if a.ID != t.Agent && a.hasRoom(at) && a.knows(skills) {
			able = append(able, a)
		}
	}

	return able
}
