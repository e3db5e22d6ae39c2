package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uber-go/tally/v4"
	"github.com/valyala/fasthttp"

	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/answers"
	"github.com/parleyhq/parley/webhooks/desks"
	"github.com/parleyhq/parley/webhooks/sparing"
)

// Bounds of one request.
const (
	// maxBody is the largest body that is read, in bytes.
	maxBody = 1 << 20
	// maxHeader bounds the request line and headers, in bytes.
	maxHeader    = 16 << 10
	readTimeout  = 10 * time.Second
	writeTimeout = 15 * time.Second
	idleTimeout  = 60 * time.Second
	// maxConns bounds the connections served at once; the next one gets 503.
	maxConns = 16 << 10
)

// Deps is what the edge works with; every field without "may be nil" is needed.
type Deps struct {
	Sources []Source
	// Own is Parley's own dialect, in which POST …/events is written whatever
	// the source's dialect is.
	Own      dialect.Dialect
	Acceptor Acceptor
	Archive  Archive
	Accounts AccountLog
	Ledger   SourceLedger
	Inbox    InboxCounts
	Sessions SessionStore
	// Desks are the desks that are configured; may be nil for none.
	Desks *desks.Board
	// Secrets keeps what platforms introduce themselves with; may be nil, and
	// then none can.
	Secrets  SecretStore
	Temporal Temporal
	Database Database
	// Metrics serves /metrics; may be nil.
	Metrics http.Handler
	// Scope takes the edge's own metrics; may be nil.
	Scope tally.Scope
	Log   *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Version of Parley, for the API's description.
	Version string
}

// Server is the HTTP edge.
type Server struct {
	config    Config
	deps      Deps
	log       *slog.Logger
	now       func() time.Time
	sources   map[string]*Source
	names     []string
	hosts     hostSet
	keys      *keyRing
	coalescer *coalescer
	turns     *turns
	refusals  sparing.Gate
	pins      pins
	metrics   *metrics
	finder    *answers.Finder
	app       *fiber.App
	// work is the context of everything accepted; it outlives the requests
	// and ends only after a graceful stop ran out of time.
	work   context.Context //nolint:containedctx // see above
	cancel context.CancelFunc

	mu       sync.Mutex
	listener *listener
}

// New builds the edge without listening yet. Its errors are about settings
// and say in one line what to change.
func New(config Config, deps Deps) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}

	server := &Server{config: config, deps: deps, log: deps.Log, now: deps.Now, coalescer: newCoalescer(coalesceCapacity), turns: newTurns()}

	if err := server.settle(); err != nil {
		return nil, err
	}

	server.work, server.cancel = context.WithCancel(context.Background())
	server.finder = server.newFinder()

	if err := server.build(); err != nil {
		return nil, err
	}

	return server, nil
}

// settle derives what follows from config and deps.
func (s *Server) settle() error {
	if s.now == nil {
		s.now = time.Now
	}

	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}

	var err error

	if s.hosts, err = newHostSet(s.config.AllowedHosts); err != nil {
		return err
	}

	if s.keys, err = newKeyRing(s.config.APIKeys); err != nil {
		return err
	}

	s.sources = make(map[string]*Source, len(s.deps.Sources))

	for i := range s.deps.Sources {
		source := &s.deps.Sources[i]
		if _, twice := s.sources[source.Name]; twice {
			return fmt.Errorf("source %q %w: there are two of this name", source.Name, ErrConfig)
		}

		s.sources[source.Name] = source
		s.names = append(s.names, source.Name)
	}

	if err := s.loadPins(); err != nil {
		return err
	}

	s.warnOpen()

	s.metrics = newMetrics(s.deps.Scope)

	return nil
}

// warnOpen says at start what would otherwise only show as refusals.
func (s *Server) warnOpen() {
	if local, err := s.config.loopback(); err != nil || local {
		return
	}

	var open []string

	for _, name := range s.names {
		if len(s.sources[name].Secrets) == 0 {
			open = append(open, name)
		}
	}

	if len(open) > 0 {
		s.log.Warn("sources without secrets take webhooks from this machine only: set their secrets",
			slog.String("sources", strings.Join(open, " ")))
	}
}

func (s *Server) build() error {
	s.app = fiber.New(fiber.Config{
		AppName:                      "parley",
		BodyLimit:                    maxBody,
		CaseSensitive:                true,
		StrictRouting:                true,
		Concurrency:                  maxConns,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true, // dialects verify the bytes as they came
		ErrorHandler:                 s.fail,
		IdleTimeout:                  idleTimeout,
		Immutable:                    true,
		JSONDecoder:                  json.Unmarshal,
		JSONEncoder:                  encodeLine,
		ReadBufferSize:               maxHeader,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
	})
	s.app.Server().CloseOnShutdown = true
	s.app.Server().Handler = s.knownMethods(s.app.Server().Handler)

	s.app.Use(s.observe, s.protect, secureHeaders, s.guard)

	routes, err := s.routes()
	if err != nil {
		return err
	}

	for _, r := range routes {
		handlers := []fiber.Handler{r.handle}
		if r.scope != "" {
			handlers = []fiber.Handler{s.need(r.scope), r.handle}
		}

		s.app.Add(r.method, r.path, handlers...)
	}

	return nil
}

// knownMethods answers methods that nobody has heard of, for which fiber would
// run neither the guard nor the error handler.
func (s *Server) knownMethods(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(request *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(request.Method())) {
			next(request)

			return
		}

		c := s.app.AcquireCtx(request)
		defer s.app.ReleaseCtx(c)

		if err := s.fail(c, fiber.ErrMethodNotAllowed); err != nil {
			s.log.Error("request not answered", slog.Any("error", err))
		}
	}
}

// encodeLine ends an answer with a newline, so that a terminal's prompt stands
// on a line of its own.
func encodeLine(value any) ([]byte, error) {
	body, err := json.Marshal(value)

	return append(body, '\n'), err
}

// fail answers with the problem that err stands for.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	setSecureHeaders(c)

	p := problemOf(err)

	if p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusRequestHeaderFieldsTooLarge {
		s.linger(c)
	}

	// What is unavailable was logged where it showed, but for what took too long.
	if p.Status == http.StatusInternalServerError || errors.Is(err, context.DeadlineExceeded) {
		s.log.Error("request failed", slog.String("method", c.Method()), slog.String("path", pathOf(c)),
			slog.Int("status", p.Status), slog.Any("error", err))
	}

	return p.write(c)
}

// protect keeps a panic in one request from ending the process.
func (s *Server) protect(c *fiber.Ctx) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("request panicked", slog.String("path", pathOf(c)), slog.Any("panic", cause),
				slog.String("stack", string(debug.Stack())))

			err = newProblem(http.StatusInternalServerError, slugInternal, "the log says more")
		}
	}()

	return c.Next()
}

// pathOf returns the path as it came, percent-encoded, so that a log line
// shows no control characters.
func pathOf(c *fiber.Ctx) string { return string(c.Request().URI().PathOriginal()) }

func secureHeaders(c *fiber.Ctx) error {
	setSecureHeaders(c)

	return c.Next()
}

func setSecureHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
}
