package tests_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

const (
	acquireSecret = "acquire-hmac-key"
	acquirePath   = "/webhooks/acquire"
	oldPath       = "/webhooks/acquire-old"
)

// acquireSetup has a source for either version: version 1 knows no signature,
// and its dates no zone.
const acquireSetup = brief + `
sources:
  acquire: {dialect: acquire, secrets: ["` + acquireSecret + `"]}
  acquire-old: {dialect: acquire, zone: Asia/Kolkata}
`

// acquire makes webhooks about one case, whose transcript grows.
type acquire struct {
	*process

	at       time.Time
	messages []any
}

// wrote adds a message to the transcript, a second after the one before.
func (a *acquire) wrote(id, senderType, kind, text string) {
	a.at = a.at.Add(time.Second)
	a.messages = append(a.messages, map[string]any{
		"id": id, "channel": "chat", "senderId": "5", "senderType": senderType, "type": kind, "message": text, "seen": "yes",
		"dateCreated": a.at.UTC().Format("Mon Jan 02 2006 15:04:05") + " GMT+0000 (Coordinated Universal Time)",
	})
}

// body is case:status with the transcript so far.
func (a *acquire) body(status string) []byte {
	a.t.Helper()

	body := sample(a.t, "acquire", "case-status")
	data := inner(a.t, body, "data")
	data["status"], data["messages"] = status, a.messages

	return encoded(a.t, body)
}

// sends wants a webhook accepted.
func (a *acquire) sends(body []byte, signature string) {
	a.t.Helper()

	answer := a.call(http.MethodPost, acquirePath, body, "Content-Type", "application/json", "x-acquire-signature", signature)
	require.Equal(a.t, http.StatusOK, answer.status, answer.body)
}

func TestPlatformAcquire(t *testing.T) {
	t.Parallel()

	a := &acquire{process: newInstall(t, acquireSetup).start(t), at: time.Now().Add(-time.Minute)}
	key := signals.Key{Source: "acquire", Conversation: "72"}

	a.wrote("324", "contact", "message", "Is <it> \u4f60 there & free?")

	// What is not signed by the key is refused and changes nothing.
	pending := a.body("pending")
	for name, header := range map[string][]string{
		"wrong":  {"x-acquire-signature", signedHex(wrongSecret, pending)},
		"absent": {},
	} {
		require.Equal(t, http.StatusUnauthorized, a.call(http.MethodPost, acquirePath, pending, header...).status, name)
	}

	_, known := a.view(key)
	require.False(t, known)

	a.sends(pending, signedHex(acquireSecret, pending))
	a.sends(pending, signedHex(acquireSecret, pending)) // sent again

	view := a.eventually(key, 10*time.Second, "unreplied", func(v signals.View) bool { return v.Unreplied })
	require.Equal(t, signals.StatusOpen, view.Status)
	require.Equal(t, signals.MessageCounts{Visitor: 1}, view.Messages)

	// The transcript so far and the answer; the contact has the agent's number.
	a.wrote("325", "user", "event", "Surendra Suthar just joined this thread.")
	a.wrote("326", "user", "message", "It is")

	// The vendor's example signs the body as JSON.stringify writes it.
	active := a.body("active")

	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, active, "", "  "))
	a.sends(indented.Bytes(), signedHex(acquireSecret, active))

	view = a.eventually(key, 10*time.Second, "answered", func(v signals.View) bool {
		return !v.Unreplied && v.Status == signals.StatusActive
	})
	require.Equal(t, signals.MessageCounts{Visitor: 1, Agent: 1}, view.Messages, "each message once")

	a.wrote("327", "contact", "message", "Thank you")
	a.wrote("328", "user", "event", "The thread has been closed by Surendra Suthar.")

	closed := a.body("closed")
	a.sends(closed, signedHex(acquireSecret, closed))

	ticket := a.ticketed(key)
	require.Equal(t, signals.MessageCounts{Visitor: 2, Agent: 1}, ticket.Messages)
	require.Equal(t,
		[]string{"visitor: Is <it> \u4f60 there & free?", "agent: It is", "visitor: Thank you"}, spoken(&ticket))
	require.True(t, ticket.Unreplied, "nobody answered the last word")

	// A repeated close after the ticket opens nothing.
	a.sends(closed, signedHex(acquireSecret, closed))

	view, ok := a.view(key)
	require.True(t, ok)
	require.Equal(t, 1, view.Session)
	require.Equal(t, ticket.ID, view.Ticket.ID)

	// What is not JSON is recorded, answered 200, and the answer says so.
	form := []byte("event=case%3Astatus&data=1")
	answer := a.call(http.MethodPost, acquirePath, form, "Content-Type", "application/x-www-form-urlencoded",
		"x-acquire-signature", signedHex(acquireSecret, form))
	require.Equal(t, http.StatusOK, answer.status)
	require.JSONEq(t, `{"accepted":1,"duplicates":0,"notice":"the body is a form, which is recorded but not understood: `+
		`set the webhook's format to application/json"}`, answer.body)
	require.Eventually(t, func() bool {
		status, list := a.do(http.MethodGet, "/v1/sources/acquire/events", nil)

		return status == http.StatusOK && bytes.Contains(list, []byte(`"unknown"`))
	}, 5*time.Second, 50*time.Millisecond)

	a.unlogged(acquireSecret, wrongSecret)
}

// legacy sends a version 1 webhook made of a sample.
func (a *acquire) legacy(name string, change func(body map[string]any)) {
	a.t.Helper()

	body := sample(a.t, "acquire", name)
	change(body)

	answer := a.call(http.MethodPost, oldPath, encoded(a.t, body), "Content-Type", "application/json")
	require.Equal(a.t, http.StatusOK, answer.status, answer.body)
}

func TestPlatformAcquireVersion1(t *testing.T) {
	t.Parallel()

	const id = "104111"

	a := &acquire{process: newInstall(t, acquireSetup).start(t)}
	key := signals.Key{Source: "acquire-old", Conversation: id}
	begun := time.Now().Add(-time.Minute).Truncate(time.Second)
	kolkata := time.FixedZone("", int((5*time.Hour + 30*time.Minute).Seconds()))

	date := func(body map[string]any) {
		for _, key := range []string{"date_created", "date_updated", "date_picked"} {
			if _, there := body[key]; there {
				body[key] = begun.In(kolkata).Format(time.DateTime)
			}
		}
	}

	a.legacy("v1/CHAT_ON_START", func(body map[string]any) {
		data := inner(t, body, "data")
		data[" id"] = json.Number(id) // as printed, with a blank
		date(data)
	})

	view := a.eventually(key, 10*time.Second, "open", func(v signals.View) bool { return v.Status == signals.StatusOpen })
	require.WithinDuration(t, begun, view.OpenedAt, 0, "a date without a zone is the source's")

	a.legacy("derived/CHAT_ON_MESSAGE.object", date)

	view = a.eventually(key, 10*time.Second, "unreplied", func(v signals.View) bool { return v.Unreplied })
	require.Equal(t, signals.MessageCounts{Visitor: 1}, view.Messages)

	a.legacy("derived/CHAT_ON_ACCEPT", date)
	a.eventually(key, 10*time.Second, "accepted", func(v signals.View) bool {
		return v.Status == signals.StatusActive && v.Agent == "15111"
	})

	a.legacy("v1/CHAT_ON_MESSAGE", date) // its message is a string that holds JSON
	a.eventually(key, 10*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied && v.Messages.Agent == 1 })

	a.legacy("v1/CHAT_ON_CLOSE", date) // its status says active

	ticket := a.ticketed(key)
	require.False(t, ticket.Unreplied)
	require.Equal(t, []string{"visitor: Hi", "agent: sadsdd"}, spoken(&ticket))

	// A source with secrets cannot take what nobody can verify.
	body := encoded(t, sample(t, "acquire", "v1/CHAT_ON_CLOSE"))
	require.Equal(t, http.StatusUnauthorized, a.call(http.MethodPost, acquirePath, body).status)
	require.Equal(t, http.StatusUnauthorized,
		a.call(http.MethodPost, acquirePath, body, "x-acquire-signature", signedHex(acquireSecret, body)).status)
}
