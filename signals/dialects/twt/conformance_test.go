package twt_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/twt"
	"github.com/parleyhq/parley/tests/dialecttest"
)

const secret = "test-secret"

func received() time.Time { return time.Unix(1765439942, 5e8).UTC() }

func source() dialect.Source { return dialect.Source{Name: "twt"} }

func post(body string) dialect.Request {
	return dialect.Request{
		Method: http.MethodPost, Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}, ReceivedAt: received(),
	}
}

func signed(body string) dialect.Request {
	req := post(body)
	req.Header.Set(twt.SignatureHeader, twt.Sign(req.Body, secret))

	return req
}

// fixtures are the page's samples, and ours for what it describes and does not
// show, by name.
func fixtures(tb testing.TB) map[string]string {
	tb.Helper()

	all := map[string]string{}
	for _, f := range dialecttest.Read(tb, "*.json") {
		all[f.Name] = string(f.Body)
	}

	require.GreaterOrEqual(tb, len(all), 3, "fixtures")

	return all
}

func decode(tb testing.TB, body string) []signals.Event {
	tb.Helper()

	return dialecttest.Decode(tb, twt.Dialect{}, post(body), source())
}

func one(tb testing.TB, body string) signals.Event {
	tb.Helper()

	return dialecttest.One(tb, twt.Dialect{}, post(body), source())
}

func TestFixturesDecodeToGolden(t *testing.T) {
	t.Parallel()

	for name, body := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events := decode(t, body)
			dialecttest.Sound(t, received(), events...)

			for i := range events {
				require.True(t, signals.IsDerived(events[i].ID))
				require.NotContains(t, strings.ToLower(string(events[i].Raw)), "secret")

				if len(events) == 1 {
					require.JSONEq(t, body, string(events[i].Raw))
				}
			}

			dialecttest.Golden(t, name, dialecttest.Bare(events...))
		})
	}
}

func TestFixturesEncodeBack(t *testing.T) {
	t.Parallel()

	for name, body := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events := dialecttest.Kept(t, decode(t, body)...)
			want := dialecttest.Object(t, []byte(body))
			items := want["content"].([]any)
			require.Len(t, events, len(items))

			for i := range events {
				want["content"] = []any{items[i]}
				require.Equal(t, want, dialecttest.Object(t, dialecttest.Encode(t, twt.Dialect{}, events[i])))
			}
		})
	}
}

// Every event of the page has a meaning, and a fixture that shows it.
func TestEveryEventOfThePageHasAMeaning(t *testing.T) {
	t.Parallel()

	all := fixtures(t)

	require.Equal(t, map[string]signals.Type{
		"UNREPLIED": signals.UnrepliedReported, "PRE_CHAT_FORM_SUBMIT": signals.FormSubmitted, "OFFLINE_FORM_SUBMIT": signals.FormSubmitted,
	}, twt.Events())

	for name, meaning := range twt.Events() {
		event := one(t, all[name])
		require.Equal(t, meaning, event.Type, name)
		require.Equal(t, name, event.Platform.Event)
	}
}

func TestPublishedFieldsHaveTheirPlace(t *testing.T) {
	t.Parallel()

	event := one(t, fixtures(t)["UNREPLIED"])
	since := time.Unix(1765439652, 0).UTC()

	require.Equal(t, &signals.Unreplied{
		PushTimes: 4, Max: 4, Seconds: 289, Since: since, Text: "1", Subject: "New Conversation", Property: "test",
		AgentNickname: "ctccccd", Status: signals.UnrepliedOpen, ReportedBy: "platform",
	}, event.Unreplied)
	require.Equal(t, time.Unix(1765439941, 0).UTC(), event.At, "a report happens when it is sent")
	require.Equal(t, &signals.Actor{Role: signals.RoleVisitor, Name: "Visitor15", Nickname: "visitor nickname"}, event.Actor)
	require.Nil(t, event.Customer)

	for name, kind := range map[string]string{
		"PRE_CHAT_FORM_SUBMIT": signals.FormPrechat, "OFFLINE_FORM_SUBMIT": signals.FormOffline,
	} {
		event := one(t, fixtures(t)[name])
		require.Equal(t, &signals.Form{
			Kind: kind, Text: "1", Subject: "New Conversation", Property: "test", AgentNickname: "ctccccd", SubmittedAt: since,
		}, event.Form)
		require.Equal(t, since, event.At, "a form happens when it is filled in")
		require.Equal(t, time.Unix(1765439941, 0).UTC(), event.Platform.SentAt)
	}
}

func TestEncodeForeignEvents(t *testing.T) {
	t.Parallel()

	at := time.Unix(1765439941, 3e8)
	pushed := signals.Event{
		ID: "conversation:livechat:c/1/4", Type: signals.UnrepliedPushed, Source: "livechat", Conversation: "c", At: at,
		Actor: &signals.Actor{Role: signals.RoleSystem, Name: "Parley"},
		Unreplied: &signals.Unreplied{
			Episode: 1, PushTimes: 2, Max: 4, Since: time.Unix(1765439652, 9e8), Text: "<hi>", Status: signals.UnrepliedPending,
		},
	}

	got := dialecttest.Object(t, dialecttest.Encode(t, twt.Dialect{}, pushed))
	require.Regexp(t, "^[0-9a-f]{32}$", got["webhook_id"])
	delete(got, "webhook_id")
	require.Equal(t, dialecttest.Object(t, []byte(`{"created_at":1765439941,"event":"UNREPLIED","content":[{"subject":"New Conversation",
		"visitor_name":"","created_at":1765439652,"message_content":"<hi>","property_name":"","visitor_nickname":"","sbs":"",
		"status":"3","push_times":2,"time_sec":289,"assigned_agent_nickname":""}]}`)), got)

	pushed.Unreplied = &signals.Unreplied{Seconds: 60}

	notice := dialecttest.Object(t, dialecttest.Encode(t, twt.Dialect{}, pushed))["content"].([]any)[0].(map[string]any)
	require.Equal(t, json.Number("1765439881"), notice["created_at"])
	require.Equal(t, json.Number("60"), notice["time_sec"])
	require.Equal(t, "1", notice["status"])

	form := signals.Event{
		Type: signals.FormSubmitted, Source: "livechat", Conversation: "c", At: at, ReceivedAt: at.Add(time.Second),
		Actor:    &signals.Actor{Role: signals.RoleVisitor, Name: "Ann", Nickname: "A"},
		Customer: &signals.Customer{ExternalID: "234442313"},
		Form: &signals.Form{Kind: signals.FormPrechat, Fields: []signals.FormField{
			{Label: "Name", Value: "Ann"}, {ID: "2", Answers: []signals.FormAnswer{{Label: "a"}, {Label: "b"}}}, {Label: "empty"},
		}},
	}

	got = dialecttest.Object(t, dialecttest.Encode(t, twt.Dialect{}, form))
	delete(got, "webhook_id")
	require.Equal(t, dialecttest.Object(t, []byte(`{"created_at":1765439942,"event":"PRE_CHAT_FORM_SUBMIT","content":[{
		"subject":"New Conversation","visitor_name":"Ann","created_at":1765439941,"message_content":"Name: Ann\n2: a, b",
		"property_name":"","visitor_nickname":"A","sbs":"234442313","assigned_agent_nickname":""}]}`)), got)

	for _, event := range []signals.Event{
		{Type: signals.MessageReceived, Message: &signals.Message{Text: "hi"}},
		{Type: signals.FormSubmitted, Form: &signals.Form{Kind: signals.FormPostchat}},
		{Type: signals.FormSubmitted},
		{Type: signals.UnrepliedReported},
		{Type: signals.Unknown},
	} {
		_, err := twt.Dialect{}.Encode(event)
		require.ErrorIs(t, err, dialect.ErrNotEncodable, event.Type)
	}
}
