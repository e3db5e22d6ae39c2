package signals

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// OrderKind says what a delivery workflow is to do.
type OrderKind string

// The kinds of order.
const (
	// OrderNotice delivers Event to a channel.
	OrderNotice OrderKind = "notice"
	// OrderCancel drops what Group names and has not gone out yet.
	OrderCancel OrderKind = "cancel"
	// OrderTicket makes the external ticket.
	OrderTicket OrderKind = "ticket"
	// OrderPlatform gives a chat platform the command in Platform.
	OrderPlatform OrderKind = "platform"
)

// Order is one effect that leaves a conversation for a delivery workflow.
type Order struct {
	// Key is the idempotency key: workflow id, session and counter. It goes
	// out as webhook-id or Idempotency-Key and stays the same over attempts.
	Key     string    `json:"key"`
	Kind    OrderKind `json:"kind"`
	Target  string    `json:"target"`
	Session int       `json:"session"`
	// Counter ascends per session over all targets; a delivery drops what is
	// at or below the highest it has seen of that session.
	Counter int64 `json:"counter"`
	// Group ties orders together that one cancel drops, such as the pushes of
	// one episode.
	Group string `json:"group,omitempty"`
	// ExpiresAt: no attempt starts at or after it; zero means the target's own
	// limit.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Event     *Event    `json:"event,omitempty"`
	Ticket    *Ticket   `json:"ticket,omitempty"`
	// Platform is what a platform is told to do.
	Platform *PlatformCommand `json:"platform,omitempty"`
	// About is what a notice needs to know beside its event.
	About *About `json:"about,omitempty"`
}

// The actions of a [PlatformCommand].
const (
	// PlatformTransfer brings the chat to AgentID or GroupID, whether anybody is
	// free there or not: somebody decided so. With neither, the platform chooses.
	PlatformTransfer = "transfer"
	// PlatformReassign takes the chat from the agent From, who is silent or gone,
	// to whoever is free, in GroupID if it is given. If nobody is, it stays.
	PlatformReassign = "reassign"
)

// What became of a [PlatformCommand]: the kinds of the note in a system.noted
// event that tells the conversation.
const (
	NotePlatformDone   = "platform_action_done"
	NotePlatformFailed = "platform_action_failed"
	// NotePlatformDropped: it was called back, or a newer command took its place.
	NotePlatformDropped = "platform_action_dropped"
)

// PlatformTarget names the delivery that gives a source's platform its
// commands. A long source name is cut and told apart by a hash.
func PlatformTarget(source string) string {
	const prefix, hashed = "platform-", 8

	if len(prefix)+len(source) <= maxName {
		return prefix + source
	}

	sum := sha256.Sum256([]byte(source))

	return prefix + source[:maxName-len(prefix)-hashed-1] + "-" + hex.EncodeToString(sum[:hashed/2])
}

// PlatformCommand is what Parley asks of the platform a conversation lives on.
type PlatformCommand struct {
	// Action is [PlatformTransfer] or [PlatformReassign].
	Action string `json:"action"`
	// AgentID and GroupID say where to; with neither, the platform chooses.
	AgentID string `json:"agent_id,omitempty"`
	GroupID string `json:"group_id,omitempty"`
	// From is the agent who has the chat, if one does: a repeated command is told
	// by it from one that is still to be done.
	From string `json:"from,omitempty"`
	// Chat and Thread are the platform's own ids.
	Chat   string `json:"chat"`
	Thread string `json:"thread,omitempty"`
}

// About is the conversation as a notice shows it.
type About struct {
	Subject         string `json:"subject,omitempty"`
	Property        string `json:"property,omitempty"`
	VisitorName     string `json:"visitor_name,omitempty"`
	VisitorNickname string `json:"visitor_nickname,omitempty"`
	CustomerID      string `json:"customer_id,omitempty"`
	AgentID         string `json:"agent_id,omitempty"`
	AgentNickname   string `json:"agent_nickname,omitempty"`
}

// OrderBatch is the payload of [OrdersSignal].
type OrderBatch struct {
	Summary string            `json:"summary,omitempty"`
	Orders  []json.RawMessage `json:"orders"`
}

// DeliveryStart is the optional input of the delivery workflow.
type DeliveryStart struct {
	Version int `json:"version,omitempty"`
	// Counters is the highest Counter seen, per session.
	Counters map[int]int64 `json:"counters,omitempty"`
}

// DeliveryResult is what a completed delivery run returns.
type DeliveryResult struct {
	Version  int           `json:"version"`
	Counters map[int]int64 `json:"counters,omitempty"`
}
