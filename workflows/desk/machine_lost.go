package desk

import (
	"cmp"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// lookEvery is how often a desk that has anybody looks who of them is not
	// listed among the open conversations.
	lookEvery = time.Minute
	// listedAfter is how long one that said something may not be listed yet.
	listedAfter = 10 * time.Second
	// MaxLost bounds how many of a look are doubted: they are asked in one dispatch,
	// for which others wait.
	MaxLost = maxDispatch
)

// watch notes since when the desk has anybody: a desk without needs no look.
func (m *Machine) watch(at stamp) {
	switch {
	case !m.Rules.lost || m.stopped || len(m.talks) == len(m.overs.list):
		m.lookedAt = 0
	case m.lookedAt == 0:
		m.lookedAt = at
	}
}

// nextLook is when the desk looks again, 0 for never.
func (m *Machine) nextLook() stamp {
	if m.lookedAt == 0 {
		return 0
	}

	return m.lookedAt.plus(lookEvery)
}

// Look returns, when it is time for it, whose conversations are to be looked up
// among the open ones: those first that were found the last time, and of them
// those that were silent longest. Tell [Machine.Doubt] who is not listed.
func (m *Machine) Look(now time.Time) []signals.Key {
	at := m.advance(now)

	if due := m.nextLook(); due == 0 || due > at {
		return nil
	}

	m.lookedAt = at

	var list []*talk

	for _, t := range m.sorted() {
		if t.listed(at) {
			list = append(list, t)
		}
	}

	slices.SortStableFunc(list, func(a, b *talk) int {
		return cmp.Or(cmp.Compare(a.Unlisted, b.Unlisted), cmp.Compare(a.Heard, b.Heard))
	})

	keys := make([]signals.Key, len(list))
	for i, t := range list {
		keys[i] = t.key()
	}

	return keys
}

// listed reports whether it should be listed as open, if it is; whoever is asked
// already needs no look, and one with a reservation may not have begun.
func (t *talk) listed(at stamp) bool {
	return (t.Stage == held || t.Stage == offered || t.inLine()) && t.Heard.plus(listedAfter) <= at && !t.isAsked()
}

// isAsked reports whether it is being asked whether it is still there.
func (t *talk) isAsked() bool { return (t.Owes|t.flying)&owesCheck != 0 }

// Doubt takes in who of a [Machine.Look] is not listed as open, at most [MaxLost].
// A list may be behind, so that they are only asked: who does not run is dropped
// by the dispatch. Whoever answers and is still not listed is asked again only
// after 2, 4, 8 looks.
func (m *Machine) Doubt(keys []signals.Key, now time.Time) {
	at := m.advance(now)
	lost := idSet(keys)
	all := len(keys) < MaxLost

	for _, t := range m.sorted() {
		switch {
		case !t.listed(at):
		case lost[t.ID]:
			t.Unlisted++
			if t.Unlisted&(t.Unlisted-1) == 0 {
				m.check(t, at)
			}
		case all:
			t.Unlisted = 0
		}
	}
}

// unask takes back a check that could not be brought to its conversation: an offer
// that comes up meanwhile would wait with it. Another look, or doubt, asks anew.
func (m *Machine) unask(t *talk) {
	if m.Rules.lost && t != nil {
		t.flying &^= owesCheck
	}
}
