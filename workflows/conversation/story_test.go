package conversation_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	require.TestingT
	Helper()
}

func key() signals.Key { return signals.Key{Source: "shop", Conversation: "C1"} }

// epoch lies ahead: the test environment measures activities by the real clock.
func epoch() time.Time { return time.Date(2040, 11, 20, 10, 0, 0, 0, time.UTC) }

func at(offset time.Duration) time.Time { return epoch().Add(offset) }

// under is the default policy, changed.
func under(changes ...func(s *policy.Snapshot)) policy.Snapshot {
	snapshot := policy.Snapshot{
		Source: "shop", PolicyName: "default", Policy: policy.Default(), RetryWindow: policy.Duration(2 * time.Minute),
		Routing: policy.RoutingPlatform, Groups: map[string]string{"1": "billing"}, TicketKind: policy.TicketStore,
	}

	for _, change := range changes {
		change(&snapshot)
	}

	return snapshot
}

func machine(changes ...func(s *policy.Snapshot)) *conversation.Machine {
	return conversation.NewMachine(key(), key().WorkflowID(), signals.Start{Version: 1, Session: 1}, under(changes...))
}

// event is one of who's, that arrives when it happens.
func event(t signals.Type, who string, offset time.Duration) signals.Event {
	return signals.Event{
		ID: fmt.Sprintf("%s-%s-%s", t, who, offset), Type: t, Source: "shop", Conversation: "C1",
		At: at(offset), ReceivedAt: at(offset), Actor: person(who),
	}
}

func person(who string) *signals.Actor {
	role := signals.RoleUnknown

	switch who {
	case "":
		return nil
	case "ann":
		role = signals.RoleVisitor
	case "smith", "jones":
		role = signals.RoleAgent
	case "robot":
		role = signals.RoleBot
	}

	return &signals.Actor{ID: who, Role: role}
}

func says(who, text string, offset time.Duration) signals.Event {
	said := event(signals.MessageReceived, who, offset)
	said.Message = &signals.Message{ID: said.ID, Text: text, Kind: signals.KindText}

	return said
}

// tell applies events at the time of the last of them.
func tell(m *conversation.Machine, events ...signals.Event) {
	var now time.Time

	for i := range events {
		now = events[i].ReceivedAt
		m.Apply(events[i], now)
	}

	m.Settle(now)
	m.Tick(now)
}

// pass lets time pass with every clock on time.
func pass(t fataler, m *conversation.Machine, from, to time.Time) {
	t.Helper()

	for range 1000 {
		next, ok := m.NextDeadline()
		if !ok || next.Due.After(to) {
			return
		}

		if next.Due.After(from) {
			from = next.Due
		}

		m.Tick(from)
	}

	require.FailNow(t, "a clock that fires does not move on")
}

func stateJSON(t fataler, m *conversation.Machine) string {
	t.Helper()

	data, err := json.Marshal(m.State)
	require.NoError(t, err)

	return string(data)
}

// again is the machine of the next run: its state went through JSON.
func again(t fataler, m *conversation.Machine) *conversation.Machine {
	t.Helper()

	var state conversation.State

	require.NoError(t, json.Unmarshal([]byte(stateJSON(t, m)), &state))

	return conversation.Resume(&state, m.Under)
}

// outcome is what must not depend on the order of events.
func outcome(m *conversation.Machine) string {
	view := m.View("", true)
	view.Timeline = nil
	view.OpenedAt = m.OpenedAt
	present := map[string]signals.ViewParticipant{}

	for _, who := range view.Participants {
		present[who.ID] = who
	}

	view.Participants = nil

	stated, said := conversation.Stated(m)

	data, err := json.MarshalIndent(map[string]any{"view": view, "participants": present, "stated": stated, "said": said}, "", " ")
	if err != nil {
		return err.Error()
	}

	return string(data)
}

// dice throws evenly: rapid prefers small numbers, of which no life is made.
func dice(rt *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
}

func one[V any](from *rand.Rand, values ...V) V { return values[from.IntN(len(values))] }

// history draws events of a conversation, with ids of their own.
func history(rt *rapid.T, most int, span time.Duration) []signals.Event {
	from := dice(rt)
	count := rapid.IntRange(1, most).Draw(rt, "events")
	events := make([]signals.Event, 0, count)

	for i := range count {
		events = append(events, draw(from, i, span))
	}

	return events
}

func draw(from *rand.Rand, number int, span time.Duration) signals.Event {
	who := one(from, "ann", "ann", "smith", "jones", "robot", "who", "anyone", "boss")
	offset := time.Duration(from.IntN(int(span/time.Second)+1)) * time.Second
	thread := one(from, "", "T1", "T1", "T2")
	message := fmt.Sprintf("m%d", from.IntN(number+1))
	drawn := event(one(from, signals.MessageReceived, signals.MessageReceived, signals.MessageReceived, signals.MessageReceived,
		signals.ParticipantJoined, signals.ParticipantLeft, signals.MessageUpdated, signals.MessageDeleted,
		signals.ConversationClosed, signals.ConversationOpened, signals.EscalationRequested, signals.AgentAssigned,
		signals.ConversationTransferred, signals.TagAdded, signals.TagRemoved, signals.QueueMoved, signals.PresenceChanged,
		signals.TypingChanged, signals.ButtonPressed, signals.FormSubmitted, signals.Unknown, signals.CustomerUpdated), who, offset)
	drawn.ID, drawn.Thread = fmt.Sprintf("e%d", number), thread

	if who == "boss" {
		drawn.Actor.Role, drawn.Actor.Visibility = signals.RoleAgent, signals.VisibleToAgents
	}

	switch drawn.Type { //nolint:exhaustive // the others come bare
	case signals.MessageReceived:
		drawn.Message = &signals.Message{
			ID: fmt.Sprintf("m%d", number), Text: "text of " + drawn.ID,
			Kind:       one(from, signals.KindText, signals.KindText, signals.KindFile, signals.KindSystem, signals.KindCustom),
			Automatic:  from.IntN(9+1) == 0,
			Visibility: one(from, "", "", "", signals.VisibleToAgents),
		}
	case signals.MessageUpdated, signals.MessageDeleted:
		drawn.Message = &signals.Message{ID: message, Text: "edited by " + drawn.ID}
	case signals.ParticipantJoined, signals.ParticipantLeft:
		drawn.Actor = nil
		drawn.Participant = &signals.Participant{ID: who, Role: roleOf(who)}
	case signals.EscalationRequested:
		drawn.Escalation = &signals.Escalation{
			Skill: one(from, "", "cards", "loans"), AgentID: one(from, "", "", "jones"), Priority: one(from, "", "high", "3"),
			Status: one(from, "", "accepted"),
		}
	case signals.ConversationTransferred:
		drawn.Transfer = &signals.Transfer{GroupIDs: []string{"1"}}
		if one(from, true, false) {
			drawn.Transfer = &signals.Transfer{AgentIDs: []string{"jones"}}
		}
	case signals.AgentAssigned:
		drawn.Actor, drawn.Assignment = nil, &signals.Assignment{AgentID: "smith"}
	case signals.ConversationClosed:
		drawn.Closing = &signals.Closing{ByID: who}
	case signals.TagAdded, signals.TagRemoved:
		drawn.Tag = &signals.Tag{Name: one(from, "a", "b")}
	case signals.PresenceChanged:
		drawn.Presence = &signals.Presence{State: one(from, "away", "back")}
	case signals.TypingChanged:
		drawn.Typing = &signals.Typing{On: one(from, true, false)}
	case signals.FormSubmitted:
		drawn.Form = &signals.Form{
			ID: "f" + drawn.ID, Kind: one(from, "prechat", "postchat", "offline"), Text: "form",
		}
	case signals.CustomerUpdated:
		drawn.Customer = &signals.Customer{ID: "ann", Name: "Ann " + drawn.ID}
	}

	return drawn
}

// roleOf is the role that a join proves; nobody else says what who is.
func roleOf(who string) signals.Role {
	switch who {
	case "ann", "anyone":
		return signals.RoleVisitor
	case "robot":
		return signals.RoleBot
	default:
		return signals.RoleAgent
	}
}

var _ fataler = (*testing.T)(nil)
