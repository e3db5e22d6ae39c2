package conversation

// The versions of the rules by which a machine decides. A run keeps the version
// that it was started with, so that it still replays after an upgrade.
const (
	// rulesPlain is the conversation by itself.
	rulesPlain = 1
	// rulesDesk adds the desk, and the reassign clock.
	rulesDesk = 2

	// newestRules is what a run begins with.
	newestRules = rulesDesk
)

// Rules says by which rules a [Machine] decides; [RulesFor] makes them.
type Rules struct {
	// desk: the conversation talks to its desk and takes it from a silent agent.
	desk bool
}

// RulesFor returns the rules of a version, as a run recorded it when it began.
func RulesFor(version int) Rules {
	return Rules{desk: version > rulesPlain}
}
