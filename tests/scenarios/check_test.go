package scenarios_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

func (p *player) check(want *expected, where string) {
	view := p.machine.View("", true)

	equal(p, want.Status, view.Status, where, "status")
	equal(p, want.Unreplied, view.Unreplied, where, "unreplied")
	equal(p, want.Pushes, view.PushTimes, where, "push_times")
	equal(p, want.Agent, view.Agent, where, "agent")
	equal(p, want.Desk, view.Desk, where, "desk")
	equal(p, want.Tags, view.Tags, where, "tags")
	equal(p, want.Session, view.Session, where, "session")
	equal(p, want.Offered, view.Offered, where, "offered")
	p.checkDesk(want, &view, where)

	if want.Before != nil {
		p.checkBefore(want.Before, where)
	}

	if want.Since != nil {
		require.NotNil(p, view.UnrepliedSince, "%s: since", where)
		require.Equal(p, time.Duration(*want.Since), view.UnrepliedSince.Sub(start()), "%s: since", where)
	}

	if want.Messages != nil {
		require.Equal(p, *want.Messages, without(map[string]int64{
			"visitor": view.Messages.Visitor, "agent": view.Messages.Agent,
			"bot": view.Messages.Bot, "internal": view.Messages.Internal,
		}), "%s: messages", where)
	}

	if want.Counts != nil {
		require.Equal(p, *want.Counts, without(map[string]int64{
			"accepted": view.Accepted, "applied": view.Applied, "late": view.Late,
			"ignored": view.Ignored, "duplicates": view.Duplicates,
		}), "%s: counts", where)
	}

	if want.Present != nil {
		present := make([]string, 0, len(view.Participants))

		for _, who := range view.Participants {
			if who.Present {
				present = append(present, who.ID)
			}
		}

		require.ElementsMatch(p, *want.Present, present, "%s: present", where)
	}

	p.checkClocks(want, &view, where)
	p.checkOrders(want, where)
	p.checkTimeline(want, &view, where)
	p.checkTicket(want, &view, where)
}

// checkDesk wants what was said to desks since the last time, and the invitations
// so far.
func (p *player) checkDesk(want *expected, view *signals.View, where string) {
	if want.Asks != nil {
		asks := make([]string, 0, len(p.asks))
		for i := range p.asks {
			asks = append(asks, tellAsk(&p.asks[i]))
		}

		require.Equal(p, *want.Asks, asks, "%s: asks", where)
	}

	p.asks = nil

	if want.Invited != nil {
		invited := make([]string, 0, len(view.Invitations))
		for i := range view.Invitations {
			one := &view.Invitations[i]
			invited = append(invited, strings.TrimSpace(one.AgentID+" "+one.Outcome+" "+one.Reason))
		}

		require.Equal(p, *want.Invited, invited, "%s: invited", where)
	}
}

func tellAsk(said *conversation.DeskAsk) string {
	ask := &said.Ask
	words := []string{string(ask.Kind)}

	if ask.Agent != "" {
		words = append(words, ask.Agent)
	}

	words = append(words, "->", said.Desk)

	if ask.Wants {
		words = append(words, "wants")
	}

	if need := ask.Need; need != nil {
		words = append(words, "since", need.Since.Sub(start()).String())

		if need.Head {
			words = append(words, "head")
		}

		if need.Priority != 0 {
			words = append(words, "priority", strconv.Itoa(need.Priority))
		}

		for _, part := range [][2]string{
			{"not", need.Not}, {"again", need.Again}, {"only", need.Only}, {"skills", strings.Join(need.Skills, " ")},
		} {
			if part[1] != "" {
				words = append(words, part[0], part[1])
			}
		}
	}

	return strings.Join(words, " ")
}

// checkBefore wants the session before closed for a reason, with its ticket.
func (p *player) checkBefore(want *before, where string) {
	require.NotNil(p, p.before, "%s: no session before", where)
	require.Equal(p, signals.StatusClosed, p.before.View.Status, where)
	require.NotNil(p, p.before.Ticket, "%s: no ticket of the session before", where)
	require.Equal(p, want.Unreplied, p.before.Ticket.Unreplied, "%s: the ticket of the session before", where)

	last := ""

	for _, entry := range p.before.View.Timeline {
		if entry.Type == signals.ConversationClosed {
			last = entry.Text
		}
	}

	if want.Reason == "" {
		require.NotContains(p, last, "reason", where)
	} else {
		require.Contains(p, last, "reason "+want.Reason, where)
	}
}

func equal[V any](p *player, want *V, got V, where, what string) {
	p.Helper()

	if want != nil {
		require.Equal(p, *want, got, "%s: %s", where, what)
	}
}

func without(counts map[string]int64) map[string]int64 {
	for name, count := range counts {
		if count == 0 {
			delete(counts, name)
		}
	}

	return counts
}

func (p *player) checkClocks(want *expected, view *signals.View, where string) {
	if want.Clocks == nil {
		return
	}

	due := make(map[string]string, len(view.Clocks))
	for _, clock := range view.Clocks {
		due[clock.Name] = clock.Due.Sub(start()).String()
	}

	wanted := make(map[string]string, len(want.Clocks))
	for name, at := range want.Clocks {
		wanted[name] = time.Duration(at).String()
	}

	if _, asked := wanted["age"]; !asked {
		delete(due, "age") // it always runs
	}

	require.Equal(p, wanted, due, "%s: clocks", where)
}

func (p *player) checkOrders(want *expected, where string) {
	if want.Orders != nil {
		orders := make([]string, 0, len(p.orders))
		for i := range p.orders {
			orders = append(orders, describe(&p.orders[i]))
		}

		require.Equal(p, *want.Orders, orders, "%s: orders", where)
	}

	p.orders = nil
}

func describe(order *signals.Order) string {
	switch {
	case order.Kind == signals.OrderCancel:
		return "cancel -> " + order.Target
	case order.Kind == signals.OrderTicket:
		return "ticket -> " + order.Target
	case order.Kind == signals.OrderPlatform:
		return strings.Join(strings.Fields(order.Platform.Action+" "+order.Platform.AgentID+" "+order.Platform.GroupID), " ") +
			" -> " + order.Target
	case order.Event.Unreplied != nil:
		push := order.Event.Unreplied

		return fmt.Sprintf("push %d after %ds -> %s", push.PushTimes, push.Seconds, order.Target)
	default:
		return string(order.Event.Type) + " -> " + order.Target
	}
}

func (p *player) checkTimeline(want *expected, view *signals.View, where string) {
	var lines strings.Builder
	for _, entry := range view.Timeline {
		lines.WriteString(string(entry.Type) + " " + entry.Text + "\n")
	}

	for _, text := range want.Timeline {
		require.Contains(p, lines.String(), text, "%s: timeline", where)
	}

	for _, text := range want.Untold {
		require.NotContains(p, lines.String(), text, "%s: timeline", where)
	}
}

func (p *player) checkTicket(want *expected, view *signals.View, where string) {
	if want.Ticket == nil {
		return
	}

	require.NotNil(p, view.Ticket, "%s: ticket", where)
	require.Equal(p, want.Ticket.Status, view.Ticket.Status, "%s: ticket", where)
	require.Equal(p, want.Ticket.Reason, view.Ticket.Reason, "%s: ticket", where)

	record := p.machine.Record("run")
	require.NotNil(p, record, where)

	if want.Ticket.Status == signals.TicketStatusSkipped {
		require.Nil(p, record.Ticket, where)

		return
	}

	require.NotNil(p, record.Ticket, where)
	equal(p, want.Ticket.Unreplied, record.Ticket.Unreplied, where, "ticket unreplied")

	if want.Ticket.Transcript != nil {
		lines := make([]string, 0, len(record.Ticket.Transcript))
		for _, line := range record.Ticket.Transcript {
			lines = append(lines, string(line.Role)+": "+line.Text)
		}

		require.Equal(p, *want.Ticket.Transcript, lines, "%s: transcript", where)
	}
}
