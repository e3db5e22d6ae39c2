package signals

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Command is what an update to a conversation carries: who asks, and the
// fields of the command's block (contract, section 7).
type Command struct {
	// By is who commands: an API key's name, or what the caller says.
	By string `json:"by,omitempty"`
	// Accept, decline, assign: the agent. Transfer: whom it goes to. Escalate: the
	// one who is asked for by name.
	AgentID       string `json:"agent_id,omitempty"`
	AgentName     string `json:"agent_name,omitempty"`
	AgentNickname string `json:"agent_nickname,omitempty"`
	// Transfer, escalate: the desk, or the platform's group that stands for one.
	Desk    string `json:"desk,omitempty"`
	GroupID string `json:"group_id,omitempty"`
	// Escalate: what the agent must know, and how urgent it is: low, normal, high,
	// urgent or a number.
	Skill    string `json:"skill,omitempty"`
	Priority string `json:"priority,omitempty"`
	// Close, decline, assign, transfer, escalate: why.
	Reason string `json:"reason,omitempty"`
	// Snooze: until when; zero means until the visitor writes.
	Until time.Time `json:"until,omitzero"`
	// Note: what to keep.
	Text string `json:"text,omitempty"`
}

// Digest names the command's content in 32 hex digits, so that a repeat is told
// from another command under the same update id. It is empty where a time is
// beyond what JSON can say.
func (c Command) Digest() string {
	c.Until = c.Until.UTC()

	raw, err := json.Marshal(c)
	if err != nil {
		return ""
	}

	sum := sha256.Sum256(raw)

	return hex.EncodeToString(sum[:16])
}

// Answer is what an update returns: the state after the command, and the command
// that brought it about. Whoever sends an update with an id that was used before
// gets the first one's answer, whatever the second one says. A refusal carries
// the digest as the first of its details.
type Answer struct {
	View

	// Command is the [Command.Digest] of the command that is answered; empty in
	// answers of versions before it.
	Command string `json:"command,omitempty"`
}
