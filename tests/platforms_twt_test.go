package tests_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

const (
	twtSecret = "twt-app-secret"
	twtPath   = "/webhooks/twt"
)

// twt makes signed webhooks about one visitor out of the samples, each a
// second after the one before.
type twt struct {
	*process

	asked, at time.Time
}

// body is a sample with these fields of its content.
func (w *twt) body(name string, fields map[string]any) []byte {
	w.t.Helper()

	w.at = w.at.Add(time.Second)
	body := sample(w.t, "twt", name)
	body["created_at"] = w.at.Unix()

	content, ok := body["content"].([]any)
	require.True(w.t, ok)

	one, ok := content[0].(map[string]any)
	require.True(w.t, ok)

	one["created_at"] = w.asked.Unix()
	one["time_sec"] = int(w.at.Sub(w.asked).Seconds())

	maps.Copy(one, fields)

	return encoded(w.t, body)
}

// sends wants exactly 200 in time, and the body that says what became of it.
func (w *twt) sends(body []byte, accepted, duplicates int) signals.Key {
	w.t.Helper()

	begun := time.Now()
	answer := w.call(http.MethodPost, twtPath, body, "X-Chat-Signature", signedHex(twtSecret, body))
	require.Less(w.t, time.Since(begun), 5*time.Second)
	require.Equal(w.t, http.StatusOK, answer.status, answer.body)

	var said struct {
		Conversations []string `json:"conversations"`
	}
	require.NoError(w.t, json.Unmarshal([]byte(answer.body), &said))
	require.Len(w.t, said.Conversations, 1)

	path := said.Conversations[0]
	require.Equal(w.t, `{"accepted":`+strconv.Itoa(accepted)+`,"duplicates":`+strconv.Itoa(duplicates)+`,"conversations":["`+path+`"]}`,
		answer.body)

	return signals.Key{Source: "twt", Conversation: path[strings.LastIndex(path, "/")+1:]}
}

func TestPlatformTWT(t *testing.T) {
	t.Parallel()

	begun := time.Now().Add(-time.Minute)
	w := &twt{at: begun.Add(20 * time.Second), asked: begun, process: newInstall(t, brief+`
sources:
  twt: {dialect: twt, secrets: ["an older one", "`+twtSecret+`"]}
`).start(t)}

	// Three reports, each sent again, are three pushes with the platform's numbers.
	var key signals.Key

	for number := 1; number <= 3; number++ {
		body := w.body("UNREPLIED", map[string]any{"push_times": number, "message_content": "Where is <b>it</b>?"})
		key = w.sends(body, 1, 0)
		require.Equal(t, key, w.sends(body, 0, 1))

		w.eventually(key, 10*time.Second, "relayed", func(v signals.View) bool { return v.PushTimes == number && v.Unreplied })
		require.Eventually(t, func() bool {
			return len(w.printed("unreplied", key.Conversation, strconv.Itoa(number)+"/4")) == 1
		}, 10*time.Second, 20*time.Millisecond)
	}

	require.NotContains(t, key.Conversation, "Visitor15", "the id says nothing about the visitor")

	// What is not signed by the secret is 403 and changes nothing.
	replied := w.body("UNREPLIED", map[string]any{"push_times": 3, "status": "4"})
	for name, header := range map[string][]string{
		"wrong":     {"X-Chat-Signature", signedHex(wrongSecret, replied)},
		"uppercase": {"X-Chat-Signature", strings.ToUpper(signedHex(twtSecret, replied))},
		"of others": {"X-Chat-Signature", signedHex(twtSecret, append(replied, ' '))},
		"absent":    {},
	} {
		require.Equal(t, http.StatusForbidden, w.call(http.MethodPost, twtPath, replied, header...).status, name)
	}

	view, ok := w.view(key)
	require.True(t, ok)
	require.True(t, view.Unreplied)

	require.Equal(t, key, w.sends(replied, 1, 0))
	w.eventually(key, 10*time.Second, "the reply clears it", func(v signals.View) bool { return !v.Unreplied })

	w.asked = w.at
	form := w.body("OFFLINE_FORM_SUBMIT", map[string]any{"message_content": "Call me: 13800001111"})
	require.Equal(t, key, w.sends(form, 1, 0))

	ticket := w.ticketed(key)
	require.False(t, ticket.Unreplied)
	require.Equal(t, "New Conversation", ticket.Subject)
	require.Equal(t, []string{"visitor: Call me: 13800001111"}, spoken(&ticket))
	require.Len(t, w.printed("unreplied", key.Conversation, "/4"), 3, "no push of Parley's own")

	w.unlogged(twtSecret, wrongSecret)
}

// TestPlatformTWTSessions: after the fourth report the platform is silent, and a
// visitor of the same name who is reported after the session gap is another
// session, even while the one before could still be reopened.
func TestPlatformTWTSessions(t *testing.T) {
	t.Parallel()

	w := &twt{process: newInstall(t, `
policies:
  default:
    closeout: {grace: 1h}
    limits:   {session_gap: 3s}
sources:
  twt: {dialect: twt, secrets: ["`+twtSecret+`"]}
`).start(t)}

	report := func(push int) signals.Key {
		now := time.Now().Truncate(time.Second)
		w.at, w.asked = now.Add(-time.Second), now.Add(-time.Minute) // a body is a second later than the one before

		return w.sends(w.body("UNREPLIED", map[string]any{"push_times": push}), 1, 0)
	}

	key := report(4)
	w.eventually(key, 10*time.Second, "the last push", func(v signals.View) bool { return v.PushTimes == 4 && v.Unreplied })

	first := w.eventually(key, 20*time.Second, "closed after the gap", func(v signals.View) bool { return v.Status == signals.StatusClosing })
	require.Equal(t, 1, first.Session)
	require.NotNil(t, first.ClosedAt)

	// The platform's seconds are whole ones.
	time.Sleep(time.Until(first.ClosedAt.Add(2 * time.Second)))
	require.Equal(t, key, report(1))

	second := w.eventually(key, 20*time.Second, "the next session", func(v signals.View) bool { return v.Session == 2 })
	require.Equal(t, 1, second.PushTimes)
	require.True(t, second.Unreplied)

	var ticket signals.Ticket

	w.answer(http.MethodGet, "/v1/tickets/"+signals.TicketID(key.WorkflowID(), 1), nil, &ticket)
	require.True(t, ticket.Unreplied, "nobody said that it was answered")
	require.Equal(t, "New Conversation", ticket.Subject)
}
