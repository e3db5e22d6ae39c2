package conversation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// note writes one event into the timeline.
func (m *Machine) note(event *signals.Event, prefix string) {
	entry := line{At: event.At, Type: event.Type, Text: prefix + Describe(event)}

	if event.Actor != nil {
		entry.Role = m.roleOf(event.Actor.ID, event.Actor.Role)
		entry.Name = clip(prefer(event.Actor.Name, event.Actor.Nickname), maxNameBytes)
	}

	entry.MessageID = messageID(event)
	entry.Private = private(event)

	m.addLine(entry)
}

// addLine keeps the timeline in order of the platform's time.
func (m *Machine) addLine(entry line) {
	entry.Text = signals.Cut(strings.ToValidUTF8(entry.Text, "�"), maxLineBytes)

	at := len(m.Timeline)
	for at > 0 && m.Timeline[at-1].At.After(entry.At) {
		at--
	}

	m.Timeline = slices.Insert(m.Timeline, at, entry)
}

// rewrite changes the text of a message that was edited or deleted.
func (m *Machine) rewrite(id, text string) {
	for i := range m.Timeline {
		if m.Timeline[i].MessageID == id && id != "" {
			m.Timeline[i].Text = signals.Cut(strings.ToValidUTF8(text, "�"), maxLineBytes)
		}
	}
}

func (m *Machine) textOf(id string) string {
	for i := range m.Timeline {
		if m.Timeline[i].MessageID == id && id != "" {
			return m.Timeline[i].Text
		}
	}

	return ""
}

// private reports whether only agents may see what an event says.
func private(event *signals.Event) bool {
	said := signals.Visibility("")

	switch {
	case event.Message != nil:
		said = event.Message.Visibility
	case event.Form != nil:
		said = event.Form.Visibility
	}

	if said == "" && event.Actor != nil {
		said = event.Actor.Visibility
	}

	return said == signals.VisibleToAgents
}

// Describe says in a few words what an event is about, as the timeline does;
// empty where its type says everything. The text may hold what a visitor wrote:
// whoever shows it escapes it.
//
//nolint:cyclop // one flat table of what each block says
func Describe(event *signals.Event) string {
	switch {
	case event.Message != nil:
		return describeMessage(event.Message)
	case event.Form != nil:
		return describeForm(event.Form)
	case event.Closing != nil:
		return describeClosing(event.Closing)
	case event.Unreplied != nil:
		return fmt.Sprintf("push %d of %d after %s", event.Unreplied.PushTimes, event.Unreplied.Max,
			time.Duration(event.Unreplied.Seconds)*time.Second)
	case event.Participant != nil:
		return words("", event.Participant.Name, event.Participant.ID, "reason", event.Participant.Reason)
	case event.Assignment != nil:
		return describeAssignment(event.Assignment)
	case event.Invitation != nil && event.Type == signals.AssignmentRequested:
		return describeHop(event)
	case event.Invitation != nil && event.Invitation.AgentID != "":
		return describeInvitation(event.Invitation)
	case event.Transfer != nil:
		return words("to", strings.Join(event.Transfer.AgentIDs, " "), strings.Join(event.Transfer.GroupIDs, " "),
			"reason", event.Transfer.Reason, "platform_action:", event.Transfer.PlatformAction)
	case event.Escalation != nil:
		return words("skill", event.Escalation.Skill, "", "reason", event.Escalation.Reason)
	case event.Availability != nil:
		return describeAvailability(event.Availability)
	case event.Queue != nil:
		return words("desk", event.Queue.Desk, "", "position", number(event.Queue.Position))
	case event.Status != nil:
		return words("to", event.Status.To, "", "reason", event.Status.Reason)
	case event.Tag != nil:
		return event.Tag.Name
	case event.Note != nil:
		return words("", event.Note.Text, "", "ticket", event.Note.TicketID)
	case event.Ticket != nil:
		return words("", event.Ticket.ID, event.Ticket.Status, "external id", event.Ticket.ExternalID)
	case event.Presence != nil:
		return words("", event.Presence.State, "", "reason", event.Presence.Reason)
	case event.Snooze != nil && !event.Snooze.Until.IsZero():
		return "until " + event.Snooze.Until.UTC().Format(time.RFC3339)
	case event.Summary != nil:
		return event.Summary.Text
	case event.Details != nil:
		return words("", event.Details.Subject, "", "in", event.Details.Property)
	case event.Platform != nil:
		return event.Platform.Event
	default:
		return ""
	}
}

func describeMessage(message *signals.Message) string {
	switch {
	case message.Text != "":
		return message.Text
	case message.File != nil:
		return words("file", message.File.Name, "")
	default:
		return "(" + string(message.Kind) + ")"
	}
}

// describeClosing leaves out a role that nobody knows, and that of the system
// where somebody is named: a command that tells no role carries it, though a
// person gave the command. The id says more.
func describeClosing(closing *signals.Closing) string {
	role := string(closing.ByRole)
	if closing.ByRole == signals.RoleUnknown || closing.ByRole == signals.RoleSystem && closing.ByID != "" {
		role = ""
	}

	return words("by", role, closing.ByID, "reason", closing.Reason, "", closing.PlatformReason)
}

func describeAssignment(assignment *signals.Assignment) string {
	silent := ""
	if assignment.SilentSeconds != nil {
		silent = (time.Duration(*assignment.SilentSeconds) * time.Second).String()
	}

	return words("to", assignment.AgentName, assignment.AgentID, "from", assignment.FromAgentID, "reason", assignment.Reason,
		"after", silent, "platform_action:", assignment.PlatformAction)
}

func describeAvailability(said *signals.Availability) string {
	wait := ""
	if said.WaitSeconds != nil {
		wait = (time.Duration(*said.WaitSeconds) * time.Second).String()
	}

	return words("skill", said.Skill, "", "", said.Status, "wait", wait)
}

func describeInvitation(invitation *signals.Invitation) string {
	text := words("to", "", invitation.AgentID, "", invitation.Outcome, "reason", invitation.Reason)
	if invitation.Round > 0 {
		text += ", round " + strconv.Itoa(invitation.Round)
	}

	return text
}

func describeForm(form *signals.Form) string {
	if form.Text != "" {
		return form.Text
	}

	parts := make([]string, 0, len(form.Fields))
	for i := range form.Fields {
		parts = append(parts, form.Fields[i].Label+": "+form.Fields[i].Value)
	}

	return strings.Join(parts, "; ")
}

// words joins label and value pairs, leaving out those without a value. The
// first label stands before two values: a name and an id.
func words(label, name, id string, more ...string) string {
	parts := make([]string, 0, len(more))

	if first := strings.TrimSpace(name + " " + id); first != "" {
		parts = append(parts, strings.TrimSpace(label+" "+first))
	}

	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			parts = append(parts, strings.TrimSpace(more[i]+" "+more[i+1]))
		}
	}

	return strings.Join(parts, ", ")
}

func number(value *int64) string {
	if value == nil {
		return ""
	}

	return strconv.FormatInt(*value, 10)
}
