package tests_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// liveChatAccount is the Agent Chat Web API of an account in which one other agent
// is free: a chat that is transferred goes there, and the platform says so by its
// webhooks.
type liveChatAccount struct {
	*httptest.Server

	// free takes every chat.
	free string
	// webhooks takes what the platform posts.
	webhooks string

	mu    sync.Mutex
	chats map[string]*accountChat
	// refused is what was asked for otherwise than the reference says.
	refused []string
}

// accountChat is one chat: who serves it, what its transfers were asked to be, and
// what the platform posts about one.
type accountChat struct {
	thread string
	agent  string
	// early: the webhooks go out before the command is answered.
	early  bool
	posts  [][]byte
	looks  int
	bodies []string
}

func newLiveChatAccount(t *testing.T, free string, chats map[string]*accountChat) *liveChatAccount {
	t.Helper()

	a := &liveChatAccount{free: free, chats: chats}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)

	return a
}

// ServeHTTP answers one action (get_chat, transfer_chat).
func (a *liveChatAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()

	body, _ := io.ReadAll(r.Body)

	var asked struct {
		ID     string `json:"id"`
		ChatID string `json:"chat_id"`
		Target struct {
			Type string  `json:"type"`
			IDs  []int64 `json:"ids"`
		} `json:"target"`
		Stranger bool `json:"ignore_requester_presence"`
	}

	account, token, ok := r.BasicAuth()
	wrong := !ok || account != "account" || token != "fra:token" || r.Header.Get("X-Region") != "fra" ||
		r.Method != http.MethodPost || json.Unmarshal(body, &asked) != nil
	action := strings.TrimPrefix(r.URL.Path, "/v3.6/agent/action/")

	switch c := a.chats[asked.ChatID+asked.ID]; {
	case wrong || c == nil:
		a.refuse(w, "validation", action+" "+string(body))
	case action == "get_chat":
		c.looks++

		a.reply(w, http.StatusOK, c.shown(asked.ChatID))
	case action != "transfer_chat" || asked.Target.Type != "group" || !slices.Equal(asked.Target.IDs, []int64{0}) || !asked.Stranger:
		a.refuse(w, "validation", action+" "+string(body))
	case c.agent == a.free:
		c.bodies = append(c.bodies, string(body))

		a.refuse(w, "groups_offline", "nobody but "+c.agent)
	default:
		c.bodies = append(c.bodies, string(body))
		c.agent = a.free

		if c.early {
			a.post(c.posts)
			a.reply(w, http.StatusOK, map[string]any{})

			return
		}

		a.reply(w, http.StatusOK, map[string]any{})

		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}

		a.post(c.posts)
	}
}

// shown is the answer to get_chat, which shows who left, too.
func (c *accountChat) shown(id string) map[string]any {
	users := []map[string]any{
		{"id": ann, "type": "customer", "present": true},
		{"id": c.agent, "type": "agent", "present": true, "visibility": "all"},
	}

	if c.agent != smith {
		users = append(users, map[string]any{"id": smith, "type": "agent", "present": false, "visibility": "all"})
	}

	access := map[string]any{"group_ids": []int{0}}

	return map[string]any{
		"id": id, "thread": map[string]any{"id": c.thread, "active": true, "access": access}, "users": users, "access": access,
	}
}

func (a *liveChatAccount) refuse(w http.ResponseWriter, kind, why string) {
	a.refused = append(a.refused, kind+": "+why)
	a.reply(w, http.StatusBadRequest, map[string]any{"error": map[string]any{"type": kind, "message": why}})
}

func (a *liveChatAccount) reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}

	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text))) // so that it is whole before the handler is over
	w.WriteHeader(status)

	_, _ = w.Write(text)
}

// post delivers webhooks, which must be answered with exactly 200.
func (a *liveChatAccount) post(bodies [][]byte) {
	for _, body := range bodies {
		response, err := http.Post(a.webhooks, "application/json", strings.NewReader(string(body)))
		if err != nil {
			a.refused = append(a.refused, "webhook: "+err.Error())

			continue
		}

		_ = response.Body.Close()

		if response.StatusCode != http.StatusOK {
			a.refused = append(a.refused, "webhook: "+response.Status)
		}
	}
}

// asked is how often a chat was looked at, and to be transferred.
func (a *liveChatAccount) asked(chat string) (looks int, transfers []string) {
	a.mu.Lock()
	defer a.mu.Unlock()

	return a.chats[chat].looks, slices.Clone(a.chats[chat].bodies)
}

// complaints are what was asked for otherwise than the reference says.
func (a *liveChatAccount) complaints() []string {
	a.mu.Lock()
	defer a.mu.Unlock()

	return slices.Clone(a.refused)
}

// moves are what LiveChat posts about a transfer, in an order that it does not
// promise.
func (c *chat) moves(from, to string, order ...string) [][]byte {
	c.t.Helper()

	named := map[string]map[string]any{
		"user_added_to_chat": {
			"user_type": "agent", "reason": "assigned", "requester_id": "account",
			"user": map[string]any{"id": to, "name": "Jones", "type": "agent", "present": true, "visibility": "all"},
		},
		"chat_transferred": {
			"requester_id": "account", "reason": "manual", "queue": nil,
			"transferred_to": map[string]any{"agent_ids": []any{to}, "group_ids": []any{0}},
		},
		"user_removed_from_chat": {"user_type": "agent", "user_id": from, "reason": "manual", "requester_id": "account"},
	}

	bodies := make([][]byte, 0, len(order))
	for _, name := range order {
		bodies = append(bodies, encoded(c.t, c.of(name, named[name])))
	}

	return bodies
}

// TestPlatformMovesTheChat: an agent is silent, and the platform that routes for
// itself moves the chat at Parley's command. What it posts about it may come before
// its answer or after it, in any order. The chat is with the new agent, the desk
// counts so, and nothing is moved twice.
func TestPlatformMovesTheChat(t *testing.T) {
	t.Parallel()

	const added, transferred, removed = "user_added_to_chat", "chat_transferred", "user_removed_from_chat"

	early, late := &chat{t: t, id: "EARLY", thread: "EARLY-1"}, &chat{t: t, id: "LATE", thread: "LATE-1"}
	ops := newReceiver(t)
	api := newLiveChatAccount(t, jones, map[string]*accountChat{
		early.id: {thread: early.thread, agent: smith, early: true, posts: early.moves(smith, jones, removed, added, transferred)},
		late.id:  {thread: late.thread, agent: smith, posts: late.moves(smith, jones, added, transferred, removed)},
	})

	// A chat is taken from an agent once, so that the next one may take the time
	// that a busy machine needs; a second command would be one too many all the same.
	f := &floor{ops: ops, process: newInstall(t, `
channels:
  ops: {kind: webhook, url: "`+ops.URL+`"}
network: {allow: ["127.0.0.0/8"]}
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    closeout:  {grace: 300ms}
    reassign:  {after: 1s, max: 1}
    notify:    {agents.unavailable: [ops], agent.reassigned: [ops]}
desks:
  support: {agents: [{id: `+smith+`, slots: 3}, {id: `+jones+`, slots: 3}]}
sources:
  livechat: {dialect: livechat, desk: support, groups: {"0": support},
             command: {kind: livechat, url: "`+api.URL+`", account: account, token: "fra:token"}}
`).start(t)}
	api.webhooks = f.url(livechatPath)

	for _, talk := range []*chat{early, late} {
		v := &visit{floor: f, key: talk.key()}
		f.post(livechatPath, talk.says(smith, "How may I help you?"))
		v.until("with the agent", has(smith))
	}

	f.loads("support", 0, 0, 2, map[string]int{smith: 2})

	for _, talk := range []*chat{early, late} {
		f.post(livechatPath, talk.says(ann, "My card is lost"))
	}

	for _, talk := range []*chat{early, late} {
		v := &visit{floor: f, key: talk.key()}
		view := v.until("moved", func(w signals.View) bool { return w.Agent == jones && len(timeline(&w, signals.SystemNoted)) > 0 })
		require.Equal(t, signals.StatusActive, view.Status)
		require.True(t, view.Unreplied, "a transfer is no answer")
		require.Len(t, timeline(&view, signals.SystemNoted), 1)
		require.Regexp(t, "^done: platform reassign from "+smith+" to group 0", timeline(&view, signals.SystemNoted)[0])

		told := v.tells(signals.AgentReassigned, 1)[0].Assignment
		require.Equal(t, smith, told.FromAgentID)
		require.Equal(t, "silence", told.Reason)
		require.Empty(t, told.PlatformAction, "nothing is left for people to do")
	}

	f.loads("support", 0, 0, 2, map[string]int{jones: 2})

	for _, talk := range []*chat{early, late} {
		v := &visit{floor: f, key: talk.key()}
		f.post(livechatPath, talk.says(jones, "I have it, and I lock it."))
		v.until("answered", func(w signals.View) bool { return !w.Unreplied && w.Agent == jones })
		f.post(livechatPath, talk.closes(jones))
		v.until("closed", withTicket)
		require.Empty(t, v.told(signals.AgentsUnavailable))

		looks, transfers := api.asked(talk.id)
		require.Equal(t, 1, looks)
		require.Len(t, transfers, 1)
	}

	f.loads("support", 0, 0, 0, nil)
	require.Empty(t, api.complaints())
	f.unlogged("fra:token")
}
