package desk

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// reservedFor is how long an agent who was chosen at once has a slot reserved
	// until the platform says that the invitation was accepted.
	reservedFor = 30 * time.Second
	// maxChoices and maxQuestions bound what is chosen or asked in one go.
	maxChoices   = 200
	maxQuestions = 50
)

// Choice asks the configured webhook who shall have each of some conversations.
type Choice struct {
	Desk string      `json:"desk"`
	Asks []ChoiceFor `json:"asks"`
}

// ChoiceFor is one conversation and the agents who can have it, in the order of
// their ids.
type ChoiceFor struct {
	Key        signals.Key         `json:"key"`
	Session    int                 `json:"session"`
	Since      time.Time           `json:"since"`
	Skills     []string            `json:"skills,omitempty"`
	Priority   int                 `json:"priority,omitempty"`
	Candidates []signals.DeskAgent `json:"candidates"`
}

// asked is a conversation that the webhook is being asked about.
type asked struct {
	talk    *talk
	session int
	number  int64
	// not: it may answer with whom the conversation was taken from.
	not bool
}

// asksFirst reports whether the webhook is to be asked before a talk is offered.
// No more are asked about at a time than there are agents to be had.
func (m *Machine) asksFirst(t *talk) bool {
	if !m.Under.Asks || t.answered {
		return false
	}

	if !t.asking && m.asking < min(m.free, maxQuestions) {
		t.asking = true
		m.asking++
	}

	return true
}

// TakeChoice returns what the webhook is to be asked, nil if there is nothing, or
// if an answer is still awaited. Say [Machine.Answered] when it is there.
func (m *Machine) TakeChoice(now time.Time) *Choice {
	if m.asking == 0 || len(m.question) > 0 {
		return nil
	}

	at := m.advance(now)
	choice := &Choice{Desk: m.Under.Desk}

	for _, t := range m.line.list {
		if !t.asking || len(choice.Asks) == maxQuestions {
			continue
		}

		candidates := m.candidates(t, at)
		not := slices.ContainsFunc(candidates, func(a signals.DeskAgent) bool { return a.ID == t.Not })

		m.question = append(m.question, asked{talk: t, session: t.Session, number: t.Number, not: not})
		choice.Asks = append(choice.Asks, ChoiceFor{
			Key: t.key(), Session: t.Session, Since: t.Since.time(), Skills: t.skills(), Priority: t.priority(),
			Candidates: candidates,
		})
	}

	if len(choice.Asks) == 0 {
		return nil
	}

	return choice
}

func (m *Machine) candidates(t *talk, at stamp) []signals.DeskAgent {
	out := []signals.DeskAgent{}

	for _, a := range m.classFor(t, at).agents {
		if a.hasRoom(at) && !slices.Contains(t.tried, a.ID) && len(out) < maxCandidates {
			out = append(out, m.agentView(a))
		}
	}

	return out
}

// Answered takes in what the webhook said, in the order of the questions; an
// empty id, or too few of them, leaves it to the desk. Settle must follow.
func (m *Machine) Answered(agents []string, now time.Time) {
	m.advance(now)

	for i, was := range m.question {
		t := was.talk
		if !t.asking || m.talks[t.ID] != t || t.Session != was.session || t.Number != was.number {
			continue
		}

		t.asking, t.answered = false, true
		m.asking--

		if i < len(agents) && (was.not || agents[i] != t.Not) {
			t.choice = agents[i]
		}
	}

	m.question = nil
}

// wanted reports whether the webhook named whom the conversation was taken from, and
// who can have it.
func (m *Machine) wanted(t *talk, last []*agent) bool {
	return m.Rules.not && t.answered && t.choice == t.Not && len(last) > 0
}

// JudgeChoices tells whether [Machine.Choose] would do it; its error is a
// *[signals.FieldError].
func (m *Machine) JudgeChoices(choices signals.Choices) error {
	if len(choices.Choices) > maxChoices {
		return &signals.FieldError{Field: "choices", Reason: "must be at most " + itoa(maxChoices)}
	}

	return nil
}

// Choose gives each conversation one of the agents whom its platform names, at
// once, and reserves a slot until the platform says that it was accepted. Who was
// chosen before is chosen again, unless the platform was told and asks anew.
func (m *Machine) Choose(choices signals.Choices, now time.Time) (signals.Chosen, error) {
	if err := m.JudgeChoices(choices); err != nil {
		return signals.Chosen{}, err
	}

	at := m.advance(now)
	m.lapse(at)

	chosen := signals.Chosen{Agents: make([]string, len(choices.Choices))}

	for i := range choices.Choices {
		chosen.Agents[i] = m.chooseOne(&choices.Choices[i], now, at)
	}

	return chosen, nil
}

func (m *Machine) chooseOne(ask *signals.ChoiceAsk, now time.Time, at stamp) string {
	id, err := idOf(ask.Key)
	if err != nil || !signals.ValidName(ask.Key.Source) || ask.Key.Conversation == "" ||
		max(len(ask.Candidates), len(ask.Named)) > maxAgents {
		return ""
	}

	t := m.talks[id]
	failed := m.failed(ask, t)

	if t != nil && t.takesSlot() && !failed {
		return nameable(ask, t.Agent)
	}

	if !m.Under.Hours.Open(now) || m.settles(at) || m.stopped {
		return ""
	}

	a := m.chooseFor(ask, t, failed, at)

	switch {
	case a != nil:
		return m.give(t, id, a, at)
	case !failed:
		return ""
	}

	// Nobody else is there.
	who := nameable(ask, t.Agent)
	if who != "" && t.Stage == reserved {
		t.Until = at.plus(reservedFor)
	}

	return who
}

// give offers a conversation to an agent if it asked for one, else it reserves the
// slot; "" if there is no room.
func (m *Machine) give(t *talk, id string, a *agent, at stamp) string {
	if t != nil && (t.inLine() || t.Stage == offered) {
		was := t.Agent
		m.leave(t)
		t.try(was)
		m.offer(t, a, at)
		t.Until = at.plus(reservedFor)

		return a.ID
	}

	if !m.reserve(t, id, a, at) {
		return ""
	}

	return a.ID
}

// failed reports whether the platform asks anew because the one whom it was told,
// for whom a slot is held, did not take the conversation. Whom the desk offered it
// to by itself the platform does not know of yet.
func (m *Machine) failed(ask *signals.ChoiceAsk, t *talk) bool {
	return m.Rules.named && t != nil && (t.Stage == reserved || t.Stage == offered) && slices.Contains(ask.Named, t.Agent)
}

// nameable is the agent if the platform takes that one for an answer, else "".
func nameable(ask *signals.ChoiceAsk, who string) string {
	if slices.ContainsFunc(ask.Candidates, func(c signals.Candidate) bool { return c.AgentID == who }) {
		return who
	}

	return ""
}

// chooseFor chooses among those whom the platform was not told before. Once it was told
// all of them it begins again, with the last one last.
func (m *Machine) chooseFor(ask *signals.ChoiceAsk, t *talk, failed bool, at stamp) *agent {
	able := m.able(ask, t, at)
	if !m.Rules.named || len(ask.Named) == 0 {
		return m.choose(able, visitorOf(t))
	}

	left := without(able, ask.Named)
	last := ask.Named[len(ask.Named)-1:]

	switch {
	case len(left) > 0:
	case failed: // the next one is asked, be it in another round
		tried := t.tried
		t.tried = nil

		if left = without(without(m.able(ask, t, at), last), []string{t.Agent}); len(left) == 0 {
			t.tried = tried
		}
	default:
		if left = without(able, last); len(left) == 0 {
			left = able
		}
	}

	return m.choose(left, visitorOf(t))
}

func without(agents []*agent, ids []string) []*agent {
	return slices.DeleteFunc(slices.Clone(agents), func(a *agent) bool { return slices.Contains(ids, a.ID) })
}

// reserve takes an agent's slot for a conversation that asked for nothing yet, if
// there is room.
func (m *Machine) reserve(t *talk, id string, a *agent, at stamp) bool {
	if t == nil {
		if len(m.talks)-len(m.overs.list) >= maxRequests || m.bytes > maxRequestBytes {
			return false
		}

		t = &talk{ID: id, Heard: at}
		m.talks[id] = t
	}

	m.leave(t)
	m.occupy(t, a.ID, reserved, at)
	t.Until = at.plus(reservedFor)
	a.Assigned, m.cursor = at, a.ID
	m.weigh(t)

	return true
}

func visitorOf(t *talk) string {
	if t == nil {
		return ""
	}

	return t.Visitor
}

// able returns those of the platform's candidates whom the desk can give it to.
func (m *Machine) able(ask *signals.ChoiceAsk, t *talk, at stamp) []*agent {
	var out []*agent

	skills := skillSet(ask.Skills)

	for i := range ask.Candidates {
		candidate := &ask.Candidates[i]
		a := m.candidate(candidate, at)

		if a == nil || !a.hasRoom(at) || !a.knows(skills) || slices.Contains(out, a) || t != nil && slices.Contains(t.tried, a.ID) ||
			candidate.Capacity != nil && candidate.Load != nil && *candidate.Load >= *candidate.Capacity {
			continue
		}

		out = append(out, a)
	}

	slices.SortFunc(out, func(a, b *agent) int { return a.place - b.place })

	return out
}

// candidate returns the agent of that name, whom a desk that learns its agents
// takes in: the platform offers nobody who does not accept.
func (m *Machine) candidate(candidate *signals.Candidate, at stamp) *agent {
	a := m.agents[candidate.AgentID]
	if a != nil && a.Origin != stranger {
		return a
	}

	word := signals.AgentWord{ID: candidate.AgentID, Status: signals.AgentAccepting}
	if !m.learns() || m.JudgeAgent(word) != nil {
		return nil
	}

	a = m.seat(candidate.AgentID)
	a.Origin, a.Status = learned, signals.AgentAccepting
	m.join(a, at)
	a.Skills = skillSet(candidate.Skills)

	if candidate.Capacity != nil {
		a.Slots = int(min(max(*candidate.Capacity, 0), maxSlots))
	}

	m.restaff()

	return a
}
