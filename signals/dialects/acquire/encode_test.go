package acquire_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

func TestEncodeForeignEvents(t *testing.T) {
	t.Parallel()

	on := true
	other := &signals.Platform{Event: "incoming_event", Version: "3.6", ChatProperties: map[string]json.RawMessage{"data": []byte(`{"x":1}`)}}

	tests := map[string]struct {
		event signals.Event
		want  string
	}{
		"opened": {
			signals.Event{Type: signals.ConversationOpened, Details: &signals.Details{Participants: []signals.Participant{
				{ID: "smith", Role: signals.RoleAgent}, {ID: "ann", Role: signals.RoleVisitor, Name: "Ann"},
			}}},
			`{"event":"case:new","data":{"caseId":"c","status":"pending","contact":{"id":"ann","fields":{"name":"Ann"}}}}`,
		},
		"closed": {signals.Event{Type: signals.ConversationClosed}, `{"event":"case:status","data":{"caseId":"c","status":"closed"}}`},
		"queued": {signals.Event{Type: signals.ConversationQueued}, `{"event":"case:status","data":{"caseId":"c","status":"queue"}}`},
		"accepted": {
			signals.Event{Type: signals.AgentAccepted},
			`{"event":"case:status","data":{"caseId":"c","status":"active"}}`,
		},
		"status": {
			signals.Event{Type: signals.ConversationStatusChanged, Status: &signals.StatusChange{To: "open", PlatformStatus: "waiting"}},
			`{"event":"case:status","data":{"caseId":"c","status":"pending"}}`,
		},
		"message": {
			signals.Event{
				ID: "m1", Type: signals.MessageReceived, At: received(), Platform: other,
				Actor:   &signals.Actor{ID: "smith", Role: signals.RoleAgent},
				Message: &signals.Message{ID: "m1", Text: "hi", Kind: signals.KindText},
			},
			`{"event":"case:message:new","data":{"caseId":"c","message":{"id":"m1","channel":"chat","senderId":"smith","senderType":"user",
				"type":"message","message":"hi","dateCreated":"Fri Nov 20 2026 10:00:00 GMT+0000 (Coordinated Universal Time)"}}}`,
		},
		"joined": {
			signals.Event{Type: signals.ParticipantJoined, Participant: &signals.Participant{ID: "smith", Role: signals.RoleAgent}},
			`{"event":"user:case-joined","data":{"caseId":"c","userId":"smith"}}`,
		},
		"invited": {
			signals.Event{Type: signals.AgentInvited, Invitation: &signals.Invitation{AgentID: "smith"}},
			`{"event":"user:case-invite","data":{"caseId":"c","userId":"smith"}}`,
		},
		"agent": {
			signals.Event{Type: signals.AgentStatusChanged, Agent: &signals.Agent{
				ID: "smith", Status: signals.AgentAccepting, PlatformStatus: "accepting chats", Channels: &signals.AgentChannels{Chat: &on},
			}},
			`{"event":"user:status","data":{"userId":"smith","status":"available","chat":true}}`,
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			event := test.event
			event.Conversation = "c"

			body, err := acquire.Dialect{}.Encode(event)
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(body))
		})
	}
}

func TestNotEncodable(t *testing.T) {
	t.Parallel()

	whisper := signals.Event{
		Type:    signals.MessageReceived,
		Message: &signals.Message{Text: "psst", Visibility: signals.VisibleToAgents},
	}

	for name, event := range map[string]signals.Event{
		"whisper":         whisper,
		"internal note":   {Type: signals.SystemNoted, Note: &signals.Note{Text: "x", Visibility: signals.VisibleToAgents}},
		"empty message":   {Type: signals.MessageReceived, Message: &signals.Message{}},
		"no block":        {Type: signals.MessageReceived},
		"visitor joined":  {Type: signals.ParticipantJoined, Participant: &signals.Participant{ID: "a", Role: signals.RoleVisitor}},
		"no agent":        {Type: signals.AgentStatusChanged, Agent: &signals.Agent{}},
		"nobody invited":  {Type: signals.AgentInvited},
		"status nowhere":  {Type: signals.ConversationStatusChanged, Status: &signals.StatusChange{To: "elsewhere"}},
		"status unsaid":   {Type: signals.ConversationStatusChanged},
		"customer":        {Type: signals.CustomerUpdated, Customer: &signals.Customer{Name: "Ann"}},
		"escalation":      {Type: signals.EscalationRequested},
		"version 1, else": {Type: signals.TypingChanged, Platform: &signals.Platform{Event: "CHAT_ON_START", Version: "1"}},
		"version 1, bare": {Type: signals.ConversationClosed, Platform: &signals.Platform{Event: "CHAT_ON_CLOSE", Version: "1"}},
		"supervisor": {Type: signals.ParticipantJoined, Participant: &signals.Participant{
			ID: "a", Role: signals.RoleAgent, Visibility: signals.VisibleToAgents,
		}},
	} {
		_, err := acquire.Dialect{}.Encode(event)
		require.ErrorIs(t, err, dialect.ErrNotEncodable, name)
	}

	_, err := acquire.EncodeAll([]signals.Event{whisper})
	require.ErrorIs(t, err, dialect.ErrNotEncodable)

	body, err := acquire.EncodeAll([]signals.Event{whisper, {Type: signals.ConversationClosed, Conversation: "c"}})
	require.NoError(t, err)
	require.JSONEq(t, `{"event":"case:status","data":{"caseId":"c","status":"closed"}}`, string(body))
}
