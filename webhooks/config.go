package webhooks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrConfig marks a setting whose value cannot be used.
var ErrConfig = errors.New("cannot be used")

// Names of the settings, as errors and log lines show them.
const (
	settingAddr  = "PARLEY_HTTP_ADDR"
	settingHosts = "PARLEY_ALLOWED_HOSTS"
	settingKeys  = "PARLEY_API_KEYS"
)

// Config says where the edge listens and whom it answers.
type Config struct {
	// HTTPAddr is host:port; port 0 takes a free one. Beyond loopback it needs APIKeys.
	HTTPAddr string `env:"PARLEY_HTTP_ADDR" envDefault:"127.0.0.1:8080" desc:"address of webhooks and API"`
	// AllowedHosts are the names, beside loopback, under which requests may reach the edge.
	AllowedHosts []string `env:"PARLEY_ALLOWED_HOSTS" desc:"host names, beside loopback, under which requests may come"`
	// APIKeys are name:scopes:sha256 as [NewKey] makes them; none means that whoever reaches the API may use it.
	APIKeys []string `env:"PARLEY_API_KEYS" desc:"API keys as name:scopes:sha256, made by parley key new" secret:"true"`
}

// Validate reports the first setting that cannot be used, in one line that
// names it and what to change. Sources without secrets are no error: they
// are answered over loopback only.
func (c *Config) Validate() error {
	local, err := c.loopback()
	if err != nil {
		return err
	}

	if _, err := newHostSet(c.AllowedHosts); err != nil {
		return err
	}

	ring, err := newKeyRing(c.APIKeys)
	if err != nil {
		return err
	}

	if !local && ring.empty() {
		return addrError(c.HTTPAddr,
			"it is beyond loopback, which needs API keys: make one with `parley key new` and set "+settingKeys)
	}

	return nil
}

// loopback reports whether HTTPAddr can be reached from this machine only.
func (c *Config) loopback() (bool, error) {
	host, port, err := net.SplitHostPort(c.HTTPAddr)
	if err != nil {
		return false, addrError(c.HTTPAddr, "write host:port, such as 127.0.0.1:8080")
	}

	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false, addrError(c.HTTPAddr, "the port must be a number from 0 to 65535")
	}

	return isLoopbackHost(host), nil
}

// addrError is about PARLEY_HTTP_ADDR and says what to change.
func addrError(value, what string) error {
	return fmt.Errorf("%s=%q %w: %s", settingAddr, value, ErrConfig, what)
}

// isLoopbackHost reports whether host, without a port, names this machine's
// loopback: 127.0.0.0/8, ::1 or localhost.
func isLoopbackHost(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}

	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))

	return err == nil && addr.Unmap().IsLoopback()
}
