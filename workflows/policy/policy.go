package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// Policy is the durations and rules that a conversation follows. A clock of
// zero is off, but a grace or a pause of zero means at once. [Default] tells
// the values of what nobody sets.
type Policy struct {
	Unreplied  Unreplied                 `json:"unreplied"    yaml:"unreplied"`
	Accept     Accept                    `json:"accept"       yaml:"accept"`
	Reassign   Reassign                  `json:"reassign"     yaml:"reassign"`
	Queue      Queue                     `json:"queue"        yaml:"queue"`
	Idle       Idle                      `json:"idle"         yaml:"idle"`
	Closeout   Closeout                  `json:"closeout"     yaml:"closeout"`
	Limits     Limits                    `json:"limits"       yaml:"limits"`
	OutOfHours OutOfHours                `json:"out_of_hours" yaml:"out_of_hours" desc:"outside the hours: pause, or offline for a ticket"`
	Hours      string                    `json:"hours"        yaml:"hours"        desc:"calendar that clocks count in; empty is wall time"`
	Notify     map[signals.Type][]string `json:"notify"       yaml:"notify"       desc:"channels told of this event"`
}

// Unreplied is the clock of a visitor who waits for an answer.
type Unreplied struct {
	Mode Mode `json:"mode" yaml:"mode" desc:"own runs this clock; relay passes on the platform's own reports"`
	// First is how long after the first unanswered message push 1 comes; zero
	// makes no pushes.
	First Duration `json:"first" yaml:"first" desc:"from the first unanswered message to push 1; 0s is off"`
	// Repeat is the time from each push to the next; zero stops after push 1.
	Repeat Duration `json:"repeat" yaml:"repeat" desc:"from each push to the next; 0s makes only one push"`
	Max    int      `json:"max"    yaml:"max"    desc:"the number of the last push of an episode"`
	// StartsOn are the kinds of visitor message that begin an episode.
	StartsOn []signals.MessageKind `json:"starts_on" yaml:"starts_on" desc:"kinds of visitor message that need an answer"`
	BotReply BotReply              `json:"bot_reply" yaml:"bot_reply" desc:"bot answers that count: before_escalation, always or never"`
	// TypingPause is what an agent's typing adds, at most TypingPauseMax in
	// one episode.
	TypingPause    Duration `json:"typing_pause"     yaml:"typing_pause"     desc:"how long an agent's typing pauses the clock"`
	TypingPauseMax Duration `json:"typing_pause_max" yaml:"typing_pause_max" desc:"how long typing may pause it in all"`
	// ReassignAfter is the number of the push at which the conversation is
	// reassigned; zero never does.
	ReassignAfter int `json:"reassign_after" yaml:"reassign_after" desc:"reassign at this push; 0 is off"`
	// FromPush names further channels that are told from a push number on.
	FromPush map[int][]string `json:"from_push" yaml:"from_push" desc:"further channels told from this push on"`
}

// Accept is the clock of an agent who is offered a conversation.
type Accept struct {
	Timeout Duration `json:"timeout" yaml:"timeout" desc:"how long one agent may think about an invitation"`
	Rounds  int      `json:"rounds"  yaml:"rounds"  desc:"how often all agents are asked"`
	Pause   Duration `json:"pause"   yaml:"pause"   desc:"between two rounds; 0s is at once"`
	End     End      `json:"end"     yaml:"end"     desc:"after the last round: wait, offline, close or desk:<name>"`
}

// Reassign is the clock of an agent who owes an answer and is silent.
type Reassign struct {
	After        Duration `json:"after"         yaml:"after"         desc:"silence after which another agent is asked; 0s is off"`
	Max          int      `json:"max"           yaml:"max"           desc:"how often one conversation is reassigned"`
	OfflineGrace Duration `json:"offline_grace" yaml:"offline_grace" desc:"how long until an absent agent counts as offline; 0s is at once"`
}

// Queue is the clock of a visitor who waits for an agent.
type Queue struct {
	MaxWait Duration `json:"max_wait" yaml:"max_wait" desc:"the longest wait in the queue; 0s is off"`
	Abandon Duration `json:"abandon"  yaml:"abandon"  desc:"how long a visitor who left keeps the place; 0s is off"`
	End     End      `json:"end"      yaml:"end"      desc:"after the longest wait: wait, offline, close or desk:<name>"`
}

// Idle is the clock of a conversation in which nobody owes an answer.
type Idle struct {
	Warn  Duration `json:"warn"  yaml:"warn"  desc:"silence after which a warning is recorded; 0s is off"`
	Close Duration `json:"close" yaml:"close" desc:"silence after which the conversation is closed; 0s is off"`
}

// Closeout says what happens once a conversation is closed.
type Closeout struct {
	Grace     Duration   `json:"grace"      yaml:"grace"      desc:"how long it can be reopened before the ticket; 0s is at once"`
	Ticket    TicketRule `json:"ticket"     yaml:"ticket"     desc:"always, unreplied, offline, unless_platform or never"`
	SkipEmpty bool       `json:"skip_empty" yaml:"skip_empty" desc:"no ticket for a conversation without a message"`
	// Escalation says what a visitor does who asks for a person within the grace.
	Escalation Following `json:"escalation,omitzero" yaml:"escalation" desc:"an escalation within the grace: reopen or session, the next one"`
}

// Limits bound a conversation.
type Limits struct {
	MaxAge Duration `json:"max_age" yaml:"max_age" desc:"age at which it is closed as stale; 0s is off"`
	// SessionGap tells one session from the next where the platform names
	// visitors instead of conversations.
	SessionGap Duration `json:"session_gap,omitzero" yaml:"session_gap" desc:"silence of the platform that ends a session; 0s is off"`
}

// Mode says who runs the unreplied clock.
type Mode string

// The modes: Parley's own clock, or the platform's reports passed on.
const (
	ModeOwn   Mode = "own"
	ModeRelay Mode = "relay"
)

// BotReply says when a bot's message counts as an answer.
type BotReply string

// When a bot's message counts as an answer.
const (
	BotBeforeEscalation BotReply = "before_escalation"
	BotAlways           BotReply = "always"
	BotNever            BotReply = "never"
)

// Following says what becomes of a conversation that was closed and is asked for
// within its grace.
type Following string

// What follows a close: the same session goes on, or the next one begins and the
// closed one has its ticket at once.
const (
	FollowReopen  Following = "reopen"
	FollowSession Following = "session"
)

// TicketRule says which sessions become a ticket.
type TicketRule string

// Which sessions become a ticket: all, those closed with an unanswered visitor,
// those closed as offline, those whose platform makes none, none.
const (
	TicketAlways         TicketRule = "always"
	TicketUnreplied      TicketRule = "unreplied"
	TicketOffline        TicketRule = "offline"
	TicketUnlessPlatform TicketRule = "unless_platform"
	TicketNever          TicketRule = "never"
)

// OutOfHours says what happens outside business hours.
type OutOfHours string

// What happens outside business hours: the clocks stand still, or the
// conversation counts as offline.
const (
	OutOfHoursPause   OutOfHours = "pause"
	OutOfHoursOffline OutOfHours = "offline"
)

// End says what becomes of a conversation that nobody took: one of the
// constants, or desk:<name> for another desk.
type End string

// The ends that name no desk.
const (
	EndWait    End = "wait"
	EndOffline End = "offline"
	EndClose   End = "close"
)

const endDesk = "desk:"

// Desk returns the name of the desk that takes over, if e is desk:<name>.
func (e End) Desk() (string, bool) { return strings.CutPrefix(string(e), endDesk) }

// Default returns the documented defaults.
func Default() Policy {
	const second, minute, hour = Duration(1e9), 60 * Duration(1e9), 3600 * Duration(1e9)

	return Policy{
		Unreplied: Unreplied{
			Mode: ModeOwn, First: 5 * minute, Repeat: 5 * minute, Max: 4,
			StartsOn: []signals.MessageKind{signals.KindText, signals.KindFile, signals.KindRich, signals.KindForm},
			BotReply: BotBeforeEscalation, TypingPause: 30 * second, TypingPauseMax: 2 * minute,
			FromPush: map[int][]string{},
		},
		Accept:     Accept{Timeout: 30 * second, Rounds: 3, Pause: 30 * second, End: EndWait},
		Reassign:   Reassign{After: 10 * minute, Max: 3, OfflineGrace: minute},
		Queue:      Queue{MaxWait: 30 * minute, Abandon: 2 * minute, End: EndOffline},
		Closeout:   Closeout{Grace: 2 * minute, Ticket: TicketAlways, SkipEmpty: true, Escalation: FollowReopen},
		Limits:     Limits{MaxAge: 720 * hour},
		OutOfHours: OutOfHoursPause,
		Notify: map[signals.Type][]string{
			signals.UnrepliedPushed:   {LogChannel},
			signals.FormSubmitted:     {LogChannel},
			signals.AgentsUnavailable: {LogChannel},
			signals.AgentReassigned:   {LogChannel},
			signals.TicketFailed:      {LogChannel},
		},
	}
}

// LogChannel is the channel that always exists.
const LogChannel = "log"

// Demo returns the documented policy of a demonstration: [Default] with quick
// pushes.
func Demo() Policy {
	p := Default()
	p.quicken()

	return p
}

func (p *Policy) quicken() {
	const quick = Duration(5e9)

	p.Unreplied.First = quick
	p.Unreplied.Repeat = quick
	p.Closeout.Grace = quick
}

// Channels returns the channels that an event of type t is told to.
func (p *Policy) Channels(t signals.Type) []string { return slices.Clone(p.Notify[t]) }

// PushChannels returns the channels that push number push (from 1) is told to:
// those of every push first, then those added on the way, each once.
func (p *Policy) PushChannels(push int) []string {
	out := p.Channels(signals.UnrepliedPushed)

	for n := 1; n <= min(push, maxCount); n++ {
		for _, name := range p.Unreplied.FromPush[n] {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}

	return out
}

// StartsEpisode reports whether a visitor's message of this kind needs an
// answer.
func (p *Policy) StartsEpisode(kind signals.MessageKind) bool {
	return slices.Contains(p.Unreplied.StartsOn, kind)
}

// Clone returns a copy that shares nothing with p.
func (p *Policy) Clone() Policy {
	out := *p
	out.Unreplied.StartsOn = slices.Clone(p.Unreplied.StartsOn)
	out.Unreplied.FromPush = cloneLists(p.Unreplied.FromPush)
	out.Notify = cloneLists(p.Notify)

	return out
}

func cloneLists[K comparable](lists map[K][]string) map[K][]string {
	out := maps.Clone(lists)

	for key, list := range out {
		out[key] = slices.Clone(list)
	}

	return out
}
