package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// maxKept bounds the messages that the reply state is derived from. Older ones
// are folded into a floor, never the first unanswered one.
const maxKept = 100

func (m *Machine) enterMessage(event *signals.Event) {
	message := event.Message
	if message == nil {
		return
	}

	m.keep(event, message.ID, prefer(string(message.Kind), string(signals.KindText)), message.Visibility, message.Automatic)
}

// enterForm takes a filled-in form: one that a visitor sent before the chat
// counts as a message, an offline one closes the conversation as offline.
func (m *Machine) enterForm(event *signals.Event, now time.Time) {
	form := event.Form
	if form == nil {
		return
	}

	m.Subject = prefer(m.Subject, signals.Cut(form.Subject, maxTagBytes))
	m.Property = prefer(m.Property, signals.Cut(form.Property, maxTagBytes))

	switch form.Kind {
	case signals.FormPostchat:
	case signals.FormOffline:
		m.addClose(closeFact{
			At: event.At, ClockAt: clockTime(event), Thread: event.Thread, ByRole: signals.RoleSystem, Reason: reasonOffline,
		})
	default:
		m.keep(event, prefer(form.ID, event.ID), string(signals.KindForm), signals.VisibleToAll, false)
	}

	m.tell(event)
}

func (m *Machine) keep(event *signals.Event, id, kind string, visibility signals.Visibility, automatic bool) {
	entry := kept{
		ID: signals.RememberedID(prefer(id, event.ID)), Kind: signals.MessageKind(kind), At: event.At, ClockAt: clockTime(event),
		Thread: event.Thread, Private: visibility == signals.VisibleToAgents, Auto: automatic, Role: signals.RoleUnknown,
	}

	if event.Actor != nil {
		entry.Author, entry.Claimed = signals.Cut(event.Actor.ID, maxIDBytes), event.Actor.Role
		entry.Private = entry.Private || event.Actor.Visibility == signals.VisibleToAgents && visibility != signals.VisibleToAll
	}

	if at := m.keptAt(entry.ID); at >= 0 {
		if !m.Kept[at].Deleted || m.Kept[at].Counted != "" {
			return // the same message again, under another event id
		}

		entry.Deleted = true // its deletion overtook it
		m.Kept = slices.Delete(m.Kept, at, at+1)
	}

	at, _ := slices.BinarySearchFunc(m.Kept, entry, compareKept)
	m.Kept = slices.Insert(m.Kept, at, entry)
	m.resolve(&m.Kept[at])
}

func compareKept(a, b kept) int { //nolint:gocritic // the signature is the slices package's
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

// editMessage changes the text, and nothing else.
func (m *Machine) editMessage(event *signals.Event) {
	if event.Message == nil || event.Message.ID == "" {
		return
	}

	id := signals.RememberedID(event.Message.ID)
	m.rewrite(id, event.Message.Text)

	if m.Episode != nil && m.Episode.MessageID == id {
		m.Episode.Text = signals.Cut(event.Message.Text, maxEpisodeText)
	}
}

func (m *Machine) deleteMessage(event *signals.Event) {
	if event.Message == nil || event.Message.ID == "" {
		return
	}

	id := signals.RememberedID(event.Message.ID)
	m.rewrite(id, "(deleted)")

	if at := m.keptAt(id); at >= 0 {
		m.Kept[at].Deleted = true

		return
	}

	mark := kept{ID: id, At: event.At, ClockAt: event.At, Deleted: true, Role: signals.RoleUnknown}
	at, _ := slices.BinarySearchFunc(m.Kept, mark, compareKept)
	m.Kept = slices.Insert(m.Kept, at, mark)
}

// resolveRoles looks at every kept message anew: a join that came later may
// have said who wrote it.
func (m *Machine) resolveRoles() {
	for i := range m.Roster {
		if m.Roster[i].Role == signals.RoleUnknown {
			m.Roster[i].Role = m.roleOf(m.Roster[i].ID, "")
		}

		who := &m.Roster[i]
		if who.Role == signals.RoleAgent && who.Visibility != signals.VisibleToAgents && !who.JoinedAt.IsZero() {
			who.ClaimedAt = latest(who.ClaimedAt, who.JoinedAt)
		}
	}

	for i := range m.Kept {
		m.resolve(&m.Kept[i])
	}
}

func (m *Machine) resolve(entry *kept) {
	if entry.Author == "" && entry.Claimed == "" {
		return
	}

	entry.Role = m.roleOf(entry.Author, entry.Claimed)
	m.count(entry)

	if entry.Private || entry.Deleted || entry.Kind == signals.KindSystem || entry.Kind == signals.KindCustom {
		return
	}

	switch entry.Role { //nolint:exhaustive // the others move nothing
	case signals.RoleVisitor:
		m.VisitorAt = latest(m.VisitorAt, entry.At)

		m.wrote(entry)
	case signals.RoleAgent:
		if entry.Auto {
			return
		}

		m.spoke(entry.At)

		if entry.Author != "" {
			who := m.member(entry.Author)
			who.Role = signals.RoleAgent

			if who.SpokeAt.IsZero() || entry.At.Before(who.SpokeAt) {
				who.SpokeAt = entry.At
			}
		}
	case signals.RoleBot:
		m.spoke(entry.At)
	}
}

// wrote keeps the visitor's newest message of each thread, by which a close may
// be lifted.
func (m *Machine) wrote(entry *kept) {
	if entry.Thread == "" {
		m.ReopenedAt = latest(m.ReopenedAt, entry.At)

		return
	}

	for i := range m.Threads {
		if m.Threads[i].ID == entry.Thread {
			m.Threads[i].VisitorAt = latest(m.Threads[i].VisitorAt, entry.At)
		}
	}
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
