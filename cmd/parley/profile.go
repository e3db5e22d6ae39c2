package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

var errNotLoopback = errors.New(
	"is reached from elsewhere: a profile shows what is in memory, so give a loopback address such as 127.0.0.1:6060")

// startProfiles serves Go's profiles where the setting says, and nothing
// without it.
func (s *system) startProfiles(ctx context.Context) error {
	address := s.settings.Process.ProfileAddr
	if address == "" {
		return nil
	}

	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("start: PARLEY_PPROF_ADDR=%q: %w", address, err)
	}

	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("start: PARLEY_PPROF_ADDR=%q %w", address, errNotLoopback)
	}

	var listening net.ListenConfig

	listener, err := listening.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("start: PARLEY_PPROF_ADDR: %w", err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)

	const patience = 5 * time.Second

	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}

	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.ErrorContext(ctx, "profiles are no longer served", slog.Any("error", err))
		}
	}()

	s.profiles = listener.Addr().String()
	s.later("profiles", func(context.Context) error { return server.Close() })

	return nil
}
