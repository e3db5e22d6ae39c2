package signals

import "time"

// DeskView is a desk as GET /v1/desks/{desk} and the query [StateQuery] of its
// workflow show it.
type DeskView struct {
	Desk     string `json:"desk"`
	Strategy string `json:"strategy"`
	// Open tells whether it is within the desk's hours.
	Open bool `json:"open"`
	// Waiting counts those without an agent, Offered those an agent thinks about,
	// Active those an agent has.
	Waiting int `json:"waiting"`
	Offered int `json:"offered"`
	Active  int `json:"active"`
	// OldestWaitSeconds is how long the one who waits the longest has waited, since
	// OldestSince; a workflow knows only when it last had something to do, see
	// [DeskView.At].
	OldestWaitSeconds int64      `json:"oldest_wait_seconds"`
	OldestSince       *time.Time `json:"oldest_since,omitempty"`
	// WaitSeconds is what somebody who came now would wait, as far as measured
	// handle times tell; absent if nobody accepts.
	WaitSeconds *int64 `json:"wait_seconds,omitempty"`
	// Queue holds those who wait and those who are offered, in order, the first
	// of them only if there are many.
	Queue  []DeskWaiting `json:"queue"`
	Agents []DeskAgent   `json:"agents"`
	// Measured is what estimates are made of, and how good they were.
	Measured DeskMeasured `json:"measured"`
}

// At returns the view as it is seen now.
func (v DeskView) At(now time.Time) DeskView {
	if v.OldestSince != nil {
		v.OldestWaitSeconds = max(int64(now.Sub(*v.OldestSince).Seconds()), 0)
	}

	return v
}

// DeskWaiting is one conversation in a desk's queue.
type DeskWaiting struct {
	Source       string    `json:"source"`
	Conversation string    `json:"conversation"`
	WorkflowID   string    `json:"workflow_id"`
	Status       string    `json:"status"`
	Position     int       `json:"position"`
	Since        time.Time `json:"since"`
	WaitSeconds  *int64    `json:"wait_seconds,omitempty"`
	Skills       []string  `json:"skills"`
	Priority     int       `json:"priority"`
	Head         bool      `json:"head"`
	// Agent, Until and Round are those of the invitation that is out.
	Agent string     `json:"agent,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	Round int        `json:"round"`
}

// DeskAgent is one agent of a desk.
type DeskAgent struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Status   string   `json:"status"`
	Slots    int      `json:"slots"`
	Load     int      `json:"load"`
	Skills   []string `json:"skills"`
	Priority int      `json:"priority"`
	// WrapupUntil is set while the agent rests after a conversation.
	WrapupUntil  *time.Time `json:"wrapup_until,omitempty"`
	LastAssigned *time.Time `json:"last_assigned,omitempty"`
	// Removed agents still have conversations, and get no more.
	Removed bool `json:"removed,omitempty"`
}

// DeskMeasured is what a desk measured, newer things weighing more.
type DeskMeasured struct {
	// HandleSeconds is how long an agent's slot is taken by one conversation,
	// invitations that came to nothing included.
	HandleSeconds float64 `json:"handle_seconds"`
	// AcceptSeconds is from the first invitation to the acceptance.
	AcceptSeconds float64 `json:"accept_seconds"`
	// FreedPerMinute is how many slots became free.
	FreedPerMinute float64 `json:"freed_per_minute"`
	// Estimates counts the waits that had been estimated and ended with an agent;
	// ErrorSeconds is by how much they were wrong, up or down, BiasSeconds with
	// its sign (more than was waited is above 0), WaitSeconds what was waited.
	Estimates    int64   `json:"estimates"`
	ErrorSeconds float64 `json:"error_seconds"`
	BiasSeconds  float64 `json:"bias_seconds"`
	WaitSeconds  float64 `json:"wait_seconds"`
}

// DeskPosition answers [PositionQuery].
type DeskPosition struct {
	// Status is empty where the desk knows nothing of the conversation; else one
	// of the constants below.
	Status string `json:"status"`
	// Position counts from 1 among those who compete for the same agents; 0 for
	// who does not wait.
	Position    int    `json:"position,omitempty"`
	Depth       int    `json:"depth,omitempty"`
	WaitSeconds *int64 `json:"wait_seconds,omitempty"`
	Agent       string `json:"agent,omitempty"`
	AgentName   string `json:"agent_name,omitempty"`
	// Session and Number are those of the newest statement that the desk has heard
	// of the conversation.
	Session int   `json:"session,omitempty"`
	Number  int64 `json:"number,omitempty"`
}

// How a conversation stands at a desk.
const (
	// DeskWaits: in line.
	DeskWaits = "waiting"
	// DeskPauses: in line, between two rounds.
	DeskPauses = "paused"
	// DeskHasNone: in line, and told that there is nobody.
	DeskHasNone = "unavailable"
	// DeskOffered: an agent thinks about it.
	DeskOffered = "offered"
	// DeskReserved: an agent was chosen at once and has not accepted yet.
	DeskReserved = "reserved"
	// DeskActive: an agent has it.
	DeskActive = "active"
)
