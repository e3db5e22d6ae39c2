// Package dialect holds what every platform's dialect is made of: the
// interface, what goes in and out of it, its errors and its usual answers.
package dialect

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Errors of a dialect. A bad field is a [signals.FieldError] instead.
var (
	// ErrUnauthorized says that a webhook carries a wrong secret or signature.
	ErrUnauthorized = errors.New("wrong secret or signature")
	// ErrNotSigned says that a webhook carries no credential where the source
	// wants one.
	ErrNotSigned = errors.New("no credential")
	// ErrMalformed says that a body is not of the dialect's syntax.
	ErrMalformed = errors.New("malformed body")
	// ErrNotEncodable says that the platform has no word for an event.
	ErrNotEncodable = errors.New("the dialect has no word for this event")
)

// Source is what a dialect needs to know about a connected account.
type Source struct {
	Name string
	// Secrets are the ones that may come, for rotation; none means that
	// webhooks are not verified.
	Secrets []string
	// Zone is that of dates without one.
	Zone *time.Location
	// RetryWindow is how long the platform repeats a webhook.
	RetryWindow time.Duration
	// Agents and Bots are ids whose role the source knows.
	Agents []string
	Bots   []string
	// Groups maps the platform's group ids to desks.
	Groups map[string]string
	// Options are what a platform's documentation leaves open.
	Options Options
}

// Request is one webhook as it came.
type Request struct {
	Method string
	// Path is what follows /webhooks/{source}, unescaped: empty, or as
	// /incoming_event.
	Path string
	// RawPath is the same as it came, where Path cannot tell it: an id in it may
	// have an escaped slash. Otherwise it may be empty, as in [url.URL].
	RawPath    string
	Query      url.Values
	Header     http.Header
	Body       []byte
	ReceivedAt time.Time
}

// EscapedPath returns the path as a URL writes it.
func (r *Request) EscapedPath() string {
	return (&url.URL{Path: r.Path, RawPath: r.RawPath}).EscapedPath()
}

// Response is what goes back to the platform. A nil Body is an empty one.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Outcome is what became of a webhook's events.
type Outcome struct {
	Accepted   int
	Duplicates int
	// Found is what was found out where the dialect [Asker.Asks].
	Found Found
	// Conversations are the API's paths of the conversations concerned.
	Conversations []string
	// Err is a failure that a repeat may cure; nothing is promised then.
	Err error
}

// Dialect is one platform's wire format. It is pure translation and safe for
// use by many goroutines.
type Dialect interface {
	// Name is the word that names the dialect in the configuration.
	Name() string
	// Verify checks who sent req: nil, [ErrUnauthorized], [ErrNotSigned], or
	// [ErrMalformed] where the secret cannot be looked for. A source without
	// secrets accepts everybody.
	Verify(req Request, src Source) error
	// Decode returns all events of req or none. Errors are a
	// *[signals.FieldError] or wrap [ErrMalformed]. Events without a
	// conversation belong to the account. Secrets are cut out of Raw.
	Decode(req Request, src Source) ([]signals.Event, error)
	// Answer is the platform's answer to a webhook whose events were handed on.
	Answer(req Request, src Source, out Outcome) Response
	// Refuse is the platform's answer to what Verify or Decode returned, or to
	// a failure that a repeat may cure.
	Refuse(req Request, err error) Response
	// Encode writes one event as the platform itself would have sent it,
	// without secrets; [ErrNotEncodable] where it has no word for it.
	Encode(event signals.Event) ([]byte, error)
}
