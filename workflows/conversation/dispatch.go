package conversation

import "github.com/parleyhq/parley/signals"

// Names of the activities that a conversation calls; package
// activities/dispatch provides them.
const (
	// DispatchActivity takes a [Dispatch] and returns once every effect in it
	// is in its target's history or in the store. It is idempotent.
	DispatchActivity = "dispatch"
	// LastSessionActivity takes the workflow id and returns the signals.Start
	// of the session that begins; a run that was started without one asks it.
	LastSessionActivity = "last-session"
)

// Dispatch hands what a conversation decided to the world.
type Dispatch struct {
	Key        signals.Key `json:"key"`
	WorkflowID string      `json:"workflow_id"`
	RunID      string      `json:"run_id"`
	Session    int         `json:"session"`
	// Orders go to delivery workflows, in ascending Counter.
	Orders []signals.Order `json:"orders,omitempty"`
	// Asks are statements to desks.
	Asks []DeskAsk `json:"asks,omitempty"`
	// Closed is set once, when the session is closed out.
	Closed *Record `json:"closed,omitempty"`
	// Stray events came after the decision about the ticket and start no
	// session: they are kept beside it and counted as ignored.
	Stray []signals.Event `json:"stray,omitempty"`
}

// Record is a closed session as the store keeps it: the final state, and the
// ticket where the policy wants one.
type Record struct {
	View   signals.View    `json:"view"`
	Ticket *signals.Ticket `json:"ticket,omitempty"`
}
