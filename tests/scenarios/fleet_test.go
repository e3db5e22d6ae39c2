package scenarios_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	support  = "support"
	overflow = "overflow"
)

// fleet is conversations and desks, and what they tell each other on its way.
type fleet struct {
	*rapid.T

	from *rand.Rand
	now  time.Time
	// faulty: messages get lost, and runs are terminated.
	faulty bool
	quiet  bool

	under policy.Snapshot
	staff map[string]policy.DeskSnapshot
	desks map[string]*desk.Machine
	talks map[string]*chat
	mail  []letter
	count int
	told  []string
	// naming is whom what goes on says to have a conversation.
	naming string
	// forgot: a desk was terminated.
	forgot bool
	// silent is an agent who does nothing any more, once all is quiet.
	silent string
}

// chat is one conversation, through all its sessions.
type chat struct {
	id      string
	machine *conversation.Machine
	// start is what the session before left behind.
	start signals.Start
	// holder has it; fact tells that somebody said so by name, a person or the
	// platform. All else is the desk's doing, and within the slots.
	holder string
	fact   bool
	// closed are those who were named since it was closed.
	closed []string
	// asked are the agents who were asked, by rounds, since what began the rounds
	// anew; wish is for whom it asks, attempt the newest invitation.
	asked   map[string]bool
	wish    string
	attempt int
}

// letter is one message on its way, to a desk or to a conversation.
type letter struct {
	desk, chat string
	ask        signals.Ask
	offer      signals.Offer
	sent       time.Time
}

func newFleet(rt *rapid.T) *fleet {
	second := policy.Duration(time.Second)
	f := &fleet{
		T: rt, from: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)), now: start(),
		desks: map[string]*desk.Machine{}, talks: map[string]*chat{}, staff: map[string]policy.DeskSnapshot{},
	}

	p := policy.Default()
	p.Accept.Rounds, p.Accept.Pause = f.from.IntN(3)+1, policy.Duration(f.from.IntN(3))*10*second
	p.Accept.End = one(f.from, policy.EndWait, policy.EndWait, policy.EndClose, policy.EndOffline, policy.End("desk:overflow"))
	p.Queue.End = one(f.from, policy.EndWait, policy.EndClose, policy.EndOffline, policy.End("desk:overflow"))
	p.Queue.MaxWait = policy.Duration(f.from.IntN(3)) * 600 * second
	p.Closeout.Grace = 30 * second
	p.Reassign.After = policy.Duration(f.from.IntN(2)) * 300 * second
	p.Unreplied.ReassignAfter = f.from.IntN(3)
	f.under = policy.Snapshot{
		Source: key().Source, Policy: p, Routing: policy.RoutingDesk, Desk: support, Desks: []string{support, overflow},
		Groups: map[string]string{"2": overflow}, RetryWindow: 120 * second, TicketKind: policy.TicketStore,
	}

	strategy := one(f.from, policy.StrategyLeastBusy, policy.StrategyLongestIdle, policy.StrategyRoundRobin, policy.StrategyPriority)
	skillWait := policy.Duration(f.from.IntN(2)) * 60 * second
	agent := func(id string, slots int, skills ...string) policy.DeskAgent {
		return policy.DeskAgent{ID: id, Slots: slots, Skills: skills, Status: signals.AgentAccepting}
	}
	f.staff[support] = policy.DeskSnapshot{
		Desk: support, Strategy: strategy, SkillWait: skillWait, PreferLast: f.from.IntN(2) == 0, Slots: 1,
		Agents: []policy.DeskAgent{agent("smith", 1+f.from.IntN(2), "cards"), agent("jones", 1)},
	}
	f.staff[overflow] = policy.DeskSnapshot{
		Desk: overflow, Strategy: strategy, Slots: 1, Agents: []policy.DeskAgent{agent("brown", 1, "cards")},
	}

	for name := range f.staff {
		f.desks[name] = desk.New(f.staff[name], f.now)
	}

	for n := range 1 + f.from.IntN(5) {
		id := fmt.Sprintf("C%d", n+1)
		f.talks[id] = &chat{id: id, start: signals.Start{Version: 1, Session: 1}}
	}

	return f
}

func one[V any](from *rand.Rand, values ...V) V { return values[from.IntN(len(values))] }

func (f *fleet) chats() []*chat {
	list := make([]*chat, 0, len(f.talks))
	for _, id := range slices.Sorted(maps.Keys(f.talks)) {
		list = append(list, f.talks[id])
	}

	return list
}

func (f *fleet) names() []string { return slices.Sorted(maps.Keys(f.desks)) }

func (c *chat) key() signals.Key { return signals.Key{Source: key().Source, Conversation: c.id} }

// runs reports whether the conversation has a run.
func (c *chat) runs() bool { return c.machine != nil && !c.machine.Decided }

func (f *fleet) tellf(format string, args ...any) {
	f.told = append(f.told, f.now.Sub(start()).String()+" "+fmt.Sprintf(format, args...))
}

// apply brings an event to a conversation, whose next session it may begin.
func (f *fleet) apply(c *chat, kind signals.Type, who string, change func(e *signals.Event)) {
	f.count++

	event := signals.Event{
		ID: fmt.Sprintf("e%d", f.count), Type: kind, Source: key().Source, Conversation: c.id, At: f.now, ReceivedAt: f.now, Actor: actor(who),
	}

	if kind == signals.MessageReceived {
		event.Message = &signals.Message{ID: event.ID, Text: "text", Kind: signals.KindText}
	}

	if change != nil {
		change(&event)
	}

	if !c.runs() {
		if !kind.MayStart() {
			return
		}

		if c.machine != nil {
			c.start = c.machine.Result().Next()
		}

		c.machine = conversation.NewMachine(c.key(), c.key().WorkflowID(), c.start, f.under)
		c.holder, c.fact, c.closed, c.wish, c.attempt = "", false, nil, "", 0
	}

	f.tellf("%s: %s by %s", c.id, kind, who)
	c.machine.Apply(event, f.now)
	c.machine.Settle(f.now)
	c.machine.Tick(f.now)
	f.collect(c)
}

func (f *fleet) command(c *chat, name string, command signals.Command) {
	if !c.runs() {
		return
	}

	err := c.machine.Command(name, command, f.now)
	f.tellf("%s: %s %s %s: %v", c.id, name, command.AgentID, command.Desk, err)
	f.collect(c)
}

// collect hands out what a conversation says, and may start its run anew.
func (f *fleet) collect(c *chat) {
	m := c.machine
	view := m.View("", false)

	holder := view.Agent
	if view.Status == signals.StatusClosing || view.Status == signals.StatusClosed {
		holder = "" // closed, it takes no slot
	}

	switch {
	case view.Status == signals.StatusClosing:
		c.closed = append(c.closed, f.naming)
	case holder != c.holder && holder != "":
		c.fact = f.naming != "" || slices.Contains(c.closed, holder)
		c.closed = nil
	default:
		c.closed = nil
	}

	c.holder = holder

	m.Dispatched(len(m.TakeOrders()))

	asks := slices.Clone(m.TakeAsks())
	for _, said := range asks {
		c.begin(&said)
		f.tellf("%s says %s", c.id, tellAsk(&said))
		f.send(letter{desk: said.Desk, ask: said.Ask})
	}

	if f.quiet || f.from.IntN(8) > 0 || m.Decided {
		m.Asked(asks)
	}

	if f.from.IntN(4) == 0 {
		var state conversation.State

		data, err := json.Marshal(m.State)
		require.NoError(f, err)
		require.NoError(f, json.Unmarshal(data, &state))
		c.machine = conversation.Resume(&state, f.under)
	}

	f.checkSlots()
}

func (f *fleet) send(l letter) {
	l.sent = f.now

	if f.faulty && !f.quiet && f.from.IntN(20) == 0 {
		f.tellf("lost: %s", l.about())

		return
	}

	f.mail = append(f.mail, l)
}

func (l *letter) about() string {
	if l.desk != "" {
		return fmt.Sprintf("%s to %s: %s %d", l.ask.Key.Conversation, l.desk, l.ask.Kind, l.ask.Number)
	}

	return fmt.Sprintf("%s to %s: %s %d %s", l.offer.Desk, l.chat, l.offer.Kind, l.offer.Number, l.offer.Agent)
}

// deliver brings the letter at n, and may keep it to bring it once more.
func (f *fleet) deliver(n int) {
	l := f.mail[n]

	if f.quiet || f.from.IntN(6) > 0 || f.now.Sub(l.sent) > time.Minute {
		f.mail = slices.Delete(f.mail, n, n+1)
	}

	f.tellf("%s", l.about())

	if l.desk != "" {
		f.desks[l.desk].Apply(l.ask, f.now)
		f.desks[l.desk].Settle(f.now)
		f.empty(l.desk)

		return
	}

	if c := f.talks[l.chat]; c.runs() {
		c.machine.Offer(l.offer, f.now)
		f.checkRound(c, &l.offer)
		c.machine.Tick(f.now)
		f.collect(c)
	}
}

// empty hands out what a desk says.
func (f *fleet) empty(name string) {
	m := f.desks[name]

	for range 50 {
		offers := m.TakeOffers(10, f.now)
		if len(offers) == 0 {
			break
		}

		var gone []signals.Key

		for i := range offers {
			to := f.talks[offers[i].Key.Conversation]
			if !to.runs() {
				gone = append(gone, offers[i].Key)

				continue
			}

			if offers[i].Offer.Kind == signals.OfferNone {
				clear(to.asked) // what is said after it begins the rounds anew
			}

			f.send(letter{chat: to.id, offer: offers[i].Offer})
		}

		if !f.quiet && f.from.IntN(10) == 0 {
			m.DispatchFailed() // nobody knows what arrived

			break
		}

		m.Dispatched(gone, f.now)
		m.Settle(f.now)
	}

	if f.from.IntN(4) == 0 {
		var state desk.State

		data, err := json.Marshal(m.State())
		require.NoError(f, err)
		require.NoError(f, json.Unmarshal(data, &state))
		f.desks[name] = desk.Resume(&state, f.staff[name], f.now)
	}
}

// begin takes in a statement that begins the rounds anew: it asks for other agents,
// or does not wait any more.
func (c *chat) begin(said *conversation.DeskAsk) {
	wish := fmt.Sprint(said.Desk, said.Ask.Kind, said.Ask.Number)
	if need := said.Ask.Need; need != nil {
		wish = fmt.Sprint(said.Desk, need.Only, need.Skills, need.Candidates)
	}

	if c.wish != wish {
		c.wish, c.asked = wish, map[string]bool{}
	}
}

// checkRound wants that nobody is asked twice in a round.
func (f *fleet) checkRound(c *chat, offer *signals.Offer) {
	list := c.machine.View("", true).Invitations
	if len(list) == 0 || f.forgot {
		return
	}

	if newest := &list[len(list)-1]; offer.Kind == signals.OfferAgent && newest.Outcome == "" && newest.Attempt > c.attempt {
		which := fmt.Sprint(newest.AgentID, " in round ", newest.Round)
		require.NotContains(f, c.asked, which, "%s\n%s", c.id, f.log())

		c.asked[which], c.attempt = true, newest.Attempt
	}
}

// checkSlots wants that no agent is asked for, or has, more than the slots, but for
// what was given by name.
func (f *fleet) checkSlots() {
	if f.forgot {
		return // a desk that lost everything knows its slots again only by and by
	}

	load := map[string]int{}

	for _, c := range f.chats() {
		if !c.runs() {
			continue
		}

		if asked := c.machine.View("", false).Offered; asked != "" {
			load[asked]++
		}

		if !c.fact {
			load[c.holder]++
		}
	}

	for _, snapshot := range f.staff {
		for i := range snapshot.Agents {
			agent := &snapshot.Agents[i]
			require.LessOrEqual(f, load[agent.ID], agent.Slots, "%s has too many:\n%s", agent.ID, f.log())
		}
	}
}

func (f *fleet) log() string { return strings.Join(f.told[max(0, len(f.told)-120):], "\n") }
