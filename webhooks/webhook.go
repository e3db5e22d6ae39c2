package webhooks

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// maxReason bounds the text of a source's last error, in bytes.
const maxReason = 300

// webhook takes one webhook of a source: verify, decode, hand on, answer.
func (s *Server) webhook(c *fiber.Ctx) error {
	source, err := s.sourceOf(c)
	if err != nil {
		return err
	}

	req, err := s.requestOf(c)
	if err != nil {
		s.count(source, err)

		return err
	}

	source = s.pinned(source)

	if done, err := s.handshake(c, source, req); done {
		return err
	}

	events, err := s.read(c, source, req)
	if err != nil {
		s.log.Warn("webhook refused", slog.String("source", source.Name), slog.String("path", pathOf(c)),
			slog.Any("error", err))
		s.count(source, err)

		return send(c, source.Dialect.Refuse(req, err))
	}

	asked := s.question(source, req, events)
	defer asked.end()

	out := s.accept(source, events, req.ReceivedAt)
	s.findOut(asked, source, req, events, &out)
	s.deps.Ledger.CountAccepted(source.Name, out.Accepted, out.Duplicates)
	s.metrics.accepted(source.Name, out.Accepted, out.Duplicates)

	if out.Err != nil {
		s.count(source, out.Err)

		return sendRefusal(c, source.Dialect.Refuse(req, out.Err))
	}

	s.metrics.acknowledged(source.Name, s.now().Sub(req.ReceivedAt))

	return send(c, source.Dialect.Answer(req, source.Source, out))
}

// read verifies and decodes. A source without secrets is for trying things
// out on one machine, whatever the edge listens on.
func (s *Server) read(c *fiber.Ctx, source *Source, req dialect.Request) ([]signals.Event, error) {
	if len(source.Secrets) == 0 && !fromLoopback(c) {
		s.log.Warn("a source without secrets takes webhooks from this machine only: set its secrets",
			slog.String("source", source.Name), slog.String("remote", c.Context().RemoteAddr().String()))

		return nil, dialect.ErrNotSigned
	}

	if err := source.Dialect.Verify(req, source.Source); err != nil {
		return nil, err
	}

	return source.Dialect.Decode(req, source.Source)
}

// requestOf copies the request out of fiber's buffers, which the next request
// reuses; ReceivedAt is now, the only time it is set.
func (s *Server) requestOf(c *fiber.Ctx) (dialect.Request, error) {
	body, err := bodyOf(c)
	if err != nil {
		return dialect.Request{}, err
	}

	query, err := queryOf(c)
	if err != nil {
		return dialect.Request{}, err
	}

	req := dialect.Request{
		Method: strings.Clone(c.Method()), Query: query, Header: make(http.Header), Body: body, ReceivedAt: s.now().UTC(),
	}

	rest, err := pathParam(c, "+1")
	if err != nil {
		return dialect.Request{}, err
	}

	if rest != "" {
		req.Path = "/" + rest
	}

	if raw := c.Params("+1"); raw != rest {
		req.RawPath = "/" + strings.Clone(raw)
	}

	c.Request().Header.VisitAll(func(name, value []byte) { req.Header.Add(string(name), string(value)) })

	return req, nil
}

// bodyOf returns a copy of the body as it came: signatures are over its bytes.
func bodyOf(c *fiber.Ctx) ([]byte, error) {
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, newProblem(http.StatusUnsupportedMediaType, slugEncoding, "send the body without a content encoding")
	}

	body := bytes.Clone(c.Request().Body())
	if err := dialect.CheckDepth(body); err != nil {
		return nil, badRequest("the body nests too deep")
	}

	return body, nil
}

func queryOf(c *fiber.Ctx) (url.Values, error) {
	query, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return nil, badRequest("the query is not encoded properly")
	}

	return query, nil
}

// count notes a refusal with its reason, which never holds a secret: the
// errors of verification are fixed texts.
func (s *Server) count(source *Source, err error) {
	s.deps.Ledger.CountRefused(source.Name, signals.Cut(err.Error(), maxReason))
	s.metrics.refused(source.Name)
}

// send answers as the dialect wants.
func send(c *fiber.Ctx, response dialect.Response) error {
	for name, values := range response.Header {
		for _, value := range values {
			c.Response().Header.Add(name, value)
		}
	}

	return c.Status(response.Status).Send(response.Body)
}

// sendRefusal sees to it that a platform that will come back knows when.
func sendRefusal(c *fiber.Ctx, response dialect.Response) error {
	if response.Status == http.StatusServiceUnavailable && response.Header.Get(fiber.HeaderRetryAfter) == "" {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(dialect.RetryAfterSeconds))
	}

	return send(c, response)
}
