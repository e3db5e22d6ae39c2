package dialect

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/parleyhq/parley/signals"
)

// RetryAfterSeconds is what a temporary failure asks a platform to wait.
const RetryAfterSeconds = 5

// ProblemPrefix begins the type of every problem document; what follows it is
// stable and one word per cause.
const ProblemPrefix = "urn:parley:problem:"

// The causes of a refusal, as the type of its problem document tells them.
const (
	ProblemMalformed    = "malformed-body"
	ProblemInvalidField = "invalid-field"
	ProblemUnauthorized = "unauthorized"
	ProblemUnavailable  = "unavailable"
)

// problem is an RFC 9457 document with the field at fault.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"`
}

// Problem makes an RFC 9457 answer; field may be empty.
func Problem(status int, cause, detail, field string) Response {
	body, err := json.Marshal(problem{
		Type: ProblemPrefix + cause, Title: http.StatusText(status), Status: status, Detail: detail, Field: field,
	})
	if err != nil { // plain strings and a number always marshal
		body = nil
	}

	return Response{Status: status, Header: header("application/problem+json"), Body: body}
}

// Refusal maps the errors of verifying and decoding to their usual answers;
// wrongSecret is the status that the platform expects for [ErrUnauthorized].
func Refusal(err error, wrongSecret int) Response {
	var field *signals.FieldError

	switch {
	case errors.As(err, &field):
		return Problem(http.StatusUnprocessableEntity, ProblemInvalidField, field.Error(), field.Field)
	case errors.Is(err, ErrMalformed):
		return Problem(http.StatusBadRequest, ProblemMalformed, err.Error(), "")
	case errors.Is(err, ErrNotSigned):
		answer := Problem(http.StatusUnauthorized, ProblemUnauthorized, ErrNotSigned.Error(), "")
		answer.Header.Set("WWW-Authenticate", "Bearer")

		return answer
	case errors.Is(err, ErrUnauthorized):
		return Problem(wrongSecret, ProblemUnauthorized, ErrUnauthorized.Error(), "")
	default:
		return Unavailable()
	}
}

// Unavailable is the answer to a failure that a repeat may cure. It says
// nothing about the cause, which is not the sender's business.
func Unavailable() Response {
	answer := Problem(http.StatusServiceUnavailable, ProblemUnavailable, "not accepted for now, send it again", "")
	answer.Header.Set("Retry-After", strconv.Itoa(RetryAfterSeconds))

	return answer
}

// Accepted is the usual answer: 200 and what became of the events.
func Accepted(out Outcome) Response {
	if out.Err != nil {
		return Unavailable()
	}

	conversations := out.Conversations
	if conversations == nil {
		conversations = []string{}
	}

	body, err := json.Marshal(struct {
		Accepted      int      `json:"accepted"`
		Duplicates    int      `json:"duplicates"`
		Conversations []string `json:"conversations"`
	}{out.Accepted, out.Duplicates, conversations})
	if err != nil { // numbers and plain strings always marshal
		return Unavailable()
	}

	return Response{Status: http.StatusOK, Header: header("application/json"), Body: body}
}

func header(contentType string) http.Header {
	return http.Header{"Content-Type": {contentType}}
}
