package scenarios_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

// TestTogether plays conversations and their desks: visitors ask for a person,
// write, leave and come back; agents accept, decline, stay silent, go and come;
// supervisors transfer and close. What they tell each other comes late, twice and
// in any order, and both start anew from their states. No agent gets more than
// its slots, and once all is quiet everybody agrees and nobody is forgotten.
func TestTogether(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) { newFleet(rt).play(rapid.IntRange(5, 90).Draw(rt, "steps")) })
}

// TestTogetherWithLosses is the same where messages are lost, and desks and
// conversations are terminated.
func TestTogetherWithLosses(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		f := newFleet(rt)
		f.faulty = true
		f.play(rapid.IntRange(5, 90).Draw(rt, "steps"))
	})
}

func (f *fleet) play(steps int) {
	for range steps {
		f.step()
	}

	f.tellf("quiet")

	f.quiet = true

	if f.from.IntN(2) == 0 {
		f.silent = one(f.from, "smith", "jones", "brown")
	}

	for _, name := range f.names() {
		for i := range f.staff[name].Agents {
			word := signals.AgentWord{ID: f.staff[name].Agents[i].ID, Status: signals.AgentAccepting}
			if word.ID == f.silent {
				word.Status = one(f.from, signals.AgentAccepting, signals.AgentOffline)
			}

			f.word(name, word)
		}
	}

	// Without losses nobody needs to be asked again.
	length := 8 * time.Minute
	if f.faulty || f.silent != "" {
		length = 3 * time.Hour
	}

	f.pass(length)
	f.agree()
}

func (f *fleet) word(name string, word signals.AgentWord) {
	word.At = f.now
	_, err := f.desks[name].PutAgent(word, f.now)
	require.NoError(f, err)
	f.tellf("%s is %s", word.ID, word.Status)
	f.desks[name].Settle(f.now)
	f.empty(name)
}

// step is one of what may happen.
func (f *fleet) step() {
	c := one(f.from, f.chats()...)
	agent := one(f.from, "smith", "jones", "brown")
	invited, holder := agent, agent

	if c.runs() {
		view := c.machine.View("", false)
		if view.Offered != "" {
			invited = view.Offered
		}

		if view.Agent != "" {
			holder = view.Agent
		}
	}

	switch f.from.IntN(22) {
	case 0, 1, 2:
		f.apply(c, signals.EscalationRequested, "ann", func(e *signals.Event) {
			e.Escalation = &signals.Escalation{
				Skill: one(f.from, "", "", "cards"), AgentID: one(f.from, "", "", "", "", agent), Priority: one(f.from, "", "", "high"),
			}
		})
	case 3, 4:
		f.apply(c, signals.MessageReceived, "ann", nil)
	case 5:
		f.named(holder, func() { f.apply(c, signals.MessageReceived, holder, nil) })
	case 6, 7, 8:
		f.command(c, signals.AcceptUpdate, signals.Command{AgentID: invited})
	case 9:
		f.command(c, signals.DeclineUpdate, signals.Command{AgentID: invited})
	case 10:
		if f.from.IntN(2) == 0 {
			f.command(c, signals.AcceptUpdate, signals.Command{AgentID: agent})
		} else {
			f.named(agent, func() { f.command(c, signals.AssignUpdate, signals.Command{AgentID: agent}) })
		}
	case 11:
		f.named(agent, func() {
			f.command(c, signals.TransferUpdate, signals.Command{AgentID: one(f.from, "", agent), Desk: one(f.from, support, overflow)})
		})
	case 12:
		f.named(agent, func() { f.apply(c, signals.AgentAccepted, agent, nil) })
	case 13:
		f.now = f.now.Add(time.Millisecond) // at the very time of a command it would be the older one
		f.apply(c, signals.ConversationClosed, "", nil)
	case 14:
		f.command(c, one(f.from, signals.CloseUpdate, signals.SnoozeUpdate, signals.EscalateUpdate), signals.Command{})

		// It takes the close back, for the agent, too.
		if f.from.IntN(4) == 0 {
			f.named(holder, func() { f.command(c, signals.ReopenUpdate, signals.Command{}) })
		}
	case 15:
		name := f.deskOf(agent)
		f.word(name, signals.AgentWord{ID: agent, Status: one(f.from, signals.AgentAccepting, signals.AgentAccepting,
			signals.AgentNotAccepting, signals.AgentOffline)})
	case 16:
		f.remove(agent)
	case 17:
		who, kind := one(f.from, "ann", holder), one(f.from, signals.ParticipantLeft, signals.ParticipantJoined)

		f.named(who, func() {
			f.apply(c, kind, "", func(e *signals.Event) { e.Participant = &signals.Participant{ID: who, Role: actor(who).Role} })
		})
	case 18:
		f.terminate(c)
	case 19:
		f.pass(time.Duration(f.from.IntN(90)) * time.Second)
	default:
		for range min(len(f.mail), 3) {
			f.deliver(f.from.IntN(len(f.mail)))

			if len(f.mail) == 0 {
				break
			}
		}
	}
}

// named does what says by name who has a conversation.
func (f *fleet) named(agent string, do func()) {
	f.naming = agent
	do()
	f.naming = ""
}

func (f *fleet) deskOf(agent string) string {
	if agent == "brown" {
		return overflow
	}

	return support
}

func (f *fleet) remove(agent string) {
	name := f.deskOf(agent)
	if f.desks[name].JudgeRemoval(agent) != nil {
		return
	}

	_, err := f.desks[name].RemoveAgent(agent, f.now)
	require.NoError(f, err)
	f.tellf("%s is removed", agent)
	f.desks[name].Settle(f.now)
	f.empty(name)
}

// terminate ends a desk or a conversation as an operator may: nothing is left of
// it but what others know.
func (f *fleet) terminate(c *chat) {
	if !f.faulty {
		return
	}

	if f.from.IntN(2) == 0 && c.runs() {
		f.tellf("%s is terminated", c.id)

		c.machine = nil

		f.pass(time.Second)

		return
	}

	name := one(f.from, f.names()...)
	f.tellf("%s is terminated", name)
	f.forgot = true

	f.desks[name] = desk.New(f.staff[name], f.now)
	f.desks[name].Seek(f.now)

	var open []signals.Key

	for _, c := range f.chats() {
		if c.runs() && c.machine.View("", false).Desk == name {
			open = append(open, c.key())
		}
	}

	f.desks[name].Survivors(open, f.now)
	f.desks[name].Settle(f.now)
	f.empty(name)
}

// agree wants that desks and conversations know the same, and that nobody waits
// for whom an agent is free.
func (f *fleet) agree() {
	for _, name := range f.names() {
		for _, c := range f.chats() {
			f.agreeOn(name, c)
		}
	}
}

func (f *fleet) agreeOn(name string, c *chat) {
	var view signals.View
	if c.runs() {
		view = c.machine.View("", true)
	}

	there := f.desks[name].Position(c.key(), f.now)

	switch {
	case view.Desk == name && view.Agent != "" && view.Status != signals.StatusClosing:
		require.Equal(f, signals.DeskActive, there.Status, "%s\n%s", c.id, f.log())
		require.Equal(f, view.Agent, there.Agent, "%s\n%s", c.id, f.log())

		owes, rule := view.Status == signals.StatusActive && view.Unreplied, f.under.Policy.Reassign
		if owes && view.Agent == f.silent && rule.After > 0 && c.machine.Reassigned < rule.Max {
			f.requireNobodyFree(name, c, nil)
		}
	case view.Desk == name && view.Status == signals.StatusQueued:
		require.Contains(f, []string{signals.DeskWaits, signals.DeskPauses, signals.DeskHasNone}, there.Status, "%s\n%s", c.id, f.log())
		f.requireNobodyFree(name, c, c.machine.Talk.Said.Need)
	case view.Desk == name && view.Status == signals.StatusOffered && view.Offered == f.silent:
		require.Equal(f, signals.DeskOffered, there.Status, "%s\n%s", c.id, f.log())
	default:
		require.Empty(f, there.Status, "%s is %s on %s\n%s", c.id, view.Status, name, f.log())
	}
}

// requireNobodyFree wants that no agent has room who would do, whoever is silent not
// counted.
func (f *fleet) requireNobodyFree(name string, c *chat, need *signals.Need) {
	if need == nil {
		need = &signals.Need{Skills: skillsOf(c)}
	}

	for _, agent := range f.desks[name].View(f.now).Agents {
		if agent.Load >= agent.Slots || agent.Removed || need.Only != "" && need.Only != agent.ID || agent.ID == f.silent {
			continue
		}

		lacks := slices.ContainsFunc(need.Skills, func(skill string) bool { return !slices.Contains(agent.Skills, skill) })
		require.True(f, lacks && f.staff[name].SkillWait == 0, "%s waits and %s is free\n%s", c.id, agent.ID, f.log())
	}
}

// skillsOf are those that a conversation was last asked for with.
func skillsOf(c *chat) []string {
	if skill := c.machine.Statement().Skill; skill != "" {
		return []string{skill}
	}

	return nil
}
