package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// guest is one visitor, through all sessions of a conversation.
type guest struct {
	*office

	rng *rand.Rand
	// telling guards told, to which agents add.
	telling sync.Mutex
	told    *story
	// pleaded is when the visitor was last made to come again in the quiet.
	pleaded time.Time
}

// make makes a webhook of what is told next.
func (g *guest) make(tell func(s *story) []*fact) *hook {
	g.telling.Lock()
	defer g.telling.Unlock()

	return g.told.hook(tell(g.told)...)
}

// say sends one event, or several in one webhook.
func (g *guest) say(tell func(s *story) []*fact) { g.post(g.make(tell), "") }

// post sends a webhook until it is accepted: one in three several times, and all
// of them after a moment, so that others overtake.
func (g *guest) post(h *hook, then string) {
	g.telling.Lock()
	copies, delays := max(1, g.told.rng.IntN(5)-1), [4]time.Duration{}

	for i := range delays {
		delays[i] = time.Duration(g.told.rng.IntN(200)) * time.Millisecond
	}
	g.telling.Unlock()

	g.errands.Add(1)

	go func() {
		defer g.errands.Add(-1)

		var sending sync.WaitGroup

		for i := range copies {
			sending.Go(func() {
				time.Sleep(delays[i])
				g.send(h)
			})
		}

		sending.Wait()

		if !g.book.took(h) {
			g.insist(h)
		}

		if then != "" {
			g.now(then)
		}
	}()
}

// escalate has the visitor ask for a person.
func (g *guest) escalate() { g.post(g.plea(), escalated) }

// plea asks for a person in one webhook with why.
func (g *guest) plea() *hook {
	return g.make(func(s *story) []*fact {
		said := s.message(signals.RoleVisitor)
		asked := s.silent(signals.Event{Type: signals.EscalationRequested, Escalation: &signals.Escalation{Reason: "a person, please"}})
		asked.event.Actor = actorOf(signals.RoleVisitor)

		return []*fact{said, asked}
	})
}

func (g *guest) write() {
	g.say(func(s *story) []*fact { return []*fact{s.message(signals.RoleVisitor)} })
}

// moves has the visitor join or leave.
func (g *guest) moves(kind signals.Type) {
	g.say(func(s *story) []*fact {
		visitor := actorOf(signals.RoleVisitor)
		f := s.silent(signals.Event{Type: kind, Participant: &signals.Participant{ID: visitor.ID, Role: visitor.Role}})

		return []*fact{f}
	})
}

// close ends the conversation for whoever says so.
func (g *guest) close(by string, role signals.Role) { g.post(g.end(by, role), closed) }

func (g *guest) end(by string, role signals.Role) *hook {
	return g.make(func(s *story) []*fact {
		f := s.silent(signals.Event{
			Type: signals.ConversationClosed, Actor: &signals.Actor{ID: by, Role: role}, Closing: &signals.Closing{ByID: by, ByRole: role},
		})

		return []*fact{f}
	})
}

// full: the timeline holds 200 lines, and not every run begins a new one.
func (g *guest) full() bool {
	g.telling.Lock()
	defer g.telling.Unlock()

	return g.told.events >= maxEvents
}

// run has the visitor come again and again.
func (g *guest) run() {
	for g.pause(g.rng, 0, time.Second) && !g.full() {
		g.escalate()
		g.stay()
	}
}

// stay is a visitor's session, until it is closed.
func (g *guest) stay() {
	came := false // back, within this grace

	for g.pause(g.rng, 200*time.Millisecond, time.Second) && !g.full() {
		dice := g.rng.IntN(100)

		view, ok := g.view(g.told.key, 0)
		if !ok { // nobody answers, or the run was terminated
			if dice < 10 {
				g.escalate()
			}

			continue
		}

		came = came && view.Status == signals.StatusClosing

		switch view.Status {
		case signals.StatusClosed:
			if view.Pending == 0 {
				return
			}
		case signals.StatusClosing:
			if !came && dice < 50 {
				came = true

				g.write()
				g.now(returned)
			}
		case signals.StatusOpen:
			g.escalate()
		case signals.StatusActive:
			g.chat(dice)
		default:
			g.waits(dice)
		}
	}
}

func (g *guest) chat(dice int) {
	const visitor = "the-visitor"

	switch {
	case dice < 40:
		g.write()
	case dice < 50:
		g.close(visitor, signals.RoleVisitor)
	case dice < 54:
		g.moves(signals.ParticipantLeft)
	default:
	}
}

func (g *guest) waits(dice int) {
	const visitor = "the-visitor"

	switch {
	case dice < 20:
		g.write()
	case dice < 26:
		g.moves(signals.ParticipantLeft)

		if dice%2 == 0 && g.pause(g.rng, 100*time.Millisecond, 2*time.Second) {
			g.moves(signals.ParticipantJoined)
		}
	case dice < 29:
		g.close(visitor, signals.RoleVisitor)
	default:
	}
}

// comeAndGo has agents go offline, or stop accepting, and come back.
func (o *office) comeAndGo() {
	rng := o.fork("staff")

	for o.pause(rng, 600*time.Millisecond, 2500*time.Millisecond) {
		agent := one(rng, deskAgents()...)
		o.put(agent, one(rng, signals.AgentOffline, signals.AgentOffline, signals.AgentNotAccepting))

		if !o.pause(rng, 300*time.Millisecond, 2500*time.Millisecond) {
			return // the quiet has everybody accept
		}

		o.put(agent, signals.AgentAccepting)
	}
}

// one returns any of several.
func one[V any](rng *rand.Rand, values ...V) V { return values[rng.IntN(len(values))] }

// put says how an agent is, until that is taken.
func (o *office) put(agent, status string) {
	const patience = 60 * time.Second

	for begun := time.Now(); time.Since(begun) < patience && !o.over.Load(); time.Sleep(100 * time.Millisecond) {
		answer, body := ask(http.MethodPut, o.one.url("/v1/desks/"+front+"/agents/"+agent), strings.NewReader(`{"status":"`+status+`"}`))

		switch answer {
		case http.StatusOK:
			return
		case 0, http.StatusServiceUnavailable:
		default:
			o.Errorf("%s cannot be %s: %d %s", agent, status, answer, body)

			return
		}
	}

	if !o.over.Load() {
		o.Errorf("%s could not be %s within %s", agent, status, patience)
	}
}

// supervise gives conversations by name now and then, and takes closes back: what
// an agent has so is not held to the slots.
func (o *office) supervise() {
	rng := o.fork("supervisor")

	for o.pause(rng, time.Second, 3500*time.Millisecond) {
		g := o.guests[rng.IntN(len(o.guests))]

		view, ok := o.view(g.told.key, 0)
		if !ok {
			continue
		}

		agent := fmt.Sprintf(`{"agent_id":%q}`, one(rng, deskAgents()...))

		switch view.Status {
		case signals.StatusQueued, signals.StatusOffered:
			o.command(g.told.key, one(rng, "assign", "transfer"), agent)
		case signals.StatusActive:
			o.command(g.told.key, "transfer", one(rng, agent, `{"desk":"`+front+`"}`))
		case signals.StatusClosing:
			o.command(g.told.key, "reopen", `{}`)
		default:
		}
	}
}

// attend has the agents look at what they are invited to, as a list shows it, and
// think about each invitation once.
func (o *office) attend() {
	rng := o.fork("agents")

	for !o.over.Load() && !o.is(over) {
		for _, view := range o.list(signals.StatusOffered) {
			o.consider(rng, view)
		}

		if o.is(quiet) {
			for _, view := range o.list(signals.StatusActive) {
				o.tend(view)
			}
		}

		time.Sleep(80 * time.Millisecond)
	}
}

func (o *office) list(status signals.Status) []signals.View {
	var page struct {
		Conversations []signals.View `json:"conversations"`
	}

	o.read("/v1/conversations?limit=200&source="+front+"&status="+string(status), &page)

	return page.Conversations
}

func (o *office) guest(conversation string) *guest {
	for _, g := range o.guests {
		if g.told.key.Conversation == conversation {
			return g
		}
	}

	return nil
}

// consider decides about an invitation that was not seen before.
func (o *office) consider(rng *rand.Rand, view signals.View) {
	g := o.guest(view.ID)
	if g == nil || view.Offered == "" || len(view.Invitations) == 0 {
		return
	}

	asked := view.Invitations[len(view.Invitations)-1]
	id := view.ID + "/" + view.RunID + "/" + asked.ID

	o.mu.Lock()
	known := o.seen[id]
	o.seen[id] = true
	calm := o.phase >= quiet
	o.mu.Unlock()

	// What was left to pass before the quiet is accepted in it.
	if known && !calm {
		return
	}

	o.now(offered)
	o.at(expiring, asked.ExpiresAt)

	dice, soon := rng.IntN(100), time.Duration(rng.IntN(300))*time.Millisecond
	other := one(rng, deskAgents()...)
	serving := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))

	switch {
	case calm:
		if o.accept(g, view.Offered) {
			g.reply(view.Offered)
		}
	case dice < 55:
		o.shifts.Go(func() { o.take(g, view.Offered, soon, serving) })
	case dice < 65:
		// Before its end, or after it.
		o.shifts.Go(func() { o.take(g, view.Offered, time.Until(asked.ExpiresAt)+soon/2-100*time.Millisecond, serving) })
	case dice < 78:
		o.shifts.Go(func() { o.decline(g, view.Offered, soon) })
	case dice < 88:
		// Somebody else would like it, too.
		o.shifts.Go(func() {
			if other == view.Offered || !o.accept(g, other) {
				o.take(g, view.Offered, soon, serving)
			}
		})
	default: // nothing is said
	}
}

func (o *office) decline(g *guest, agent string, after time.Duration) {
	time.Sleep(after)

	if o.command(g.told.key, "decline", fmt.Sprintf(`{"agent_id":%q}`, agent)) == http.StatusOK {
		o.now(declined)
	}
}

// accept takes a conversation, and reports whether the answer is known to be yes.
func (o *office) accept(g *guest, agent string) bool {
	const patience = 6 * time.Second

	begun := time.Now()

	for time.Since(begun) < patience && !o.over.Load() {
		o.now(accepting)

		switch o.command(g.told.key, "accept", fmt.Sprintf(`{"agent_id":%q}`, agent)) {
		case http.StatusOK:
			o.mu.Lock()
			o.taken = append(o.taken, taking{key: g.told.key, agent: agent, asked: begun, told: time.Now()})
			o.mu.Unlock()
			o.now(taken)

			return true
		case 0, http.StatusServiceUnavailable:
			time.Sleep(50 * time.Millisecond)
		default:
			return false
		}
	}

	return false
}

// take accepts a conversation and serves it, unless the agent forgets it: then it
// is taken away again.
func (o *office) take(g *guest, agent string, after time.Duration, rng *rand.Rand) {
	time.Sleep(after)

	if !o.accept(g, agent) || rng.IntN(100) < 10 || !o.pause(rng, 50*time.Millisecond, 400*time.Millisecond) || !o.has(g, agent) {
		return
	}

	g.reply(agent)

	if !o.pause(rng, 100*time.Millisecond, 900*time.Millisecond) || !o.has(g, agent) {
		return
	}

	if rng.IntN(3) == 0 {
		if o.command(g.told.key, "close", fmt.Sprintf(`{"by":%q}`, agent)) == http.StatusOK {
			o.now(closed)
		}

		return
	}

	g.close(agent, signals.RoleAgent)
}

// has reports whether an agent still has a conversation.
func (o *office) has(g *guest, agent string) bool {
	view, ok := o.view(g.told.key, 0)

	return ok && view.Agent == agent && view.Status == signals.StatusActive
}

// reply has an agent answer the visitor.
func (g *guest) reply(agent string) { g.post(g.answer(agent), "") }

func (g *guest) answer(agent string) *hook {
	return g.make(func(s *story) []*fact {
		f := s.message(signals.RoleAgent)
		f.event.Actor = &signals.Actor{ID: agent, Role: signals.RoleAgent, Name: agent}

		return []*fact{f}
	})
}

// tend keeps in the quiet what an agent has: it is answered, and closed in the end.
func (o *office) tend(view signals.View) {
	g := o.guest(view.ID)
	if g == nil || view.Agent == "" || view.Pending > 0 {
		return
	}

	switch {
	case view.Unreplied:
		g.insist(g.answer(view.Agent))
	case o.is(closing) && o.has(g, view.Agent): // the list may be behind
		g.insist(g.end(view.Agent, signals.RoleAgent))
	}
}
