package tests_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

const (
	assignSecret = "assign-secret"
	// assignTimeout is that of the desk whose webhook does not answer.
	assignTimeout = 2 * time.Second
)

// assignScenes have desks that ask a webhook. Left alone each asks its a first,
// whose slots are many.
func assignScenes(url string) []scene {
	assign := func(timeout string) string {
		return `strategy: priority, assign: {url: "` + url + `/assign", secret: ` + assignSecret + `, timeout: ` + timeout + `}, `
	}

	return []scene{
		{
			name: "named", desk: assign("5s") + "agents: [{id: named-a, slots: 20, skills: [cards]}, " +
				"{id: named-b, name: Berta, slots: 4, skills: [it, cards], priority: 2}, {id: named-c, slots: 20, skills: [cards], priority: 1}, " +
				"{id: named-off, skills: [cards], status: offline}, {id: named-other, skills: [it]}]",
		},
		{
			name: "unnamed", desk: assign("2s") + "agents: [{id: unnamed-a, slots: 20}, {id: unnamed-b, slots: 20, priority: 1}, " +
				"{id: unnamed-full, priority: 2}, {id: unnamed-off, status: offline}]",
		},
	}
}

// assigner is a team's own program that says who shall have a conversation: each as
// the test wants it, by the conversation's id, and nobody where it wants nothing.
type assigner struct {
	*httptest.Server

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   []asked
}

// asked is one question.
type asked struct {
	at       time.Time
	header   http.Header
	body     []byte
	question signals.Event
}

func newAssigner(t *testing.T) *assigner {
	t.Helper()

	a := &assigner{answers: map[string]http.HandlerFunc{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)

	return a
}

// ServeHTTP answers one question.
func (a *assigner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one := asked{at: time.Now(), header: r.Header}

	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/assign" || json.Unmarshal(body, &one.question) != nil {
		http.Error(w, "not a question", http.StatusBadRequest)

		return
	}

	one.body = body

	a.mu.Lock()
	a.asked = append(a.asked, one)
	answer := a.answers[one.question.Conversation]
	a.mu.Unlock()

	if answer != nil {
		answer(w, r)
	}
}

// will says what is answered about a conversation from now on.
func (a *assigner) will(conversation string, answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.answers[conversation] = answer
}

// about returns the questions about a conversation so far.
func (a *assigner) about(key signals.Key) []asked {
	a.mu.Lock()
	defer a.mu.Unlock()

	var list []asked

	for _, one := range a.asked {
		if one.question.Source == key.Source && one.question.Conversation == key.Conversation {
			list = append(list, one)
		}
	}

	return list
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)

		_, _ = io.WriteString(w, body)
	}
}

func names(agent string) http.HandlerFunc { return answers(http.StatusOK, `{"agent_id":"`+agent+`"}`) }

// checkAssigned: whom the webhook names is invited, before each invitation anew. It
// sees who can have the conversation, and can tell who asks.
func checkAssigned(f *floor) {
	f.assign.will("first", names("named-b"))
	f.assign.will("second", names("named-c"))

	first := &visit{floor: f, key: signals.Key{Source: "named", Conversation: "first"}}
	first.says("visitor", "My card is lost.")
	first.happens(signals.EscalationRequested, map[string]any{"actor": visitorAnn(), "escalation": map[string]any{"skill": "cards"}})
	first.offered("named-b")

	questions := f.assign.about(first.key)
	require.Len(f.t, questions, 1)
	questions[0].isSigned(f.t, assignSecret)

	question := questions[0].question
	require.Equal(f.t, signals.AssignmentRequested, question.Type)
	require.Equal(f.t, 1, question.Session)
	require.Equal(f.t, "named", question.Queue.Desk)
	require.WithinDuration(f.t, time.Now(), question.Queue.QueuedAt, patience)
	require.GreaterOrEqual(f.t, *question.Queue.WaitSeconds, int64(0))

	// By their ids, and without who is away or knows nothing of cards.
	require.Equal(f.t, []string{"named-a 0/20 cards", "named-b 0/4 cards it", "named-c 0/20 cards"}, candidates(&question))

	// The next question is another one, and counts what was given away; who
	// declined is not among those who can have it.
	first.commands("decline", by("named-b"))
	first.offered("named-a") // b, said again, cannot have it

	questions = f.assign.about(first.key)
	require.Len(f.t, questions, 2)
	require.NotEqual(f.t, questions[0].question.ID, questions[1].question.ID)
	require.Equal(f.t, []string{"named-a 0/20 cards", "named-c 0/20 cards"}, candidates(&questions[1].question))
	first.commands("accept", by("named-a"))

	second := f.visitor("named", "second")
	second.offered("named-c")

	question = f.assign.about(second.key)[0].question
	require.Contains(f.t, candidates(&question), "named-a 1/20 cards")
	require.Contains(f.t, candidates(&question), "named-other 0/1 it", "nothing special is asked for")

	// Who is told nothing is told by the desk's own choice.
	third := f.visitor("named", "third")
	third.offered("named-other")

	for _, v := range []*visit{first, second, third} {
		v.closes()
	}

	f.loads("named", 0, 0, 0, nil)
	f.unlogged(assignSecret)
}

// candidates are those of a question, as "smith 1/4 billing".
func candidates(question *signals.Event) []string {
	list := make([]string, 0, len(question.Invitation.Candidates))

	for _, one := range question.Invitation.Candidates {
		list = append(list, one.AgentID+" "+strconv.FormatInt(*one.Load, 10)+"/"+strconv.FormatInt(*one.Capacity, 10)+" "+
			strings.Join(one.Skills, " "))
	}

	return list
}

// isSigned verifies a question as its receiver can, in both ways.
func (one *asked) isSigned(t *testing.T, secret string) {
	t.Helper()

	require.Equal(t, "application/json", one.header.Get("Content-Type"))
	require.Equal(t, signedHex(secret, one.body), one.header.Get("X-Chat-Signature"))

	id, stamp := one.header.Get("Webhook-Id"), one.header.Get("Webhook-Timestamp")
	require.Equal(t, one.question.ID, id)

	seconds, err := strconv.ParseInt(stamp, 10, 64)
	require.NoError(t, err)
	require.WithinDuration(t, one.at, time.Unix(seconds, 0), busy)

	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id + "." + stamp + "." + string(one.body)))
	require.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), one.header.Get("Webhook-Signature"))
}

// checkNotAssigned: whatever else the webhook answers, the desk decides by itself,
// once it knows, and asks no second time.
func checkNotAssigned(f *floor) {
	// One agent has no slot left.
	f.assign.will("full", names("unnamed-full"))

	full := f.visitor("unnamed", "full")
	full.accepted("unnamed-full")

	for id, answer := range map[string]http.HandlerFunc{
		"failed": answers(http.StatusInternalServerError, `{"agent_id":"unnamed-b"}`),
		"moved": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"garbage":     answers(http.StatusOK, `<b>unnamed-b</b>`),
		"number":      answers(http.StatusOK, `{"agent_id":7}`),
		"list":        answers(http.StatusOK, `[{"agent_id":"unnamed-b"}]`),
		"empty":       answers(http.StatusOK, ""),
		"no content":  answers(http.StatusNoContent, ""),
		"nobody":      names(""),
		"long":        names(strings.Repeat("b", 4<<10)),
		"stranger":    names("unnamed-z"),
		"away":        names("unnamed-off"),
		"has no slot": names("unnamed-full"),
		"cut off":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		f.assign.will(id, answer)

		v := f.visitor("unnamed", id)
		v.offered("unnamed-a")
		require.Len(f.t, f.assign.about(v.key), 1, id)
		v.closes()
		require.Len(f.t, f.assign.about(v.key), 1, id)
	}

	// Nothing at all, for as long as Parley waits.
	f.assign.will("silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })

	v := f.visitor("unnamed", "silent")
	view := v.offered("unnamed-a")
	questions := f.assign.about(v.key)
	require.Len(f.t, questions, 1)

	waited := timelineAt(f, &view, signals.InvitationSent).Sub(questions[0].at)
	require.Greater(f.t, waited, assignTimeout-100*time.Millisecond, "the answer could have come")
	require.Less(f.t, waited, assignTimeout+busy)

	// Who answers too late names nobody.
	v.commands("accept", by("unnamed-a"))
	v.closes()
	full.closes()
	f.loads("unnamed", 0, 0, 0, nil)
}

// TestAssignmentExample: the request that the documentation shows is signed as it
// says, and is one that a program would understand.
func TestAssignmentExample(t *testing.T) {
	t.Parallel()

	page, err := os.ReadFile(filepath.Join("..", "docs", "platforms.md"))
	require.NoError(t, err)

	_, rest, found := strings.Cut(string(page), "POST /assign HTTP/1.1\n")
	require.True(t, found)

	head, rest, _ := strings.Cut(rest, "\n\n")
	body, _, _ := strings.Cut(rest, "\n```")

	one := asked{header: http.Header{}, body: []byte(strings.ReplaceAll(body, "\n", ""))}
	for line := range strings.SplitSeq(head, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		one.header.Set(name, value)
	}

	require.NoError(t, json.Unmarshal(one.body, &one.question))

	one.at = one.question.At
	one.isSigned(t, "topsecret")
	require.Equal(t, signals.AssignmentRequested, one.question.Type)
	require.Equal(t, []string{"jones 1/4 billing", "smith 0/2 billing cards"}, candidates(&one.question))
}
