package webhooks

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// hostSet holds the names, beside loopback, under which the edge may be
// reached. It keeps web pages away from a loopback service: a page that
// rebinds its own name to 127.0.0.1 still sends that name as Host.
type hostSet map[string]struct{}

func newHostSet(names []string) (hostSet, error) {
	set := make(hostSet, len(names))

	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}

		if strings.ContainsAny(name, "/*@ ") {
			return nil, fmt.Errorf("%s %w: %q is no host name", settingHosts, ErrConfig, name)
		}

		set[hostName(name)] = struct{}{}
	}

	return set, nil
}

func (s hostSet) has(host string) bool {
	_, ok := s[hostName(host)]

	return ok
}

// allows reports whether a request may name host, with or without a port.
func (s hostSet) allows(host string) bool {
	return host != "" && (isLoopbackHost(hostName(host)) || s.has(host))
}

// ownOrigin reports whether a browser's page from origin may use the edge
// that it reached as host: a page of the edge itself, or of an allowed host.
func (s hostSet) ownOrigin(origin, host string) bool {
	page, err := url.Parse(origin)
	if err != nil || page.Host == "" {
		return false
	}

	if s.has(page.Host) {
		return true
	}

	return isLoopbackHost(hostName(page.Host)) && isLoopbackHost(hostName(host)) && hostPort(page.Host) == hostPort(host)
}

// hostName returns host in lower case without its port, brackets and final dot.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}

	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")

	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func hostPort(host string) string {
	if _, port, err := net.SplitHostPort(host); err == nil {
		return port
	}

	return "80"
}

// guard refuses requests under a foreign Host or from a foreign page. An
// absolute request target carries a host of its own, which must pass, too.
func (s *Server) guard(c *fiber.Ctx) error {
	header, target := string(c.Request().Header.Host()), string(c.Request().URI().Host())

	if !s.hosts.allows(header) || !s.hosts.allows(target) {
		return newProblem(http.StatusForbidden, slugBadHost, "requests must come under a loopback name or one in "+settingHosts)
	}

	if origin := c.Get(fiber.HeaderOrigin); origin != "" && !s.hosts.ownOrigin(origin, header) {
		return newProblem(http.StatusForbidden, slugBadOrigin, "web pages of other origins may not use this service")
	}

	return c.Next()
}

// fromLoopback reports whether the request began on this machine. One that a
// proxy passed on did not, though the proxy may run here.
func fromLoopback(c *fiber.Ctx) bool {
	for _, header := range [...]string{fiber.HeaderXForwardedFor, fiber.HeaderForwarded, "X-Real-Ip"} {
		if c.Get(header) != "" {
			return false
		}
	}

	addr, err := netip.ParseAddrPort(c.Context().RemoteAddr().String())

	return err == nil && addr.Addr().Unmap().IsLoopback()
}
