// Package acquire is the dialect of Acquire's outbound webhooks: version 2.0.0
// of its developer documentation, and the older CHAT_ON_* ones, here version 1.
//
// Verified in Acquire's documentation: the envelope {event, data}, the data of
// case:status with a sample, the filters pending, active, queue and closed, the
// strings case:message:new, user:case-invite and user:case-joined, the header
// x-acquire-signature, and version 1 with its samples.
//
// Not documented, and therefore settings or read with tolerance: the strings of
// "Case new" and "Agent Status Change" (AcquireOptions; case:new and
// user:status by default), the data of these two and of case:message:new,
// user:case-invite and user:case-joined (the likely names are tried; what names
// no conversation or no agent is kept as unknown), the retries of version 2,
// and what status a refusal should have (401 here). That pending means that no
// agent has the chat yet is inferred from CHAT_ON_START, which carries it.
//
// case:status carries the transcript so far. Each of its messages is an event
// of its own with the platform's id, so that the same message in a later
// webhook is a duplicate. Of a transcript longer than [MaxTranscript] the
// newest become events; a note tells how many were left in the raw text. The
// webhook has no time of its own: a change of status counts as of the newest
// message it carries, so that one which arrives late takes back nothing newer.
//
// Acquire numbers contacts and users (agents) apart, so that a contact and an
// agent may have the same number. A contact's id is written contact-5 here, a
// version 1 visitor's visitor-5, an agent's as it is (agent-5 of version 1 is 5).
//
// The signature is over the raw body, or over the body as JSON.stringify writes
// it: Acquire's own example signs that. What it covers for XML and form bodies
// is not documented; these are recorded as unknown events of the account, and
// the answer says so. Where the source has secrets, their signature must be
// over the raw body. Version 1 knows no signature, so that its webhooks are
// accepted only where the source has no secrets.
package acquire

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Name is the dialect's word in the configuration.
const Name = "acquire"

// MaxTranscript is how many messages of one webhook become events. It stays
// below the number of ids that a conversation remembers, since the transcript
// comes again with each change.
const MaxTranscript = 500

// Names of events. The first four are documented, the next two are the
// defaults of settings, the rest is version 1.
const (
	eventStatus  = "case:status"
	eventMessage = "case:message:new"
	eventInvite  = "user:case-invite"
	eventJoined  = "user:case-joined"

	defaultCaseNew     = "case:new"
	defaultAgentStatus = "user:status"

	legacyPrefix  = "CHAT_"
	legacyStart   = "CHAT_ON_START"
	legacyAccept  = "CHAT_ON_ACCEPT"
	legacyMessage = "CHAT_ON_MESSAGE"
	legacyClose   = "CHAT_ON_CLOSE"
)

// Versions as Platform.Version names them.
const (
	versionCurrent = "2.0.0"
	versionLegacy  = "1"
)

// Statuses of a case.
const (
	statusPending = "pending"
	statusActive  = "active"
	statusQueue   = "queue"
	statusClosed  = "closed"
)

// Dialect speaks Acquire's webhooks.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// Name returns "acquire".
func (Dialect) Name() string { return Name }

// Events says what each of Acquire's events becomes, those of case:status by
// their status. Events whose name is a setting stand under its default.
func Events() map[string]signals.Type {
	return map[string]signals.Type{
		eventStatus + " " + statusPending: signals.ConversationStatusChanged,
		eventStatus + " " + statusActive:  signals.ConversationStatusChanged,
		eventStatus + " " + statusQueue:   signals.ConversationStatusChanged,
		eventStatus + " " + statusClosed:  signals.ConversationClosed,
		defaultAgentStatus:                signals.AgentStatusChanged,
		defaultCaseNew:                    signals.ConversationOpened,
		eventMessage:                      signals.MessageReceived,
		eventInvite:                       signals.AgentInvited,
		eventJoined:                       signals.ParticipantJoined,
		legacyStart:                       signals.ConversationOpened,
		legacyAccept:                      signals.AgentAccepted,
		legacyMessage:                     signals.MessageReceived,
		legacyClose:                       signals.ConversationClosed,
	}
}

// Answer is 200, after which Acquire does not repeat; the body, which it
// ignores, says so where the webhook's format was only recorded.
func (Dialect) Answer(req dialect.Request, _ dialect.Source, out dialect.Outcome) dialect.Response {
	answer := dialect.Accepted(out)

	format := foreignFormat(req)
	if format == "" || out.Err != nil {
		return answer
	}

	body, err := json.Marshal(struct {
		Accepted   int    `json:"accepted"`
		Duplicates int    `json:"duplicates"`
		Notice     string `json:"notice"`
	}{
		out.Accepted, out.Duplicates,
		"the body is " + format + ", which is recorded but not understood: set the webhook's format to application/json",
	})
	if err == nil { // numbers and plain text always marshal
		answer.Body = body
	}

	return answer
}

// Refuse answers a missing or wrong signature with 401, and the others as usual.
func (Dialect) Refuse(_ dialect.Request, err error) dialect.Response {
	switch {
	case errors.Is(err, errLegacy):
		return dialect.Problem(http.StatusUnauthorized, dialect.ProblemUnauthorized, errLegacy.Error(), "event")
	case errors.Is(err, dialect.ErrNotSigned):
		return dialect.Problem(http.StatusUnauthorized, dialect.ProblemUnauthorized, "no "+signatureHeader+" header", "")
	default:
		return dialect.Refusal(err, http.StatusUnauthorized)
	}
}
