package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	// lingerTime and lingerBytes bound how long a refused body is still read,
	// so that its sender gets to see the answer instead of a reset.
	lingerTime  = time.Second
	lingerBytes = 8 << 20
	// unheardTime and halfTime are how long a stop waits for the first byte of a
	// connection, and for the rest of a request that has begun to come: browsers
	// and clients make connections that they never use, and what was not wholly
	// sent was not accepted. fasthttp would wait for five and for ten seconds
	// (server.go, trackConn, v1.51), which is all that a stop may take.
	unheardTime = 200 * time.Millisecond
	halfTime    = 2 * time.Second
)

// errNotListening says that Serve came before Listen.
var errNotListening = errors.New("not listening")

// Listen takes the address of the configuration without serving yet, so that
// a taken port shows at once.
func (s *Server) Listen(ctx context.Context) error {
	var config net.ListenConfig

	inner, err := config.Listen(ctx, "tcp", s.config.HTTPAddr)

	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return addrError(s.config.HTTPAddr, "another program listens there: stop it or set another address")
	case errors.Is(err, syscall.EACCES):
		return addrError(s.config.HTTPAddr, "this user may not listen there: set a port of 1024 or higher")
	case err != nil:
		return fmt.Errorf("%s=%q %w: %w", settingAddr, s.config.HTTPAddr, ErrConfig, err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.listener = &listener{Listener: inner, open: make(map[*conn]struct{})}

	return nil
}

// Addr returns host:port as it is listened on, empty before [Server.Listen].
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.listener == nil {
		return ""
	}

	return s.listener.Addr().String()
}

// Serve answers requests until [Server.Shutdown].
func (s *Server) Serve() error {
	s.mu.Lock()
	ln := s.listener
	s.mu.Unlock()

	if ln == nil {
		return errNotListening
	}

	if err := s.app.Listener(ln); err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}

	return nil
}

// Shutdown stops taking requests and waits for the ones taken. When ctx ends
// first the rest is cut off and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.cancel()

	s.mu.Lock()
	ln := s.listener
	s.mu.Unlock()

	if ln == nil {
		return nil
	}

	ln.stop(time.Now())

	err := s.app.ShutdownWithContext(ctx)

	s.cancel()

	// Without Serve, or with connections that outlasted ctx, there is
	// something left to close; closing twice does no harm.
	if closing := ln.closeAll(); err == nil {
		err = closing
	}

	if err != nil {
		return fmt.Errorf("stop HTTP: %w", err)
	}

	return nil
}

// linger lets the sender of a refused body read the answer.
func (s *Server) linger(c *fiber.Ctx) {
	if served, ok := c.Context().Conn().(*conn); ok {
		served.lingers = true
	}
}

// listener knows its open connections, so that a stop can cut them off.
type listener struct {
	net.Listener

	mu   sync.Mutex
	open map[*conn]struct{}
	// stopped is when the stop began.
	stopped atomic.Pointer[time.Time]
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // fasthttp compares it
	}

	served := &conn{Conn: inner, from: l}

	l.mu.Lock()
	defer l.mu.Unlock()

	l.open[served] = struct{}{}

	return served, nil
}

func (l *listener) closeAll() error {
	err := l.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}

	l.mu.Lock()
	rest := make([]*conn, 0, len(l.open))

	for served := range l.open {
		rest = append(rest, served)
	}
	l.mu.Unlock()

	for _, served := range rest {
		err = errors.Join(err, served.Conn.Close())
	}

	return err
}

// stop bounds what is still read, of connections that are open and of those to
// come.
func (l *listener) stop(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.stopped.Store(&now)

	for served := range l.open {
		// One that is closed by now needs no bound.
		_ = served.SetReadDeadline(time.Time{})
	}
}

// conn is one connection; lingers is set and read by the one goroutine that
// serves it.
type conn struct {
	net.Conn

	from    *listener
	heard   atomic.Bool
	lingers bool
}

// Read notes that something came.
func (c *conn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if c.heard.Load() {
		return n, err //nolint:wrapcheck // fasthttp compares it
	}

	stopped := c.from.stopped.Load() != nil

	switch {
	case n > 0:
		c.heard.Store(true)

		if stopped {
			_ = c.SetReadDeadline(time.Time{}) // there is more to wait for now
		}
	case stopped && errors.Is(err, os.ErrDeadlineExceeded):
		return n, io.EOF // who has asked nothing gets no answer
	}

	return n, err //nolint:wrapcheck // fasthttp compares it
}

// SetReadDeadline takes the deadline, zero for none, or that of a stop if it is
// sooner.
func (c *conn) SetReadDeadline(until time.Time) error {
	if began := c.from.stopped.Load(); began != nil {
		last := began.Add(unheardTime)
		if c.heard.Load() {
			last = began.Add(halfTime)
		}

		if until.IsZero() || until.After(last) {
			until = last
		}
	}

	return c.Conn.SetReadDeadline(until) //nolint:wrapcheck // fasthttp compares it
}

// Close ends the connection. While data lies unread, closing would reset it,
// and the sender might never see the answer.
func (c *conn) Close() error {
	c.from.mu.Lock()
	delete(c.from.open, c)
	c.from.mu.Unlock()

	if c.lingers {
		c.drain()
	}

	return c.Conn.Close() //nolint:wrapcheck // fasthttp compares it
}

// drain tells the peer that the answer is over and reads on for a bounded while.
func (c *conn) drain() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}

	// The error is the end that was waited for.
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
}
