package inbenta_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/inbenta"
	"github.com/parleyhq/parley/tests/dialecttest"
)

func TestFixturesDecodeToGolden(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()

			event := decode(t, string(f.Body))
			require.Equal(t, dialecttest.Object(t, f.Body), dialecttest.Object(t, event.Raw), "the archive has all of it")
			dialecttest.Sound(t, received(), event)
			dialecttest.Golden(t, f.Name, dialecttest.Bare(event)[0])
		})
	}
}

func TestFixturesEncodeBack(t *testing.T) {
	t.Parallel()

	for _, f := range allFixtures(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, dialecttest.Object(t, f.Body), encode(t, dialecttest.Kept(t, decode(t, string(f.Body)))[0]))
		})
	}
}

// No page shows how most events name their chat and user, so every form that is
// read is written back as it came, whatever else stands beside it.
func TestEveryFormEncodesBack(t *testing.T) {
	t.Parallel()

	chats := []string{
		`"chatId":"c1"`, `"chatId":7`, `"chat":"c1"`, `"chat":{"id":"c1"}`, `"chat":{"id":7,"room":"r"}`, `"chat_id":"c1"`,
		`"chatId":"c1","chat":{"id":"c1","creator":"u1"}`, `"chatId":"c1","chat":{"id":"c2"}`, `"chatId":"c1","chat":{"status":"closed"}`,
		`"chatId":"c1","chat":"c1"`, `"chatId":"c1","chat_id":"c1","new":{"field":[1,null,{}]}`,
	}
	users := []string{
		`"userId":"u1"`, `"userId":42`, `"user":"u1"`, `"user":{"id":"u1"}`, `"user":{"id":"u1","name":"Ann","nickname":"A","contact":"1"}`,
		`"user":{"id":9,"externalId":5,"providerId":null}`, `"userId":"u1","user":{"id":"u1","contact":"ann@example.com"}`,
		`"userId":"u1","user":{"id":"u2"}`, `"userId":"u1","user":{"name":"Ann"}`, `"agentId":"u1"`, `"agent":{"id":"u1"},"user_id":"u1"`,
	}
	rests := map[string][]string{
		"chats:create": {``, `,"creator":"u1","room":2`},
		"chats:join":   {``},
		"chats:leave":  {``, `,"extraData":{"reason":"gone"}`, `,"reason":"gone"`, `,"extraData":{"reason":1}`},
		"chats:close":  {``, `,"extraData":{"reason":"solved"},"reason":"solved"`, `,"extraData":{}`},
		"chats:assign": {
			`,"agents":[]`, `,"agents":[{"agentId":"a"},{"user":{"id":"b"},"skills":[1]}]`, `,"agents":{"a":1}`, `,"agents":["a",1]`,
		},
		"forever:alone":      {``},
		"invitations:accept": {``},
		"invitations:new":    {``, `,"agents":[{"id":"a","capacity":"2","load":0}]`},
		"messages:new": {
			`,"message":{"id":"m","sender":"u1","type":"text","message":""}`, `,"message":{"id":1,"sender":{"id":"u1"},"type":"html","message":"x"}`,
			`,"message":{"id":"m","chat":"c1","sender":2,"type":"media","message":{"size":0}}`, `,"message":{"id":"m","type":"x","message":[1]}`,
			`,"message":{"id":"m","chat":{"id":"c1"},"type":"text","message":"x","messageId":"m"}`,
		},
		"messages:read": {`,"message":{"id":"m"}`, `,"messageId":"m"`, `,"message":"m"`, `,"message":{"id":"m","chat":"c1"},"messageId":"m"`},
		"queues:update": {
			``, `,"data":{"queuePosition":0}`, `,"data":{"queuePosition":"2"}`, `,"position":3`, `,"data":{"queuePosition":1,"position":1}`,
		},
		"system:info":    {``, `,"data":{"ticketId":"7"}`, `,"ticketId":7`, `,"data":{"ticketId":"7","chatId":"c1"},"ticketId":"7"`},
		"users:activity": {`,"type":"writing"`, `,"type":"not-writing"`, `,"type":"leave"`, `,"type":"rejoined"`, `,"type":"hum"`, `,"type":5`},
	}

	for trigger, more := range rests {
		t.Run(trigger, func(t *testing.T) {
			t.Parallel()

			for _, chat := range chats {
				for _, user := range users {
					for _, rest := range more {
						body := `{"trigger":"` + trigger + `","appId":"a","data":{` + chat + `,` + user + rest + `},"created_at":1583331000}`
						require.Equal(t, dialecttest.Object(t, []byte(body)), encode(t, dialecttest.Kept(t, decode(t, body))[0]), body)
					}
				}
			}
		})
	}
}

func TestEveryEventOfThePageHasAMapping(t *testing.T) {
	t.Parallel()

	page := map[string]signals.Type{
		"chats:create":       signals.ConversationOpened,
		"chats:join":         signals.ParticipantJoined,
		"chats:leave":        signals.ParticipantLeft,
		"chats:close":        signals.ConversationClosed,
		"chats:assign":       signals.AssignmentRequested,
		"forever:alone":      signals.AgentsUnavailable,
		"invitations:accept": signals.AgentAccepted,
		"messages:new":       signals.MessageReceived,
		"messages:read":      signals.MessageRead,
		"queues:update":      signals.QueueMoved,
		"system:info":        signals.SystemNoted,
		"users:activity":     signals.TypingChanged,
		// Older names.
		"invitations:new":   signals.AssignmentRequested,
		"chats:new":         signals.ConversationOpened,
		"users:join":        signals.ParticipantJoined,
		"users:leave":       signals.ParticipantLeft,
		"messages:received": signals.MessageRead,
	}
	require.Equal(t, page, inbenta.Events())

	seen := map[string]bool{}

	for _, f := range allFixtures(t) {
		event := decode(t, string(f.Body))
		seen[event.Platform.Event] = true

		if event.Type != signals.PresenceChanged {
			require.Equal(t, page[event.Platform.Event], event.Type, f.Name)
		}
	}

	for name := range page {
		require.True(t, seen[name], "a fixture of %s", name)
	}
}

func TestEncodeWhatIsNotInbentas(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 20, 10, 0, 0, 500e6, time.UTC)
	foreign := &signals.Platform{Event: "incoming_event", Version: "3.6", AppID: "x"}
	ann := &signals.Actor{ID: "ann", Role: signals.RoleVisitor, Name: "Ann"}
	three := int64(3)

	tests := map[string]struct {
		event signals.Event
		want  string
	}{
		"message": {
			signals.Event{Type: signals.MessageReceived, Actor: ann, Message: &signals.Message{ID: "m1", Text: "hi"}},
			`"messages:new","data":{"message":{"id":"m1","chat":"c1","sender":"ann","type":"text","message":"hi"}}`,
		},
		"file": {
			signals.Event{Type: signals.MessageReceived, Message: &signals.Message{
				Kind: signals.KindFile, File: &signals.File{URL: "https://example.com/a", ContentType: "image/png"},
			}},
			`"messages:new","data":{"message":{"chat":"c1","type":"media","message":{"url":"https://example.com/a","type":"image/png"}}}`,
		},
		"opened": {
			signals.Event{Type: signals.ConversationOpened, Details: &signals.Details{
				Channel: "web", Participants: []signals.Participant{{ID: "jo", Role: signals.RoleAgent}, {ID: "ann", Role: signals.RoleVisitor}},
			}},
			`"chats:create","data":{"chat":{"id":"c1","source":"web","creator":"ann"}}`,
		},
		"joined": {
			signals.Event{Type: signals.ParticipantJoined, Participant: &signals.Participant{ID: "jo", Name: "Joan", Nickname: "Jo"}},
			`"chats:join","data":{"chatId":"c1","user":{"id":"jo","name":"Joan","nickname":"Jo"}}`,
		},
		"closed by the system": {
			signals.Event{Type: signals.ConversationClosed, Closing: &signals.Closing{ByRole: signals.RoleSystem, Reason: "stale"}},
			`"chats:close","data":{"chatId":"c1","userId":"system","extraData":{"reason":"stale"}}`,
		},
		"accepted": {
			signals.Event{Type: signals.AgentAccepted, Assignment: &signals.Assignment{AgentID: "jo", AgentName: "Joan"}},
			`"invitations:accept","data":{"chatId":"c1","userId":"jo"}`,
		},
		"queue": {
			signals.Event{Type: signals.QueueMoved, Actor: ann, Queue: &signals.Queue{Position: &three}},
			`"queues:update","data":{"chatId":"c1","userId":"ann","data":{"queuePosition":3}}`,
		},
		"ticket": {
			signals.Event{Type: signals.TicketCreated, Ticket: &signals.TicketRef{ID: "t_1", ExternalID: "77"}},
			`"system:info","data":{"chatId":"c1","data":{"ticketId":"77"}}`,
		},
		"typing": {
			signals.Event{Type: signals.TypingChanged, Actor: ann, Typing: &signals.Typing{On: true}},
			`"users:activity","data":{"chatId":"c1","userId":"ann","type":"writing"}`,
		},
		"read": {
			signals.Event{Type: signals.MessageRead, Actor: ann, Read: &signals.Read{UserID: "ann", MessageID: "m1"}},
			`"messages:read","data":{"userId":"ann","message":{"id":"m1","chat":"c1"}}`,
		},
		"nobody": {
			signals.Event{Type: signals.AgentsUnavailable},
			`"forever:alone","data":{"chatId":"c1"}`,
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test.event.Conversation, test.event.At, test.event.Platform = "c1", at, foreign
			body, err := inbenta.Dialect{}.Encode(test.event)
			require.NoError(t, err)
			require.JSONEq(t, `{"trigger":`+test.want+`,"created_at":1795168800}`, string(body))

			back := decode(t, string(body))
			require.Equal(t, "c1", back.Conversation)
		})
	}
}

func TestNoWordFor(t *testing.T) {
	t.Parallel()

	for name, event := range map[string]signals.Event{
		"a type":         {Type: signals.TagAdded, Tag: &signals.Tag{Name: "x"}},
		"the unknown":    {Type: signals.Unknown},
		"a whisper":      {Type: signals.MessageReceived, Message: &signals.Message{Text: "x", Visibility: signals.VisibleToAgents}},
		"a custom event": {Type: signals.MessageReceived, Message: &signals.Message{Kind: signals.KindCustom, Custom: json.RawMessage(`1`)}},
		"no message":     {Type: signals.MessageReceived},
		"no participant": {Type: signals.ParticipantJoined},
		"no read mark":   {Type: signals.MessageRead},
		"no typing":      {Type: signals.TypingChanged},
		"presence":       {Type: signals.PresenceChanged, Presence: &signals.Presence{State: signals.PresenceAway, PlatformType: "x"}},
		"a note":         {Type: signals.SystemNoted, Note: &signals.Note{Text: "internal"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := inbenta.Dialect{}.Encode(event)
			require.ErrorIs(t, err, dialect.ErrNotEncodable)
		})
	}
}
