package platform_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/platform"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	account = "b7eff798-f8df-4364-8059-649c35c9ed0c"
	token   = "fra:sEcReT-token"
	chatID  = "PJ0MRSHTDG"
	thread  = "K600PKZON8"
	bot     = "5c9871d5372c824cbf22d860a707a578"
)

// fault is how one request goes wrong.
type fault string

const (
	fine fault = ""
	// lost: it is carried out, and the answer does not arrive.
	lost fault = "lost"
	// cut: nothing is carried out, and nobody answers.
	cut  fault = "cut"
	busy fault = "busy"
	full fault = "full"
)

// fakeLiveChat is one chat of an account, behind an API that behaves as
// LiveChat's documentation says.
type fakeLiveChat struct {
	*httptest.Server

	mu sync.Mutex
	// auth is what lets somebody in.
	auth, region string
	// users are the agents in the chat, by whether the visitor sees them.
	users  map[string]bool
	group  int64
	active bool
	queued bool
	// free are those who can take a chat, by group, in the order in which they
	// are chosen; absent are agents who are offline.
	free   map[int64][]string
	absent []string
	// padding makes the answer to get_chat long.
	padding int
	// faults are how the next requests go wrong, by action.
	faults map[string][]fault
	// answer, if it is set, answers every transfer.
	answer http.HandlerFunc
	// asked are the actions in order, moved where the chat went.
	asked  []string
	bodies []string
	moved  []string
}

func newFake(t *testing.T) *fakeLiveChat {
	t.Helper()

	f := &fakeLiveChat{
		auth:   "Basic " + base64.StdEncoding.EncodeToString([]byte(account+":"+token)),
		region: "fra", users: map[string]bool{"smith@example.com": true}, group: 0, active: true,
		free: map[int64][]string{0: {"jones@example.com", "lee@example.com"}, 2: {"kim@example.com"}}, faults: map[string][]fault{},
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)

	return f
}

// ServeHTTP answers one action.
func (f *fakeLiveChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()

	action, ours := strings.CutPrefix(r.URL.Path, "/v3.6/agent/action/")
	body := json.RawMessage{}

	switch {
	case !ours || r.Method != http.MethodPost:
		refuse(w, http.StatusNotFound, "not_found", "Not found", "")

		return
	case r.Header.Get("X-Region") != f.region:
		refuse(w, http.StatusMisdirectedRequest, "misdirected_request", "Wrong region", f.region)

		return
	case r.Header.Get("Authorization") != f.auth:
		refuse(w, http.StatusUnauthorized, "authentication", "Invalid access token "+r.Header.Get("Authorization"), "")

		return
	case r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&body) != nil:
		refuse(w, http.StatusBadRequest, "validation", "Wrong format of request", "")

		return
	}

	f.asked, f.bodies = append(f.asked, action), append(f.bodies, string(body))

	how := fine
	if queue := f.faults[action]; len(queue) > 0 {
		how, f.faults[action] = queue[0], queue[1:]
	}

	switch how {
	case cut:
		panic(http.ErrAbortHandler)
	case busy:
		refuse(w, http.StatusServiceUnavailable, "service_unavailable", "Not accepting new requests", "")

		return
	case full:
		w.Header().Set("Retry-After", "7")
		refuse(w, http.StatusTooManyRequests, "too_many_requests", "Too many requests", "")

		return
	case lost:
		f.act(httptest.NewRecorder(), r, action, body)
		panic(http.ErrAbortHandler)
	case fine:
		f.act(w, r, action, body)
	}
}

func (f *fakeLiveChat) act(w http.ResponseWriter, r *http.Request, action string, body []byte) {
	switch {
	case action == "get_chat":
		f.show(w, body)
	case action == "transfer_chat" && f.answer != nil:
		f.answer(w, r)
	case action == "transfer_chat":
		f.transfer(w, body)
	default:
		refuse(w, http.StatusNotFound, "not_found", "Not found", "")
	}
}

func (f *fakeLiveChat) show(w http.ResponseWriter, body []byte) {
	var wanted struct {
		ChatID string `json:"chat_id"`
	}

	if json.Unmarshal(body, &wanted) != nil || wanted.ChatID != chatID {
		refuse(w, http.StatusNotFound, "not_found", "Chat not found", "")

		return
	}

	users := []map[string]any{
		{"id": account, "type": "customer", "present": true},
		{"id": "gone@example.com", "type": "agent", "present": false},
	}

	for id, seen := range f.users {
		visibility := "agents"
		if seen {
			visibility = "all"
		}

		users = append(users, map[string]any{"id": id, "type": "agent", "present": true, "visibility": visibility, "name": "An agent"})
	}

	shown := map[string]any{
		"id": thread, "created_at": "2020-05-07T07:11:28.288340Z", "active": f.active, "user_ids": []string{},
		"events": []map[string]any{{"id": "Q_1", "type": "message", "text": strings.Repeat("x", f.padding)}},
		"access": map[string]any{"group_ids": []int64{f.group}},
	}

	if f.queued {
		shown["queue"] = map[string]any{"position": 1, "wait_time": 60, "queued_at": "2020-05-12T11:42:47.383000Z"}
	}

	answer(w, http.StatusOK, map[string]any{
		"id": chatID, "thread": shown, "users": users, "properties": map[string]any{},
		"access": map[string]any{"group_ids": []int64{f.group}}, "is_followed": false,
	})
}

// transfer is the documented behaviour of transfer_chat.
func (f *fakeLiveChat) transfer(w http.ResponseWriter, body []byte) {
	var wanted struct {
		ID     string `json:"id"`
		Target *struct {
			Type string            `json:"type"`
			IDs  []json.RawMessage `json:"ids"`
		} `json:"target"`
		Queue    bool `json:"ignore_agents_availability"`
		Stranger bool `json:"ignore_requester_presence"`
	}

	if json.Unmarshal(body, &wanted) != nil {
		refuse(w, http.StatusBadRequest, "validation", "Wrong format of request", "")

		return
	}

	switch {
	case wanted.ID != chatID:
		refuse(w, http.StatusNotFound, "not_found", "Chat not found", "")
	case !f.active:
		refuse(w, http.StatusBadRequest, "chat_inactive", "No active chat thread", "")
	case !wanted.Stranger:
		refuse(w, http.StatusForbidden, "authorization", "Requester is not user of the chat", "")
	case wanted.Target == nil:
		f.assign(w, f.group, wanted.Queue)
	case wanted.Target.Type == "group":
		var id int64
		if json.Unmarshal(wanted.Target.IDs[0], &id) != nil {
			refuse(w, http.StatusBadRequest, "validation", "`target.ids` must be an array of numbers", "")

			return
		}

		f.assign(w, id, wanted.Queue)
	default:
		var id string
		if json.Unmarshal(wanted.Target.IDs[0], &id) != nil {
			refuse(w, http.StatusBadRequest, "validation", "`target.ids` must be an array of strings", "")

			return
		}

		f.give(w, id, wanted.Queue)
	}
}

func (f *fakeLiveChat) give(w http.ResponseWriter, agent string, queue bool) {
	_, there := f.users[agent]

	switch {
	case there:
		refuse(w, http.StatusBadRequest, "validation", "One or more of requested agents are already present in the chat", "")
	case slices.Contains(f.absent, agent) && !queue:
		refuse(w, http.StatusBadRequest, "agent_offline", "Agent is offline.", "")
	default:
		f.users, f.queued = map[string]bool{agent: true}, false
		f.moved = append(f.moved, agent)
		answer(w, http.StatusOK, map[string]any{})
	}
}

func (f *fakeLiveChat) assign(w http.ResponseWriter, group int64, queue bool) {
	i := slices.IndexFunc(f.free[group], func(agent string) bool { return !f.users[agent] })

	switch {
	case i >= 0:
		f.group = group
		f.give(w, f.free[group][i], queue)
	case queue:
		f.group, f.users, f.queued = group, map[string]bool{}, true
		f.moved = append(f.moved, "queue")
		answer(w, http.StatusOK, map[string]any{})
	default:
		refuse(w, http.StatusBadRequest, "groups_offline", "Groups offline", "")
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)

	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func refuse(w http.ResponseWriter, status int, kind, message, region string) {
	said := map[string]any{"type": kind, "message": message}
	if region != "" {
		said["data"] = map[string]any{"region": region}
	}

	answer(w, status, map[string]any{"error": said})
}

// did returns the actions that were asked for, and where the chat went.
func (f *fakeLiveChat) did() (asked, moved []string) {
	f.mu.Lock()
	defer f.mu.Unlock()

	return slices.Clone(f.asked), slices.Clone(f.moved)
}

// source is one that speaks to the fake.
func (f *fakeLiveChat) source(changes ...func(c *policy.Command)) policy.Source {
	source := policy.NewSource("livechat")
	source.Command = policy.Command{Kind: policy.CommandLiveChat, URL: f.URL, Account: account, Token: token}

	for _, change := range changes {
		change(&source.Command)
	}

	return source
}

func newSender(t *testing.T, sources ...policy.Source) *platform.Sender {
	t.Helper()

	client := outbound.NewClient(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(client.Close)

	sender, err := platform.New(sources, client)
	require.NoError(t, err)

	return sender
}

func orderOf(command signals.PlatformCommand) *signals.Order {
	command.Chat = chatID

	return &signals.Order{
		Key: "conversation:livechat:" + chatID + "/1/7", Kind: signals.OrderPlatform, Target: signals.PlatformTarget("livechat"),
		Session: 1, Counter: 7, Platform: &command,
	}
}

func toAgent(agent string) signals.PlatformCommand {
	return signals.PlatformCommand{Action: signals.PlatformTransfer, AgentID: agent, From: "smith@example.com", Thread: thread}
}

func toGroup(group, from string) signals.PlatformCommand {
	return signals.PlatformCommand{Action: signals.PlatformTransfer, GroupID: group, From: from}
}

func reassign() signals.PlatformCommand {
	return signals.PlatformCommand{Action: signals.PlatformReassign, From: "smith@example.com"}
}
