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
	// At is when it was stated.
	At time.Time `json:"at"`
	// Need is what a request, declined and expired carry.
	Need *Need `json:"need,omitempty"`
	// Reason of a release or a decline, for the desk's log.
	Reason string `json:"reason,omitempty"`
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
	// OfferCheck: the desk doubts what it knows; say the newest statement again.
	OfferCheck OfferKind = "check"
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
	// Attempt ascends with every offer of a desk to a conversation.
	Attempt int64     `json:"attempt,omitempty"`
	Agent   string    `json:"agent,omitempty"`
	Name    string    `json:"name,omitempty"`
	Round   int       `json:"round,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	At      time.Time `json:"at"`
	// Free says of a check, gone or none whether another accepting agent has a
	// free slot: only then is a silent agent's conversation reassigned.
	Free bool `json:"free,omitempty"`
	// Position and Wait are where the conversation stood when this was sent.
	Position int           `json:"position,omitempty"`
	Wait     time.Duration `json:"wait,omitempty"`
	Reason   string        `json:"reason,omitempty"`
}

// OfferBatch is the payload of [OffersSignal].
type OfferBatch struct {
	Summary string            `json:"summary,omitempty"`
	Offers  []json.RawMessage `json:"offers"`
}
