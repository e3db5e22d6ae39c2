package pypestream_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/pypestream"
	"github.com/parleyhq/parley/tests/dialecttest"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestVerify(t *testing.T) {
	t.Parallel()

	const (
		auth  = "Authorization"
		token = "X-Pypestream-Token"
		own   = "X-Callback"
	)

	both := []string{"old", "new"}

	tests := []struct {
		name    string
		header  http.Header
		secrets []string
		option  string
		want    error
	}{
		{name: "no secret configured"},
		{name: "none given", secrets: both, want: dialect.ErrNotSigned},
		{name: "bearer", header: http.Header{auth: {"Bearer new"}}, secrets: both},
		{name: "bearer, another case", header: http.Header{auth: {"bearer  old "}}, secrets: both},
		{name: "wrong bearer", header: http.Header{auth: {"Bearer newer"}}, secrets: both, want: dialect.ErrUnauthorized},
		{name: "prefix", header: http.Header{auth: {"Bearer ne"}}, secrets: both, want: dialect.ErrUnauthorized},
		{name: "no scheme", header: http.Header{auth: {"new"}}, secrets: both, want: dialect.ErrNotSigned},
		{name: "another scheme", header: http.Header{auth: {"Digest new"}}, secrets: both, want: dialect.ErrNotSigned},
		{name: "basic", header: http.Header{auth: {basic("anybody", "new")}}, secrets: both},
		{name: "basic with a colon", header: http.Header{auth: {basic("", "a:b")}}, secrets: []string{"a:b"}},
		{name: "basic user", header: http.Header{auth: {basic("new", "x")}}, secrets: both, want: dialect.ErrUnauthorized},
		{name: "basic, no base64", header: http.Header{auth: {"Basic ???"}}, secrets: both, want: dialect.ErrNotSigned},
		{name: "token", header: http.Header{token: {"new"}}, secrets: both},
		{name: "wrong token", header: http.Header{token: {"x"}}, secrets: both, want: dialect.ErrUnauthorized},
		{name: "one of two", header: http.Header{token: {"new"}, auth: {"Bearer theirs"}}, secrets: both},
		{name: "empty never matches", header: http.Header{auth: {"Bearer "}, token: {""}}, secrets: []string{""}, want: dialect.ErrNotSigned},
		{name: "own header", header: http.Header{own: {"new"}}, secrets: both, option: "x-callback"},
		{name: "own header, bearer", header: http.Header{own: {"Bearer new"}}, secrets: both, option: own},
		{name: "own header, basic", header: http.Header{own: {basic("u", "new")}}, secrets: both, option: own},
		{name: "own header, wrong", header: http.Header{own: {"x"}}, secrets: both, option: own, want: dialect.ErrUnauthorized},
		{name: "own header only", header: http.Header{auth: {"Bearer new"}}, secrets: both, option: own, want: dialect.ErrNotSigned},
		{name: "own is authorization", header: http.Header{auth: {"new"}}, secrets: both, option: auth},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			src := dialect.Source{Secrets: test.secrets}
			src.Options.Pypestream.TokenHeader = test.option

			req := dialect.Request{Header: test.header}

			err := pypestream.Dialect{}.Verify(req, src)
			if test.want == nil {
				require.NoError(t, err)

				return
			}

			require.ErrorIs(t, err, test.want)

			answer := pypestream.Dialect{}.Refuse(req, err)
			require.Equal(t, http.StatusUnauthorized, answer.Status)
			require.JSONEq(t, `{"message":"Unauthorized","errors":[{"source":"header","type":"unauthorized","message":"`+
				test.want.Error()+`"}]}`, string(answer.Body))
		})
	}
}

func TestSecretsAreCutOut(t *testing.T) {
	t.Parallel()

	src := source()
	src.Secrets = []string{"tops3cret"}

	var settings map[string]any

	raw, err := os.ReadFile(filepath.Join(dialecttest.Fixtures, "settings.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &settings))

	settings["nested"] = []any{map[string]any{"X-Pypestream-Customer": "tops3cret", "callback_token": "x", "kept": "a tops3cret b"}}
	settings["integrationFields"] = map[string]any{"password": "hunter2"}
	raw, err = json.Marshal(settings)
	require.NoError(t, err)

	req := call(http.MethodPut, "/settings/tops3cret", string(raw))
	req.Query = query(t, "token=tops3cret&x=tops3cret&y=1")
	req.Header.Set("X-Pypestream-Integration", "Flex tops3cret")

	event := one(t, req, src)
	require.Equal(t, signals.Unknown, event.Type)

	kept, err := json.Marshal(event)
	require.NoError(t, err)

	for _, secret := range []string{"tops3cret", "hunter2", "abc", "eyJrZXkiOi"} {
		require.NotContains(t, string(kept), secret)
	}

	require.JSONEq(t, `{"body":{"callbackURL":"http://my-computer.ngrok.com","integrationName":"ServiceNow",
		"nested":[{"kept":"a [secret] b"}]},"query":{"x":["[secret]"],"y":["1"]}}`, string(event.Raw))

	// A rotation makes no new event.
	src.Secrets = []string{"other"}
	rotated := call(http.MethodPut, "/settings/other", strings.ReplaceAll(string(raw), "tops3cret", "other"))
	rotated.Query = query(t, "token=other&x=other&y=1")
	require.Equal(t, event.ID, one(t, rotated, src).ID)
}

func TestUnknownPathsAreKept(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, method, path string
		conversation       string
	}{
		{name: "nothing", method: http.MethodPost},
		{name: "elsewhere", method: http.MethodPost, path: "/hello"},
		{name: "base", method: http.MethodPost, path: "/contactCenter/v1"},
		{name: "agents", method: http.MethodGet, path: "/contactCenter/v1/agents/moods"},
		{name: "agents, another method", method: http.MethodPut, path: "/contactCenter/v1/agents/availability"},
		{name: "agents, more", method: http.MethodGet, path: "/contactCenter/v1/agents/availability/x"},
		{name: "conversation", method: http.MethodGet, path: "/contactCenter/v1/conversations/c1", conversation: "c1"},
		{name: "new event", method: http.MethodPost, path: "/contactCenter/v1/conversations/c1/rate", conversation: "c1"},
		{name: "longer", method: http.MethodPost, path: "/contactCenter/v1/conversations/c1/x/end", conversation: "c1"},
		{name: "another method", method: http.MethodGet, path: "/contactCenter/v1/conversations/c1/end", conversation: "c1"},
		{name: "message by POST", method: http.MethodPost, path: "/contactCenter/v1/conversations/c1/messages/m", conversation: "c1"},
		{name: "message without id", method: http.MethodPut, path: "/contactCenter/v1/conversations/c1/messages/", conversation: "c1"},
		{name: "next version", method: http.MethodPost, path: "/contactCenter/v2/conversations/c1/end", conversation: "c1"},
		{name: "no id", method: http.MethodPost, path: "/contactCenter/v1/conversations//end"},
		{name: "id too long", method: http.MethodPost, path: "/contactCenter/v1/conversations/" + strings.Repeat("c", 1025) + "/rate"},
		{name: "id no text", method: http.MethodPost, path: "/contactCenter/v1/conversations/\xff/rate"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			req := call(test.method, test.path, `{"stars":5,"big":12345678901234567890}`)
			event := one(t, req, source())
			require.Equal(t, signals.Unknown, event.Type)
			require.Equal(t, test.conversation, event.Conversation)
			require.True(t, strings.HasPrefix(event.Platform.Event, test.method+" "))
			require.JSONEq(t, `{"stars":5,"big":12345678901234567890}`, string(event.Raw))
			require.Contains(t, string(event.Raw), "12345678901234567890", "numbers stay exact")
			require.True(t, signals.IsDerived(event.ID))

			answer := pypestream.Dialect{}.Answer(req, source(), dialect.Outcome{Accepted: 1})
			require.Equal(t, http.StatusNoContent, answer.Status)
			require.Empty(t, answer.Body)

			_, err := pypestream.Dialect{}.Encode(event)
			require.ErrorIs(t, err, dialect.ErrNotEncodable)

			_, _, err = pypestream.RequestLine(event)
			require.ErrorIs(t, err, dialect.ErrNotEncodable)
		})
	}

	// Any JSON is kept, and none at all.
	require.JSONEq(t, `[1]`, string(one(t, call(http.MethodPost, "/x", `[1]`), source()).Raw))
	require.JSONEq(t, `{}`, string(one(t, call(http.MethodPost, "/x", ``), source()).Raw))

	// Fields that are not known stay in Raw.
	event := one(t, call(http.MethodPost, conversation+"/type", `{"typing":true,"mood":"good"}`), source())
	require.Equal(t, signals.TypingChanged, event.Type)
	require.JSONEq(t, `{"typing":true,"mood":"good"}`, string(event.Raw))
}

func TestBadRequests(t *testing.T) {
	t.Parallel()

	const (
		malformed = "malformed"
		invalid   = "invalid"
		message   = conversation + "/messages/m"
	)

	long := strings.Repeat("x", 256)

	tests := []struct {
		name, method, path, body string
		source, kind             string
	}{
		{"truncated", "POST", conversation + "/escalate", `{"skill":"gen`, "body", malformed},
		{"truncated, unknown path", "POST", "/x", `{`, "body", malformed},
		{"too deep", "POST", "/x", strings.Repeat(`[`, 600) + strings.Repeat(`]`, 600), "body", malformed},
		{"far too deep", "POST", "/x", strings.Repeat(`{"a":`, 600) + `1` + strings.Repeat(`}`, 600), "body", malformed},
		{"two values", "POST", conversation + "/end", `{}{}`, "body", malformed},
		{"a form", "POST", conversation + "/end", `senderId=x`, "body", malformed},
		{"no object", "POST", conversation + "/end", `[1]`, "body", invalid},
		{"no typing", "POST", conversation + "/type", `{}`, "typing", invalid},
		{"typing no body", "POST", conversation + "/type", ``, "typing", invalid},
		{"typing a word", "POST", conversation + "/type", `{"typing":"maybe"}`, "typing", invalid},
		{"no content", "PUT", message, `{"senderId":"a","side":"user"}`, "content", invalid},
		{"content null", "PUT", message, `{"content":null}`, "content", invalid},
		{"content a number", "PUT", message, `{"content":5}`, "content", invalid},
		{"side an object", "PUT", message, `{"content":"x","side":{}}`, "side", invalid},
		{"sender a truth", "PUT", message, `{"content":"x","senderId":true}`, "senderId", invalid},
		{"sender too long", "PUT", message, `{"content":"x","senderId":"` + long + `"}`, "senderId", invalid},
		{"message id too long", "PUT", conversation + "/messages/" + long, `{"content":"x"}`, "messageId", invalid},
		{"message id no text", "PUT", conversation + "/messages/\xff", `{"content":"x"}`, "messageId", invalid},
		{
			"conversation id too long", "POST", "/contactCenter/v1/conversations/" + strings.Repeat("x", 1025) + "/end", `{}`,
			"conversationId", invalid,
		},
		{"user an array", "POST", conversation + "/escalate", `{"userId":[]}`, "userId", invalid},
		{"wait a word", "POST", conversation + "/escalate", `{"estimatedWaitTime":"soon"}`, "estimatedWaitTime", invalid},
		{"wait a fraction", "POST", conversation + "/escalate", `{"estimatedWaitTime":1.5}`, "estimatedWaitTime", invalid},
		{"wait too much", "POST", conversation + "/escalate", `{"estimatedWaitTime":1e300}`, "estimatedWaitTime", invalid},
		{"wait an object", "POST", conversation + "/escalate", `{"estimatedWaitTime":{}}`, "estimatedWaitTime", invalid},
		{"hours a number", "GET", "/contactCenter/v1/agents/availability", `{"hoursOfOperation":1}`, "hoursOfOperation", invalid},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			req := call(test.method, test.path, test.body)
			events, err := pypestream.Dialect{}.Decode(req, source())
			require.Error(t, err)
			require.Nil(t, events)

			answer := pypestream.Dialect{}.Refuse(req, err)
			require.Equal(t, http.StatusBadRequest, answer.Status)
			require.Equal(t, "application/json", answer.Header.Get("Content-Type"))

			var body struct {
				Message string `json:"message"`
				Errors  []struct {
					Source  string `json:"source"`
					Type    string `json:"type"`
					Message string `json:"message"`
				} `json:"errors"`
			}

			decoder := json.NewDecoder(strings.NewReader(string(answer.Body)))
			decoder.DisallowUnknownFields()
			require.NoError(t, decoder.Decode(&body))
			require.Equal(t, "Bad Request", body.Message)
			require.Len(t, body.Errors, 1)
			require.Equal(t, test.source, body.Errors[0].Source)
			require.Equal(t, test.kind, body.Errors[0].Type)
			require.NotEmpty(t, body.Errors[0].Message)
		})
	}

	req := call(http.MethodGet, "/contactCenter/v1/agents/waitTime", "")
	req.Query = query(t, "skill="+long)

	_, err := pypestream.Dialect{}.Decode(req, source())
	require.ErrorContains(t, err, "skill: ")
}

func TestTolerantFields(t *testing.T) {
	t.Parallel()

	event := one(t, call(http.MethodPost, conversation+"/escalate",
		"\ufeff{\"userId\":42,\"skill\":null,\"estimatedWaitTime\":\"30\",\"queuePosition\":2.0}"), source())
	require.Equal(t, "42", event.Escalation.UserID)
	require.Empty(t, event.Escalation.Skill)
	require.Equal(t, int64(30), *event.Escalation.WaitSeconds)
	require.Equal(t, int64(2), *event.Escalation.QueuePosition)

	event = one(t, call(http.MethodPost, conversation+"/type", `{"typing":"false"}`), source())
	require.False(t, event.Typing.On)

	// The visitor's words are never changed, even where they hold a secret.
	src := source()
	src.Secrets = []string{"hi"}
	event = one(t, call(http.MethodPut, conversation+"/messages/m", `{"content":"hi there"}`), src)
	require.Equal(t, "hi there", event.Message.Text)
}

func TestIDs(t *testing.T) {
	t.Parallel()

	id := func(method, path, body string) string { return one(t, call(method, path, body), source()).ID }

	// A message has its own, at any time and whatever it says.
	message := conversation + "/messages/m-1"
	require.Equal(t, "m-1", id("PUT", message, `{"content":"a"}`))
	require.Equal(t, "m-1", id("PUT", message, `{"content":"b","side":"agent"}`))

	looksDerived := one(t, call("PUT", conversation+"/messages/h:1", `{"content":"a"}`), source())
	require.False(t, signals.IsDerived(looksDerived.ID))
	require.Equal(t, "h:1", looksDerived.Message.ID)

	// The others are known by what they say, in whatever layout.
	end := id("POST", conversation+"/end", `{"senderId":"a","x":1}`)
	require.True(t, signals.IsDerived(end))
	require.Equal(t, end, id("POST", conversation+"/end", `{ "x": 1, "senderId": "a" }`))

	later := call("POST", conversation+"/end", `{"senderId":"a","x":1}`)
	later.ReceivedAt = received().AddDate(0, 0, 1)
	require.Equal(t, end, one(t, later, source()).ID, "the window is the gateway's")

	ids := map[string]string{}

	for _, other := range [][3]string{
		{"POST", conversation + "/end", `{"senderId":"b","x":1}`},
		{"POST", conversation + "/escalate", `{"senderId":"a","x":1}`},
		{"POST", conversation + "x/end", `{"senderId":"a","x":1}`},
		{"POST", conversation + "/type", `{"typing":true}`},
		{"POST", conversation + "/type", `{"typing":false}`},
		{"POST", conversation + "/rate", `{}`},
		{"PUT", conversation + "/rate", `{}`},
		{"GET", "/contactCenter/v1/agents/availability", ``},
		{"GET", "/contactCenter/v1/agents/waitTime", ``},
	} {
		ids[id(other[0], other[1], other[2])] = other[1]
	}

	require.Len(t, ids, 9)
	require.NotContains(t, ids, end)

	asked := call("GET", "/contactCenter/v1/agents/waitTime", "")
	asked.Query = query(t, "skill=a")
	require.NotContains(t, ids, one(t, asked, source()).ID)
}

func TestRoles(t *testing.T) {
	t.Parallel()

	for side, want := range map[string]signals.Role{
		"user": signals.RoleVisitor, "anonymous_consumer": signals.RoleVisitor, "agent": signals.RoleAgent,
		"bot": signals.RoleBot, "supervisor": signals.RoleUnknown, "": signals.RoleVisitor,
	} {
		event := one(t, call("PUT", conversation+"/messages/m", `{"content":"x","senderId":"s","side":"`+side+`"}`), source())
		require.Equal(t, want, event.Actor.Role, side)
		require.Equal(t, "s", event.Actor.ID)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	const agents = "/contactCenter/v1/agents/"

	src := source()
	id := pypestream.EscalationID(signals.Key{Source: "pypestream", Conversation: "c-1"}, 1, time.Time{})

	figures := src
	figures.Options.Pypestream = dialect.PypestreamOptions{WaitSeconds: 30, QueueDepth: 10}

	busy := src
	busy.Options.Pypestream = dialect.PypestreamOptions{Unavailable: true, WaitSeconds: -1, QueueDepth: -1}

	closed := src
	closed.Options.Pypestream = dialect.PypestreamOptions{Closed: true}

	tests := []struct {
		name, method, path string
		src                dialect.Source
		status             int
		body               string
	}{
		{
			"availability", "GET", agents + "availability", src, 200,
			`{"available":true,"estimatedWaitTime":0,"hoursOfOperation":true,"queueDepth":0,"status":"online"}`,
		},
		{
			"availability, figures", "GET", agents + "availability", figures, 200,
			`{"available":true,"estimatedWaitTime":30,"hoursOfOperation":true,"queueDepth":10,"status":"online"}`,
		},
		{
			"availability, busy", "GET", agents + "availability", busy, 200,
			`{"available":false,"estimatedWaitTime":0,"hoursOfOperation":true,"queueDepth":0,"status":"busy"}`,
		},
		{
			"availability, closed", "GET", agents + "availability", closed, 200,
			`{"available":false,"estimatedWaitTime":0,"hoursOfOperation":false,"queueDepth":0,"status":"offline"}`,
		},
		{"wait time", "GET", agents + "waitTime", figures, 200, `{"estimatedWaitTime":30}`},
		{"wait time, none", "GET", agents + "waitTime", src, 200, `{"estimatedWaitTime":0}`},
		{"escalate", "POST", conversation + "/escalate", src, 201, `{"escalationId":"` + id + `","status":"queued"}`},
		{
			"escalate, figures", "POST", conversation + "/escalate", figures, 201,
			`{"escalationId":"` + id + `","estimatedWaitTime":30,"status":"queued"}`,
		},
		{"type", "POST", conversation + "/type", src, 204, ""},
		{"message", "PUT", conversation + "/messages/m", src, 204, ""},
		{"end", "POST", conversation + "/end", src, 204, ""},
		{"unknown", "POST", conversation + "/rate", src, 204, ""},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			req := call(test.method, test.path, "")

			for _, out := range []dialect.Outcome{{Accepted: 1}, {Duplicates: 1, Found: dialect.Found{Session: 1}}} {
				answer := pypestream.Dialect{}.Answer(req, test.src, out)
				require.Equal(t, test.status, answer.Status)
				require.Equal(t, test.body, string(answer.Body))

				if test.body != "" {
					require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
				}
			}

			answer := pypestream.Dialect{}.Answer(req, test.src, dialect.Outcome{Err: errors.New("disk full")})
			require.Equal(t, http.StatusServiceUnavailable, answer.Status)
		})
	}

	away := pypestream.Dialect{}.Refuse(dialect.Request{}, errors.New("disk full"))
	require.Equal(t, http.StatusServiceUnavailable, away.Status)
	require.Equal(t, "5", away.Header.Get("Retry-After"))
	require.JSONEq(t, `{"message":"not accepted for now, send it again"}`, string(away.Body))
}

// TestAnswersOfADesk: what a desk knows goes before the source's options.
func TestAnswersOfADesk(t *testing.T) {
	t.Parallel()

	const agents = "/contactCenter/v1/agents/"

	src := source()
	src.Options.Pypestream = dialect.PypestreamOptions{Closed: true, WaitSeconds: 30, QueueDepth: 10}

	key := signals.Key{Source: "pypestream", Conversation: "c-1"}
	id := pypestream.EscalationID(key, 3, time.Time{})
	reopened := time.Unix(1_800_000_000, 0)
	busy := &signals.Availability{
		Available: new(true), Open: new(true), WaitSeconds: new(int64(95)), QueueDepth: new(int64(4)), Status: "busy",
	}

	tests := []struct {
		name, method, path string
		found              dialect.Found
		body               string
	}{
		{
			"availability", "GET", agents + "availability",
			dialect.Found{Availability: busy},
			`{"available":true,"estimatedWaitTime":95,"hoursOfOperation":true,"queueDepth":4,"status":"busy"}`,
		},
		{"wait time", "GET", agents + "waitTime", dialect.Found{Availability: busy}, `{"estimatedWaitTime":95}`},
		{
			"a wait that the desk does not know", "GET", agents + "availability",
			dialect.Found{Availability: &signals.Availability{
				Available: new(false), Open: new(true), QueueDepth: new(int64(0)), Status: "offline",
			}},
			`{"available":false,"estimatedWaitTime":30,"hoursOfOperation":true,"queueDepth":0,"status":"offline"}`,
		},
		{
			"queued", "POST", conversation + "/escalate",
			dialect.Found{Session: 3, Position: 2, WaitSeconds: new(int64(95))},
			`{"escalationId":"` + id + `","estimatedWaitTime":95,"queuePosition":2,"status":"queued"}`,
		},
		{
			"next", "POST", conversation + "/escalate",
			dialect.Found{Session: 3, Position: 1, WaitSeconds: new(int64(0))},
			`{"escalationId":"` + id + `","estimatedWaitTime":0,"queuePosition":1,"status":"queued"}`,
		},
		{
			"somewhere", "POST", conversation + "/escalate",
			dialect.Found{Session: 3},
			`{"escalationId":"` + id + `","estimatedWaitTime":30,"status":"queued"}`,
		},
		{
			"accepted", "POST", conversation + "/escalate",
			dialect.Found{Session: 3, Agent: "smith"},
			`{"escalationId":"` + id + `","agentId":"smith","estimatedWaitTime":0,"queuePosition":0,"status":"accepted"}`,
		},
		{
			"after an end", "POST", conversation + "/escalate",
			dialect.Found{Session: 3, ReopenedAt: reopened, Position: 1},
			`{"escalationId":"` + pypestream.EscalationID(key, 3, reopened) + `","estimatedWaitTime":30,"queuePosition":1,"status":"queued"}`,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			answer := pypestream.Dialect{}.Answer(call(test.method, test.path, ""), src, dialect.Outcome{Accepted: 1, Found: test.found})
			require.Equal(t, test.body, string(answer.Body))
		})
	}
}

// TestAsks says what each answer depends on.
func TestAsks(t *testing.T) {
	t.Parallel()

	const agents = "/contactCenter/v1/agents/"

	asked := func(method, path, skill, body string) (dialect.Ask, bool) {
		req := call(method, path, body)
		req.Query = query(t, skill)

		events, err := pypestream.Dialect{}.Decode(req, source())
		require.NoError(t, err)

		return pypestream.Dialect{}.Asks(req, events)
	}

	for _, path := range []string{"availability", "waitTime"} {
		ask, ok := asked("GET", agents+path, "skill=cards", "")
		require.True(t, ok)
		require.Equal(t, dialect.Ask{Question: dialect.AskAvailability, Skill: "cards", Within: 2 * time.Second}, ask)
	}

	ask, ok := asked("POST", conversation+"/escalate", "", `{"skill":"cards"}`)
	require.True(t, ok)
	require.Equal(t, dialect.Ask{
		Question: dialect.AskPosition, Conversation: "c-1", Skill: "cards", Within: 2 * time.Second,
	}, ask)

	for _, path := range []string{"/end", "/rate"} {
		_, ok = asked("POST", conversation+path, "", `{}`)
		require.False(t, ok, path)
	}

	_, ok = pypestream.Dialect{}.Asks(dialect.Request{}, nil)
	require.False(t, ok)
}

func TestEscalationID(t *testing.T) {
	t.Parallel()

	key := signals.Key{Source: "pypestream", Conversation: "c-1"}
	id := pypestream.EscalationID(key, 1, time.Time{})
	require.Equal(t, "680e976e-b79f-856a-a108-5c1f8dac54d3", id, "it must not change from release to release")

	parsed, err := uuid.Parse(id)
	require.NoError(t, err)
	require.Equal(t, uuid.Version(8), parsed.Version())
	require.Equal(t, uuid.RFC4122, parsed.Variant())

	require.Equal(t, id, pypestream.EscalationID(key, 0, time.Time{}), "a session that is not known yet is the first")
	require.Equal(t, id, pypestream.EscalationID(key, 1, time.Time{}))
	require.NotEqual(t, id, pypestream.EscalationID(key, 2, time.Time{}))

	reopened := pypestream.EscalationID(key, 1, time.Unix(1_800_000_000, 0))
	require.NotEqual(t, id, reopened)
	require.NotEqual(t, reopened, pypestream.EscalationID(key, 1, time.Unix(1_800_000_001, 0)))
	require.Equal(t, reopened, pypestream.EscalationID(key, 1, time.Unix(1_800_000_000, 0).UTC()))
	require.NotEqual(t, id, pypestream.EscalationID(signals.Key{Source: "other", Conversation: "c-1"}, 1, time.Time{}))
	require.NotEqual(t, id, pypestream.EscalationID(signals.Key{Source: "pypestream", Conversation: "c-11"}, 1, time.Time{}))
}

func TestEncodeForeignEvents(t *testing.T) {
	t.Parallel()

	foreign := &signals.Platform{Event: "incoming_event", Version: "3.6"}
	visitor := &signals.Actor{ID: "ann", Role: signals.RoleVisitor}
	agent := &signals.Actor{ID: "smith", Role: signals.RoleAgent}

	tests := []struct {
		name         string
		event        signals.Event
		line, target string
		body         string
	}{
		{
			"message",
			signals.Event{
				ID: "e/1", Type: signals.MessageReceived, Conversation: "c 1", Actor: visitor, Platform: foreign,
				Message: &signals.Message{Text: "hi", Kind: signals.KindText},
			},
			"PUT", "/contactCenter/v1/conversations/c%201/messages/e%2F1", `{"content":"hi","senderId":"ann","side":"user"}`,
		},
		{
			"file",
			signals.Event{
				ID: "e", Type: signals.MessageReceived, Conversation: "c", Actor: agent, Platform: foreign,
				Message: &signals.Message{Kind: signals.KindFile, File: &signals.File{URL: "https://example.com/f"}},
			},
			"PUT", "/contactCenter/v1/conversations/c/messages/e", `{"content":"https://example.com/f","senderId":"smith","side":"agent"}`,
		},
		{
			"escalation",
			signals.Event{Type: signals.EscalationRequested, Conversation: "c", Actor: visitor},
			"POST", "/contactCenter/v1/conversations/c/escalate", `{"userId":"ann"}`,
		},
		{
			"close",
			signals.Event{
				Type: signals.ConversationClosed, Conversation: "c", Actor: agent, Closing: &signals.Closing{ByRole: signals.RoleAgent},
			},
			"POST", "/contactCenter/v1/conversations/c/end", `{"senderId":"smith"}`,
		},
		{
			"typing",
			signals.Event{Type: signals.TypingChanged, Conversation: "c", Typing: &signals.Typing{On: true}},
			"POST", "/contactCenter/v1/conversations/c/type", `{"typing":true}`,
		},
		{
			"availability",
			signals.Event{
				Type: signals.AvailabilityRequested, Platform: foreign, Availability: &signals.Availability{Skill: "a b"},
			},
			"GET", "/contactCenter/v1/agents/availability?skill=a+b", `{}`,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			body, err := pypestream.Dialect{}.Encode(test.event)
			require.NoError(t, err)
			require.JSONEq(t, test.body, string(body))

			method, target, err := pypestream.RequestLine(test.event)
			require.NoError(t, err)
			require.Equal(t, test.line, method)
			require.Equal(t, test.target, target)
		})
	}

	for _, event := range []signals.Event{
		{Type: signals.Unknown, Conversation: "c"},
		{Type: signals.TagAdded, Conversation: "c", Tag: &signals.Tag{Name: "x"}},
		{Type: signals.MessageReceived, Conversation: "c"},
		{Type: signals.MessageReceived, Conversation: "c", Message: &signals.Message{Text: "x", Visibility: signals.VisibleToAgents}},
		{Type: signals.TypingChanged, Conversation: "c"},
		{Type: signals.TypingChanged, Conversation: "c", Typing: &signals.Typing{On: true}, Actor: agent},
	} {
		_, err := pypestream.Dialect{}.Encode(event)
		require.ErrorIs(t, err, dialect.ErrNotEncodable, event.Type)
	}

	_, _, err := pypestream.RequestLine(signals.Event{Type: signals.ConversationClosed})
	require.ErrorIs(t, err, dialect.ErrNotEncodable, "no conversation")
}

// Whatever an id in the path holds, the call that RequestLine makes of an event
// names the same event again.
func TestIDsInThePathRoundTrip(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.StringMatching(`[a-c/:%?#&+ ;é.~-]{1,20}`)
		conversation, message := id.Draw(rt, "conversation"), id.Draw(rt, "message")

		method, target, err := pypestream.RequestLine(signals.Event{
			Type: signals.MessageReceived, Conversation: conversation,
			Message: &signals.Message{ID: message, Text: "hi", Kind: signals.KindText},
		})
		require.NoError(rt, err)

		asked, err := url.Parse(target)
		require.NoError(rt, err)

		for _, raw := range []string{asked.EscapedPath(), asked.RawPath} {
			req := call(method, asked.Path, `{"content":"hi"}`)
			req.RawPath = raw

			if raw == "" && strings.Contains(conversation+message, "/") {
				continue
			}

			events, err := pypestream.Dialect{}.Decode(req, source())
			require.NoError(rt, err)
			require.Len(rt, events, 1)
			require.Equal(rt, signals.MessageReceived, events[0].Type)
			require.Equal(rt, conversation, events[0].Conversation)
			require.Equal(rt, message, events[0].Message.ID)

			again, back, err := pypestream.RequestLine(events[0])
			require.NoError(rt, err)
			require.Equal(rt, method, again)
			require.Equal(rt, target, back)
		}
	})
}
