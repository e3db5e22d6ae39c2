// Package staff plays the visitors and the agents of desks through the HTTP API:
// everybody escalates at once, and each agent takes what the desk offers, chats
// for a fixed time and closes. It keeps a book of its own of who has what, so
// that a slot given twice is found whatever the desk believes.
package staff

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Plan is the work of one run: desks that are alike, and their conversations.
type Plan struct {
	// Name sets the conversations of this run apart from those of others.
	Name string
	// Desks are so many side by side; the other numbers are those of each.
	Desks, Agents, Slots, Conversations int
	// Handle is how long an agent chats.
	Handle time.Duration
}

// Total is how many conversations there are.
func (p *Plan) Total() int { return p.Desks * p.Conversations }

// Room is how many conversations one desk's agents can have at a time.
func (p *Plan) Room() int { return p.Agents * p.Slots }

// Desk is the name of a desk, and of the source whose conversations it gets.
func (p *Plan) Desk(desk int) string { return "desk-" + strconv.Itoa(desk+1) }

// Agent is the id of one of a desk's agents.
func (p *Plan) Agent(desk, agent int) string {
	return fmt.Sprintf("agent-%d-%d@example.com", desk+1, agent+1)
}

// Key names a conversation by its number in the whole plan: one after the other
// goes to each desk in turn.
func (p *Plan) Key(number int) signals.Key {
	return signals.Key{Source: p.Desk(p.DeskOf(number)), Conversation: p.Name + "-" + strconv.Itoa(number)}
}

// DeskOf is the desk of a conversation.
func (p *Plan) DeskOf(number int) int { return number % p.Desks }

// Config is the configuration file that the plan needs. No clock but the grace
// falls due while it lasts: who escalates with two thousand others waits.
func (p *Plan) Config() []byte {
	var text bytes.Buffer

	fmt.Fprint(&text, "policies:\n  default: {unreplied: {first: 12h, repeat: 12h}, closeout: {grace: 1s}, queue: {max_wait: 12h}, "+
		"accept: {timeout: 1h}, reassign: {after: 12h}}\n")

	fmt.Fprint(&text, "sources:\n")

	for desk := range p.Desks {
		fmt.Fprintf(&text, "  %s: {dialect: parley, desk: %[1]s, routing: desk}\n", p.Desk(desk))
	}

	fmt.Fprint(&text, "desks:\n")

	for desk := range p.Desks {
		fmt.Fprintf(&text, "  %s:\n    slots: %d\n    agents:\n", p.Desk(desk), p.Slots)

		for agent := range p.Agents {
			fmt.Fprintf(&text, "      - {id: %s, name: Agent %d, status: accepting}\n", p.Agent(desk, agent), agent+1)
		}
	}

	return text.Bytes()
}

// The events of each conversation; the acceptance between the first two is a
// command.
const (
	escalatedID = "escalated"
	greetingID  = "greeting"
	thanksID    = "thanks"
	closedID    = "closed"

	// Events is how many there are, and Messages how many of them are said.
	Events   = 4
	Messages = 2
)

func (p *Plan) event(number int, id string, kind signals.Type, role signals.Role, who string) signals.Event {
	key := p.Key(number)

	return signals.Event{
		ID: id, Source: key.Source, Conversation: key.Conversation, Type: kind, At: time.Now().UTC(),
		Actor: &signals.Actor{ID: who, Role: role, Name: who},
	}
}

func (p *Plan) message(number int, id string, role signals.Role, who, text string) signals.Event {
	event := p.event(number, id, signals.MessageReceived, role, who)
	event.Message = &signals.Message{ID: id, Kind: signals.KindText, Text: text}

	return event
}

const visitor = "ann"

// Escalated is the visitor's wish for a person.
func (p *Plan) Escalated(number int) []signals.Event {
	return []signals.Event{p.event(number, escalatedID, signals.EscalationRequested, signals.RoleVisitor, visitor)}
}

// Accepting is an agent's command to give the conversation to the agent.
func (p *Plan) Accepting(agent string) signals.Command { return signals.Command{AgentID: agent} }

// Greeted is the agent's first word.
func (p *Plan) Greeted(number int, agent string) []signals.Event {
	return []signals.Event{p.message(number, greetingID, signals.RoleAgent, agent, "How can I help?")}
}

// Ended is the visitor's last word and the agent's close, which is the newer of
// the two: a message after it would reopen the conversation.
func (p *Plan) Ended(number int, agent string) []signals.Event {
	thanks := p.message(number, thanksID, signals.RoleVisitor, visitor, "Thanks, that is all.")
	closed := p.event(number, closedID, signals.ConversationClosed, signals.RoleAgent, agent)
	closed.Closing = &signals.Closing{ByRole: signals.RoleAgent, Reason: "done"}

	return []signals.Event{thanks, closed}
}
