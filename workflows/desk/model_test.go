package desk_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

// person is a conversation as the contract wants it to behave.
type person struct {
	key     signals.Key
	session int
	number  int64
	newest  signals.Ask
	need    signals.Need

	// seen is the newest offer it saw, invited who it is offered to.
	seen    int64
	invited string
	until   time.Time
	holder  string
	gone    bool

	// tried are the agents it was offered to in a round of a series.
	series int
	tried  map[string]int64
	// noned: it was told none since it last asked.
	noned bool
	// dead: it was terminated.
	dead bool
}

// play is a desk, its conversations, and what is on its way between them.
type play struct {
	*rapid.T

	from *rand.Rand
	desk *desk.Machine
	now  time.Time

	people []*person
	agents []string
	// asks are on their way to the desk, offers to the conversations.
	asks   []signals.Ask
	offers []desk.Addressed
	// quiet: nothing gets lost or late any more.
	quiet bool
	// restarts: the desk goes through JSON now and then.
	restarts bool
	// forgets: the desk is terminated now and then, and with it goes who was asked.
	forgets  bool
	attempts map[signals.Key]int64
}

func (p *play) dice(n int) bool { return !p.quiet && p.from.IntN(n) == 0 }

// say makes a new statement.
func (p *play) say(who *person, kind signals.AskKind, agent string) {
	who.number++
	who.newest = signals.Ask{
		Kind: kind, Key: who.key, Session: who.session, Number: who.number, Attempt: who.seen, Agent: agent, At: p.now,
	}

	if kind == signals.AskRequest || kind == signals.AskDeclined || kind == signals.AskExpired {
		need := who.need
		who.newest.Need = &need
	}

	if kind != signals.AskDeclined && kind != signals.AskExpired {
		who.series++
		who.tried = map[string]int64{}
		who.noned = false
	}

	who.invited = ""
	p.send(who.newest)
}

// send puts a statement on its way. One may get lost, if the desk can come to
// doubt what it knows.
func (p *play) send(ask signals.Ask) {
	known := p.desk.Position(ask.Key, p.now).Status != "" &&
		!slices.ContainsFunc(p.asks, func(other signals.Ask) bool { return other.Key == ask.Key })
	if p.dice(8) && known {
		return
	}

	p.asks = append(p.asks, ask)

	if p.dice(6) {
		p.asks = append(p.asks, ask)
	}
}

// deliver brings statements to the desk: some at a time, and not in order.
func (p *play) deliver() {
	if !p.quiet && len(p.asks) > 1 && p.from.IntN(2) == 0 {
		p.from.Shuffle(len(p.asks), func(i, j int) { p.asks[i], p.asks[j] = p.asks[j], p.asks[i] })
	}

	n := len(p.asks)
	if !p.quiet && n > 0 {
		n = p.from.IntN(n + 1)
	}

	for _, ask := range p.asks[:n] {
		p.desk.Apply(ask, p.now)

		// Some come a second time, much later.
		if p.dice(10) {
			p.asks = append(p.asks, ask)
		}
	}

	p.asks = slices.Clone(p.asks[n:])
	p.settle()
}

// settle lets the desk decide, checks it, and takes what it says.
func (p *play) settle() {
	p.desk.Tick(p.now)

	for p.desk.Owes() {
		p.restart()

		said := p.desk.TakeOffers(1+p.from.IntN(20), p.now)
		p.judge(said)

		var gone []signals.Key

		for _, one := range said {
			if p.byKey(one.Key).dead {
				gone = append(gone, one.Key)
			}
		}

		if p.dice(8) {
			// Nobody knows what arrived of it.
			p.arrive(said[:p.from.IntN(len(said)+1)])
			p.desk.DispatchFailed()

			continue
		}

		if p.dice(8) {
			// One of them cannot be reached.
			lost := said[p.from.IntN(len(said))].Key
			p.arrive(slices.DeleteFunc(slices.Clone(said), func(one desk.Addressed) bool { return one.Key == lost }))
			p.desk.DispatchedBut(gone, []signals.Key{lost}, p.now)

			continue
		}

		p.arrive(said)
		p.desk.Dispatched(gone, p.now)
	}

	p.restart()
	p.invariants()
}

func (p *play) arrive(said []desk.Addressed) {
	for _, one := range said {
		if !p.byKey(one.Key).dead {
			p.offers = append(p.offers, one)
		}
	}
}

// judge checks new offers at the moment they are made: nobody gets more than
// there are slots for, nobody who does not accept gets anything.
func (p *play) judge(said []desk.Addressed) {
	view := p.desk.View(p.now)

	for _, one := range said {
		if one.Offer.Kind != signals.OfferAgent || one.Offer.Attempt == p.attempts[one.Key] {
			continue
		}

		if !p.byKey(one.Key).dead {
			require.Greater(p, one.Offer.Attempt, p.attempts[one.Key], "numbers ascend")
		}

		p.attempts[one.Key] = one.Offer.Attempt
		require.Equal(p, one.Offer.Agent, p.desk.Position(one.Key, p.now).Agent)

		at := slices.IndexFunc(view.Agents, func(a signals.DeskAgent) bool { return a.ID == one.Offer.Agent })
		require.GreaterOrEqual(p, at, 0, "somebody who is not on the desk")
		require.LessOrEqual(p, view.Agents[at].Load, view.Agents[at].Slots, "a slot given twice")
		require.Equal(p, signals.AgentAccepting, view.Agents[at].Status)
		require.False(p, view.Agents[at].Removed)
	}
}

// restart takes the desk into another run.
func (p *play) restart() {
	if !p.restarts || !p.dice(4) {
		return
	}

	resumed := again(p, p.desk, p.now)
	require.JSONEq(p, stateJSON(p, p.desk), stateJSON(p, resumed))
	p.desk = resumed
}

// invariants hold at any time.
func (p *play) invariants() {
	view := p.desk.View(p.now)
	loads, takes := map[string]int{}, 0

	for _, who := range p.people {
		if position := p.desk.Position(who.key, p.now); position.Agent != "" {
			loads[position.Agent]++
			takes++
		}
	}

	require.Equal(p, takes, view.Offered+view.Active, "a conversation takes one slot of one agent")

	for _, a := range view.Agents {
		require.Equal(p, loads[a.ID], a.Load, a.ID)
	}
}

// receive brings what the desk says to the conversations: in order, since one
// signal after the other is sent, but some comes a second time, much later.
func (p *play) receive() {
	n := len(p.offers)
	if !p.quiet && n > 0 {
		n = p.from.IntN(n + 1)
	}

	taken := p.offers[:n]
	p.offers = slices.Clone(p.offers[n:])

	for _, one := range taken {
		if p.dice(10) {
			p.offers = append(p.offers, one)
		}

		if who := p.byKey(one.Key); !who.dead {
			p.hear(who, &one.Offer)
		}
	}
}

func (p *play) byKey(key signals.Key) *person {
	at := slices.IndexFunc(p.people, func(who *person) bool { return who.key == key })
	require.GreaterOrEqual(p, at, 0)

	return p.people[at]
}

// hear is what a conversation does with what its desk says.
func (p *play) hear(who *person, offer *signals.Offer) {
	if offer.Kind == signals.OfferCheck {
		if who.number == 0 {
			p.say(who, signals.AskRelease, "")

			return
		}

		repeated := who.newest
		repeated.Attempt = who.seen
		p.send(repeated)

		return
	}

	// What was said before an invitation that it has seen comes too late.
	if offer.Session != who.session || offer.Number != who.number || offer.Attempt < who.seen {
		return
	}

	switch offer.Kind {
	case signals.OfferAgent:
		p.invite(who, offer)
	case signals.OfferNone:
		who.noned = true

		// Beside an invitation it comes from a desk that began anew meanwhile.
		if who.invited == "" && p.dice(3) {
			p.say(who, signals.AskRequest, "")
		}
	case signals.OfferGone:
		who.gone = who.holder != "" && offer.Agent == who.holder

		if who.invited == offer.Agent && who.invited != "" {
			p.say(who, signals.AskDeclined, who.invited)
		}
	case signals.OfferBack:
		who.gone = false
	case signals.OfferRound:
		require.LessOrEqual(p, offer.Round, who.need.Rounds)
	case signals.OfferFree, signals.OfferCheck:
	}
}

func (p *play) invite(who *person, offer *signals.Offer) {
	if offer.Attempt <= who.seen {
		return
	}

	// When the desk opens again, the rounds begin anew.
	opened := !offer.At.Before(at(5 * time.Minute))
	round := fmt.Sprintf("%d/%v/%d/%s", who.series, opened, offer.Round, offer.Agent)
	if !p.forgets {
		require.NotContains(p, who.tried, round, "offered twice in a round")
	}

	who.tried[round] = offer.Attempt
	who.seen, who.invited, who.until = offer.Attempt, offer.Agent, offer.Until
}

// pass lets time go by, with deadlines on time or after an outage.
func (p *play) pass(d time.Duration) {
	end := p.now.Add(d)

	for outage := p.dice(5); !outage; {
		due, _, ok := p.desk.NextDeadline(p.now)
		if !ok || due.After(end) {
			break
		}

		require.True(p, due.After(p.now), "a deadline that is over")
		p.now = due
		p.settle()
		p.look()
	}

	p.now = end
	p.settle()
	p.look()

	for _, who := range p.people {
		if who.invited != "" && !who.until.After(p.now) && !who.dead {
			p.say(who, signals.AskExpired, who.invited)
		}
	}
}

// look lets the desk look who is open, in a list that may be behind.
func (p *play) look() {
	keys := p.desk.Look(p.now)
	if len(keys) == 0 {
		return
	}

	p.restart()
	p.desk.Doubt(slices.DeleteFunc(keys, func(key signals.Key) bool { return !p.byKey(key).dead && !p.dice(4) }), p.now)
	p.settle()
}

func (p *play) one() *person { return p.people[p.from.IntN(len(p.people))] }

func (p *play) agent() string { return p.agents[p.from.IntN(len(p.agents))] }

// step is one thing that happens.
func (p *play) step() {
	switch p.from.IntN(10) {
	case 0:
		p.pass(time.Duration(p.from.IntN(90)) * time.Second)
	case 1:
		p.present()
	case 2, 3:
		p.deliver()
	case 4, 5:
		p.receive()
	default:
		if who := p.one(); !who.dead {
			p.act(who)
		}
	}
}

// present changes something about an agent.
func (p *play) present() {
	id := p.agent()

	switch p.from.IntN(5) {
	case 0:
		if _, err := p.desk.RemoveAgent(id, p.now); err != nil {
			require.ErrorContains(p, err, "no agent")
		}
	case 1:
		slots := p.from.IntN(4)
		_, err := p.desk.PutAgent(signals.AgentWord{ID: id, Slots: &slots}, p.now)
		require.NoError(p, err)
	default:
		status := []string{signals.AgentAccepting, signals.AgentAccepting, signals.AgentNotAccepting, signals.AgentOffline}[p.from.IntN(4)]
		p.desk.HearAgent(signals.AgentWord{ID: id, Status: status}, p.now)
	}

	p.settle()
}

// act is what visitors, agents and clocks make a conversation say.
func (p *play) act(who *person) {
	switch {
	case who.holder != "":
		p.held(who)
	case who.invited != "":
		switch p.from.IntN(4) {
		case 0:
			p.say(who, signals.AskDeclined, who.invited)
		case 1:
			p.close(who)
		default:
			p.accept(who, who.invited)
		}
	case who.newest.Kind == signals.AskRelease || who.number == 0:
		who.need = p.drawNeed()
		p.say(who, signals.AskRequest, "")
	default:
		switch p.from.IntN(8) {
		case 0:
			p.close(who)
		case 1:
			p.accept(who, p.agent()) // uninvited
		case 2:
			who.need.Skills = []string{"x"}[:p.from.IntN(2)]
			p.say(who, signals.AskRequest, "")
		}
	}
}

func (p *play) held(who *person) {
	before := who.holder

	switch choice := p.from.IntN(8); {
	case choice == 0 || who.gone:
		// Reassigned, or its agent left.
		who.holder, who.gone = "", false
		who.need.Head, who.need.Not = true, before
		p.say(who, signals.AskRequest, "")
	case choice == 1:
		p.accept(who, p.agent()) // a transfer
	case choice == 2:
		who.holder = ""
		who.need.Only = p.agent()
		p.say(who, signals.AskRequest, "")
	case choice < 6:
		p.close(who)
	}
}

func (p *play) accept(who *person, agent string) {
	who.holder, who.gone = agent, false
	p.say(who, signals.AskAccepted, agent)
}

func (p *play) close(who *person) {
	who.holder, who.gone = "", false
	p.say(who, signals.AskRelease, "")

	if p.from.IntN(3) == 0 {
		// The next session counts anew, and has seen nothing.
		who.session++
		who.number, who.seen = 0, who.seen*int64(p.from.IntN(2))
		who.series++
		who.tried = map[string]int64{}
	}
}

func (p *play) drawNeed() signals.Need {
	need := signals.Need{
		Since: p.now, Timeout: 30 * time.Second, Rounds: 1 + p.from.IntN(3), Pause: time.Duration(p.from.IntN(3)) * 10 * time.Second,
		Priority: p.from.IntN(2), Skills: []string{"x"}[:p.from.IntN(2)],
	}

	switch p.from.IntN(8) {
	case 0:
		need.Only = p.agent()
	case 1:
		need.Candidates = []signals.Candidate{{AgentID: p.agent()}, {AgentID: p.agent()}}
	case 2:
		need.Timeout = time.Millisecond
	}

	return need
}

// calm delivers everything until nothing is on its way, and lets doubts heal
// what was lost.
func (p *play) calm() {
	p.quiet = true

	for range 4 {
		for len(p.asks)+len(p.offers) > 0 {
			p.deliver()
			p.receive()
		}

		p.pass(40 * time.Minute)
	}

	for range 20 {
		if len(p.asks)+len(p.offers) == 0 {
			break
		}

		p.deliver()
		p.receive()
	}
}

// agree checks that the desk and each conversation know the same of each other.
func (p *play) agree() {
	for _, who := range p.people {
		position := p.desk.Position(who.key, p.now)

		if who.dead {
			require.Empty(p, position.Status, "%s is dead", who.key)

			continue
		}

		switch who.newest.Kind {
		case signals.AskAccepted:
			require.Equal(p, signals.DeskActive, position.Status, "%s", who.key)
			require.Equal(p, who.holder, position.Agent)
		case signals.AskRelease, "":
			require.Empty(p, position.Status, "%s", who.key)
		default:
			if who.invited != "" {
				require.Equal(p, signals.DeskOffered, position.Status, "%s", who.key)
				require.Equal(p, who.invited, position.Agent)

				continue
			}

			require.Contains(p, []string{signals.DeskWaits, signals.DeskPauses, signals.DeskHasNone}, position.Status, "%s forgotten", who.key)
			p.waits(who, position.Status)
		}
	}
}

// waits checks that nobody waits whom somebody could take.
func (p *play) waits(who *person, status string) {
	if status == signals.DeskHasNone {
		require.True(p, who.noned, "%s was told none", who.key)
	}

	if who.need.Only != "" || len(who.need.Candidates) > 0 || len(who.need.Skills) > 0 || status != signals.DeskWaits {
		return
	}

	for _, a := range p.desk.View(p.now).Agents {
		require.False(p, a.Status == signals.AgentAccepting && a.Load < a.Slots && a.WrapupUntil == nil && !a.Removed,
			"%s waits, and %s has room", who.key, a.ID)
	}
}
