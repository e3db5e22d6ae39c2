package conversation

import (
	"maps"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// Machine decides what happens in one conversation. It is pure: time comes in
// as an argument, effects go out as data in its state, and nothing else is
// read. Facts are kept as registers in which the newest by the platform's time
// wins; status, agent and reply state are derived from them after each batch,
// so that the end state does not depend on the order in which facts arrived.
//
// The machine is workflow code: a change that decides differently needs a new
// rules version, or open runs no longer replay.
type Machine struct {
	*State

	// Under is the policy that the conversation follows.
	Under policy.Snapshot
	// Rules are the newest unless the run was started under older ones.
	Rules Rules

	// receivedAt is when what is being taken in was received.
	receivedAt time.Time
	// typed is what agents' typing said since the last Settle.
	typed []typingMark
}

// NewMachine returns a machine for a session that begins.
func NewMachine(key signals.Key, workflowID string, start signals.Start, under policy.Snapshot) *Machine {
	session := max(start.Session, 1)
	if start.Conversation != "" {
		key.Conversation = start.Conversation
	}

	state := &State{
		Version: stateVersion, Key: key, WorkflowID: workflowID, Session: session, Status: signals.StatusOpen,
		Seqs: maps.Clone(start.Seqs), IDs: slices.Clone(start.IDs), PastThreads: slices.Clone(start.Threads),
		PastOpen: slices.Clone(start.OpenThreads), PastClosedAt: start.ClosedAt,
	}
	if state.Seqs == nil {
		state.Seqs = map[string]int64{}
	}

	for i, thread := range state.PastThreads {
		state.PastThreads[i] = signals.RememberedID(thread)
	}

	return &Machine{State: state, Under: under, Rules: RulesFor(newestRules)}
}

// Resume returns a machine that goes on from the state of an earlier run.
func Resume(state *State, under policy.Snapshot) *Machine {
	upgrade(state)

	return &Machine{State: state, Under: under, Rules: RulesFor(newestRules)}
}

// Apply takes one event in. Settle must follow when the batch is through:
// a batch is applied whole before any clock ticks.
func (m *Machine) Apply(event signals.Event, now time.Time) {
	// Of a gateway whose clock goes ahead: no clock starts in the future.
	if event.ReceivedAt.IsZero() || event.ReceivedAt.After(now) {
		event.ReceivedAt = now
	}

	if event.At.IsZero() {
		event.At = event.ReceivedAt
	}

	// By its own time, as whoever brought it here has judged it; a repetition, too,
	// by the times that the inbox compares.
	past := m.past(&event)

	if m.seen(&event) {
		m.Duplicates++

		return
	}

	m.date(&event, now)

	if ownReport(&event) {
		m.take(&event, now)

		return
	}

	m.Accepted++
	m.tidy(&event)

	if past {
		m.Late++
		m.note(&event, "(earlier session) ")

		return
	}

	m.heard(&event)

	if at := clockTime(&event); m.OpenedAt.IsZero() || at.Before(m.OpenedAt) {
		m.OpenedAt = at
	}

	if event.Type == signals.Unknown {
		m.Ignored++
		m.note(&event, "")

		return
	}

	m.Applied++
	m.take(&event, now)
}

// Reject records an element of a batch that could not be decoded: it costs
// only itself.
func (m *Machine) Reject(text string, now time.Time) {
	m.Accepted++
	m.Ignored++

	m.addLine(line{At: now, Type: signals.Unknown, Text: text})
}

// ownReport reports whether an event is Parley's own word about a ticket: the
// counts are of what came from outside.
func ownReport(event *signals.Event) bool {
	switch event.Type {
	case signals.TicketCreated, signals.TicketUpdated, signals.TicketFailed:
		return event.Seq == 0
	default:
		return false
	}
}

// Stray takes an event that came after the decision about the ticket and
// starts no session; it reports whether the event is new and has to be kept.
// Whoever keeps it counts it. What a ticket system says about this session's
// ticket is entered instead.
func (m *Machine) Stray(event *signals.Event) bool {
	if m.seen(event) {
		m.Duplicates++

		return false
	}

	if ownReport(event) {
		m.enterTicket(event)

		return false
	}

	return true
}

// Settle derives status, agent, reply state and clocks from the facts, and
// decides what follows from their change.
func (m *Machine) Settle(now time.Time) {
	if m.Decided {
		return
	}

	if m.BegunAt.IsZero() {
		m.BegunAt = now
	}

	m.resolveRoles()
	m.wakeOnMessage(now)

	before := m.Status
	closing := m.effectiveClose()

	m.Close = closing
	m.Agent = m.assignee()

	if closing != nil {
		m.Snooze = nil
	} else if before == signals.StatusClosing {
		m.LiftedAt = now
	}

	m.settleLifted()

	m.settleEpisode(closing, now)
	m.settleTyping()
	m.settleRelay(closing)
	m.settleInvitation(closing, now)
	m.settleHold()
	m.Status = m.deriveStatus(closing)

	if before != m.Status {
		m.statusChanged(before, now)
	}

	m.settleAsk(now)

	m.bound()
}

// Tick fires what is due by now: each deadline once, however late.
func (m *Machine) Tick(now time.Time) {
	for range maxFired {
		clock, ok := m.nextClock()
		if !ok || clock.Due.After(now) {
			return
		}

		m.fire(clock, now)
		m.Settle(now)
	}
}

// NextDeadline returns the nearest clock; ok is false when none runs.
func (m *Machine) NextDeadline() (signals.ViewClock, bool) {
	clock, ok := m.nextClock()

	return signals.ViewClock{Name: string(clock.Name), Due: clock.Due}, ok
}

// TakeOrders returns what is to be dispatched and forgets nothing: the caller
// says [Machine.Dispatched] once it is done.
func (m *Machine) TakeOrders() []signals.Order { return m.Outbox }

// Dispatched drops the first n orders of the outbox.
func (m *Machine) Dispatched(n int) {
	m.Outbox = m.Outbox[min(n, len(m.Outbox)):]
	if len(m.Outbox) == 0 {
		m.Outbox = nil
	}
}

// past reports whether an event belongs to a session that closed before this
// one began.
func (m *Machine) past(event *signals.Event) bool {
	before := signals.Result{Threads: m.PastThreads, OpenThreads: m.PastOpen, ClosedAt: m.PastClosedAt}

	return before.Past(event)
}
