package parley_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/parley"
)

func received() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) }

func post(body string) dialect.Request {
	return dialect.Request{Method: http.MethodPost, Body: []byte(body), Header: http.Header{}, ReceivedAt: received()}
}

const message = `{"id":"m1","type":"message.received","conversation":"c1","at":"2026-11-20T09:59:59Z",` +
	`"actor":{"id":"ann","role":"visitor"},"message":{"text":"hi","kind":"text"}}`

func TestDecodeForms(t *testing.T) {
	t.Parallel()

	for name, body := range map[string]string{
		"one":    message,
		"array":  `[` + message + `]`,
		"events": ` {"events":[` + message + `]} `,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events, err := parley.Dialect{}.Decode(post(body), dialect.Source{Name: "shop"})
			require.NoError(t, err)
			require.Len(t, events, 1)

			raw := events[0].Raw
			events[0].Raw = nil

			require.JSONEq(t, message, string(raw))
			require.Equal(t, signals.Event{
				ID: "m1", Type: signals.MessageReceived, Source: "shop", Conversation: "c1",
				At: time.Date(2026, 11, 20, 9, 59, 59, 0, time.UTC), ReceivedAt: received(),
				Actor:   &signals.Actor{ID: "ann", Role: signals.RoleVisitor},
				Message: &signals.Message{Text: "hi", Kind: signals.KindText},
			}, events[0])
		})
	}
}

func TestWhatOnlyTheGatewayMaySayIsReplaced(t *testing.T) {
	t.Parallel()

	events, err := parley.Dialect{}.Decode(post(`{"id":"t1","type":"typing.changed","conversation":"c1","typing":{"on":true},
		"source":"other","seq":999999,"inbox":"forged","received_at":"2000-01-01T00:00:00Z"}`), dialect.Source{Name: "shop"})
	require.NoError(t, err)
	require.Equal(t, "shop", events[0].Source)
	require.Zero(t, events[0].Seq)
	require.Empty(t, events[0].Inbox)
	require.Equal(t, received(), events[0].ReceivedAt)
	require.Equal(t, received(), events[0].At)
}

func TestMissingIDIsDerivedFromTheText(t *testing.T) {
	t.Parallel()

	id := func(body string) string {
		events, err := parley.Dialect{}.Decode(post(body), dialect.Source{Name: "shop"})
		require.NoError(t, err)

		return events[len(events)-1].ID
	}

	const typing = `{"type":"typing.changed","conversation":"c1","typing":{"on":true}}`

	require.True(t, signals.IsDerived(id(typing)))
	require.Equal(t, id(typing), id(`[`+message+`, `+strings.ReplaceAll(typing, ":", " : ")+`]`))
	require.NotEqual(t, id(typing), id(strings.Replace(typing, "true", "false", 1)))
}

func TestBadBodies(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ body, field string }{
		"truncated":        {body: message[:40]},
		"empty":            {body: ``},
		"text":             {body: `"hi"`, field: "body"},
		"empty array":      {body: `[]`, field: "events"},
		"empty events":     {body: `{"events":[]}`, field: "events"},
		"element no event": {body: `[` + message + `,1]`, field: "events[1]"},
		"no type":          {body: `{"conversation":"c"}`, field: "type"},
		"unknown type":     {body: `{"type":"message.sung","conversation":"c"}`, field: "type"},
		"type of ours":     {body: `{"type":"ticket.created","conversation":"c"}`, field: "type"},
		"second bad":       {body: `[` + message + `,` + strings.Replace(message, "message.received", "x", 1) + `]`, field: "events[1].type"},
		"wrong type":       {body: strings.Replace(message, `"hi"`, `5`, 1), field: "message.text"},
		"deep in a batch":  {body: `[` + strings.Replace(message, `"hi"`, `[]`, 1) + `]`, field: "events[0].message.text"},
		"bad time":         {body: `[` + strings.Replace(message, `2026-11-20T09:59:59Z`, `noon`, 1) + `]`, field: "events[0].at"},
		"bad inner time":   {body: `{"type":"message.read","conversation":"c","read":{"up_to":"noon"}}`, field: "read.up_to"},
		"no conversation":  {body: `{"type":"tag.added","tag":{"name":"x"}}`, field: "conversation"},
		"no block":         {body: `{"type":"message.received","conversation":"c"}`, field: "message"},
		"role":             {body: strings.Replace(message, `"visitor"`, `"king"`, 1), field: "actor.role"},
		"before all chats": {body: strings.Replace(message, `2026-`, `1926-`, 1), field: "at"},
		"years ahead":      {body: strings.Replace(message, `2026-`, `2126-`, 1), field: "at"},
		"long id":          {body: strings.Replace(message, `"m1"`, `"`+strings.Repeat("m", 256)+`"`, 1), field: "id"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events, err := parley.Dialect{}.Decode(post(test.body), dialect.Source{Name: "shop"})
			require.Error(t, err)
			require.Nil(t, events)

			answer := parley.Dialect{}.Refuse(dialect.Request{}, err)

			if test.field == "" {
				require.Equal(t, http.StatusBadRequest, answer.Status)

				return
			}

			var field *signals.FieldError

			require.ErrorAs(t, err, &field)
			require.Equal(t, test.field, field.Field)
			require.Equal(t, http.StatusUnprocessableEntity, answer.Status)
		})
	}
}

func TestEventsForOneConversation(t *testing.T) {
	t.Parallel()

	key := signals.Key{Source: "shop", Conversation: "c1"}

	events, err := parley.Events([]byte(`[{"type":"tag.added","tag":{"name":"x"}},`+message+`]`), key, received())
	require.NoError(t, err)
	require.Equal(t, "c1", events[0].Conversation)

	_, err = parley.Events([]byte(strings.Replace(message, `"c1"`, `"c2"`, 1)), key, received())

	var field *signals.FieldError

	require.ErrorAs(t, err, &field)
	require.Equal(t, "conversation", field.Field)
}

func TestVerify(t *testing.T) {
	t.Parallel()

	encoded := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a key of thirty-two bytes, nearly"))

	sign := func(t *testing.T, key []byte, at time.Time, body string) dialect.Request {
		t.Helper()

		hook, err := standardwebhooks.NewWebhookRaw(key)
		require.NoError(t, err)

		signature, err := hook.Sign("msg_1", at, []byte(body))
		require.NoError(t, err)

		req := post(body)
		req.Header.Set(standardwebhooks.HeaderWebhookID, "msg_1")
		req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
		req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)

		return req
	}
	verify := func(req dialect.Request, secrets ...string) error {
		return parley.Dialect{}.Verify(req, dialect.Source{Name: "shop", Secrets: secrets})
	}

	require.NoError(t, verify(post(message)))
	require.NoError(t, verify(sign(t, []byte("plain"), received(), message), "plain"))
	require.NoError(t, verify(sign(t, []byte("plain"), received(), message), encoded, "plain"))
	require.NoError(t, verify(sign(t, []byte("a key of thirty-two bytes, nearly"), received(), message), encoded))
	require.NoError(t, verify(sign(t, []byte("plain"), received().Add(-4*time.Minute), message), "plain"))

	require.ErrorIs(t, verify(post(message), "plain"), dialect.ErrNotSigned)
	require.ErrorIs(t, verify(sign(t, []byte("wrong"), received(), message), "plain"), dialect.ErrUnauthorized)
	require.ErrorIs(t, verify(sign(t, []byte("plain"), received().Add(-6*time.Minute), message), "plain"), dialect.ErrUnauthorized)
	require.ErrorIs(t, verify(sign(t, []byte("plain"), received().Add(6*time.Minute), message), "plain"), dialect.ErrUnauthorized)
	require.ErrorIs(t, verify(sign(t, []byte("%%%"), received(), message), "whsec_%%%"), dialect.ErrUnauthorized,
		"a secret that is no base64 lets nobody in")
	require.ErrorIs(t, verify(sign(t, nil, received(), message), ""), dialect.ErrUnauthorized)

	changed := sign(t, []byte("plain"), received(), message)
	changed.Body = []byte(strings.Replace(message, "hi", "ho", 1))
	err := verify(changed, "plain")
	require.ErrorIs(t, err, dialect.ErrUnauthorized)
	require.Equal(t, http.StatusUnauthorized, parley.Dialect{}.Refuse(changed, err).Status)

	odd := sign(t, []byte("plain"), received(), message)
	odd.Header.Set(standardwebhooks.HeaderWebhookTimestamp, "now")
	require.ErrorIs(t, verify(odd, "plain"), dialect.ErrUnauthorized)
}

func TestEncodeComesBack(t *testing.T) {
	t.Parallel()

	types := signals.IncomingTypes()

	rapid.Check(t, func(t *rapid.T) {
		event := signals.Event{
			ID:           rapid.StringMatching(`[a-z]{1,20}`).Draw(t, "id"),
			Type:         rapid.SampledFrom(types).Draw(t, "type"),
			Conversation: rapid.StringN(1, 50, 200).Draw(t, "conversation"),
			At:           received().Add(-time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "ago"))),
			ReceivedAt:   received(), Source: "shop", Seq: 7, Inbox: "i", Raw: json.RawMessage(`{}`),
			Message:     &signals.Message{ID: "m", Text: rapid.String().Draw(t, "text")},
			Preview:     &signals.Preview{},
			Typing:      &signals.Typing{On: rapid.Bool().Draw(t, "on")},
			Presence:    &signals.Presence{State: signals.PresenceAway},
			Form:        &signals.Form{},
			Unreplied:   &signals.Unreplied{},
			Properties:  &signals.Properties{},
			Participant: &signals.Participant{ID: "p"},
			Tag:         &signals.Tag{Name: "x"},
		}

		body, err := parley.Dialect{}.Encode(event)
		if err != nil {
			t.Fatal(err)
		}

		back, err := parley.Dialect{}.Decode(post(string(body)), dialect.Source{Name: "shop"})
		if err != nil {
			t.Fatal(err)
		}

		event.Raw, event.Seq, event.Inbox = nil, 0, ""
		back[0].Raw = nil

		require.Equal(t, event, back[0])
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(message))
	f.Add([]byte(`[` + message + `,` + message + `]`))
	f.Add([]byte(`{"events":[{"type":"tag.added","conversation":"c","tag":{"name":"x"}}]}`))
	f.Add([]byte(`{"type":"conversation.opened","conversation":"c","details":{"participants":[{"id":"a","role":"agent"}]}}`))
	f.Add([]byte(`{"type":"message.read","conversation":"c","read":{"up_to":"noon"}}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		req := dialect.Request{Body: body, ReceivedAt: received()}

		events, err := parley.Dialect{}.Decode(req, dialect.Source{Name: "shop"})
		if err != nil {
			require.Contains(t, []int{400, 422}, parley.Dialect{}.Refuse(req, err).Status, err)

			return
		}

		for i := range events {
			require.NoError(t, events[i].Validate())
			require.True(t, events[i].Type.Incoming())
			require.Equal(t, "shop", events[i].Source)
			require.Zero(t, events[i].Seq)

			_, err := parley.Dialect{}.Encode(events[i])
			require.NoError(t, err)
		}
	})
}
