package conversation

import (
	"cmp"
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
	// Agent is whom the platform invited, or had to choose; Invited tells which.
	Agent   string `json:"agent,omitempty"`
	Invited bool   `json:"invited,omitempty"`
	// Name is the platform's own of the event.
	Name string `json:"name,omitempty"`
}

// enterHop takes a request for an agent, and tells its attempt and what became
// of the one before: nothing in a single request says so.
func (m *Machine) enterHop(event *signals.Event) {
	m.enqueue(event.At, clockTime(event))
	m.enterNamed(event)

	// What was asked before somebody took the conversation led to that.
	if from := latest(m.lastClaim(), m.ClaimsFloor); event.At.After(from) {
		m.Hops = slices.DeleteFunc(m.Hops, func(h hop) bool { return !h.At.After(from) })
	}

	one := hopOf(event)
	at, _ := slices.BinarySearchFunc(m.Hops, one, func(a, b hop) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Agent, b.Agent), strings.Compare(a.Name, b.Name))
	})
	m.Hops = slices.Insert(m.Hops, at, one)

	asked := signals.Invitation{}
	if event.Invitation != nil {
		asked = *event.Invitation
	}

	asked.Attempt, asked.Reason = at+1, m.hopReason(at)
	event.Invitation = &asked

	// A request that overtook this one is another attempt than it seemed.
	for i := at + 1; i < len(m.Hops); i++ {
		m.retellHop(i)
	}

	if len(m.Hops) > maxHops {
		m.Hops = slices.Delete(m.Hops, 0, 1)
	}
}

func hopOf(event *signals.Event) hop {
	one := hop{At: event.At}

	if event.Platform != nil {
		one.Name = clip(event.Platform.Event, maxNameBytes)
	}

	switch asked := event.Invitation; {
	case asked == nil:
	case asked.AgentID != "":
		one.Agent, one.Invited = personID(asked.AgentID), true
	case len(asked.Candidates) == 1:
		one.Agent = personID(asked.Candidates[0].AgentID)
	}

	return one
}

// hopReason says what became of the request before the one at n, if any.
func (m *Machine) hopReason(n int) string {
	if n == 0 {
		return ""
	}

	return words("", reasonHopped, "", "tried", strings.Join(m.tried(n), " "))
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

// retellHop writes the line of the request at n anew.
func (m *Machine) retellHop(n int) {
	one := m.Hops[n]
	first := one.tell(1, "")

	for i := range m.Timeline {
		entry := &m.Timeline[i]
		if entry.Type == signals.AssignmentRequested && entry.At.Equal(one.At) && strings.HasPrefix(entry.Text, first) {
			entry.Text = one.tell(n+1, m.hopReason(n))

			return
		}
	}
}

func (h *hop) tell(attempt int, reason string) string {
	agent, number := "", ""

	if h.Invited {
		agent = h.Agent
	}

	if attempt > 1 {
		number = strconv.Itoa(attempt)
	}

	return words("", h.Name, "", "to", agent, "attempt", number, "", reason)
}

func describeHop(event *signals.Event) string {
	one := hopOf(event)

	return one.tell(event.Invitation.Attempt, event.Invitation.Reason)
}
