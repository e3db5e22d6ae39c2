package conversation_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

// hostile is a text that JSON makes six times as long.
func hostile(seed, size int) string {
	head := strconv.Itoa(seed)

	return head + strings.Repeat("<\x01", size/2)[:size-len(head)]
}

// TestStateIsBounded fills everything that a state holds with the worst that
// the edge lets through: more than 2 MB would fail a run for ever.
func TestStateIsBounded(t *testing.T) {
	t.Parallel()

	for name, text := range map[string]func(seed, size int) string{
		"characters that JSON escapes": hostile,
		"long and plain": func(seed, size int) string {
			return fmt.Sprintf("%0*d", size, seed)
		},
		"other scripts": func(seed, size int) string {
			head := strconv.Itoa(seed)

			return head + strings.Repeat("客", (size-len(head))/3)
		},
		"ids as short as they are kept": func(seed, size int) string {
			return fmt.Sprintf("%0*d", min(size, 64), seed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(routed)

			for i := range 700 {
				m.Apply(worst(text, i), at(time.Duration(i)*time.Second))

				if i%7 == 0 {
					m.Settle(at(time.Duration(i) * time.Second))
				}
			}

			m.Settle(at(700 * time.Second))
			require.NoError(t, m.Command(signals.ReopenUpdate, signals.Command{}, at(700*time.Second)))
			require.NoError(t, m.Command(signals.SnoozeUpdate, signals.Command{By: text(1, 4096), Reason: text(1, 4096)}, at(701*time.Second)))
			require.NoError(t, m.Command(signals.ReopenUpdate, signals.Command{}, at(702*time.Second)))
			fillTalk(t, m, text)
			m.Dispatched(len(m.TakeOrders()))

			size := len(stateJSON(t, m))
			require.LessOrEqual(t, size, 256<<10)
			t.Logf("%d bytes", size)
		})
	}
}

// fillTalk brings the worst that a desk and those who ask it say.
func fillTalk(t *testing.T, m *conversation.Machine, text func(seed, size int) string) {
	t.Helper()

	moved := signals.Command{Desk: "billing", Reason: text(1, 4096), By: text(1, 255)}
	require.NoError(t, m.Command(signals.TransferUpdate, moved, at(703*time.Second)))

	asked := event(signals.AssignmentRequested, "", 704*time.Second)
	asked.Invitation = &signals.Invitation{}

	for i := range 200 {
		asked.Invitation.Candidates = append(asked.Invitation.Candidates, signals.Candidate{
			AgentID: text(i, 255), Skills: []string{text(1, 255), text(2, 255), text(3, 255), text(4, 255), text(5, 255), text(6, 255)},
		})
	}

	tell(m, asked)

	for i := range 60 {
		moved := event(signals.QueueMoved, "", 705*time.Second+time.Duration(i)*time.Millisecond)
		wish := event(signals.EscalationRequested, "ann", 706*time.Second+time.Duration(i)*time.Millisecond)
		wish.Escalation = &signals.Escalation{Skill: text(i, 4096), AgentID: text(i, 255), Priority: text(i, 4096), Reason: text(i, 4096)}
		tell(m, moved, wish)
	}

	for i := range 40 {
		offset := 710*time.Second + time.Duration(i)*time.Second
		agent := text(i, 255)
		offered(m, agent, offset)
		require.Equal(t, signals.StatusOffered, m.Status)
		require.NoError(t, m.Command(signals.DeclineUpdate, signals.Command{AgentID: agent, Reason: text(i, 4096)}, at(offset)))
	}

	offered(m, text(1, 255), 800*time.Second)
	require.Len(t, m.View("", true).Invitations, 20)

	for _, desk := range []string{"support", "overflow", "billing"} {
		m.Offer(signals.Offer{Kind: signals.OfferCheck, Desk: desk, Session: 1, Number: 1 << 50}, at(801*time.Second))
	}
}

func worst(text func(seed, size int) string, i int) signals.Event {
	received := at(time.Duration(i) * time.Second)
	event := signals.Event{
		ID: text(i, 255), Source: "shop", Conversation: "C1", Thread: text(i, 255), Inbox: text(i, 300), Seq: 1,
		At: received.Add(-123456789), ReceivedAt: received.In(time.FixedZone("", 3*3600)),
		Actor: &signals.Actor{
			ID: text(i%60, 255), Role: signals.RoleAgent, Name: text(i%60, 2048), Nickname: text(i%60, 2048), Visibility: signals.VisibleToAll,
		},
	}
	if i%2 == 0 {
		event.Actor.Role = signals.RoleVisitor
	}

	switch i % 12 {
	case 1:
		event.Type, event.Tag = signals.TagAdded, &signals.Tag{Name: text(i, 1024)}
	case 2:
		event.Type, event.Details = signals.ConversationOpened, &signals.Details{
			Subject: text(i, 4096), Property: text(i, 4096), Lang: text(i, 4096), Tags: []string{text(i+5000, 255), text(i+6000, 255)},
		}
	case 3:
		event.Type, event.Closing = signals.ConversationClosed, &signals.Closing{ByID: text(i, 255), Reason: text(i, 4096)}
	case 4:
		event.Type = signals.ParticipantJoined
		event.Participant = &signals.Participant{
			ID: text(i%60, 255), Role: signals.RoleVisitor, Name: text(i, 4096), ExternalID: text(i, 4096), Visibility: signals.VisibleToAll,
		}
	case 5:
		event.Type, event.Message = signals.MessageUpdated, &signals.Message{ID: text(i, 255), Text: text(i, 4096)}
	case 6:
		event.Type, event.Ticket = signals.TicketUpdated, &signals.TicketRef{
			ID: text(i, 4096), ExternalID: text(i, 4096), URL: text(i, 4096), Reason: text(i, 4096),
		}
	case 7:
		event.Type, event.Note = signals.SystemNoted, &signals.Note{TicketID: text(i, 4096), Text: text(i, 4096)}
	case 8:
		event.Type, event.Assignment = signals.AgentAssigned, &signals.Assignment{
			AgentID: text(i%60, 255), AgentName: text(i, 4096), Desk: text(i, 4096),
		}
	case 9:
		event.Type, event.Presence = signals.PresenceChanged, &signals.Presence{State: signals.PresenceAway, Reason: text(i, 4096)}
	default:
		event.Type, event.Message = signals.MessageReceived, &signals.Message{ID: text(i, 255), Text: text(i, 4096), Kind: signals.KindText}
	}

	return event
}

// TestFirstUnansweredMessageStays: more messages than are kept never lose the
// one that the clock counts from, and what was answered stays answered.
func TestFirstUnansweredMessageStays(t *testing.T) {
	t.Parallel()

	m := machine()
	tell(m, says("ann", "answered", 0), says("smith", "answer", time.Second), says("ann", "first", 2*time.Second))

	for i := range 500 {
		tell(m, says("ann", "more", 3*time.Second+time.Duration(i)*time.Millisecond))
	}

	view := m.View("", false)
	require.Equal(t, at(2*time.Second), view.UnrepliedSince.UTC())
	require.Equal(t, int64(502), view.Messages.Visitor)

	tell(m, says("smith", "answer", time.Minute))
	require.False(t, m.View("", false).Unreplied)

	for i := range 500 {
		tell(m, says("smith", "more", 2*time.Minute+time.Duration(i)*time.Millisecond))
	}

	late := says("ann", "late", 30*time.Second)
	late.ReceivedAt = at(4 * time.Minute)
	tell(m, late)
	require.False(t, m.View("", false).Unreplied, "the reply that answered it is no longer kept")
}
