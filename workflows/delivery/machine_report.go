package delivery

import (
	"cmp"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
)

// report says what became of a ticket or of a platform's command; notices end
// without one. The detail of the receipt says why one was not carried out.
func (m *Machine) report(order *signals.Order, how End, receipt Receipt, now time.Time) {
	switch {
	case order.Kind == signals.OrderTicket && order.Ticket != nil:
		m.reportTicket(order, how, receipt, now)
	case order.Kind == signals.OrderPlatform && order.Platform != nil:
		m.reportPlatform(order, how, receipt, now)
	}
}

func (m *Machine) reportTicket(order *signals.Order, how End, receipt Receipt, now time.Time) {
	kind := signals.TicketFailed
	ref := order.Ticket.TicketRef
	ref.Session = order.Session

	if how == Delivered {
		kind = signals.TicketCreated
		ref.Status, ref.Reason = signals.TicketStatusCreated, ""
		ref.ExternalID, ref.URL = cmp.Or(receipt.ExternalID, ref.ExternalID), cmp.Or(receipt.URL, ref.URL)
	} else {
		ref.Status, ref.Reason = signals.TicketStatusFailed, receipt.Detail
	}

	key := signals.Key{Source: order.Ticket.Source, Conversation: order.Ticket.Conversation}
	if key.Source == "" || key.Conversation == "" {
		key = m.Key
	}

	m.addReport(order, key, &signals.Event{ID: order.Key + ":" + string(kind), Type: kind, Ticket: &ref}, now)
}

func (m *Machine) reportPlatform(order *signals.Order, how End, receipt Receipt, now time.Time) {
	note := &signals.Note{Kind: signals.NotePlatformFailed, Visibility: signals.VisibleToAgents}

	switch how {
	case Delivered:
		note.Kind, note.Text = signals.NotePlatformDone, "done: "
	case Cancelled:
		note.Kind, note.Text = signals.NotePlatformDropped, "dropped: "
	case Failed, Expired:
		note.Text = "not done: "
	}

	note.Text += Describe(order)

	if receipt.Detail != "" {
		note.Text += "; " + receipt.Detail
	}

	key := signals.Key{Source: m.Key.Source, Conversation: cmp.Or(order.Platform.Chat, m.Key.Conversation)}
	m.addReport(order, key, &signals.Event{ID: order.Key + ":" + note.Kind, Type: signals.SystemNoted, Note: note}, now)
}

// addReport fills in what every event of a delivery carries.
func (m *Machine) addReport(order *signals.Order, key signals.Key, event *signals.Event, now time.Time) {
	event.Source, event.Conversation, event.Session = key.Source, key.Conversation, order.Session
	event.At, event.ReceivedAt = now, now
	event.Actor = &signals.Actor{Role: signals.RoleSystem}

	m.Reports = append(m.Reports, Report{Key: key, Counter: order.Counter, Event: *event})
}

// Describe says in a few plain words what an order is. It holds nothing that a
// visitor wrote.
func Describe(order *signals.Order) string {
	switch {
	case order.Kind == signals.OrderTicket && order.Ticket != nil:
		return "ticket " + order.Ticket.ID
	case order.Kind == signals.OrderPlatform && order.Platform != nil:
		return describeCommand(order.Platform)
	case order.Event == nil:
		return string(order.Kind)
	case order.Event.Type == signals.UnrepliedPushed && order.Event.Unreplied != nil:
		return fmt.Sprintf("unreplied push %d/%d", order.Event.Unreplied.PushTimes, order.Event.Unreplied.Max)
	default:
		return string(order.Event.Type)
	}
}

func describeCommand(command *signals.PlatformCommand) string {
	text := "platform " + command.Action

	if command.From != "" {
		text += " from " + command.From
	}

	switch {
	case command.AgentID != "":
		text += " to " + command.AgentID
	case command.GroupID != "":
		text += " to group " + command.GroupID
	}

	return signals.Cut(text, maxSummary)
}
