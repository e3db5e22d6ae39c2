package baseline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/gofiber/fiber/v2"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/activities/dispatch"
	"github.com/parleyhq/parley/activities/notify"
	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/parley"
	"github.com/parleyhq/parley/webhooks/inbox"
	"github.com/parleyhq/parley/worker"
	"github.com/parleyhq/parley/worker/embedded"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	// taskTimeout of every workflow, as the courier sets it.
	taskTimeout = 2 * time.Second
	// patience is how long one signal may take, as the edge has it.
	patience = 4 * time.Second
)

// errElsewhere says that something happened which the work of the benchmark
// does not ask for, and which this baseline does not do.
var errElsewhere = errors.New("this baseline hands nothing on")

// settings are those of Parley, from the same variables.
type settings struct {
	Temporal embedded.Config
	Worker   worker.Config
}

// naive is the design without an inbox.
type naive struct {
	dialect  parley.Dialect
	temporal client.Client
	store    *tickets.Store
	log      *slog.Logger
}

// Naive decodes each webhook, starts or signals its conversation in Temporal
// with this one event, and answers when Temporal has it. Server, settings,
// worker, workflow, activities and ticket store are Parley's own.
func Naive(ctx context.Context) error {
	dir, err := dataDir()
	if err != nil {
		return err
	}

	all, err := env.ParseAs[settings]()
	if err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))

	worker.LimitCache(all.Worker)

	server, err := embedded.Start(ctx, all.Temporal, worker.SearchAttributes(), log)
	if err != nil {
		return fmt.Errorf("start Temporal: %w", err)
	}

	defer func() {
		if err := server.Stop(context.WithoutCancel(ctx)); err != nil {
			log.ErrorContext(ctx, "Temporal did not stop", slog.Any("error", err))
		}
	}()

	metrics, err := worker.NewMetrics()
	if err != nil {
		return fmt.Errorf("make metrics: %w", err)
	}

	temporal, _, err := worker.Dial(ctx, server.FrontendAddress(), server.Namespace(), metrics, log)
	if err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer temporal.Close()

	if err := worker.EnsureAttributes(ctx, temporal, server.Namespace()); err != nil {
		return fmt.Errorf("prepare Temporal: %w", err)
	}

	n := &naive{temporal: temporal, log: log}

	return n.run(ctx, dir)
}

func (n *naive) run(ctx context.Context, dir string) error {
	db, err := inbox.Open(ctx, filepath.Join(dir, "parley.db"))
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer db.Close() //nolint:errcheck // every commit was on disk before

	if n.store, err = tickets.Open(ctx, db); err != nil {
		return fmt.Errorf("open the ticket store: %w", err)
	}

	book, err := readBook()
	if err != nil {
		return err
	}

	desks, err := policy.NewDesks(nil, nil)
	if err != nil {
		return fmt.Errorf("make no desks: %w", err)
	}

	printer := notify.New(nil, nil, notify.NewPrinter(os.Stdout, nil))
	running := worker.New(n.temporal, worker.Under{Source: book.Snapshot, Desk: desks.Snapshot},
		&dispatch.Activities{Sender: nowhere{}, Desks: nowhere{}, Printer: printer, Sessions: n.store, Archive: nowhere{}, Past: n.store})

	if err := running.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	defer running.Stop()

	app := newApp()
	app.Post("/webhooks/:source", n.webhook)
	app.Get("/v1/conversations/:source/:id", n.view)

	return serve(ctx, app)
}

// webhook makes one signal of one request.
func (n *naive) webhook(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), patience)
	defer cancel()

	req := dialect.Request{Method: http.MethodPost, Body: bytes.Clone(c.Request().Body()), ReceivedAt: time.Now().UTC()}

	source := dialect.Source{Name: c.Params("source")}

	events, err := n.dialect.Decode(req, source)
	if err != nil {
		return fiber.NewError(http.StatusUnprocessableEntity, err.Error())
	}

	batch, err := signals.NewBatch(events)
	if err != nil {
		return fiber.NewError(http.StatusUnprocessableEntity, err.Error())
	}

	key := signals.Key{Source: source.Name, Conversation: events[0].Conversation}
	options := client.StartWorkflowOptions{ID: key.WorkflowID(), TaskQueue: signals.TaskQueue, WorkflowTaskTimeout: taskTimeout}

	if _, err := n.temporal.SignalWithStartWorkflow(ctx, key.WorkflowID(), signals.EventsSignal, batch, options,
		signals.ConversationWorkflow, signals.Start{Version: 1, Session: 1}); err != nil {
		return unavailable(c, err)
	}

	return accepted(c)
}

// view shows a closed conversation from the store; another is not there.
func (n *naive) view(c *fiber.Ctx) error {
	key := signals.Key{Source: c.Params("source"), Conversation: c.Params("id")}

	view, err := n.store.Session(c.UserContext(), key, 0)
	if errors.Is(err, tickets.ErrNotFound) {
		return fiber.ErrNotFound
	}

	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}

	return c.JSON(view)
}

// nowhere is where orders, statements and strays go of which the benchmark makes none.
type nowhere struct{}

func (nowhere) Orders(context.Context, signals.Key, []signals.Order) error { return errElsewhere }

func (nowhere) Asks(context.Context, string, []signals.Ask) error { return errElsewhere }

func (nowhere) Stray(context.Context, signals.Key, int, []signals.Event) error { return errElsewhere }

var (
	_ dispatch.Sender  = nowhere{}
	_ dispatch.Desks   = nowhere{}
	_ dispatch.Archive = nowhere{}
	_ dispatch.Past    = (*tickets.Store)(nil)
)
