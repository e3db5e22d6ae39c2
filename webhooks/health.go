package webhooks

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"

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
}

// What a check or the whole says.
const (
	healthy   = "ok"
	unhealthy = "unavailable"
)

// healthz says that the process lives.
func (s *Server) healthz(c *fiber.Ctx) error {
	return c.JSON(health{Status: healthy, Version: s.deps.Version})
}

// readyz says whether a webhook sent now would be taken: Temporal and the
// database both answer.
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

	answer := health{Status: healthy, Checks: map[string]string{"temporal": healthy, "database": healthy}}

	for name, err := range map[string]error{"temporal": temporal, "database": database} {
		if err != nil {
			s.log.Warn("not ready", slog.String("check", name), slog.Any("error", err))

			answer.Status, answer.Checks[name] = unhealthy, unhealthy
		}
	}

	if answer.Status != healthy {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(dialect.RetryAfterSeconds))
		c.Status(http.StatusServiceUnavailable)
	}

	return c.JSON(answer)
}

// serveMetrics hands over to the metrics' own handler.
func (s *Server) serveMetrics() fiber.Handler {
	if s.deps.Metrics == nil {
		return func(*fiber.Ctx) error { return notFound("metrics are off") }
	}

	return adaptor.HTTPHandler(s.deps.Metrics)
}
