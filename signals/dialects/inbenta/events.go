package inbenta

import "github.com/parleyhq/parley/signals"

// Today's names of events.
const (
	chatsCreate  = "chats:create"
	chatsJoin    = "chats:join"
	chatsLeave   = "chats:leave"
	chatsClose   = "chats:close"
	chatsAssign  = "chats:assign"
	foreverAlone = "forever:alone"
	inviteAccept = "invitations:accept"
	messagesNew  = "messages:new"
	messagesRead = "messages:read"
	queuesUpdate = "queues:update"
	systemInfo   = "system:info"
	usersActive  = "users:activity"
)

// Names of before. Only the first is found in public guides.
const (
	invitationsNew   = "invitations:new"
	chatsNew         = "chats:new"
	usersJoin        = "users:join"
	usersLeave       = "users:leave"
	messagesReceived = "messages:received"
)

// Events maps every name that is understood to the type that it becomes.
// users:activity becomes [signals.PresenceChanged] instead where its type says
// that the user went away or came back.
func Events() map[string]signals.Type {
	all := map[string]signals.Type{}

	for _, name := range [...]string{
		chatsCreate, chatsJoin, chatsLeave, chatsClose, chatsAssign, foreverAlone, inviteAccept, messagesNew, messagesRead,
		queuesUpdate, systemInfo, usersActive, invitationsNew, chatsNew, usersJoin, usersLeave, messagesReceived,
	} {
		all[name] = eventType(name)
	}

	return all
}

// eventType is what a trigger becomes; [signals.Unknown] if it is not known.
func eventType(trigger string) signals.Type {
	switch trigger {
	case chatsCreate, chatsNew:
		return signals.ConversationOpened
	case chatsJoin, usersJoin:
		return signals.ParticipantJoined
	case chatsLeave, usersLeave:
		return signals.ParticipantLeft
	case chatsClose:
		return signals.ConversationClosed
	case chatsAssign, invitationsNew:
		return signals.AssignmentRequested
	case foreverAlone:
		return signals.AgentsUnavailable
	case inviteAccept:
		return signals.AgentAccepted
	case messagesNew:
		return signals.MessageReceived
	case messagesRead, messagesReceived:
		return signals.MessageRead
	case queuesUpdate:
		return signals.QueueMoved
	case systemInfo:
		return signals.SystemNoted
	case usersActive:
		return signals.TypingChanged
	default:
		return signals.Unknown
	}
}

// triggerOf is today's name of a type; empty if Inbenta has none.
func triggerOf(kind signals.Type) string {
	switch kind {
	case signals.ConversationOpened:
		return chatsCreate
	case signals.ParticipantJoined:
		return chatsJoin
	case signals.ParticipantLeft:
		return chatsLeave
	case signals.ConversationClosed:
		return chatsClose
	case signals.AssignmentRequested:
		return chatsAssign
	case signals.AgentsUnavailable:
		return foreverAlone
	case signals.AgentAccepted:
		return inviteAccept
	case signals.MessageReceived:
		return messagesNew
	case signals.MessageRead:
		return messagesRead
	case signals.QueueMoved:
		return queuesUpdate
	case signals.SystemNoted, signals.TicketCreated:
		return systemInfo
	case signals.TypingChanged, signals.PresenceChanged:
		return usersActive
	default:
		return ""
	}
}
