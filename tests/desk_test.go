package tests_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/parleyhq/parley/signals"
)

// floorConfig is one server with a desk, a policy and a source of the same name
// for each of the scenarios, so that nobody is in another's line.
func floorConfig(ops string) string {
	now := time.Now().UTC()
	holidays := make([]string, 0, 4)

	for day := -1; day < 3; day++ {
		holidays = append(holidays, fmt.Sprintf("%q", now.AddDate(0, 0, day).Format(time.DateOnly)))
	}

	return `
channels:
  ops: {kind: webhook, url: "` + ops + `"}
network: {allow: ["127.0.0.0/8"]}
hours:
  shut: {zone: UTC, mon-sun: ["00:00-24:00"], holidays: [` + strings.Join(holidays, ", ") + `]}
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    closeout:  {grace: 300ms}
    accept:    {timeout: 1m, rounds: 2, pause: 300ms}
    notify:    {agents.unavailable: [ops], invitation.sent: [ops], invitation.ended: [ops], agent.reassigned: [ops]}
  shut:    {out_of_hours: offline}
  third:   {accept: {timeout: 3s, rounds: 1}}
  offline: {reassign: {offline_grace: 500ms}}
  silent:  {reassign: {after: 1s}}
  lonely:  {accept: {timeout: 500ms, rounds: 2, pause: 300ms}}
  leaves:  {queue: {abandon: 700ms}}
  ended:   {accept: {timeout: 3s}}
desks:
  shut:    {hours: shut, agents: [{id: shut-a}]}
  later:   {hours: shut, agents: [{id: later-a}]}
  busy:    {agents: [{id: busy-a}]}
  third:   {strategy: round_robin, agents: [{id: third-a}, {id: third-b, name: Berta}, {id: third-c}]}
  offline: {strategy: round_robin, agents: [{id: offline-a, slots: 2}, {id: offline-b, slots: 2}]}
  silent:  {agents: [{id: silent-a}]}
  lonely:  {agents: [{id: lonely-a}]}
  pair:    {agents: [{id: pair-a}, {id: pair-b}]}
  ping:    {agents: [{id: ping-a}]}
  pong:    {agents: [{id: pong-c}]}
  leaves:  {agents: [{id: leaves-a}]}
  races:   {agents: [{id: races-a, slots: 40}, {id: races-b, slots: 40, status: not_accepting}]}
  ended:   {agents: [{id: ended-a}]}
  refill:  {strategy: round_robin, agents: [{id: refill-a, slots: 2}, {id: refill-b}]}
sources:
  shut:    {dialect: parley, routing: desk, desk: shut, policy: shut}
  later:   {dialect: parley, routing: desk, desk: later}
  busy:    {dialect: parley, routing: desk, desk: busy}
  third:   {dialect: parley, routing: desk, desk: third, policy: third}
  offline: {dialect: parley, routing: desk, desk: offline, policy: offline}
  silent:  {dialect: parley, routing: desk, desk: silent, policy: silent}
  lonely:  {dialect: parley, routing: desk, desk: lonely, policy: lonely}
  pair:    {dialect: parley, routing: desk, desk: pair}
  ping:    {dialect: parley, routing: desk, desk: ping, groups: {"1": ping, "2": pong}}
  leaves:  {dialect: parley, routing: desk, desk: leaves, policy: leaves}
  races:   {dialect: parley, routing: desk, desk: races}
  ended:   {dialect: parley, routing: desk, desk: ended, policy: ended}
  refill:  {dialect: parley, routing: desk, desk: refill}
`
}

// TestDesk has visitors ask for a person, in all the ways in which nobody may come.
func TestDesk(t *testing.T) {
	t.Parallel()

	ops := newReceiver(t)
	parley := newInstall(t, floorConfig(ops.URL)).start(t)

	for name, check := range map[string]func(*floor){
		"out of hours":                           checkOutOfHours,
		"out of hours, and waiting":              checkWaitsForHours,
		"all are busy":                           checkAllBusy,
		"silent, declined, accepted":             checkThirdAgent,
		"offline in the midst of a chat":         checkOffline,
		"one agent, who is silent":               checkOneSilent,
		"an invited agent who is the only one":   checkOneInvited,
		"there and back between agents":          checkAgentPingPong,
		"there and back between desks":           checkDeskPingPong,
		"the visitor leaves while offered":       checkVisitorLeaves,
		"two agents accept at once":              checkTwoAccept,
		"accepted and closed at once":            checkAcceptAndClose,
		"a conversation that somebody ended":     checkTerminatedChat,
		"a desk that somebody ended":             checkTerminatedDesk,
		"a platform's own word about who has it": checkPlatformsWord,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(&floor{process: parley.with(t), ops: ops})
		})
	}
}

// floor is a running server, the channel that is told, and the program that is
// asked for agents, if there is one.
type floor struct {
	*process

	ops    *receiver
	assign *assigner
}

// visit is one conversation on a floor.
type visit struct {
	*floor

	key signals.Key
	// said numbers the events.
	said int
}

// visitor writes, asks for a person, and waits in line.
func (f *floor) visitor(source, id string) *visit {
	f.t.Helper()

	v := &visit{floor: f, key: signals.Key{Source: source, Conversation: id}}
	v.says("visitor", "Is anyone there?")
	v.happens(signals.EscalationRequested, map[string]any{"actor": visitorAnn()})

	return v
}

func visitorAnn() map[string]any {
	return map[string]any{"id": "ann", "role": "visitor", "name": "Ann"}
}

// happens sends an event of the conversation.
func (v *visit) happens(kind signals.Type, fields map[string]any) {
	v.t.Helper()

	v.said++
	event := map[string]any{"id": fmt.Sprintf("e%d", v.said), "type": kind, "conversation": v.key.Conversation}

	maps.Copy(event, fields)

	v.post("/webhooks/"+v.key.Source, event)
}

// says sends a message, of the visitor or of an agent.
func (v *visit) says(who, text string) {
	v.t.Helper()

	actor := visitorAnn()
	if who != "visitor" {
		actor = map[string]any{"id": who, "role": "agent"}
	}

	v.happens(signals.MessageReceived, map[string]any{"actor": actor, "message": map[string]any{"text": text}})
}

// commands sends a command and wants it done.
func (v *visit) commands(verb string, fields map[string]any) signals.View {
	v.t.Helper()

	var view signals.View

	v.answer(http.MethodPost, conversationPath(v.key)+"/"+verb, fields, &view)

	return view
}

// refuses sends a command, wants 409, and returns why.
func (v *visit) refuses(verb string, fields map[string]any) string {
	v.t.Helper()

	return v.problemOf(http.StatusConflict, http.MethodPost, conversationPath(v.key)+"/"+verb, fields).Detail
}

func by(agent string) map[string]any { return map[string]any{"agent_id": agent} }

// patience is for a machine that has much else to do; by less than busy may a clock
// be late on it.
const (
	patience = 15 * time.Second
	busy     = 5 * time.Second
)

func (v *visit) until(what string, holds func(signals.View) bool) signals.View {
	v.t.Helper()

	return v.eventually(v.key, patience, v.key.Conversation+": "+what, holds)
}

// offered waits for an invitation, accepted for an agent who has it.
func (v *visit) offered(agent string) signals.View {
	v.t.Helper()

	return v.until("offered to "+agent, offeredTo(agent))
}

func (v *visit) accepted(agent string) {
	v.t.Helper()
	v.offered(agent)
	require.Equal(v.t, agent, v.commands("accept", by(agent)).Agent)
}

// closes ends the conversation, and waits for its ticket.
func (v *visit) closes() signals.View {
	v.t.Helper()
	v.commands("close", map[string]any{"by": "ops", "reason": "done"})

	return v.until("closed", withTicket)
}

// desk reads a desk.
func (f *floor) desk(name string) signals.DeskView {
	f.t.Helper()

	var view signals.DeskView

	answer, err := f.temporal().QueryWorkflow(f.t.Context(), signals.DeskWorkflowID(name), "", signals.StateQuery)
	if err != nil {
		return view // it begins with the first who asks
	}

	require.NoError(f.t, answer.Get(&view))

	return view
}

// deskUntil waits until a desk is so.
func (f *floor) deskUntil(name, what string, patience time.Duration, holds func(signals.DeskView) bool) {
	f.t.Helper()

	var last signals.DeskView

	require.Eventually(f.t, func() bool {
		last = f.desk(name)

		return last.Desk == name && holds(last)
	}, patience, 50*time.Millisecond, "%s: %s", name, what)
}

// loads waits until a desk counts so many, and its agents have so many slots taken.
func (f *floor) loads(name string, waiting, offered, active int, loads map[string]int) {
	f.t.Helper()

	f.deskUntil(name, fmt.Sprintf("%d wait, %d are offered, %d active, %v", waiting, offered, active, loads), patience,
		func(d signals.DeskView) bool {
			for _, agent := range d.Agents {
				if agent.Load != loads[agent.ID] {
					return false
				}
			}

			return d.Waiting == waiting && d.Offered == offered && d.Active == active
		})
}

// told are the events of one kind that the channel was told about a conversation.
func (v *visit) told(kind signals.Type) []signals.Event {
	v.t.Helper()

	var (
		events []signals.Event
		seen   = map[string]bool{}
	)

	for _, got := range v.ops.all() {
		var event signals.Event

		if json.Unmarshal([]byte(got.body), &event) == nil && event.Type == kind && event.Source == v.key.Source &&
			event.Conversation == v.key.Conversation && !seen[got.id] {
			seen[got.id] = true
			events = append(events, event)
		}
	}

	return events
}

// tells waits until the channel was told so often.
func (v *visit) tells(kind signals.Type, times int) []signals.Event {
	v.t.Helper()

	var events []signals.Event

	require.Eventually(v.t, func() bool {
		events = v.told(kind)

		return len(events) >= times
	}, patience, 20*time.Millisecond, "%s: %s", v.key, kind)
	require.Len(v.t, events, times, "%s: %s", v.key, kind)

	return events
}

// invitations are those of a view, as "smith declined lunch".
func invitations(view *signals.View) []string {
	list := make([]string, 0, len(view.Invitations))
	for _, one := range view.Invitations {
		list = append(list, strings.TrimSpace(one.AgentID+" "+one.Outcome+" "+one.Reason))
	}

	return list
}

// timeline are the lines of a kind.
func timeline(view *signals.View, kind signals.Type) []string {
	var list []string

	for _, entry := range view.Timeline {
		if entry.Type == kind {
			list = append(list, entry.Text)
		}
	}

	return list
}

// card is what the Temporal UI shows of the conversation.
func (v *visit) card() string {
	v.t.Helper()

	answer, err := v.temporal().QueryWorkflow(v.t.Context(), v.key.WorkflowID(), "", "__temporal_workflow_metadata")
	require.NoError(v.t, err)

	var metadata sdkpb.WorkflowMetadata

	require.NoError(v.t, answer.Get(&metadata))

	return metadata.GetCurrentDetails()
}

// together does several things at the same time.
func together(done ...func()) {
	var running sync.WaitGroup
	for _, do := range done {
		running.Go(do)
	}

	running.Wait()
}

// atDesk is where a desk says that the conversation stands; empty is nowhere.
func (v *visit) atDesk(name string) string {
	v.t.Helper()

	answer, err := v.temporal().QueryWorkflow(v.t.Context(), signals.DeskWorkflowID(name), "", signals.PositionQuery, v.key)
	require.NoError(v.t, err)

	var position signals.DeskPosition

	require.NoError(v.t, answer.Get(&position))

	return position.Status
}

// leftDesk waits until a desk has nothing of the conversation any more.
func (v *visit) leftDesk(name string) {
	v.t.Helper()

	require.Eventually(v.t, func() bool { return v.atDesk(name) == "" }, patience, 50*time.Millisecond, "%s leaves %s", v.key, name)
}

// terminate ends a run as somebody does it in the Temporal UI.
func (f *floor) terminate(workflow string) {
	f.t.Helper()
	require.NoError(f.t, f.temporal().TerminateWorkflow(f.t.Context(), workflow, "", "for the test"))
}
