package signals

import "time"

// Command is what an update to a conversation carries: who asks, and the
// fields of the command's block (contract, section 7).
type Command struct {
	// By is who commands: an API key's name, or what the caller says.
	By string `json:"by,omitempty"`
	// Accept, decline, assign: the agent.
	AgentID       string `json:"agent_id,omitempty"`
	AgentName     string `json:"agent_name,omitempty"`
	AgentNickname string `json:"agent_nickname,omitempty"`
	// Close, decline, assign: why.
	Reason string `json:"reason,omitempty"`
	// Snooze: until when; zero means until the visitor writes.
	Until time.Time `json:"until,omitzero"`
	// Note: what to keep.
	Text string `json:"text,omitempty"`
}
