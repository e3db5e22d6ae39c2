package delivery

import (
	"cmp"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
)

// report says what became of a ticket; notices end without one.
func (m *Machine) report(order *signals.Order, kind signals.Type, receipt Receipt, now time.Time) {
	if order.Kind != signals.OrderTicket || order.Ticket == nil {
		return
	}

	ref := order.Ticket.TicketRef
	ref.Session = order.Session

	if kind == signals.TicketCreated {
		ref.Status, ref.Reason = signals.TicketStatusCreated, ""
		ref.ExternalID, ref.URL = cmp.Or(receipt.ExternalID, ref.ExternalID), cmp.Or(receipt.URL, ref.URL)
	} else {
		ref.Status, ref.Reason = signals.TicketStatusFailed, receipt.Detail
	}

	key := signals.Key{Source: order.Ticket.Source, Conversation: order.Ticket.Conversation}
	if key.Source == "" || key.Conversation == "" {
		key = m.Key
	}

	m.Reports = append(m.Reports, Report{Key: key, Counter: order.Counter, Event: signals.Event{
		ID: order.Key + ":" + string(kind), Type: kind, Source: key.Source, Conversation: key.Conversation,
		Session: order.Session, At: now, ReceivedAt: now, Actor: &signals.Actor{Role: signals.RoleSystem}, Ticket: &ref,
	}})
}

// Describe says in a few plain words what an order is. It holds nothing that a
// visitor wrote.
func Describe(order *signals.Order) string {
	switch {
	case order.Kind == signals.OrderTicket && order.Ticket != nil:
		return "ticket " + order.Ticket.ID
	case order.Event == nil:
		return string(order.Kind)
	case order.Event.Type == signals.UnrepliedPushed && order.Event.Unreplied != nil:
		return fmt.Sprintf("unreplied push %d/%d", order.Event.Unreplied.PushTimes, order.Event.Unreplied.Max)
	default:
		return string(order.Event.Type)
	}
}
