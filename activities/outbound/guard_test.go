package outbound //nolint:testpackage // the guard's judgement is not exported

import (
	"net/netip"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

func TestGuardJudgesAddresses(t *testing.T) {
	t.Parallel()

	for addr, allowed := range map[string]bool{
		"93.184.215.14":                          true,
		"1.1.1.1":                                true,
		"172.32.0.1":                             true,
		"100.128.0.1":                            true,
		"2606:2800:21f:cb07:6820:80da:af6b:8b2c": true,
		"::ffff:93.184.215.14":                   true,

		"0.0.0.0":                false,
		"0.1.2.3":                false,
		"10.1.2.3":               false,
		"100.64.0.1":             false,
		"100.100.100.200":        false,
		"127.0.0.1":              false,
		"127.255.255.254":        false,
		"168.63.129.16":          false,
		"169.254.169.254":        false,
		"172.16.0.1":             false,
		"172.31.255.255":         false,
		"192.0.0.192":            false,
		"192.168.1.1":            false,
		"198.18.0.1":             false,
		"198.51.100.7":           false,
		"224.0.0.1":              false,
		"239.255.255.255":        false,
		"240.0.0.1":              false,
		"255.255.255.255":        false,
		"::":                     false,
		"::1":                    false,
		"::127.0.0.1":            false,
		"::ffff:127.0.0.1":       false,
		"::ffff:10.0.0.1":        false,
		"::ffff:169.254.169.254": false,
		"::ffff:0:127.0.0.1":     false,
		"64:ff9b::7f00:1":        false,
		"64:ff9b:1::a00:1":       false,
		"100::1":                 false,
		"2001::1":                false,
		"2001:db8::1":            false,
		"2002:7f00:1::":          false,
		"3fff::1":                false,
		"5f00::1":                false,
		"fc00::1":                false,
		"fd00:ec2::254":          false,
		"fe80::1":                false,
		"fe80::1%eth0":           false,
		"fec0::1":                false,
		"ff02::1":                false,
	} {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()

			err := guard{}.check(netip.MustParseAddr(addr))
			if allowed {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrForbiddenAddress)
			}
		})
	}
}

func TestGuardKnowsWhatIsAllowed(t *testing.T) {
	t.Parallel()

	var cfg Config
	require.NoError(t, yaml.Unmarshal([]byte("allow: [10.1.0.0/16, \"fd00::/8\"]"), &cfg))

	g := guard{allow: cfg.Allow}
	require.NoError(t, g.check(netip.MustParseAddr("10.1.2.3")))
	require.NoError(t, g.check(netip.MustParseAddr("::ffff:10.1.2.3")))
	require.NoError(t, g.check(netip.MustParseAddr("fd00::1")))
	require.ErrorIs(t, g.check(netip.MustParseAddr("10.2.0.1")), ErrForbiddenAddress)
}

func TestGuardRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()

	require.ErrorIs(t, guard{}.check(netip.Addr{}), ErrForbiddenAddress)
	require.ErrorIs(t, guard{}.control(t.Context(), "unix", "/run/docker.sock", nil), ErrForbiddenAddress)
	require.ErrorIs(t, guard{}.control(t.Context(), "tcp4", "localhost", nil), ErrForbiddenAddress)
	require.ErrorIs(t, guard{}.control(t.Context(), "tcp4", "127.0.0.1:80", nil), ErrForbiddenAddress)
	require.NoError(t, guard{}.control(t.Context(), "tcp4", "1.1.1.1:443", nil))
}
