package conversation

// The versions of the rules by which a machine decides. A run keeps the version
// that it was started with, so that it still replays after an upgrade.
const (
	// rulesPlain is the conversation by itself.
	rulesPlain = 1
	// rulesDesk adds the desk, and the reassign clock.
	rulesDesk = 2
	// rulesHeed has a conversation take no notice of what a desk said before an
	// invitation, and a reassignment tried again that the platform did not make.
	rulesHeed = 3
	// rulesForward has receipts run forward: within a session, a gateway whose
	// clock stepped back makes nothing look older than what it received before.
	rulesForward = 4
	// rulesSlots keeps a desk's slots: what lifts a close asks the desk anew, and
	// only who is invited accepts. Nobody is stuck with an agent who is silent or
	// gone because of whom they asked for, or how busy the desk was when it was
	// asked; and who waits for a desk that is closed waits until it opens. A session
	// that is closed and over within one task is stored after that.
	rulesSlots = 5

	// newestRules is what a run begins with.
	newestRules = rulesSlots
)

// Rules says by which rules a [Machine] decides; [RulesFor] makes them.
type Rules struct {
	// desk: the conversation talks to its desk and takes it from a silent agent.
	desk bool
	// heed: what an invitation has overtaken counts no more, and a command that
	// the platform did not carry out changed nothing.
	heed bool
	// forward: what the inbox numbered later was received later, whatever the
	// gateway's clock said.
	forward bool
	// slots: where a desk gives conversations to agents, a close lets go of the
	// agent for good, and nobody accepts without an invitation.
	slots bool
	// unstuck: an agent asked for by name is so only until they had it, a desk may
	// say by itself that another agent is free by now, and the longest wait stands
	// still while the desk is closed.
	unstuck bool
	// alone: only a session whose close stood before the task began is ended as the
	// alarm says, before anything is taken in.
	alone bool
}

// RulesFor returns the rules of a version, as a run recorded it when it began.
func RulesFor(version int) Rules {
	return Rules{
		desk: version > rulesPlain, heed: version > rulesDesk, forward: version > rulesHeed, slots: version > rulesForward,
		unstuck: version > rulesForward, alone: version > rulesForward,
	}
}
