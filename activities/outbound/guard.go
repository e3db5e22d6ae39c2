package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrForbiddenAddress says that a request would have gone to an address that
// no outbound request may reach unless network.allow names it.
var ErrForbiddenAddress = errors.New("address is private or special; network.allow does not name it")

// Config says which private targets outbound requests may reach.
type Config struct {
	Allow []netip.Prefix `yaml:"allow"`
}

// guard judges the address that is dialled, not the name that was asked for,
// so that no name server can change its mind between check and use.
type guard struct {
	allow []netip.Prefix
}

// control refuses a connection before its first packet.
func (g guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", ErrForbiddenAddress, network)
	}

	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForbiddenAddress, err)
	}

	return g.check(target.Addr())
}

func (g guard) check(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()

	named := func(p netip.Prefix) bool { return p.Contains(addr) }
	if slices.ContainsFunc(g.allow, named) {
		return nil
	}

	if !addr.IsValid() || !addr.IsGlobalUnicast() || slices.ContainsFunc(special(), named) ||
		(addr.Is6() && !internet6().Contains(addr)) {
		return fmt.Errorf("%w: %s", ErrForbiddenAddress, addr)
	}

	return nil
}

// internet6 is the part of IPv6 that is assigned to the internet at all.
func internet6() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// special are the ranges of IANA's special-purpose registries that lie within
// what looks global, and metadata services that do.
func special() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),         // this network
		netip.MustParsePrefix("10.0.0.0/8"),        // private
		netip.MustParsePrefix("100.64.0.0/10"),     // carrier NAT; Alibaba's metadata
		netip.MustParsePrefix("127.0.0.0/8"),       // loopback
		netip.MustParsePrefix("168.63.129.16/32"),  // Azure's host
		netip.MustParsePrefix("169.254.0.0/16"),    // link-local; everybody's metadata
		netip.MustParsePrefix("172.16.0.0/12"),     // private
		netip.MustParsePrefix("192.0.0.0/24"),      // protocol assignments; Oracle's metadata
		netip.MustParsePrefix("192.0.2.0/24"),      // documentation
		netip.MustParsePrefix("192.31.196.0/24"),   // AS112
		netip.MustParsePrefix("192.52.193.0/24"),   // AMT
		netip.MustParsePrefix("192.88.99.0/24"),    // 6to4 relays
		netip.MustParsePrefix("192.168.0.0/16"),    // private
		netip.MustParsePrefix("192.175.48.0/24"),   // AS112
		netip.MustParsePrefix("198.18.0.0/15"),     // benchmarks
		netip.MustParsePrefix("198.51.100.0/24"),   // documentation
		netip.MustParsePrefix("203.0.113.0/24"),    // documentation
		netip.MustParsePrefix("224.0.0.0/3"),       // multicast, reserved, broadcast
		netip.MustParsePrefix("2001::/23"),         // Teredo, ORCHID and other protocols
		netip.MustParsePrefix("2001:db8::/32"),     // documentation
		netip.MustParsePrefix("2002::/16"),         // 6to4: any IPv4 address inside
		netip.MustParsePrefix("2620:4f:8000::/48"), // AS112
		netip.MustParsePrefix("3fff::/20"),         // documentation
	}
}
