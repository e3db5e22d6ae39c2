// Package baseline holds what Parley is measured against, each a program that
// takes the same webhooks at the same address: [Bare], which writes them down
// and does nothing else, and [Naive], which makes one signal to Temporal of
// each request. Ratios to them hold on any machine, where figures do not.
//
// Both read the environment variables that Parley reads.
package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Variables of the environment that both baselines read.
const (
	httpVariable    = "PARLEY_HTTP_ADDR"
	dataVariable    = "PARLEY_DATA_DIR"
	profileVariable = "PARLEY_PPROF_ADDR"
)

// The settings of Parley's own HTTP server (package webhooks), so that both
// take and answer requests at the same cost.
const (
	maxBody      = 1 << 20
	maxHeader    = 16 << 10
	maxConns     = 16 << 10
	readTimeout  = 10 * time.Second
	writeTimeout = 15 * time.Second
	idleTimeout  = 60 * time.Second
)

func newApp() *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:                      "baseline",
		BodyLimit:                    maxBody,
		CaseSensitive:                true,
		StrictRouting:                true,
		Concurrency:                  maxConns,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true,
		IdleTimeout:                  idleTimeout,
		Immutable:                    true,
		JSONDecoder:                  json.Unmarshal,
		JSONEncoder:                  json.Marshal,
		ReadBufferSize:               maxHeader,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
	})
	app.Get("/readyz", func(c *fiber.Ctx) error { return c.SendStatus(http.StatusOK) })

	return app
}

// serve answers until the context ends.
func serve(ctx context.Context, app *fiber.App) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", os.Getenv(httpVariable))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}

	go offerProfile(ctx)

	ended := make(chan error, 1)

	go func() { ended <- app.Listener(listener) }()

	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
		return app.ShutdownWithTimeout(time.Second)
	}
}

// offerProfile serves Go's profiles where the environment says so.
func offerProfile(ctx context.Context) {
	address := os.Getenv(profileVariable)
	if address == "" {
		return
	}

	routes := http.NewServeMux()
	routes.HandleFunc("/debug/pprof/profile", pprof.Profile)

	server := &http.Server{Addr: address, Handler: routes, ReadHeaderTimeout: readTimeout}

	go func() {
		<-ctx.Done()

		_ = server.Close() // the process ends
	}()

	if err := server.ListenAndServe(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		slog.ErrorContext(ctx, "no profiles", slog.Any("error", err))
	}
}

// dataDir makes the data directory.
func dataDir() (string, error) {
	dir := os.Getenv(dataVariable)

	const dirMode = 0o700
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}

	return filepath.Clean(dir), nil
}

// accepted answers a webhook as Parley's own dialect does.
func accepted(c *fiber.Ctx) error {
	return c.JSON(map[string]any{"accepted": 1, "duplicates": 0, "conversations": []string{}})
}

// unavailable tells the sender to come again.
func unavailable(c *fiber.Ctx, err error) error {
	slog.ErrorContext(c.UserContext(), "not accepted", slog.Any("error", err))
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(dialect.RetryAfterSeconds))

	return c.SendStatus(http.StatusServiceUnavailable)
}
