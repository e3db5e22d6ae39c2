package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// Bounds of one request.
const (
	// TotalTimeout bounds it from the dial to the last byte of the answer.
	TotalTimeout = 10 * time.Second
	// connectTimeout bounds the dial and, apart from it, the TLS handshake.
	connectTimeout = 5 * time.Second
	// answerTimeout is how long a receiver may think; custom webhooks are
	// promised five seconds.
	answerTimeout = 5 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes, unless the request
	// says otherwise; so much again may its headers be.
	maxAnswer = 64 << 10
	// maxReason bounds an error's text, in bytes.
	maxReason = 300
	idleTime  = 30 * time.Second
	maxIdle   = 64
	perHost   = 8
	userAgent = "Parley"
)

// Request is one POST.
type Request struct {
	URL    string
	Header http.Header
	Body   []byte
	// MaxAnswer bounds what is read of the answer, in bytes; 0 is 64 KiB.
	MaxAnswer int
}

// Response is what came back.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Cut says that Body is not the whole answer: it was too large, or broke off.
	Cut  bool
	Took time.Duration
}

// Client makes outbound requests. It follows no redirects, knows no proxies,
// keeps no cookies and unpacks nothing.
type Client struct {
	http *http.Client
}

// NewClient returns a client that reaches the internet and what cfg allows
// beyond it.
func NewClient(cfg Config) *Client {
	return newClient(cfg, nil)
}

// newClient takes the certificate authorities, for tests; nil means the system's.
func newClient(cfg Config, trust *tls.Config) *Client {
	dialer := &net.Dialer{Timeout: connectTimeout, ControlContext: guard{allow: cfg.Allow}.control}

	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if trust != nil {
		secure.RootCAs = trust.RootCAs
	}

	transport := &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  answerTimeout,
		MaxResponseHeaderBytes: maxAnswer,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdle,
		MaxConnsPerHost:        perHost,
		IdleConnTimeout:        idleTime,
	}

	return &Client{http: &http.Client{
		Transport: transport,
		Timeout:   TotalTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Post sends request and reads the answer. Its errors are of type [*Failure].
func (c *Client) Post(ctx context.Context, request *Request) (*Response, error) {
	target, err := ParseURL(request.URL)
	if err != nil {
		return nil, Permanent(err.Error())
	}

	outgoing, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(request.Body))
	if err != nil {
		return nil, Permanent("the request could not be made")
	}

	outgoing.Header = request.Header.Clone()
	if outgoing.Header == nil {
		outgoing.Header = http.Header{}
	}

	outgoing.Header.Set("User-Agent", userAgent)

	begun := time.Now()

	answer, err := c.http.Do(outgoing)
	if err != nil {
		return nil, failureOf(err, target)
	}
	defer answer.Body.Close()

	limit := maxAnswer
	if request.MaxAnswer > 0 {
		limit = request.MaxAnswer
	}

	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(limit)+1))
	response := &Response{Status: answer.StatusCode, Header: answer.Header, Body: body, Took: time.Since(begun)}

	// The status has come: what the receiver did is decided, whatever becomes
	// of the rest.
	if err != nil || len(body) > limit {
		response.Body, response.Cut = body[:min(len(body), limit)], true
	}

	return response, nil
}

// ParseURL reads an absolute http or https URL. Its error holds nothing of it,
// since many a URL is a secret.
func ParseURL(raw string) (*url.URL, error) {
	target, err := url.Parse(raw)

	switch {
	case err != nil:
		return nil, ErrBadURL
	case target.Scheme != "http" && target.Scheme != "https":
		return nil, fmt.Errorf("%w: the scheme is neither http nor https", ErrBadURL)
	case target.Hostname() == "":
		return nil, fmt.Errorf("%w: it names no host", ErrBadURL)
	default:
		return target, nil
	}
}

// ErrBadURL says that a configured URL cannot be used.
var ErrBadURL = errors.New("the url is not valid")

// failureOf turns an error of net/http, which shows the whole URL, into one
// that shows the host.
func failureOf(err error, target *url.URL) *Failure {
	var (
		wrapped *url.Error
		timeout net.Error
	)

	cause := err
	if errors.As(err, &wrapped) {
		cause = wrapped.Err
	}

	text := cause.Error()

	switch {
	case errors.Is(err, ErrForbiddenAddress):
	case errors.As(err, &timeout) && timeout.Timeout():
		text = "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "the receiver hung up"
	}

	return &Failure{Reason: target.Host + ": " + mask(text, target), cause: err}
}

// mask cuts a URL's secret parts out of a text, should it repeat them.
func mask(text string, target *url.URL) string {
	secrets := []string{target.RequestURI(), target.EscapedPath(), target.Path, target.RawQuery}
	if target.User != nil {
		password, _ := target.User.Password()
		secrets = append(secrets, target.User.String(), password)
	}

	for _, secret := range secrets {
		if len(secret) > 1 {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}

	return signals.Cut(text, maxReason)
}
