package signals_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
)

func noon() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func TestCut(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		limit := rapid.IntRange(0, 40).Draw(t, "limit")
		got := signals.Cut(s, limit)

		require.LessOrEqual(t, len(got), limit)
		require.True(t, strings.HasPrefix(s, got))
		require.True(t, utf8.ValidString(got))

		if len(s) <= limit {
			require.Equal(t, s, got)
		} else {
			require.Greater(t, len(got), limit-utf8.UTFMax, "no more is cut than a character")
		}
	})
}

func TestSummarize(t *testing.T) {
	t.Parallel()

	require.Empty(t, signals.Summarize(nil))
	require.Equal(t, "message.received ×2, typing.changed", signals.Summarize([]signals.Event{
		{Type: signals.MessageReceived}, {Type: signals.TypingChanged}, {Type: signals.MessageReceived},
	}))
}

func TestNewBatchBounds(t *testing.T) {
	t.Parallel()

	big := strings.Repeat("é", signals.MaxTextBytes)
	raw := json.RawMessage(`"` + strings.Repeat("x", 200<<10) + `"`)
	events := []signals.Event{
		{ID: "1", Type: signals.MessageReceived, At: noon(), Seq: 3, Inbox: "i", Raw: raw, Message: &signals.Message{ID: "m", Text: big}},
		{ID: "2", Type: signals.MessageReceived, At: noon(), Message: &signals.Message{Text: "hi", Rich: raw}},
		{ID: "3", Type: signals.FormSubmitted, At: noon(), Form: &signals.Form{Text: big}},
		{ID: "4", Type: signals.ConversationOpened, At: noon(), Details: &signals.Details{
			Tags: []string{"a"}, Properties: signals.Values{"n": {"v": raw}},
			Participants: []signals.Participant{{ID: "p", Role: signals.RoleAgent, Fields: map[string]json.RawMessage{"f": raw}}},
		}},
		{ID: "5", Type: signals.MessageReceived, At: noon(), Message: &signals.Message{
			ID: "m5", Text: strings.Repeat("\x01", signals.MaxTextBytes), Automatic: true, Visibility: signals.VisibleToAgents,
		}},
		{ID: "6", Type: signals.PropertiesUpdated, At: noon(), Properties: &signals.Properties{Set: signals.Values{"n": {"v": raw}}}},
	}

	batch, err := signals.NewBatch(events)
	require.NoError(t, err)
	require.Len(t, batch.Events, len(events))

	got := make([]signals.Event, len(events))

	for i, raw := range batch.Events {
		require.LessOrEqual(t, len(raw), signals.MaxEventBytes)
		require.NoError(t, json.Unmarshal(raw, &got[i]))
		require.Equal(t, events[i].ID, got[i].ID)
		require.Equal(t, events[i].Type, got[i].Type)
		require.Empty(t, got[i].Raw)
	}

	require.Equal(t, int64(3), got[0].Seq)
	require.Equal(t, "i", got[0].Inbox)
	require.True(t, got[0].Message.Truncated)
	require.Len(t, got[0].Message.Text, signals.MaxTextBytes)
	require.Equal(t, "hi", got[1].Message.Text)
	require.Nil(t, got[1].Message.Rich)
	require.LessOrEqual(t, len(got[2].Form.Text), signals.MaxTextBytes)
	require.Equal(t, []string{"a"}, got[3].Details.Tags)
	require.Equal(t, signals.RoleAgent, got[3].Details.Participants[0].Role)
	require.Equal(t, "m5", got[4].Message.ID)
	require.True(t, got[4].Message.Automatic, "what decides about a reply stays")
	require.Equal(t, signals.VisibleToAgents, got[4].Message.Visibility)
	require.True(t, got[4].Message.Truncated)
	require.NotNil(t, got[5].Properties)

	// The caller's events are as they were.
	require.Len(t, events[0].Message.Text, len(big))
	require.NotNil(t, events[3].Details.Properties)
}

func TestSmallEventsAreNotTouched(t *testing.T) {
	t.Parallel()

	event := signals.Event{
		ID: "1", Type: signals.MessageReceived, Conversation: "c", At: noon(), ReceivedAt: noon(),
		Actor:   &signals.Actor{ID: "ann", Role: signals.RoleVisitor},
		Message: &signals.Message{Text: "hi", Custom: json.RawMessage(`{"n":12345678901234567890}`)},
	}

	batch, err := signals.NewBatch([]signals.Event{event})
	require.NoError(t, err)

	var back signals.Event

	require.NoError(t, json.Unmarshal(batch.Events[0], &back))
	require.Equal(t, event, back)
}
