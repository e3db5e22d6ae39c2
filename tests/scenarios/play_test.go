package scenarios_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

func key() signals.Key { return signals.Key{Source: "shop", Conversation: "C1"} }

// start is a Friday.
func start() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) }

func TestScenarios(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)

	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			t.Parallel()

			s := load(t, file)
			newPlayer(t, &s).play(s.Steps)
		})
	}
}

// player runs one scenario.
type player struct {
	*testing.T

	machine *conversation.Machine
	under   policy.Snapshot
	now     time.Time
	orders  []signals.Order
	asks    []conversation.DeskAsk
	// said is the newest statement to a desk, attempt the newest offer's.
	said    conversation.DeskAsk
	attempt int64
	events  int
	// before is the session before, once there is one.
	before *conversation.Record
}

func newPlayer(t *testing.T, s *scenario) *player {
	t.Helper()

	begin := signals.Start{Version: 1, Session: 1, Threads: s.Source.Threads}
	if s.Source.Closed != nil {
		begin.Session, begin.ClosedAt = 2, start().Add(time.Duration(*s.Source.Closed))
	}

	under := s.under(t)

	return &player{T: t, machine: conversation.NewMachine(key(), key().WorkflowID(), begin, under), under: under, now: start()}
}

func (p *player) play(steps []step) {
	for i := range steps {
		step := &steps[i]
		where := fmt.Sprintf("step %d at %s", i+1, p.now.Sub(start()))

		p.step(step, where)
		p.after(where)

		if step.Expect != nil {
			p.check(step.Expect, fmt.Sprintf("step %d at %s", i+1, p.now.Sub(start())))
		}
	}
}

func (p *player) step(step *step, where string) {
	if step.At != nil {
		p.runTo(start().Add(time.Duration(*step.At)))
	}

	if step.Sleep != nil {
		p.now = p.now.Add(time.Duration(*step.Sleep))
	}

	switch {
	case step.Tick != nil:
		p.runTo(p.now.Add(time.Duration(*step.Tick)))
	case step.Outage != nil:
		p.now = p.now.Add(time.Duration(*step.Outage))
		p.machine.Tick(p.now)
	case step.Command != "":
		p.command(step, where)
	case step.Offer != nil:
		p.offer(step.Offer)
	case step.Event.Type != "":
		p.apply([]event{step.Event})
	case len(step.Batch) > 0:
		p.apply(step.Batch)
	default:
		require.NotNil(p, step.Expect, "%s does nothing", where)
	}
}

// runTo lets time pass; every clock fires when it is due.
func (p *player) runTo(to time.Time) {
	require.False(p, to.Before(p.now), "time goes forward only")

	for fired := 0; ; fired++ {
		require.Less(p, fired, 1000, "a clock that fires does not move on")

		next, ok := p.machine.NextDeadline()
		if !ok || next.Due.After(to) {
			break
		}

		if next.Due.After(p.now) {
			p.now = next.Due
		}

		p.machine.Tick(p.now)
	}

	p.now = to
}

func (p *player) apply(events []event) {
	for i := range events {
		p.take(p.event(&events[i]))
	}

	p.machine.Settle(p.now)
	p.machine.Tick(p.now)
}

// take hands an event to the session that it belongs to, as the workflow does.
func (p *player) take(event signals.Event) {
	p.machine.Lapse(&event, p.now)

	if p.machine.Decided && p.machine.Following(&event) {
		p.before = p.machine.Record("run")
		p.handOut()
		p.machine = conversation.NewMachine(key(), key().WorkflowID(), p.machine.Result().Next(), p.under)
	}

	p.machine.Apply(event, p.now)
}

func (p *player) event(from *event) signals.Event {
	p.events++

	at := p.now
	if from.Said != nil {
		at = start().Add(time.Duration(*from.Said))
	}

	built := signals.Event{
		ID: from.ID, Type: from.Type, Source: key().Source, Conversation: key().Conversation, Thread: from.Thread,
		At: at, ReceivedAt: p.now, Actor: actor(from.From),
	}
	if built.ID == "" {
		built.ID = fmt.Sprintf("e%d", p.events)
	}

	if from.Type == signals.MessageReceived || from.Type == signals.MessageUpdated {
		built.Message = &signals.Message{ID: from.ID, Text: from.Text, Kind: signals.KindText}
	}

	if len(from.With) > 0 {
		blocks, err := json.Marshal(from.With)
		require.NoError(p, err)

		decoder := json.NewDecoder(strings.NewReader(string(blocks)))
		decoder.DisallowUnknownFields()
		require.NoError(p, decoder.Decode(&built))
	}

	require.NoError(p, built.Validate())

	return built
}

func actor(name string) *signals.Actor {
	if name == "" {
		return nil
	}

	id, hidden := strings.CutPrefix(name, "?")
	who := &signals.Actor{ID: id, Role: signals.RoleUnknown, Name: strings.ToUpper(id[:1]) + id[1:]}

	if hidden {
		return who
	}

	switch id {
	case "smith", "jones", "brown":
		who.Role = signals.RoleAgent
	case "boss":
		who.Role, who.Visibility = signals.RoleAgent, signals.VisibleToAgents
	case "robot":
		who.Role = signals.RoleBot
	case "system":
		who.Role = signals.RoleSystem
	default:
		who.Role = signals.RoleVisitor
	}

	return who
}

func (p *player) command(step *step, where string) {
	command := signals.Command{
		By: step.By, AgentID: step.Agent, AgentName: step.Agent, Reason: step.Reason, Text: step.Event.Text,
		Desk: step.Desk, GroupID: step.Group, Skill: step.Skill, Priority: step.Priority,
	}
	if step.Until != nil {
		command.Until = start().Add(time.Duration(*step.Until))
	}

	err := p.machine.Command(step.Command, command, p.now)
	if step.Refused == "" {
		require.NoError(p, err, where)

		return
	}

	var refused *conversation.Refused

	require.ErrorAs(p, err, &refused, "%s: the command was not refused", where)
	require.Contains(p, refused.Reason, step.Refused, where)
}

// offer brings a desk's word.
func (p *player) offer(from *offer) {
	said := signals.Offer{
		Kind: from.Kind, Desk: from.Desk, Session: from.Session, Number: from.Number, Attempt: from.Attempt, Agent: from.Agent,
		Name: from.Agent, Round: from.Round, Free: from.Free, Reason: from.Reason, At: p.now,
	}

	if said.Kind == "" {
		said.Kind = signals.OfferAgent
	}

	if said.Attempt == 0 {
		if said.Kind == signals.OfferAgent {
			p.attempt++
		}

		said.Attempt = p.attempt
	}

	if said.Desk == "" {
		said.Desk = p.said.Desk
	}

	switch {
	case said.Session == 0 && said.Number == 0:
		said.Session, said.Number = p.said.Ask.Session, p.said.Ask.Number
	case said.Number > 0:
		said.Number += p.machine.BegunAt.UnixMilli()
	}

	if said.Kind == signals.OfferAgent {
		said.Until = p.now.Add(time.Duration(p.under.Policy.Accept.Timeout))
	}

	if from.Until != nil {
		said.Until = start().Add(time.Duration(*from.Until))
	}

	p.machine.Offer(said, p.now)
	p.machine.Tick(p.now)
}

// handOut collects what was decided.
func (p *player) handOut() {
	made := p.machine.TakeOrders()
	p.orders = append(p.orders, made...)
	p.machine.Dispatched(len(made))

	asks := p.machine.TakeAsks()
	p.asks = append(p.asks, asks...)

	for _, ask := range asks {
		if ask.Ask.Kind != signals.AskRelease || ask.Desk == p.said.Desk {
			p.said = ask
		}
	}

	p.machine.Asked(asks)
	require.Empty(p, p.machine.TakeAsks())
}

// after collects the orders and carries the state through JSON.
func (p *player) after(where string) {
	p.handOut()

	view := p.machine.View("", false)
	require.Equal(p, view.Accepted, view.Applied+view.Late+view.Ignored, where)

	data, err := json.Marshal(p.machine.State)
	require.NoError(p, err)

	var state conversation.State

	require.NoError(p, json.Unmarshal(data, &state))
	p.machine = conversation.Resume(&state, p.under)
	require.Equal(p, view, p.machine.View("", false), "%s: the state does not survive JSON", where)
}
