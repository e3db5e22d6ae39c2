package pypestream

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// statusQueued is what an escalation gets until an agent accepts.
const statusQueued = "queued"

// availability answers agents/availability.
type availability struct {
	Available         bool   `json:"available"`
	EstimatedWaitTime int    `json:"estimatedWaitTime"`
	HoursOfOperation  bool   `json:"hoursOfOperation"`
	QueueDepth        int    `json:"queueDepth"`
	Status            string `json:"status"`
}

// waitTime answers agents/waitTime.
type waitTime struct {
	EstimatedWaitTime int `json:"estimatedWaitTime"`
}

// escalated answers an escalation. What is not known is left out.
type escalated struct {
	EscalationID      string `json:"escalationId"`
	EstimatedWaitTime int    `json:"estimatedWaitTime,omitempty"`
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
// from 1; one that is not known yet, 0, is the first.
func EscalationID(key signals.Key, session int) string {
	sum := sha256.Sum256([]byte(key.WorkflowID() + "\x00" + strconv.Itoa(max(session, 1))))

	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8: made by our own rule
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562

	return id.String()
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
		return answer(http.StatusOK, availabilityOf(options))
	case pathWaitTime:
		return answer(http.StatusOK, waitTime{EstimatedWaitTime: max(options.WaitSeconds, 0)})
	case pathEscalate:
		return answer(http.StatusCreated, escalated{
			EscalationID:      EscalationID(signals.Key{Source: src.Name, Conversation: c.conversation}, out.Session),
			EstimatedWaitTime: max(options.WaitSeconds, 0), Status: statusQueued,
		})
	default:
		return dialect.Response{Status: http.StatusNoContent}
	}
}

// availabilityOf speaks for the agents until a desk does: nobody can be reached
// out of hours, and within them who is not available is busy.
func availabilityOf(options dialect.PypestreamOptions) availability {
	out := availability{
		Available: !options.Unavailable && !options.Closed, HoursOfOperation: !options.Closed,
		EstimatedWaitTime: max(options.WaitSeconds, 0), QueueDepth: max(options.QueueDepth, 0),
	}

	switch {
	case out.Available:
		out.Status = statusOnline
	case options.Closed:
		out.Status = statusOffline
	default:
		out.Status = statusBusy
	}

	return out
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

// TellsSession says that an escalation's answer names its session: the id is the
// same for every repeat within one, and another in the next.
func (Dialect) TellsSession(req dialect.Request) bool { return callOf(req).path == pathEscalate }
