package dialect

// Options are the settings of a source that only one dialect reads. Each stands
// for something that the platform's pages do not say, or that the team answers
// for; the zero value is the sensible default.
type Options struct {
	Pypestream PypestreamOptions `json:"pypestream,omitzero" yaml:"pypestream"`
	Inbenta    InbentaOptions    `json:"inbenta,omitzero"    yaml:"inbenta"`
	Acquire    AcquireOptions    `json:"acquire,omitzero"    yaml:"acquire"`
	TWT        TWTOptions        `json:"twt,omitzero"        yaml:"twt"`
}

// PypestreamOptions are there because how callbackToken reaches the receiver is
// not documented.
type PypestreamOptions struct {
	// TokenHeader carries the token; empty takes Authorization (Bearer or
	// Basic) and X-Pypestream-Token.
	TokenHeader string `json:"token_header,omitempty" yaml:"token_header" desc:"header with the callback token; empty tries the usual ones"`
	// Unavailable, Closed, WaitSeconds and QueueDepth answer the questions about
	// availability until a desk does.
	Unavailable bool `json:"unavailable,omitempty"  yaml:"unavailable"  desc:"without a desk, answer that nobody is available"`
	Closed      bool `json:"closed,omitempty"       yaml:"closed"       desc:"without a desk, answer that it is out of hours"`
	WaitSeconds int  `json:"wait_seconds,omitempty" yaml:"wait_seconds" desc:"without a desk, the estimated wait in seconds"`
	QueueDepth  int  `json:"queue_depth,omitempty"  yaml:"queue_depth"  desc:"without a desk, how many wait"`
}

// InbentaOptions are there because the answer to chats:assign is not documented
// whole, and the handshake proves nothing.
type InbentaOptions struct {
	// Enrol accepts the X-Hook-Secret handshake while it is true.
	Enrol bool `json:"enrol,omitempty" yaml:"enrol" desc:"accept the X-Hook-Secret handshake"`
	// AssignAnswer is the body that assigns an agent, with {{agent}} for the
	// id; empty means {"agentId":"{{agent}}"}.
	AssignAnswer string `json:"assign_answer,omitempty" yaml:"assign_answer" desc:"body that answers chats:assign, {{agent}} for the id"`
	// LeaveActivity is the type of users:activity that says that a user lost
	// the connection; empty knows the usual words.
	LeaveActivity string `json:"leave_activity,omitempty" yaml:"leave_activity" desc:"users:activity type of a lost connection"`
}

// AcquireOptions are there because two event strings are not documented.
type AcquireOptions struct {
	// CaseNew and AgentStatus default to case:new and user:status.
	CaseNew     string `json:"case_new,omitempty"     yaml:"case_new"     desc:"event string of a new case"`
	AgentStatus string `json:"agent_status,omitempty" yaml:"agent_status" desc:"event string of an agent's status"`
}

// TWTOptions are there because it is not documented what webhook_id names.
type TWTOptions struct {
	// NewWebhookID says that a repetition bears another webhook_id, which is then
	// no part of the ids of events: it is still the same event.
	NewWebhookID bool `json:"webhook_id_per_attempt,omitempty" yaml:"webhook_id_per_attempt" desc:"webhook_id differs from attempt to attempt"`
}
