package notify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/activities/notify"
	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
)

const secret = "test-secret"

// receiver is a channel's other end.
type receiver struct {
	*httptest.Server

	header http.Header
	body   []byte
}

func newReceiver(t *testing.T, status int) *receiver {
	t.Helper()

	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.header = request.Header.Clone()
		r.body, _ = io.ReadAll(request.Body)

		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)

	return r
}

func newNotifier(t *testing.T, channels notify.Config) *notify.Notifier {
	t.Helper()

	client := outbound.NewClient(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(client.Close)

	return notify.New(channels, client, notify.NewPrinter(nil, nil))
}

func about() *signals.About {
	return &signals.About{
		Property: "test", VisitorName: "Visitor15", VisitorNickname: "visitor nickname", AgentNickname: "ctccccd",
	}
}

func pushOrder() *signals.Order {
	return &signals.Order{
		Key: "conversation:twt:v-1/1/4", Kind: signals.OrderNotice, Target: "ops", About: about(),
		Event: &signals.Event{
			ID: "conversation:twt:v-1/1/4", Type: signals.UnrepliedPushed, Source: "twt", Conversation: "v-1", At: time.Unix(1765439941, 0),
			Unreplied: &signals.Unreplied{
				Episode: 1, PushTimes: 4, Max: 4, Seconds: 289, Since: time.Unix(1765439652, 0), Text: "1", Status: signals.UnrepliedOpen,
			},
		},
	}
}

func formOrder(kind string) *signals.Order {
	return &signals.Order{
		Key: "k", Kind: signals.OrderNotice, Target: "ops", About: about(),
		Event: &signals.Event{
			ID: "f", Type: signals.FormSubmitted, Source: "twt", Conversation: "v-1", At: time.Unix(1765439652, 0),
			ReceivedAt: time.Unix(1765439941, 0), Form: &signals.Form{Kind: kind, Text: "1", SubmittedAt: time.Unix(1765439652, 0)},
		},
	}
}

func TestWebhookSpeaksTWTsDialect(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		order *signals.Order
		file  string
	}{
		"unreplied":    {pushOrder(), "UNREPLIED.json"},
		"prechat form": {formOrder(signals.FormPrechat), "PRE_CHAT_FORM_SUBMIT.json"},
		"offline form": {formOrder(signals.FormOffline), "OFFLINE_FORM_SUBMIT.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ops := newReceiver(t, http.StatusOK)
			n := newNotifier(t, notify.Config{"ops": {Kind: notify.KindWebhook, URL: ops.URL + "/hook", Secret: secret}})

			receipt, err := n.Send(t.Context(), tc.order)
			require.NoError(t, err)
			require.Contains(t, receipt.Detail, "200 OK")

			want, got := read(t, tc.file), map[string]any{}
			require.NoError(t, json.Unmarshal(ops.body, &got))
			require.Regexp(t, "^[0-9a-f]{32}$", got["webhook_id"])

			want["webhook_id"] = got["webhook_id"]
			require.Equal(t, want, got)

			require.Equal(t, "application/json", ops.header.Get("Content-Type"))
			require.Equal(t, tc.order.Key, ops.header.Get("Webhook-Id"))
			require.Equal(t, outbound.ChatSignature(ops.body, secret), ops.header.Get("X-Chat-Signature"))
		})
	}
}

func TestTheBodyToTheByte(t *testing.T) {
	t.Parallel()

	counted := pushOrder()
	counted.Event.Unreplied.Since = time.Time{}
	counted.Event.Unreplied.Status = "of no page"
	counted.Event.Unreplied.Subject = "a <b>"

	form := formOrder(signals.FormPrechat)
	form.About = nil
	form.Event.Actor = &signals.Actor{Role: signals.RoleVisitor, Name: "Ann", Nickname: "A"}

	const id = `"webhook_id":"40b5cfaa5488b4587f43be635dfbb2b7"`

	for name, tc := range map[string]struct {
		order *signals.Order
		want  string
	}{
		"unreplied": {pushOrder(), `{"created_at":1765439941,"event":"UNREPLIED",` + id + `,"content":[{` +
			`"subject":"New Conversation","visitor_name":"Visitor15","created_at":1765439652,"message_content":"1","property_name":"test",` +
			`"visitor_nickname":"visitor nickname","sbs":"","status":"1","push_times":4,"time_sec":289,"assigned_agent_nickname":"ctccccd"}]}`},
		"unreplied for so many seconds": {counted, `{"created_at":1765439941,"event":"UNREPLIED",` + id + `,"content":[{` +
			`"subject":"a \u003cb\u003e","visitor_name":"Visitor15","created_at":1765439652,"message_content":"1","property_name":"test",` +
			`"visitor_nickname":"visitor nickname","sbs":"","status":"1","push_times":4,"time_sec":289,"assigned_agent_nickname":"ctccccd"}]}`},
		"form": {form, `{"created_at":1765439941,"event":"PRE_CHAT_FORM_SUBMIT",` + id + `,"content":[{` +
			`"subject":"New Conversation","visitor_name":"Ann","created_at":1765439652,"message_content":"1","property_name":"",` +
			`"visitor_nickname":"","sbs":"","assigned_agent_nickname":""}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ops := newReceiver(t, http.StatusOK)
			_, err := newNotifier(t, notify.Config{"ops": {Kind: notify.KindWebhook, URL: ops.URL}}).Send(t.Context(), tc.order)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(ops.body))
		})
	}
}

func TestARetryCarriesTheSameBodyAndID(t *testing.T) {
	t.Parallel()

	ops := newReceiver(t, http.StatusInternalServerError)
	n := newNotifier(t, notify.Config{"ops": {Kind: notify.KindWebhook, URL: ops.URL, Secret: secret}})

	_, err := n.Send(t.Context(), pushOrder())
	require.ErrorContains(t, err, "500 Internal Server Error")

	first, id := ops.body, ops.header.Get("Webhook-Id")
	_, err = n.Send(t.Context(), pushOrder())
	require.Error(t, err)
	require.Equal(t, first, ops.body)
	require.Equal(t, id, ops.header.Get("Webhook-Id"))
}

func TestWhatTheNoticeDoesNotKnow(t *testing.T) {
	t.Parallel()

	ops := newReceiver(t, http.StatusNoContent)
	n := newNotifier(t, notify.Config{"ops": {Kind: notify.KindWebhook, URL: ops.URL}})

	order := pushOrder()
	order.About = nil
	order.Event.Unreplied.Status = signals.UnrepliedPending
	_, err := n.Send(t.Context(), order)
	require.NoError(t, err)

	var got struct {
		Content []map[string]any `json:"content"`
	}

	require.NoError(t, json.Unmarshal(ops.body, &got))
	require.Equal(t, "New Conversation", got.Content[0]["subject"])
	require.Equal(t, "3", got.Content[0]["status"])
	require.Empty(t, got.Content[0]["visitor_nickname"])
	require.Empty(t, got.Content[0]["sbs"])
	require.Empty(t, ops.header.Get("X-Chat-Signature"), "no secret, no signature")
}

func TestFieldsOfAFormBecomeLines(t *testing.T) {
	t.Parallel()

	ops := newReceiver(t, http.StatusOK)
	n := newNotifier(t, notify.Config{"ops": {Kind: notify.KindWebhook, URL: ops.URL}})
	order := formOrder(signals.FormPrechat)
	order.Event.Form.Text = ""
	order.Event.Form.Fields = []signals.FormField{
		{Label: "Name", Value: "Ann"}, {ID: "1", Answers: []signals.FormAnswer{{Label: "Sales"}, {Label: "Billing"}}}, {Label: "Empty"},
	}
	_, err := n.Send(t.Context(), order)
	require.NoError(t, err)
	require.Contains(t, string(ops.body), `"message_content":"Name: Ann\n1: Sales, Billing"`)
}

func TestOtherNoticesAreTheEventItself(t *testing.T) {
	t.Parallel()

	for name, event := range map[string]signals.Event{
		"no agents": {ID: "1", Type: signals.AgentsUnavailable, Source: "livechat", Conversation: "X", Raw: []byte(`{"secret":1}`)},
		"a post-chat form": {
			ID: "1", Type: signals.FormSubmitted, Source: "livechat", Conversation: "X", Form: &signals.Form{Kind: signals.FormPostchat},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ops := newReceiver(t, http.StatusOK)
			n := newNotifier(t, notify.Config{"ops": {Kind: notify.KindWebhook, URL: ops.URL, Secret: secret}})
			_, err := n.Send(t.Context(), &signals.Order{Key: "k", Target: "ops", Event: &event})
			require.NoError(t, err)

			var got signals.Event
			require.NoError(t, json.Unmarshal(ops.body, &got))
			require.Nil(t, got.Raw)

			event.Raw = nil
			require.Equal(t, event, got)
			require.NotEmpty(t, ops.header.Get("X-Chat-Signature"))
		})
	}
}

func TestWhatCannotBeSentIsPermanent(t *testing.T) {
	t.Parallel()

	gone := newReceiver(t, http.StatusGone)
	n := newNotifier(t, notify.Config{
		"gone": {Kind: notify.KindWebhook, URL: gone.URL},
		"odd":  {Kind: "pigeon", URL: "https://example.com/sEcReT"},
		"bad":  {Kind: notify.KindWebhook, URL: "https://"},
	})

	for target, text := range map[string]string{
		"gone": "410 Gone", "odd": `unknown kind "pigeon"`, "bad": "url", "nobody": `no channel called "nobody"`,
	} {
		order := pushOrder()
		order.Target = target
		_, err := n.Send(t.Context(), order)
		require.ErrorContains(t, err, text)
		require.True(t, outbound.IsPermanent(err), target)
		require.NotContains(t, err.Error(), "sEcReT")
	}

	order := pushOrder()
	order.Event = nil
	order.Target = "gone"
	_, err := n.Send(t.Context(), order)
	require.True(t, outbound.IsPermanent(err))
}

func read(t *testing.T, file string) map[string]any {
	t.Helper()

	raw, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)

	var want map[string]any
	require.NoError(t, json.Unmarshal(raw, &want))

	return want
}
