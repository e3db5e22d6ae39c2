package conversation

import (
	"slices"

	"github.com/parleyhq/parley/signals"
)

// View is the conversation as the API shows it; whole adds participants and
// timeline.
func (m *Machine) View(runID string, whole bool) signals.View {
	view := signals.View{
		ID: m.Key.Conversation, Source: m.Key.Source, WorkflowID: m.WorkflowID, RunID: runID, Session: m.Session,
		Thread: m.thread().ID, Status: m.Status, Agent: m.Agent, Desk: m.shownDesk(), Tags: m.tags(),
		Accepted: m.Accepted, Applied: m.Applied, Late: m.Late, Ignored: m.Ignored, Duplicates: m.Duplicates,
		Messages: m.Counts, Clocks: []signals.ViewClock{}, OpenedAt: m.opened(), Ticket: m.Ticket,
	}

	m.viewUnreplied(&view)

	for _, running := range m.clocks() {
		if running.Name == clockAskAgain {
			continue // between the conversation and its desk
		}

		view.Clocks = append(view.Clocks, signals.ViewClock{Name: string(running.Name), Due: running.Due})
	}

	if asked := m.invitation(); asked != nil {
		view.Offered = asked.Agent
	}

	if m.Close != nil {
		at := m.Close.At
		view.ClosedAt = &at
	}

	if whole {
		view.Participants, view.Timeline = m.participants(), m.timeline()
		view.Invitations = m.viewInvitations()
	}

	return view
}

// Statement is where the conversation stands with its desk.
func (m *Machine) Statement() signals.Statement {
	said := signals.Statement{Session: m.Session, Status: m.Status, Agent: m.Agent, Skill: m.skill()}

	if m.Talk.Said.Kind != "" {
		said.Desk, said.Kind, said.Number = m.Talk.Desk, m.Talk.Said.Kind, m.Talk.Said.Number
	}

	if m.Close != nil {
		said.ClosedAt = m.Close.At
	}

	for i := range m.Closes {
		if m.reopened(&m.Closes[i]) {
			said.ReopenedAt = m.Closes[i].At
		}
	}

	return said
}

func (m *Machine) viewUnreplied(view *signals.View) {
	switch {
	case m.Episode != nil:
		since := m.Episode.Since
		view.Unreplied, view.UnrepliedSince, view.PushTimes = true, &since, m.Episode.Pushes
	case m.Relay != nil:
		since := m.Relay.Since
		view.Unreplied, view.UnrepliedSince, view.PushTimes = true, &since, m.Relay.Pushes
	case m.Close != nil:
		view.Unreplied = m.owedAtClose()
	}
}

func (m *Machine) tags() []string {
	tags := make([]string, 0, len(m.Tags))

	for _, tag := range m.Tags {
		if tag.On {
			tags = append(tags, tag.Name)
		}
	}

	slices.Sort(tags)

	return tags
}

func (m *Machine) participants() []signals.ViewParticipant {
	people := make([]signals.ViewParticipant, 0, len(m.Roster))

	for i := range m.Roster {
		who := &m.Roster[i]
		people = append(people, signals.ViewParticipant{
			ID: who.ID, Role: who.Role, Name: prefer(who.Name.Text, who.Nickname.Text), Present: who.present(),
			Visibility: signals.Visibility(prefer(who.Visibility.Text, string(signals.VisibleToAll))),
		})
	}

	return people
}

func (m *Machine) timeline() []signals.TimelineEntry {
	entries := make([]signals.TimelineEntry, 0, len(m.Timeline))

	for i := range m.Timeline {
		entry := &m.Timeline[i]
		text := entry.Text

		if name := prefer(entry.Name, string(m.roleNow(entry))); name != "" && entry.MessageID != "" {
			text = name + ": " + text
		}

		entries = append(entries, signals.TimelineEntry{At: entry.At, Type: entry.Type, Text: text})
	}

	return entries
}
