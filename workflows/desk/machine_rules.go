package desk

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
	// rulesSlots: a platform that asks anew is told another agent, and the webhook may
	// name whom a conversation was taken from.
	rulesSlots = 5

	// newestRules is what a run begins with.
	newestRules = rulesSlots
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
	// named: whom a platform was told, and who did not take it, is told no more
	// while another is left.
	named bool
	// not: the webhook may name whom a conversation was taken from.
	not bool
}

// RulesFor returns the rules of a version, as a run recorded it when it began.
func RulesFor(version int) Rules {
	return Rules{
		unheard: version > rulesPlain, lost: version > rulesUnheard, pause: version > rulesLost, given: version > rulesLost,
		named: version > rulesPause, not: version > rulesPause,
	}
}
