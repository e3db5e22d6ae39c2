package signals

import (
	"encoding/json"
	"time"
)

// Values holds properties by namespace and name; a value of unknown shape
// stays exactly as it came.
type Values map[string]map[string]json.RawMessage

// Details says what a conversation is about and who is in it.
type Details struct {
	Subject        string        `json:"subject,omitempty"`
	Property       string        `json:"property,omitempty"`
	Channel        string        `json:"channel,omitempty"`
	Skill          string        `json:"skill,omitempty"`
	Lang           string        `json:"lang,omitempty"`
	GroupIDs       []string      `json:"group_ids,omitempty"`
	Active         *bool         `json:"active,omitempty"`
	Participants   []Participant `json:"participants,omitempty"`
	Tags           []string      `json:"tags,omitempty"`
	Properties     Values        `json:"properties,omitempty"`
	PreviousThread string        `json:"previous_thread,omitempty"`
	NextThread     string        `json:"next_thread,omitempty"`
	Queue          *Queue        `json:"queue,omitempty"`
	// ThreadDetails is what the platform says about the thread alone.
	ThreadDetails *ThreadDetails `json:"thread_details,omitempty"`
}

// ThreadDetails is what a platform with several threads in one conversation
// says about the one an event names.
type ThreadDetails struct {
	CreatedAt time.Time `json:"created_at,omitzero"`
	// Order numbers the threads of a conversation where the platform does.
	Order      *int64   `json:"order,omitempty"`
	UserIDs    []string `json:"user_ids,omitempty"`
	GroupIDs   []string `json:"group_ids,omitempty"`
	Properties Values   `json:"properties,omitempty"`
	// RestrictedAccess says why the platform hides the thread's events.
	RestrictedAccess string `json:"restricted_access,omitempty"`
	QueuesSeconds    *int64 `json:"queues_seconds,omitempty"`
}

// StatusChange says that a platform changed a conversation's status.
type StatusChange struct {
	From           string `json:"from,omitempty"`
	To             string `json:"to,omitempty"`
	Reason         string `json:"reason,omitempty"`
	PlatformStatus string `json:"platform_status,omitempty"`
	AgentID        string `json:"agent_id,omitempty"`
}

// Participant is somebody in a conversation.
type Participant struct {
	ID            string     `json:"id,omitempty"`
	Role          Role       `json:"role,omitempty"`
	Name          string     `json:"name,omitempty"`
	Nickname      string     `json:"nickname,omitempty"`
	Email         string     `json:"email,omitempty"`
	Avatar        string     `json:"avatar,omitempty"`
	ExternalID    string     `json:"external_id,omitempty"`
	ProviderID    string     `json:"provider_id,omitempty"`
	Visibility    Visibility `json:"visibility,omitempty"`
	Present       *bool      `json:"present,omitempty"`
	Reason        string     `json:"reason,omitempty"`
	RequesterID   string     `json:"requester_id,omitempty"`
	RoutingStatus string     `json:"routing_status,omitempty"`
	SeenUpTo      time.Time  `json:"seen_up_to,omitzero"`
	Customer      *Customer  `json:"customer,omitempty"`
	// Fields is what else the platform says, by its own names.
	Fields map[string]json.RawMessage `json:"fields,omitempty"`
}

// Customer is what a platform knows about a visitor.
type Customer struct {
	ID            string    `json:"id,omitempty"`
	ExternalID    string    `json:"external_id,omitempty"`
	Name          string    `json:"name,omitempty"`
	Nickname      string    `json:"nickname,omitempty"`
	Email         string    `json:"email,omitempty"`
	Phone         string    `json:"phone,omitempty"`
	Avatar        string    `json:"avatar,omitempty"`
	CreatedAt     time.Time `json:"created_at,omitzero"`
	EmailVerified *bool     `json:"email_verified,omitempty"`
	// Fields is what else the platform says, by its own names.
	Fields        map[string]json.RawMessage `json:"fields,omitempty"`
	SessionFields []SessionField             `json:"session_fields,omitempty"`
	LastVisit     json.RawMessage            `json:"last_visit,omitempty"`
	Statistics    map[string]json.RawMessage `json:"statistics,omitempty"`
	// Wrapped says that the platform put the customer into an object of that
	// name, where it could have been the payload itself.
	Wrapped bool `json:"wrapped,omitempty"`
}

// SessionField is one custom variable of a visitor's session, in order.
type SessionField struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// MessageKind says what a message is made of.
type MessageKind string

// The kinds of message.
const (
	KindText   MessageKind = "text"
	KindFile   MessageKind = "file"
	KindForm   MessageKind = "form"
	KindRich   MessageKind = "rich"
	KindCustom MessageKind = "custom"
	KindSystem MessageKind = "system"
)

// Message is something written, sent or shown in a conversation.
type Message struct {
	ID         string      `json:"id,omitempty"`
	CustomID   string      `json:"custom_id,omitempty"`
	Text       string      `json:"text,omitempty"`
	Kind       MessageKind `json:"kind,omitempty"`
	Visibility Visibility  `json:"visibility,omitempty"`
	// Automatic marks welcome messages and canned greetings, which never count
	// as a reply.
	Automatic bool `json:"automatic,omitempty"`
	// Truncated says that Text was cut; the whole text is in the archive.
	Truncated  bool            `json:"truncated,omitempty"`
	File       *File           `json:"file,omitempty"`
	Rich       json.RawMessage `json:"rich,omitempty"`
	Custom     json.RawMessage `json:"custom,omitempty"`
	Postback   *Postback       `json:"postback,omitempty"`
	Properties Values          `json:"properties,omitempty"`
	Lang       string          `json:"lang,omitempty"`
	Channel    string          `json:"channel,omitempty"`
	Seen       string          `json:"seen,omitempty"`
	// CreatedAt is when the message was first written, where the event's At is
	// another time, as with an edit.
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// File is an attachment; Size is in bytes, Width and Height in pixels.
type File struct {
	Name            string `json:"name,omitempty"`
	URL             string `json:"url,omitempty"`
	ContentType     string `json:"content_type,omitempty"`
	Size            int64  `json:"size,omitempty"`
	Width           int    `json:"width,omitempty"`
	Height          int    `json:"height,omitempty"`
	ThumbnailURL    string `json:"thumbnail_url,omitempty"`
	Thumbnail2xURL  string `json:"thumbnail2x_url,omitempty"`
	AlternativeText string `json:"alternative_text,omitempty"`
}

// Postback ties a message to the button that made it.
type Postback struct {
	ID       string `json:"id,omitempty"`
	ThreadID string `json:"thread_id,omitempty"`
	EventID  string `json:"event_id,omitempty"`
	Type     string `json:"type,omitempty"`
	Value    string `json:"value,omitempty"`
}

// Preview is what a visitor is about to send (a sneak peek).
type Preview struct {
	Text       string     `json:"text"`
	Visibility Visibility `json:"visibility,omitempty"`
}

// Typing says that somebody began or stopped writing.
type Typing struct {
	On           bool       `json:"on"`
	Visibility   Visibility `json:"visibility,omitempty"`
	EscalationID string     `json:"escalation_id,omitempty"`
}

// Read says how far somebody has read.
type Read struct {
	UserID    string    `json:"user_id,omitempty"`
	MessageID string    `json:"message_id,omitempty"`
	UpTo      time.Time `json:"up_to,omitzero"`
}

// The states of a [Presence].
const (
	PresenceAway    = "away"
	PresenceBack    = "back"
	PresenceOffline = "offline"
)

// Presence says that somebody went away from the conversation or came back.
type Presence struct {
	State        string `json:"state"`
	Reason       string `json:"reason,omitempty"`
	PlatformType string `json:"platform_type,omitempty"`
}

// Escalation is a visitor's wish for a person.
type Escalation struct {
	ID            string `json:"id,omitempty"`
	Skill         string `json:"skill,omitempty"`
	GroupID       string `json:"group_id,omitempty"`
	UserID        string `json:"user_id,omitempty"`
	AgentID       string `json:"agent_id,omitempty"`
	Reason        string `json:"reason,omitempty"`
	Priority      string `json:"priority,omitempty"`
	Status        string `json:"status,omitempty"`
	WaitSeconds   *int64 `json:"wait_seconds,omitempty"`
	QueuePosition *int64 `json:"queue_position,omitempty"`
}

// Availability says whether agents with a skill can take a conversation.
type Availability struct {
	Skill       string `json:"skill,omitempty"`
	Available   *bool  `json:"available,omitempty"`
	Open        *bool  `json:"open,omitempty"`
	WaitSeconds *int64 `json:"wait_seconds,omitempty"`
	QueueDepth  *int64 `json:"queue_depth,omitempty"`
	Status      string `json:"status,omitempty"`
}

// Invitation is a conversation offered to one agent, with a deadline.
type Invitation struct {
	ID         string      `json:"id,omitempty"`
	AgentID    string      `json:"agent_id,omitempty"`
	Round      int         `json:"round,omitempty"`
	Attempt    int         `json:"attempt,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
	ExpiresAt  time.Time   `json:"expires_at,omitzero"`
	Outcome    string      `json:"outcome,omitempty"`
	Reason     string      `json:"reason,omitempty"`
}

// Candidate is an agent that a platform offers for an assignment.
type Candidate struct {
	AgentID  string   `json:"agent_id"`
	Capacity *int64   `json:"capacity,omitempty"`
	Load     *int64   `json:"load,omitempty"`
	Skills   []string `json:"skills,omitempty"`
}

// Assignment says which agent has the conversation.
type Assignment struct {
	AgentID       string `json:"agent_id,omitempty"`
	AgentName     string `json:"agent_name,omitempty"`
	AgentNickname string `json:"agent_nickname,omitempty"`
	FromAgentID   string `json:"from_agent_id,omitempty"`
	Desk          string `json:"desk,omitempty"`
	Reason        string `json:"reason,omitempty"`
	By            string `json:"by,omitempty"`
	SilentSeconds *int64 `json:"silent_seconds,omitempty"`
	// PlatformAction is pending where Parley decided and the platform, which
	// routes for itself, has not been told.
	PlatformAction string `json:"platform_action,omitempty"`
}

// Transfer hands the conversation to other agents or groups.
type Transfer struct {
	AgentIDs    []string `json:"agent_ids,omitempty"`
	GroupIDs    []string `json:"group_ids,omitempty"`
	Reason      string   `json:"reason,omitempty"`
	RequesterID string   `json:"requester_id,omitempty"`
	Queue       *Queue   `json:"queue,omitempty"`
	// PlatformAction is pending where the platform, which routes for itself, has
	// not been told.
	PlatformAction string `json:"platform_action,omitempty"`
}

// Queue is a place in a waiting line; Position counts from 1.
type Queue struct {
	Desk        string    `json:"desk,omitempty"`
	Position    *int64    `json:"position,omitempty"`
	WaitSeconds *int64    `json:"wait_seconds,omitempty"`
	Depth       *int64    `json:"depth,omitempty"`
	QueuedAt    time.Time `json:"queued_at,omitzero"`
}

// Closing says who closed a conversation and why.
type Closing struct {
	ByID            string `json:"by_id,omitempty"`
	ByRole          Role   `json:"by_role,omitempty"`
	Reason          string `json:"reason,omitempty"`
	PlatformReason  string `json:"platform_reason,omitempty"`
	WaitSeconds     *int64 `json:"wait_seconds,omitempty"`
	DurationSeconds *int64 `json:"duration_seconds,omitempty"`
}

// The kinds of [Form].
const (
	FormPrechat  = "prechat"
	FormPostchat = "postchat"
	FormOffline  = "offline"
	FormAsk      = "ask"
	FormTicket   = "ticket"
)

// Form is a filled-in form.
type Form struct {
	ID            string      `json:"id,omitempty"`
	Kind          string      `json:"kind,omitempty"`
	Text          string      `json:"text,omitempty"`
	Fields        []FormField `json:"fields,omitempty"`
	Subject       string      `json:"subject,omitempty"`
	Property      string      `json:"property,omitempty"`
	AgentNickname string      `json:"agent_nickname,omitempty"`
	SubmittedAt   time.Time   `json:"submitted_at,omitzero"`
	CustomID      string      `json:"custom_id,omitempty"`
	// PlatformKind is the platform's own word for Kind; empty if it said none.
	PlatformKind string     `json:"platform_kind,omitempty"`
	Visibility   Visibility `json:"visibility,omitempty"`
	Properties   Values     `json:"properties,omitempty"`
}

// FormField is one field of a [Form].
type FormField struct {
	ID      string       `json:"id,omitempty"`
	Type    string       `json:"type,omitempty"`
	Label   string       `json:"label,omitempty"`
	Value   string       `json:"value,omitempty"`
	Answers []FormAnswer `json:"answers,omitempty"`
}

// FormAnswer is one chosen option of a [FormField].
type FormAnswer struct {
	ID      string `json:"id,omitempty"`
	Label   string `json:"label,omitempty"`
	GroupID string `json:"group_id,omitempty"`
}

// The statuses of an [Unreplied] notice.
const (
	UnrepliedOpen    = "unreplied"
	UnrepliedQueued  = "queued"
	UnrepliedPending = "pending"
	UnrepliedReplied = "replied"
)

// Unreplied is one notice that a visitor still has no answer.
type Unreplied struct {
	// Episode numbers the unanswered stretches that were pushed, from 1.
	Episode int `json:"episode,omitempty"`
	// PushTimes numbers the notice within its episode, from 1 to Max.
	PushTimes int `json:"push_times,omitempty"`
	Max       int `json:"max,omitempty"`
	// Seconds is how long the visitor has waited.
	Seconds       int64     `json:"seconds"`
	Since         time.Time `json:"since,omitzero"`
	MessageID     string    `json:"message_id,omitempty"`
	Text          string    `json:"text,omitempty"`
	Subject       string    `json:"subject,omitempty"`
	Property      string    `json:"property,omitempty"`
	AgentNickname string    `json:"agent_nickname,omitempty"`
	Status        string    `json:"status,omitempty"`
	// ReportedBy is platform (the platform runs the clock) or parley.
	ReportedBy string `json:"reported_by,omitempty"`
}

// Properties sets or deletes properties of a chat, a thread or an event.
type Properties struct {
	Scope   string              `json:"scope,omitempty"`
	EventID string              `json:"event_id,omitempty"`
	Set     Values              `json:"set,omitempty"`
	Deleted map[string][]string `json:"deleted,omitempty"`
	// Wrapped says that the platform wrote each value as {"value": v}.
	Wrapped bool `json:"wrapped,omitempty"`
}

// Tag is one label on a conversation.
type Tag struct {
	Name string `json:"name"`
}

// Access says which groups may see a chat or a thread.
type Access struct {
	Resource   string   `json:"resource,omitempty"`
	ResourceID string   `json:"resource_id,omitempty"`
	Op         string   `json:"op,omitempty"`
	GroupIDs   []string `json:"group_ids,omitempty"`
}

// Button is a press on a rich message.
type Button struct {
	MessageID string `json:"message_id,omitempty"`
	ID        string `json:"id,omitempty"`
	UserID    string `json:"user_id,omitempty"`
	Value     string `json:"value,omitempty"`
	Toggled   *bool  `json:"toggled,omitempty"`
	// Type is the platform's own word for what kind of button it is.
	Type string `json:"type,omitempty"`
	// Ecommerce is the product behind the button, as the platform writes it.
	Ecommerce json.RawMessage `json:"ecommerce,omitempty"`
}

// The statuses of an [Agent].
const (
	AgentAccepting    = "accepting"
	AgentNotAccepting = "not_accepting"
	AgentOffline      = "offline"
)

// Agent says whether an agent takes conversations.
type Agent struct {
	ID             string         `json:"id,omitempty"`
	Name           string         `json:"name,omitempty"`
	Nickname       string         `json:"nickname,omitempty"`
	Email          string         `json:"email,omitempty"`
	Status         string         `json:"status,omitempty"`
	PlatformStatus string         `json:"platform_status,omitempty"`
	Channels       *AgentChannels `json:"channels,omitempty"`
	GroupIDs       []string       `json:"group_ids,omitempty"`
}

// AgentChannels says which channels an agent has switched on.
type AgentChannels struct {
	Chat  *bool `json:"chat,omitempty"`
	Email *bool `json:"email,omitempty"`
	VOIP  *bool `json:"voip,omitempty"`
}

// Note is something worth keeping that is no message.
type Note struct {
	Kind       string     `json:"kind,omitempty"`
	Text       string     `json:"text,omitempty"`
	TicketID   string     `json:"ticket_id,omitempty"`
	Visibility Visibility `json:"visibility,omitempty"`
}

// Summary is a platform's own summary of a thread.
type Summary struct {
	Status    string    `json:"status,omitempty"`
	Text      string    `json:"text,omitempty"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Multicast is a message that a platform sent to many.
type Multicast struct {
	Kind     string          `json:"kind,omitempty"`
	AuthorID string          `json:"author_id,omitempty"`
	Content  json.RawMessage `json:"content,omitempty"`
}

// Account is a change of the platform account itself.
type Account struct {
	// Object is agent, bot, group, tag, auto_access, app or customer.
	Object string          `json:"object,omitempty"`
	Action string          `json:"action,omitempty"`
	ID     string          `json:"id,omitempty"`
	Name   string          `json:"name,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// The statuses of a ticket.
const (
	TicketStatusPending = "pending"
	TicketStatusCreated = "created"
	TicketStatusFailed  = "failed"
	TicketStatusSkipped = "skipped"
)

// TicketRef points at the record made when a session was closed out.
type TicketRef struct {
	ID         string `json:"id,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	URL        string `json:"url,omitempty"`
	Status     string `json:"status,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Session    int    `json:"session,omitempty"`
}

// Snooze puts a conversation to sleep until a time, or until a visitor writes
// where Until is zero.
type Snooze struct {
	Until time.Time `json:"until,omitzero"`
	By    string    `json:"by,omitempty"`
}
