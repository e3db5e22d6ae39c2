package signals

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// Names that Temporal carries (contract, section 6).
const (
	// TaskQueue is where Parley's workers poll.
	TaskQueue = "parley"
	// DeskTaskQueue is where they poll for what desks have to do: everybody waits
	// for a desk, so that its tasks must not wait among those of conversations.
	DeskTaskQueue = "parley-desk"
	// DeliveryTaskQueue is where they poll for attempts at deliveries.
	DeliveryTaskQueue = "parley-delivery"

	ConversationWorkflow = "Conversation"
	DeskWorkflow         = "Desk"
	DeliveryWorkflow     = "Delivery"

	// EventsSignal carries a [Batch]; it is the only one the gateway uses,
	// since Temporal's Go SDK keeps no order between different signal names.
	EventsSignal = "events"
	// OrdersSignal carries an [OrderBatch] to a delivery workflow.
	OrdersSignal = "orders"

	// The convenience signals: one event each, with the fields lying flat.

	EscalationSignal    = "escalation"
	MessageSignal       = "message"
	TypingSignal        = "typing"
	AgentAcceptedSignal = "agent-accepted"
	QueueMoveSignal     = "queue-move"
	CloseSignal         = "close"

	StateQuery    = "state"
	TimelineQuery = "timeline"

	AcceptUpdate  = "accept"
	DeclineUpdate = "decline"
	AssignUpdate  = "assign"
	CloseUpdate   = "close"
	ReopenUpdate  = "reopen"
	SnoozeUpdate  = "snooze"
	NoteUpdate    = "note"
	// TransferUpdate hands the conversation to an agent or a desk, EscalateUpdate
	// asks a desk for an agent.
	TransferUpdate = "transfer"
	EscalateUpdate = "escalate"

	// RefusedError is the type of the application error with which the
	// workflow refuses a command; the HTTP API answers it with 409.
	RefusedError = "Refused"
)

// Search attributes of a conversation.
const (
	AttrSource         = "ParleySource"
	AttrStatus         = "ParleyStatus"
	AttrAgent          = "ParleyAgent"
	AttrDesk           = "ParleyDesk"
	AttrUnrepliedSince = "ParleyUnrepliedSince"
	AttrPushes         = "ParleyPushes"
	AttrTags           = "ParleyTags"
)

const (
	conversationPrefix = "conversation:"
	deskPrefix         = "desk:"
	deliveryPrefix     = "delivery:"
	hashedPrefix       = "sha256-"
	// maxName is what nameForm allows.
	maxName = 40
	// maxChatID is in bytes: PostgreSQL's visibility schema holds 255 for the
	// whole workflow id, and a delivery's id carries two names before it.
	maxChatID = 128
)

var nameForm = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// ValidName reports whether s may name a source, a desk or a delivery target.
func ValidName(s string) bool { return nameForm.MatchString(s) }

// Key names one conversation: its source and the platform's chat id.
type Key struct {
	Source       string `json:"source"`
	Conversation string `json:"conversation"`
}

// String returns the key as source/conversation, for logs.
func (k Key) String() string { return k.Source + "/" + k.Conversation }

// WorkflowID returns the id of the conversation's workflow.
func (k Key) WorkflowID() string {
	return conversationPrefix + k.Source + ":" + idForm(k.Conversation)
}

// DeliveryID returns the id of the workflow that delivers to target for this
// conversation.
func (k Key) DeliveryID(target string) string {
	return deliveryPrefix + target + ":" + k.Source + ":" + idForm(k.Conversation)
}

// ParseWorkflowID is the inverse of [Key.WorkflowID]. For a chat id that had
// to be hashed it returns the hashed form; the original is in the state.
func ParseWorkflowID(id string) (Key, error) {
	rest, ok := strings.CutPrefix(id, conversationPrefix)
	if !ok {
		return Key{}, fmt.Errorf("%w: %q does not begin with %q", ErrBadName, id, conversationPrefix)
	}

	return parseKey(rest, id)
}

// ParseDeliveryID is the inverse of [Key.DeliveryID].
func ParseDeliveryID(id string) (string, Key, error) {
	rest, ok := strings.CutPrefix(id, deliveryPrefix)
	if !ok {
		return "", Key{}, fmt.Errorf("%w: %q does not begin with %q", ErrBadName, id, deliveryPrefix)
	}

	target, rest, ok := strings.Cut(rest, ":")
	if !ok || !ValidName(target) {
		return "", Key{}, fmt.Errorf("%w: %q has no target", ErrBadName, id)
	}

	key, err := parseKey(rest, id)

	return target, key, err
}

// DeskWorkflowID returns the id of a desk's workflow.
func DeskWorkflowID(desk string) string { return deskPrefix + desk }

// ParseDeskWorkflowID is the inverse of [DeskWorkflowID].
func ParseDeskWorkflowID(id string) (string, error) {
	desk, ok := strings.CutPrefix(id, deskPrefix)
	if !ok || !ValidName(desk) {
		return "", fmt.Errorf("%w: %q is no desk's id", ErrBadName, id)
	}

	return desk, nil
}

func parseKey(rest, id string) (Key, error) {
	source, conversation, ok := strings.Cut(rest, ":")
	if !ok || !ValidName(source) || conversation == "" {
		return Key{}, fmt.Errorf("%w: %q has no source and chat id", ErrBadName, id)
	}

	return Key{Source: source, Conversation: conversation}, nil
}

// idForm keeps short ids of printable ASCII readable and hashes the others:
// Temporal's SDK sends the workflow id in a gRPC header, which takes no other
// characters.
func idForm(chatID string) string {
	if len(chatID) <= maxChatID && !strings.HasPrefix(chatID, hashedPrefix) && !strings.ContainsFunc(chatID, unprintable) {
		return chatID
	}

	if isHashed(chatID) {
		return chatID
	}

	sum := sha256.Sum256([]byte(chatID))

	return hashedPrefix + hex.EncodeToString(sum[:])
}

// unprintable is what a gRPC header cannot carry.
func unprintable(r rune) bool { return r < ' ' || r > '~' }

// isHashed reports whether s is already the hashed form: a key parsed from a
// workflow id must build the same workflow id again. Taking another chat's
// place this way needs its full SHA-256, which only its own id gives.
func isHashed(s string) bool {
	digits, ok := strings.CutPrefix(s, hashedPrefix)
	if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
		return false
	}

	_, err := hex.DecodeString(digits)

	return err == nil && strings.ToLower(digits) == digits
}
