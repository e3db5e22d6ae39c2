package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// ErrBadOrder says that an order cannot be carried out as it is.
var ErrBadOrder = errors.New("bad order")

// Apply takes one order in. A repeated one changes nothing; one that makes no
// sense is [ErrBadOrder] and costs only itself.
func (m *Machine) Apply(order signals.Order, now time.Time) error {
	if err := check(&order); err != nil {
		m.Counts.Rejected++

		return err
	}

	m.QuietSince = now

	if m.seen(order.Session, order.Counter) {
		m.Counts.Duplicates++

		return nil
	}

	if order.Kind == signals.OrderCancel {
		m.cancel(func(p *Pending) bool { return p.Order.Group == order.Group && p.Order.Session == order.Session }, "", now)

		return nil
	}

	if order.Kind == signals.OrderPlatform {
		// What was said of the chat before does not hold any more.
		m.cancel(func(p *Pending) bool { return p.Order.Kind == signals.OrderPlatform }, "a newer command took its place", now)
	}

	return m.enqueue(order, now)
}

// Reject counts an order that could not even be decoded.
func (m *Machine) Reject() { m.Counts.Rejected++ }

// seen reports whether an order was taken in before, and remembers it. Of more
// sessions than can be remembered the oldest count as seen altogether.
func (m *Machine) seen(session int, counter int64) bool {
	highest, known := m.Counters[session]
	if known && counter <= highest {
		return true
	}

	if !known && len(m.Counters) >= m.Rules.MaxSessions {
		oldest := session
		// The least is the same in any order.
		//workflowcheck:ignore
		for other := range m.Counters {
			oldest = min(oldest, other)
		}

		if oldest == session {
			return true
		}

		delete(m.Counters, oldest)
	}

	m.Counters[session] = counter

	return false
}

// cancel drops what has not gone out of what is named. What is on the wire
// cannot be called back; it is not repeated.
func (m *Machine) cancel(named func(p *Pending) bool, why string, now time.Time) {
	if m.InFlight && named(&m.Pending[0]) {
		m.Pending[0].Cancelled = true
	}

	for i := m.firstWaiting(); i < len(m.Pending); {
		if named(&m.Pending[i]) {
			m.end(i, Cancelled, why, now)
		} else {
			i++
		}
	}
}

func (m *Machine) enqueue(order signals.Order, now time.Time) error {
	if order.Ticket != nil && order.Ticket.Transcript != nil {
		// It stands in the ticket store; here it would be written into the
		// history with every attempt.
		ticket := *order.Ticket
		ticket.Transcript = nil
		order.Ticket = &ticket
	}

	raw, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadOrder, err)
	}

	if len(raw) > m.Rules.MaxOrderBytes {
		m.Counts.Rejected++

		return fmt.Errorf("%w: %d bytes are too many", ErrBadOrder, len(raw))
	}

	expires := order.ExpiresAt
	if expires.IsZero() {
		expires = now.Add(m.Rules.limit(order.Kind))
	}

	m.Pending = append(m.Pending, Pending{Order: order, Since: now, ExpiresAt: expires, Bytes: len(raw)})
	m.makeRoom(now)

	return nil
}

// makeRoom keeps the state bounded: the oldest notice goes first, since newer
// ones say more, and tickets only if nothing else is left.
func (m *Machine) makeRoom(now time.Time) {
	for m.tooMuch() && len(m.Pending) > m.firstWaiting() {
		first := m.firstWaiting()
		waiting := m.Pending[first:]

		i := slices.IndexFunc(waiting, func(p Pending) bool { return p.Order.Kind != signals.OrderTicket })
		m.end(first+max(i, 0), Failed, "too many orders wait for this target", now)
	}
}

func (m *Machine) tooMuch() bool {
	total := 0
	for i := range m.Pending {
		total += m.Pending[i].Bytes
	}

	return len(m.Pending) > m.Rules.MaxPending || total > m.Rules.MaxPendingBytes
}

func check(order *signals.Order) error {
	switch {
	case order.Counter <= 0:
		return fmt.Errorf("%w: counter %d", ErrBadOrder, order.Counter)
	case order.Kind == signals.OrderCancel && order.Group == "":
		return fmt.Errorf("%w: cancel without a group", ErrBadOrder)
	case order.Kind == signals.OrderCancel:
		return nil
	case order.Key == "":
		return fmt.Errorf("%w: %s without a key", ErrBadOrder, order.Kind)
	default:
		return checkWork(order)
	}
}

func checkWork(order *signals.Order) error {
	switch {
	case order.Kind == signals.OrderNotice && order.Event == nil:
		return fmt.Errorf("%w: notice without an event", ErrBadOrder)
	case order.Kind == signals.OrderTicket && order.Ticket == nil:
		return fmt.Errorf("%w: ticket order without a ticket", ErrBadOrder)
	case order.Kind == signals.OrderPlatform && order.Platform == nil:
		return fmt.Errorf("%w: platform order without a command", ErrBadOrder)
	case order.Kind == signals.OrderNotice, order.Kind == signals.OrderTicket, order.Kind == signals.OrderPlatform:
		return nil
	default:
		return fmt.Errorf("%w: kind %q", ErrBadOrder, order.Kind)
	}
}
