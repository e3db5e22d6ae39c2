package conversation

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	maxTimeline  = 200
	maxLineBytes = 1 << 10

	// maxStateBytes is what the timeline may fill up to; the state as a whole
	// stays below 256 KB (design, section 5).
	maxStateBytes    = 240 << 10
	maxTimelineBytes = 160 << 10
	minTimelineBytes = 48 << 10

	// What one of each takes as JSON at most, texts as they are bounded here.
	baseBytes   = 32 << 10
	idBytes     = 130
	keptBytes   = 620
	memberBytes = 1500
	threadBytes = 260
	markBytes   = 120
	// invitedBytes is one invitation, talkBytes what else is said to a desk: the
	// need stands in the statement and once more on its way.
	invitedBytes = 750
	talkBytes    = 12 << 10
	hopBytes     = 300
	// lineOverhead is what a timeline entry takes beside its texts.
	lineOverhead = 230
)

// tidy bounds what an event brings along that would stay in the state, and
// gives a message without an id one of its own.
func (m *Machine) tidy(event *signals.Event) {
	event.Thread = signals.RememberedID(event.Thread)

	if event.ID == "" && (event.Type == signals.MessageReceived || event.Type == signals.FormSubmitted) {
		event.ID = "~" + strconv.FormatInt(m.Accepted, 10)
	}

	if event.Actor != nil {
		actor := *event.Actor
		actor.ID, actor.Name, actor.Nickname = personID(actor.ID), clip(actor.Name, maxNameBytes), clip(actor.Nickname, maxNameBytes)
		event.Actor = &actor
	}
}

// personID is the form in which a participant's id stands in the state: the id
// itself, or its hash where it would be long as JSON.
func personID(id string) string {
	if jsonSize(id) <= maxIDBytes+2 {
		return id
	}

	return "#" + signals.DerivedID(id)
}

// clip makes a short text from outside harmless and small: control characters
// become blanks, and as JSON it takes at most limit bytes.
func clip(text string, limit int) string {
	return fit(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}

		return r
	}, signals.Cut(text, limit)), limit)
}

// fit cuts a text to at most limit bytes as JSON.
func fit(text string, limit int) string {
	text = signals.Cut(strings.ToValidUTF8(signals.Cut(text, limit), "�"), limit)
	size := 0

	for at, r := range text {
		if size += jsonSize(string(r)) - quotes; size > limit {
			return text[:at]
		}
	}

	return text
}

// quotes is what a JSON string takes beside its characters.
const quotes = 2

// bound keeps the state within its size: the oldest entries of the timeline go
// first, and of the kept messages those that no longer decide anything.
func (m *Machine) bound() {
	for len(m.Kept) > maxKept {
		m.evict()
	}

	if len(m.Timeline) > maxTimeline {
		m.Timeline = slices.Delete(m.Timeline, 0, len(m.Timeline)-maxTimeline)
	}

	size, most := 0, m.timelineRoom()

	for i, entry := range slices.Backward(m.Timeline) {
		size += jsonSize(entry.Text) + jsonSize(entry.Name) + lineOverhead
		if size > most {
			m.Timeline = slices.Delete(m.Timeline, 0, i+1)

			break
		}
	}
}

// timelineRoom is what the rest of the state leaves for the timeline.
func (m *Machine) timelineRoom() int {
	rest := baseBytes + idBytes*len(m.IDs) + keptBytes*len(m.Kept) + memberBytes*len(m.Roster) +
		threadBytes*(len(m.Threads)+len(m.PastThreads)) + hopBytes*len(m.Hops)

	if m.Talk.Desk != "" {
		rest += talkBytes + invitedBytes*len(m.Talk.Invited)
	}

	rest += markBytes * len(m.Marks)

	for i := range m.Tags {
		rest += jsonSize(m.Tags[i].Name) + idBytes
	}

	for i := range m.Edits {
		rest += jsonSize(m.Edits[i].Text) + idBytes
	}

	return min(max(maxStateBytes-rest, minTimelineBytes), maxTimelineBytes)
}

// evict drops the oldest kept message and folds what it decided into floors;
// the first unanswered one stays.
func (m *Machine) evict() {
	at := 0
	if m.Episode != nil && m.Kept[at].ID == m.Episode.MessageID && m.Kept[at].At.Equal(m.Episode.Since) {
		at++
	}

	gone := m.Kept[at]
	m.Kept = slices.Delete(m.Kept, at, at+1)

	if m.isReply(&gone) {
		m.ReplyFloor = latest(m.ReplyFloor, gone.At)
	}

	if gone.Role != signals.RoleVisitor || gone.Private {
		return
	}

	if gone.Thread == "" {
		m.WroteAt = latest(m.WroteAt, gone.At)
	} else if !m.threadClosedBy(gone.Thread, gone.At) {
		m.markThread(gone.Thread, gone.At)
	}
}

// jsonSize is how many bytes s takes as a JSON string in Go's encoding, which
// escapes what HTML would trip over.
func jsonSize(s string) int {
	size := 2

	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
			size += 2
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == '�':
			size += 6
		default:
			size += len(string(r))
		}
	}

	return size
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}

	return a
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
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
