package acquire_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/tests/dialecttest"
)

const (
	signedBody = `{"event":"user:case-invite","data":{"caseId":"72","userId":"1","text":"<&> é \u2028"}}`
	legacyBody = `{"event":"CHAT_ON_CLOSE","id":"1"}`
)

func mac(body, secret string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(body))

	return hex.EncodeToString(h.Sum(nil))
}

func signedWith(body, signature string) dialect.Request {
	req := post(body)
	req.Header.Set("X-Acquire-Signature", signature)

	return req
}

func TestVerify(t *testing.T) {
	t.Parallel()

	pretty := "{\n  " + strings.ReplaceAll(signedBody[1:], `,"`, `, "`) + "\n"

	tests := []struct {
		name    string
		req     dialect.Request
		secrets []string
		want    error
		says    string
	}{
		{name: "no secret configured", req: post(signedBody)},
		{name: "no secret configured, version 1", req: post(legacyBody)},
		{name: "over the raw body", req: signedWith(signedBody, mac(signedBody, "new")), secrets: []string{"new"}},
		{name: "while it rotates", req: signedWith(signedBody, mac(signedBody, "new")), secrets: []string{"old", "new"}},
		{name: "the same one twice", req: signedWith(signedBody, mac(signedBody, "new")), secrets: []string{"new", "new"}},
		{name: "over the raw body with blanks", req: signedWith(pretty, mac(pretty, "new")), secrets: []string{"new"}},
		{name: "over the compacted body", req: signedWith(pretty, mac(signedBody, "new")), secrets: []string{"new"}},
		{
			name: "over blanks that did not come", req: signedWith(signedBody, mac(pretty, "new")), secrets: []string{"new"},
			want: dialect.ErrUnauthorized,
		},
		{name: "wrong secret", req: signedWith(signedBody, mac(signedBody, "x")), secrets: []string{"new"}, want: dialect.ErrUnauthorized},
		{
			name: "truncated body", req: signedWith(signedBody[:20], mac(signedBody, "new")), secrets: []string{"new"},
			want: dialect.ErrUnauthorized,
		},
		{
			name: "truncated signature", req: signedWith(signedBody, mac(signedBody, "new")[:62]), secrets: []string{"new"},
			want: dialect.ErrUnauthorized,
		},
		{
			name: "upper case", req: signedWith(signedBody, strings.ToUpper(mac(signedBody, "new"))), secrets: []string{"new"},
			want: dialect.ErrUnauthorized,
		},
		{
			name: "an empty secret never matches", req: signedWith(signedBody, mac(signedBody, "")), secrets: []string{""},
			want: dialect.ErrUnauthorized,
		},
		{name: "no signature", req: post(signedBody), secrets: []string{"new"}, want: dialect.ErrNotSigned, says: "X-Acquire-Signature"},
		{name: "version 1", req: post(legacyBody), secrets: []string{"new"}, want: dialect.ErrNotSigned, says: "know no signature"},
		{
			name: "version 1 with one", req: signedWith(legacyBody, mac(legacyBody, "new")), secrets: []string{"new"},
			want: dialect.ErrNotSigned, says: "know no signature",
		},
		{
			name: "version 1, written otherwise", req: post(`{"event":"\u0043HAT_ON_CLOSE","id":"1"}`), secrets: []string{"new"},
			want: dialect.ErrNotSigned, says: "know no signature",
		},
		{name: "a form", req: signedWith("a=b", mac("a=b", "new")), secrets: []string{"new"}},
		{name: "a form without", req: post("a=b"), secrets: []string{"new"}, want: dialect.ErrNotSigned},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			err := acquire.Dialect{}.Verify(test.req, dialect.Source{Secrets: test.secrets})
			if test.want == nil {
				require.NoError(t, err)

				return
			}

			require.ErrorIs(t, err, test.want)

			answer := acquire.Dialect{}.Refuse(test.req, err)
			require.Equal(t, http.StatusUnauthorized, answer.Status)
			require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
			require.Contains(t, string(answer.Body), test.says)
			require.NotContains(t, string(answer.Body), "new1")
		})
	}
}

func TestVerifiesWhatOthersComputed(t *testing.T) {
	t.Parallel()

	vectors := dialecttest.Vectors(t, filepath.Join(dialecttest.Fixtures, "sign-vectors.json"))

	var pretty bytes.Buffer

	require.NoError(t, json.Indent(&pretty, []byte(vectors[0].Body), "", "\t"))

	for _, body := range []string{vectors[0].Body, pretty.String()} {
		req := post(body)
		req.Header.Set(vectors[0].Header, vectors[0].Signature)
		require.NoError(t, acquire.Dialect{}.Verify(req, dialect.Source{Secrets: []string{vectors[0].Secret}}))
	}
}

func TestRefusesBadBodies(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, body string
		field      string // empty: malformed
	}{
		{name: "truncated", body: `{"event":"case:status","data":{"caseId":"72"`},
		{name: "truncated list", body: `[{"event":`},
		{name: "empty", body: ``},
		{name: "blank", body: " \n"},
		{name: "no object", body: `[1]`, field: "body"},
		{name: "null", body: `null`, field: "body"},
		{name: "no event", body: `{"data":{}}`, field: "event"},
		{name: "empty event", body: `{"event":"","data":{}}`, field: "event"},
		{name: "event a number", body: `{"event":1}`, field: "event"},
		{name: "no data", body: `{"event":"case:status"}`, field: "data"},
		{name: "data no object", body: `{"event":"case:status","data":[]}`, field: "data"},
		{name: "no case", body: `{"event":"case:status","data":{"status":"active"}}`, field: "data.caseId"},
		{name: "no status", body: `{"event":"case:status","data":{"caseId":"1"}}`, field: "data.status"},
		{name: "no chat", body: `{"event":"CHAT_ON_CLOSE"}`, field: "id"},
		{name: "no chat but null", body: `{"event":"CHAT_ON_CLOSE","id":"null"}`, field: "id"},
		{
			name: "case too long", field: "conversation",
			body: `{"event":"case:status","data":{"status":"active","caseId":"` + strings.Repeat("7", 1025) + `"}}`,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			req := post(test.body)
			events, err := acquire.Dialect{}.Decode(req, source())
			require.Error(t, err)
			require.Nil(t, events)

			answer := acquire.Dialect{}.Refuse(req, err)

			var problem struct {
				Field  string `json:"field"`
				Status int    `json:"status"`
			}

			require.NoError(t, json.Unmarshal(answer.Body, &problem))
			require.Equal(t, answer.Status, problem.Status)
			require.Equal(t, test.field, problem.Field)

			if test.field == "" {
				require.ErrorIs(t, err, dialect.ErrMalformed)
				require.Equal(t, http.StatusBadRequest, answer.Status)
			} else {
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status)
			}
		})
	}

	away := acquire.Dialect{}.Refuse(post(""), errors.New("away"))
	require.Equal(t, http.StatusServiceUnavailable, away.Status)
	require.NotEmpty(t, away.Header.Get("Retry-After"))
}

func TestEveryEventHasAMeaning(t *testing.T) {
	t.Parallel()

	for name, want := range acquire.Events() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			event, status, _ := strings.Cut(name, " ")
			events := decode(t, `{"event":"`+event+`","data":{"id":"1","caseId":"1","userId":"2","status":"`+status+`","message":"x"}}`)
			require.Equal(t, want, events[0].Type)
			require.Equal(t, event, events[0].Platform.Event)
		})
	}

	for _, line := range []string{"pending>open", "active>active", "queue>queued", "snoozed>"} {
		word, to, _ := strings.Cut(line, ">")
		event := one(t, `{"event":"case:status","data":{"caseId":"1","status":"`+word+`"}}`)
		require.Equal(t, &signals.StatusChange{To: to, PlatformStatus: word}, event.Status)
	}
}

func TestNamesAreSettings(t *testing.T) {
	t.Parallel()

	src := source()
	src.Options.Acquire = dialect.AcquireOptions{CaseNew: "case:created", AgentStatus: "agent:status"}

	for name, want := range map[string]signals.Type{
		"case:created": signals.ConversationOpened, "agent:status": signals.AgentStatusChanged,
		"case:new": signals.Unknown, "user:status": signals.Unknown,
	} {
		events, err := acquire.Dialect{}.Decode(post(`{"event":"`+name+`","data":{"caseId":"1","userId":"2"}}`), src)
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Equal(t, want, events[0].Type, name)

		if want != signals.Unknown {
			body, err := acquire.Dialect{}.Encode(events[0])
			require.NoError(t, err)
			require.Equal(t, name, tree(t, body)["event"])
		}
	}
}

func TestUnknownIsKept(t *testing.T) {
	t.Parallel()

	for body, conversation := range map[string]string{
		`{"event":"case:snoozed","data":{"caseId":72,"x":1}}`:                 "72",
		`{"event":"case:snoozed","data":{"case":{"id":"72"}}}`:                "72",
		`{"event":"company:new","data":[1]}`:                                  "",
		`{"event":"company:new"}`:                                             "",
		`{"event":"CHAT_ON_RATE","id":"104111"}`:                              "104111",
		`{"event":"CHAT_ON_MESSAGE","id":"1","message":"null"}`:               "1",
		`{"event":"case:message:new","data":{"caseId":"72"}}`:                 "72",
		`{"event":"case:message:new","data":{"message":"lost"}}`:              "",
		`{"event":"user:case-joined","data":{"caseId":"72"}}`:                 "72",
		`{"event":"user:case-invite","data":{"userId":"1"}}`:                  "",
		`{"event":"user:status","data":{"status":"available"}}`:               "",
		`{"event":"case:new","data":{"contact":{"id":"5"}}}`:                  "",
		`{"event":"case:new","data":"72"}`:                                    "",
		`{"event":"x","data":{"caseId":"` + strings.Repeat("7", 1025) + `"}}`: "",
	} {
		event := one(t, body)
		require.Equal(t, signals.Unknown, event.Type, body)
		require.Equal(t, conversation, event.Conversation, body)
		require.JSONEq(t, body, string(event.Raw))
		require.True(t, signals.IsDerived(event.ID))

		_, err := acquire.Dialect{}.Encode(event)
		require.ErrorIs(t, err, dialect.ErrNotEncodable)
	}
}

func TestSecretsAreCutOut(t *testing.T) {
	t.Parallel()

	const body = `{"event":"case:status","hmacKey":"tops3cret","data":{"caseId":"1","status":"active","webhook":[{"HMACKey":"tops3cret"}],
		"messages":[{"id":"1","message":"hi","n":12345678901234567890,"secret_key":"tops3cret"}],"\u0073ecret":"tops3cret"}}`

	events := decode(t, body)
	require.Len(t, events, 2)

	raw, err := json.Marshal(events)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "tops3cret")
	require.Contains(t, string(events[1].Raw), "12345678901234567890", "numbers stay exact")

	// It is no part of the id, so that a rotation makes no new event.
	require.Equal(t, events[1].ID, decode(t, strings.ReplaceAll(body, "tops3cret", "other"))[1].ID)

	event := one(t, "a=b&hmacKey=tops3cret&hmac%4Bey=tops3cret&c=d")
	require.JSONEq(t, `{"format":"a form","body":"a=b&c=d"}`, string(event.Raw))
}

func TestOtherFormatsAreRecorded(t *testing.T) {
	t.Parallel()

	tests := []struct{ media, body, says string }{
		{"application/x-www-form-urlencoded", "event=case%3Astatus&data=1", "a form"},
		{"application/xml", "<event>case:status</event>", "XML"},
		{"text/xml; charset=utf-8", "<event>\xff</event>", "XML"},
	}

	for _, test := range tests {
		req := post(test.body)
		req.Header.Set("Content-Type", test.media)

		events, err := acquire.Dialect{}.Decode(req, source())
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Equal(t, signals.Unknown, events[0].Type)
		require.Empty(t, events[0].Conversation)
		require.True(t, signals.IsDerived(events[0].ID))
		require.True(t, json.Valid(events[0].Raw))
		require.Equal(t, received(), events[0].At)

		answer := acquire.Dialect{}.Answer(req, source(), dialect.Outcome{Accepted: 1})
		require.Equal(t, http.StatusOK, answer.Status)
		require.Equal(t, `{"accepted":1,"duplicates":0,"notice":"the body is `+test.says+
			`, which is recorded but not understood: set the webhook's format to application/json"}`, string(answer.Body))
	}

	// Neither is a body that is not JSON without saying what else it is.
	req := post("event=1")
	req.Header.Set("Content-Type", "application/json")

	_, err := acquire.Dialect{}.Decode(req, source())
	require.ErrorIs(t, err, dialect.ErrMalformed)
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	answer := acquire.Dialect{}.Answer(post(signedBody), source(), dialect.Outcome{
		Accepted: 2, Duplicates: 1, Conversations: []string{"/v1/conversations/acquire/72"},
	})
	require.Equal(t, http.StatusOK, answer.Status)
	require.JSONEq(t, `{"accepted":2,"duplicates":1,"conversations":["/v1/conversations/acquire/72"]}`, string(answer.Body))

	for _, body := range []string{signedBody, "a=b"} {
		answer = acquire.Dialect{}.Answer(post(body), source(), dialect.Outcome{Err: errors.New("away")})
		require.Equal(t, http.StatusServiceUnavailable, answer.Status)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()

	body := func(status string, ids ...string) string {
		var messages []string
		for _, id := range ids {
			messages = append(messages, `{"id":"`+id+`","type":"message","message":"m`+id+`"}`)
		}

		return `{"event":"case:status","data":{"caseId":"72","status":"` + status + `","messages":[` + strings.Join(messages, ",") + `]}}`
	}

	// A message has the platform's id, in every webhook that brings it.
	active, closed := decode(t, body("active", "1")), decode(t, body("closed", "1", "2"))
	require.Equal(t, "1", active[0].ID)
	require.Equal(t, active[0].ID, closed[0].ID)
	require.Equal(t, "2", closed[1].ID)
	require.Equal(t, "1", one(t, `{"event":"case:message:new","data":{"caseId":"72","message":{"id":1,"message":"m1"}}}`).ID)

	// A change is known by its content, however it is laid out.
	require.True(t, signals.IsDerived(active[1].ID))
	require.Equal(t, active[1].ID, decode(t, body("active", "1"))[1].ID)
	require.Equal(t, active[1].ID, decode(t, strings.ReplaceAll(body("active", "1"), `":`, `" : `))[1].ID)
	require.NotEqual(t, active[1].ID, closed[2].ID)
	require.NotEqual(t, active[1].ID, decode(t, body("active", "1", "2"))[2].ID)

	// What cannot be an id of its own is derived.
	for _, id := range []string{`""`, `null`, `"h:1"`, `"` + strings.Repeat("7", 256) + `"`} {
		event := one(t, `{"event":"case:message:new","data":{"caseId":"72","message":{"id":`+id+`,"message":"x"}}}`)
		require.True(t, signals.IsDerived(event.ID))
		require.Empty(t, event.Message.ID)
	}

	require.Equal(t, "9", one(t, `{"event":"CHAT_ON_MESSAGE","id":"1","message":{"id":9,"msg":"x"}}`).ID)
}

func TestRolesNeedProof(t *testing.T) {
	t.Parallel()

	src := source()
	src.Bots = []string{"9"}

	for sender, want := range map[string]*signals.Actor{
		`"senderId":"5","senderType":"contact"`: {ID: "contact-5", Role: signals.RoleVisitor, Name: "Ann", Email: "ann@example.com"},
		`"senderId":"6","senderType":"contact"`: {ID: "contact-6", Role: signals.RoleVisitor},
		`"senderId":5,"senderType":"user"`:      {ID: "5", Role: signals.RoleAgent},
		`"senderId":"9","senderType":"user"`:    {ID: "9", Role: signals.RoleBot},
		`"senderId":"5","senderType":"bot"`:     {ID: "5", Role: signals.RoleUnknown},
		`"senderId":"5"`:                        {ID: "5", Role: signals.RoleUnknown},
		`"senderType":"contact"`:                {Role: signals.RoleVisitor},
		`"x":1`:                                 nil,
	} {
		body := `{"event":"case:message:new","data":{"caseId":"72","contact":{"id":"5","fields":{"name":"Ann","email":"ann@example.com"}},
			"message":{"id":"1","message":"x",` + sender + `}}}`
		events, err := acquire.Dialect{}.Decode(post(body), src)
		require.NoError(t, err)
		require.Equal(t, want, events[0].Actor, sender)

		back, err := acquire.Dialect{}.Encode(dialecttest.Kept(t, events...)[0])
		require.NoError(t, err)

		message := tree(t, back)["data"].(map[string]any)["message"].(map[string]any)
		sent := tree(t, []byte("{"+sender+"}"))
		require.Equal(t, sent["senderType"], message["senderType"])
		require.Equal(t, sent["senderId"], message["senderId"])
	}

	// Two who are both unnamed are not the same.
	event := one(t, `{"event":"case:message:new","data":{"caseId":"72","contact":{"email":"ann@example.com"},
		"message":{"id":"1","message":"x","senderType":"contact"}}}`)
	require.Equal(t, &signals.Actor{Role: signals.RoleVisitor}, event.Actor)

	for by, want := range map[string]signals.Closing{
		"agent-15111":   {ByID: "15111", ByRole: signals.RoleAgent},
		"visitor-61111": {ByID: "visitor-61111", ByRole: signals.RoleVisitor},
		"timeout":       {ByRole: signals.RoleUnknown},
		"agent-":        {ByRole: signals.RoleUnknown},
		"null":          {ByRole: signals.RoleUnknown},
	} {
		event := one(t, `{"event":"CHAT_ON_CLOSE","id":"1","status":"active","by":"`+by+`"}`)
		require.Equal(t, signals.ConversationClosed, event.Type)
		require.Equal(t, &want, event.Closing, by)

		back, err := acquire.Dialect{}.Encode(event)
		require.NoError(t, err)
		require.Equal(t, by, tree(t, back)["by"])
	}
}

func TestDates(t *testing.T) {
	t.Parallel()

	at := time.Date(2021, 3, 3, 10, 19, 49, 0, time.UTC)

	for date, want := range map[string]time.Time{
		"Wed Mar 03 2021 10:19:49 GMT+0000 (Coordinated Universal Time)": at,
		"Wed Mar 03 2021 15:49:49 GMT+0530 (India Standard Time)":        at,
		"Wed Mar 03 2021 10:19:49 GMT+0000":                              at,
		"2021-03-03T10:19:49Z":                                           at,
		"2021-03-03 12:19:49":                                            at, // the source's zone
		"noon":                                                           received(),
		"Wed Mar 03 1999 10:19:49 GMT+0000 (Coordinated Universal Time)": received(),
		"Wed Mar 03 2100 10:19:49 GMT+0000 (Coordinated Universal Time)": received(),
	} {
		event := one(t, `{"event":"case:message:new","data":{"caseId":"72","message":{"id":"1","message":"x","dateCreated":"`+date+`"}}}`)
		require.Equal(t, want, event.At, date)

		back, err := acquire.Dialect{}.Encode(event)
		require.NoError(t, err)
		require.Equal(t, date, tree(t, back)["data"].(map[string]any)["message"].(map[string]any)["dateCreated"])
	}

	// A change of status is as new as its newest message; one without a date is
	// no newer than the change.
	events := decode(t, `{"event":"case:status","data":{"caseId":"72","status":"closed","messages":[
		{"id":"1","message":"x"},{"id":"2","message":"x","dateCreated":"2021-03-03T10:19:49Z"},{"id":"3","message":"x"}]}}`)
	require.Len(t, events, 4)

	for i := range events {
		require.Equal(t, at, events[i].At)
	}

	require.Equal(t, signals.ConversationClosed, events[3].Type)
	require.Equal(t, received(), one(t, `{"event":"case:status","data":{"caseId":"72","status":"closed"}}`).At)
}

func TestLongTranscriptsAreBounded(t *testing.T) {
	t.Parallel()

	messages := make([]string, 0, acquire.MaxTranscript+3)
	for i := range acquire.MaxTranscript + 3 {
		messages = append(messages, fmt.Sprintf(`{"id":"%d","message":"x"}`, i))
	}

	events := decode(t, `{"event":"case:status","data":{"caseId":"72","status":"active","messages":[`+strings.Join(messages, ",")+`]}}`)
	require.Len(t, events, acquire.MaxTranscript+2)
	require.Equal(t, acquire.NoteTranscriptCut, events[0].Note.Kind)
	require.Contains(t, events[0].Note.Text, "3 older")
	require.Equal(t, "3", events[1].ID, "the newest stay")

	size := 0
	for i := range events {
		size += len(events[i].Raw)
	}

	require.Less(t, size, 4*len(strings.Join(messages, ",")), "raw text does not multiply")
}

func TestMessageKinds(t *testing.T) {
	t.Parallel()

	for word, want := range map[string]signals.MessageKind{
		`"message"`: signals.KindText, `"text"`: signals.KindText, `""`: signals.KindText, `null`: signals.KindText,
		`"file"`: signals.KindFile, `"image"`: signals.KindFile, `"cobrowse"`: signals.KindCustom,
	} {
		event := one(t, `{"event":"case:message:new","data":{"caseId":"72","message":{"id":"1","message":"null","type":`+word+`}}}`)
		require.Equal(t, want, event.Message.Kind, word)
		require.Equal(t, "null", event.Message.Text, "a visitor may write so")
	}

	event := one(t, `{"event":"CHAT_ON_MESSAGE","id":"1","message":"{\"type\":\"event\",\"msg\":\"joined\"}"}`)
	require.Equal(t, signals.SystemNoted, event.Type)
	require.Equal(t, "joined", event.Note.Text)

	const plain = `{"event":"CHAT_ON_MESSAGE","id":"1","message":"hello"}`

	event = one(t, plain)
	require.Equal(t, "hello", event.Message.Text)

	back, err := acquire.Dialect{}.Encode(event)
	require.NoError(t, err)
	require.JSONEq(t, plain, string(back))
}

func TestAgentStatus(t *testing.T) {
	t.Parallel()

	on, off := true, false

	for data, want := range map[string]signals.Agent{
		`"status":"available"`:   {Status: signals.AgentAccepting, PlatformStatus: "available"},
		`"status":"unavailable"`: {Status: signals.AgentNotAccepting, PlatformStatus: "unavailable"},
		`"status":"lunch"`:       {PlatformStatus: "lunch"},
		`"status":"Chat"`:        {Channels: &signals.AgentChannels{Chat: &on}},
		`"status":["available","VOIP"]`: {
			Status: signals.AgentAccepting, PlatformStatus: "available", Channels: &signals.AgentChannels{VOIP: &on},
		},
		`"channels":{"chat":"on","email":0,"voip":7}`: {Channels: &signals.AgentChannels{Chat: &on, Email: &off}},
	} {
		want.ID = "1"
		event := one(t, `{"event":"user:status","data":{"id":"1",`+data+`}}`)
		require.Equal(t, &want, event.Agent, data)

		back, err := acquire.Dialect{}.Encode(event)
		require.NoError(t, err)
		require.JSONEq(t, `{"event":"user:status","data":{"id":"1",`+data+`}}`, string(back))
	}
}
