package tests_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

const (
	inbentaSecret = "inbenta-hook-secret"
	inbentaPath   = "/webhooks/inbenta"
)

// inbentaSetup knows the agents: most of Inbenta's webhooks do not say who
// somebody is.
const inbentaSetup = brief + `
sources:
  inbenta:
    dialect: inbenta
    agents: [Ag3ntId01, Ag3ntId02]
    options: {inbenta: {enrol: true}}
`

// inbenta makes signed webhooks of one chat out of the samples, each a second
// after the one before.
type inbenta struct {
	*process

	at time.Time
}

// body is a sample, sent now by this clock; change may be nil.
func (i *inbenta) body(name string, change func(data map[string]any)) []byte {
	i.t.Helper()

	i.at = i.at.Add(time.Second)
	body := sample(i.t, "inbenta", name)
	body["created_at"] = i.at.Unix()

	if change != nil {
		change(inner(i.t, body, "data"))
	}

	return encoded(i.t, body)
}

// sends wants a webhook accepted within the platform's patience.
func (i *inbenta) sends(name string, change func(data map[string]any)) reply {
	i.t.Helper()

	body := i.body(name, change)
	begun := time.Now()
	answer := i.call(http.MethodPost, inbentaPath, body, "X-Hook-Signature", signedHex(inbentaSecret, body))
	require.Less(i.t, time.Since(begun), 5*time.Second)
	require.Equal(i.t, http.StatusOK, answer.status, answer.body)

	return answer
}

// says is messages:new with only the sender's id.
func (i *inbenta) says(sender, id, text string) reply {
	i.t.Helper()

	return i.sends("messages-new.text", func(data map[string]any) {
		message := inner(i.t, data, "message")
		message["sender"], message["id"], message["message"] = sender, id, text
	})
}

// introduces is the handshake.
func (i *inbenta) introduces(secret string) reply {
	i.t.Helper()

	return i.call(http.MethodPost, inbentaPath, nil, "X-Hook-Secret", secret)
}

func (i *inbenta) echoes(secret string) {
	i.t.Helper()

	answer := i.introduces(secret)
	require.Equal(i.t, http.StatusOK, answer.status, answer.body)
	require.Equal(i.t, secret, answer.header.Get("X-Hook-Secret"))
	require.Empty(i.t, answer.body)
}

func (i *inbenta) declines(secret string) {
	i.t.Helper()

	answer := i.introduces(secret)
	require.Equal(i.t, http.StatusForbidden, answer.status, answer.body)
	require.Empty(i.t, answer.header.Get("X-Hook-Secret"))
}

func TestPlatformInbenta(t *testing.T) {
	t.Parallel()

	one := newInstall(t, inbentaSetup)
	platform := &inbenta{process: one.start(t), at: time.Now().Add(-time.Minute)}
	key := signals.Key{Source: "inbenta", Conversation: "Ab3dE5fG7"}

	platform.echoes(inbentaSecret)
	platform.echoes(inbentaSecret)
	platform.declines(wrongSecret)

	// The pinned secret outlives a restart, with the enrolment open and closed.
	platform.stop(syscall.SIGTERM)
	platform.process = one.start(t)
	platform.declines(wrongSecret)
	platform.echoes(inbentaSecret)

	platform.stop(syscall.SIGTERM)

	closed := strings.Replace(inbentaSetup, "enrol: true", "enrol: false", 1)
	require.NoError(t, os.WriteFile(filepath.Join(one.dir, "parley.yaml"), []byte(closed), 0o600))

	platform.process = one.start(t)
	platform.declines(inbentaSecret)

	// Only the pinned secret signs.
	for name, signature := range map[string]string{"wrong": signedHex(wrongSecret, platform.body("chats-create", nil)), "absent": ""} {
		var header []string
		if signature != "" {
			header = []string{"X-Hook-Signature", signature}
		}

		refused := platform.call(http.MethodPost, inbentaPath, platform.body("chats-create", nil), header...)
		require.Equal(t, http.StatusUnauthorized, refused.status, name)
	}

	_, known := platform.view(key)
	require.False(t, known, "what was refused was not applied")

	platform.sends("chats-create", nil)
	platform.says("Us3rId001", "m-1", "Hello")

	view := platform.eventually(key, 10*time.Second, "unreplied", func(v signals.View) bool { return v.Unreplied })
	require.Equal(t, int64(1), view.Messages.Visitor, "the chat's creator is the visitor")

	// Looking for an agent: an empty 200 leaves the choice to the platform.
	for range 2 {
		require.Empty(t, platform.sends("chats-assign", nil).body)
	}

	platform.eventually(key, 10*time.Second, "queued", func(v signals.View) bool { return v.Status == signals.StatusQueued })
	platform.eventually(key, 10*time.Second, "the second says what became of the first", func(v signals.View) bool {
		return slices.ContainsFunc(v.Timeline, func(e signals.TimelineEntry) bool {
			return e.Type == signals.AssignmentRequested && e.Text == "chats:assign, attempt 2, previous hop failed"
		})
	})
	platform.sends("invitations-accept", nil)
	platform.eventually(key, 10*time.Second, "accepted", func(v signals.View) bool {
		return v.Status == signals.StatusActive && v.Agent == "Ag3ntId01"
	})

	platform.says("Ag3ntId01", "m-2", "Hi Ann")
	platform.eventually(key, 10*time.Second, "answered", func(v signals.View) bool { return !v.Unreplied })

	// A colleague whom only the configuration knows answers as well.
	platform.says("Us3rId001", "m-3", "One more")
	platform.eventually(key, 10*time.Second, "unreplied again", func(v signals.View) bool { return v.Unreplied })
	platform.says("Ag3ntId02", "m-4", "Let me see")
	platform.eventually(key, 10*time.Second, "answered again", func(v signals.View) bool { return !v.Unreplied })

	platform.sends("system-info.ticket", nil)
	platform.sends("chats-close.user", nil)

	ticket := platform.ticketed(key)
	require.False(t, ticket.Unreplied)
	require.Equal(t, "1234", ticket.ExternalID, "the platform's own ticket")
	require.Equal(t,
		[]string{"visitor: Hello", "agent: Hi Ann", "visitor: One more", "agent: Let me see"}, spoken(&ticket))

	platform.unlogged(inbentaSecret, wrongSecret)
}
