package desk_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// epoch is a Friday; far ahead, since the SDK compares its own clock with deadlines
// of the test environment.
func epoch() time.Time { return time.Date(2048, 11, 20, 10, 0, 0, 0, time.UTC) }

func at(offset time.Duration) time.Time { return epoch().Add(offset) }

func key(n int) signals.Key {
	return signals.Key{Source: "shop", Conversation: fmt.Sprintf("chat-%d", n)}
}

// under is a configuration with agents named by their slots, as in "smith:2".
func under(changes ...func(s *policy.DeskSnapshot)) policy.DeskSnapshot {
	snapshot := policy.DeskSnapshot{Desk: "support", Strategy: policy.StrategyLeastBusy, Slots: 1}
	for _, change := range changes {
		change(&snapshot)
	}

	return snapshot
}

// staff puts agents with one slot and some skills on the desk.
func staff(slots int, ids ...string) func(s *policy.DeskSnapshot) {
	return func(s *policy.DeskSnapshot) {
		for _, id := range ids {
			s.Agents = append(s.Agents, policy.DeskAgent{ID: id, Slots: slots, Status: signals.AgentAccepting})
		}
	}
}

func skilled(id string, slots int, skills ...string) func(s *policy.DeskSnapshot) {
	return func(s *policy.DeskSnapshot) {
		s.Agents = append(s.Agents, policy.DeskAgent{ID: id, Slots: slots, Skills: skills, Status: signals.AgentAccepting})
	}
}

func strategy(name policy.Strategy) func(s *policy.DeskSnapshot) {
	return func(s *policy.DeskSnapshot) { s.Strategy = name }
}

// scene is a desk and what it says, told step by step.
type scene struct {
	*desk.Machine

	t       require.TestingT
	now     time.Time
	numbers map[signals.Key]int64
	// attempts are the newest offers that conversations saw.
	attempts map[signals.Key]int64
}

func newScene(t *testing.T, changes ...func(s *policy.DeskSnapshot)) *scene {
	t.Helper()

	return &scene{
		Machine: desk.New(under(changes...), epoch()), t: t, now: epoch(), numbers: map[signals.Key]int64{},
		attempts: map[signals.Key]int64{},
	}
}

// say makes a statement of a conversation, and returns what the desk says to it
// all.
func (s *scene) say(n int, kind signals.AskKind, agent string, changes ...func(need *signals.Need)) []string {
	s.tell(n, kind, agent, changes...)

	return s.hear()
}

func (s *scene) tell(n int, kind signals.AskKind, agent string, changes ...func(need *signals.Need)) {
	s.numbers[key(n)]++
	s.Apply(s.ask(n, kind, agent, changes...), s.now)
}

func (s *scene) ask(n int, kind signals.AskKind, agent string, changes ...func(need *signals.Need)) signals.Ask {
	ask := signals.Ask{
		Kind: kind, Key: key(n), Session: 1, Number: s.numbers[key(n)], Attempt: s.attempts[key(n)], Agent: agent, At: s.now,
	}

	switch kind {
	case signals.AskRequest, signals.AskDeclined, signals.AskExpired:
		need := &signals.Need{Since: epoch(), Timeout: 30 * time.Second, Rounds: 2, Pause: 20 * time.Second}
		for _, change := range changes {
			change(need)
		}

		ask.Need = need
	default:
	}

	return ask
}

// hear lets the desk settle and returns what it says, as "1 offer smith".
func (s *scene) hear() []string {
	s.Tick(s.now)

	var out []string

	for s.Owes() {
		for _, said := range s.TakeOffers(100, s.now) {
			out = append(out, told(said))

			if said.Offer.Kind == signals.OfferAgent {
				s.attempts[said.Key] = said.Offer.Attempt
			}
		}

		s.Dispatched(nil, s.now)
	}

	return out
}

func told(said desk.Addressed) string {
	var n int

	if _, err := fmt.Sscanf(said.Key.Conversation, "chat-%d", &n); err != nil {
		return said.Key.String()
	}

	text := fmt.Sprintf("%d %s", n, said.Offer.Kind)

	switch said.Offer.Kind {
	case signals.OfferAgent, signals.OfferBack:
		text += " " + said.Offer.Agent
	case signals.OfferGone:
		text += " " + said.Offer.Agent + " " + said.Offer.Reason
	case signals.OfferNone:
		text += " " + said.Offer.Reason
	case signals.OfferRound:
		text = strings.TrimSpace(fmt.Sprintf("%s %d %s", text, said.Offer.Round, said.Offer.Reason))
	case signals.OfferFree:
		text += fmt.Sprintf(" %v", said.Offer.Free)
	case signals.OfferCheck:
	}

	return text
}

// pass lets time go by with every deadline on time, and returns what is said.
func (s *scene) pass(d time.Duration) []string {
	var out []string

	for end := s.now.Add(d); ; {
		due, _, ok := s.NextDeadline(s.now)
		if !ok || due.After(end) {
			s.now = end

			return append(out, s.hear()...)
		}

		s.now = due
		out = append(out, s.hear()...)
	}
}

// restart takes the desk through the input of another run.
func (s *scene) restart() { s.Machine = again(s.t, s.Machine, s.now) }

func again(t require.TestingT, m *desk.Machine, now time.Time) *desk.Machine {
	var state desk.State

	require.NoError(t, json.Unmarshal([]byte(stateJSON(t, m)), &state))

	return desk.Resume(&state, m.Under, now)
}

func stateJSON(t require.TestingT, m *desk.Machine) string {
	data, err := json.Marshal(m.State())
	require.NoError(t, err)

	return string(data)
}

func (s *scene) put(id string, change func(word *signals.AgentWord)) []string {
	word := signals.AgentWord{ID: id}
	change(&word)

	_, err := s.PutAgent(word, s.now)
	require.NoError(s.t, err)

	return s.hear()
}

func (s *scene) status(id, status string) []string {
	return s.put(id, func(word *signals.AgentWord) { word.Status = status })
}

func (s *scene) remove(id string) []string {
	_, err := s.RemoveAgent(id, s.now)
	require.NoError(s.t, err)

	return s.hear()
}

func (s *scene) load(id string) int {
	for _, a := range s.View(s.now).Agents {
		if a.ID == id {
			return a.Load
		}
	}

	return -1
}
