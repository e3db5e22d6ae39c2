package webhooks_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks"
)

// shaking is a dialect whose platform introduces itself, and whose answer names
// the session.
type shaking struct{ plain }

func (shaking) Handshake(req dialect.Request, src dialect.Source) (string, dialect.Response, bool) {
	secret := req.Header.Get("X-Secret")

	switch {
	case secret == "":
		return "", dialect.Response{}, false
	case len(src.Secrets) > 0:
		return "", dialect.Response{Status: http.StatusForbidden}, true
	default:
		return secret, dialect.Response{Status: http.StatusOK, Header: http.Header{"X-Secret": {secret}}}, true
	}
}

func (shaking) Asks(_ dialect.Request, events []signals.Event) (dialect.Ask, bool) {
	return dialect.Ask{Question: dialect.AskPosition, Conversation: events[0].Conversation, Within: time.Second}, true
}

func (shaking) Answer(_ dialect.Request, _ dialect.Source, out dialect.Outcome) dialect.Response {
	return dialect.Response{Status: http.StatusOK, Body: []byte(strconv.Itoa(out.Found.Session))}
}

// vault keeps pinned secrets, or fails.
type vault struct {
	mu     sync.Mutex
	pinned map[string]string
	err    error
}

func (v *vault) PinSecret(_ context.Context, source, secret string) error {
	v.mu.Lock()
	defer v.mu.Unlock()

	if v.err == nil {
		v.pinned[source] = secret
	}

	return v.err
}

func (v *vault) PinnedSecret(_ context.Context, source string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()

	return v.pinned[source], nil
}

func withVault(v *vault) option {
	return func(_ *webhooks.Config, deps *webhooks.Deps) {
		source := newSource("shy")
		source.Dialect = shaking{}
		deps.Sources = append(deps.Sources, source)
		deps.Secrets = v
	}
}

const hello = `[{"id":"1","type":"message.received","conversation":"c","message":{"text":"hi"}}]`

func TestHandshakePinsTheFirstSecret(t *testing.T) {
	t.Parallel()

	v := &vault{pinned: map[string]string{}}
	e := newEdge(t, withVault(v))

	answer := e.do(http.MethodPost, "/webhooks/shy", "", "X-Secret", "s1")
	require.Equal(t, http.StatusOK, answer.status)
	require.Equal(t, "s1", answer.header.Get("X-Secret"))
	require.Equal(t, "s1", v.pinned["shy"], "it is kept before it is echoed")

	// From now on it signs, and nobody brings another.
	require.Equal(t, http.StatusForbidden, e.do(http.MethodPost, "/webhooks/shy", "", "X-Secret", "s2").status)
	require.NotEqual(t, http.StatusOK, e.do(http.MethodPost, "/webhooks/shy", hello).status)
	require.Equal(t, http.StatusOK, e.do(http.MethodPost, "/webhooks/shy", hello, "Authorization", "Bearer s1").status)

	// The next start knows it.
	again := newEdge(t, withVault(v))
	require.NotEqual(t, http.StatusOK, again.do(http.MethodPost, "/webhooks/shy", hello).status)
	require.Equal(t, http.StatusOK, again.do(http.MethodPost, "/webhooks/shy", hello, "Authorization", "Bearer s1").status)
}

func TestHandshakeThatCannotBeKept(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withVault(&vault{pinned: map[string]string{}, err: errors.New("disk full")}))

	answer := e.do(http.MethodPost, "/webhooks/shy", "", "X-Secret", "s1")
	require.NotEqual(t, http.StatusOK, answer.status)
	require.Empty(t, answer.header.Get("X-Secret"), "what is not kept is not echoed")
}

func TestAnswerThatNamesTheSession(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withVault(&vault{pinned: map[string]string{}}))
	e.mu.Lock()
	e.running[signals.Key{Source: "shy", Conversation: "c"}.WorkflowID()] = signals.View{Session: 3}
	e.mu.Unlock()

	require.Equal(t, "3", e.do(http.MethodPost, "/webhooks/shy", hello).body)
	require.Equal(t, "3", e.do(http.MethodPost, "/webhooks/shy", hello).body, "for a repeat as well")
}
