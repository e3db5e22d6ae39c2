package desk

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// stateVersion is the form of [State] that this build writes.
const stateVersion = 1

// State is everything a desk remembers. It is JSON-stable, since it is the input
// of the next run at continue-as-new, and bounded: see [Machine] for how. Times
// are milliseconds since 1970, which take half the bytes of a text.
type State struct {
	Version int `json:"version"`
	// Agents and Talks stand in the order of their ids.
	Agents []agent `json:"agents,omitempty"`
	Talks  []talk  `json:"talks,omitempty"`
	// Terms and Names are what talks name by number.
	Terms []terms  `json:"terms,omitempty"`
	Names []string `json:"names,omitempty"`
	// Owing are the talks that are to be told something, in order.
	Owing   []string `json:"owing,omitempty"`
	Refused []turned `json:"refused,omitempty"`

	// Sought are conversations that may still be this desk's, to be asked;
	// Missing have not answered. Nobody is offered anything before Settling while
	// one is missing.
	Sought   []string `json:"sought,omitempty"`
	Missing  []string `json:"missing,omitempty"`
	Settling stamp    `json:"settling,omitempty"`
	// Unsought: it is not known yet which conversations there are.
	Unsought bool `json:"unsought,omitempty"`

	// Cursor is the agent that was asked last.
	Cursor string `json:"cursor,omitempty"`
	// Visits tell whom visitors had last, the newest at the end.
	Visits []visit `json:"visits,omitempty"`
	// SweptAt is when conversations were last doubted.
	SweptAt stamp `json:"swept_at,omitempty"`
	// LookedAt is when it was last looked who is not open any more, or since when
	// there is anybody.
	LookedAt stamp    `json:"looked_at,omitempty"`
	Measured measured `json:"measured"`
	Counts   counts   `json:"counts"`
}

// counts is what a desk did with what came.
type counts struct {
	Asks     int64 `json:"asks"`
	Repeated int64 `json:"repeated"`
	Old      int64 `json:"old"`
	Rejected int64 `json:"rejected"`
	Full     int64 `json:"full"`
	Offers   int64 `json:"offers"`
	Accepted int64 `json:"accepted"`
	Checks   int64 `json:"checks"`
	Dropped  int64 `json:"dropped"`
}

// stamp is a time in milliseconds since 1970, 0 for none.
type stamp int64

func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return 0
	}

	return stamp(t.UnixMilli())
}

func (s stamp) time() time.Time {
	if s == 0 {
		return time.Time{}
	}

	return time.UnixMilli(int64(s)).UTC()
}

func (s stamp) pointer() *time.Time {
	if s == 0 {
		return nil
	}

	at := s.time()

	return &at
}

func (s stamp) plus(d time.Duration) stamp { return s + stamp(d.Milliseconds()) }

// minus is how much later s is than other.
func (s stamp) minus(other stamp) time.Duration { return time.Duration(s-other) * time.Millisecond }

// stage is where a conversation stands at the desk.
type stage string

const (
	// waiting: in line.
	waiting stage = "waiting"
	// offered: an agent thinks about it.
	offered stage = "offered"
	// reserved: an agent was chosen at once, without an offer.
	reserved stage = "reserved"
	// held: an agent has it.
	held stage = "held"
	// over: it needs nothing; only its number is remembered.
	over stage = "over"
)

// talk is what the desk knows of one conversation.
type talk struct {
	// ID is source/conversation.
	ID      string `json:"id"`
	Session int    `json:"session,omitempty"`
	Number  int64  `json:"number,omitempty"`
	// Attempt is the number of the newest offer.
	Attempt int64 `json:"attempt,omitempty"`
	// Stage is empty in a state for those in line.
	Stage stage `json:"stage,omitempty"`

	// TermsAt is where its terms stand in the state, from 1.
	TermsAt    int      `json:"terms,omitempty"`
	Since      stamp    `json:"since,omitempty"`
	Head       bool     `json:"head,omitempty"`
	Not        string   `json:"not,omitempty"`
	Only       string   `json:"only,omitempty"`
	Again      string   `json:"again,omitempty"`
	Visitor    string   `json:"visitor,omitempty"`
	Candidates []string `json:"candidates,omitempty"`

	// Insisted is since when its skills are insisted on, if that is before Since: the
	// agent from whom it was taken had it since then.
	Insisted stamp `json:"insisted,omitempty"`

	// Asked is when it began to need an agent, Heard when it last said anything,
	// Checked when it was last asked, Checks how often since it was heard.
	Asked   stamp `json:"asked,omitempty"`
	Heard   stamp `json:"heard,omitempty"`
	Checked stamp `json:"checked,omitempty"`
	Checks  int   `json:"checks,omitempty"`
	// Unlisted counts looks in a row that did not find it among the open ones.
	Unlisted int `json:"unlisted,omitempty"`

	// Round is counted from 1; TriedAt are its agents who did not take it, by
	// their place in the state's names.
	Round   int   `json:"round,omitempty"`
	TriedAt []int `json:"tried,omitempty"`
	// Rest is when the pause after a round ends.
	Rest stamp `json:"rest,omitempty"`
	// Told is why it was told that there is none, NoneAt when.
	Told   string `json:"told,omitempty"`
	NoneAt stamp  `json:"none_at,omitempty"`
	// RoundTold is the newest round of which it was told that nobody took it.
	RoundTold int `json:"round_told,omitempty"`
	// RoundEmpty: nobody could be asked in that one.
	RoundEmpty bool `json:"round_empty,omitempty"`

	// Agent has a slot for it since From, and may think until Until.
	Agent string `json:"agent,omitempty"`
	From  stamp  `json:"from,omitempty"`
	Until stamp  `json:"until,omitempty"`
	// First is its first offer, Guess the wait that was estimated: in
	// milliseconds plus 1, below 0 for none.
	First stamp `json:"first,omitempty"`
	Guess int64 `json:"guess,omitempty"`
	// Unheard: it may have had an invitation of the desk before this one when the
	// desk began to know it, and then has not heard that there is nobody.
	Unheard bool `json:"unheard,omitempty"`
	// AgentGone: it was told, or will be, that its agent is gone.
	AgentGone bool `json:"agent_gone,omitempty"`
	// Stuck: it wanted another agent and was told that none is free. Saved is whose
	// slot is kept for it until SavedUntil, once one is.
	Stuck      bool   `json:"stuck,omitempty"`
	Saved      string `json:"saved,omitempty"`
	SavedUntil stamp  `json:"saved_until,omitempty"`
	// Owes is what it has to be told.
	Owes owed `json:"owes,omitempty"`

	terms *terms
	tried []string
	// flying is what a dispatch that is under way tells it.
	flying owed
	class  *class
	// classOf tells for which agents and skills the class was made.
	classOf classMark
	size    int
	// asking: the webhook is being asked for an agent; answered: it has been, and
	// choice is what it said.
	asking, answered bool
	choice           string
}

func (t *talk) key() signals.Key { return keyOf(t.ID) }

// inLine reports whether it stands in the waiting order.
func (t *talk) inLine() bool { return t.Stage == waiting }

// takesSlot reports whether an agent's slot is taken by it.
func (t *talk) takesSlot() bool { return t.Stage == offered || t.Stage == held || t.Stage == reserved }

// terms are what many conversations ask alike.
type terms struct {
	Skills   []string      `json:"skills,omitempty"`
	Priority int           `json:"priority,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	Rounds   int           `json:"rounds"`
	Pause    time.Duration `json:"pause,omitempty"`
}

// agent is one who takes conversations.
type agent struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Status string `json:"status,omitempty"`
	// StatusAt is the newest word about the status.
	StatusAt stamp    `json:"status_at,omitempty"`
	Slots    int      `json:"slots,omitempty"`
	Skills   []string `json:"skills,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Origin   origin   `json:"origin"`
	// Config is a mark of what the configuration last said of the agent.
	Config string `json:"config,omitempty"`
	// Wrapup is when the rest after a conversation ends.
	Wrapup stamp `json:"wrapup,omitempty"`
	// Assigned is when something was last given to the agent, Idle since when the
	// agent has had nothing.
	Assigned stamp `json:"assigned,omitempty"`
	Idle     stamp `json:"idle,omitempty"`
	Removed  bool  `json:"removed,omitempty"`

	// has are the conversations that take slots, saved counts those for which one
	// is kept.
	has   []*talk
	saved int
	// place is the agent's place among all, for classes.
	place int
}

// origin is from where a desk knows an agent.
type origin string

const (
	configured origin = "config"
	put        origin = "put"
	learned    origin = "learned"
	// stranger: no agent of the desk's, who has conversations all the same.
	stranger origin = "stranger"
)

// visit is whom a visitor had last.
type visit struct {
	Visitor string `json:"visitor"`
	Agent   string `json:"agent"`
}

// turned is a statement that the desk had no place for.
type turned struct {
	ID      string `json:"id"`
	Session int    `json:"session"`
	Number  int64  `json:"number"`
	// Attempt is the newest offer that the conversation saw; it takes no notice of
	// what is said with a lower one.
	Attempt int64 `json:"attempt,omitempty"`
}

// owed is a set of what a conversation is to be told.
type owed uint8

const (
	owesGone owed = 1 << iota
	owesBack
	owesCheck
	owesFree
	owesRound
	owesNone
	owesOffer
)
