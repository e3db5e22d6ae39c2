package desk

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	maxSlots     = 1000
	maxNameBytes = 80
	// skew is how far a platform's clock may go ahead and still be believed.
	skew = 5 * time.Second
)

// Refused says that a desk does not do what it was asked to, and why.
type Refused struct { //nolint:errname // the word of the API
	Reason string
}

// Error returns the reason.
func (r *Refused) Error() string { return r.Reason }

// errStranger says that nobody of this name stands on the desk.
var errStranger = errors.New("no agent of this desk")

// Reload takes a configuration over: what it says of an agent since it last
// changed goes before what was said later, agents that it no longer names are
// removed.
func (m *Machine) Reload(under policy.DeskSnapshot, now time.Time) {
	at := m.advance(now)
	m.Under = under

	named := make(map[string]bool, len(under.Agents))

	for i := range under.Agents {
		from := &under.Agents[i]
		named[from.ID] = true
		m.configure(from, at)
	}

	for _, a := range slices.Clone(m.staff) {
		if a.Origin == configured && a.Config != "" && !named[a.ID] {
			a.Config = ""
			m.remove(a)
		}
	}

	m.restaff()
}

func (m *Machine) configure(from *policy.DeskAgent, at stamp) {
	written, err := json.Marshal(from)
	if err != nil {
		written = []byte(from.ID)
	}

	mark := signals.DerivedID(string(written))

	a := m.seat(from.ID)
	if a.Config == mark {
		return
	}

	if a.Origin == stranger {
		a.Status, a.Idle = cmp.Or(from.Status, signals.AgentAccepting), at
		m.staff = append(m.staff, a)
	}

	back := a.Removed
	a.Origin, a.Config, a.Removed = configured, mark, false
	a.Name, a.Slots, a.Skills, a.Priority = signals.Cut(from.Name, maxNameBytes), from.Slots, skillSet(from.Skills), from.Priority

	if back && a.Status != signals.AgentOffline {
		m.tellBack(a)
	}
}

// seat returns an agent, and makes a stranger of somebody unknown.
func (m *Machine) seat(id string) *agent {
	a := m.agents[id]
	if a == nil {
		a = &agent{ID: id, Origin: stranger}
		m.agents[id] = a
	}

	return a
}

// restaff brings the order of the agents, and what follows from it, up to date.
func (m *Machine) restaff() {
	m.staff = m.staff[:0]
	m.agentBytes = 0

	// Sorted below.
	//workflowcheck:ignore
	for _, a := range m.agents {
		if a.Origin != stranger {
			m.staff = append(m.staff, a)
		}
	}

	slices.SortFunc(m.staff, func(a, b *agent) int { return cmp.Compare(a.ID, b.ID) })

	for i, a := range m.staff {
		a.place = i
		m.agentBytes += a.size()
	}

	m.generation++
	clear(m.classes)
}

// size is about what an agent takes as JSON.
func (a *agent) size() int {
	const fixed = 260

	size := fixed + jsonSize(a.ID) + jsonSize(a.Name)
	for _, skill := range a.Skills {
		size += jsonSize(skill) + 1
	}

	return size
}

// learns reports whether the desk takes agents from what the platform says: one
// whose configuration names none does.
func (m *Machine) learns() bool { return len(m.Under.Agents) == 0 }

// JudgeAgent tells whether [Machine.PutAgent] would take the word; its error is
// a *[signals.FieldError] or a *[Refused].
func (m *Machine) JudgeAgent(word signals.AgentWord) error {
	if err := judgeWord(&word); err != nil {
		return err
	}

	known := m.agents[word.ID]

	if fresh := known == nil || known.Origin == stranger; fresh && len(m.staff) >= maxAgents || m.agentBytes > maxAgentBytes {
		return &Refused{Reason: "the desk has as many agents as it can hold"}
	}

	return nil
}

// judgeWord checks a word by itself.
func judgeWord(word *signals.AgentWord) error {
	switch {
	case word.ID == "" || len(word.ID) > signals.MaxIDBytes:
		return &signals.FieldError{Field: "id", Reason: fmt.Sprintf("must be 1 to %d bytes", signals.MaxIDBytes)}
	case word.Slots != nil && (*word.Slots < 0 || *word.Slots > maxSlots):
		return &signals.FieldError{Field: "slots", Reason: fmt.Sprintf("must be from 0 to %d", maxSlots)}
	case word.Priority != nil && (*word.Priority < -maxPriority || *word.Priority > maxPriority):
		return &signals.FieldError{Field: "priority", Reason: fmt.Sprintf("must be from %d to %d", -maxPriority, maxPriority)}
	case len(word.Name) > maxNameBytes:
		return &signals.FieldError{Field: "name", Reason: fmt.Sprintf("must be at most %d bytes", maxNameBytes)}
	case len(word.Skills) > maxSkills:
		return &signals.FieldError{Field: "skills", Reason: fmt.Sprintf("must be at most %d", maxSkills)}
	}

	if slices.ContainsFunc(word.Skills, func(skill string) bool { return skill == "" || len(skill) > maxSkillBytes }) {
		return &signals.FieldError{Field: "skills", Reason: fmt.Sprintf("must be of 1 to %d bytes each", maxSkillBytes)}
	}

	switch word.Status {
	case "", signals.AgentAccepting, signals.AgentNotAccepting, signals.AgentOffline:
		return nil
	default:
		return &signals.FieldError{Field: "status", Reason: "must be accepting, not_accepting or offline"}
	}
}

// PutAgent enters what a command says of an agent, whom it makes if need be.
func (m *Machine) PutAgent(word signals.AgentWord, now time.Time) (signals.DeskAgent, error) {
	if err := m.JudgeAgent(word); err != nil {
		return signals.DeskAgent{}, err
	}

	at := m.advance(now)
	a := m.seat(word.ID)

	if a.Origin == stranger {
		a.Origin = put
		a.Status = signals.AgentAccepting
		m.join(a, at)
	}

	m.enterWord(a, &word, at)

	if a.Removed {
		a.Removed = false
		m.restaff()

		if a.Status != signals.AgentOffline {
			m.tellBack(a)
		}
	}

	return m.agentView(a), nil
}

// HearAgent enters what a platform says of an agent. Somebody unknown is taken in
// only where the desk learns its agents.
func (m *Machine) HearAgent(word signals.AgentWord, now time.Time) {
	word.Name = signals.Cut(word.Name, maxNameBytes)

	if word.Skills != nil {
		word.Skills = append([]string{}, skillSet(word.Skills)...)
	}

	if m.JudgeAgent(word) != nil {
		m.counts.Rejected++

		return
	}

	at := m.advance(now)

	a := m.agents[word.ID]
	if unknown := a == nil || a.Origin == stranger; unknown && (!m.learns() || word.Status == "") || !unknown && a.Removed {
		return
	}

	a = m.seat(word.ID)
	if a.Origin == stranger {
		a.Origin = learned
		a.Status = word.Status
		m.join(a, at)
	}

	m.enterWord(a, &word, at)
}

// join makes an agent of the desk's of a stranger.
func (m *Machine) join(a *agent, at stamp) {
	a.Slots, a.Idle = max(m.Under.Slots, 1), at
	m.restaff()
}

func (m *Machine) enterWord(a *agent, word *signals.AgentWord, at stamp) {
	if word.Name != "" {
		a.Name = word.Name
	}

	if word.Slots != nil {
		a.Slots = *word.Slots
	}

	if word.Priority != nil {
		a.Priority = *word.Priority
	}

	if skills := skillSet(word.Skills); word.Skills != nil && !slices.Equal(skills, a.Skills) {
		a.Skills = skills
		m.restaff()
	}

	if word.Status == "" {
		return
	}

	said := stampOf(word.At)

	switch {
	case word.At.IsZero() && m.Rules.lost: // somebody says so now, whatever a platform's clock was
		said = max(at, a.StatusAt)
	case said <= 0 || said > at.plus(skew):
		said = at
	}

	if said < a.StatusAt {
		return
	}

	a.StatusAt = said
	m.turn(a, word.Status, at)
}

// turn changes an agent's status, and tells those whom it concerns.
func (m *Machine) turn(a *agent, status string, at stamp) {
	before := a.Status
	a.Status = status

	if status != signals.AgentAccepting {
		m.dropSaved(a)
	}

	if before != signals.AgentAccepting && status == signals.AgentAccepting && len(a.has) == 0 {
		a.Idle = at
	}

	switch {
	case a.Removed:
	case status == signals.AgentOffline:
		m.tellGone(a)
	default:
		m.tellBack(a)
	}
}

// RemoveAgent takes an agent off the desk. Whoever it has is told; what it has
// stays with it until the conversation decides. Nobody of the name is a
// *[Refused].
func (m *Machine) RemoveAgent(id string, now time.Time) (signals.DeskAgent, error) {
	if err := m.JudgeRemoval(id); err != nil {
		return signals.DeskAgent{}, err
	}

	m.advance(now)

	a := m.agents[id]
	m.remove(a)
	view := m.agentView(a)
	m.restaff()

	return view, nil
}

// JudgeRemoval tells whether [Machine.RemoveAgent] would do it.
func (m *Machine) JudgeRemoval(id string) error {
	if a := m.agents[id]; a == nil || a.Origin == stranger || a.Removed {
		return &Refused{Reason: errStranger.Error()}
	}

	return nil
}

func (m *Machine) remove(a *agent) {
	a.Removed = true
	m.dropSaved(a)
	m.tellGone(a)
	m.retire(a)
}

// retire forgets who has left and has nothing any more. Those whom the
// configuration names are kept, so that they do not come back with it.
func (m *Machine) retire(a *agent) {
	if len(a.has) > 0 || a.Origin != stranger && (!a.Removed || a.Config != "") {
		return
	}

	delete(m.agents, a.ID)

	if a.Origin != stranger {
		m.restaff()
	}
}

// mine are the conversations that an agent has, by their ids.
func (a *agent) mine() []*talk {
	return slices.SortedFunc(slices.Values(a.has), func(x, y *talk) int { return cmp.Compare(x.ID, y.ID) })
}

func (m *Machine) tellGone(a *agent) {
	for _, t := range a.mine() {
		if t.AgentGone || t.Stage == reserved {
			continue
		}

		t.AgentGone = true
		t.Owes &^= owesBack
		m.owe(t, owesGone)
	}
}

func (m *Machine) tellBack(a *agent) {
	for _, t := range a.mine() {
		if !t.AgentGone {
			continue
		}

		t.AgentGone = false

		if t.Owes&owesGone != 0 {
			t.Owes &^= owesGone

			continue
		}

		m.owe(t, owesBack)
	}
}
