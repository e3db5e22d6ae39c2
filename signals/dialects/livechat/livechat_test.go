package livechat_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/livechat"
	"github.com/parleyhq/parley/tests/dialecttest"
)

func post(path, body string) dialect.Request {
	return dialect.Request{
		Method: http.MethodPost, Path: path, Body: []byte(body), ReceivedAt: received(),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, // curl's default
	}
}

func one(t *testing.T, req dialect.Request, src dialect.Source) signals.Event {
	t.Helper()

	return dialecttest.One(t, livechat.Dialect{}, req, src)
}

func TestVerify(t *testing.T) {
	t.Parallel()

	const (
		signed  = `{"secret_key":"new","action":"thread_tagged","payload":{}}`
		bare    = `{"chat_id":"c","tag":"t"}`
		foreign = `{"applicationID":"a","event":"application_installed"}`
	)

	bearer := func(body, token string) dialect.Request {
		req := post("/thread_tagged", body)
		req.Header.Set("Authorization", "Bearer "+token)

		return req
	}

	tests := []struct {
		name    string
		req     dialect.Request
		secrets []string
		want    error
		status  int
	}{
		{name: "no secret configured", req: post("", `{}`)},
		{name: "right", req: post("", signed), secrets: []string{"new"}},
		{name: "right, while it rotates", req: post("", signed), secrets: []string{"old", "new"}},
		{name: "wrong", req: post("", signed), secrets: []string{"old"}, want: dialect.ErrUnauthorized, status: 400},
		{name: "prefix", req: post("", signed), secrets: []string{"new1"}, want: dialect.ErrUnauthorized, status: 400},
		{
			name: "none in the body", req: post("", `{"action":"thread_tagged","payload":{}}`),
			secrets: []string{"new"}, want: dialect.ErrUnauthorized, status: 400,
		},
		{
			name: "empty never matches", req: post("", `{"secret_key":"","action":"a","payload":{}}`),
			secrets: []string{""}, want: dialect.ErrUnauthorized, status: 400,
		},
		{
			name: "no string", req: post("", `{"secret_key":1,"action":"a","payload":{}}`),
			secrets: []string{"1"}, want: dialect.ErrUnauthorized, status: 400,
		},
		{
			name: "a bearer does not replace it", req: bearer(signed, "old"),
			secrets: []string{"old"}, want: dialect.ErrUnauthorized, status: 400,
		},
		{name: "bare without a bearer", req: post("/thread_tagged", bare), secrets: []string{"new"}, want: dialect.ErrNotSigned, status: 401},
		{name: "bare, wrong bearer", req: bearer(bare, "x"), secrets: []string{"new"}, want: dialect.ErrNotSigned, status: 401},
		{name: "bare", req: bearer(bare, "new"), secrets: []string{"old", "new"}},
		{name: "application", req: bearer(foreign, "new"), secrets: []string{"new"}},
		{name: "application without a bearer", req: post("", foreign), secrets: []string{"new"}, want: dialect.ErrNotSigned, status: 401},
		{name: "no JSON", req: post("", `{"secret_key":"new"`), secrets: []string{"new"}, want: dialect.ErrMalformed, status: 400},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			err := livechat.Dialect{}.Verify(test.req, dialect.Source{Secrets: test.secrets})
			if test.want == nil {
				require.NoError(t, err)

				return
			}

			require.ErrorIs(t, err, test.want)

			answer := livechat.Dialect{}.Refuse(test.req, err)
			require.Equal(t, test.status, answer.Status)
			require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
			require.NotContains(t, string(answer.Body), "new1")
		})
	}
}

func TestSecretIsCutOut(t *testing.T) {
	t.Parallel()

	const body = `{"secret_key":"tops3cret","Secret_Key":"tops3cret","action":"made_up","payload":{"chat_id":"c"},
		"license_id":12345678901234567890}`

	event := one(t, post("", body), source())
	require.NotContains(t, string(event.Raw), "tops3cret")
	require.Contains(t, string(event.Raw), "12345678901234567890", "numbers stay exact")

	// The secret is no part of the id, so that a rotation makes no new event.
	rotated := one(t, post("", strings.ReplaceAll(body, "tops3cret", "other")), source())
	require.Equal(t, event.ID, rotated.ID)
	require.True(t, signals.IsDerived(event.ID))
}

func TestUnknownActionsAreKept(t *testing.T) {
	t.Parallel()

	event := one(t, post("", `{"action":"chat_exploded","payload":{"chat_id":"c1","thread_id":"t1","x":1}}`), source())
	require.Equal(t, signals.Unknown, event.Type)
	require.Equal(t, "c1", event.Conversation)
	require.Equal(t, "t1", event.Thread)
	require.Equal(t, "chat_exploded", event.Platform.Event)
	require.JSONEq(t, `{"action":"chat_exploded","payload":{"chat_id":"c1","thread_id":"t1","x":1}}`, string(event.Raw))

	event = one(t, post("", `{"action":"moon_risen","payload":[1]}`), source())
	require.Equal(t, signals.Unknown, event.Type)
	require.Empty(t, event.Conversation)

	// A kind of chat event that came later is kept under its own id.
	event = one(t, post("", `{"action":"incoming_event","payload":{"chat_id":"c1","event":{"id":"e1","type":"poll"}}}`), source())
	require.Equal(t, signals.Unknown, event.Type)
	require.Equal(t, "e1", event.ID)
}

func TestBadBodies(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, path, body string
		field            string // empty: malformed
	}{
		{name: "truncated", body: `{"action":"incoming_event","payload":{"chat_id":"c1"`},
		{name: "empty", body: ``},
		{name: "no object", body: `[1]`, field: "body"},
		{name: "null", body: `null`, field: "body"},
		{name: "no action anywhere", body: `{"chat_id":"c"}`, field: "action"},
		{name: "no name in the path", path: "/a/b", body: `{"chat_id":"c"}`, field: "action"},
		{name: "no payload", body: `{"action":"thread_tagged","webhook_id":"w"}`, field: "payload"},
		{name: "payload null", body: `{"action":"thread_tagged","payload":null}`, field: "payload"},
		{name: "action no string", body: `{"action":1,"payload":{}}`, field: "action"},
		{name: "no chat", body: `{"action":"thread_tagged","payload":{"tag":"t"}}`, field: "payload.chat_id"},
		{name: "no chat in data", body: `{"action":"thread_tagged","data":{"tag":"t"}}`, field: "data.chat_id"},
		{name: "no chat, bare", path: "/thread_tagged", body: `{"tag":"t"}`, field: "chat_id"},
		{name: "chat a number", body: `{"action":"thread_tagged","payload":{"chat_id":1,"tag":"t"}}`, field: "payload.chat_id"},
		{name: "no tag", body: `{"action":"thread_tagged","payload":{"chat_id":"c"}}`, field: "payload.tag"},
		{name: "no event", body: `{"action":"incoming_event","payload":{"chat_id":"c"}}`, field: "payload.event"},
		{name: "no event id", body: `{"action":"incoming_event","payload":{"chat_id":"c","event":{}}}`, field: "payload.event.id"},
		{
			name: "no event type", field: "payload.event.type",
			body: `{"action":"incoming_event","payload":{"chat_id":"c","event":{"id":"e"}}}`,
		},
		{
			name: "bad time", field: "payload.event.created_at",
			body: `{"action":"incoming_event","payload":{"chat_id":"c","event":{"id":"e","type":"message","created_at":"noon"}}}`,
		},
		{
			name: "text a number", field: "payload.event.text",
			body: `{"action":"incoming_event","payload":{"chat_id":"c","event":{"id":"e","type":"message","text":5}}}`,
		},
		{
			name: "years ahead", field: "at",
			body: `{"action":"incoming_event","payload":{"chat_id":"c","event":{"id":"e","type":"message","created_at":"2099-01-01T00:00:00Z"}}}`,
		},
		{name: "no chat object", body: `{"action":"incoming_chat","payload":{}}`, field: "payload.chat"},
		{name: "no chat id", body: `{"action":"incoming_chat","payload":{"chat":{}}}`, field: "payload.chat.id"},
		{
			name: "user without id", field: "payload.chat.users[1].id",
			body: `{"action":"incoming_chat","payload":{"chat":{"id":"c","users":[{"id":"u"},{}]}}}`,
		},
		{
			name: "event in the thread without id", field: "payload.chat.thread.events[0].id",
			body: `{"action":"incoming_chat","payload":{"chat":{"id":"c","thread":{"id":"t","events":[{"type":"message"}]}}}}`,
		},
		{
			name: "groups no numbers", field: "payload.transferred_to.group_ids",
			body: `{"action":"chat_transferred","payload":{"chat_id":"c","transferred_to":{"group_ids":[{}]}}}`,
		},
		{name: "no user", body: `{"action":"user_added_to_chat","payload":{"chat_id":"c"}}`, field: "payload.user"},
		{
			name: "no typing", field: "payload.typing_indicator.is_typing",
			body: `{"action":"incoming_typing_indicator","payload":{"chat_id":"c"}}`,
		},
		{name: "no customer id", body: `{"action":"incoming_customer","payload":{"customer":{}}}`, field: "payload.customer.id"},
		{name: "no agent", body: `{"action":"routing_status_set","payload":{"status":"offline"}}`, field: "payload.agent_id"},
		{name: "additional data", body: `{"action":"thread_tagged","payload":{},"additional_data":[]}`, field: "additional_data"},
		{
			name: "chat id too long", field: "conversation",
			body: `{"action":"chat_deactivated","payload":{"chat_id":"` + strings.Repeat("c", 1025) + `"}}`,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			req := post(test.path, test.body)
			events, err := livechat.Dialect{}.Decode(req, source())
			require.Error(t, err)
			require.Nil(t, events)

			answer := livechat.Dialect{}.Refuse(req, err)

			var problem struct {
				Field  string `json:"field"`
				Status int    `json:"status"`
				Type   string `json:"type"`
			}

			require.NoError(t, json.Unmarshal(answer.Body, &problem))
			require.Equal(t, answer.Status, problem.Status)
			require.Equal(t, test.field, problem.Field)

			if test.field == "" {
				require.ErrorIs(t, err, dialect.ErrMalformed)
				require.Equal(t, 400, answer.Status)
			} else {
				require.Equal(t, 422, answer.Status)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()

	const event = `{"chat_id":"c","thread_id":"t","event":{"id":"t_1","type":"message","text":"%","author_id":"a"}}`

	body := func(action, text string) dialect.Request {
		return post("", `{"action":"`+action+`","payload":`+strings.Replace(event, "%", text, 1)+`}`)
	}

	message := one(t, body("incoming_event", "hi"), source())
	require.Equal(t, "t_1", message.ID)

	// An edit and a deletion name the message but are no repeat of it.
	edit := one(t, body("event_updated", "hi!"), source())
	require.Equal(t, "t_1", edit.Message.ID)
	require.True(t, signals.IsDerived(edit.ID))
	require.Equal(t, edit.ID, one(t, body("event_updated", "hi!"), source()).ID)
	require.NotEqual(t, edit.ID, one(t, body("event_updated", "hi!!"), source()).ID)

	deletion := one(t, post("", `{"action":"event_deleted","payload":{"chat_id":"c","thread_id":"t","event_id":"t_1"}}`), source())
	require.Equal(t, "t_1", deletion.Message.ID)
	require.True(t, signals.IsDerived(deletion.ID))

	// Open and close are known by chat and thread, whatever else is said.
	closing := func(payload string) string {
		return one(t, post("", `{"action":"chat_deactivated","payload":`+payload+`}`), source()).ID
	}
	require.Equal(t, closing(`{"chat_id":"c","thread_id":"t"}`), closing(`{"chat_id":"c","thread_id":"t","user_id":"a"}`))
	require.NotEqual(t, closing(`{"chat_id":"c","thread_id":"t"}`), closing(`{"chat_id":"c","thread_id":"u"}`))
	require.NotEqual(t, closing(`{"chat_id":"c","thread_id":"t"}`), closing(`{"chat_id":"ct","thread_id":""}`))
}

func TestOpeningCarriesItsThread(t *testing.T) {
	t.Parallel()

	const body = `{"action":"incoming_chat","organization_id":"o","payload":{"chat":{"id":"c","users":[
		{"id":"5280e68c-9692-4212-4ba9-85f7d8af55cd","type":"customer","name":"Ann"},
		{"id":"smith@example.com","type":"agent","name":"Smith"},
		{"id":"5c9871d5372c824cbf22d860a707a578","type":"agent","name":"Bot"}],
		"thread":{"id":"t","events":[
			{"id":"t_3","type":"message","author_id":"5c9871d5372c824cbf22d860a707a578","created_at":"2026-11-20T09:59:03Z","text":"3"},
			{"id":"t_1","type":"message","author_id":"5280e68c-9692-4212-4ba9-85f7d8af55cd","created_at":"2026-11-20T09:59:01Z","text":"1"},
			{"id":"t_4","type":"message","author_id":"smith@example.com","created_at":"2026-11-20T09:59:04Z","text":"4","visibility":"agents"},
			{"id":"t_2","type":"message","author_id":"somebody","created_at":"2026-11-20T09:59:02Z","text":"2"},
			{"id":"t_5","type":"system_message","created_at":"2026-11-20T09:59:05Z","text":"5"},
			{"id":"t_6","type":"message","author_id":"smith@example.com","created_at":"2026-11-20T09:59:06Z","deleted":true}]}}}}`

	events, err := livechat.Dialect{}.Decode(post("", body), source())
	require.NoError(t, err)

	type line struct {
		id   string
		kind signals.Type
		role signals.Role
	}

	got := make([]line, 0, len(events))

	for i := range events[1:] {
		event := &events[i+1]
		require.Equal(t, "c", event.Conversation)
		require.Equal(t, "t", event.Thread)

		got = append(got, line{event.Message.ID, event.Type, event.Actor.Role})
	}

	require.Equal(t, []line{
		{"t_1", signals.MessageReceived, signals.RoleVisitor},
		{"t_2", signals.MessageReceived, signals.RoleUnknown},
		{"t_3", signals.MessageReceived, signals.RoleBot},
		{"t_4", signals.MessageReceived, signals.RoleAgent},
		{"t_5", signals.MessageReceived, signals.RoleSystem},
		{"t_6", signals.MessageDeleted, signals.RoleAgent},
	}, got)
	require.Equal(t, signals.VisibleToAgents, events[4].Message.Visibility)
	require.Equal(t, signals.KindSystem, events[5].Message.Kind)
	require.True(t, signals.IsDerived(events[6].ID))

	// Without a time of its own the chat opened when the webhook came.
	require.Equal(t, signals.ConversationOpened, events[0].Type)
	require.Equal(t, received(), events[0].At)

	// The same message later is a duplicate by its id.
	again := one(t, post("", `{"action":"incoming_event","payload":{"chat_id":"c","thread_id":"t",
		"event":{"id":"t_1","type":"message","text":"1"}}}`), source())
	require.Equal(t, events[1].ID, again.ID)
}

func TestRolesNeedProof(t *testing.T) {
	t.Parallel()

	src := source()
	src.Bots, src.Agents = []string{"helper@example.com"}, []string{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}

	added := func(id, userType, payloadType string) signals.Role {
		body := `{"action":"chat_user_added","payload":{"chat_id":"c","user":{"id":"` + id + `","type":"` + userType + `"},` +
			`"user_type":"` + payloadType + `"}}`

		return one(t, post("", body), src).Participant.Role
	}

	require.Equal(t, signals.RoleVisitor, added("x", "customer", ""))
	require.Equal(t, signals.RoleVisitor, added("x", "", "customer"))
	require.Equal(t, signals.RoleAgent, added("x", "agent", ""))
	require.Equal(t, signals.RoleAgent, added("x", "", "agent"))
	require.Equal(t, signals.RoleUnknown, added("smith@example.com", "", ""))
	require.Equal(t, signals.RoleBot, added("helper@example.com", "agent", ""))
	require.Equal(t, signals.RoleBot, added("5c9871d5372c824cbf22d860a707a578", "agent", ""))
	require.Equal(t, signals.RoleAgent, added("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "agent", ""))

	// An author alone proves nothing: the machine asks its roster first.
	event := one(t, post("", `{"action":"incoming_event","payload":{"chat_id":"c",
		"event":{"id":"e","type":"message","author_id":"smith@example.com"}}}`), src)
	require.Equal(t, signals.RoleUnknown, event.Actor.Role)
}

func TestClosedByTheRouter(t *testing.T) {
	t.Parallel()

	event := one(t, post("", `{"action":"chat_deactivated","payload":{"chat_id":"c","thread_id":"t"}}`), source())
	require.Equal(t, &signals.Closing{ByRole: signals.RoleSystem}, event.Closing)
	require.Equal(t, signals.RoleSystem, event.Actor.Role)
}

func TestVisibilityThatIsNotKnownHides(t *testing.T) {
	t.Parallel()

	event := one(t, post("", `{"action":"incoming_event","payload":{"chat_id":"c",
		"event":{"id":"e","type":"message","visibility":"supervisors"}}}`), source())
	require.Equal(t, signals.VisibleToAgents, event.Message.Visibility)
}

func TestWelcomeMessagesAreAutomatic(t *testing.T) {
	t.Parallel()

	for _, value := range []string{`true`, `{"value":true}`} {
		event := one(t, post("", `{"action":"incoming_event","payload":{"chat_id":"c",
			"event":{"id":"e","type":"message","properties":{"lc2":{"welcome_message":`+value+`}}}}}`), source())
		require.True(t, event.Message.Automatic, value)
	}
}

func TestTimesWithoutAZoneTakeTheSources(t *testing.T) {
	t.Parallel()

	src := source()
	src.Zone = time.FixedZone("", 3600)

	event := one(t, post("", `{"action":"incoming_event","payload":{"chat_id":"c",
		"event":{"id":"e","type":"message","created_at":"2026-11-20T10:00:00.5"}}}`), src)
	require.Equal(t, time.Date(2026, 11, 20, 9, 0, 0, 5e8, time.UTC), event.At)
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	answer := livechat.Dialect{}.Answer(dialect.Request{}, dialect.Source{}, dialect.Outcome{
		Accepted: 2, Duplicates: 1, Conversations: []string{"/v1/conversations/livechat/c"},
	})
	require.Equal(t, http.StatusOK, answer.Status)
	require.JSONEq(t, `{"accepted":2,"duplicates":1,"conversations":["/v1/conversations/livechat/c"]}`, string(answer.Body))

	answer = livechat.Dialect{}.Answer(dialect.Request{}, dialect.Source{}, dialect.Outcome{})
	require.JSONEq(t, `{"accepted":0,"duplicates":0,"conversations":[]}`, string(answer.Body))

	for _, answer := range []dialect.Response{
		livechat.Dialect{}.Answer(dialect.Request{}, dialect.Source{}, dialect.Outcome{Err: http.ErrServerClosed}),
		livechat.Dialect{}.Refuse(dialect.Request{}, http.ErrServerClosed),
	} {
		require.Equal(t, http.StatusServiceUnavailable, answer.Status)
		require.Equal(t, "5", answer.Header.Get("Retry-After"))
		require.NotContains(t, string(answer.Body), http.ErrServerClosed.Error())
	}
}

// Every name that any version of the documentation has printed means something.
func TestEveryPublishedNameHasAMeaning(t *testing.T) {
	t.Parallel()

	meanings := map[signals.Type]string{
		signals.ConversationOpened:      "incoming_chat incoming_chat_thread",
		signals.ConversationClosed:      "chat_deactivated thread_closed",
		signals.ConversationTransferred: "chat_transferred",
		signals.ConversationSummarized:  "thread_summary_set",
		signals.ParticipantJoined:       "user_added_to_chat chat_user_added",
		signals.ParticipantLeft:         "user_removed_from_chat chat_user_removed",
		signals.MessageReceived:         "incoming_event",
		signals.MessageUpdated:          "event_updated",
		signals.MessageDeleted:          "event_deleted",
		signals.MessageRead:             "events_marked_as_seen last_seen_timestamp_updated",
		signals.MessagePreview:          "incoming_sneak_peek",
		signals.TypingChanged:           "incoming_typing_indicator",
		signals.ButtonPressed:           "incoming_rich_message_postback",
		signals.MulticastReceived:       "incoming_multicast",
		signals.PropertiesUpdated: "chat_properties_updated chat_thread_properties_updated thread_properties_updated " +
			"event_properties_updated",
		signals.PropertiesDeleted: "chat_properties_deleted chat_thread_properties_deleted thread_properties_deleted " +
			"event_properties_deleted",
		signals.TagAdded:   "thread_tagged chat_thread_tagged",
		signals.TagRemoved: "thread_untagged chat_thread_untagged",
		signals.AccessChanged: "access_granted access_revoked access_set chat_access_granted chat_access_revoked " +
			"chat_access_updated",
		signals.CustomerCreated:    "customer_created incoming_customer",
		signals.CustomerUpdated:    "customer_session_fields_updated",
		signals.AgentStatusChanged: "routing_status_set agent_status_changed",
		signals.SystemNoted:        "follow_up_requested",
		signals.AccountChanged: "agent_created agent_approved agent_updated agent_suspended agent_unsuspended agent_deleted " +
			"bot_created bot_updated bot_deleted group_created group_updated group_deleted tag_created tag_updated tag_deleted " +
			"auto_access_added auto_access_updated auto_access_deleted auto_accesses_updated",
	}

	const payload = `{"chat_id":"c","thread_id":"t","id":"i","user_id":"u","agent_id":"a","event_id":"e","tag":"x","name":"n",
		"chat":{"id":"c"},"user":{"id":"u"},"customer":{"id":"u"},"event":{"id":"e","type":"message"},"summary":{},"content":{},
		"typing_indicator":{"is_typing":true},"sneak_peek":{"text":""},"postback":{"id":"b"}}`

	for meaning, names := range meanings {
		for name := range strings.FieldsSeq(names) {
			body := payload
			if strings.HasSuffix(name, "_deleted") {
				body = strings.Replace(body, `"id":"i"`, `"id":"i","properties":{"ns":["n"]}`, 1)
			}

			for _, req := range []dialect.Request{
				post("", `{"action":"`+name+`","payload":`+body+`}`),
				post("", `{"action":"`+name+`","data":`+body+`}`),
				post("/"+name, body),
			} {
				event := one(t, req, source())
				require.Equal(t, meaning, event.Type, name)
				require.Equal(t, name, event.Platform.Event)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, sample := range allFixtures(f) {
		f.Add(sample.request(f).Path, sample.request(f).Body)
	}

	f.Fuzz(func(t *testing.T, path string, body []byte) {
		req := dialect.Request{Path: path, Body: body, ReceivedAt: received()}
		src := dialect.Source{Name: "livechat", Secrets: []string{"dummy_key"}}

		if err := (livechat.Dialect{}).Verify(req, src); err != nil {
			require.GreaterOrEqual(t, livechat.Dialect{}.Refuse(req, err).Status, 400)
		}

		events, err := livechat.Dialect{}.Decode(req, src)
		if err != nil {
			status := livechat.Dialect{}.Refuse(req, err).Status
			require.Contains(t, []int{400, 422}, status, err)

			return
		}

		for i := range events {
			require.NoError(t, events[i].Validate())
			require.True(t, events[i].Type.Incoming())
			require.True(t, json.Valid(events[i].Raw))

			encoded, err := livechat.Dialect{}.Encode(events[i])
			if err != nil {
				require.ErrorIs(t, err, dialect.ErrNotEncodable)

				continue
			}

			require.True(t, json.Valid(encoded))
		}
	})
}
