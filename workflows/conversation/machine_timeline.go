package conversation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	maxTimeline  = 200
	maxLineBytes = 1 << 10
	// maxTimelineBytes bounds the timeline as JSON, where one hostile byte can
	// take six.
	maxTimelineBytes = 96 << 10
)

// note writes one event into the timeline.
func (m *Machine) note(event *signals.Event, prefix string) {
	entry := line{At: event.At, Type: event.Type, Text: prefix + describe(event)}

	if event.Actor != nil {
		entry.Role = m.roleOf(event.Actor.ID, event.Actor.Role)
		entry.Name = signals.Cut(prefer(event.Actor.Name, event.Actor.Nickname), maxNameBytes)
	}

	switch {
	case event.Message != nil && event.Type == signals.MessageReceived:
		entry.MessageID = signals.RememberedID(prefer(event.Message.ID, event.ID))
		entry.Private = event.Message.Visibility == signals.VisibleToAgents
	case event.Form != nil && event.Type == signals.FormSubmitted:
		entry.MessageID = signals.RememberedID(prefer(event.Form.ID, event.ID))
	}

	m.addLine(entry)
}

// addLine keeps the timeline in order of the platform's time.
func (m *Machine) addLine(entry line) { //nolint:gocritic // entries are values here
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

// describe says in a few words what an event is about. The text may hold what
// a visitor wrote: whoever shows it escapes it.
//
//nolint:cyclop,funlen // one flat table of what each block says
func describe(event *signals.Event) string {
	switch {
	case event.Message != nil:
		return describeMessage(event.Message)
	case event.Form != nil:
		return describeForm(event.Form)
	case event.Closing != nil:
		return words("by", string(event.Closing.ByRole), event.Closing.ByID, "reason", event.Closing.Reason, "", event.Closing.PlatformReason)
	case event.Unreplied != nil:
		return fmt.Sprintf("push %d of %d after %s", event.Unreplied.PushTimes, event.Unreplied.Max,
			time.Duration(event.Unreplied.Seconds)*time.Second)
	case event.Participant != nil:
		return words("", event.Participant.Name, event.Participant.ID, "reason", event.Participant.Reason)
	case event.Assignment != nil:
		return words("to", event.Assignment.AgentName, event.Assignment.AgentID, "reason", event.Assignment.Reason)
	case event.Transfer != nil:
		return words("to", strings.Join(event.Transfer.AgentIDs, " "), strings.Join(event.Transfer.GroupIDs, " "),
			"reason", event.Transfer.Reason)
	case event.Escalation != nil:
		return words("skill", event.Escalation.Skill, "", "reason", event.Escalation.Reason)
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

// bound keeps the state within its size: the oldest entries of the timeline go
// first, and of the kept messages those that no longer decide anything.
func (m *Machine) bound() {
	if len(m.Timeline) > maxTimeline {
		m.Timeline = slices.Delete(m.Timeline, 0, len(m.Timeline)-maxTimeline)
	}

	size := 0

	for i := len(m.Timeline) - 1; i >= 0; i-- {
		size += jsonSize(m.Timeline[i].Text) + jsonSize(m.Timeline[i].Name) + lineOverhead
		if size > maxTimelineBytes {
			m.Timeline = slices.Delete(m.Timeline, 0, i+1)

			break
		}
	}

	for len(m.Kept) > maxKept {
		m.evict()
	}
}

// lineOverhead is what a timeline entry takes beside its texts.
const lineOverhead = 200

// evict drops the oldest kept message; the first unanswered one stays.
func (m *Machine) evict() {
	at := 0
	if m.Episode != nil && m.Kept[at].ID == m.Episode.MessageID {
		at++
	}

	if m.isReply(&m.Kept[at]) {
		m.ReplyFloor = latest(m.ReplyFloor, m.Kept[at].At)
	}

	m.Kept = slices.Delete(m.Kept, at, at+1)
}

// jsonSize is how many bytes s takes as a JSON string in Go's encoding, which
// escapes what HTML would trip over.
func jsonSize(s string) int {
	size := 2

	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
			size += 2
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == 0x7f:
			size += 6
		default:
			size += len(string(r))
		}
	}

	return size
}
