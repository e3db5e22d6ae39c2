package conversation

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// maxMarks bounds the remembered times of queueing, maxInvited the remembered
	// invitations, maxCandidates the agents that a platform names; as JSON their
	// ids take maxCandidateBytes.
	maxMarks          = 32
	maxInvited        = 20
	maxCandidates     = 50
	maxCandidateBytes = 2 << 10
)

// DeskAsk is a statement on its way to a desk.
type DeskAsk struct {
	Desk string      `json:"desk"`
	Ask  signals.Ask `json:"ask"`
}

// queueMark is one time at which something put the conversation into a queue.
type queueMark struct {
	At      time.Time `json:"at"`
	ClockAt time.Time `json:"clock_at"`
}

// wanted is the newest word about whom an escalation asks for by name; the
// empty name is a word, too.
type wanted struct {
	Agent string    `json:"agent,omitempty"`
	At    time.Time `json:"at,omitzero"`
}

// set enters one word; of two at the same time the same one always wins.
func (w *wanted) set(agent string, at time.Time) {
	if at.After(w.At) || at.Equal(w.At) && agent > w.Agent {
		w.Agent, w.At = agent, at
	}
}

// named are the agents among whom a platform lets Parley choose.
type named struct {
	At   time.Time           `json:"at,omitzero"`
	List []signals.Candidate `json:"list,omitempty"`
}

// taken is the newest time that the conversation was taken from an agent.
type taken struct {
	From string    `json:"from"`
	At   time.Time `json:"at"`
	// Since is when the visitor's wait began, from before that agent had it.
	Since time.Time `json:"since"`
}

// hold is what the reassign clock knows of the present agent.
type hold struct {
	Agent string `json:"agent,omitempty"`
	// Told: the channels know that nobody else is free. Fired: all was done.
	Told  bool `json:"told,omitempty"`
	Fired bool `json:"fired,omitempty"`
	// Kept is why the conversation would have been taken, had anybody been free.
	Kept *question `json:"kept,omitempty"`
	// NextAt is when to ask again after nobody was free.
	NextAt time.Time `json:"next_at,omitzero"`
	// Command is the key of the order by which the platform was told to take the
	// conversation from the agent.
	Command string `json:"command,omitempty"`
}

// shift is by how much a snooze moved a clock that counts from a time.
type shift struct {
	From time.Time     `json:"from,omitzero"`
	By   time.Duration `json:"by,omitempty"`
}

func (s *shift) add(from time.Time, by time.Duration) {
	if !s.From.Equal(from) {
		s.From, s.By = from, 0
	}

	s.By += by
}

func (s *shift) of(from time.Time) time.Duration {
	if !s.From.Equal(from) {
		return 0
	}

	return s.By
}

// talk is what the conversation and its desk have told each other.
type talk struct {
	// Desk is whom the newest statement was made to.
	Desk string      `json:"desk,omitempty"`
	Said signals.Ask `json:"said,omitzero"`
	// Floor is the highest number that a desk has heard which the conversation is
	// not with: the next statement's is higher.
	Floor int64 `json:"floor,omitempty"`
	// Attempt is the newest offer taken.
	Attempt int64 `json:"attempt,omitempty"`
	// Since is the beginning of the newest wait.
	Since time.Time `json:"since,omitzero"`
	// Unserved is the newest word that nobody took it.
	Unserved unserved `json:"unserved,omitzero"`
	// AskAgainAt is when to ask a desk again that did not keep the conversation;
	// HeardAt is the desk's newest word.
	AskAgainAt time.Time `json:"ask_again_at,omitzero"`
	HeardAt    time.Time `json:"heard_at,omitzero"`
	// OpensAt is when the desk opens that said it is closed: until then the
	// longest wait stands still.
	OpensAt time.Time `json:"opens_at,omitzero"`
	// Invited are the invitations so far; the last one may be open.
	Invited  []invited `json:"invited,omitempty"`
	Gone     *gone     `json:"gone,omitempty"`
	Question *question `json:"question,omitempty"`
}

// unserved is a round of invitations, or all of them, that ended with nobody.
type unserved struct {
	Number int64 `json:"number,omitempty"`
	Round  int   `json:"round,omitempty"`
	None   bool  `json:"none,omitempty"`
}

// invited is one invitation; it is open while Outcome is empty.
type invited struct {
	Agent   string    `json:"agent"`
	Name    string    `json:"name,omitempty"`
	Attempt int64     `json:"attempt"`
	Round   int       `json:"round,omitempty"`
	At      time.Time `json:"at"`
	// Until is when it expires; zero is never.
	Until   time.Time `json:"until,omitzero"`
	Outcome string    `json:"outcome,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	EndedAt time.Time `json:"ended_at,omitzero"`
}

// gone is the desk's word that the present agent is not there.
type gone struct {
	Agent   string    `json:"agent"`
	At      time.Time `json:"at"`
	Removed bool      `json:"removed,omitempty"`
}

// question is what the desk was asked: whether another agent is free.
type question struct {
	Reason string `json:"reason"`
	// From is what the clock counted from: once it moves, nothing is asked.
	From  time.Time `json:"from"`
	At    time.Time `json:"at"`
	Tries int       `json:"tries"`
}
