package desk

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// Bounds of a desk. A run that is started with more than 2 MB fails for ever, so
// that conversations are counted in bytes of JSON, too.
const (
	maxTalks     = 5000
	maxTalkBytes = 1300 << 10
	// maxRequests is how many a new request may find: what agents have is fact
	// and finds room beyond it.
	maxRequests     = 4000
	maxRequestBytes = 1150 << 10
	// maxOver and overFor are how many numbers of what is over are remembered,
	// and how long.
	maxOver = 1000
	overFor = time.Hour

	maxAgents     = 600
	maxAgentBytes = 300 << 10
	maxRefused    = 500
	maxVisits     = 1000
	// maxListBytes bounds each of the lists of what is refused, visited, sought.
	maxListBytes = 100 << 10
)

// Machine decides for one desk. It is pure: time comes in as an argument, effects
// go out as data, and nothing else is read.
//
// The machine is workflow code: a change that decides differently needs a new
// version, or open runs no longer replay.
type Machine struct {
	// Under is the configuration that the desk follows.
	Under policy.DeskSnapshot
	// Rules are the newest, unless a run that began earlier has others.
	Rules Rules

	agents map[string]*agent
	// staff are the agents in the order of their ids.
	staff []*agent
	talks map[string]*talk
	line  ordered
	overs ordered
	// busy counts slots taken, from sums up since when.
	busy  int
	from  stamp
	bytes int

	agentBytes int

	interned map[string]*terms
	classes  map[string]*class
	// generation changes with the agents' skills.
	generation int
	// free counts agents who can take one more; only within Settle.
	free int

	owing   []*talk
	refused []turned
	// refusedBytes counts up until all of them are said.
	refusedBytes int
	sought       []string
	missing      map[string]bool
	flying       []flight
	// later could not be told, and is again at laterAt.
	later   []*talk
	laterAt stamp

	asking   int
	question []asked

	settling stamp
	unsought bool
	stopped  bool
	cursor   string
	visits   []visit
	sweptAt  stamp
	lookedAt stamp
	measured measured
	counts   counts
}

// New returns the machine of a desk that knows nothing yet but its configuration.
func New(under policy.DeskSnapshot, now time.Time) *Machine {
	m := empty()
	m.Reload(under, now)
	m.measured.At, m.measured.Began = stampOf(now), stampOf(now)

	return m
}

func empty() *Machine {
	m := &Machine{
		agents: map[string]*agent{}, talks: map[string]*talk{}, missing: map[string]bool{}, interned: map[string]*terms{},
		classes: map[string]*class{}, Rules: RulesFor(newestRules), overs: ordered{less: byHeard},
	}
	m.line.less = m.inOrder

	return m
}

// Resume returns a machine that goes on from the state of an earlier run.
func Resume(state *State, under policy.DeskSnapshot, now time.Time) *Machine {
	m := empty()
	m.refused, m.sought = slices.Clone(state.Refused), slices.Clone(state.Sought)
	m.settling, m.unsought, m.cursor, m.sweptAt = state.Settling, state.Unsought, state.Cursor, state.SweptAt
	m.lookedAt = state.LookedAt
	m.visits, m.measured, m.counts = slices.Clone(state.Visits), state.Measured, state.Counts

	for _, id := range state.Missing {
		m.missing[id] = true
	}

	for i := range state.Agents {
		known := state.Agents[i]
		m.agents[known.ID] = &known
	}

	m.restaff()

	all := make([]*terms, 0, len(state.Terms))
	for i := range state.Terms {
		all = append(all, m.intern(state.Terms[i]))
	}

	for i := range state.Talks {
		known := state.Talks[i]
		m.restore(&known, all, state.Names)
	}

	for _, id := range state.Owing {
		if t := m.talks[id]; t != nil {
			m.owing = append(m.owing, t)
		}
	}

	m.Reload(under, now)

	return m
}

// short leaves out what most talks have alike.
func (t *talk) short() talk {
	form := *t
	if form.Asked == form.Heard && form.Stage == waiting {
		form.Asked = 0
	}

	if form.Round == 1 {
		form.Round = 0
	}

	if form.Stage == waiting {
		form.Stage = ""
	}

	return form
}

// whole is the inverse of short.
func (t *talk) whole() {
	if t.Stage == "" {
		t.Stage = waiting
	}

	if t.Asked == 0 && t.Stage == waiting {
		t.Asked = t.Heard
	}

	if t.Round == 0 && t.Stage != over {
		t.Round = 1
	}
}

func (m *Machine) restore(t *talk, all []*terms, names []string) {
	t.whole()

	if t.TermsAt > 0 && t.TermsAt <= len(all) {
		t.terms = all[t.TermsAt-1]
	}

	for _, at := range t.TriedAt {
		if at >= 0 && at < len(names) {
			t.tried = append(t.tried, names[at])
		}
	}

	t.TermsAt, t.TriedAt = 0, nil
	m.talks[t.ID] = t
	m.weigh(t)

	switch {
	case t.takesSlot():
		who := m.seat(t.Agent)
		who.has = append(who.has, t)

		if t.Saved != "" {
			m.seat(t.Saved).saved++
		}
		m.busy++
		m.from += t.From
	case t.inLine():
		m.line.insert(t)
	default:
		m.overs.insert(t)
	}
}

// State returns everything the machine remembers.
func (m *Machine) State() *State {
	state := &State{
		Version: stateVersion, Refused: slices.Clone(m.refused), Sought: slices.Clone(m.sought), Settling: m.settling, Unsought: m.unsought,
		Cursor: m.cursor, Visits: slices.Clone(m.visits), SweptAt: m.sweptAt, LookedAt: m.lookedAt,
		Measured: m.measured, Counts: m.counts,
	}

	//workflowcheck:ignore
	state.Missing = slices.Sorted(maps.Keys(m.missing))

	for _, a := range m.staff {
		state.Agents = append(state.Agents, *a)
	}

	terms, names := map[*terms]int{}, map[string]int{}

	for _, t := range m.sorted() {
		form := t.short()
		form.Owes |= t.flying

		if t.terms != nil {
			if terms[t.terms] == 0 {
				state.Terms = append(state.Terms, *t.terms)
				terms[t.terms] = len(state.Terms)
			}

			form.TermsAt = terms[t.terms]
		}

		for _, name := range t.tried {
			at, known := names[name]
			if !known {
				at = len(state.Names)
				names[name] = at
				state.Names = append(state.Names, name)
			}

			form.TriedAt = append(form.TriedAt, at)
		}

		state.Talks = append(state.Talks, form)
	}

	state.Owing = m.owingIDs()

	return state
}

// sorted returns all talks in the order of their ids.
func (m *Machine) sorted() []*talk {
	//workflowcheck:ignore
	return slices.SortedFunc(maps.Values(m.talks), func(a, b *talk) int { return cmp.Compare(a.ID, b.ID) })
}

// intern keeps terms that are alike once.
func (m *Machine) intern(t terms) *terms {
	key := strings.Join(append([]string{
		itoa(t.Priority), t.Timeout.String(), itoa(t.Rounds), t.Pause.String(),
	}, t.Skills...), "\x00")

	known := m.interned[key]
	if known == nil {
		// Nobody may hold these any more; whoever does keeps them.
		if len(m.interned) > maxTalks {
			clear(m.interned)
		}

		known = &t
		m.interned[key] = known
	}

	return known
}

// idOf returns the id of a conversation: where its own is hashed in the workflow
// id, the hash.
func idOf(key signals.Key) (string, error) {
	plain, err := signals.ParseWorkflowID(key.WorkflowID())
	if err != nil {
		return "", err
	}

	return plain.String(), nil
}

func keyOf(id string) signals.Key {
	source, conversation, _ := strings.Cut(id, "/")

	return signals.Key{Source: source, Conversation: conversation}
}
