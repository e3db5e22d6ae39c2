package signals_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
)

func key() signals.Key { return signals.Key{Source: "shop", Conversation: "c1"} }

func TestDecodeFlat(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 20, 11, 59, 0, 0, time.UTC)
	five := int64(5)

	tests := map[string]struct {
		signal, payload string
		want            signals.Event
	}{
		"message": {
			signals.MessageSignal, `{"text":"hi"}`,
			signals.Event{
				Type: signals.MessageReceived, At: noon(), Actor: &signals.Actor{Role: signals.RoleVisitor},
				Message: &signals.Message{Text: "hi", Kind: signals.KindText},
			},
		},
		"message with everything": {
			signals.MessageSignal,
			`{"id":"m","text":"hi","kind":"rich","visibility":"agents","role":"agent","actor_id":"smith","name":"Smith",
			  "event_id":"e1","at":"2026-11-20T11:59:00Z","thread":"t1","ignored":1}`,
			signals.Event{
				ID: "e1", Type: signals.MessageReceived, At: at, Thread: "t1",
				Actor:   &signals.Actor{ID: "smith", Role: signals.RoleAgent, Name: "Smith"},
				Message: &signals.Message{ID: "m", Text: "hi", Kind: signals.KindRich, Visibility: signals.VisibleToAgents},
			},
		},
		"message with an event's id": {
			signals.MessageSignal, `{"text":"hi","event_id":"e1"}`,
			signals.Event{
				ID: "e1", Type: signals.MessageReceived, At: noon(), Actor: &signals.Actor{Role: signals.RoleVisitor},
				Message: &signals.Message{ID: "e1", Text: "hi", Kind: signals.KindText},
			},
		},
		"whole message": {
			signals.MessageSignal,
			`{"id":"e1","type":"message.received","at":"2026-11-20T11:59:00Z","message":{"text":"hi"},
			  "seq":9,"inbox":"x","source":"other","raw":{}}`,
			signals.Event{
				ID: "e1", Type: signals.MessageReceived, At: at, Actor: &signals.Actor{Role: signals.RoleVisitor},
				Message: &signals.Message{Text: "hi", Kind: signals.KindText},
			},
		},
		"whole message without a type": {
			signals.MessageSignal, `{"message":{"text":"hi"},"actor":{"id":"b","role":"bot"}}`,
			signals.Event{
				Type: signals.MessageReceived, At: noon(), Actor: &signals.Actor{ID: "b", Role: signals.RoleBot},
				Message: &signals.Message{Text: "hi", Kind: signals.KindText},
			},
		},
		"escalation": {
			signals.EscalationSignal, `{"skill":"billing","reason":"asked","priority":"high"}`,
			signals.Event{
				Type: signals.EscalationRequested, At: noon(), Actor: &signals.Actor{Role: signals.RoleVisitor},
				Escalation: &signals.Escalation{Skill: "billing", Reason: "asked", Priority: "high"},
			},
		},
		"bare escalation": {
			signals.EscalationSignal, `{}`,
			signals.Event{
				Type: signals.EscalationRequested, At: noon(), Actor: &signals.Actor{Role: signals.RoleVisitor},
				Escalation: &signals.Escalation{},
			},
		},
		"typing": {
			signals.TypingSignal, `{"role":"agent","actor_id":"smith"}`,
			signals.Event{
				Type: signals.TypingChanged, At: noon(), Actor: &signals.Actor{ID: "smith", Role: signals.RoleAgent},
				Typing: &signals.Typing{On: true},
			},
		},
		"typing stopped": {
			signals.TypingSignal, `{"on":false}`,
			signals.Event{
				Type: signals.TypingChanged, At: noon(), Actor: &signals.Actor{Role: signals.RoleVisitor}, Typing: &signals.Typing{},
			},
		},
		"agent accepted": {
			signals.AgentAcceptedSignal, `{"agent_id":"smith","agent_name":"Smith","role":"visitor"}`,
			signals.Event{
				Type: signals.AgentAccepted, At: noon(), Actor: &signals.Actor{ID: "smith", Role: signals.RoleAgent, Name: "Smith"},
				Assignment: &signals.Assignment{AgentID: "smith", AgentName: "Smith"},
			},
		},
		"agent accepted, named as the actor": {
			signals.AgentAcceptedSignal, `{"actor_id":"smith","name":"Smith"}`,
			signals.Event{
				Type: signals.AgentAccepted, At: noon(), Actor: &signals.Actor{ID: "smith", Role: signals.RoleAgent, Name: "Smith"},
				Assignment: &signals.Assignment{AgentID: "smith", AgentName: "Smith"},
			},
		},
		"queue move": {
			signals.QueueMoveSignal, `{"desk":"support","position":5}`,
			signals.Event{
				Type: signals.QueueMoved, At: noon(), Actor: &signals.Actor{Role: signals.RoleVisitor},
				Queue: &signals.Queue{Desk: "support", Position: &five},
			},
		},
		"close": {
			signals.CloseSignal, `{"reason":"done"}`,
			signals.Event{
				Type: signals.ConversationClosed, At: noon(), Actor: &signals.Actor{Role: signals.RoleSystem},
				Closing: &signals.Closing{Reason: "done", ByRole: signals.RoleSystem},
			},
		},
		"close by an agent": {
			signals.CloseSignal, `{"actor_id":"smith","role":"agent"}`,
			signals.Event{
				Type: signals.ConversationClosed, At: noon(), Actor: &signals.Actor{ID: "smith", Role: signals.RoleAgent},
				Closing: &signals.Closing{ByID: "smith", ByRole: signals.RoleAgent},
			},
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test.want.Source, test.want.Conversation, test.want.ReceivedAt = "shop", "c1", noon()

			got, err := signals.DecodeFlat(test.signal, json.RawMessage(test.payload), key(), noon())
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestDecodeFlatNamesTheField(t *testing.T) {
	t.Parallel()

	for _, test := range []struct{ signal, payload, field string }{
		{signals.MessageSignal, `"hi"`, "message"},
		{signals.MessageSignal, `null`, "message"},
		{signals.MessageSignal, ``, "message"},
		{signals.MessageSignal, `{}`, "text"},
		{signals.MessageSignal, `{"text":5}`, "text"},
		{signals.MessageSignal, `{"text":"hi","kind":"song"}`, "message.kind"},
		{signals.MessageSignal, `{"text":"hi","role":"king"}`, "role"},
		{signals.MessageSignal, `{"text":"hi","at":"noon"}`, "at"},
		{signals.MessageSignal, `{"text":"hi","at":"2126-01-01T00:00:00Z"}`, "at"},
		{signals.MessageSignal, `{"type":"conversation.closed"}`, "type"},
		{signals.MessageSignal, `{"type":"message.received"}`, "message"},
		{signals.MessageSignal, `{"message":{"text":"hi"},"conversation":"c2"}`, "conversation"},
		{signals.AgentAcceptedSignal, `{}`, "agent_id"},
		{signals.TypingSignal, `{"on":"yes"}`, "on"},
		{signals.QueueMoveSignal, `{"position":"first"}`, "position"},
	} {
		_, err := signals.DecodeFlat(test.signal, json.RawMessage(test.payload), key(), noon())

		var field *signals.FieldError

		require.ErrorAs(t, err, &field, test.payload)
		require.Equal(t, test.field, field.Field, test.payload)
	}

	_, err := signals.DecodeFlat(signals.EventsSignal, json.RawMessage(`{}`), key(), noon())
	require.ErrorIs(t, err, signals.ErrBadName)
}

func TestOrderFlat(t *testing.T) {
	t.Parallel()

	order := []signals.Type{
		signals.EscalationRequested, signals.AgentAccepted, signals.QueueMoved,
		signals.MessageReceived, signals.TypingChanged, signals.ConversationClosed,
	}

	rapid.Check(t, func(t *rapid.T) {
		events := make([]signals.Event, 0, len(order)+1)

		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "order") {
			events = append(events, signals.Event{Type: order[i], At: noon()})
		}

		// A close that says an earlier time goes first.
		events = append(events, signals.Event{ID: "early", Type: signals.ConversationClosed, At: noon().Add(-time.Second)})
		before := len(events)
		got := signals.OrderFlat(events)

		require.Len(t, got, before)
		require.Equal(t, "early", got[0].ID)

		for i, kind := range order {
			require.Equal(t, kind, got[i+1].Type)
		}

		require.Equal(t, "early", events[len(events)-1].ID, "the argument stays as it was")
	})
}

func FuzzDecodeFlat(f *testing.F) {
	f.Add(signals.MessageSignal, []byte(`{"text":"hi","role":"visitor"}`))
	f.Add(signals.CloseSignal, []byte(`{"type":"conversation.closed","closing":{"reason":"x"}}`))
	f.Add(signals.AgentAcceptedSignal, []byte(`{"agent_id":"a","actor":{}}`))

	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		event, err := signals.DecodeFlat(name, payload, key(), noon())
		if err != nil {
			return
		}

		require.NoError(t, event.ValidateSignal())
		require.Equal(t, "shop", event.Source)
		require.Equal(t, "c1", event.Conversation)
		require.Zero(t, event.Seq)
		require.True(t, event.Actor.Role.Valid())
	})
}
