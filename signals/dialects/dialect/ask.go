package dialect

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// Asker is a dialect some of whose answers depend on more than what became of
// the events: on a desk, or on where the conversation stands.
type Asker interface {
	// Asks returns what the answer to req, which holds these events, depends on;
	// false if on nothing more.
	Asks(req Request, events []signals.Event) (Ask, bool)
}

// Question is what is to be found out.
type Question string

// The questions. A dialect asks nobody; it says what it needs to know, and finds
// it in [Outcome.Found].
const (
	// AskAvailability: is somebody with [Ask.Skill] to be had, after which wait?
	AskAvailability Question = "availability"
	// AskPosition: in which session is the conversation of the events, and who has
	// it, or where does it wait?
	AskPosition Question = "position"
	// AskAgent: who of [Ask.Candidates] shall have the conversation of the events?
	AskAgent Question = "agent"
)

// Ask is a question and what belongs to it.
type Ask struct {
	Question Question
	// Conversation is whom AskPosition and AskAgent are about.
	Conversation string
	// Skill is empty for any.
	Skill      string
	Candidates []signals.Candidate
	// Within bounds how long a platform is kept waiting for its answer, acceptance
	// included. What is not known by then is left out of what was found.
	Within time.Duration
}

// Found is what was found out; the zero value is nothing.
type Found struct {
	// Availability is nil where no desk answers for the source. As long as a desk
	// is silent it is the last known.
	Availability *signals.Availability
	// Session is the number of the conversation's session after the events, 0 where
	// it is not known. ReopenedAt is the newest close in it that was lifted, zero
	// for none.
	Session    int
	ReopenedAt time.Time
	// Agent has the conversation or was chosen for it.
	Agent string
	// Position counts from 1 among those who wait for the same agents, 0 if it does
	// not wait or nobody knows. WaitSeconds is nil where no desk ever said.
	Position    int
	WaitSeconds *int64
}
