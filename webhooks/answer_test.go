package webhooks_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/inbenta"
	"github.com/parleyhq/parley/signals/dialects/pypestream"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// withPlatforms adds sources whose answers depend on the desk, and one that has
// none.
func withPlatforms(_ *webhooks.Config, deps *webhooks.Deps) {
	for _, source := range []struct {
		name, desk string
		dialect    dialect.Dialect
	}{
		{"pypestream", "support", pypestream.Dialect{}}, {"inbenta", "support", inbenta.Dialect{}}, {"alone", "", pypestream.Dialect{}},
	} {
		one := newSource(source.name)
		one.Dialect, one.Desk, one.Routed = source.dialect, source.desk, source.desk != ""
		deps.Sources = append(deps.Sources, one)
	}
}

const (
	callback = "/webhooks/pypestream/contactCenter/v1/"
	bodyOf   = `{"skill":"%s","userId":"u-1"}`
)

func (e *edge) escalate(source, skill string) answer {
	return e.do(http.MethodPost, "/webhooks/"+source+"/contactCenter/v1/conversations/c/escalate", fmt.Sprintf(bodyOf, skill))
}

// states is what the conversation says of itself, and its desk of it.
func (e *edge) states(source string, said signals.Statement, at signals.DeskPosition) {
	e.mu.Lock()
	e.statements[signals.Key{Source: source, Conversation: "c"}.WorkflowID()] = said
	e.mu.Unlock()

	e.desk.mu.Lock()
	e.desk.place = at
	e.desk.mu.Unlock()
}

// escalations are the ids of the escalations that were accepted.
func (e *edge) escalations() []string {
	e.mu.Lock()
	defer e.mu.Unlock()

	var ids []string

	for _, call := range e.calls {
		for i := range call.events {
			if call.events[i].Type == signals.EscalationRequested {
				ids = append(ids, call.events[i].ID)
			}
		}
	}

	return ids
}

func TestAnswersOfTheDesk(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withPlatforms)
	id := pypestream.EscalationID(signals.Key{Source: "pypestream", Conversation: "c"}, 2, time.Time{})

	require.JSONEq(t, `{"available":true,"estimatedWaitTime":0,"hoursOfOperation":true,"queueDepth":0,"status":"online"}`,
		e.do(http.MethodGet, callback+"agents/availability?skill=cards", "").body)
	require.JSONEq(t, `{"estimatedWaitTime":0}`, e.do(http.MethodGet, callback+"agents/waitTime?skill=cards", "").body)

	waits := signals.Statement{Session: 2, Desk: "support", Kind: signals.AskRequest, Number: 5, Skill: "cards"}
	at := signals.DeskPosition{Status: signals.DeskWaits, Position: 3, WaitSeconds: new(int64(90)), Session: 2, Number: 5}
	e.states("pypestream", waits, at)

	for range 2 {
		said := e.escalate("pypestream", "cards")
		require.Equal(t, http.StatusCreated, said.status)
		require.JSONEq(t, `{"escalationId":"`+id+`","estimatedWaitTime":90,"queuePosition":3,"status":"queued"}`, said.body)
	}

	require.Len(t, e.escalations(), 2)

	// Of a repetition that says something new, the event is accepted under an id of
	// its own, once.
	waits.Skill = "loans"
	e.states("pypestream", waits, at)
	e.escalate("pypestream", "cards")
	e.escalate("pypestream", "cards")

	ids := e.escalations()
	require.Equal(t, ids[0], ids[1])
	require.NotEqual(t, ids[0], ids[3])
	require.True(t, signals.IsDerived(ids[3]))
	require.Equal(t, []int{4, 2}, []int{e.accepted["pypestream"], e.doubled["pypestream"]}, "counted as what they are")

	e.states("pypestream", signals.Statement{Session: 2, Agent: "smith"}, at)
	require.JSONEq(t, `{"escalationId":"`+id+`","agentId":"smith","estimatedWaitTime":0,"queuePosition":0,"status":"accepted"}`,
		e.escalate("pypestream", "cards").body)

	// A source without a desk, and a webhook that asks nothing.
	e.states("alone", signals.Statement{Session: 1}, at)

	alone := pypestream.EscalationID(signals.Key{Source: "alone", Conversation: "c"}, 1, time.Time{})
	require.JSONEq(t, `{"escalationId":"`+alone+`","status":"queued"}`, e.escalate("alone", "cards").body)
	require.Equal(t, http.StatusNoContent, e.do(http.MethodPost, callback+"conversations/c/end", "{}").status)
}

// TestAnswersWithoutTheDesk: neither a desk that keeps silent nor Temporal away
// makes an error of an answer, nor an answer late.
func TestAnswersWithoutTheDesk(t *testing.T) {
	t.Parallel()

	for name, settle := range map[string]func(context.Context) error{
		"away": func(context.Context) error { return inbox.ErrBehind },
		"silent": func(ctx context.Context) error {
			<-ctx.Done()

			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge(t, withPlatforms)
			e.sessions[sessionKey(signals.Key{Source: "pypestream", Conversation: "c"}, 0)] = signals.View{Session: 3}
			e.settle = settle
			e.desk.down[signals.DeskWorkflowID("support")] = errDown
			e.desk.fails = errDown

			begun := time.Now()
			said := e.escalate("pypestream", "cards")
			require.Equal(t, http.StatusCreated, said.status)
			require.Less(t, time.Since(begun), 3*time.Second)

			next := pypestream.EscalationID(signals.Key{Source: "pypestream", Conversation: "c"}, 4, time.Time{})
			require.JSONEq(t, `{"escalationId":"`+next+`","status":"queued"}`, said.body)

			require.Equal(t, http.StatusOK, e.do(http.MethodGet, callback+"agents/availability", "").status)
			require.Equal(t, http.StatusOK, e.do(http.MethodGet, callback+"agents/waitTime", "").status)

			chosen := e.do(http.MethodPost, "/webhooks/inbenta", assignBody("one", "a"))
			require.Equal(t, http.StatusOK, chosen.status)
			require.Empty(t, chosen.body)
		})
	}
}

func assignBody(chat string, agents ...string) string {
	return `{"trigger":"chats:assign","data":{"chatId":"` + chat + `","agents":["` + strings.Join(agents, `","`) + `"]}}`
}

func TestAgentsAreChosen(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withPlatforms)
	e.desk.chosen = signals.Chosen{Agents: []string{"b"}}

	said := e.do(http.MethodPost, "/webhooks/inbenta", assignBody("one", "a", "b"))
	require.Equal(t, http.StatusOK, said.status)
	require.JSONEq(t, `{"agentId":"b"}`, said.body)

	require.Len(t, e.desk.updates, 1)
	require.Equal(t, signals.Choices{Choices: []signals.ChoiceAsk{{
		Key:        signals.Key{Source: "inbenta", Conversation: "one"},
		Candidates: []signals.Candidate{{AgentID: "a"}, {AgentID: "b"}},
	}}}, e.desk.updates[0].Args[0])

	// Whom the platform did not name is nobody.
	require.Empty(t, e.do(http.MethodPost, "/webhooks/inbenta", assignBody("two", "a")).body)

	// What could not be kept is not asked about.
	e.mu.Lock()
	e.failFor["three"] = errDown
	e.mu.Unlock()

	require.Equal(t, http.StatusServiceUnavailable, e.do(http.MethodPost, "/webhooks/inbenta", assignBody("three", "a", "b")).status)
	require.Len(t, e.desk.updates, 2)

	// Many at once make few updates; here they have no answer for all.
	var asking sync.WaitGroup

	for i := range 50 {
		asking.Go(func() { e.do(http.MethodPost, "/webhooks/inbenta", assignBody(fmt.Sprintf("c-%d", i), "a", "b")) })
	}

	asking.Wait()

	e.desk.mu.Lock()
	defer e.desk.mu.Unlock()

	asked := 0

	for i := range e.desk.updates {
		choices, ok := e.desk.updates[i].Args[0].(signals.Choices)
		require.True(t, ok)

		asked += len(choices.Choices)
	}

	require.Equal(t, 52, asked)
}

// TestAnotherAgentForANewRequest: a request for an agent after another says that the
// one before came to nothing; a repetition of it does not.
func TestAnotherAgentForANewRequest(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withPlatforms)
	second := 0
	hook := func(trigger, data string) string {
		answer := e.do(http.MethodPost, "/webhooks/inbenta",
			fmt.Sprintf(`{"trigger":%q,"data":{"chatId":"one",%s},"created_at":%d}`, trigger, data, 1795168800+second))
		require.Equal(t, http.StatusOK, answer.status, answer.body)

		return answer.body
	}
	assigns := func(desk string) string {
		e.desk.mu.Lock()
		e.desk.chosen = signals.Chosen{Agents: []string{desk}}
		e.desk.mu.Unlock()

		return hook("chats:assign", `"agents":["a","b","c"]`)
	}
	named := func() []string {
		choices, ok := e.desk.updates[len(e.desk.updates)-1].Args[0].(signals.Choices)
		require.True(t, ok)

		return choices.Choices[0].Named
	}

	require.JSONEq(t, `{"agentId":"a"}`, assigns("a"))
	require.JSONEq(t, `{"agentId":"a"}`, assigns("b"), "the same webhook again")
	require.Len(t, e.desk.updates, 1)
	require.Empty(t, named())

	second++

	require.JSONEq(t, `{"agentId":"b"}`, assigns("b"))
	require.Equal(t, []string{"a"}, named())

	// Somebody took it, by the platform's word or by a command.
	second++

	hook("invitations:accept", `"userId":"b"`)
	require.JSONEq(t, `{"agentId":"c"}`, assigns("c"))
	require.Empty(t, named())

	e.answer = func(client.UpdateWorkflowOptions) (signals.Answer, error) {
		return signals.Answer{View: signals.View{Agent: "c", Status: signals.StatusActive}}, nil
	}
	require.Equal(t, http.StatusOK, e.do(http.MethodPost, "/v1/conversations/inbenta/one/accept", `{"agent_id":"c"}`).status)

	second++

	assigns("a")
	require.Empty(t, named())
}
