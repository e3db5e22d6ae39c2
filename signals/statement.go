package signals

import "time"

// StatementQuery asks a conversation where it stands with its desk; it takes
// nothing and is answered with a [Statement].
const StatementQuery = "statement"

// Statement is where a conversation stands, and what it said last to its desk: a
// desk that has heard it, or more, is up to date (see [DeskPosition]).
type Statement struct {
	Session int    `json:"session"`
	Status  Status `json:"status"`
	// Agent has the conversation, with or without a desk.
	Agent string `json:"agent,omitempty"`
	// Skill is what the visitor's newest escalation asks for.
	Skill string `json:"skill,omitempty"`
	// Desk heard the newest statement, of Kind and Number; all three are empty if
	// nothing was said to any.
	Desk   string  `json:"desk,omitempty"`
	Kind   AskKind `json:"kind,omitempty"`
	Number int64   `json:"number,omitempty"`
	// ClosedAt is the close under which the conversation stands, ReopenedAt the
	// newest one that was lifted in this session; zero for none.
	ClosedAt   time.Time `json:"closed_at,omitzero"`
	ReopenedAt time.Time `json:"reopened_at,omitzero"`
}

// Waits reports whether the conversation told its desk that it needs an agent.
func (s *Statement) Waits() bool {
	return s.Agent == "" && (s.Kind == AskRequest || s.Kind == AskDeclined || s.Kind == AskExpired)
}
