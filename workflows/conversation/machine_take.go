package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// take enters one event into the facts. Types without a case here change
// nothing but the timeline.
//
//nolint:cyclop // one flat table of what each type touches
func (m *Machine) take(event *signals.Event, now time.Time) {
	m.receivedAt = event.ReceivedAt
	m.enterActor(event)
	m.enterThread(event)
	m.enterCustomer(event.Customer, event.At)

	// A second close changes nothing, so that nobody is told.
	fresh, news := true, event.Ticket == nil && (event.Type != signals.ConversationClosed || m.effectiveClose() == nil)

	switch event.Type { //nolint:exhaustive // the rest is for the timeline only
	case signals.ConversationOpened:
		m.enterDetails(event)
	case signals.ConversationClosed:
		m.enterClose(event)
	case signals.ConversationTransferred:
		m.enterTransfer(event)
	case signals.ConversationStatusChanged:
		m.enterStatus(event)
	case signals.EscalationRequested:
		m.enterEscalation(event)
	case signals.AgentAssigned, signals.AgentAccepted:
		m.enterAssignment(event)
	case signals.QueueMoved:
		m.enqueue(event.At, clockTime(event))
	case signals.AssignmentRequested:
		m.enterHop(event)
	case signals.ParticipantJoined, signals.ParticipantLeft:
		m.enterPresence(event)
	case signals.PresenceChanged:
		m.enterAway(event)
	case signals.MessageReceived:
		fresh = m.enterMessage(event)
	case signals.MessageUpdated:
		m.editMessage(event)
	case signals.MessageDeleted:
		m.deleteMessage(event)
	case signals.TypingChanged:
		m.enterTyping(event)
	case signals.FormSubmitted:
		fresh = m.enterForm(event)
	case signals.UnrepliedReported:
		m.enterReport(event, now)
	case signals.TagAdded, signals.TagRemoved:
		m.enterTag(event)
	case signals.SystemNoted:
		m.enterNote(event)
		m.platformRefused(event, now)
	case signals.TicketCreated, signals.TicketUpdated, signals.TicketFailed:
		m.enterTicket(event)
	}

	m.touch(event)

	// What becomes of a ticket, its delivery tells: the run may be over by then.
	if fresh && news {
		m.tell(event)
	}

	if fresh && loud(event.Type) {
		m.note(event, "")
		m.arrived(event)
	}
}

// loud reports whether a type is worth a line in the timeline: typing,
// previews and read marks come too often to be.
func loud(t signals.Type) bool {
	switch t {
	case signals.TypingChanged, signals.MessagePreview, signals.MessageRead, signals.AvailabilityRequested,
		signals.MessageUpdated, signals.MessageDeleted:
		return false
	default:
		return true
	}
}

// touch keeps the newest sign of life of everybody: the visitor's stops the
// idle clock, whoever turns out to be the visitor.
func (m *Machine) touch(event *signals.Event) {
	switch {
	case event.Type == signals.ParticipantLeft, event.Type == signals.UnrepliedReported,
		event.Presence != nil && event.Presence.State != signals.PresenceBack:
	case event.Type == signals.ButtonPressed, event.Actor != nil && event.Actor.ID == "" && event.Actor.Role == signals.RoleVisitor:
		m.VisitorAt = latest(m.VisitorAt, event.At)
		m.BackSince = latest(m.BackSince, event.At)
	case event.Actor != nil && event.Actor.ID != "" && event.Actor.Role != signals.RoleSystem:
		who := m.member(event.Actor.ID)
		who.SeenAt = latest(who.SeenAt, event.At)
	}
}

func (m *Machine) enterDetails(event *signals.Event) {
	details := event.Details
	if details == nil {
		return
	}

	m.Subject.set(clip(details.Subject, maxTagBytes), event.At)
	m.Property.set(clip(details.Property, maxTagBytes), event.At)
	m.Lang.set(clip(details.Lang, maxNameBytes), event.At)

	for i := range details.Participants {
		m.enterParticipant(&details.Participants[i], event.At, details.Participants[i].Present)
	}

	for _, name := range details.Tags {
		m.setTag(name, true, event.At)
	}

	if details.Queue != nil {
		m.enqueue(event.At, clockTime(event))
	}
}

func (m *Machine) enterTransfer(event *signals.Event) {
	transfer := event.Transfer
	if transfer == nil {
		return
	}

	m.escalatedAt(event.At)

	for _, agent := range transfer.AgentIDs {
		m.give(agent, "", "", event.At)
	}

	if len(transfer.AgentIDs) > 0 {
		return
	}

	m.ClaimsFloor = latest(m.ClaimsFloor, event.At)
	m.TransferredAt = latest(m.TransferredAt, event.At)
	m.enqueue(event.At, clockTime(event))

	for _, group := range transfer.GroupIDs {
		m.Desk.set(m.Under.Groups[group], event.At)
	}
}

func (m *Machine) enterStatus(event *signals.Event) {
	change := event.Status
	if change == nil {
		return
	}

	switch {
	case change.To == string(signals.StatusQueued):
		m.enqueue(event.At, clockTime(event))
	case change.To == string(signals.StatusActive) && change.AgentID != "":
		m.claim(change.AgentID, "", "", event.At)
	}
}

func (m *Machine) enterEscalation(event *signals.Event) {
	m.escalatedAt(event.At)
	m.enqueue(event.At, clockTime(event))
	m.sign(event, event.At)
	m.enterWish(event)
}

func (m *Machine) enterAssignment(event *signals.Event) {
	m.escalatedAt(event.At)

	var id, name, nickname string

	if event.Assignment != nil {
		id, name, nickname = event.Assignment.AgentID, event.Assignment.AgentName, event.Assignment.AgentNickname
		m.Desk.set(clip(event.Assignment.Desk, maxNameBytes), event.At)
	}

	if id == "" && event.Invitation != nil {
		id = event.Invitation.AgentID
	}

	if id == "" && event.Actor != nil {
		id, name, nickname = event.Actor.ID, event.Actor.Name, event.Actor.Nickname
	}

	if event.Type == signals.AgentAssigned {
		m.give(id, name, nickname, event.At)
	} else {
		m.claim(id, name, nickname, event.At)
	}
}

// escalatedAt keeps the earliest escalation: what a bot says from then on is
// no reply by default.
func (m *Machine) escalatedAt(at time.Time) {
	if m.EscalatedAt.IsZero() || at.Before(m.EscalatedAt) {
		m.EscalatedAt = at
	}
}

func (m *Machine) enterTag(event *signals.Event) {
	if event.Tag != nil {
		m.setTag(event.Tag.Name, event.Type == signals.TagAdded, event.At)
	}
}

// maxTags bounds the tags of a conversation (design, section 5).
const maxTags = 100

func (m *Machine) setTag(name string, on bool, at time.Time) {
	name = clip(name, maxTagBytes)

	for i := range m.Tags {
		if m.Tags[i].Name != name {
			continue
		}

		// Of two words at the same time, the tag stays on.
		if at.After(m.Tags[i].At) || at.Equal(m.Tags[i].At) && on {
			m.Tags[i].On, m.Tags[i].At = on, at
		}

		return
	}

	if name == "" {
		return
	}

	if len(m.Tags) >= maxTags {
		// A tag that is off makes room: it is only kept for what comes late.
		m.Tags = slices.DeleteFunc(m.Tags, func(mark tagMark) bool { return !mark.On })
	}

	if len(m.Tags) < maxTags {
		m.Tags = append(m.Tags, tagMark{Name: name, On: on, At: at})
	}
}

const maxTagBytes = 255

func (m *Machine) enterCustomer(customer *signals.Customer, at time.Time) {
	if customer != nil {
		m.Visitor.learn(customer.ID, customer.Name, customer.Nickname, customer.ExternalID, at)
	}
}

// enterNote remembers that the platform made a ticket of its own.
func (m *Machine) enterNote(event *signals.Event) {
	if event.Note != nil && event.Note.TicketID != "" {
		m.PlatformNote.set(clip(event.Note.TicketID, maxTagBytes), event.At)
	}
}

func (m *Machine) enterTicket(event *signals.Event) {
	if event.Ticket == nil || (event.Ticket.Session != 0 && event.Ticket.Session != m.Session) {
		return
	}

	ref := *event.Ticket
	ref.ID, ref.ExternalID = clip(ref.ID, maxTagBytes), clip(ref.ExternalID, maxTagBytes)
	ref.URL, ref.Reason = clip(ref.URL, maxLineBytes), clip(ref.Reason, maxLineBytes)
	m.Ticket = &ref
}
