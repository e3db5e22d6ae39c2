package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// due are the clocks that run, by their offsets from the epoch; not the age.
func due(m *conversation.Machine) map[string]time.Duration {
	clocks := map[string]time.Duration{}

	for _, clock := range m.View("", false).Clocks {
		if clock.Name != "age" {
			clocks[clock.Name] = clock.Due.Sub(epoch())
		}
	}

	return clocks
}

func presence(who, state string, offset time.Duration) signals.Event {
	e := event(signals.PresenceChanged, who, offset)
	e.Presence = &signals.Presence{State: state}

	return e
}

func late(received time.Duration, e signals.Event) signals.Event {
	e.ReceivedAt = at(received)

	return e
}

func typing(who string, offset time.Duration) signals.Event {
	e := event(signals.TypingChanged, who, offset)
	e.Typing = &signals.Typing{On: true}

	return e
}

func joined(who string, offset time.Duration) signals.Event {
	e := event(signals.ParticipantJoined, "", offset)
	e.ID += who
	e.Participant = &signals.Participant{ID: who, Role: roleOf(who)}

	return e
}

func left(who string, offset time.Duration) signals.Event {
	e := joined(who, offset)
	e.Type, e.ID = signals.ParticipantLeft, "left"+e.ID

	return e
}

// TestReassignClock says when it is due.
func TestReassignClock(t *testing.T) {
	t.Parallel()

	const minute = time.Minute

	hello, smith := says("ann", "Hello?", 0), event(signals.AgentAccepted, "smith", minute)

	for name, tc := range map[string]struct {
		events []signals.Event
		change func(p *policy.Policy)
		due    time.Duration
		none   bool
	}{
		"nobody has it":          {events: []signals.Event{hello}, none: true},
		"owed since the taking":  {events: []signals.Event{hello, smith}, due: 11 * minute},
		"owed since the message": {events: []signals.Event{smith, says("ann", "Hello?", 2*minute)}, due: 12 * minute},
		"nothing is owed":        {events: []signals.Event{hello, smith, says("smith", "Hi", 2*minute)}, none: true},
		"owed anew": {
			events: []signals.Event{hello, smith, says("smith", "Hi", 2*minute), says("ann", "And?", 3*minute)},
			due:    13 * minute,
		},
		"more questions":      {events: []signals.Event{hello, smith, says("ann", "And?", 3*minute)}, due: 11 * minute},
		"the agent typed":     {events: []signals.Event{hello, smith, typing("smith", 4*minute)}, due: 14 * minute},
		"another agent typed": {events: []signals.Event{hello, smith, typing("jones", 4*minute)}, due: 11 * minute},
		"the visitor typed":   {events: []signals.Event{hello, smith, typing("ann", 4*minute)}, due: 11 * minute},
		"a whisper":           {events: []signals.Event{hello, smith, whispers("smith", 4*minute)}, due: 11 * minute},
		"a canned greeting":   {events: []signals.Event{hello, smith, canned("smith", 4*minute)}, due: 11 * minute},
		"another holder":      {events: []signals.Event{hello, smith, event(signals.AgentAssigned, "jones", 5*minute)}, due: 15 * minute},
		"off":                 {events: []signals.Event{hello, smith}, change: func(p *policy.Policy) { p.Reassign.After = 0 }, none: true},
		"never":               {events: []signals.Event{hello, smith}, change: func(p *policy.Policy) { p.Reassign.Max = 0 }, none: true},
		"closed":              {events: []signals.Event{hello, smith, event(signals.ConversationClosed, "", 2*minute)}, none: true},
		"away, owing nothing": {events: []signals.Event{smith, presence("smith", "away", 2*minute)}, due: 3 * minute},
		"away and back": {
			events: []signals.Event{smith, presence("smith", "away", 2*minute), presence("smith", "back", 2*minute+1)},
			none:   true,
		},
		"back before away": {
			events: []signals.Event{smith, presence("smith", "back", 2*minute), late(3*minute, presence("smith", "away", 2*minute-1))},
			none:   true,
		},
		"away, then typing": {
			events: []signals.Event{smith, presence("smith", "away", 2*minute), typing("smith", 2*minute+1)},
			none:   true,
		},
		"away, then assigned":   {events: []signals.Event{presence("smith", "away", 0), smith}, none: true},
		"another agent is away": {events: []signals.Event{smith, presence("jones", "away", 2*minute)}, none: true},
		"at once when away": {
			events: []signals.Event{smith, presence("smith", "offline", 2*minute)},
			change: func(p *policy.Policy) { p.Reassign.OfflineGrace = 0 },
			due:    2 * minute,
		},
		"away comes first": {events: []signals.Event{hello, smith, presence("smith", "away", 2*minute)}, due: 3 * minute},
		"silence comes first": {
			events: []signals.Event{hello, smith, presence("smith", "away", 2*minute)},
			change: func(p *policy.Policy) { p.Reassign.OfflineGrace = policy.Duration(time.Hour) },
			due:    11 * minute,
		},
		"away a long time ago":    {events: []signals.Event{smith, late(31*minute, presence("smith", "away", 20*minute))}, due: 32 * minute},
		"away some time ago":      {events: []signals.Event{smith, late(29*minute, presence("smith", "away", 20*minute))}, due: 21 * minute},
		"taken a long time ago":   {events: []signals.Event{late(30*minute, hello), late(30*minute, smith)}, due: 40 * minute},
		"a supervisor takes over": {events: []signals.Event{hello, smith, hiddenJoin("boss", 2*minute)}, due: 11 * minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(routed, func(s *policy.Snapshot) {
				s.Policy.Unreplied.First = 0
				if tc.change != nil {
					tc.change(&s.Policy)
				}
			})

			for _, e := range tc.events {
				m.Apply(e, e.ReceivedAt)
				m.Settle(e.ReceivedAt)
			}

			got, runs := due(m)["reassign"]
			require.Equal(t, !tc.none, runs)
			require.Equal(t, tc.due, got)
		})
	}
}

func whispers(who string, offset time.Duration) signals.Event {
	said := says(who, "psst", offset)
	said.Message.Visibility = signals.VisibleToAgents

	return said
}

func canned(who string, offset time.Duration) signals.Event {
	said := says(who, "Welcome", offset)
	said.Message.Automatic = true

	return said
}

func hiddenJoin(who string, offset time.Duration) signals.Event {
	e := joined(who, offset)
	e.Participant.Visibility = signals.VisibleToAgents

	return e
}

// TestQueueClock says when the longest wait is over, and when a visitor who left
// has lost the place.
func TestQueueClock(t *testing.T) {
	t.Parallel()

	const minute = time.Minute

	ask := escalated(0)
	moved := event(signals.QueueMoved, "", 2*minute)
	toGroup := event(signals.ConversationTransferred, "", 5*minute)
	toGroup.Transfer = &signals.Transfer{GroupIDs: []string{"1"}}

	for name, tc := range map[string]struct {
		events []signals.Event
		due    map[string]time.Duration
	}{
		"asked for":             {[]signals.Event{ask}, map[string]time.Duration{"queue": 30 * minute}},
		"asked twice":           {[]signals.Event{ask, escalated(3 * minute)}, map[string]time.Duration{"queue": 30 * minute}},
		"moved up":              {[]signals.Event{ask, moved}, map[string]time.Duration{"queue": 30 * minute}},
		"asked a long time ago": {[]signals.Event{late(20*minute, ask)}, map[string]time.Duration{"queue": 50 * minute}},
		"another line":          {[]signals.Event{ask, toGroup}, map[string]time.Duration{"queue": 35 * minute}},
		"taken":                 {[]signals.Event{ask, event(signals.AgentAccepted, "smith", minute)}, map[string]time.Duration{}},
		"taken, and asked again": {
			[]signals.Event{ask, joined("smith", minute), left("smith", 2*minute), escalated(3 * minute)},
			map[string]time.Duration{"queue": 33 * minute},
		},
		"left by the agent": {
			[]signals.Event{says("ann", "Hi", 0), joined("smith", minute), left("smith", 2*minute)},
			map[string]time.Duration{"queue": 32 * minute, "unreplied": 5 * minute},
		},
		"the visitor left": {
			[]signals.Event{ask, left("ann", minute)},
			map[string]time.Duration{"queue": 30 * minute, "abandon": 3 * minute},
		},
		"the visitor is away": {
			[]signals.Event{ask, presence("ann", "away", minute)},
			map[string]time.Duration{"queue": 30 * minute, "abandon": 3 * minute},
		},
		"the visitor came back": {
			[]signals.Event{ask, left("ann", minute), joined("ann", minute+1)},
			map[string]time.Duration{"queue": 30 * minute},
		},
		"the visitor typed": {
			[]signals.Event{ask, left("ann", minute), typing("ann", minute+1)},
			map[string]time.Duration{"queue": 30 * minute},
		},
		"left a long time ago": {
			[]signals.Event{ask, late(20*minute, left("ann", minute))},
			map[string]time.Duration{"queue": 30 * minute, "abandon": 22 * minute},
		},
		"somebody else left": {
			[]signals.Event{ask, joined("robot", minute), left("robot", 2*minute)},
			map[string]time.Duration{"queue": 30 * minute},
		},
		"nobody asked": {[]signals.Event{joined("ann", 0), left("ann", minute)}, map[string]time.Duration{}},
		"away, whoever that is": {
			[]signals.Event{ask, anonymous(presence("ann", "away", minute))},
			map[string]time.Duration{"queue": 30 * minute, "abandon": 3 * minute},
		},
		"away, whoever, back": {
			[]signals.Event{ask, anonymous(presence("ann", "away", minute)), says("ann", "Hi", 2*minute)},
			map[string]time.Duration{"queue": 30 * minute, "unreplied": 7 * minute},
		},
		"away, whoever, long ago": {
			[]signals.Event{ask, late(20*minute, anonymous(presence("ann", "away", minute)))},
			map[string]time.Duration{"queue": 30 * minute, "abandon": 22 * minute},
		},
		"closed and opened again": {
			[]signals.Event{ask, event(signals.ConversationClosed, "", minute), says("ann", "Hi", 2*minute)},
			map[string]time.Duration{"queue": 32 * minute, "unreplied": 7 * minute},
		},
		"left a group, with skill": {
			[]signals.Event{skilled("cards", 0), toGroup, skilled("loans", 6*minute)},
			map[string]time.Duration{"queue": 35 * minute},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(routed)
			for _, e := range tc.events {
				m.Apply(e, e.ReceivedAt)
				m.Settle(e.ReceivedAt)
			}

			require.Equal(t, tc.due, due(m))
		})
	}
}

func anonymous(e signals.Event) signals.Event {
	e.Actor = &signals.Actor{Role: signals.RoleVisitor}

	return e
}

func skilled(skill string, offset time.Duration) signals.Event {
	e := escalated(offset)
	e.Escalation = &signals.Escalation{Skill: skill}

	return e
}

// TestOfferOnItsWayForLong leaves the agent the whole time.
func TestOfferOnItsWayForLong(t *testing.T) {
	t.Parallel()

	m := machine(routed)
	tell(m, escalated(0))
	m.Offer(signals.Offer{
		Kind: signals.OfferAgent, Desk: "support", Session: 1, Number: m.Talk.Said.Number, Attempt: 1, Agent: "smith",
		Until: at(30 * time.Second),
	}, at(10*time.Minute))
	require.Equal(t, 10*time.Minute+30*time.Second, due(m)["accept"])
}

// TestOfferWithoutAnEnd waits for the agent as long as it takes.
func TestOfferWithoutAnEnd(t *testing.T) {
	t.Parallel()

	m := machine(routed, func(s *policy.Snapshot) { s.Policy.Accept.Timeout = 0 })
	tell(m, escalated(0))
	m.Offer(signals.Offer{
		Kind: signals.OfferAgent, Desk: "support", Session: 1, Number: m.Talk.Said.Number, Attempt: 1, Agent: "smith",
	}, at(time.Second))
	require.Equal(t, map[string]time.Duration{"queue": 30 * time.Minute}, due(m))
	require.ErrorContains(t, m.Command(signals.AcceptUpdate, signals.Command{AgentID: "jones"}, at(2*time.Second)), "is offered to smith")
	require.Equal(t, signals.StatusOffered, m.Status)
}

// TestRoutingChanges: a conversation whose source is no longer routed by a desk
// withdraws from it at the next continue-as-new.
func TestRoutingChanges(t *testing.T) {
	t.Parallel()

	m := machine(routed)
	tell(m, escalated(0))
	offered(m, "smith", time.Second)
	m.Asked(m.TakeAsks())

	next := again(t, m)
	next.Under = under()
	next.Settle(at(time.Minute))
	require.Equal(t, signals.StatusQueued, next.Status)
	require.Len(t, next.TakeAsks(), 1)
	require.Equal(t, signals.AskRelease, next.TakeAsks()[0].Ask.Kind)
	require.Equal(t, "support", next.TakeAsks()[0].Desk)
}

// TestDeskOfAnotherName: what an event calls a desk is one only if there is one.
func TestDeskOfAnotherName(t *testing.T) {
	t.Parallel()

	for said, desk := range map[string]string{"billing": "billing", "nowhere": "support", "No Name!": "support", "": "support"} {
		m := machine(routed)
		assigned := event(signals.AgentAssigned, "smith", 0)
		assigned.Assignment = &signals.Assignment{AgentID: "smith", Desk: said}
		tell(m, assigned)
		require.Equal(t, desk, m.View("", false).Desk)
		require.Equal(t, desk, m.TakeAsks()[0].Desk)
	}
}

// TestNobody: who is told that nobody takes the conversation is told why.
func TestNobody(t *testing.T) {
	t.Parallel()

	for reason, status := range map[string]string{
		signals.ReasonClosed: "offline", signals.ReasonUnavailable: "offline", signals.ReasonDeclined: "busy", signals.ReasonFull: "busy",
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()

			m := machine(routed)
			tell(m, escalated(0))

			none := word(m, signals.OfferNone, 0, "", time.Second)
			none.Reason = reason
			m.Offer(none, at(time.Second))

			told := m.Outbox[len(m.Outbox)-1].Event
			require.Equal(t, signals.AgentsUnavailable, told.Type)
			require.Equal(t, status, told.Availability.Status)
		})
	}
}

// TestGiven: whoever has a conversation by somebody else's doing may be away, and
// the desk is asked to look.
func TestGiven(t *testing.T) {
	t.Parallel()

	assigned := event(signals.AgentAssigned, "", time.Second)
	assigned.Assignment = &signals.Assignment{AgentID: "smith"}
	moved := event(signals.ConversationTransferred, "", time.Second)
	moved.Transfer = &signals.Transfer{AgentIDs: []string{"smith"}}
	smith := signals.Command{AgentID: "smith"}

	for name, tc := range map[string]struct {
		take  func(m *conversation.Machine)
		given bool
	}{
		"transferred by the platform": {func(m *conversation.Machine) { tell(m, moved) }, true},
		"assigned by the platform":    {func(m *conversation.Machine) { tell(m, assigned) }, true},
		"transferred": {
			func(m *conversation.Machine) {
				require.NoError(t, m.Command(signals.TransferUpdate, smith, at(time.Second)))
			}, true,
		},
		"assigned": {func(m *conversation.Machine) {
			require.NoError(t, m.Command(signals.AssignUpdate, smith, at(time.Second)))
		}, true},
		"accepted": {func(m *conversation.Machine) {
			m.Offer(word(m, signals.OfferAgent, 1, "smith", time.Second), at(time.Second))
			require.NoError(t, m.Command(signals.AcceptUpdate, smith, at(time.Second)))
		}, false},
		"accepted on the platform": {
			func(m *conversation.Machine) { tell(m, event(signals.AgentAccepted, "smith", time.Second)) }, false,
		},
		"answered":         {func(m *conversation.Machine) { tell(m, says("smith", "Hi", time.Second)) }, false},
		"given and joined": {func(m *conversation.Machine) { tell(m, assigned, joined("smith", 2*time.Second)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(routed)
			tell(m, escalated(0))
			tc.take(m)
			m = again(t, m)

			said := m.Asks[len(m.Asks)-1].Ask
			require.Equal(t, signals.AskAccepted, said.Kind)
			require.Equal(t, "smith", said.Agent)
			require.Equal(t, tc.given, said.Given)
		})
	}

	m := machine(routed)
	tell(m, escalated(0))
	require.NoError(t, m.Command(signals.TransferUpdate, smith, at(time.Second)))

	gone := word(m, signals.OfferGone, 0, "smith", 2*time.Second)
	gone.Reason = signals.ReasonOffline
	m.Offer(gone, at(2*time.Second))
	require.Equal(t, 62*time.Second, due(m)["reassign"])
}
