package desk

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Addressed is one message to one conversation.
type Addressed struct {
	Key   signals.Key   `json:"key"`
	Offer signals.Offer `json:"offer"`
}

// flight is what a dispatch that is under way says to one conversation.
type flight struct {
	talk            *talk
	session         int
	number, attempt int64
	heard           stamp
	what            owed

	turned *turned
	sought string
}

// owe notes that a conversation is to be told something; what is newer takes the
// place of what it makes pointless.
func (m *Machine) owe(t *talk, what owed) {
	switch what {
	case owesOffer:
		t.pass(t.Owes & (owesRound | owesNone))
		t.Owes &^= owesRound | owesNone
	case owesNone:
		t.Owes &^= owesRound
	default:
	}

	if t.Owes == 0 {
		if len(m.owing) > 2*len(m.talks)+maxRefused {
			m.owing = slices.DeleteFunc(m.owing, func(t *talk) bool { return t.Owes == 0 })
		}

		m.owing = append(m.owing, t)
	}

	t.Owes |= what
}

func (m *Machine) owingIDs() []string {
	var ids []string

	seen := make(map[string]bool, len(m.owing))
	add := func(t *talk) {
		if t != nil && t.Owes|t.flying != 0 && m.talks[t.ID] == t && !seen[t.ID] {
			seen[t.ID] = true
			ids = append(ids, t.ID)
		}
	}

	for i := range m.flying {
		add(m.flying[i].talk)
	}

	for _, t := range m.owing {
		add(t)
	}

	for _, t := range m.later {
		add(t)
	}

	return ids
}

// Owes reports whether there is something to dispatch.
func (m *Machine) Owes() bool {
	if len(m.refused) > 0 || len(m.sought) > 0 {
		return true
	}

	for len(m.owing) > 0 && (m.owing[0].Owes == 0 || m.talks[m.owing[0].ID] != m.owing[0]) {
		m.owing = m.owing[1:]
	}

	return len(m.owing) > 0
}

// TakeOffers returns what at most so many conversations are to be told. Say
// [Machine.Dispatched] or [Machine.DispatchFailed] before you take more.
func (m *Machine) TakeOffers(conversations int, now time.Time) []Addressed {
	at := m.advance(now)

	var out []Addressed

	for len(m.refused) > 0 && len(m.flying) < conversations {
		from := m.refused[0]
		m.refused = m.refused[1:]
		m.flying = append(m.flying, flight{turned: &from})
		out = append(out, Addressed{Key: keyOf(from.ID), Offer: signals.Offer{
			Kind: signals.OfferNone, Desk: m.Under.Desk, Session: from.Session, Number: from.Number, Attempt: from.Attempt,
			At: at.time(), Reason: signals.ReasonFull,
		}})
	}

	for len(m.sought) > 0 && len(m.flying) < conversations {
		id := m.sought[0]
		m.sought = m.sought[1:]
		m.flying = append(m.flying, flight{sought: id})
		out = append(out, Addressed{Key: keyOf(id), Offer: signals.Offer{Kind: signals.OfferCheck, Desk: m.Under.Desk, At: at.time()}})
	}

	for m.Owes() && len(m.flying) < conversations {
		t := m.owing[0]
		m.owing = m.owing[1:]
		m.flying = append(m.flying, flight{
			talk: t, session: t.Session, number: t.Number, attempt: t.Attempt, heard: t.Heard, what: t.Owes,
		})

		// The invitation comes first: whoever was chosen may have gone before it left
		// the desk, which a conversation that has not heard of it would not heed.
		for _, what := range [...]owed{owesOffer, owesGone, owesBack, owesCheck, owesFree, owesRound, owesNone} {
			if t.Owes&what != 0 {
				said := m.message(t, what, at)
				t.Stuck = what == owesFree && m.Rules.saves && !said.Free || what != owesFree && t.Stuck
				out = append(out, Addressed{Key: t.key(), Offer: said})
			}
		}

		t.flying, t.Owes = t.Owes, 0
	}

	return out
}

// message says one thing as it stands now.
func (m *Machine) message(t *talk, what owed, at stamp) signals.Offer {
	offer := signals.Offer{Desk: m.Under.Desk, Session: t.Session, Number: t.Number, Attempt: t.Attempt, At: at.time()}

	switch what {
	case owesOffer:
		a := m.seat(t.Agent)
		offer.Kind, offer.Agent, offer.Name = signals.OfferAgent, t.Agent, a.Name
		offer.Round, offer.Until = t.Round, t.Until.time()
	case owesNone:
		offer.Kind, offer.Round, offer.Reason, offer.Free = signals.OfferNone, t.Round, t.Told, m.another(t, at)

		if opens, ok := m.Under.Hours.Change(at.time()); ok && t.Told == signals.ReasonClosed {
			offer.Until = opens
		}
	case owesRound:
		offer.Kind, offer.Round = signals.OfferRound, t.RoundTold

		if t.RoundEmpty {
			offer.Reason = signals.ReasonUnavailable
		}
	case owesFree:
		offer.Kind, offer.Agent, offer.Free = signals.OfferFree, t.Agent, m.another(t, at)
	case owesCheck:
		offer.Kind, offer.Agent, offer.Free = signals.OfferCheck, t.Agent, m.another(t, at)
	case owesGone:
		offer.Kind, offer.Agent, offer.Name = signals.OfferGone, t.Agent, m.seat(t.Agent).Name
		offer.Reason, offer.Free = m.absence(t.Agent), m.another(t, at)
	case owesBack:
		offer.Kind, offer.Agent, offer.Name = signals.OfferBack, t.Agent, m.seat(t.Agent).Name
	}

	if t.inLine() {
		position, wait := m.stand(t, at)
		offer.Position, offer.Wait = position, max(wait, 0)
	}

	return offer
}

func (m *Machine) absence(id string) string {
	if m.seat(id).Removed {
		return signals.ReasonRemoved
	}

	return signals.ReasonOffline
}

// Dispatched takes in that what was taken has arrived, except with those that do
// not run: they are dropped, their slots are free.
func (m *Machine) Dispatched(gone []signals.Key, now time.Time) { m.DispatchedBut(gone, nil, now) }

// DispatchedBut is [Machine.Dispatched] for a dispatch that could not be brought
// to some conversations: what they were to be told is said again after a while,
// and nobody else waits for them.
func (m *Machine) DispatchedBut(gone, unreached []signals.Key, now time.Time) {
	at := m.advance(now)
	away, failed := idSet(gone), idSet(unreached)

	for i := range m.flying {
		flown := &m.flying[i]

		switch t := flown.talk; {
		case failed[flown.id()]:
			m.unask(t)
			m.recall(flown, &m.later)
			m.laterAt = at.plus(laterAfter)
		case t == nil && flown.sought != "" && away[flown.sought]:
			m.found(flown.sought)
		case t == nil:
		default:
			t.flying = 0

			// It may have begun anew since the dispatch set out.
			if away[t.ID] && m.talks[t.ID] == t && t.Session == flown.session && t.Number == flown.number && t.Heard == flown.heard {
				m.counts.Dropped++
				m.forget(t)
			}
		}
	}

	m.flying = nil

	if len(m.refused) == 0 {
		m.refusedBytes = 0
	}
}

// DispatchFailed takes in that nobody knows what of it arrived: it is to be said
// again, if it still holds.
func (m *Machine) DispatchFailed() {
	again := m.flying
	m.flying = nil

	owing := make([]*talk, 0, len(again)+len(m.owing))

	for i := range again {
		m.recall(&again[i], &owing)
	}

	m.owing = append(owing, m.owing...)
}

// recall notes what of a flight has to be said again.
func (m *Machine) recall(flown *flight, to *[]*talk) {
	switch t := flown.talk; {
	case flown.turned != nil:
		m.refused = append(m.refused, *flown.turned)
	case flown.sought != "" && m.missing[flown.sought]:
		m.sought = append(m.sought, flown.sought)
	case t == nil:
	default:
		what := t.flying
		t.flying = 0

		if what == 0 || m.talks[t.ID] != t || t.Session != flown.session || t.Number != flown.number {
			return
		}

		if t.Owes == 0 {
			*to = append(*to, t)
		}

		holds := still(t, what)
		t.pass(what &^ holds)
		t.Owes |= holds
	}
}

// pass takes in that something is not said any more: whoever did not hear that
// there is nobody is told so when it is so again.
func (t *talk) pass(what owed) {
	if what&owesNone != 0 {
		t.Told = ""
	}
}

// resume says again what could not be brought to its conversations.
func (m *Machine) resume(at stamp) {
	if len(m.later) == 0 || m.laterAt > at {
		return
	}

	m.owing = append(m.owing, m.later...)
	m.later, m.laterAt = nil, 0
}

// id is that of the conversation that a flight goes to.
func (f *flight) id() string {
	switch {
	case f.talk != nil:
		return f.talk.ID
	case f.turned != nil:
		return f.turned.ID
	default:
		return f.sought
	}
}

func idSet(keys []signals.Key) map[string]bool {
	ids := make(map[string]bool, len(keys))

	for _, key := range keys {
		if id, err := idOf(key); err == nil {
			ids[id] = true
		}
	}

	return ids
}

// still is what of it holds yet.
func still(t *talk, what owed) owed {
	if t.Stage != offered {
		what &^= owesOffer
	}

	if !t.inLine() {
		what &^= owesRound | owesNone
	}

	if t.Owes&owesBack != 0 || !t.AgentGone {
		what &^= owesGone
	}

	if t.AgentGone {
		what &^= owesBack
	}

	return what
}
