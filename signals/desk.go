package signals

import (
	"encoding/json"
	"time"
)

// What desks and conversations tell each other. Both ways go through the
// courier, each message may be repeated, and an older one is ignored.
const (
	// AsksSignal carries an [AskBatch] from conversations to a desk.
	AsksSignal = "asks"
	// OffersSignal carries an [OfferBatch] from a desk to a conversation.
	OffersSignal = "offers"
	// AgentsSignal carries an [AgentBatch] from the edge to a desk: what
	// platforms say of their agents.
	AgentsSignal = "agents"

	// AgentUpdate puts an agent on a desk: an [AgentWord], answered with its
	// [DeskAgent].
	AgentUpdate = "agent"
	// RemoveAgentUpdate takes an agent off a desk: an [AgentWord] of which only
	// the id counts, answered with the [DeskAgent] that was.
	RemoveAgentUpdate = "remove-agent"
	// ChooseUpdate asks for agents at once: [Choices], answered with [Chosen].
	ChooseUpdate = "choose"
	// ReloadUpdate makes a desk read its configuration again, which it does by
	// itself at least once a day. It takes nothing and answers nothing.
	ReloadUpdate = "reload"

	// AvailabilityQuery takes a skill, empty for any, and is answered with an
	// [Availability].
	AvailabilityQuery = "availability"
	// PositionQuery takes a [Key] and is answered with a [DeskPosition].
	PositionQuery = "position"
)

// AskKind says what a conversation tells its desk.
type AskKind string

// The kinds of [Ask]. Each is a statement about the whole: the newest one of a
// conversation replaces those before it.
const (
	// AskRequest: the conversation needs an agent and has none.
	AskRequest AskKind = "request"
	// AskAccepted: Agent has the conversation, offered or not.
	AskAccepted AskKind = "accepted"
	// AskDeclined: the agent of Attempt does not want it; it still needs one.
	AskDeclined AskKind = "declined"
	// AskExpired: the agent of Attempt let the time pass; it still needs one.
	AskExpired AskKind = "expired"
	// AskRelease: the conversation has no agent and needs none from this desk.
	AskRelease AskKind = "release"
)

// Ask is a conversation's statement to its desk. A desk keeps the newest of
// each conversation by Session, then Number.
type Ask struct {
	Kind    AskKind `json:"kind"`
	Key     Key     `json:"key"`
	Session int     `json:"session"`
	// Number ascends with every statement of a session. Repeating the newest
	// statement keeps its number.
	Number int64 `json:"number"`
	// Attempt is the desk's number of the offer that the statement answers; the
	// newest that the conversation saw, 0 for none.
	Attempt int64 `json:"attempt,omitempty"`
	// Agent has or had the conversation.
	Agent string `json:"agent,omitempty"`
	// Given, with accepted: the agent did not take it, but somebody else's word or
	// command gave it to them.
	Given bool `json:"given,omitempty"`
	// At is when it was stated.
	At time.Time `json:"at"`
	// Need is what a request, declined and expired carry.
	Need *Need `json:"need,omitempty"`
	// Reason of a release or a decline, for the desk's log.
	Reason string `json:"reason,omitempty"`
	// Wants asks for an [OfferFree]: whether another agent could take over.
	Wants bool `json:"wants,omitempty"`
}

// Need is what a conversation that waits asks of its desk.
type Need struct {
	// Since is when the wait began; it survives a reassignment.
	Since    time.Time `json:"since"`
	Skills   []string  `json:"skills,omitempty"`
	Priority int       `json:"priority,omitempty"`
	// Head puts it before those of equal priority that wait: it was taken from
	// an agent, or an agent left it.
	Head bool `json:"head,omitempty"`
	// Not is tried last: the agent it was taken from.
	Not string `json:"not,omitempty"`
	// Again is asked first, if there is room: the agent who had it when it was
	// closed, and whom a visitor who goes on would like to have again.
	Again string `json:"again,omitempty"`
	// Only is the one agent that was asked for by name; nobody else is tried.
	Only string `json:"only,omitempty"`
	// Visitor is the returning visitor's id, for the agent who had it last.
	Visitor string `json:"visitor,omitempty"`
	// Timeout, Rounds and Pause are the policy's accept rules.
	Timeout time.Duration `json:"timeout"`
	Rounds  int           `json:"rounds"`
	Pause   time.Duration `json:"pause"`
	// Candidates are those the platform named, if it did; only they are tried.
	Candidates []Candidate `json:"candidates,omitempty"`
}

// AskBatch is the payload of [AsksSignal].
type AskBatch struct {
	Summary string            `json:"summary,omitempty"`
	Asks    []json.RawMessage `json:"asks"`
}

// OfferKind says what a desk tells a conversation.
type OfferKind string

// The kinds of [Offer].
const (
	// OfferAgent: Agent has a slot reserved until the conversation says
	// accepted, declined, expired or release.
	OfferAgent OfferKind = "offer"
	// OfferNone: all rounds are over and nobody took it, or nobody can.
	OfferNone OfferKind = "none"
	// OfferRound: a round ended with nobody; the desk goes on after a pause.
	OfferRound OfferKind = "round"
	// OfferCheck: the desk doubts what it knows; say the newest statement again,
	// whatever Session and Number this one names. Who needs nothing says release.
	OfferCheck OfferKind = "check"
	// OfferFree answers a statement that Wants it: see Free.
	OfferFree OfferKind = "free"
	// OfferGone: the agent was removed from the desk or went offline; Agent and
	// Reason say who and why. The conversation's reassign clock decides.
	OfferGone OfferKind = "gone"
	// OfferBack: the agent of an OfferGone is back.
	OfferBack OfferKind = "back"
)

// Offer is a desk's message to one conversation.
type Offer struct {
	Kind OfferKind `json:"kind"`
	Desk string    `json:"desk"`
	// Session and Number are those of the statement that it answers; of an
	// older one it is ignored.
	Session int   `json:"session"`
	Number  int64 `json:"number"`
	// Attempt ascends with every offer of a desk to a conversation; with other
	// kinds it is the newest there was. Below one that was seen it came too late.
	Attempt int64  `json:"attempt,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Name    string `json:"name,omitempty"`
	Round   int    `json:"round,omitempty"`
	// Until is how long the agent of an offer may think, and, of a desk that says
	// it is closed, when it opens; zero where there is no end to it.
	Until time.Time `json:"until,omitzero"`
	At    time.Time `json:"at"`
	// Free says of a check, free, gone or none whether another accepting agent has
	// a free slot: only then is a silent agent's conversation reassigned.
	Free bool `json:"free,omitempty"`
	// Position and Wait are where the conversation stood when this was sent.
	Position int           `json:"position,omitempty"`
	Wait     time.Duration `json:"wait,omitempty"`
	// Reason is one of the constants below.
	Reason string `json:"reason,omitempty"`
}

// Why a desk has nobody, or an agent is gone.
const (
	// ReasonClosed: it is out of the desk's hours. The desk keeps the place.
	ReasonClosed = "closed"
	// ReasonUnavailable: nobody accepts who could be asked. The desk keeps the
	// place.
	ReasonUnavailable = "unavailable"
	// ReasonDeclined: all were asked, in all rounds, and nobody took it. The desk
	// keeps the place.
	ReasonDeclined = "declined"
	// ReasonFull: the desk holds as many as it can and keeps no place.
	ReasonFull = "full"
	// ReasonStopped: somebody cancelled the desk; it keeps no place.
	ReasonStopped = "stopped"
	// ReasonOffline and ReasonRemoved say what became of an agent.
	ReasonOffline = "offline"
	ReasonRemoved = "removed"
)

// OfferBatch is the payload of [OffersSignal].
type OfferBatch struct {
	Summary string            `json:"summary,omitempty"`
	Offers  []json.RawMessage `json:"offers"`
}

// AgentBatch is the payload of [AgentsSignal]: each is an [AgentWord].
type AgentBatch struct {
	Summary string            `json:"summary,omitempty"`
	Agents  []json.RawMessage `json:"agents"`
}

// AgentWord says something of one agent; what it leaves out stays as it is.
type AgentWord struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Status is [AgentAccepting], [AgentNotAccepting] or [AgentOffline].
	Status string `json:"status,omitempty"`
	// Slots is how many conversations the agent has at a time.
	Slots *int `json:"slots,omitempty"`
	// Skills replace those known, none at all included; nil leaves them.
	Skills []string `json:"skills,omitzero"`
	// Priority is the agent's group under the strategy priority: the lowest
	// number is asked first.
	Priority *int `json:"priority,omitempty"`
	// At is when it was so; of a status older than the one known nothing is
	// believed. Zero is now.
	At time.Time `json:"at,omitzero"`
}

// Choices is the argument of [ChooseUpdate].
type Choices struct {
	Choices []ChoiceAsk `json:"choices"`
}

// ChoiceAsk asks for one agent at once, among those that the platform names.
type ChoiceAsk struct {
	Key        Key         `json:"key"`
	Skills     []string    `json:"skills,omitempty"`
	Candidates []Candidate `json:"candidates"`
	// Named are those whom earlier requests for the same conversation were
	// answered, and who did not take it, the newest last: another one is chosen as
	// long as one is left. A repetition of a request leaves out its own answer.
	Named []string `json:"named,omitempty"`
}

// Chosen answers [Choices] in the same order; an empty id is no choice.
type Chosen struct {
	Agents []string `json:"agents"`
}
