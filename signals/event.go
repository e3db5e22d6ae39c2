package signals

import (
	"encoding/json"
	"time"
)

// Event is one canonical fact about a conversation. It carries at most one of
// the typed blocks below Raw; which one follows from Type.
//
// The block about the conversation itself is called details on the wire,
// because conversation already holds the platform's chat id.
type Event struct {
	// ID is the platform's own id (natural) or begins with [DerivedPrefix].
	ID   string `json:"id"`
	Type Type   `json:"type"`
	// Source names the connected account; empty on a direct signal, where the
	// workflow id tells it.
	Source string `json:"source"`
	// Conversation is the platform's chat id; empty for account events.
	Conversation string `json:"conversation"`
	Thread       string `json:"thread,omitempty"`
	Session      int    `json:"session,omitempty"`
	// At is when it happened by the platform's word: for display and order.
	At time.Time `json:"at"`
	// ReceivedAt is when Parley accepted it; clocks never count from before
	// ten minutes earlier than it.
	ReceivedAt time.Time `json:"received_at,omitzero"`
	Actor      *Actor    `json:"actor,omitempty"`
	// Seq ascends per conversation in commit order of the inbox named Inbox.
	// Both are set by the gateway only; from outside they are discarded.
	Seq      int64           `json:"seq,omitempty"`
	Inbox    string          `json:"inbox,omitempty"`
	Platform *Platform       `json:"platform,omitempty"`
	Raw      json.RawMessage `json:"raw,omitempty"`

	Details      *Details      `json:"details,omitempty"`
	Status       *StatusChange `json:"status,omitempty"`
	Participant  *Participant  `json:"participant,omitempty"`
	Customer     *Customer     `json:"customer,omitempty"`
	Message      *Message      `json:"message,omitempty"`
	Preview      *Preview      `json:"preview,omitempty"`
	Typing       *Typing       `json:"typing,omitempty"`
	Read         *Read         `json:"read,omitempty"`
	Presence     *Presence     `json:"presence,omitempty"`
	Escalation   *Escalation   `json:"escalation,omitempty"`
	Availability *Availability `json:"availability,omitempty"`
	Invitation   *Invitation   `json:"invitation,omitempty"`
	Assignment   *Assignment   `json:"assignment,omitempty"`
	Transfer     *Transfer     `json:"transfer,omitempty"`
	Queue        *Queue        `json:"queue,omitempty"`
	Closing      *Closing      `json:"closing,omitempty"`
	Form         *Form         `json:"form,omitempty"`
	Unreplied    *Unreplied    `json:"unreplied,omitempty"`
	Properties   *Properties   `json:"properties,omitempty"`
	Tag          *Tag          `json:"tag,omitempty"`
	Access       *Access       `json:"access,omitempty"`
	Button       *Button       `json:"button,omitempty"`
	Agent        *Agent        `json:"agent,omitempty"`
	Note         *Note         `json:"note,omitempty"`
	Summary      *Summary      `json:"summary,omitempty"`
	Multicast    *Multicast    `json:"multicast,omitempty"`
	Account      *Account      `json:"account,omitempty"`
	Ticket       *TicketRef    `json:"ticket,omitempty"`
	Snooze       *Snooze       `json:"snooze,omitempty"`
}

// Role says who an [Actor] is. A dialect sets it only when the payload proves it.
type Role string

// The roles.
const (
	RoleVisitor Role = "visitor"
	RoleAgent   Role = "agent"
	RoleBot     Role = "bot"
	RoleSystem  Role = "system"
	RoleUnknown Role = "unknown"
)

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool {
	switch r {
	case RoleVisitor, RoleAgent, RoleBot, RoleSystem, RoleUnknown:
		return true
	default:
		return false
	}
}

// Visibility says who may see a message or a participant.
type Visibility string

// The visibilities; an empty one means [VisibleToAll].
const (
	VisibleToAll    Visibility = "all"
	VisibleToAgents Visibility = "agents"
)

// Actor is who did what an event says.
type Actor struct {
	ID         string     `json:"id,omitempty"`
	Role       Role       `json:"role,omitempty"`
	Name       string     `json:"name,omitempty"`
	Nickname   string     `json:"nickname,omitempty"`
	Email      string     `json:"email,omitempty"`
	Visibility Visibility `json:"visibility,omitempty"`
}

// Platform keeps what only the platform's own envelope says, so that an
// encoder can restore it.
type Platform struct {
	// Event is the platform's own name for what happened.
	Event          string                     `json:"event,omitempty"`
	Version        string                     `json:"version,omitempty"`
	WebhookID      string                     `json:"webhook_id,omitempty"`
	AppID          string                     `json:"app_id,omitempty"`
	OrganizationID string                     `json:"organization_id,omitempty"`
	LicenseID      json.RawMessage            `json:"license_id,omitempty"`
	SentAt         time.Time                  `json:"sent_at,omitzero"`
	Requester      *Requester                 `json:"requester,omitempty"`
	ChatProperties map[string]json.RawMessage `json:"chat_properties,omitempty"`
	// PresenceUserIDs are the users present when the webhook was sent.
	PresenceUserIDs []string `json:"presence_user_ids,omitempty"`
	Integration     string   `json:"integration,omitempty"`
}

// Requester is who asked a platform for a configuration change.
type Requester struct {
	UserID    string `json:"user_id,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
}
