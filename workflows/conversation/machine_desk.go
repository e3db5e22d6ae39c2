package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// What a conversation tells its desk is a statement about the whole, derived
// from the facts: it needs an agent, one has it, it needs nothing. A desk that
// heard the newest one knows everything, whatever it missed before.

const (
	// askAgain is after what time a desk is asked anew that did not keep the
	// conversation.
	askAgain = time.Minute
	// sayAgainAfter is how long a desk may say nothing to a conversation that
	// waits until it hears the newest statement once more, lest it be forgotten;
	// heldAgainAfter is the same where an agent has it.
	sayAgainAfter  = 10 * time.Minute
	heldAgainAfter = time.Hour
)

// desk is the one that the conversation is with; "" where none is.
func (m *Machine) desk() string {
	if !m.Rules.desk || m.Under.Desk == "" {
		return ""
	}

	if m.knowsDesk(m.Desk.Text) {
		return m.Desk.Text
	}

	return m.Under.Desk
}

// queuedOn is the desk that the conversation is queued on, or what the platform
// calls it.
func (m *Machine) queuedOn() string { return prefer(m.desk(), m.Desk.Text) }

// shownDesk is the same once it was queued or an agent had it: a desk that lost
// everything looks for those that show it.
func (m *Machine) shownDesk() string {
	if m.QueuedAt.IsZero() && m.lastClaim().IsZero() && !m.letGo() {
		return m.Desk.Text
	}

	return m.queuedOn()
}

func (m *Machine) knowsDesk(name string) bool {
	return signals.ValidName(name) && (len(m.Under.Desks) == 0 || slices.Contains(m.Under.Desks, name))
}

// routed reports whether a desk of ours gives the conversation to agents.
func (m *Machine) routed() bool { return m.Under.Routing == policy.RoutingDesk && m.desk() != "" }

// waiting reports whether the conversation waits for an agent of its desk.
func (m *Machine) waiting() bool {
	return m.routed() && m.Agent == "" && m.Close == nil && m.Snooze == nil && m.waits()
}

// settleAsk says to the desk what is so now, if it is not what was said last.
func (m *Machine) settleAsk(now time.Time) {
	if !m.Rules.desk {
		return
	}

	desk, next := m.desk(), m.statement()
	said := &m.Talk.Said

	if m.Talk.Desk != desk && needing(said.Kind, signals.AskAccepted) {
		m.say(m.Talk.Desk, signals.Ask{Kind: signals.AskRelease, Reason: "it is another desk's"}, now)
	}

	switch {
	case desk == "" || next.Kind == signals.AskRelease && !needing(said.Kind, signals.AskAccepted):
		return
	case m.Talk.Desk != desk:
		m.Talk.Desk, m.Talk.Attempt = desk, 0
	case m.said(&next):
		return
	}

	m.say(desk, next, now)
}

// statement is what is so now.
func (m *Machine) statement() signals.Ask {
	switch {
	case m.Decided || m.Close != nil:
		return signals.Ask{Kind: signals.AskRelease, Reason: "closed"}
	case m.Agent != "":
		return signals.Ask{Kind: signals.AskAccepted, Agent: m.Agent, Given: m.given(m.Agent)}
	case m.waiting():
		return signals.Ask{Kind: signals.AskRequest, Need: m.need()}
	case m.Snooze != nil:
		return signals.Ask{Kind: signals.AskRelease, Reason: "snoozed"}
	default:
		return signals.Ask{Kind: signals.AskRelease}
	}
}

// needing reports whether a kind says that the conversation waits, or is one of
// the others.
func needing(kind signals.AskKind, others ...signals.AskKind) bool {
	switch kind {
	case signals.AskRequest, signals.AskDeclined, signals.AskExpired:
		return true
	case signals.AskAccepted, signals.AskRelease:
		return slices.Contains(others, kind)
	default:
		return false
	}
}

// said reports whether the newest statement says the same as next. While an
// invitation is out, what it was made for counts, and the rest waits for the
// next statement.
func (m *Machine) said(next *signals.Ask) bool {
	last := &m.Talk.Said

	switch {
	case next.Kind == signals.AskRequest && needing(last.Kind) && last.Need != nil:
		return sameNeed(last.Need, next.Need) || m.invitation() != nil && sameWish(last.Need, next.Need)
	default:
		return next.Kind == last.Kind && next.Agent == last.Agent
	}
}

// say makes a new statement. Its number is higher than any of a run before, which
// may have been terminated and forgotten what it said.
func (m *Machine) say(desk string, ask signals.Ask, now time.Time) {
	ask.Key, ask.Session, ask.At = m.Key, m.Session, now
	ask.Number, ask.Attempt = max(m.Talk.Said.Number, m.Talk.Floor, m.BegunAt.UnixMilli())+1, m.Talk.Attempt

	m.Talk.Said = ask
	m.Talk.AskAgainAt, m.Talk.Question = time.Time{}, nil

	if ask.Need != nil {
		m.Talk.Since = ask.Need.Since
	}

	m.ask(desk, ask)
}

// sayNeed says that the conversation still needs an agent, and why anew.
func (m *Machine) sayNeed(kind signals.AskKind, agent, reason string, now time.Time) {
	m.say(m.Talk.Desk, signals.Ask{Kind: kind, Agent: agent, Reason: reason, Need: m.need()}, now)
}

// sayAgain repeats the newest statement.
func (m *Machine) sayAgain(wants bool) {
	m.Talk.Said.Attempt = m.Talk.Attempt
	again := m.Talk.Said
	again.Wants = wants
	m.ask(m.Talk.Desk, again)
}

// askAgainDue is when a conversation speaks to its desk of itself.
func (m *Machine) askAgainDue() (time.Time, bool) {
	heard := latest(m.Talk.Said.At, m.Talk.HeardAt)

	switch {
	case m.Talk.Said.Kind == signals.AskAccepted:
		return heard.Add(heldAgainAfter), m.Agent != ""
	case !m.waiting() || m.invitation() != nil:
		return time.Time{}, false
	case !m.Talk.AskAgainAt.IsZero():
		return m.Talk.AskAgainAt, true
	default:
		return heard.Add(sayAgainAfter), needing(m.Talk.Said.Kind)
	}
}

// speakUp asks anew a desk that did not keep the conversation, and reminds one
// that has been silent.
func (m *Machine) speakUp(now time.Time) {
	if !m.Talk.AskAgainAt.IsZero() {
		m.sayNeed(signals.AskRequest, "", "", now)

		return
	}

	m.Talk.HeardAt = now
	m.sayAgain(false)
}

// ask puts a statement out to be dispatched; one that waits for the same desk
// is replaced.
func (m *Machine) ask(desk string, ask signals.Ask) {
	m.Asks = slices.DeleteFunc(m.Asks, func(d DeskAsk) bool {
		ask.Wants = ask.Wants || d.Desk == desk && d.Ask.Wants && d.Ask.Number == ask.Number

		return d.Desk == desk
	})
	m.Asks = append(m.Asks, DeskAsk{Desk: desk, Ask: ask})
}

// TakeAsks returns the statements that are to be dispatched and forgets nothing:
// the caller says [Machine.Asked] once it is done.
func (m *Machine) TakeAsks() []DeskAsk { return m.Asks }

// Asked drops the statements that were dispatched; what was said since then
// stays.
func (m *Machine) Asked(asks []DeskAsk) {
	m.Asks = slices.DeleteFunc(m.Asks, func(d DeskAsk) bool {
		return slices.ContainsFunc(asks, func(done DeskAsk) bool {
			return done.Desk == d.Desk && done.Ask.Number == d.Ask.Number && done.Ask.Wants == d.Ask.Wants
		})
	})
	if len(m.Asks) == 0 {
		m.Asks = nil
	}
}

// Offer takes in what a desk says. It settles what came before it first: an
// offer answers a statement, and a newer statement voids it.
func (m *Machine) Offer(offer signals.Offer, now time.Time) {
	if !m.Rules.desk || m.Decided {
		return
	}

	m.Settle(now)

	if offer.Kind == signals.OfferCheck {
		m.checked(&offer, now)

		return
	}

	if offer.Desk != m.Talk.Desk || offer.Session != m.Session || m.overtaken(&offer) {
		return
	}

	m.Talk.HeardAt = latest(m.Talk.HeardAt, now)

	switch offer.Kind {
	case signals.OfferAgent:
		m.invite(&offer, now)
	case signals.OfferRound, signals.OfferNone:
		m.enterUnserved(&offer, now)
	case signals.OfferGone:
		m.enterGone(&offer, now)
	case signals.OfferBack:
		if m.Talk.Gone != nil && m.Talk.Gone.Agent == personID(offer.Agent) {
			m.Talk.Gone = nil
		}
	case signals.OfferFree:
		m.enterFree(offer.Free, now)
	case signals.OfferCheck:
	}

	m.Settle(now)
}

// overtaken reports whether a desk said something to an older statement, or before
// it invited the agent whom the conversation knows of. A desk that began anew may say that there is
// nobody while an invitation of the one before it is out: it says so again after
// the next statement.
func (m *Machine) overtaken(offer *signals.Offer) bool {
	switch {
	case offer.Number != m.Talk.Said.Number:
		return true
	case !m.Rules.heed || offer.Kind == signals.OfferAgent:
		return false
	case (offer.Kind == signals.OfferNone || offer.Kind == signals.OfferRound) && m.invitation() != nil:
		return true
	default:
		return offer.Attempt < m.Talk.Attempt
	}
}

// checked answers a desk that doubts what it knows. One that this conversation
// is not with hears so; one that heard more than was said here, from a run that
// was terminated, hears a newer number.
func (m *Machine) checked(offer *signals.Offer, now time.Time) {
	heard := int64(0)
	if offer.Session == m.Session {
		heard = offer.Number
	}

	switch {
	case !signals.ValidName(offer.Desk):
		return
	case offer.Desk != m.Talk.Desk && (m.Talk.Desk != "" || offer.Desk != m.desk()):
		m.Talk.Floor = max(m.Talk.Floor, m.Talk.Said.Number, heard+1)
		m.ask(offer.Desk, signals.Ask{
			Kind: signals.AskRelease, Key: m.Key, Session: m.Session, Number: m.Talk.Floor, At: now, Reason: "it is another desk's",
		})

		return
	case m.Talk.Said.Kind == "":
		m.Talk.Desk, m.Talk.Floor = offer.Desk, max(m.Talk.Floor, heard)
		m.say(offer.Desk, signals.Ask{Kind: signals.AskRelease}, now)

		return
	case heard > m.Talk.Said.Number:
		m.Talk.Said.Number = heard + 1
	}

	m.sayAgain(m.Talk.Question != nil || m.Hold.Kept != nil)
}

// enterUnserved takes the desk's word that a round, or all of them, ended with
// nobody.
func (m *Machine) enterUnserved(offer *signals.Offer, now time.Time) {
	told, none := m.Talk.Unserved, offer.Kind == signals.OfferNone

	if m.waiting() && offer.Reason == signals.ReasonClosed {
		m.waitForHours(offer.Until, now)
	}

	if !m.waiting() || told.Number == offer.Number && (told.None || !none && told.Round >= offer.Round) {
		return
	}

	m.Talk.Unserved = unserved{Number: offer.Number, Round: offer.Round, None: none}

	status := statusBusy
	if offer.Reason == signals.ReasonClosed || offer.Reason == signals.ReasonUnavailable {
		status = reasonOffline
	}

	m.tellUnavailable(status, &offer.Wait, now)

	if !none {
		return
	}

	switch offer.Reason {
	case signals.ReasonFull, signals.ReasonStopped:
		m.Talk.AskAgainAt = now.Add(askAgain)
	case signals.ReasonClosed:
		// The desk goes on by itself when it opens.
		if m.Under.Policy.OutOfHours == policy.OutOfHoursOffline {
			m.end(policy.EndOffline, reasonOffline, now)
		}
	default:
		m.end(m.Under.Policy.Accept.End, reasonNobody, now)
	}
}

// statusBusy is an availability: agents are there, and none is free.
const statusBusy = "busy"

// tellUnavailable says that nobody takes the conversation now.
func (m *Machine) tellUnavailable(status string, wait *time.Duration, now time.Time) {
	no := false
	said := &signals.Availability{Skill: m.skill(), Status: status, Available: &no}

	if wait != nil && *wait > 0 {
		seconds := int64(*wait / time.Second)
		said.WaitSeconds = &seconds
	}

	m.tellOwn(signals.Event{Type: signals.AgentsUnavailable, Availability: said}, now)
}
