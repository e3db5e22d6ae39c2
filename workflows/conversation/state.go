package conversation

import (
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// stateVersion is the form of [State] that this build writes.
const stateVersion = 2

// State is everything a conversation remembers. It is JSON-stable, since it is
// the input of the next run at continue-as-new, and bounded to 256 KB.
type State struct {
	Version    int         `json:"version"`
	Key        signals.Key `json:"key"`
	WorkflowID string      `json:"workflow_id"`
	Session    int         `json:"session"`

	// Derived by Settle.
	Status signals.Status `json:"status"`
	Agent  string         `json:"agent,omitempty"`
	Close  *closeFact     `json:"close,omitempty"`

	// Exactly once.
	Seqs map[string]int64 `json:"seqs,omitempty"`
	IDs  []signals.SeenID `json:"ids,omitempty"`

	// The sessions before.
	PastThreads  []string  `json:"past_threads,omitempty"`
	PastOpen     []string  `json:"past_open,omitempty"`
	PastClosedAt time.Time `json:"past_closed_at,omitzero"`

	// Facts.
	BegunAt time.Time `json:"begun_at,omitzero"`
	HeardAt time.Time `json:"heard_at,omitzero"`
	// ReceivedAt is the newest time of receipt of what the inbox sent.
	ReceivedAt time.Time    `json:"received_at,omitzero"`
	Stepped    stepped      `json:"stepped,omitzero"`
	OpenedAt   time.Time    `json:"opened_at,omitzero"`
	Subject    register     `json:"subject,omitzero"`
	Property   register     `json:"property,omitzero"`
	Lang       register     `json:"lang,omitzero"`
	Desk       register     `json:"desk,omitzero"`
	Visitor    visitor      `json:"visitor,omitzero"`
	Roster     []member     `json:"roster,omitempty"`
	Threads    []threadMark `json:"threads,omitempty"`
	Closes     []closeFact  `json:"closes,omitempty"`
	// ReopenedAt is the newest command that lifts a close; WroteAt is the newest
	// of the visitor's messages without a thread that are no longer kept.
	// ResumedAt is the newest command that took one back.
	ReopenedAt time.Time `json:"reopened_at,omitzero"`
	ResumedAt  time.Time `json:"resumed_at,omitzero"`
	WroteAt    time.Time `json:"wrote_at,omitzero"`
	// LiftedAt is when a close was last lifted: the age counts anew.
	LiftedAt    time.Time `json:"lifted_at,omitzero"`
	EscalatedAt time.Time `json:"escalated_at,omitzero"`
	QueuedAt    time.Time `json:"queued_at,omitzero"`
	// Hops are the platform's requests for an agent since somebody last took the
	// conversation, by its time.
	Hops        []hop     `json:"hops,omitempty"`
	ClaimsFloor time.Time `json:"claims_floor,omitzero"`
	// LostAt is the newest close that let go of the agent for good and is not kept,
	// or stands before one that was taken back.
	LostAt       time.Time `json:"lost_at,omitzero"`
	Tags         []tagMark `json:"tags,omitempty"`
	PlatformNote register  `json:"platform_note,omitzero"`
	AwaySince    time.Time `json:"away_since,omitzero"`
	// AwayReceivedAt is when the newest such word came.
	AwayReceivedAt time.Time `json:"away_received_at,omitzero"`
	BackSince      time.Time `json:"back_since,omitzero"`

	// Messages.
	Kept []kept `json:"kept,omitempty"`
	// Edits are those that overtook their message.
	Edits      []edit                `json:"edits,omitempty"`
	ReplyFloor time.Time             `json:"reply_floor,omitzero"`
	Counts     signals.MessageCounts `json:"counts"`
	VisitorAt  time.Time             `json:"visitor_at,omitzero"`
	SpokenAt   time.Time             `json:"spoken_at,omitzero"`

	// Clocks.
	Episode  *episode `json:"episode,omitempty"`
	Episodes int      `json:"episodes,omitempty"`
	Relay    *relay   `json:"relay,omitempty"`
	// Reported are the platform's reports that made a push, ReportedAt the
	// newest that said the visitor waits, AnsweredAt that it was over.
	Reported   []relaySeen `json:"reported,omitempty"`
	ReportedAt time.Time   `json:"reported_at,omitzero"`
	AnsweredAt time.Time   `json:"answered_at,omitzero"`
	Snooze     *snoozed    `json:"snooze,omitempty"`
	WarnedAt   time.Time   `json:"warned_at,omitzero"`
	// IdleShift is how long snoozes held the idle clock since SpokenAt.
	IdleShift time.Duration `json:"idle_shift,omitempty"`

	// Whom it needs, and since when: the newest escalation's wishes, and what put
	// it into a queue. A transfer to a group at TransferredAt voids the wishes.
	Skill         register    `json:"skill,omitzero"`
	Urgency       register    `json:"urgency,omitzero"`
	Only          wanted      `json:"only,omitzero"`
	Named         named       `json:"named,omitzero"`
	TransferredAt time.Time   `json:"transferred_at,omitzero"`
	Marks         []queueMark `json:"marks,omitempty"`

	// The desk, and the agent whom the reassign clock watches.
	Talk         talk      `json:"talk,omitzero"`
	Taken        *taken    `json:"taken,omitempty"`
	Hold         hold      `json:"hold,omitzero"`
	Reassigned   int       `json:"reassigned,omitempty"`
	SilenceShift shift     `json:"silence_shift,omitzero"`
	QueueShift   shift     `json:"queue_shift,omitzero"`
	QueueEnded   time.Time `json:"queue_ended,omitzero"`

	// What was counted.
	Accepted   int64 `json:"accepted"`
	Applied    int64 `json:"applied"`
	Late       int64 `json:"late"`
	Ignored    int64 `json:"ignored"`
	Duplicates int64 `json:"duplicates"`

	Timeline []line `json:"timeline,omitempty"`

	// What is decided and not yet dispatched.
	Counter int64              `json:"counter"`
	Outbox  []signals.Order    `json:"outbox,omitempty"`
	Asks    []DeskAsk          `json:"asks,omitempty"`
	Decided bool               `json:"decided,omitempty"`
	Ticket  *signals.TicketRef `json:"ticket,omitempty"`
}

// visitor is what notices say about the person who waits.
type visitor struct {
	ID         register `json:"id,omitzero"`
	Name       register `json:"name,omitzero"`
	Nickname   register `json:"nickname,omitzero"`
	ExternalID register `json:"external_id,omitzero"`
}

// register is a text in which the newest word by the platform's time wins.
type register struct {
	Text string    `json:"text,omitempty"`
	At   time.Time `json:"at,omitzero"`
}

// set enters one word; of two at the same time the same one always wins.
func (r *register) set(text string, at time.Time) {
	if strings.TrimSpace(text) == "" || at.Before(r.At) || at.Equal(r.At) && text < r.Text {
		return
	}

	r.Text, r.At = text, at
}

// member is one participant, with the newest time of each thing that says
// whether they have the conversation.
type member struct {
	ID         string       `json:"id"`
	Role       signals.Role `json:"role"`
	Proven     register     `json:"proven,omitzero"`
	Name       register     `json:"name,omitzero"`
	Nickname   register     `json:"nickname,omitzero"`
	Visibility register     `json:"visibility,omitzero"`
	JoinedAt   time.Time    `json:"joined_at,omitzero"`
	LeftAt     time.Time    `json:"left_at,omitzero"`
	// ClaimedAt is the newest assignment or acceptance that makes an agent the
	// assignee.
	ClaimedAt time.Time `json:"claimed_at,omitzero"`
	// GivenAt is the newest of them that was somebody else's doing.
	GivenAt time.Time `json:"given_at,omitzero"`
	// SpokeAt is the first public message since the claims before were voided,
	// by which an uninvited agent takes a conversation that nobody has; LastAt
	// is the newest.
	SpokeAt time.Time `json:"spoke_at,omitzero"`
	LastAt  time.Time `json:"last_at,omitzero"`
	TypedAt time.Time `json:"typed_at,omitzero"`
	// SeenAt is the newest sign of life, AwayAt and BackAt what presence said.
	SeenAt time.Time `json:"seen_at,omitzero"`
	AwayAt time.Time `json:"away_at,omitzero"`
	BackAt time.Time `json:"back_at,omitzero"`
	// ReceivedAt is when the newest claim, coming or going was received.
	ReceivedAt time.Time `json:"received_at,omitzero"`
}

// threadMark is one thread of the platform's within this session.
type threadMark struct {
	ID string `json:"id"`
	// FirstAt is the earliest event that may start a conversation in it.
	FirstAt time.Time `json:"first_at,omitzero"`
	// VisitorAt is the newest of the visitor's messages in it that are no longer
	// kept.
	VisitorAt time.Time `json:"visitor_at,omitzero"`
}

// closeFact is one close, by whomever.
type closeFact struct {
	At      time.Time    `json:"at"`
	ClockAt time.Time    `json:"clock_at"`
	Thread  string       `json:"thread,omitempty"`
	ByID    string       `json:"by_id,omitempty"`
	ByRole  signals.Role `json:"by_role,omitempty"`
	Reason  string       `json:"reason,omitempty"`
}

// tagMark is the newest word about one tag.
type tagMark struct {
	Name string    `json:"name"`
	On   bool      `json:"on"`
	At   time.Time `json:"at"`
}

// kept is a message as the reply state needs it; its text is in the timeline.
type kept struct {
	ID      string              `json:"id,omitempty"`
	Author  string              `json:"author,omitempty"`
	Claimed signals.Role        `json:"claimed,omitempty"`
	Role    signals.Role        `json:"role,omitempty"`
	Kind    signals.MessageKind `json:"kind,omitempty"`
	At      time.Time           `json:"at"`
	ClockAt time.Time           `json:"clock_at"`
	Thread  string              `json:"thread,omitempty"`
	Private bool                `json:"private,omitempty"`
	Auto    bool                `json:"auto,omitempty"`
	Deleted bool                `json:"deleted,omitempty"`
	// EditedAt is the newest edit.
	EditedAt time.Time `json:"edited_at,omitzero"`
	// Counted is the role under which the message stands in Counts.
	Counted signals.Role `json:"counted,omitempty"`
}

// edit is an edit that overtook its message.
type edit struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Text string    `json:"text,omitempty"`
}

// episode is one unanswered stretch.
type episode struct {
	// Since is the platform's time of the first unanswered message.
	Since     time.Time `json:"since"`
	ClockAt   time.Time `json:"clock_at"`
	MessageID string    `json:"message_id,omitempty"`
	Text      string    `json:"text,omitempty"`
	// Number is given with the first push.
	Number   int       `json:"number,omitempty"`
	Pushes   int       `json:"pushes,omitempty"`
	PushedAt time.Time `json:"pushed_at,omitzero"`
	// Shift moves the next push: typing pauses and snoozes since the last one.
	Shift time.Duration `json:"shift,omitempty"`
	// Paused is how long typing has paused the clock in this episode.
	Paused      time.Duration `json:"paused,omitempty"`
	PausedUntil time.Time     `json:"paused_until,omitzero"`
}

// snoozed is a conversation put to sleep.
type snoozed struct {
	At time.Time `json:"at"`
	// Known is the newest message that was known then, by its platform's
	// clock: only a newer one ends the snooze.
	Known time.Time `json:"known,omitzero"`
	Until time.Time `json:"until,omitzero"`
	By    string    `json:"by,omitempty"`
}

// line is one entry of the timeline, with what a transcript needs.
type line struct {
	At        time.Time    `json:"at"`
	Type      signals.Type `json:"type"`
	Text      string       `json:"text,omitempty"`
	MessageID string       `json:"message_id,omitempty"`
	Role      signals.Role `json:"role,omitempty"`
	Name      string       `json:"name,omitempty"`
	Private   bool         `json:"private,omitempty"`
}

// upgrade brings a state written by an older build to the present form.
func upgrade(state *State) {
	if state.Version < stateVersion {
		state.Version = stateVersion

		// What was lifted by a build that let go of nobody stays as it is.
		for i := range state.Closes {
			if at := state.Closes[i].At; state.Close == nil || at.Before(state.Close.At) {
				state.ResumedAt = latest(state.ResumedAt, at.Add(time.Nanosecond))
			}
		}
	}

	if state.Seqs == nil {
		state.Seqs = map[string]int64{}
	}

	if state.HeardAt.IsZero() {
		state.HeardAt = latest(state.VisitorAt, state.ReportedAt)
	}
}
