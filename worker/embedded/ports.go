package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Free ports are taken from below 32768, where Linux's range for outgoing connections begins: a port from that range
// could be given to somebody else between choosing it and listening on it.
const (
	firstFreePort uint16 = 20000
	lastFreePort  uint16 = 32767
	portAttempts         = 500
)

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// ports holds everything that the server listens on. The UI's listener is open from the start; the server opens its
// own, so its ports are only reserved, until release.
type ports struct {
	frontend netip.AddrPort
	history  netip.AddrPort
	matching netip.AddrPort
	ui       net.Listener
	guards   []io.Closer
}

// workerAddr is what the worker service listens on: whatever port the system gives it, since nobody calls it.
func workerAddr() netip.AddrPort { return netip.AddrPortFrom(loopback(), 0) }

// takePorts checks every port before anything is started, so that a taken one is an error and not a half start.
func takePorts(ctx context.Context, cfg *Config) (*ports, error) {
	host, err := cfg.hostAddr()
	if err != nil {
		return nil, err
	}
	taken := new(ports)
	if taken.frontend, err = taken.reserve(ctx, host, cfg.Port); err != nil {
		return nil, errors.Join(portError("temporal gRPC", host, cfg.Port, "PARLEY_TEMPORAL_PORT", err), taken.close())
	}
	if err = taken.reserveInternal(ctx); err != nil {
		return nil, errors.Join(err, taken.close())
	}
	var listen net.ListenConfig
	if taken.ui, err = listen.Listen(ctx, "tcp", hostPort(loopback(), cfg.UIPort)); err != nil {
		return nil, errors.Join(portError("temporal UI", loopback(), cfg.UIPort, "PARLEY_UI_PORT", err), taken.close())
	}
	return taken, nil
}

func (p *ports) reserveInternal(ctx context.Context) error {
	for _, internal := range []*netip.AddrPort{&p.history, &p.matching} {
		var err error
		if *internal, err = p.reserve(ctx, loopback(), 0); err != nil {
			return fmt.Errorf("reserve an internal port: %w", err)
		}
	}
	return nil
}

// renew replaces the ports that were chosen here; one that the settings name stays.
func (p *ports) renew(ctx context.Context, cfg *Config) error {
	if cfg.Port == 0 {
		var err error
		if p.frontend, err = p.reserve(ctx, p.frontend.Addr(), 0); err != nil {
			return fmt.Errorf("reserve another port for Temporal: %w", err)
		}
	}
	return p.reserveInternal(ctx)
}

// reserve finds out whether a port is free, or chooses one. The port is guarded by a UDP socket of the same number:
// everybody who chooses in this way sees it, in this process and in others, and it does not hinder the server.
func (p *ports) reserve(ctx context.Context, host netip.Addr, port int) (netip.AddrPort, error) {
	if port != 0 {
		addr, err := netip.ParseAddrPort(hostPort(host, port))
		if err != nil {
			return addr, fmt.Errorf("port %d: %w", port, err)
		}
		// The port was named, so that a UDP socket of somebody else's is no reason not to use it.
		_ = p.guard(ctx, addr)
		return addr, probe(ctx, addr)
	}
	var err error
	for range portAttempts {
		number := firstFreePort + rand.N(lastFreePort-firstFreePort+1) //nolint:gosec // a port number is no secret
		addr := netip.AddrPortFrom(host, number)
		if err = p.guard(ctx, addr); err != nil {
			continue
		}
		if err = probe(ctx, addr); err == nil {
			return addr, nil
		}
	}
	return netip.AddrPort{}, err
}

// guard keeps others from choosing a port until release.
func (p *ports) guard(ctx context.Context, addr netip.AddrPort) error {
	var listen net.ListenConfig
	guard, err := listen.ListenPacket(ctx, "udp", addr.String())
	if err != nil {
		return fmt.Errorf("guard port %d: %w", addr.Port(), err)
	}
	p.guards = append(p.guards, guard)
	return nil
}

// release gives up the reservations; the server listens by now, or never will.
func (p *ports) release() error {
	errs := make([]error, 0, len(p.guards))
	for _, guard := range p.guards {
		errs = append(errs, guard.Close())
	}
	p.guards = nil
	return errors.Join(errs...)
}

// close gives up everything, the UI's listener too.
func (p *ports) close() error {
	err := p.release()
	if p.ui != nil {
		err = errors.Join(err, p.ui.Close())
	}
	return err
}

// probe listens for a moment.
func probe(ctx context.Context, addr netip.AddrPort) error {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return fmt.Errorf("try port %d: %w", addr.Port(), err)
	}
	if err := listener.Close(); err != nil {
		return fmt.Errorf("try port %d: %w", addr.Port(), err)
	}
	return nil
}

func hostPort(host netip.Addr, port int) string {
	return net.JoinHostPort(host.String(), strconv.Itoa(port))
}

func portError(what string, host netip.Addr, port int, setting string, err error) error {
	addr := hostPort(host, port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s port %s %w: set %s", what, addr, ErrPortTaken, setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("PARLEY_TEMPORAL_HOST=%q %w: this machine has no such address", host, ErrConfig)
	default:
		return fmt.Errorf("%s port %s %w: %w; set %s", what, addr, ErrConfig, err, setting)
	}
}
