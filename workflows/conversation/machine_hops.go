package conversation

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	maxHops      = 32
	reasonHopped = "previous hop failed"
)

// hop is one request of the platform's for an agent. It asks again each time an
// invitation goes from one agent to the next, so that a request after another
// says that the one before came to nothing.
type hop struct {
	At time.Time `json:"at"`
	// Agent is whom the platform invited or had to choose, where it says so.
	Agent string `json:"agent,omitempty"`
}

// enterHop takes a request for an agent, and tells its attempt and what became
// of the one before: nothing in a single request says so.
func (m *Machine) enterHop(event *signals.Event) {
	m.QueuedAt = latest(m.QueuedAt, event.At)

	// What was asked before somebody took the conversation led to that.
	from := latest(m.lastClaim(), m.ClaimsFloor)
	m.Hops = slices.DeleteFunc(m.Hops, func(h hop) bool { return !h.At.After(from) })

	asked := signals.Invitation{}
	if event.Invitation != nil {
		asked = *event.Invitation
	}

	one := hop{At: event.At, Agent: personID(asked.AgentID)}
	if one.Agent == "" && len(asked.Candidates) == 1 {
		one.Agent = personID(asked.Candidates[0].AgentID)
	}

	at, _ := slices.BinarySearchFunc(m.Hops, one, func(a, b hop) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}

		return strings.Compare(a.Agent, b.Agent)
	})

	if one.At.After(from) {
		m.Hops = slices.Insert(m.Hops, at, one)
	}

	if asked.Attempt = at + 1; at > 0 {
		asked.Reason = prefer(asked.Reason, reasonHopped)
	}

	if tried := m.tried(at); len(tried) > 0 {
		asked.Reason += ", tried " + strings.Join(tried, " ")
	}

	event.Invitation = &asked

	if len(m.Hops) > maxHops {
		m.Hops = slices.Delete(m.Hops, 0, 1)
	}
}

// tried are the agents whom the platform asked in vain with the first n requests
// since somebody last took the conversation, in the order in which it asked
// them. With all but the newest request they are those who need not be asked
// again.
func (m *Machine) tried(n int) []string {
	var agents []string

	for i := range n {
		if agent := m.Hops[i].Agent; agent != "" && !slices.Contains(agents, agent) {
			agents = append(agents, agent)
		}
	}

	return agents
}

func describeHop(event *signals.Event) string {
	name := ""
	if event.Platform != nil {
		name = event.Platform.Event
	}

	attempt := ""
	if event.Invitation.Attempt > 1 {
		attempt = strconv.Itoa(event.Invitation.Attempt)
	}

	return words("", name, "", "to", event.Invitation.AgentID, "attempt", attempt, "", event.Invitation.Reason)
}
