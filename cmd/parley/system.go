package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/activities/deliver"
	"github.com/parleyhq/parley/activities/dispatch"
	"github.com/parleyhq/parley/activities/notify"
	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/platform"
	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/desks"
	"github.com/parleyhq/parley/webhooks/inbox"
	"github.com/parleyhq/parley/webhooks/presence"
	"github.com/parleyhq/parley/worker"
	"github.com/parleyhq/parley/worker/embedded"
	"github.com/parleyhq/parley/workflows/policy"
)

// clusterParallel is to how many conversations events are forwarded at a time
// where Temporal is another machine's work.
const clusterParallel = 32

// databaseFile holds what Temporal does not have: the inbox, closed sessions,
// tickets and account events.
const databaseFile = "parley.db"

// system is everything that runs in one process. What is started is stopped in
// the reverse order: HTTP, the inbox's forwarding, worker, courier, client,
// Temporal, database, lock.
type system struct {
	settings *settings
	file     *configFile
	book     *policy.Book
	sources  []webhooks.Source
	log      *slog.Logger
	stdout   io.Writer

	server    *embedded.Server
	address   string
	namespace string
	temporal  client.Client
	db        *sql.DB
	inbox     *inbox.Inbox
	sessions  *tickets.Store
	courier   *courier.Courier
	metrics   *worker.Metrics
	presence  *presence.Forwarder
	board     *desks.Board
	edge      *webhooks.Server
	// profiles is where Go's profiles are served, "" for nowhere.
	profiles string

	stops []stop
}

// up starts every part. After an error down ends those that run.
func (s *system) up(ctx context.Context) error {
	if err := s.settings.HTTP.Validate(); err != nil {
		return fmt.Errorf("start: %w", err)
	}

	for _, part := range []func(context.Context) error{
		s.claim, s.startProfiles, s.startMetrics, s.openStores, s.startTemporal, s.startCourier, s.buildEdge, s.startWorker,
		s.openDesks, s.startInbox,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}

	return nil
}

// claim keeps other processes off the data directory, whoever runs Temporal.
func (s *system) claim(context.Context) error {
	lock, err := embedded.Lock(s.settings.Temporal.DataDir)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}

	s.settings.Temporal.Lock = lock
	s.later("data directory", func(context.Context) error { return lock.Close() })

	return nil
}

func (s *system) openStores(ctx context.Context) error {
	db, err := inbox.Open(ctx, filepath.Join(s.settings.Temporal.DataDir, databaseFile))
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}

	s.db = db
	s.later("database", func(context.Context) error { return db.Close() })

	config := s.settings.Inbox
	config.RetryWindow = s.retryWindow
	config.Scope = s.metrics.Plain
	config.Now = gatewayClock()

	// Over the network an answer takes a while, and costs nothing here.
	if config.Parallel == 0 && worker.External() {
		config.Parallel = clusterParallel
	}

	if s.inbox, err = inbox.New(ctx, db, config, s.log); err != nil {
		return fmt.Errorf("start: %w", err)
	}

	if s.sessions, err = tickets.Open(ctx, db); err != nil {
		return fmt.Errorf("start: %w", err)
	}

	return nil
}

func (s *system) retryWindow(source string) time.Duration {
	return s.book.Snapshot(source).RetryWindow.Std()
}

// printer is where the channel log goes: a line on the terminal, or, where
// programs read, one in the JSON log; never both.
func (s *system) printer() *notify.Printer {
	if s.settings.Process.LogFormat == formatJSON {
		return notify.NewPrinter(io.Discard, s.log)
	}

	return notify.NewPrinter(s.stdout, slog.New(slog.DiscardHandler))
}

func (s *system) channelsOf(source string, kind signals.Type) []string {
	under := s.book.Snapshot(source)

	return under.Policy.Channels(kind)
}

func (s *system) startMetrics(context.Context) error {
	metrics, err := worker.NewMetrics()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}

	s.metrics = metrics
	s.later("metrics", func(context.Context) error { return metrics.Close() })

	return nil
}

// startTemporal uses the cluster of the environment, or starts one here.
func (s *system) startTemporal(ctx context.Context) error {
	address, namespace := "", ""

	worker.LimitCache(s.settings.Worker)

	if worker.External() {
		s.address = os.Getenv(worker.AddressVariable)
	} else {
		server, err := embedded.Start(ctx, s.settings.Temporal, worker.SearchAttributes(), s.log)
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}

		s.server = server
		s.later("Temporal", server.Stop)

		address, namespace = server.FrontendAddress(), server.Namespace()
	}

	temporal, namespace, err := worker.Dial(ctx, address, namespace, s.metrics, s.log)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}

	s.temporal, s.namespace = temporal, namespace
	s.later("client", func(context.Context) error {
		temporal.Close()

		return nil
	})

	const patience = 30 * time.Second

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	if err := worker.EnsureAttributes(ctx, temporal, namespace); err != nil {
		return fmt.Errorf("start: %w", err)
	}

	if s.server == nil {
		warnOfNeighbours(ctx, temporal, namespace, s.log)
	}

	return nil
}

func (s *system) startCourier(context.Context) error {
	config := s.settings.Courier
	config.RetryWindow = s.retryWindow

	config.Observer = s.metrics
	s.courier = courier.New(s.temporal, config, s.log)
	s.later("courier", within(forwardingPatience, s.courier.Close))

	return nil
}

// startWorker puts workflows and activities to work.
func (s *system) startWorker(context.Context) error {
	requests := outbound.NewClient(outbound.Config{Allow: s.file.Network.Allow})
	channels := make(notify.Config, len(s.file.Channels))

	for name, channel := range s.file.Channels {
		channels[name] = notify.Channel{Kind: channel.Kind, URL: channel.URL, Secret: channel.Secret}
	}

	system := tickets.Config{Kind: s.file.Tickets.Kind, URL: s.file.Tickets.URL, Secret: s.file.Tickets.Secret}
	notifier := notify.New(channels, requests, s.printer())

	moving, err := platform.New(s.book.Sources(), requests)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}

	delivering := &deliver.Activities{
		Notices:      notifier,
		TicketSystem: tickets.NewWebhook(system, requests, s.sessions), Platform: moving,
		Tickets: s.sessions, Courier: s.courier, Channels: s.channelsOf, Log: s.log,
	}
	deciding := &dispatch.Activities{
		Sender: s.courier, Desks: s.courier, Printer: notifier, Sessions: s.sessions, Archive: ledger{s.inbox}, Past: s.sessions,
	}

	running := worker.New(s.temporal, worker.Under{Source: s.book.Snapshot, Desk: s.file.desks.Snapshot},
		deciding, delivering, s.seating(requests))
	if err := running.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}

	s.later("worker", within(workerPatience, waiting(func() {
		running.Stop()
		requests.Close()
	})))

	return nil
}

// buildEdge builds the HTTP edge and takes its port, so that a taken one shows
// before anything is promised; it answers from the banner on.
func (s *system) buildEdge(ctx context.Context) error {
	s.presence = s.newPresence()
	s.later("presence", s.presence.Stop)
	s.board = s.newBoard()

	//nolint:contextcheck // requests bring contexts of their own
	edge, err := webhooks.New(s.settings.HTTP, webhooks.Deps{
		Sources: s.sources, Own: dialects.Table()[policy.DialectParley], Acceptor: s.presence, Archive: s.inbox,
		Accounts: ledger{s.inbox}, Ledger: ledger{s.inbox}, Inbox: ledger{s.inbox}, Sessions: past{s.sessions},
		Secrets: s.inbox, Temporal: s.temporal, Desks: s.board, Database: s.db,
		Metrics: s.metrics.Handler, Scope: s.metrics.Scope, Log: s.log, Version: version, Now: gatewayClock(),
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}

	if err := edge.Listen(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}

	s.edge = edge

	return nil
}

// startInbox sends out what was left at the last stop, sweeps and prunes, and
// registers the edge's stop last, so that it is the first to end.
func (s *system) startInbox(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)

	go func() { done <- s.inbox.Run(ctx) }()

	s.later("upkeep", func(context.Context) error {
		cancel()

		return <-done
	})

	s.inbox.Start(s.courier)
	s.later("inbox", within(forwardingPatience, s.inbox.Stop))
	s.later("HTTP", s.edge.Shutdown)

	go s.prune(ctx)

	return nil
}

// prune forgets closed sessions and tickets after the retention.
func (s *system) prune(ctx context.Context) {
	const every = time.Hour

	ticker := time.NewTicker(every)
	defer ticker.Stop()

	for {
		if _, err := s.sessions.Prune(ctx, time.Now().Add(-s.settings.Temporal.Retention)); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "old sessions could not be pruned; it is tried again", slog.Any("error", err))
		}

		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
