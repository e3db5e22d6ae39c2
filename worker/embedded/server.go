package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/temporal"
)

const (
	// startTimeout bounds a start that does not come up; it takes half a second otherwise.
	startTimeout = 30 * time.Second
	// stopTimeout bounds a stop whose context has no deadline. The frontend alone drains for a second.
	stopTimeout = 8 * time.Second
	// buildAttempts bounds how often the server is built with other ports.
	buildAttempts = 5
)

// ErrStart marks a server that did not come up for a reason that no setting changes.
var ErrStart = errors.New("embedded Temporal did not start")

// Server is a running Temporal server with its UI. Its methods may be called from several goroutines.
type Server struct {
	temporal  temporal.Server
	ui        *webUI
	gate      *logGate
	lock      *DirLock
	ownsLock  bool
	files     stores
	frontend  string
	namespace string

	stopOnce sync.Once
	stopErr  error
}

// Start brings the server up and returns when its frontend is healthy, the history shard answers, and the namespace is
// there with its retention and search attributes. The attributes are created if they are missing; those that others
// added stay. Everything that may be wrong with the settings, the ports and the directory is found before the server
// touches anything. The context bounds the start only.
func Start(ctx context.Context, cfg Config, attrs map[string]enumspb.IndexedValueType, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	log = log.With(slog.String("component", "temporal"))
	server := &Server{namespace: cfg.Namespace, lock: cfg.Lock, ownsLock: cfg.Lock == nil}
	if server.ownsLock {
		lock, err := Lock(cfg.DataDir)
		if err != nil {
			return nil, err
		}
		server.lock = lock
	}
	if err := server.start(ctx, &cfg, attrs, log); err != nil {
		return nil, server.abandon(ctx, err)
	}
	return server, nil
}

func (s *Server) start(ctx context.Context, cfg *Config, attrs map[string]enumspb.IndexedValueType, log *slog.Logger) error {
	taken, err := takePorts(ctx, cfg)
	if err != nil {
		return err
	}
	s.files = newStores(s.lock.Dir(), cfg.Synchronous)
	if err := s.startTemporal(ctx, cfg, attrs, taken, log); err != nil {
		return errors.Join(err, taken.close())
	}
	if err := taken.release(); err != nil {
		log.WarnContext(ctx, "reservation of a port could not be released", slog.Any("error", err))
	}
	s.ui, err = startUI(taken.ui, s.frontend, cfg.Namespace, log)
	return err
}

func (s *Server) startTemporal(
	ctx context.Context, cfg *Config, attrs map[string]enumspb.IndexedValueType, taken *ports, log *slog.Logger,
) error {
	if err := prepare(ctx, s.lock, s.files); err != nil {
		return err
	}
	aliases, err := ensureNamespace(ctx, s.files.main, cfg.Namespace, cfg.Retention, attrs)
	if err != nil {
		return err
	}
	if err := tendIndexes(ctx, s.lock.Dir(), s.files.visibility, aliases); err != nil {
		return err
	}
	logger := newServerLogger(log, cfg.LogLevel)
	s.gate = logger.gate
	s.gate.quiet.Store(true)
	if err := s.assemble(ctx, logger, cfg, taken); err != nil {
		return err
	}
	s.frontend = dialable(taken.frontend).String()
	if err := s.temporal.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	if err := waitReady(ctx, s.frontend, cfg.Namespace, attrs); err != nil {
		return fmt.Errorf("%w: %w (last message of the server: %q)", ErrStart, err, s.gate.last())
	}
	s.gate.quiet.Store(false)
	return nil
}

// assemble builds the server with other ports where somebody took one that was chosen here before the server listened.
// The services of the attempt before keep what they opened until the process ends; the frontend is built last of those
// that listen on a port of ours, so that its own is not among it.
func (s *Server) assemble(ctx context.Context, logger *serverLogger, cfg *Config, taken *ports) error {
	for attempt := 1; ; attempt++ {
		var err error
		s.temporal, err = build(logger, cfg, s.files, taken)
		cause, fatal := errors.AsType[fatalError](err)
		switch {
		case !fatal || !cause.portTaken():
			return err
		case cfg.Port != 0 && cause.concerns(taken.frontend):
			return portError("temporal gRPC", taken.frontend.Addr(), cfg.Port, "PARLEY_TEMPORAL_PORT", syscall.EADDRINUSE)
		case attempt == buildAttempts:
			return err
		}
		if err := taken.renew(ctx, cfg); err != nil {
			return fmt.Errorf("%w: %w", ErrStart, err)
		}
	}
}

// build puts the server together, which also opens its listeners. What it holds to be fatal or panics about becomes an
// error, since it happens in this goroutine.
func build(
	logger *serverLogger, cfg *Config, files stores, taken *ports,
) (server temporal.Server, err error) { //nolint:nonamedreturns // the deferred recover sets the error
	defer func() {
		logger.gate.building.Store(false)
		switch cause := recover().(type) {
		case nil:
		case fatalError:
			err = fmt.Errorf("%w: %w", ErrStart, cause)
		default:
			err = fmt.Errorf("%w: %v", ErrStart, cause)
		}
	}()
	logger.gate.building.Store(true)
	server, err = temporal.NewServer(
		temporal.WithConfig(serverConfig(files, taken)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(staticHosts(taken)),
		temporal.WithDynamicConfigClient(dynamicSettings(cfg)),
		temporal.WithLogger(logger),
	)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	return server, nil
}

// FrontendAddress is the host and port that clients connect to.
func (s *Server) FrontendAddress() string { return s.frontend }

// UIAddress is the host and port of the Web UI, which speaks plain HTTP.
func (s *Server) UIAddress() string { return s.ui.addr }

// Namespace is the namespace that was created.
func (s *Server) Namespace() string { return s.namespace }

// Stop ends the UI, then the server, folds SQLite's write-ahead logs into the files and gives the data directory up.
// Clients and workers are to be stopped before. It takes one to five seconds and at most the context's deadline, or
// 8 s without one; when that passes, the server goes on stopping in the background and keeps the directory. Further
// calls wait for the first and return the same.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		s.stopErr = s.stop(ctx)
	})
	return s.stopErr
}

func (s *Server) stop(ctx context.Context) error {
	uiErr := s.ui.stop(ctx)
	if err := s.stopTemporal(ctx); err != nil {
		return errors.Join(uiErr, err)
	}
	return errors.Join(uiErr, checkpoint(context.WithoutCancel(ctx), s.lock.Dir(), s.files), s.releaseLock())
}

// stopTemporal waits for the server until ctx ends. Its Stop takes no context and is silent about what goes wrong, and
// the log of a stop is full of services that miss each other.
func (s *Server) stopTemporal(ctx context.Context) error {
	s.gate.quiet.Store(true)
	stopped := make(chan error, 1)
	go func() { stopped <- s.temporal.Stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			return fmt.Errorf("stop embedded Temporal: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop embedded Temporal: %w", context.Cause(ctx))
	}
}

// abandon takes down what a failed start has brought up. Whatever ended the start does not end this.
func (s *Server) abandon(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if s.temporal != nil {
		if err := s.stopTemporal(ctx); err != nil {
			return errors.Join(cause, err)
		}
	}
	return errors.Join(cause, s.releaseLock())
}

func (s *Server) releaseLock() error {
	if !s.ownsLock {
		return nil
	}
	return s.lock.Close()
}
