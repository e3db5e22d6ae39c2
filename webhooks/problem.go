package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// problemType is the media type of RFC 9457, section 3.
const problemType = "application/problem+json"

// The kinds of problem; each type URI stays as it is, since programs compare it.
const (
	slugBadRequest   = "bad-request"
	slugMalformed    = dialect.ProblemMalformed
	slugInvalid      = dialect.ProblemInvalidField
	slugUnauthorized = dialect.ProblemUnauthorized
	slugForbidden    = "forbidden"
	slugBadHost      = "host-not-allowed"
	slugBadOrigin    = "origin-not-allowed"
	slugNotFound     = "not-found"
	slugBadMethod    = "method-not-allowed"
	slugRefused      = "refused"
	slugTooLarge     = "too-large"
	slugHeaders      = "headers-too-large"
	slugEncoding     = "encoding-not-supported"
	slugUnavailable  = dialect.ProblemUnavailable
	slugInternal     = "internal"
	slugHTTP         = "http"
)

// problem is an RFC 9457 document and the error that carries it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Field is the JSON path or parameter at fault.
	Field string `json:"field,omitempty"`
}

func (p *problem) Error() string {
	if p.Field != "" {
		return p.Title + ": " + p.Field + ": " + p.Detail
	}

	return p.Title + ": " + p.Detail
}

func newProblem(status int, slug, detail string) *problem {
	return &problem{Type: dialect.ProblemPrefix + slug, Title: http.StatusText(status), Status: status, Detail: detail}
}

func badRequest(detail string) *problem {
	return newProblem(http.StatusBadRequest, slugBadRequest, detail)
}

func malformed(detail string) *problem {
	return newProblem(http.StatusBadRequest, slugMalformed, detail)
}

func invalid(field, reason string) *problem {
	p := newProblem(http.StatusUnprocessableEntity, slugInvalid, reason)
	p.Field = field

	return p
}

func notFound(detail string) *problem {
	return newProblem(http.StatusNotFound, slugNotFound, detail)
}

func refused(reason string) *problem {
	return newProblem(http.StatusConflict, slugRefused, reason)
}

func unavailable(detail string) *problem {
	return newProblem(http.StatusServiceUnavailable, slugUnavailable, detail)
}

// problemOf turns any error into the document that its caller may see:
// nothing of an unexpected one.
func problemOf(err error) *problem {
	var (
		known *problem
		field *signals.FieldError
		http5 *fiber.Error
	)

	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &field):
		return invalid(field.Field, field.Reason)
	case errors.As(err, &http5):
		return problemOfStatus(http5.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("this took too long; it can be sent again")
	default:
		return newProblem(http.StatusInternalServerError, slugInternal, "the log says more")
	}
}

// problemOfStatus is for what fiber and fasthttp find wrong themselves.
func problemOfStatus(status int) *problem {
	switch status {
	case http.StatusNotFound:
		return notFound("nothing lives at this path")
	case http.StatusMethodNotAllowed:
		return newProblem(status, slugBadMethod, "this path does not take this method")
	case http.StatusRequestEntityTooLarge:
		return newProblem(status, slugTooLarge, "a body may hold "+strconv.Itoa(maxBody)+" bytes")
	case http.StatusRequestHeaderFieldsTooLarge:
		return newProblem(status, slugHeaders, "the request line and headers may hold "+strconv.Itoa(maxHeader)+" bytes")
	case http.StatusBadRequest:
		return badRequest("this is no HTTP request")
	default:
		return newProblem(status, slugHTTP, "")
	}
}

// write answers with the document.
func (p *problem) write(c *fiber.Ctx) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err //nolint:wrapcheck // strings and an int always marshal
	}

	switch p.Status {
	case http.StatusServiceUnavailable:
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(dialect.RetryAfterSeconds))
	case http.StatusUnauthorized:
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="parley"`)
	}

	c.Set(fiber.HeaderContentType, problemType)

	return c.Status(p.Status).Send(body)
}
