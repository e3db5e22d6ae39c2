package signals

// Type names what an [Event] says. The set is closed for what Parley
// understands; anything else travels as [Unknown] with its text kept.
type Type string

// Types that come in from platforms and integrators.
const (
	ConversationOpened        Type = "conversation.opened"
	ConversationClosed        Type = "conversation.closed"
	ConversationTransferred   Type = "conversation.transferred"
	ConversationStatusChanged Type = "conversation.status_changed"
	ConversationSummarized    Type = "conversation.summarized"
	EscalationRequested       Type = "escalation.requested"
	AssignmentRequested       Type = "assignment.requested"
	AvailabilityRequested     Type = "availability.requested"
	AgentAssigned             Type = "agent.assigned"
	AgentAccepted             Type = "agent.accepted"
	AgentInvited              Type = "agent.invited"
	AgentStatusChanged        Type = "agent.status_changed"
	AgentsUnavailable         Type = "agents.unavailable"
	ParticipantJoined         Type = "participant.joined"
	ParticipantLeft           Type = "participant.left"
	PresenceChanged           Type = "presence.changed"
	QueueMoved                Type = "queue.moved"
	MessageReceived           Type = "message.received"
	MessageUpdated            Type = "message.updated"
	MessageDeleted            Type = "message.deleted"
	MessageRead               Type = "message.read"
	MessagePreview            Type = "message.preview"
	TypingChanged             Type = "typing.changed"
	FormSubmitted             Type = "form.submitted"
	UnrepliedReported         Type = "unreplied.reported"
	PropertiesUpdated         Type = "properties.updated"
	PropertiesDeleted         Type = "properties.deleted"
	TagAdded                  Type = "tag.added"
	TagRemoved                Type = "tag.removed"
	AccessChanged             Type = "access.changed"
	ButtonPressed             Type = "button.pressed"
	CustomerCreated           Type = "customer.created"
	CustomerUpdated           Type = "customer.updated"
	SystemNoted               Type = "system.noted"
	MulticastReceived         Type = "multicast.received"
	AccountChanged            Type = "account.changed"
	Unknown                   Type = "unknown"
)

// Types that Parley adds when it acts.
const (
	ConversationQueued     Type = "conversation.queued"
	ConversationIdleWarned Type = "conversation.idle_warned"
	ConversationSnoozed    Type = "conversation.snoozed"
	ConversationReopened   Type = "conversation.reopened"
	UnrepliedPushed        Type = "unreplied.pushed"
	InvitationSent         Type = "invitation.sent"
	InvitationEnded        Type = "invitation.ended"
	AgentReassigned        Type = "agent.reassigned"
	TicketCreated          Type = "ticket.created"
	TicketUpdated          Type = "ticket.updated"
	TicketFailed           Type = "ticket.failed"
)

// MayStart reports whether an event of this type may start a conversation.
// What may not waits as parked for one that may (contract, section 5).
func (t Type) MayStart() bool {
	switch t {
	case ConversationOpened, EscalationRequested, AssignmentRequested,
		MessageReceived, FormSubmitted, UnrepliedReported:
		return true
	default:
		return false
	}
}

// Incoming reports whether a platform or an integrator may send this type.
// The types that only Parley makes are refused at the edge.
func (t Type) Incoming() bool {
	switch t {
	case ConversationOpened, ConversationClosed, ConversationTransferred, ConversationStatusChanged,
		ConversationSummarized, EscalationRequested, AssignmentRequested, AvailabilityRequested,
		AgentAssigned, AgentAccepted, AgentInvited, AgentStatusChanged, AgentsUnavailable,
		ParticipantJoined, ParticipantLeft, PresenceChanged, QueueMoved, MessageReceived,
		MessageUpdated, MessageDeleted, MessageRead, MessagePreview, TypingChanged, FormSubmitted,
		UnrepliedReported, PropertiesUpdated, PropertiesDeleted, TagAdded, TagRemoved, AccessChanged,
		ButtonPressed, CustomerCreated, CustomerUpdated, SystemNoted, MulticastReceived,
		AccountChanged, Unknown:
		return true
	default:
		return false
	}
}

// IncomingTypes returns every type that may come in, in the order above.
func IncomingTypes() []Type {
	return []Type{
		ConversationOpened, ConversationClosed, ConversationTransferred, ConversationStatusChanged,
		ConversationSummarized, EscalationRequested, AssignmentRequested, AvailabilityRequested,
		AgentAssigned, AgentAccepted, AgentInvited, AgentStatusChanged, AgentsUnavailable,
		ParticipantJoined, ParticipantLeft, PresenceChanged, QueueMoved, MessageReceived,
		MessageUpdated, MessageDeleted, MessageRead, MessagePreview, TypingChanged, FormSubmitted,
		UnrepliedReported, PropertiesUpdated, PropertiesDeleted, TagAdded, TagRemoved, AccessChanged,
		ButtonPressed, CustomerCreated, CustomerUpdated, SystemNoted, MulticastReceived,
		AccountChanged, Unknown,
	}
}

// Known reports whether t is any of the types of this package.
func (t Type) Known() bool {
	switch t {
	case ConversationQueued, ConversationIdleWarned, ConversationSnoozed, ConversationReopened,
		UnrepliedPushed, InvitationSent, InvitationEnded, AgentReassigned,
		TicketCreated, TicketUpdated, TicketFailed:
		return true
	default:
		return t.Incoming()
	}
}

// account reports whether an event of this type may belong to no conversation.
func (t Type) account() bool {
	switch t {
	case AccountChanged, AgentStatusChanged, CustomerCreated, CustomerUpdated, MulticastReceived,
		AccessChanged, AvailabilityRequested, AgentsUnavailable, Unknown:
		return true
	default:
		return false
	}
}
