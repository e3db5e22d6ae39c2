package twt_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/twt"
)

var update = flag.Bool("update", false, "write the golden files anew") //nolint:gochecknoglobals // a flag of go test

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

	paths, err := filepath.Glob(filepath.Join("testdata", "fixtures", "*.json"))
	require.NoError(tb, err)

	all := make(map[string]string, len(paths))

	for _, path := range paths {
		raw, err := os.ReadFile(path)
		require.NoError(tb, err)

		all[strings.TrimSuffix(filepath.Base(path), ".json")] = string(raw)
	}

	require.GreaterOrEqual(tb, len(all), 3, "fixtures")

	return all
}

func decode(tb testing.TB, body string) []signals.Event {
	tb.Helper()

	events, err := twt.Dialect{}.Decode(post(body), source())
	require.NoError(tb, err, body)
	require.NotEmpty(tb, events)

	return events
}

func one(tb testing.TB, body string) signals.Event {
	tb.Helper()

	events := decode(tb, body)
	require.Len(tb, events, 1)

	return events[0]
}

func object(tb testing.TB, raw []byte) map[string]any {
	tb.Helper()

	var out map[string]any

	require.NoError(tb, json.Unmarshal(raw, &out), string(raw))

	return out
}

func TestFixturesDecodeToGolden(t *testing.T) {
	t.Parallel()

	for name, body := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events := decode(t, body)

			for i := range events {
				require.NoError(t, events[i].Validate())
				require.True(t, events[i].Type.Incoming())
				require.True(t, signals.IsDerived(events[i].ID))
				require.Equal(t, received(), events[i].ReceivedAt)
				require.NotContains(t, strings.ToLower(string(events[i].Raw)), "secret")

				if len(events) == 1 {
					require.JSONEq(t, body, string(events[i].Raw))
				}

				events[i].Raw = nil // checked above, and the fixture itself shows it
			}

			golden(t, name, events)
		})
	}
}

func golden(t *testing.T, name string, events []signals.Event) {
	t.Helper()

	var got bytes.Buffer

	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(events))

	path := filepath.Join("testdata", "golden", name+".json")

	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, got.Bytes(), 0o600))
	}

	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got.String())
}

func TestFixturesEncodeBack(t *testing.T) {
	t.Parallel()

	for name, body := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events := decode(t, body)
			want := object(t, []byte(body))
			items := want["content"].([]any)
			require.Len(t, events, len(items))

			for i := range events {
				// Through JSON, as history and the archive do, and without raw.
				events[i].Raw = nil

				stored, err := json.Marshal(events[i])
				require.NoError(t, err)

				var event signals.Event

				require.NoError(t, json.Unmarshal(stored, &event))

				encoded, err := twt.Dialect{}.Encode(event)
				require.NoError(t, err)

				want["content"] = []any{items[i]}
				require.Equal(t, want, object(t, encoded))
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

	encoded, err := twt.Dialect{}.Encode(pushed)
	require.NoError(t, err)

	got := object(t, encoded)
	require.Regexp(t, "^[0-9a-f]{32}$", got["webhook_id"])
	delete(got, "webhook_id")
	require.Equal(t, object(t, []byte(`{"created_at":1765439941,"event":"UNREPLIED","content":[{"subject":"New Conversation",
		"visitor_name":"","created_at":1765439652,"message_content":"<hi>","property_name":"","visitor_nickname":"","sbs":"",
		"status":"3","push_times":2,"time_sec":289,"assigned_agent_nickname":""}]}`)), got)

	pushed.Unreplied = &signals.Unreplied{Seconds: 60}
	encoded, err = twt.Dialect{}.Encode(pushed)
	require.NoError(t, err)

	notice := object(t, encoded)["content"].([]any)[0].(map[string]any)
	require.InDelta(t, 1765439881, notice["created_at"], 0)
	require.InDelta(t, 60, notice["time_sec"], 0)
	require.Equal(t, "1", notice["status"])

	form := signals.Event{
		Type: signals.FormSubmitted, Source: "livechat", Conversation: "c", At: at, ReceivedAt: at.Add(time.Second),
		Actor:    &signals.Actor{Role: signals.RoleVisitor, Name: "Ann", Nickname: "A"},
		Customer: &signals.Customer{ExternalID: "234442313"},
		Form: &signals.Form{Kind: signals.FormPrechat, Fields: []signals.FormField{
			{Label: "Name", Value: "Ann"}, {ID: "2", Answers: []signals.FormAnswer{{Label: "a"}, {Label: "b"}}}, {Label: "empty"},
		}},
	}

	encoded, err = twt.Dialect{}.Encode(form)
	require.NoError(t, err)

	got = object(t, encoded)
	delete(got, "webhook_id")
	require.Equal(t, object(t, []byte(`{"created_at":1765439942,"event":"PRE_CHAT_FORM_SUBMIT","content":[{"subject":"New Conversation",
		"visitor_name":"Ann","created_at":1765439941,"message_content":"Name: Ann\n2: a, b","property_name":"","visitor_nickname":"A",
		"sbs":"234442313","assigned_agent_nickname":""}]}`)), got)

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
