package tests_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// answersSetup has one desk per source, since an agent belongs to one. The
// options of a source must not be told where a desk can.
const answersSetup = brief + `
desks:
  support: {agents: [{id: smith, skills: [cards]}, {id: jones, skills: [loans]}]}
  empty:   {}
  chooser: {agents: [{id: Ag3ntId01}, {id: Ag3ntId02}]}
  floor:   {slots: 2, agents: [{id: a0}, {id: a1}, {id: a2}, {id: a3}, {id: a4}]}
  hall:    {slots: 2, agents: [{id: b0}, {id: b1}, {id: b2}, {id: b3}, {id: b4}]}
sources:
  pypestream: {dialect: pypestream, secrets: ["` + pypestreamToken + `"], routing: desk, desk: support,
               options: {pypestream: {wait_seconds: 777, queue_depth: 777}}}
  unmanned:   {dialect: pypestream, secrets: ["` + pypestreamToken + `"], desk: empty,
               options: {pypestream: {wait_seconds: 30, queue_depth: 10}}}
  inbenta:    {dialect: inbenta, secrets: ["` + inbentaSecret + `"], desk: chooser}
  crowd:      {dialect: inbenta, secrets: ["` + inbentaSecret + `"], desk: floor}
  routed:     {dialect: inbenta, secrets: ["` + inbentaSecret + `"], routing: desk, desk: hall}
`

// escalation is what Pypestream is answered to an escalation.
type escalation struct {
	id, status, agent string
	// position and wait are nil where they are not told.
	position, wait any
}

// escalates asks for a person and wants an answer in time, whatever it is.
func (p *process) escalates(chat, skill string) escalation {
	p.t.Helper()

	body := encoded(p.t, map[string]any{"skill": skill, "userId": "3fa85f64-5717-4562-b3fc-2c963f66afa6"})
	begun := time.Now()
	answer := p.pypestream(http.MethodPost, "conversations/"+chat+"/escalate", body)
	require.Less(p.t, time.Since(begun), 3*time.Second)

	said := escalation{id: escalationID(p.t, answer)}
	fields := p.fields(answer, http.StatusCreated)
	said.status, _ = fields["status"].(string)
	said.agent, _ = fields["agentId"].(string)
	said.position, said.wait = fields["queuePosition"], fields["estimatedWaitTime"]

	return said
}

// fields reads an answer's body.
func (p *process) fields(answer reply, status int) map[string]any {
	p.t.Helper()

	require.Equal(p.t, status, answer.status, answer.body)

	var fields map[string]any
	require.NoError(p.t, json.Unmarshal([]byte(answer.body), &fields))

	return fields
}

// queued wants an escalation to wait at a place in the line, as the desk tells and
// not the options.
func (e *escalation) queued(t *testing.T, position int) {
	t.Helper()

	require.Equal(t, "queued", e.status)
	require.Empty(t, e.agent)
	require.InDelta(t, position, e.position, 0)
	require.NotNil(t, e.wait)
	require.NotEqual(t, 777.0, e.wait)
}

func (p *process) takes(source, chat, agent string) {
	p.t.Helper()

	key := signals.Key{Source: source, Conversation: chat}
	p.eventually(key, 10*time.Second, "offered to "+agent, func(v signals.View) bool { return v.Offered == agent })

	status, body := p.do(http.MethodPost, conversationPath(key)+"/accept", map[string]any{"agent_id": agent})
	require.Equal(p.t, http.StatusOK, status, string(body))
}

// asksAvailability until it is as wanted: an answer holds for a second.
func (p *process) asksAvailability(skill, want string) {
	p.t.Helper()

	said := ""
	require.Eventually(p.t, func() bool {
		answer := p.pypestream(http.MethodGet, "agents/availability?skill="+skill, nil)
		said = answer.body

		return answer.status == http.StatusOK && said == want
	}, 5*time.Second, 100*time.Millisecond, "want %s", want)
}

// TestAnswersOfPypestream asks the desk what a bot asks before and while a visitor
// waits for a person.
func TestAnswersOfPypestream(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, answersSetup).start(t)

	parley.asksAvailability("cards", `{"available":true,"estimatedWaitTime":0,"hoursOfOperation":true,"queueDepth":0,"status":"online"}`)
	parley.asksAvailability("ships", `{"available":false,"estimatedWaitTime":777,"hoursOfOperation":true,"queueDepth":0,"status":"offline"}`)

	wait := parley.pypestream(http.MethodGet, "agents/waitTime?skill=cards", nil)
	require.Equal(t, http.StatusOK, wait.status)
	require.Equal(t, `{"estimatedWaitTime":0}`, wait.body)

	// A desk that never heard of an agent, where the platform gives the chats away.
	unmanned := parley.call(http.MethodGet, "/webhooks/unmanned/contactCenter/v1/agents/availability", nil,
		"X-Pypestream-Token", pypestreamToken)
	require.Equal(t, `{"available":true,"estimatedWaitTime":30,"hoursOfOperation":true,"queueDepth":10,"status":"online"}`, unmanned.body)

	// Both agents get somebody: an agent who is asked is next.
	first := parley.escalates("a", "cards")
	first.queued(t, 1)
	parley.takes("pypestream", "a", "smith")

	again := parley.escalates("a", "cards")
	require.Equal(t, first.id, again.id)
	require.Equal(t, "accepted", again.status)
	require.Equal(t, "smith", again.agent)

	other := parley.escalates("j", "loans")
	other.queued(t, 1)
	parley.takes("pypestream", "j", "jones")

	// Then there is a line.
	ids := map[string]string{}

	for i, chat := range []string{"b", "c", "d"} {
		said := parley.escalates(chat, "cards")
		said.queued(t, i+1)

		ids[chat] = said.id
	}

	for i, chat := range []string{"b", "c", "d"} {
		said := parley.escalates(chat, "cards")
		said.queued(t, i+1)
		require.Equal(t, ids[chat], said.id)
	}

	require.Len(t, map[string]bool{ids["b"]: true, ids["c"]: true, ids["d"]: true, first.id: true, other.id: true}, 5)

	// Another skill moves it to another line, and back to its place.
	moved := parley.escalates("c", "loans")
	moved.queued(t, 1)
	require.Equal(t, ids["c"], moved.id)

	last := parley.escalates("d", "cards")
	last.queued(t, 2)

	back := parley.escalates("c", "cards")
	back.queued(t, 2)
	require.Equal(t, ids["c"], back.id)

	last = parley.escalates("d", "cards")
	last.queued(t, 3)

	loans := parley.fields(parley.pypestream(http.MethodGet, "agents/availability?skill=loans", nil), http.StatusOK)
	require.Equal(t, "busy", loans["status"])
	require.Equal(t, true, loans["available"])

	// Whoever ends and asks again, in the same words, is at the end of the line, in
	// another session: at once, while the one before could still be reopened.
	second := func(v signals.View) bool { return v.Session == 2 && v.Status == signals.StatusQueued }

	parley.pypestream(http.MethodPost, "conversations/b/end", []byte("{}")).nothing(t)

	renewed := parley.escalates("b", "cards")
	renewed.queued(t, 3)
	require.NotEqual(t, ids["b"], renewed.id)
	require.Equal(t, renewed.id, parley.escalates("b", "cards").id)

	b := signals.Key{Source: "pypestream", Conversation: "b"}
	require.Nil(t, parley.eventually(b, 10*time.Second, "the second session", second).Ticket)

	var before signals.View

	parley.answer(http.MethodGet, conversationPath(b)+"?session=1", nil, &before)
	require.NotNil(t, before.Ticket)
	require.Equal(t, signals.StatusClosed, before.Status)

	// And so it is when the ticket is made.
	parley.pypestream(http.MethodPost, "conversations/d/end", []byte("{}")).nothing(t)
	parley.eventually(signals.Key{Source: "pypestream", Conversation: "d"}, 15*time.Second, "closed with a ticket", withTicket)

	renewed = parley.escalates("d", "cards")
	renewed.queued(t, 3)
	require.NotEqual(t, ids["d"], renewed.id)
	require.Equal(t, renewed.id, parley.escalates("d", "cards").id)
	parley.eventually(signals.Key{Source: "pypestream", Conversation: "d"}, 10*time.Second, "the second session", second)
}

// TestAnswersWithoutTemporal: a platform is answered whatever hangs or is gone,
// with what was known last.
func TestAnswersWithoutTemporal(t *testing.T) {
	t.Parallel()

	other := newInstall(t, calm)
	temporal := other.start(t)
	parley := apart(t, answersSetup, temporal, "answers").start(t)

	const online = `{"available":true,"estimatedWaitTime":0,"hoursOfOperation":true,"queueDepth":0,"status":"online"}`

	parley.asksAvailability("cards", online)

	first := parley.escalates("a", "cards")
	first.queued(t, 1)

	for _, name := range []string{"hung", "killed"} {
		if name == "hung" {
			require.NoError(t, temporal.command.Process.Signal(syscall.SIGSTOP))
		} else {
			temporal.kill()
		}

		for i := range 2 {
			chat := fmt.Sprintf("%s-%d", name, i)
			said := parley.escalates(chat, "cards")
			require.Equal(t, "queued", said.status)
			require.Nil(t, said.position)
			require.InDelta(t, 0, said.wait, 0, "the last known")
			require.Equal(t, said.id, parley.escalates(chat, "cards").id)
			require.Equal(t, first.id, parley.escalates("a", "cards").id)
		}

		begun := time.Now()

		require.Equal(t, online, parley.pypestream(http.MethodGet, "agents/availability?skill=cards", nil).body)
		require.Equal(t, http.StatusOK, parley.pypestream(http.MethodGet, "agents/availability?skill=ships", nil).status)
		require.Less(t, time.Since(begun), 5*time.Second)

		begun = time.Now()
		_, body := parley.assigns("inbenta", name, "Ag3ntId01")
		require.Empty(t, body)
		require.Less(t, time.Since(begun), 4*time.Second)
	}

	// What was said meanwhile holds afterwards.
	before := parley.escalates("hung-0", "cards")

	other.start(t)

	var after escalation

	require.Eventually(t, func() bool {
		after = parley.escalates("hung-0", "cards")

		return after.position != nil
	}, 60*time.Second, 200*time.Millisecond)
	require.Equal(t, before.id, after.id)
}

// assigns is Inbenta's question who shall have a chat. It may be asked from many
// goroutines.
func (p *process) assigns(source, chat string, agents ...string) (int, string) {
	return p.assignsAt(time.Now(), source, chat, agents...)
}

// assignsAt is another request at another second; at the same, it is repeated.
func (p *process) assignsAt(at time.Time, source, chat string, agents ...string) (int, string) {
	candidates := make([]map[string]any, 0, len(agents))
	for _, id := range agents {
		candidates = append(candidates, map[string]any{"id": id, "capacity": 5})
	}

	return p.hooksAt(at, source, "chats:assign", map[string]any{"chatId": chat, "agents": candidates})
}

// chosen is the answer that names an agent, byte for byte.
func chosen(agent string) string { return `{"agentId":"` + agent + `"}` }

// hooks sends a signed webhook of Inbenta's, which is another one in another second.
func (p *process) hooks(source, trigger string, data map[string]any) (int, string) {
	return p.hooksAt(time.Now(), source, trigger, data)
}

func (p *process) hooksAt(at time.Time, source, trigger string, data map[string]any) (int, string) {
	body, err := json.Marshal(map[string]any{"trigger": trigger, "appId": "app", "data": data, "created_at": at.Unix()})
	if err != nil {
		return 0, err.Error()
	}

	answer := p.call(http.MethodPost, "/webhooks/"+source, body, "X-Hook-Signature", signedHex(inbentaSecret, body))

	return answer.status, answer.body
}

// deskPosition asks the desk itself.
func (p *process) deskPosition(desk string, key signals.Key) signals.DeskPosition {
	p.t.Helper()

	answer, err := p.temporal().QueryWorkflow(p.t.Context(), signals.DeskWorkflowID(desk), "", signals.PositionQuery, key)
	require.NoError(p.t, err)

	var at signals.DeskPosition
	require.NoError(p.t, answer.Get(&at))

	return at
}

func (p *process) deskView(desk string) signals.DeskView {
	p.t.Helper()

	answer, err := p.temporal().QueryWorkflow(p.t.Context(), signals.DeskWorkflowID(desk), "", signals.StateQuery)
	require.NoError(p.t, err)

	var view signals.DeskView
	require.NoError(p.t, answer.Get(&view))

	return view
}

// TestAnswersOfInbenta has the desk choose among the platform's agents, and keeps
// the slot for the one who accepts.
func TestAnswersOfInbenta(t *testing.T) {
	t.Parallel()

	parley := newInstall(t, answersSetup).start(t)
	key := func(chat string) signals.Key { return signals.Key{Source: "inbenta", Conversation: chat} }
	both := []string{"Ag3ntId02", "Ag3ntId01"}

	begun := time.Now()

	// A desk that began a moment ago looks around first.
	require.Eventually(t, func() bool {
		_, body := parley.assignsAt(begun, "inbenta", "one", both...)

		return body != ""
	}, 20*time.Second, 50*time.Millisecond)

	// The first is the desk's own order; the same question has the same answer.
	for range 2 {
		status, body := parley.assignsAt(begun, "inbenta", "one", both...)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, chosen("Ag3ntId01"), body)
	}

	require.Equal(t, signals.DeskReserved, parley.deskPosition("chooser", key("one")).Status)

	status, _ := parley.hooks("inbenta", "invitations:accept", map[string]any{"chatId": "one", "userId": "Ag3ntId01"})
	require.Equal(t, http.StatusOK, status)
	parley.eventually(key("one"), 10*time.Second, "accepted", func(v signals.View) bool {
		return v.Status == signals.StatusActive && v.Agent == "Ag3ntId01"
	})
	require.Eventually(t, func() bool { return parley.deskPosition("chooser", key("one")).Status == signals.DeskActive },
		10*time.Second, 20*time.Millisecond, "the reserved slot is the conversation's")

	// Another than the chosen one accepts: fact, and the reserved slot is free.
	_, body := parley.assigns("inbenta", "two", both...)
	require.Equal(t, chosen("Ag3ntId02"), body)

	// Nobody is left, and nobody is a stranger.
	status, body = parley.assigns("inbenta", "three", both...)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, body)

	_, body = parley.assigns("inbenta", "three", "Stranger01")
	require.Empty(t, body)

	_, body = parley.assigns("inbenta", "three")
	require.Empty(t, body)

	parley.hooks("inbenta", "invitations:accept", map[string]any{"chatId": "two", "userId": "Stranger01"})
	require.Eventually(t, func() bool {
		_, body = parley.assigns("inbenta", "three", both...)

		return body == chosen("Ag3ntId02")
	}, 10*time.Second, 50*time.Millisecond)

	// A closed chat frees its agent.
	parley.hooks("inbenta", "chats:close", map[string]any{"chatId": "one", "userId": "Ag3ntId01"})
	require.Eventually(t, func() bool {
		_, body = parley.assigns("inbenta", "four", both...)

		return body == chosen("Ag3ntId01")
	}, 10*time.Second, 50*time.Millisecond)
}

// TestAnswersToACrowd: two hundred chats look for an agent at once, half of them at
// a desk that gives conversations to agents by itself as well, and no slot is given
// twice.
func TestAnswersToACrowd(t *testing.T) {
	t.Parallel()

	const chats, slots = 200, 2

	parley := newInstall(t, answersSetup).start(t)
	agents := map[string][]string{"crowd": {"a0", "a1", "a2", "a3", "a4"}, "routed": {"b0", "b1", "b2", "b3", "b4"}}

	var (
		asking sync.WaitGroup
		mu     sync.Mutex
		given  = map[string]int{}
		slow   time.Duration
	)

	// A desk that began a moment ago looks around before it gives agents away.
	for source, names := range agents {
		body := ""

		require.Eventually(t, func() bool {
			_, body = parley.assigns(source, "first", names...)

			return body != ""
		}, 20*time.Second, 50*time.Millisecond)

		given[body]++
	}

	for i := range chats {
		source := []string{"crowd", "routed"}[i%2]

		asking.Go(func() {
			chat := fmt.Sprintf("chat-%d", i)
			begun := time.Now()
			status, body := parley.assigns(source, chat, agents[source]...)
			took := time.Since(begun)

			mu.Lock()
			defer mu.Unlock()

			slow = max(slow, took)

			if status != http.StatusOK {
				t.Errorf("%s: %d %s", chat, status, body)
			}

			given[body]++
		})
	}

	asking.Wait()
	t.Logf("the slowest answer took %s; %d had none", slow, given[""])
	require.Less(t, slow, 3*time.Second)

	for _, name := range agents["crowd"] {
		require.Equal(t, slots, given[chosen(name)], name)
	}

	// Who had no answer waits in line, and may have been offered a slot before
	// others asked.
	for _, name := range agents["routed"] {
		require.LessOrEqual(t, given[chosen(name)], slots, name)
	}

	for _, desk := range []string{"floor", "hall"} {
		require.Eventually(t, func() bool {
			view := parley.deskView(desk)

			return len(view.Agents) > 0 && !slices.ContainsFunc(view.Agents, func(a signals.DeskAgent) bool { return a.Load != slots })
		}, 20*time.Second, 50*time.Millisecond, desk)
	}
}
