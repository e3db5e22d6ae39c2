package conversation

import (
	"slices"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// maxKept bounds the messages that the reply state is derived from. Older ones
// are folded into a floor, never the first unanswered one.
const maxKept = 100

// enterMessage takes a message and reports whether it is new: the same one may
// come again under another event's id.
func (m *Machine) enterMessage(event *signals.Event) bool {
	message := event.Message
	if message == nil {
		return true
	}

	return m.keep(event, message.ID, prefer(string(message.Kind), string(signals.KindText)), message.Automatic)
}

// enterForm takes a filled-in form: one that a visitor sent before the chat
// counts as a message, an offline one closes the conversation as offline.
func (m *Machine) enterForm(event *signals.Event) bool {
	form := event.Form
	if form == nil {
		return true
	}

	m.Subject.set(clip(form.Subject, maxTagBytes), event.At)
	m.Property.set(clip(form.Property, maxTagBytes), event.At)

	switch form.Kind {
	case signals.FormPostchat:
	case signals.FormOffline:
		m.addClose(closeFact{
			At: event.At, ClockAt: clockTime(event), Thread: event.Thread, ByRole: signals.RoleSystem, Reason: reasonOffline,
		})
	default:
		if !m.keep(event, prefer(form.ID, event.ID), string(signals.KindForm), false) {
			return false
		}
	}

	return true
}

// kindSign is a kept entry that is no message: an escalation, or a message that
// only a platform's report tells of. It lifts a close and ends a snooze.
const kindSign signals.MessageKind = "sign"

func (m *Machine) sign(event *signals.Event, at time.Time) {
	m.insert(kept{
		ID: signals.RememberedID("!" + prefer(event.ID, strconv.FormatInt(m.Accepted, 10))), At: at, ClockAt: clockTime(event),
		Kind: kindSign, Thread: event.Thread, Claimed: signals.RoleVisitor, Role: signals.RoleVisitor,
	})
}

func (m *Machine) insert(entry kept) {
	at, _ := slices.BinarySearchFunc(m.Kept, entry, compareKept)
	m.Kept = slices.Insert(m.Kept, at, entry)
	m.resolve(&m.Kept[at], m.claimsFloor())
}

func (m *Machine) keep(event *signals.Event, id, kind string, automatic bool) bool {
	entry := kept{
		ID: signals.RememberedID(prefer(id, event.ID)), Kind: signals.MessageKind(kind), At: event.At, ClockAt: clockTime(event),
		Thread: event.Thread, Private: private(event), Auto: automatic, Role: signals.RoleUnknown,
	}

	if event.Actor != nil {
		entry.Author, entry.Claimed = event.Actor.ID, event.Actor.Role
	}

	if at := m.keptAt(entry.ID); at >= 0 {
		if !m.Kept[at].Deleted || m.Kept[at].Counted != "" {
			return false
		}

		entry.Deleted, entry.EditedAt = true, m.Kept[at].EditedAt // its deletion overtook it
		m.Kept = slices.Delete(m.Kept, at, at+1)
	}

	m.insert(entry)

	return true
}

func compareKept(a, b kept) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}

	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	default:
		return 0
	}
}

func (m *Machine) keptAt(id string) int {
	return slices.IndexFunc(m.Kept, func(k kept) bool { return k.ID != "" && k.ID == id })
}

// maxEdits bounds the edits that wait for their message.
const maxEdits = 16

// editMessage changes the text, and nothing else. An edit that overtook its
// message waits for it; one that a newer edit overtook is dropped.
func (m *Machine) editMessage(event *signals.Event) {
	if event.Message == nil || event.Message.ID == "" {
		return
	}

	waiting := edit{ID: signals.RememberedID(event.Message.ID), At: event.At, Text: fit(event.Message.Text, maxLineBytes)}

	if at := m.keptAt(waiting.ID); at >= 0 && m.Kept[at].Counted != "" {
		m.edited(at, waiting)

		return
	}

	m.Edits = append(m.Edits, waiting)
	if len(m.Edits) > maxEdits {
		m.Edits = slices.Delete(m.Edits, 0, 1)
	}
}

func (m *Machine) edited(at int, change edit) {
	entry := &m.Kept[at]
	if entry.Deleted || change.At.Before(entry.EditedAt) {
		return
	}

	entry.EditedAt = change.At
	m.rewrite(change.ID, change.Text)

	if m.Episode != nil && m.Episode.MessageID == change.ID {
		m.Episode.Text = signals.Cut(change.Text, maxEpisodeText)
	}
}

// arrived enters what overtook a message, once it stands in the timeline.
func (m *Machine) arrived(event *signals.Event) {
	id := messageID(event)

	at := m.keptAt(id)
	if at < 0 {
		return
	}

	if m.Kept[at].Deleted {
		m.rewrite(id, deletedText)
	}

	for _, change := range m.Edits {
		if change.ID == id {
			m.edited(at, change)
		}
	}

	m.Edits = slices.DeleteFunc(m.Edits, func(e edit) bool { return e.ID == id })
}

// messageID is the form in which a message's or a form's id is kept.
func messageID(event *signals.Event) string {
	switch {
	case event.Message != nil && event.Type == signals.MessageReceived:
		return signals.RememberedID(prefer(event.Message.ID, event.ID))
	case event.Form != nil && event.Type == signals.FormSubmitted:
		return signals.RememberedID(prefer(event.Form.ID, event.ID))
	default:
		return ""
	}
}

const deletedText = "(deleted)"

func (m *Machine) deleteMessage(event *signals.Event) {
	if event.Message == nil || event.Message.ID == "" {
		return
	}

	id := signals.RememberedID(event.Message.ID)
	m.rewrite(id, deletedText)

	if at := m.keptAt(id); at >= 0 {
		m.Kept[at].Deleted = true

		return
	}

	m.insert(kept{ID: id, At: event.At, ClockAt: event.At, Deleted: true, Role: signals.RoleUnknown})
}

// resolveRoles looks at every kept message anew: a join that came later may
// have said who wrote it.
func (m *Machine) resolveRoles() {
	floor := m.claimsFloor()
	m.resolveBy(floor)

	// Who wrote a message may decide whether it lifted a close.
	if then := m.claimsFloor(); !then.Equal(floor) {
		m.resolveBy(then)
	}
}

func (m *Machine) resolveBy(floor time.Time) {
	for i := range m.Roster {
		if m.Roster[i].Role == signals.RoleUnknown {
			m.Roster[i].Role = m.roleOf(m.Roster[i].ID, "")
		}

		// Who spoke before that has to speak anew.
		if !m.Roster[i].SpokeAt.After(floor) {
			m.Roster[i].SpokeAt = time.Time{}
		}
	}

	for i := range m.Kept {
		m.resolve(&m.Kept[i], floor)
	}
}

// resolve finds out who wrote a message, and what follows from that; floor is
// [Machine.claimsFloor].
func (m *Machine) resolve(entry *kept, floor time.Time) {
	if entry.Author == "" && entry.Claimed == "" {
		return
	}

	entry.Role = m.roleOf(entry.Author, entry.Claimed)

	if entry.Kind != kindSign {
		m.count(entry)
	}

	if entry.Private || entry.Kind == signals.KindSystem || entry.Kind == signals.KindCustom {
		return
	}

	switch entry.Role {
	case signals.RoleVisitor:
		m.VisitorAt = latest(m.VisitorAt, entry.At)
	case signals.RoleAgent, signals.RoleBot:
		if entry.Auto && entry.Role == signals.RoleAgent {
			return
		}

		m.spoke(entry.At)
	default:
		return
	}

	m.spokeHere(entry, floor)
}

// spokeHere keeps that the author of a public message is in the conversation.
func (m *Machine) spokeHere(entry *kept, floor time.Time) {
	if entry.Author == "" {
		return
	}

	who := m.member(entry.Author)
	who.LastAt = latest(who.LastAt, entry.At)

	if entry.Role != signals.RoleAgent {
		return
	}

	if who.Role == signals.RoleUnknown {
		who.Role = signals.RoleAgent
	}

	if entry.At.After(floor) && (who.SpokeAt.IsZero() || entry.At.Before(who.SpokeAt)) {
		who.SpokeAt = entry.At
	}
}

// visitorWrote reports whether the visitor wrote later than at what fits.
func (m *Machine) visitorWrote(at time.Time, fits func(k *kept) bool) bool {
	return slices.ContainsFunc(m.Kept, func(k kept) bool {
		return k.Role == signals.RoleVisitor && !k.Private && k.At.After(at) && fits(&k)
	})
}

// spoke restarts the idle clock at the newest public word of our side.
func (m *Machine) spoke(at time.Time) {
	if at.After(m.SpokenAt) {
		m.SpokenAt = at
		m.WarnedAt = time.Time{}
		m.IdleShift = 0
	}
}

// count keeps the message counts right while a role becomes known.
func (m *Machine) count(entry *kept) {
	as := entry.Role
	if entry.Private {
		as = privateCount
	}

	if entry.Counted == as {
		return
	}

	m.tally(entry.Counted, -1)
	m.tally(as, 1)
	entry.Counted = as
}

// privateCount stands in [kept.Counted] for what only agents see.
const privateCount signals.Role = "internal"

func (m *Machine) tally(as signals.Role, by int64) {
	switch as { //nolint:exhaustive // system and unknown are not counted
	case signals.RoleVisitor:
		m.Counts.Visitor += by
	case signals.RoleAgent:
		m.Counts.Agent += by
	case signals.RoleBot:
		m.Counts.Bot += by
	case privateCount:
		m.Counts.Internal += by
	}
}
