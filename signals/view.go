package signals

import "time"

// Status is where a conversation stands.
type Status string

// The statuses (lifecycle, section 1).
const (
	StatusOpen    Status = "open"
	StatusQueued  Status = "queued"
	StatusOffered Status = "offered"
	StatusActive  Status = "active"
	StatusSnoozed Status = "snoozed"
	StatusClosing Status = "closing"
	StatusClosed  Status = "closed"
)

// View is a conversation as GET /v1/conversations/{source}/{id} and the query
// [StateQuery] show it. A list element leaves out Participants and Timeline.
type View struct {
	ID             string            `json:"id"`
	Source         string            `json:"source"`
	WorkflowID     string            `json:"workflow_id"`
	RunID          string            `json:"run_id"`
	Session        int               `json:"session"`
	Thread         string            `json:"thread"`
	Status         Status            `json:"status"`
	Unreplied      bool              `json:"unreplied"`
	UnrepliedSince *time.Time        `json:"unreplied_since"`
	PushTimes      int               `json:"push_times"`
	Agent          string            `json:"agent"`
	Desk           string            `json:"desk"`
	Tags           []string          `json:"tags"`
	Participants   []ViewParticipant `json:"participants,omitempty"`
	// Accepted counts the events that came and were no duplicates; it is
	// Applied + Late + Ignored. Duplicates are counted beside it.
	Accepted   int64 `json:"accepted"`
	Applied    int64 `json:"applied"`
	Late       int64 `json:"late"`
	Ignored    int64 `json:"ignored"`
	Duplicates int64 `json:"duplicates"`
	// Pending waits in front of the workflow; only the gateway knows it.
	Pending  int64         `json:"pending"`
	Messages MessageCounts `json:"messages"`
	Clocks   []ViewClock   `json:"clocks"`
	// Offered is the agent whom an open invitation asks; Invitations are those
	// so far, the newest last.
	Offered     string       `json:"offered,omitempty"`
	Invitations []Invitation `json:"invitations,omitempty"`
	// Queue is where it stands in the queue of Desk, if that is one of Parley's;
	// only the gateway knows it, and lists leave it out.
	Queue    *ViewQueue      `json:"queue,omitempty"`
	Timeline []TimelineEntry `json:"timeline,omitempty"`
	Ticket   *TicketRef      `json:"ticket"`

	OpenedAt time.Time  `json:"opened_at,omitzero"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
}

// ViewQueue is where a conversation stands at a desk.
type ViewQueue struct {
	// Status is one of the constants of [DeskPosition].
	Status string `json:"status"`
	// Position counts from 1 among those who compete for the same agents, and is
	// absent while an agent is invited; Depth counts all who wait.
	Position int `json:"position,omitempty"`
	Depth    int `json:"depth"`
	// WaitSeconds is the estimate; absent where nobody accepts.
	WaitSeconds *int64 `json:"wait_seconds,omitempty"`
}

// ViewParticipant is one of a [View]'s participants.
type ViewParticipant struct {
	ID         string     `json:"id"`
	Role       Role       `json:"role"`
	Name       string     `json:"name"`
	Present    bool       `json:"present"`
	Visibility Visibility `json:"visibility"`
}

// MessageCounts counts messages by who wrote them; Internal ones are seen by
// agents only.
type MessageCounts struct {
	Visitor  int64 `json:"visitor"`
	Agent    int64 `json:"agent"`
	Bot      int64 `json:"bot"`
	Internal int64 `json:"internal"`
}

// ViewClock is one running clock and when it is due.
type ViewClock struct {
	Name string    `json:"name"`
	Due  time.Time `json:"due"`
}

// TimelineEntry is one line of what happened.
type TimelineEntry struct {
	At   time.Time `json:"at"`
	Type Type      `json:"type"`
	Text string    `json:"text"`
}

// Ticket is the record made when a session was closed out.
type Ticket struct {
	TicketRef

	Source       string           `json:"source"`
	Conversation string           `json:"conversation"`
	WorkflowID   string           `json:"workflow_id"`
	Subject      string           `json:"subject"`
	Unreplied    bool             `json:"unreplied"`
	Messages     MessageCounts    `json:"messages"`
	OpenedAt     time.Time        `json:"opened_at"`
	ClosedAt     time.Time        `json:"closed_at"`
	Transcript   []TranscriptLine `json:"transcript"`
}

// TranscriptLine is one message of a ticket's transcript.
type TranscriptLine struct {
	At   time.Time `json:"at"`
	Role Role      `json:"role"`
	Name string    `json:"name,omitempty"`
	Text string    `json:"text"`
}
