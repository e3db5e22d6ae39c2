package twt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/twt"
	"github.com/parleyhq/parley/tests/dialecttest"
)

// with returns the page's UNREPLIED with one field of its item replaced by
// other JSON, or added.
func with(tb testing.TB, field, value string) string {
	tb.Helper()

	webhook := dialecttest.Object(tb, []byte(fixtures(tb)["UNREPLIED"]))
	webhook["content"].([]any)[0].(map[string]any)[field] = json.RawMessage(value)

	return marshal(tb, webhook)
}

func withTop(tb testing.TB, field, value string) string {
	tb.Helper()

	webhook := dialecttest.Object(tb, []byte(fixtures(tb)["UNREPLIED"]))
	webhook[field] = json.RawMessage(value)

	return marshal(tb, webhook)
}

func without(tb testing.TB, fields ...string) string {
	tb.Helper()

	webhook := dialecttest.Object(tb, []byte(fixtures(tb)["UNREPLIED"]))

	for _, field := range fields {
		if top, ok := strings.CutPrefix(field, "^"); ok {
			delete(webhook, top)
		}

		delete(webhook["content"].([]any)[0].(map[string]any), field)
	}

	return marshal(tb, webhook)
}

func marshal(tb testing.TB, value any) string {
	tb.Helper()

	raw, err := json.Marshal(value)
	require.NoError(tb, err)

	return string(raw)
}

func TestSignatureVectors(t *testing.T) {
	t.Parallel()

	for _, vector := range dialecttest.Vectors(t, "testdata/sign-vectors.json") {
		require.Equal(t, vector.Signature, twt.Sign([]byte(vector.Body), vector.Secret))

		req := post(vector.Body)
		req.Header.Set(vector.Header, vector.Signature)
		require.NoError(t, twt.Dialect{}.Verify(req, dialect.Source{Secrets: []string{"older", vector.Secret}}))
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()

	body := fixtures(t)["UNREPLIED"]
	verify := func(req dialect.Request, secrets ...string) error {
		return twt.Dialect{}.Verify(req, dialect.Source{Name: "twt", Secrets: secrets})
	}
	changed := func(change func(req *dialect.Request)) dialect.Request {
		req := signed(body)
		change(&req)

		return req
	}

	require.NoError(t, verify(signed(body), secret))
	require.NoError(t, verify(signed(body), "older", secret, secret))
	require.NoError(t, verify(post(body)))

	sent := dialect.Request{Body: []byte(body)}
	require.NoError(t, twt.Dialect{}.Sign(&sent, dialect.Source{}, received()))
	require.Nil(t, sent.Header)
	require.NoError(t, twt.Dialect{}.Sign(&sent, dialect.Source{Secrets: []string{secret, "older"}}, received()))
	require.NoError(t, verify(sent, "newer", secret))
	require.NoError(t, verify(signed("{"), secret), "what is signed need not be JSON")

	refused := map[string]struct {
		req     dialect.Request
		secrets []string
		want    error
	}{
		"no signature":    {post(body), []string{secret}, dialect.ErrNotSigned},
		"empty signature": {changed(func(r *dialect.Request) { r.Header.Set(twt.SignatureHeader, "") }), []string{secret}, dialect.ErrNotSigned},
		"no header":       {dialect.Request{Body: []byte(body)}, []string{secret}, dialect.ErrNotSigned},
		"other secret":    {signed(body), []string{"other"}, dialect.ErrUnauthorized},
		"empty secret":    {signed(body), []string{""}, dialect.ErrUnauthorized},
		"signed with the empty secret": {changed(func(r *dialect.Request) {
			r.Header.Set(twt.SignatureHeader, twt.Sign(r.Body, ""))
		}), []string{""}, dialect.ErrUnauthorized},
		"upper case": {changed(func(r *dialect.Request) {
			r.Header.Set(twt.SignatureHeader, strings.ToUpper(twt.Sign(r.Body, secret)))
		}), []string{secret}, dialect.ErrUnauthorized},
		"shortened": {changed(func(r *dialect.Request) {
			r.Header.Set(twt.SignatureHeader, twt.Sign(r.Body, secret)[:8])
		}), []string{secret}, dialect.ErrUnauthorized},
		"the secret itself": {changed(func(r *dialect.Request) {
			r.Header.Set(twt.SignatureHeader, secret)
		}), []string{secret}, dialect.ErrUnauthorized},
		"other body": {changed(func(r *dialect.Request) {
			r.Body = []byte(strings.Replace(body, "289", "290", 1))
		}), []string{secret}, dialect.ErrUnauthorized},
		"other layout": {changed(func(r *dialect.Request) { r.Body = append(r.Body, ' ') }), []string{secret}, dialect.ErrUnauthorized},
		"truncated":    {changed(func(r *dialect.Request) { r.Body = r.Body[:len(r.Body)/2] }), []string{secret}, dialect.ErrUnauthorized},
	}

	for name, test := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := verify(test.req, test.secrets...)
			require.ErrorIs(t, err, test.want)

			answer := twt.Dialect{}.Refuse(test.req, err)
			require.Equal(t, http.StatusForbidden, answer.Status)
			require.NotContains(t, string(answer.Body), secret)
			require.NotContains(t, string(answer.Body), twt.Sign(test.req.Body, secret))
		})
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ body, field string }{
		"empty":               {body: ``},
		"truncated":           {body: fixtures(t)["UNREPLIED"][:100]},
		"two bodies":          {body: `{"event":"UNREPLIED"}{}`},
		"form":                {body: `event=UNREPLIED`},
		"too deep":            {body: `{"event":"PING","content":` + strings.Repeat(`[`, 9998) + strings.Repeat(`]`, 9998) + `}`},
		"null":                {body: `null`, field: "body"},
		"array":               {body: `[]`, field: "body"},
		"no event":            {body: without(t, "^event"), field: "event"},
		"empty event":         {body: withTop(t, "event", `""`), field: "event"},
		"event no text":       {body: withTop(t, "event", `{}`), field: "event"},
		"long event":          {body: withTop(t, "event", `"`+strings.Repeat("x", 256)+`"`), field: "event"},
		"long webhook id":     {body: withTop(t, "webhook_id", `"`+strings.Repeat("x", 256)+`"`), field: "webhook_id"},
		"webhook id no text":  {body: withTop(t, "webhook_id", `[]`), field: "webhook_id"},
		"sent no number":      {body: withTop(t, "created_at", `"noon"`), field: "created_at"},
		"sent years ahead":    {body: withTop(t, "created_at", `1965439941`), field: "created_at"},
		"content no array":    {body: withTop(t, "content", `"x"`), field: "content"},
		"item no object":      {body: withTop(t, "content", `[{"visitor_name":"a"},1]`), field: "content[1]"},
		"item null":           {body: withTop(t, "content", `[null]`), field: "content[0]"},
		"too many items":      {body: withTop(t, "content", `[`+strings.Repeat(`{"sbs":"1"},`, 1000)+`{}]`), field: "content"},
		"nobody":              {body: withTop(t, "content", `[{"subject":"x"}]`), field: "content[0].visitor_name"},
		"name no text":        {body: with(t, "visitor_name", `{}`), field: "content[0].visitor_name"},
		"name true":           {body: with(t, "visitor_name", `true`), field: "content[0].visitor_name"},
		"sbs an array":        {body: with(t, "sbs", `[]`), field: "content[0].sbs"},
		"created no number":   {body: with(t, "created_at", `true`), field: "content[0].created_at"},
		"created in 1970":     {body: with(t, "created_at", `1`), field: "content[0].created_at"},
		"created in millis":   {body: with(t, "created_at", `1765439652000`), field: "content[0].created_at"},
		"created infinite":    {body: with(t, "created_at", `"Inf"`), field: "content[0].created_at"},
		"created huge":        {body: with(t, "created_at", `1e300`), field: "content[0].created_at"},
		"pushes negative":     {body: with(t, "push_times", `-1`), field: "content[0].push_times"},
		"pushes no number":    {body: with(t, "push_times", `{}`), field: "content[0].push_times"},
		"seconds negative":    {body: with(t, "time_sec", `-5`), field: "content[0].time_sec"},
		"seconds too many":    {body: with(t, "time_sec", `99999999999`), field: "content[0].time_sec"},
		"seconds not written": {body: with(t, "time_sec", `"soon"`), field: "content[0].time_sec"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events, err := twt.Dialect{}.Decode(post(test.body), source())
			require.Error(t, err)
			require.Nil(t, events)

			answer := twt.Dialect{}.Refuse(post(test.body), err)

			if test.field == "" {
				require.ErrorIs(t, err, dialect.ErrMalformed)
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

func TestTolerantFields(t *testing.T) {
	t.Parallel()

	plain := one(t, fixtures(t)["UNREPLIED"])

	same := func(body string) {
		t.Helper()

		event := one(t, body)
		require.Equal(t, plain.ID, event.ID)
		require.Equal(t, plain.Unreplied, event.Unreplied)
		require.Equal(t, plain.At, event.At)
	}

	same(with(t, "status", `1`))
	same(with(t, "push_times", `"4"`))
	same(with(t, "push_times", `4.0`))
	same(with(t, "time_sec", `" 289 "`))
	same(with(t, "created_at", `"1765439652"`))
	same(with(t, "message_content", `1`))
	same(with(t, "sbs", `null`))
	same(without(t, "sbs"))
	same(withTop(t, "created_at", `1765439941.9`))
	same(strings.NewReplacer("[", "", "]", "").Replace(fixtures(t)["UNREPLIED"]))

	require.Equal(t, "234442313", one(t, with(t, "sbs", `234442313`)).Customer.ExternalID)
	require.Equal(t, `["Ann","1"]`, one(t, with(t, "message_content", `[ "Ann", "1" ]`)).Unreplied.Text)
	require.Equal(t, `true`, one(t, with(t, "message_content", `true`)).Unreplied.Text)
	require.Equal(t, 9, one(t, with(t, "push_times", `9`)).Unreplied.PushTimes)

	// Times that are missing follow from the others.
	event := one(t, without(t, "^created_at"))
	require.Equal(t, plain.At, event.At)
	require.Zero(t, event.Platform.SentAt)
	require.Equal(t, plain.Unreplied.Since, one(t, without(t, "created_at")).Unreplied.Since)

	neither := one(t, `{"event":"UNREPLIED","content":{"visitor_name":"Ann"}}`)
	require.Equal(t, received(), neither.At)
	require.Zero(t, neither.Unreplied.Since)

	form := one(t, `{"event":"OFFLINE_FORM_SUBMIT","created_at":1765439941,"content":{"visitor_name":"Ann"}}`)
	require.Equal(t, plain.At, form.At)
	require.Zero(t, form.Form.SubmittedAt)
}

func TestStatuses(t *testing.T) {
	t.Parallel()

	for said, want := range map[string]string{
		`"1"`: signals.UnrepliedOpen, `"2"`: signals.UnrepliedQueued, `"3"`: signals.UnrepliedPending, `"4"`: signals.UnrepliedReplied,
		`4`: signals.UnrepliedReplied, `"5"`: "5", `null`: "",
	} {
		event := one(t, with(t, "status", said))
		require.Equal(t, want, event.Unreplied.Status)

		encoded, err := twt.Dialect{}.Encode(event)
		require.NoError(t, err)

		again := one(t, string(encoded))
		require.Equal(t, map[string]string{"": signals.UnrepliedOpen}[want]+want, again.Unreplied.Status)
	}

	require.Len(t, one(t, with(t, "status", `"`+strings.Repeat("9", 500)+`"`)).Unreplied.Status, 64)
}

func TestConversations(t *testing.T) {
	t.Parallel()

	of := func(project, name, sbs string) string {
		item := map[string]any{"property_name": project, "visitor_name": name, "sbs": sbs, "created_at": 1765439652}

		return one(t, marshal(t, map[string]any{"event": "UNREPLIED", "content": []any{item}})).Conversation
	}

	require.Regexp(t, "^v-[0-9a-f]{32}$", of("test", "Visitor15", ""))
	require.Regexp(t, "^sbs-[0-9a-f]{32}$", of("test", "Visitor15", "234442313"))
	require.Equal(t, of("test", "Visitor15", ""), of("test", "Visitor15", "  "))
	require.Equal(t, of("test", "Visitor15", "234442313"), of("other", "Visitor16", "234442313"), "sbs alone tells a customer")

	all := []string{
		of("test", "Visitor15", ""), of("test", "Visitor16", ""), of("tes", "tVisitor15", ""), of("other", "Visitor15", ""),
		of("test", "Visitor15", "1"), of("test", "", ""), of("", "Visitor15", ""), of("other", "", ""),
	}
	for i, id := range all {
		require.NotContains(t, all[i+1:], id)
		require.NotContains(t, id, "isitor")
	}

	// All three events of a visitor are about one conversation.
	for _, body := range fixtures(t) {
		if !strings.Contains(body, `"sbs": ""`) {
			continue
		}

		require.Equal(t, of("test", "Visitor15", ""), decode(t, body)[0].Conversation)
	}
}

func TestOriginalsAreKept(t *testing.T) {
	t.Parallel()

	event := one(t, with(t, "sbs", `"234442313"`))
	require.Equal(t, &signals.Actor{
		ID: "234442313", Role: signals.RoleVisitor, Name: "Visitor15", Nickname: "visitor nickname",
	}, event.Actor)
	require.Equal(t, &signals.Customer{ExternalID: "234442313"}, event.Customer)

	long := strings.Repeat("9", 300)
	event = one(t, with(t, "sbs", `"`+long+`"`))
	require.Empty(t, event.Actor.ID)
	require.Equal(t, long, event.Customer.ExternalID)
}

// An id is derived: a repetition is the same event within the retry window,
// which the inbox and the machine keep.
func TestIDs(t *testing.T) {
	t.Parallel()

	body := fixtures(t)["UNREPLIED"]
	id := func(body string, at time.Time, options dialect.Options) string {
		req := post(body)
		req.ReceivedAt = at

		events, err := twt.Dialect{}.Decode(req, dialect.Source{Name: "twt", Options: options})
		require.NoError(t, err)

		return events[0].ID
	}
	plain := id(body, received(), dialect.Options{})

	require.True(t, signals.IsDerived(plain))
	require.Equal(t, plain, id(body, received().Add(90*time.Second), dialect.Options{}))
	require.Equal(t, plain, id(withTop(t, "created_at", `1765439971`), received(), dialect.Options{}), "a repetition may be sent anew")
	require.Equal(t, plain, id(with(t, "assigned_agent_nickname", `"x"`), received(), dialect.Options{}))

	for field, value := range map[string]string{
		"created_at": `1765439653`, "push_times": `3`, "visitor_name": `"Visitor16"`, "status": `"4"`, "message_content": `"2"`,
		"property_name": `"other"`, "sbs": `"1"`,
	} {
		require.NotEqual(t, plain, id(with(t, field, value), received(), dialect.Options{}), field)
	}

	for field, value := range map[string]string{"event": `"OFFLINE_FORM_SUBMIT"`, "webhook_id": `"other"`} {
		require.NotEqual(t, plain, id(withTop(t, field, value), received(), dialect.Options{}), field)
	}

	perAttempt := dialect.Options{TWT: dialect.TWTOptions{NewWebhookID: true}}
	require.Equal(t, id(body, received(), perAttempt), id(withTop(t, "webhook_id", `"other"`), received(), perAttempt))
}

func TestEveryItemIsAnEvent(t *testing.T) {
	t.Parallel()

	body := `{"created_at":1765439941,"event":"UNREPLIED","webhook_id":"w","later":{"a":1},"content":[
		{"visitor_name":"Ann","created_at":1765439652,"push_times":1,"status":"1"},
		{"visitor_name":"Bob","created_at":1765439652,"push_times":1,"status":"4","sbs":"7"},
		{"visitor_name":"Ann","created_at":1765439652,"push_times":2,"status":"1","new":true}]}`
	events := decode(t, body)
	require.Len(t, events, 3)
	require.Equal(t, events[0].Conversation, events[2].Conversation)
	require.NotEqual(t, events[0].Conversation, events[1].Conversation)
	require.NotEqual(t, events[0].ID, events[2].ID)
	require.Equal(t, signals.UnrepliedReplied, events[1].Unreplied.Status)

	require.JSONEq(t, `{"created_at":1765439941,"event":"UNREPLIED","webhook_id":"w","later":{"a":1},
		"content":[{"visitor_name":"Ann","created_at":1765439652,"push_times":1,"status":"1"}]}`, string(events[0].Raw))
	require.JSONEq(t, `{"created_at":1765439941,"event":"UNREPLIED","webhook_id":"w",
		"content":[{"visitor_name":"Ann","created_at":1765439652,"push_times":2,"status":"1","new":true}]}`, string(events[2].Raw))

	// One bad item refuses them all.
	_, err := twt.Dialect{}.Decode(post(strings.Replace(body, `"Bob"`, `[]`, 1)), source())
	require.ErrorContains(t, err, "content[1].visitor_name")
}

func TestUnknownEventsAreKept(t *testing.T) {
	t.Parallel()

	known := one(t, fixtures(t)["UNREPLIED"])

	later := one(t, withTop(t, "event", `"SATISFACTION_SUBMIT"`))
	require.Equal(t, signals.Unknown, later.Type)
	require.Equal(t, "SATISFACTION_SUBMIT", later.Platform.Event)
	require.Equal(t, known.Conversation, later.Conversation)
	require.Equal(t, "Visitor15", later.Actor.Name)
	require.JSONEq(t, withTop(t, "event", `"SATISFACTION_SUBMIT"`), string(later.Raw))

	ids := map[string]bool{}

	for _, body := range []string{
		`{"event":"PING"}`, `{"event":"PONG"}`, `{"event":"PING","content":null,"created_at":1765439941}`, `{"event":"PING","content":"hi"}`,
		`{"event":"PING","content":[1]}`, `{"event":"PING","content":{"visitor_name":[]}}`, `{"event":"PING","content":[{"subject":"x"}]}`,
	} {
		event := one(t, body)
		require.Equal(t, signals.Unknown, event.Type, body)
		require.Empty(t, event.Conversation, body)
		require.False(t, ids[event.ID], body)

		ids[event.ID] = true
	}

	require.Len(t, decode(t, `{"event":"PING","content":[1,{"sbs":"7"}]}`), 2)

	// A known event that says nothing is kept as well.
	for _, body := range []string{`{"event":"UNREPLIED"}`, `{"event":"UNREPLIED","content":[]}`} {
		require.Equal(t, signals.Unknown, one(t, body).Type)
	}
}

func TestSecretsAreCutOut(t *testing.T) {
	t.Parallel()

	event := one(t, `{"event":"UNREPLIED","AppSecret":"s3cr3t","content":[{"visitor_name":"Ann","access_token":"s3cr3t","more":1}]}`)
	require.JSONEq(t, `{"event":"UNREPLIED","content":[{"visitor_name":"Ann","more":1}]}`, string(event.Raw))
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	d := twt.Dialect{}

	answer := d.Answer(dialect.Request{}, dialect.Source{}, dialect.Outcome{
		Accepted: 1, Conversations: []string{"/v1/conversations/twt/v-1"},
	})
	require.Equal(t, http.StatusOK, answer.Status)
	require.JSONEq(t, `{"accepted":1,"duplicates":0,"conversations":["/v1/conversations/twt/v-1"]}`, string(answer.Body))
	require.Equal(t, http.StatusOK, d.Answer(dialect.Request{}, dialect.Source{}, dialect.Outcome{Duplicates: 1}).Status)

	for _, answer := range []dialect.Response{
		d.Answer(dialect.Request{}, dialect.Source{}, dialect.Outcome{Err: errors.New("disk of mine")}),
		d.Refuse(dialect.Request{}, errors.New("disk of mine")),
	} {
		require.Equal(t, http.StatusServiceUnavailable, answer.Status)
		require.NotContains(t, string(answer.Body), "disk")
	}

	require.Equal(t, http.StatusForbidden, d.Refuse(dialect.Request{}, fmt.Errorf("wrapped: %w", dialect.ErrUnauthorized)).Status)
	require.Equal(t, http.StatusForbidden, d.Refuse(dialect.Request{}, dialect.ErrNotSigned).Status)
}

func TestManyItemsStaySmall(t *testing.T) {
	t.Parallel()

	items := make([]string, 1000)
	for i := range items {
		items[i] = `{"sbs":"` + strconv.Itoa(i) + `"}`
	}

	body := `{"event":"UNREPLIED","filler":"` + strings.Repeat("x", 500_000) + `","content":[` + strings.Join(items, ",") + `]}`
	size := 0

	for _, event := range decode(t, body) {
		size += len(event.Raw)
	}

	require.Less(t, size, 2*len(body))
}

func FuzzDecode(f *testing.F) {
	for _, body := range fixtures(f) {
		f.Add([]byte(body))
	}

	f.Add([]byte(`{"event":"PING","content":[1,{"sbs":"7"}]}`))

	// Times that lie too far from the other one, as the wait between them says.
	f.Add([]byte(`{"event":"UNREPLIED","created_at":1765439941,"content":[{"visitor_name":"V","time_sec":1795168800}]}`))
	f.Add([]byte(`{"event":"UNREPLIED","created_at":1765439941,"content":[{"visitor_name":"V","time_sec":"1765439652"}]}`))
	f.Add([]byte(`{"event":"UNREPLIED","content":[{"visitor_name":"V","created_at":1765439941,"time_sec":1795168800}]}`))
	f.Add([]byte(`{"event":"UNREPLIED","content":[{"visitor_name":"V","time_sec":1795168800}]}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		req := post(string(body))

		events, err := twt.Dialect{}.Decode(req, source())
		if err != nil {
			require.Contains(t, []int{400, 422}, twt.Dialect{}.Refuse(req, err).Status, err)

			return
		}

		again, err := twt.Dialect{}.Decode(req, source())
		require.NoError(t, err)
		require.Equal(t, events, again)

		for i := range events {
			require.NoError(t, events[i].Validate())
			require.True(t, events[i].Type.Incoming())
			require.True(t, json.Valid(events[i].Raw))
			require.LessOrEqual(t, len(events[i].Raw), 6*len(body)+64)

			encoded, err := twt.Dialect{}.Encode(events[i])
			if err != nil {
				require.ErrorIs(t, err, dialect.ErrNotEncodable)

				continue
			}

			back := one(t, string(encoded))
			require.Equal(t, events[i].Type, back.Type)

			// Without a name the time tells the conversation, and may be one that the
			// platform left out.
			if events[i].Actor.Name != "" || events[i].Actor.ID != "" {
				require.Equal(t, events[i].Conversation, back.Conversation)
			}
		}
	})
}

// No signature but the one of the very body, by a secret of the source, is let in.
func FuzzVerify(f *testing.F) {
	for _, body := range fixtures(f) {
		f.Add([]byte(body), twt.Sign([]byte(body), secret))
		f.Add([]byte(body), twt.Sign([]byte(body), ""))
		f.Add([]byte(body[1:]), twt.Sign([]byte(body), secret))
	}

	f.Fuzz(func(t *testing.T, body []byte, given string) {
		req := dialect.Request{Body: body, Header: http.Header{twt.SignatureHeader: {given}}}
		err := twt.Dialect{}.Verify(req, dialect.Source{Secrets: []string{"", secret}})

		require.Equal(t, given == twt.Sign(body, secret), err == nil)

		if err != nil {
			require.Equal(t, http.StatusForbidden, twt.Dialect{}.Refuse(req, err).Status)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	src := source()
	src.Secrets = []string{"older", secret}

	for name, body := range fixtures(b) {
		b.Run(name, func(b *testing.B) {
			req, events := signed(body), 0

			b.ReportAllocs()
			b.SetBytes(int64(len(body)))

			for b.Loop() {
				if err := (twt.Dialect{}).Verify(req, src); err != nil {
					b.Fatal(err)
				}

				decoded, err := twt.Dialect{}.Decode(req, src)
				if err != nil {
					b.Fatal(err)
				}

				events += len(decoded)
			}

			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}
