package tests_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// liveChatAPI is the Agent Chat Web API of an account in which every other agent
// is busy: it shows its one chat, and refuses to transfer it, as its reference
// says (get_chat, transfer_chat).
type liveChatAPI struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string
}

func newLiveChatAPI(t *testing.T, chat, thread string) *liveChatAPI {
	t.Helper()

	api := &liveChatAPI{}
	reply := func(w http.ResponseWriter, action string, status int, body any) {
		api.mu.Lock()
		defer api.mu.Unlock()

		api.asked = append(api.asked, action)

		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)

		if err := json.NewEncoder(w).Encode(body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}

	actions := http.NewServeMux()
	actions.HandleFunc("POST /v3.6/agent/action/get_chat", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, "get_chat", http.StatusOK, map[string]any{
			"id": chat, "thread": map[string]any{"id": thread, "active": true, "access": map[string]any{"group_ids": []int{0}}},
			"users": []map[string]any{
				{"id": ann, "type": "customer", "present": true},
				{"id": smith, "type": "agent", "present": true, "visibility": "all"},
			},
			"access": map[string]any{"group_ids": []int{0}},
		})
	})
	actions.HandleFunc("POST /v3.6/agent/action/transfer_chat", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, "transfer_chat", http.StatusBadRequest, map[string]any{
			"error": map[string]any{"type": "groups_offline", "message": "Groups offline"},
		})
	})

	api.Server = httptest.NewServer(actions)
	t.Cleanup(api.Close)

	return api
}

func (a *liveChatAPI) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()

	return slices.Clone(a.asked)
}

// TestPlatformKeepsTheChat: an agent is silent, Parley has another one free, and
// the platform that routes for itself refuses to move the chat. It stays where it
// is, people are told why, and the clock goes again.
func TestPlatformKeepsTheChat(t *testing.T) {
	t.Parallel()

	talk := &chat{t: t, id: "KEPT", thread: "KEPT-1"}
	ops, api := newReceiver(t), newLiveChatAPI(t, talk.id, talk.thread)
	f := &floor{ops: ops, process: newInstall(t, `
channels:
  ops: {kind: webhook, url: "`+ops.URL+`"}
network: {allow: ["127.0.0.0/8"]}
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    closeout:  {grace: 300ms}
    reassign:  {after: 1s, max: 2}
    notify:    {agents.unavailable: [ops], agent.reassigned: [ops]}
desks:
  support: {agents: [{id: `+smith+`}, {id: jones@example.com}]}
sources:
  livechat: {dialect: livechat, desk: support, command: {kind: livechat, url: "`+api.URL+`", account: parley, token: "fra:token"}}
`).start(t)}
	v := &visit{floor: f, key: talk.key()}

	f.post("/webhooks/livechat", talk.says(smith, "How may I help you?"))
	v.until("with the agent", has(smith))
	f.loads("support", 0, 0, 1, map[string]int{smith: 1})

	f.post("/webhooks/livechat", talk.says(ann, "My card is lost"))

	told := v.tells(signals.SystemNoted, 1)[0]
	require.Equal(t, signals.NotePlatformFailed, told.Note.Kind)
	require.Contains(t, told.Note.Text, "Groups offline")
	require.Equal(t, []string{"get_chat", "transfer_chat"}, api.all())

	view := v.until("the clock goes again", func(w signals.View) bool {
		return slices.ContainsFunc(w.Clocks, func(c signals.ViewClock) bool {
			return c.Name == "reassign" && c.Due.After(told.At.Add(time.Second))
		})
	})
	require.Equal(t, smith, view.Agent)
	require.True(t, view.Unreplied)
	f.loads("support", 0, 0, 1, map[string]int{smith: 1})

	reassigned := v.tells(signals.AgentReassigned, 1)[0].Assignment
	require.Equal(t, smith, reassigned.FromAgentID)
	require.NotNil(t, reassigned.SilentSeconds)

	// The agent answers after all, and nothing is left to be moved.
	f.post("/webhooks/livechat", talk.says(smith, "I am here."))
	v.until("answered", func(w signals.View) bool { return !w.Unreplied })
	f.post("/webhooks/livechat", talk.closes(smith))
	v.until("closed", withTicket)
	f.loads("support", 0, 0, 0, nil)
	require.Len(t, api.all(), 2)
}
