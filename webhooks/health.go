package webhooks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"syscall"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// readyPatience bounds each check of readiness.
const readyPatience = queryPatience

type health struct {
	Status  string            `json:"status"`
	Version string            `json:"version,omitempty"`
	Checks  map[string]string `json:"checks,omitempty"`
	// Webhooks says whether one that is sent now is accepted: Temporal may be
	// away, the disk may not.
	Webhooks string `json:"webhooks,omitempty"`
}

// What a check or the whole says.
const (
	healthy   = "ok"
	unhealthy = "unavailable"
	accepting = "accepted"
	refusing  = "refused"
)

// healthz says that the process lives.
func (s *Server) healthz(c *fiber.Ctx) error {
	return c.JSON(health{Status: healthy, Version: s.deps.Version})
}

// readyz says whether everything answers: Temporal, the database and the inbox.
func (s *Server) readyz(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(s.work, readyPatience)
	defer cancel()

	var (
		work               errgroup.Group
		temporal, database error
	)

	work.Go(func() error {
		_, temporal = s.deps.Temporal.CheckHealth(ctx, &client.CheckHealthRequest{})

		return nil
	})
	work.Go(func() error {
		database = s.deps.Database.PingContext(ctx)

		return nil
	})

	if err := work.Wait(); err != nil {
		return err
	}

	kept := s.deps.Acceptor.Health()
	answer := health{Status: healthy, Webhooks: accepting, Checks: map[string]string{
		"temporal": s.checked("temporal", temporal, unhealthy),
		"database": s.checked("database", database, unhealthy),
		"inbox":    s.checked("inbox", kept, diskTrouble(kept)),
	}}

	if database != nil || kept != nil {
		answer.Webhooks = refusing
	}

	if temporal != nil || database != nil || kept != nil {
		answer.Status = unhealthy

		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(dialect.RetryAfterSeconds))
		c.Status(http.StatusServiceUnavailable)
	}

	return c.JSON(answer)
}

// checked logs what is wrong and returns the word for it; anybody may ask, so
// that the answer names a class and no more.
func (s *Server) checked(name string, err error, word string) string {
	if err == nil {
		return healthy
	}

	s.log.Warn("not ready", slog.String("check", name), slog.Any("error", err))

	return word
}

// SQLite's primary result codes that say what is wrong with a disk
// (https://www.sqlite.org/rescode.html).
const (
	sqliteReadOnly = 8
	sqliteIOError  = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteNotADB   = 26
	// sqlitePrimary cuts an extended code down to its primary one.
	sqlitePrimary = 0xff
)

// diskTrouble names what keeps the inbox from writing.
func diskTrouble(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "disk_full"
	}

	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return unhealthy
	}

	switch coded.Code() & sqlitePrimary {
	case sqliteFull:
		return "disk_full"
	case sqliteReadOnly:
		return "read_only"
	case sqliteIOError:
		return "io_error"
	case sqliteCorrupt, sqliteNotADB:
		return "damaged"
	default:
		return unhealthy
	}
}

// serveMetrics hands over to the metrics' own handler.
func (s *Server) serveMetrics() fiber.Handler {
	if s.deps.Metrics == nil {
		return func(*fiber.Ctx) error { return notFound("metrics are off") }
	}

	return adaptor.HTTPHandler(s.deps.Metrics)
}
