package conversation

import (
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// take enters one event into the facts. Types without a case here change
// nothing but the timeline.
//
//nolint:cyclop,funlen // one flat table of what each type touches
func (m *Machine) take(event *signals.Event, now time.Time) {
	m.enterActor(event)
	m.enterThread(event)

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
		m.QueuedAt = latest(m.QueuedAt, event.At)
	case signals.ParticipantJoined, signals.ParticipantLeft:
		m.enterPresence(event)
	case signals.PresenceChanged:
		m.enterAway(event)
	case signals.MessageReceived:
		m.enterMessage(event)
	case signals.MessageUpdated:
		m.editMessage(event)
	case signals.MessageDeleted:
		m.deleteMessage(event)
	case signals.TypingChanged:
		m.enterTyping(event)
	case signals.FormSubmitted:
		m.enterForm(event, now)
	case signals.AgentsUnavailable:
		m.tell(event)
	case signals.UnrepliedReported:
		m.enterReport(event, now)
	case signals.TagAdded, signals.TagRemoved:
		m.enterTag(event)
	case signals.CustomerCreated, signals.CustomerUpdated:
		m.enterCustomer(event.Customer, event.At)
	case signals.SystemNoted:
		m.enterNote(event)
	case signals.TicketCreated, signals.TicketUpdated, signals.TicketFailed:
		m.enterTicket(event)
	}

	m.touch(event)

	if loud(event.Type) {
		m.note(event, "")
	}
}

// loud reports whether a type is worth a line in the timeline: typing,
// previews and read marks come too often to be.
func loud(t signals.Type) bool {
	switch t { //nolint:exhaustive // everything else is
	case signals.TypingChanged, signals.MessagePreview, signals.MessageRead, signals.AvailabilityRequested,
		signals.MessageUpdated, signals.MessageDeleted:
		return false
	default:
		return true
	}
}

// touch keeps the newest sign of life of the visitor, by which the idle clock
// stops.
func (m *Machine) touch(event *signals.Event) {
	if event.Actor == nil || event.Type == signals.ParticipantLeft || event.Type == signals.PresenceChanged {
		return
	}

	role := m.roleOf(event.Actor.ID, event.Actor.Role)
	if role != signals.RoleVisitor && event.Type != signals.ButtonPressed {
		return
	}

	m.VisitorAt = latest(m.VisitorAt, event.At)
	m.BackSince = latest(m.BackSince, event.At)
}

func (m *Machine) enterDetails(event *signals.Event) {
	details := event.Details
	if details == nil {
		return
	}

	m.Subject = prefer(details.Subject, m.Subject)
	m.Property = prefer(details.Property, m.Property)
	m.Lang = prefer(details.Lang, m.Lang)

	for i := range details.Participants {
		m.enterParticipant(&details.Participants[i], event.At, details.Participants[i].Present)
	}

	for _, name := range details.Tags {
		m.setTag(name, true, event.At)
	}

	if details.Queue != nil {
		m.QueuedAt = latest(m.QueuedAt, event.At)
	}
}

func (m *Machine) enterTransfer(event *signals.Event) {
	transfer := event.Transfer
	if transfer == nil {
		return
	}

	m.escalatedAt(event.At)

	for _, agent := range transfer.AgentIDs {
		m.claim(agent, "", "", event.At)
	}

	if len(transfer.AgentIDs) > 0 {
		return
	}

	m.ClaimsFloor = latest(m.ClaimsFloor, event.At)
	m.QueuedAt = latest(m.QueuedAt, event.At)

	for _, group := range transfer.GroupIDs {
		if desk := m.Under.Groups[group]; desk != "" {
			m.Desk = desk
		}
	}
}

func (m *Machine) enterStatus(event *signals.Event) {
	change := event.Status
	if change == nil {
		return
	}

	switch {
	case change.To == string(signals.StatusQueued):
		m.QueuedAt = latest(m.QueuedAt, event.At)
	case change.To == string(signals.StatusActive) && change.AgentID != "":
		m.claim(change.AgentID, "", "", event.At)
	}
}

func (m *Machine) enterEscalation(event *signals.Event) {
	m.escalatedAt(event.At)
	m.QueuedAt = latest(m.QueuedAt, event.At)

	if event.Thread == "" {
		m.ReopenedAt = latest(m.ReopenedAt, event.At)
	}

	if event.Escalation != nil && event.Escalation.AgentID != "" {
		m.claim(event.Escalation.AgentID, "", "", event.At)
	}
}

func (m *Machine) enterAssignment(event *signals.Event) {
	m.escalatedAt(event.At)

	var id, name, nickname string

	if event.Assignment != nil {
		id, name, nickname = event.Assignment.AgentID, event.Assignment.AgentName, event.Assignment.AgentNickname
		m.Desk = prefer(event.Assignment.Desk, m.Desk)
	}

	if id == "" && event.Invitation != nil {
		id = event.Invitation.AgentID
	}

	if id == "" && event.Actor != nil {
		id, name, nickname = event.Actor.ID, event.Actor.Name, event.Actor.Nickname
	}

	m.claim(id, name, nickname, event.At)
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
	for i := range m.Tags {
		if m.Tags[i].Name != name {
			continue
		}

		if !at.Before(m.Tags[i].At) {
			m.Tags[i].On, m.Tags[i].At = on, at
		}

		return
	}

	if name != "" && len(m.Tags) < maxTags {
		m.Tags = append(m.Tags, tagMark{Name: signals.Cut(name, maxTagBytes), On: on, At: at})
	}
}

const maxTagBytes = 255

func (m *Machine) enterCustomer(customer *signals.Customer, at time.Time) {
	if customer == nil || at.Before(m.Visitor.At) {
		return
	}

	m.Visitor = visitor{
		ID:         prefer(customer.ID, m.Visitor.ID),
		Name:       prefer(signals.Cut(customer.Name, maxNameBytes), m.Visitor.Name),
		Nickname:   prefer(signals.Cut(customer.Nickname, maxNameBytes), m.Visitor.Nickname),
		ExternalID: prefer(signals.Cut(customer.ExternalID, maxNameBytes), m.Visitor.ExternalID),
		At:         at,
	}
}

// enterNote remembers that the platform made a ticket of its own.
func (m *Machine) enterNote(event *signals.Event) {
	if event.Note != nil && event.Note.TicketID != "" {
		m.PlatformNote = event.Note.TicketID
	}
}

func (m *Machine) enterTicket(event *signals.Event) {
	if event.Ticket == nil || (event.Ticket.Session != 0 && event.Ticket.Session != m.Session) {
		return
	}

	ref := *event.Ticket
	m.Ticket = &ref
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}

	return a
}

func prefer(first, second string) string {
	if strings.TrimSpace(first) != "" {
		return first
	}

	return second
}
