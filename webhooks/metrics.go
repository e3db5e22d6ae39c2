package webhooks

import (
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uber-go/tally/v4"
)

// metrics are the edge's own; every tag has few values.
type metrics struct{ scope tally.Scope }

func newMetrics(scope tally.Scope) *metrics {
	if scope == nil {
		scope = tally.NoopScope
	}

	return &metrics{scope: scope}
}

// ackBuckets resolve what matters: the promised 15 ms when idle, and the
// platforms' patience of some seconds.
func ackBuckets() tally.DurationBuckets {
	return tally.DurationBuckets{
		time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 15 * time.Millisecond,
		25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
		500 * time.Millisecond, time.Second, 2 * time.Second, patience, 2 * patience,
	}
}

// request counts one answer by route, so that ids and attackers' paths make
// no new series.
func (m *metrics) request(route, method string, status int) {
	m.scope.Tagged(map[string]string{"route": route, "method": method, "status": strconv.Itoa(status)}).
		Counter("parley_http_requests").Inc(1)
}

// acknowledged records how long a webhook waited for its 2xx.
func (m *metrics) acknowledged(source string, took time.Duration) {
	m.scope.Tagged(map[string]string{"source": source}).
		Histogram("parley_webhook_ack_latency", ackBuckets()).RecordDuration(took)
}

func (m *metrics) accepted(source string, accepted, duplicates int) {
	scope := m.scope.Tagged(map[string]string{"source": source})
	scope.Counter("parley_webhook_events").Inc(int64(accepted))
	scope.Counter("parley_webhook_duplicates").Inc(int64(duplicates))
}

// coalesced counts keystrokes that said nothing new and were not kept.
func (m *metrics) coalesced(source string, events int) {
	if events > 0 {
		m.scope.Tagged(map[string]string{"source": source}).Counter("parley_webhook_events_coalesced").Inc(int64(events))
	}
}

func (m *metrics) refused(source string) {
	m.scope.Tagged(map[string]string{"source": source}).Counter("parley_webhook_refused").Inc(1)
}

// observe logs and counts every request once it is answered; an error is
// turned into its answer here, so that its status is known.
func (s *Server) observe(c *fiber.Ctx) error {
	start := s.now()

	if err := c.Next(); err != nil {
		if err := s.fail(c, err); err != nil {
			return err
		}
	}

	status := c.Response().StatusCode()
	s.metrics.request(routeOf(c), c.Method(), status)
	s.log.Debug("request", slog.String("method", c.Method()), slog.String("path", pathOf(c)),
		slog.Int("status", status), slog.Duration("took", s.now().Sub(start).Round(time.Microsecond)))

	return nil
}

// routeOf names the pattern that a request matched in a way that survives
// Prometheus' rules for values, as v1/conversations/source/id.
func routeOf(c *fiber.Ctx) string {
	path := c.Route().Path
	if path == "/" { // the middleware's own, for want of another
		if c.Path() == path {
			return "root"
		}

		return "none"
	}

	return strings.NewReplacer("/:", "/", "+", "action").Replace(strings.TrimPrefix(path, "/"))
}
