package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// TicketTarget names the delivery that makes external tickets.
const TicketTarget = "tickets"

// decide ends the session: the ticket by the policy, then the run completes.
// From here on it takes no new session.
func (m *Machine) decide(now time.Time) {
	m.Decided = true
	m.Status = signals.StatusClosed
	m.Snooze = nil
	m.endInvitation(outcomeWithdrawn, "closed", now)
	m.settleAsk(now)

	ref := &signals.TicketRef{
		ID: signals.TicketID(m.WorkflowID, m.Session), Session: m.Session, Status: signals.TicketStatusCreated,
	}

	if reason := m.skipTicket(); reason != "" {
		m.Ticket = &signals.TicketRef{Session: m.Session, Status: signals.TicketStatusSkipped, Reason: reason}

		return
	}

	external := m.Under.TicketKind != "" && m.Under.TicketKind != policy.TicketStore
	if external {
		ref.Status = signals.TicketStatusPending
	}

	ref.ExternalID = m.PlatformNote.Text

	m.Ticket = ref

	if external {
		ticket := m.makeTicket()
		m.order(signals.Order{Kind: signals.OrderTicket, Target: TicketTarget, Ticket: ticket})

		return
	}

	m.tellOwn(signals.Event{Type: signals.TicketCreated, Ticket: ref}, now)
}

// skipTicket says why the policy wants no ticket; "" where it wants one.
func (m *Machine) skipTicket() string {
	rule := m.Under.Policy.Closeout

	switch {
	case rule.SkipEmpty && m.empty() && m.Close.Reason != reasonOffline && m.Episodes == 0:
		return "empty"
	case rule.Ticket == policy.TicketNever:
		return "policy: never"
	case rule.Ticket == policy.TicketUnreplied && !m.owedAtClose():
		return "policy: answered"
	case rule.Ticket == policy.TicketOffline && m.Close.Reason != reasonOffline:
		return "policy: not offline"
	case rule.Ticket == policy.TicketUnlessPlatform && m.PlatformNote.Text != "":
		return "policy: the platform made one"
	default:
		return ""
	}
}

// empty reports whether nobody said anything: a message by somebody whose role
// never became known is a message all the same.
func (m *Machine) empty() bool {
	return m.Counts == signals.MessageCounts{} && !slices.ContainsFunc(m.Kept, func(k kept) bool { return spoken(k.Kind) })
}

// makeTicket is the record as it goes to the store and to a ticket system.
// Whispers stay out of its transcript: some systems mail it to the visitor.
func (m *Machine) makeTicket() *signals.Ticket {
	if m.Ticket == nil || m.Ticket.Status == signals.TicketStatusSkipped {
		return nil
	}

	ticket := &signals.Ticket{
		TicketRef: *m.Ticket, Source: m.Key.Source, Conversation: m.Key.Conversation, WorkflowID: m.WorkflowID,
		Subject: prefer(m.Subject.Text, m.defaultSubject()), Unreplied: m.owedAtClose(), Messages: m.Counts,
		OpenedAt: m.opened(), ClosedAt: m.Close.At, Transcript: []signals.TranscriptLine{},
	}

	for i := range m.Timeline {
		entry := &m.Timeline[i]
		if entry.Private || entry.Type != signals.MessageReceived && entry.Type != signals.FormSubmitted {
			continue
		}

		ticket.Transcript = append(ticket.Transcript, signals.TranscriptLine{
			At: entry.At, Role: m.roleNow(entry), Name: entry.Name, Text: entry.Text,
		})
	}

	return ticket
}

// roleNow is the role by which a timeline entry's author is known by now.
func (m *Machine) roleNow(entry *line) signals.Role {
	if at := m.keptAt(entry.MessageID); entry.MessageID != "" && at >= 0 {
		return m.Kept[at].Role
	}

	return entry.Role
}

// opened is the first event's time; where none was of this session, the run's.
func (m *Machine) opened() time.Time {
	if m.OpenedAt.IsZero() {
		return m.BegunAt
	}

	return m.OpenedAt
}

func (m *Machine) defaultSubject() string {
	if name := prefer(m.Visitor.Name.Text, m.Visitor.Nickname.Text); name != "" {
		return "Conversation with " + name
	}

	return "Conversation " + m.Key.Conversation
}

// Record is the closed session as the store keeps it; nil before the decision.
func (m *Machine) Record(runID string) *Record {
	if !m.Decided {
		return nil
	}

	view := m.View(runID, true)

	return &Record{View: view, Ticket: m.makeTicket()}
}

// Result is what the completed run returns.
func (m *Machine) Result() signals.Result {
	result := signals.Result{
		Version: 1, Session: m.Session, Seqs: m.Seqs, IDs: m.IDs, ClosedAt: m.closedAt(), Threads: slices.Clone(m.PastThreads),
	}

	for i := range m.Closes {
		if thread := m.Closes[i].Thread; thread != "" && !slices.Contains(result.Threads, thread) {
			result.Threads = append(result.Threads, thread)
		}
	}

	if len(result.Threads) > maxThreads {
		result.Threads = result.Threads[len(result.Threads)-maxThreads:]
	}

	for i := range m.Threads {
		if thread := m.Threads[i].ID; !slices.Contains(result.Threads, thread) {
			result.OpenThreads = append(result.OpenThreads, thread)
		}
	}

	return result
}

func (m *Machine) closedAt() time.Time {
	if m.Close == nil {
		return time.Time{}
	}

	return m.Close.At
}

// Following reports whether an event that came after the decision begins the
// next session; what does not is kept beside the ticket.
func (m *Machine) Following(event *signals.Event) bool {
	result := m.Result()

	return event.Type.MayStart() && !result.Past(event)
}
