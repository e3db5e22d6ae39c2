package delivery

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Machine decides when which order is attempted, and what a failure means. It
// is pure: time comes in as an argument, and nothing else is read.
//
// It is workflow code: a change that decides differently needs a new version
// of [Rules], or open runs no longer replay.
type Machine struct {
	*State

	Rules Rules
}

// Outcome is how an attempt went.
type Outcome struct {
	OK      bool
	Receipt Receipt
	// Error says why not, for people.
	Error string
	// Permanent: trying again is of no use.
	Permanent bool
	// Expired: the attempt did not start, since it was too late.
	Expired bool
	// Cancelled: the attempt did not start, since it was called back.
	Cancelled bool
	// RetryAfter is what the receiver asked for; zero if nothing.
	RetryAfter time.Duration
}

// Deadline is when the machine next has something to do.
type Deadline struct {
	At time.Time
	// What is for people, such as "attempt 3".
	What string
}

// New returns a machine that has nothing to do yet.
func New(target string, key signals.Key, counters map[int]int64, rules Rules, now time.Time) *Machine {
	state := &State{Version: stateVersion, Target: target, Key: key, Counters: map[int]int64{}, QuietSince: now}
	maps.Copy(state.Counters, counters)

	return &Machine{State: state, Rules: rules}
}

// Resume returns a machine that goes on from the state of an earlier run.
func Resume(state *State, rules Rules) *Machine {
	upgrade(state)

	return &Machine{State: state, Rules: rules}
}

// Tick drops what is too late and returns the attempt that is due now, if one
// is. The attempt counts as running until [Machine.Attempted].
func (m *Machine) Tick(now time.Time) (Attempt, bool) {
	m.Expire(now)

	if m.InFlight || len(m.Pending) == 0 || m.Pending[0].NotBefore.After(now) {
		return Attempt{}, false
	}

	head := &m.Pending[0]
	head.Attempts++
	m.InFlight = true

	return Attempt{Order: head.Order, Number: head.Attempts, ExpiresAt: head.ExpiresAt}, true
}

// Expire drops every waiting order whose time is over.
func (m *Machine) Expire(now time.Time) {
	for i := m.firstWaiting(); i < len(m.Pending); {
		if m.Pending[i].ExpiresAt.After(now) {
			i++

			continue
		}

		m.end(i, Expired, m.Pending[i].LastError, now)
	}
}

// Attempted takes in how the running attempt went.
func (m *Machine) Attempted(outcome Outcome, now time.Time) {
	if !m.InFlight {
		return
	}

	m.InFlight = false
	head := &m.Pending[0]

	if outcome.Error != "" {
		head.LastError = signals.Cut(outcome.Error, maxErrorBytes)
	}

	switch {
	case outcome.OK:
		m.report(&head.Order, Delivered, outcome.Receipt, now)
		m.end(0, Delivered, outcome.Receipt.Detail, now)
	case head.Cancelled || outcome.Cancelled:
		m.end(0, Cancelled, head.LastError, now)
	case outcome.Permanent:
		m.end(0, Failed, head.LastError, now)
	case outcome.Expired:
		m.end(0, Expired, head.LastError, now)
	default:
		head.NotBefore = now.Add(m.Rules.pause(head.Attempts, outcome.RetryAfter))
		m.QuietSince = now
	}
}

// maxErrorBytes bounds an error's text in the state.
const maxErrorBytes = 512

// Stop drops everything that waits, and keeps a running attempt from being
// repeated: somebody wants the delivery to end.
func (m *Machine) Stop(now time.Time) {
	if m.InFlight {
		m.Pending[0].Cancelled = true
	}

	for len(m.Pending) > m.firstWaiting() {
		m.end(m.firstWaiting(), Cancelled, "the delivery was cancelled", now)
	}
}

// CalledBack reports whether the running attempt need not be made any more.
func (m *Machine) CalledBack() bool { return m.InFlight && m.Pending[0].Cancelled }

// Reported drops the first report: it was told, or nobody can be told.
func (m *Machine) Reported(now time.Time) {
	m.Reports = slices.Delete(m.Reports, 0, 1)
	m.QuietSince = now
}

// Next returns the nearest deadline; ok is false while an attempt or a report
// must end first.
func (m *Machine) Next() (Deadline, bool) {
	switch {
	case m.InFlight:
		return Deadline{}, false
	case len(m.Pending) > 0:
		head := m.Pending[0]
		if head.ExpiresAt.Before(head.NotBefore) {
			return Deadline{At: head.ExpiresAt, What: "expiry of " + Describe(&head.Order)}, true
		}

		return Deadline{At: head.NotBefore, What: "attempt " + strconv.Itoa(head.Attempts+1)}, true
	case len(m.Reports) > 0:
		return Deadline{}, false
	default:
		return Deadline{At: m.QuietSince.Add(m.Rules.Idle), What: "end if nothing comes"}, true
	}
}

// Done reports whether the run may complete.
func (m *Machine) Done(now time.Time) bool {
	return m.Empty() && !now.Before(m.QuietSince.Add(m.Rules.Idle))
}

// Empty reports whether nothing waits, runs, or is to be told.
func (m *Machine) Empty() bool { return len(m.Pending) == 0 && len(m.Reports) == 0 }

// firstWaiting is the index of the first order that is not being attempted.
func (m *Machine) firstWaiting() int {
	if m.InFlight {
		return 1
	}

	return 0
}

// end takes order i out.
func (m *Machine) end(i int, how End, text string, now time.Time) {
	ended := m.Pending[i]
	m.Pending = slices.Delete(m.Pending, i, i+1)
	m.QuietSince = now
	m.Last = &Ended{
		Order: ended.Order.Key, What: Describe(&ended.Order), End: how, At: now, Attempts: ended.Attempts, Text: text,
	}

	switch how {
	case Delivered:
		m.Counts.Delivered++

		return
	case Expired:
		m.Counts.Expired++
	case Cancelled:
		m.Counts.Cancelled++
	case Failed:
		m.Counts.Failed++
	}

	reason := string(how)
	if text != "" {
		reason += ": " + text
	}

	m.report(&ended.Order, how, Receipt{Detail: reason}, now)
}
