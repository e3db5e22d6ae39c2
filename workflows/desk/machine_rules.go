package desk

import "slices"

// The versions of the rules by which a machine decides. A run keeps the version
// that it began with, so that it still replays after an upgrade.
const (
	// rulesPlain is the desk as it was first.
	rulesPlain = 1
	// rulesUnheard: a conversation that stated its need before the desk began may have
	// been offered to somebody by the desk before, even if it has not heard so yet.
	rulesUnheard = 2

	// rulesLost: a desk that has anybody looks every minute who of them is not listed
	// among the open conversations.
	rulesLost = 3
	// rulesPause: the pause after a round begins when the last who was asked in it
	// did not take it; and who was given to an agent who is offline, is told so.
	rulesPause = 4
	// rulesSlots: whose agent is silent or gone gets the first slot that becomes free;
	// who lost an agent stands before everybody, whatever their priorities; who is
	// only more urgent is not offered again to those who did not take it. A platform
	// that asks anew is told another agent, and the webhook may name whom a
	// conversation was taken from.
	rulesSlots = 5
	// rulesShort: runs are a quarter as long. A busy desk's last task is mostly made
	// twice, since something came during it, and the second time by replaying the
	// run, as is every question that waited for it. With 2,000 events, that and not
	// the load kept the next run's first task waiting for most of a second.
	rulesShort = 6

	// newestRules is what a run begins with.
	newestRules = rulesShort
)

// After so many events in history a run continues as new, of its own accord.
const (
	rollEvents     = 500
	rollEventsLong = 2000
)

// Rules says by which rules a [Machine] decides; [RulesFor] makes them.
type Rules struct {
	// unheard: whose first statement is older than the desk is told anew with the
	// next one that there is nobody.
	unheard bool
	// lost: the desk looks who of its conversations is not open any more.
	lost bool
	// pause: an invitation in a pause ends it, and the next begins after it.
	pause bool
	// given: an agent who was offline before, and did not take a conversation but
	// was given it, is gone.
	given bool
	// saves: a slot that becomes free is saved for whose agent is silent or gone.
	saves bool
	// heads: the head of the line is before all priorities.
	heads bool
	// urgent: a round goes on for who is only more urgent.
	urgent bool
	// again: the agent from before a close is asked first.
	again bool
	// named: whom a platform was told, and who did not take it, is told no more
	// while another is left.
	named bool
	// not: the webhook may name whom a conversation was taken from.
	not bool
	// roll is after how many events a run continues as new.
	roll int
}

// RulesFor returns the rules of a version, as a run recorded it when it began.
func RulesFor(version int) Rules {
	roll := rollEvents
	if version <= rulesSlots {
		roll = rollEventsLong
	}

	return Rules{
		unheard: version > rulesPlain, lost: version > rulesUnheard, pause: version > rulesLost, given: version > rulesLost,
		saves: version > rulesPause, heads: version > rulesPause, urgent: version > rulesPause,
		again: version > rulesPause, named: version > rulesPause, not: version > rulesPause,
		roll: roll,
	}
}

// Follow has the machine decide by other rules from now on.
func (m *Machine) Follow(rules Rules) {
	m.Rules = rules
	slices.SortFunc(m.line.list, m.line.less)
}
