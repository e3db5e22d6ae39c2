package pypestream

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// What an escalation is answered: an agent has it, or it waits for one.
const (
	statusAccepted = "accepted"
	statusQueued   = "queued"
)

// within is how long an answer may take. The platform's own patience is not
// documented.
const within = 2 * time.Second

// availability answers agents/availability.
type availability struct {
	Available         bool   `json:"available"`
	EstimatedWaitTime int64  `json:"estimatedWaitTime"`
	HoursOfOperation  bool   `json:"hoursOfOperation"`
	QueueDepth        int64  `json:"queueDepth"`
	Status            string `json:"status"`
}

// waitTime answers agents/waitTime. The platform's schema (WaitTime in its
// openapi-private-types.ts) requires the figure and knows none for nobody: that
// is agents/availability's to tell.
type waitTime struct {
	EstimatedWaitTime int64 `json:"estimatedWaitTime"`
}

// escalated answers an escalation. What is not known is left out.
type escalated struct {
	EscalationID      string `json:"escalationId"`
	AgentID           string `json:"agentId,omitempty"`
	EstimatedWaitTime *int64 `json:"estimatedWaitTime,omitempty"`
	QueuePosition     *int64 `json:"queuePosition,omitempty"`
	Status            string `json:"status"`
}

// failure is Pypestream's own body of an error.
type failure struct {
	Message string  `json:"message"`
	Errors  []fault `json:"errors,omitempty"`
}

type fault struct {
	Source  string `json:"source"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

// The words of a fault's type; the platform's are not documented.
const (
	faultMalformed    = "malformed"
	faultInvalid      = "invalid"
	faultUnauthorized = "unauthorized"
)

// EscalationID returns the id of a conversation's escalation in one session: a
// UUID of version 8, the same whoever asks and however often. Sessions count
// from 1; one that is not known yet, 0, is the first. Reopened is the newest
// close of the session that was lifted, zero for none: what follows an end has
// an id of its own, though it may be the same session.
func EscalationID(key signals.Key, session int, reopened time.Time) string {
	name := key.WorkflowID() + "\x00" + strconv.Itoa(max(session, 1))
	if !reopened.IsZero() {
		name += "\x00" + strconv.FormatInt(reopened.UnixNano(), 10)
	}

	sum := sha256.Sum256([]byte(name))

	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8: made by our own rule
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562

	return id.String()
}

// Asks says that the answers to a question and to an escalation depend on the
// desk.
func (Dialect) Asks(_ dialect.Request, events []signals.Event) (dialect.Ask, bool) {
	if len(events) != 1 {
		return dialect.Ask{}, false
	}

	switch event := &events[0]; {
	case event.Type == signals.AvailabilityRequested && event.Availability != nil:
		return dialect.Ask{Question: dialect.AskAvailability, Skill: event.Availability.Skill, Within: within}, true
	case event.Type == signals.EscalationRequested && event.Escalation != nil:
		return dialect.Ask{
			Question: dialect.AskPosition, Conversation: event.Conversation, Skill: event.Escalation.Skill, Within: within,
		}, true
	default:
		return dialect.Ask{}, false
	}
}

// Answer is what the contract says of the call: 200 with figures for a
// question, 201 with its id for an escalation, and 204 for the rest, unknown
// paths included.
func (Dialect) Answer(req dialect.Request, src dialect.Source, out dialect.Outcome) dialect.Response {
	if out.Err != nil {
		return unavailable()
	}

	options := src.Options.Pypestream

	switch c := callOf(req); c.path {
	case pathAvailability:
		return answer(http.StatusOK, availabilityOf(options, out.Found.Availability))
	case pathWaitTime:
		return answer(http.StatusOK, waitTime{availabilityOf(options, out.Found.Availability).EstimatedWaitTime})
	case pathEscalate:
		return answer(http.StatusCreated, escalatedOf(signals.Key{Source: src.Name, Conversation: c.conversation}, options, &out.Found))
	default:
		return dialect.Response{Status: http.StatusNoContent}
	}
}

// escalatedOf tells who has the conversation, or where it waits.
func escalatedOf(key signals.Key, options dialect.PypestreamOptions, found *dialect.Found) escalated {
	id := EscalationID(key, found.Session, found.ReopenedAt)
	if found.Agent != "" {
		return escalated{
			EscalationID: id, AgentID: found.Agent, EstimatedWaitTime: new(int64), QueuePosition: new(int64), Status: statusAccepted,
		}
	}

	out := escalated{EscalationID: id, EstimatedWaitTime: found.WaitSeconds, Status: statusQueued}
	if position := int64(found.Position); position > 0 {
		out.QueuePosition = &position
	}

	if wait := int64(options.WaitSeconds); out.EstimatedWaitTime == nil && wait > 0 {
		out.EstimatedWaitTime = &wait
	}

	return out
}

// availabilityOf tells what the desk says, and of what it does not know, or
// without one, what the source's options do: nobody can be reached out of hours,
// and within them who is not available is busy.
func availabilityOf(options dialect.PypestreamOptions, said *signals.Availability) availability {
	out := availability{
		Available: !options.Unavailable && !options.Closed, HoursOfOperation: !options.Closed,
		EstimatedWaitTime: int64(max(options.WaitSeconds, 0)), QueueDepth: int64(max(options.QueueDepth, 0)),
	}

	switch {
	case out.Available:
		out.Status = statusOnline
	case options.Closed:
		out.Status = statusOffline
	default:
		out.Status = statusBusy
	}

	if said == nil {
		return out
	}

	override(&out.Available, said.Available)
	override(&out.HoursOfOperation, said.Open)
	override(&out.EstimatedWaitTime, said.WaitSeconds)
	override(&out.QueueDepth, said.QueueDepth)

	if said.Status != "" {
		out.Status = said.Status
	}

	return out
}

func override[T any](value, by *T) {
	if by != nil {
		*value = *by
	}
}

// Refuse is an error in the platform's own form: 400 for what was sent, 401
// for who sent it, and 503 for what a repeat may cure.
func (Dialect) Refuse(_ dialect.Request, err error) dialect.Response {
	var field *signals.FieldError

	switch {
	case errors.As(err, &field):
		return refusal(http.StatusBadRequest, fault{Source: field.Field, Type: faultInvalid, Message: field.Error()})
	case errors.Is(err, dialect.ErrMalformed):
		return refusal(http.StatusBadRequest, fault{Source: "body", Type: faultMalformed, Message: err.Error()})
	case errors.Is(err, dialect.ErrNotSigned), errors.Is(err, dialect.ErrUnauthorized):
		return unauthorized(err)
	default:
		return unavailable()
	}
}

func unauthorized(err error) dialect.Response {
	reason := dialect.ErrUnauthorized
	if errors.Is(err, dialect.ErrNotSigned) {
		reason = dialect.ErrNotSigned
	}

	out := refusal(http.StatusUnauthorized, fault{Source: "header", Type: faultUnauthorized, Message: reason.Error()})
	out.Header.Set("WWW-Authenticate", "Bearer")

	return out
}

func refusal(status int, at fault) dialect.Response {
	return answer(status, failure{Message: http.StatusText(status), Errors: []fault{at}})
}

func unavailable() dialect.Response {
	out := answer(http.StatusServiceUnavailable, failure{Message: "not accepted for now, send it again"})
	out.Header.Set("Retry-After", strconv.Itoa(dialect.RetryAfterSeconds))

	return out
}

func answer(status int, body any) dialect.Response {
	raw, err := json.Marshal(body)
	if err != nil { // plain strings, numbers and truths always marshal
		return dialect.Response{Status: http.StatusInternalServerError}
	}

	return dialect.Response{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: raw}
}
