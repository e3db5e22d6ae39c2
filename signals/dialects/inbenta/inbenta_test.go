package inbenta_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/inbenta"
	"github.com/parleyhq/parley/tests/dialecttest"
)

func TestSignVectors(t *testing.T) {
	t.Parallel()

	for _, v := range dialecttest.Vectors(t, "testdata/sign-vectors.json") {
		require.Equal(t, inbenta.SignatureHeader, v.Header)

		req := post(v.Body)
		req.Header.Set(v.Header, v.Signature)
		require.NoError(t, inbenta.Dialect{}.Verify(req, dialect.Source{Secrets: []string{v.Secret}}))
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()

	body := `{"trigger":"forever:alone","appId":"a","data":{"chatId":"c"},"created_at":1583331000}`
	good := sign([]byte(body))
	sum, err := hex.DecodeString(good)
	require.NoError(t, err)

	tests := map[string]struct {
		header string
		want   error
	}{
		"hexadecimal":   {good, nil},
		"base64":        {base64.StdEncoding.EncodeToString(sum), nil},
		"blanks around": {" " + good + " ", nil},
		"none":          {"", dialect.ErrNotSigned},
		"upper case":    {strings.ToUpper(good), dialect.ErrUnauthorized},
		"the secret":    {secret, dialect.ErrUnauthorized},
		"cut":           {good[:63], dialect.ErrUnauthorized},
		"other body":    {sign([]byte(body + " ")), dialect.ErrUnauthorized},
		"raw bytes":     {string(sum), dialect.ErrUnauthorized},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			req := post(body)
			req.Header.Set(inbenta.SignatureHeader, test.header)
			err := inbenta.Dialect{}.Verify(req, signed())
			require.ErrorIs(t, err, test.want)

			if err != nil {
				require.Equal(t, http.StatusUnauthorized, inbenta.Dialect{}.Refuse(req, err).Status)
				require.NotContains(t, string(inbenta.Dialect{}.Refuse(req, err).Body), secret)
			}
		})
	}

	req := post(body[:40]) // cut short on the way
	req.Header.Set(inbenta.SignatureHeader, good)
	require.ErrorIs(t, inbenta.Dialect{}.Verify(req, signed()), dialect.ErrUnauthorized)
	require.NoError(t, inbenta.Dialect{}.Verify(req, source()), "nothing to compare with")
	require.ErrorIs(t, inbenta.Dialect{}.Verify(req, dialect.Source{Secrets: []string{""}}), dialect.ErrUnauthorized)
}

func TestSign(t *testing.T) {
	t.Parallel()

	req := post(`{"trigger":"forever:alone","data":{"chatId":"c"}}`)
	require.NoError(t, inbenta.Dialect{}.Sign(&req, source(), received()))
	require.Empty(t, req.Header)

	require.NoError(t, inbenta.Dialect{}.Sign(&req, dialect.Source{Secrets: []string{secret, "old-secret"}}, received()))
	require.Equal(t, sign(req.Body), req.Header.Get(inbenta.SignatureHeader))
	require.NoError(t, inbenta.Dialect{}.Verify(req, signed()))

	req.Header = nil
	require.NoError(t, inbenta.Dialect{}.Sign(&req, signed(), received()))
	require.NoError(t, inbenta.Dialect{}.Verify(req, signed()))
}

func TestHandshake(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		closed    bool
		secrets   []string
		given     string
		signature string
		pin       string
		status    int
	}{
		"the first":             {given: "s1", pin: "s1", status: http.StatusOK},
		"the first, none there": {secrets: []string{""}, given: "s1", pin: "s1", status: http.StatusOK},
		"the same again":        {secrets: []string{"s0", "s1"}, given: "s1", status: http.StatusOK},
		"another":               {secrets: []string{"s1"}, given: "s2", status: http.StatusForbidden},
		"outside enrolment":     {closed: true, given: "s1", status: http.StatusForbidden},
		"known, outside":        {closed: true, secrets: []string{"s1"}, given: "s1", status: http.StatusForbidden},
		"unprintable":           {given: "s\r\nSet-Cookie: x", status: http.StatusForbidden},
		"too long":              {given: strings.Repeat("s", 257), status: http.StatusForbidden},
		"the longest":           {given: strings.Repeat("s", 256), pin: strings.Repeat("s", 256), status: http.StatusOK},
		"an event":              {status: 0},
		"a signed event":        {given: "s1", signature: "x", status: 0},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			src := dialect.Source{Secrets: test.secrets}
			src.Options.Inbenta.Enrol = !test.closed

			req := post("")
			req.Header.Set(inbenta.SecretHeader, test.given)
			req.Header.Set(inbenta.SignatureHeader, test.signature)

			pin, answer, ok := inbenta.Dialect{}.Handshake(req, src)
			require.Equal(t, test.pin, pin)
			require.Equal(t, test.status, answer.Status)
			require.Equal(t, test.status != 0, ok)

			if test.status == http.StatusOK {
				require.Equal(t, http.Header{"X-Hook-Secret": {test.given}}, answer.Header)
				require.Empty(t, answer.Body)
			} else {
				require.NotContains(t, answer.Header, "X-Hook-Secret")
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	for name, kind := range inbenta.Events() {
		req := post(`{"trigger":"` + name + `","data":{"chatId":"c"}}`)
		answer := inbenta.Dialect{}.Answer(req, source(), dialect.Outcome{Accepted: 1})
		require.Equal(t, http.StatusOK, answer.Status)

		if kind == signals.AssignmentRequested {
			require.Empty(t, answer.Body, "no choice")
		} else {
			require.JSONEq(t, `{"accepted":1,"duplicates":0,"conversations":[]}`, string(answer.Body))
		}

		away := inbenta.Dialect{}.Answer(req, source(), dialect.Outcome{Err: errors.New("full")})
		require.Equal(t, http.StatusServiceUnavailable, away.Status)
	}
}

// TestAsks: a request for an agent is answered with whom the desk chose.
func TestAsks(t *testing.T) {
	t.Parallel()

	asked := func(body string) (dialect.Ask, bool) {
		req := post(body)

		events, err := inbenta.Dialect{}.Decode(req, source())
		require.NoError(t, err)

		return inbenta.Dialect{}.Asks(req, events)
	}

	const assign = `{"trigger":"chats:assign","data":{"chatId":"c","agents":[{"id":7,"capacity":2},{"id":"Ag3nt","skills":["x"]}]}}`

	ask, ok := asked(assign)
	require.True(t, ok)
	require.Equal(t, dialect.Ask{
		Question: dialect.AskAgent, Conversation: "c", Within: 3 * time.Second,
		Candidates: []signals.Candidate{{AgentID: "7", Capacity: new(int64(2))}, {AgentID: "Ag3nt", Skills: []string{"x"}}},
	}, ask)

	for _, body := range []string{
		`{"trigger":"chats:assign","data":{"chatId":"c"}}`,
		`{"trigger":"chats:assign","data":{"chatId":"c","agents":[]}}`,
		`{"trigger":"invitations:new","data":{"chatId":"c","userId":"Ag3nt"}}`,
		`{"trigger":"chats:create","data":{"chatId":"c"}}`,
	} {
		_, ok = asked(body)
		require.False(t, ok, body)
	}

	_, ok = inbenta.Dialect{}.Asks(dialect.Request{}, nil)
	require.False(t, ok)

	answer := inbenta.Dialect{}.Answer(post(assign), source(), dialect.Outcome{Accepted: 1, Found: dialect.Found{Agent: "7"}})
	require.Equal(t, http.StatusOK, answer.Status)
	require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
	require.JSONEq(t, `{"agentId":"7"}`, string(answer.Body))

	nobody := inbenta.Dialect{}.Answer(post(assign), source(), dialect.Outcome{Accepted: 1})
	require.Equal(t, dialect.Response{Status: http.StatusOK}, nobody)
}

func TestAssignAnswer(t *testing.T) {
	t.Parallel()

	for _, test := range []struct{ template, agent, want string }{
		{"", "Ag3ntId01", `{"agentId":"Ag3ntId01"}`},
		{"", "", ""},
		{`{"agent":{"id":"{{agent}}"},"again":"{{agent}}"}`, "7", `{"agent":{"id":"7"},"again":"7"}`},
		{`{{agent}}`, "7", `7`},
	} {
		src := source()
		src.Options.Inbenta.AssignAnswer = test.template
		require.Equal(t, test.want, string(inbenta.AssignAnswer(src, test.agent)))
	}

	hostile := `","admin":true,"x":"` + "\n\\{{agent}}"

	var said struct {
		AgentID string `json:"agentId"`
	}

	require.NoError(t, json.Unmarshal(inbenta.AssignAnswer(source(), hostile), &said))
	require.Equal(t, hostile, said.AgentID)
}

func TestRefusals(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		body   string
		status int
		field  string
	}{
		"cut":               {`{"trigger":"messages:new","da`, http.StatusBadRequest, ""},
		"empty":             {``, http.StatusBadRequest, ""},
		"nested too deep":   {`{"trigger":"x","data":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, http.StatusBadRequest, ""},
		"two values":        {`{"trigger":"x"}{}`, http.StatusBadRequest, ""},
		"an array":          {`[]`, http.StatusUnprocessableEntity, "body"},
		"null":              {`null`, http.StatusUnprocessableEntity, "body"},
		"no trigger":        {`{"data":{"chatId":"c"}}`, http.StatusUnprocessableEntity, "trigger"},
		"no data":           {`{"trigger":"chats:close"}`, http.StatusUnprocessableEntity, "data"},
		"data of a string":  {`{"trigger":"chats:close","data":"c"}`, http.StatusUnprocessableEntity, "data"},
		"no chat":           {`{"trigger":"chats:close","data":{}}`, http.StatusUnprocessableEntity, "data.chatId"},
		"no chat, message":  {`{"trigger":"messages:new","data":{"message":{}}}`, http.StatusUnprocessableEntity, "data.message.chat"},
		"no chat, opening":  {`{"trigger":"chats:create","data":{"chat":{}}}`, http.StatusUnprocessableEntity, "data.chat.id"},
		"chat of an object": {`{"trigger":"chats:close","data":{"chatId":{}}}`, http.StatusUnprocessableEntity, "data.chatId"},
		"nobody joins":      {`{"trigger":"chats:join","data":{"chatId":"c"}}`, http.StatusUnprocessableEntity, "data.userId"},
		"nobody accepts":    {`{"trigger":"invitations:accept","data":{"chatId":"c"}}`, http.StatusUnprocessableEntity, "data.userId"},
		"a long chat": {
			`{"trigger":"chats:close","data":{"chatId":"` + strings.Repeat("c", 1025) + `"}}`, http.StatusUnprocessableEntity, "conversation",
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			events, err := inbenta.Dialect{}.Decode(post(test.body), source())
			require.Error(t, err)
			require.Empty(t, events)
			require.Equal(t, test.status, inbenta.Dialect{}.Refuse(post(test.body), err).Status)

			if test.field != "" {
				var field *signals.FieldError

				require.ErrorAs(t, err, &field)
				require.Equal(t, test.field, field.Field)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()

	message := `{"trigger":"messages:new","data":{"message":{"id":"m1","chat":"c","message":"hi"}},"created_at":1583331000}`
	later := strings.Replace(message, "1583331000", "1583331900", 1)
	require.Equal(t, "m1", decode(t, message).ID)
	require.Equal(t, decode(t, message).ID, decode(t, later).ID, "natural at any time")

	read := `{"trigger":"messages:read","data":{"message":{"id":"m1","chat":"c"}},"created_at":1583331000}`
	require.True(t, signals.IsDerived(decode(t, read).ID), "a read mark is not its message")

	hop := `{"trigger":"chats:assign","data":{"chatId":"c","agents":[{"id":"a","capacity":2}]},"created_at":1583331000}`
	again := "{\n" + `"created_at":1583331000, "data":{"agents":[{"capacity":2,"id":"a"}],"chatId":"c"},"trigger":"chats:assign"}`
	next := strings.Replace(hop, "1583331000", "1583331030", 1)
	require.True(t, signals.IsDerived(decode(t, hop).ID))
	require.Equal(t, decode(t, hop).ID, decode(t, again).ID, "a retry, whatever its layout")
	require.NotEqual(t, decode(t, hop).ID, decode(t, next).ID, "the next hop")

	long := strings.Replace(message, "m1", strings.Repeat("m", 200), 1)
	require.Len(t, decode(t, long).ID, 200)

	_, err := inbenta.Dialect{}.Decode(post(strings.Replace(message, "m1", strings.Repeat("m", 300), 1)), source())
	require.Error(t, err)
}

func TestTimes(t *testing.T) {
	t.Parallel()

	seconds := time.Unix(1583331000, 0).UTC()

	for said, want := range map[string]time.Time{
		`1583331000`:             seconds,
		`1583331000123`:          seconds.Add(123 * time.Millisecond),
		`1583331000.5`:           seconds.Add(500 * time.Millisecond),
		`"1583331000"`:           seconds,
		`"2020-03-04T14:10:00Z"`: seconds,
		`"noon"`:                 received(),
		`null`:                   received(),
		`0`:                      received(),
		`-1`:                     received(),
		`99999999999`:            received(),
		`999999999999999999`:     received(),
		`1e300`:                  received(),
		`{}`:                     received(),
	} {
		event := decode(t, `{"trigger":"forever:alone","data":{"chatId":"c"},"created_at":`+said+`}`)
		require.Equal(t, want, event.At, said)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()

	role := func(body string) signals.Role {
		event := decode(t, body)
		require.NotNil(t, event.Actor, body)

		return event.Actor.Role
	}
	message := func(sender string) string {
		return `{"trigger":"messages:new","data":{"message":{"id":"m","chat":"c","sender":` + sender + `,"message":"x"}}}`
	}

	require.Equal(t, signals.RoleUnknown, role(message(`"u"`)), "nothing proves it")
	require.Equal(t, signals.RoleAgent, role(message(`{"id":"u","providerId":"7"}`)))
	require.Equal(t, signals.RoleAgent, role(message(`{"id":"u","providerId":7}`)))
	require.Equal(t, signals.RoleUnknown, role(message(`{"id":"u","providerId":""}`)))
	require.Equal(t, signals.RoleSystem, role(message(`"system"`)))
	require.Equal(t, signals.RoleBot, role(message(`"assistant"`)))
	require.Equal(t, signals.RoleVisitor, role(`{"trigger":"queues:update","data":{"chatId":"c","userId":"u","data":{"queuePosition":1}}}`))
	require.Equal(t, signals.RoleAgent, role(`{"trigger":"invitations:accept","data":{"chatId":"c","userId":"u"}}`))
	require.Equal(t, signals.RoleVisitor, role(`{"trigger":"chats:leave","data":{"chat":{"id":"c","creator":"u"},"userId":"u"}}`))
	require.Equal(t, signals.RoleUnknown, role(`{"trigger":"users:activity","data":{"chatId":"c","userId":"u","type":"writing"}}`))
}

func TestActivities(t *testing.T) {
	t.Parallel()

	states := map[string]string{
		"leave": "away", "left": "away", "user-left": "away", "Leaving": "away", "disconnected": "away", "offline": "away",
		"reconnect": "back", "reconnected": "back", "back": "back", "online": "back",
		"writing": "", "not-writing": "", "stop-writing": "", "background": "", "": "",
	}

	activity := func(said string, src dialect.Source) signals.Event {
		events, err := inbenta.Dialect{}.Decode(post(`{"trigger":"users:activity","data":{"chatId":"c","type":"`+said+`"}}`), src)
		require.NoError(t, err)

		return events[0]
	}

	for said, want := range states {
		event := activity(said, source())

		if want == "" {
			require.Equal(t, signals.TypingChanged, event.Type, said)
			require.Equal(t, said == "writing", event.Typing.On, said)
		} else {
			require.Equal(t, signals.PresenceChanged, event.Type, said)
			require.Equal(t, signals.Presence{State: want, PlatformType: said}, *event.Presence)
		}
	}

	src := source()
	src.Options.Inbenta.LeaveActivity = "gone"
	require.Equal(t, signals.PresenceChanged, activity("gone", src).Type)
	require.Equal(t, signals.TypingChanged, activity("leave", src).Type)
}

func TestUnknownIsKept(t *testing.T) {
	t.Parallel()

	for body, conversation := range map[string]string{
		`{"trigger":"chats:sing","data":{"chatId":"c","x":[1,2]},"more":1}`:              "c",
		`{"trigger":"chats:sing","data":{"chat":{"id":"c"}}}`:                            "c",
		`{"trigger":"chats:sing","data":[1]}`:                                            "",
		`{"trigger":"chats:sing"}`:                                                       "",
		`{"trigger":"system:info","data":{"data":{"ticketId":"7"}}}`:                     "",
		`{"trigger":"chats:sing","data":{"chatId":"` + strings.Repeat("c", 2000) + `"}}`: "",
	} {
		event := decode(t, body)
		require.Equal(t, signals.Unknown, event.Type)
		require.Equal(t, conversation, event.Conversation)
		require.JSONEq(t, body, string(event.Raw))

		_, err := inbenta.Dialect{}.Encode(event)
		require.ErrorIs(t, err, dialect.ErrNotEncodable)
	}
}

func TestFlatMessagesAreRead(t *testing.T) {
	t.Parallel()

	event := decode(t, `{"trigger":"messages:new","data":{"id":"m1","chat":"c","sender":"u","type":"text","message":"hi"}}`)
	require.Equal(t, "m1", event.ID)
	require.Equal(t, "c", event.Conversation)
	require.Equal(t, "u", event.Actor.ID)
	require.Equal(t, "hi", event.Message.Text)

	event = decode(t, `{"trigger":"messages:new","data":{"id":"m2","chatId":"c","userId":"u","type":"media","message":{"url":"/m"}}}`)
	require.Equal(t, "m2", event.ID)
	require.Equal(t, "/m", event.Message.File.URL)

	data, ok := encode(t, event)["data"].(map[string]any)
	require.True(t, ok)
	require.Equal(t, map[string]any{"message": map[string]any{
		"id": "m2", "chat": "c", "sender": "u", "type": "media", "message": map[string]any{"url": "/m"},
	}}, data, "as the published form")
}

func TestSecretsAreCutOut(t *testing.T) {
	t.Parallel()

	event := decode(t, `{"trigger":"chats:join","secret":"x1","data":{"chatId":"c","user":{"id":"u","name":"the token","s\u0065cret":"x2",
		"list":[{"x-hyper-secret":"x3"}]},"session":{"Token":"x4","access_token":"x5"}},"created_at":1583331000}`)

	raw, err := json.Marshal(event)
	require.NoError(t, err)

	for _, value := range []string{"x1", "x2", "x3", "x4", "x5"} {
		require.NotContains(t, string(raw), `"`+value+`"`)
	}

	require.Equal(t, "the token", event.Participant.Name)
}

func TestRestIsBounded(t *testing.T) {
	t.Parallel()

	body := `{"trigger":"chats:close","data":{"chatId":"c","userId":"u","extra":"` + strings.Repeat("x", 20<<10) + `"}}`
	event := decode(t, body)
	require.Nil(t, event.Platform.ChatProperties)
	require.JSONEq(t, body, string(event.Raw))
	require.Equal(t, "u", event.Closing.ByID)
}

func FuzzDecode(f *testing.F) {
	for _, sample := range allFixtures(f) {
		f.Add(sample.Body)
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		req := post(string(body))

		events, err := inbenta.Dialect{}.Decode(req, source())
		if err != nil {
			require.Contains(t, []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, inbenta.Dialect{}.Refuse(req, err).Status, err)

			return
		}

		require.Len(t, events, 1)
		require.NoError(t, events[0].Validate())
		require.True(t, events[0].Type.Incoming())
		require.True(t, json.Valid(events[0].Raw))
		require.Equal(t, http.StatusOK, inbenta.Dialect{}.Answer(req, source(), dialect.Outcome{}).Status)

		encoded, err := inbenta.Dialect{}.Encode(dialecttest.Kept(t, events[0])[0])
		if err != nil {
			require.ErrorIs(t, err, dialect.ErrNotEncodable)
			require.Contains(t, []signals.Type{signals.Unknown, signals.MessageReceived}, events[0].Type)

			return
		}

		back := decode(t, string(encoded))
		require.Equal(t, events[0].Type, back.Type)
		require.Equal(t, events[0].Conversation, back.Conversation)
	})
}

func FuzzVerify(f *testing.F) {
	for _, sample := range allFixtures(f) {
		f.Add(sign(sample.Body), sample.Body)
		f.Add("", sample.Body)
	}

	f.Fuzz(func(t *testing.T, header string, body []byte) {
		req := post(string(body))
		req.Header[inbenta.SignatureHeader] = []string{header}

		if (inbenta.Dialect{}).Verify(req, dialect.Source{Secrets: []string{secret}}) != nil {
			return
		}

		good := sign(body)
		sum, err := hex.DecodeString(good)
		require.NoError(t, err)
		require.Contains(t, []string{good, base64.StdEncoding.EncodeToString(sum)}, strings.TrimSpace(header), "a forgery")
	})
}

func BenchmarkDecode(b *testing.B) {
	samples := allFixtures(b)
	bytes := 0

	for _, sample := range samples {
		bytes += len(sample.Body)
	}

	b.SetBytes(int64(bytes / len(samples)))
	b.ReportAllocs()

	for i := 0; b.Loop(); i++ {
		if _, err := (inbenta.Dialect{}).Decode(post(string(samples[i%len(samples)].Body)), source()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	req := post(string(allFixtures(b)[0].Body))
	req.Header.Set(inbenta.SignatureHeader, sign(req.Body))
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()

	for b.Loop() {
		if err := (inbenta.Dialect{}).Verify(req, signed()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	event := decode(b, string(allFixtures(b)[0].Body))
	b.ReportAllocs()

	for b.Loop() {
		if _, err := (inbenta.Dialect{}).Encode(event); err != nil {
			b.Fatal(err)
		}
	}
}
