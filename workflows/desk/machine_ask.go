package desk

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Bounds of what one conversation may ask for.
const (
	maxSkills         = 20
	maxSkillBytes     = 64
	maxCandidates     = 50
	maxCandidateBytes = 2 << 10
	maxRounds         = 100
	maxPriority       = 1000
	maxPolicyTime     = 24 * time.Hour
	// maxTried ends a round: nobody waits until hundreds have declined.
	maxTried = 64
	// againAfter is the least time from one none to the next.
	againAfter = 15 * time.Second
)

// Apply takes one statement in. [Machine.Settle] must follow when the batch is
// through.
func (m *Machine) Apply(ask signals.Ask, now time.Time) {
	at := m.advance(now)
	m.counts.Asks++

	id, ok := m.admit(&ask)
	if !ok {
		m.counts.Rejected++

		return
	}

	t := m.talks[id]

	switch {
	case t == nil:
		if t = m.meet(id, &ask); t == nil {
			return
		}

		m.state(t, &ask, at)
	case ask.Session < t.Session || ask.Session == t.Session && ask.Number < t.Number:
		m.counts.Old++

		return
	case ask.Session == t.Session && ask.Number == t.Number:
		m.counts.Repeated++
		m.hear(t, at)
		m.again(t, &ask, at)
	default:
		m.state(t, &ask, at)
	}

	m.found(id)

	if ask.Wants && m.talks[id] == t {
		m.owe(t, owesFree)
	}
}

// admit checks a statement by itself, and returns whose it is.
func (m *Machine) admit(ask *signals.Ask) (string, bool) {
	if !signals.ValidName(ask.Key.Source) || ask.Key.Conversation == "" || ask.Session < 0 || ask.Number < 0 || ask.Attempt < 0 ||
		len(ask.Agent) > signals.MaxIDBytes {
		return "", false
	}

	switch ask.Kind {
	case signals.AskRequest, signals.AskDeclined, signals.AskExpired, signals.AskAccepted, signals.AskRelease:
	default:
		return "", false
	}

	if ask.Need != nil && max(len(ask.Need.Not), len(ask.Need.Only), len(ask.Need.Again)) > signals.MaxIDBytes {
		return "", false
	}

	id, err := idOf(ask.Key)

	return id, err == nil
}

// meet makes a talk for a conversation that the desk does not know, if there is
// room.
func (m *Machine) meet(id string, ask *signals.Ask) *talk {
	live := len(m.talks) - len(m.overs.list)

	switch {
	case ask.Kind == signals.AskAccepted && ask.Agent == "":
		m.counts.Rejected++

		return nil
	case ask.Kind == signals.AskAccepted || ask.Kind == signals.AskRelease:
		if live >= maxTalks || m.bytes > maxTalkBytes {
			m.counts.Full++

			return nil
		}
	case live >= maxRequests || m.bytes > maxRequestBytes:
		m.refuse(id, ask)

		return nil
	}

	t := &talk{ID: id}
	m.talks[id] = t

	return t
}

// refuse answers that there is no room.
func (m *Machine) refuse(id string, ask *signals.Ask) {
	m.counts.Full++

	const fixed = 60

	if len(m.refused) < maxRefused && m.refusedBytes < maxListBytes {
		m.refused = append(m.refused, turned{ID: id, Session: ask.Session, Number: ask.Number, Attempt: ask.Attempt})
		m.refusedBytes += jsonSize(id) + fixed
	}
}

// hear notes that a conversation said something.
func (m *Machine) hear(t *talk, at stamp) {
	if t.Stage == over {
		m.overs.remove(t)
		defer m.overs.insert(t)
	}

	t.Heard, t.Checked, t.Checks = at, 0, 0
	t.Owes &^= owesCheck
}

// again takes a statement that was made before: an offer that it does not know
// goes out once more. It may know of one that the desk does not know, which began
// anew since: then it has not heard what was said after that.
func (m *Machine) again(t *talk, ask *signals.Ask, at stamp) {
	ahead := ask.Attempt > t.Attempt
	t.Attempt = max(t.Attempt, ask.Attempt)

	if !ask.Wants { // it has no use for another agent any more
		m.unsave(t)

		t.Stuck = false
	}

	switch {
	case ahead && (t.Stage == waiting || t.Stage == offered):
		m.leave(t)
		t.begin()
		t.Unheard = true
		m.enter(t)
	case t.Stage == offered && ask.Attempt < t.Attempt:
		t.Until = m.until(t, at)
		m.owe(t, owesOffer)
	}
}

// state takes a new statement in.
func (m *Machine) state(t *talk, ask *signals.Ask, at stamp) {
	who := ask.Agent
	if ask.Kind == signals.AskAccepted && who == "" {
		who = t.Agent
	}

	if ask.Kind == signals.AskAccepted && who == "" {
		m.counts.Rejected++

		return
	}

	m.hear(t, at)
	t.listen(ask, m.Rules.unheard && stampOf(ask.At) < m.measured.Began)

	// What it was to be told answers what it said before.
	unsaid := t.Owes
	t.Owes, t.flying, t.Stuck = 0, 0, false
	m.unsave(t)
	seen := ask.Attempt > 0 && ask.Attempt == t.Attempt
	another := ask.Session != t.Session
	attempt := t.Attempt
	t.Session, t.Number, t.Attempt = ask.Session, ask.Number, max(t.Attempt, ask.Attempt)

	switch ask.Kind {
	case signals.AskRequest:
		m.request(t, ask, unsaid, seen, another, at)
	case signals.AskDeclined, signals.AskExpired:
		m.declined(t, ask, attempt, another, at)
	case signals.AskAccepted:
		m.accepted(t, who, ask, at)
	case signals.AskRelease:
		m.released(t, at)
	}

	m.weigh(t)

	if t.inLine() && m.bytes > maxTalkBytes {
		m.forget(t)
		m.refuse(t.ID, ask)
	}
}

// listen finds out what went unheard: what a desk that began anew says beside an
// invitation of the desk before it. With the next statement all is said anew. An
// invitation of a desk before this one may still be on its way, with the number of
// one that this desk makes: a statement that is older than the desk tells of it.
func (t *talk) listen(ask *signals.Ask, older bool) {
	fresh := t.Stage == "" && (ask.Attempt > 0 || older)
	if t.Unheard || !fresh && ask.Attempt > t.Attempt {
		t.begin()
	}

	t.Unheard = fresh
}

// request: it has no agent and needs one.
func (m *Machine) request(t *talk, ask *signals.Ask, unsaid owed, seen, another bool, at stamp) {
	before := *t
	needed := m.needs(ask, at)
	same := !another && m.keepsRounds(t, &needed)
	goesOn := !another && (t.Stage == waiting || t.Stage == offered)

	if !another && !alike(t, &needed) {
		t.Guess = -1
	}

	m.leave(t)
	t.need(&needed)

	m.insist(t, &before)

	switch {
	case !goesOn:
		t.begin()
		t.Asked, t.First, t.Guess = at, 0, 0
	case !same:
		t.begin()
	case unsaid&(owesRound|owesNone) != 0:
		m.owe(t, unsaid&(owesRound|owesNone))
	case before.Told != "":
		// Fresh rounds, after a pause: only who was not asked yet is asked at once.
		t.Told, t.Round, t.RoundTold = "", 1, 0
		t.Rest = t.NoneAt.plus(max(t.terms.Pause, againAfter))
	case before.Stage == offered && seen:
		t.try(before.Agent)
	}

	if before.Stage == reserved {
		m.confirm(t, before.Agent, before.Until, at)

		return
	}

	m.enter(t)
}

// declined: an agent does not want it or let the time pass; it still needs one.
// Attempt was the desk's newest offer.
func (m *Machine) declined(t *talk, ask *signals.Ask, attempt int64, another bool, at stamp) {
	who := ask.Agent
	if who == "" && ask.Attempt == attempt && t.Stage == offered {
		who = t.Agent
	}

	goesOn := !another && (t.Stage == waiting || t.Stage == offered)
	needed := m.needs(ask, at)
	changed := ask.Need != nil && !alike(t, &needed) || t.terms == nil
	anew := changed && !m.keepsRounds(t, &needed)

	m.leave(t)

	if !goesOn {
		t.begin()
		t.Asked, t.First, t.Guess = at, 0, 0
	}

	if changed || !goesOn {
		t.need(&needed)
	}

	if anew && goesOn {
		t.begin()
	}

	t.try(who)
	m.enter(t)
}

// accepted: an agent has it, offered or not, as was said then.
func (m *Machine) accepted(t *talk, who string, ask *signals.Ask, at stamp) {
	m.measureWait(t, at)
	m.counts.Accepted++

	if t.takesSlot() && t.Agent == who {
		t.Stage, t.Until = held, 0
	} else {
		if t.Stage == held {
			m.measured.freed()
		}

		m.leave(t)
		m.occupy(t, who, held, at)
		m.seat(who).Assigned = at
	}

	m.remember(t.Visitor, who)
	t.begin()
	t.Insisted = 0
	t.Asked, t.First, t.Guess, t.AgentGone = 0, 0, 0, false

	// What the conversation was told before, it may have passed on the way. Who
	// takes a conversation is there; who is given it need not be.
	if a := m.seat(who); a.Removed || a.Status == signals.AgentOffline && (a.StatusAt > stampOf(ask.At) || m.Rules.given && ask.Given) {
		t.AgentGone = true
		m.owe(t, owesGone)
	}
}

// released: it needs nothing.
func (m *Machine) released(t *talk, at stamp) {
	if t.Stage == held {
		m.measured.freed()
		m.seat(t.Agent).Wrapup = at.plus(m.Under.Wrapup.Std())
	}

	m.leave(t)
	m.close(t)
}

// begin starts the rounds anew.
func (t *talk) begin() {
	t.Round, t.tried, t.Rest, t.Told, t.NoneAt, t.RoundTold = 1, nil, 0, "", 0, 0
}

// try enters that an agent did not take it in this round.
func (t *talk) try(who string) {
	if who != "" && !slices.Contains(t.tried, who) {
		t.tried = append(t.tried, who)
	}
}

// need enters what it asks for.
func (t *talk) need(n *talk) {
	t.terms, t.Since, t.Head, t.Not, t.Only, t.Again, t.Visitor = n.terms, n.Since, n.Head, n.Not, n.Only, n.Again, n.Visitor
	t.Candidates, t.class = n.Candidates, nil
}

// keepsRounds reports whether the rounds go on under another need: the same agents
// may be asked.
func (m *Machine) keepsRounds(t, needed *talk) bool {
	return alike(t, needed) || m.Rules.urgent && sameAgents(t, needed)
}

// sameAgents reports whether two needs are met by the same agents.
func sameAgents(a, b *talk) bool {
	return a.terms != nil && a.Only == b.Only && slices.Equal(a.Candidates, b.Candidates) &&
		(a.terms == b.terms || slices.Equal(a.terms.Skills, b.terms.Skills))
}

// alike reports whether two needs are met by the same agents in the same order.
func alike(a, b *talk) bool {
	return sameAgents(a, b) && a.Head == b.Head && a.Not == b.Not && a.terms.Priority == b.terms.Priority
}

// needs returns what a statement asks for, as the need of a talk, within bounds.
func (m *Machine) needs(ask *signals.Ask, at stamp) talk {
	asked := ask.Need
	if asked == nil {
		asked = &signals.Need{Rounds: 1}
	}

	bounded := func(d time.Duration) time.Duration { return min(max(d, 0), maxPolicyTime) }
	n := talk{
		Since: stampOf(asked.Since), Head: asked.Head, Not: asked.Not, Only: asked.Only, Again: asked.Again,
		terms: m.intern(terms{
			Skills: skillSet(asked.Skills), Priority: min(max(asked.Priority, -maxPriority), maxPriority),
			Timeout: bounded(asked.Timeout), Rounds: min(max(asked.Rounds, 1), maxRounds), Pause: bounded(asked.Pause),
		}),
	}

	if n.Since <= 0 {
		n.Since = stampOf(ask.At)
	}

	if n.Since <= 0 || n.Since > at {
		n.Since = at
	}

	if asked.Visitor != "" {
		n.Visitor = signals.RememberedID(asked.Visitor)
	}

	size := 0

	for i := range asked.Candidates {
		id := asked.Candidates[i].AgentID
		if size += jsonSize(id); id == "" || len(n.Candidates) == maxCandidates || size > maxCandidateBytes {
			continue
		}

		n.Candidates = append(n.Candidates, id)
	}

	slices.Sort(n.Candidates)
	n.Candidates = slices.Compact(n.Candidates)

	return n
}

// skillSet returns skills sorted, each once, within bounds.
func skillSet(skills []string) []string {
	var out []string

	for _, skill := range skills {
		if skill != "" && len(skill) <= maxSkillBytes {
			out = append(out, skill)
		}
	}

	slices.Sort(out)
	out = slices.Compact(out)

	return out[:min(len(out), maxSkills)]
}

// Reject counts what could not be read.
func (m *Machine) Reject() { m.counts.Rejected++ }
