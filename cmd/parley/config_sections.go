package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/spelling"
	"github.com/parleyhq/parley/workflows/policy"
)

// The kinds of channel that this version has, and those that come later.
const (
	channelLog     = "log"
	channelWebhook = "webhook"
)

func laterChannels() []string { return []string{"slack", "feishu", "dingtalk", "wecom"} }

// channelConfig is one place that notices go to.
type channelConfig struct {
	Kind   string `yaml:"kind"   desc:"log or webhook"`
	URL    string `yaml:"url"    desc:"where notices are posted"            secret:"path"`
	Secret string `yaml:"secret" desc:"what the posted notices are signed with" secret:"true"`
}

// ticketsConfig says where tickets go beside the embedded store.
type ticketsConfig struct {
	Kind   string `yaml:"kind"   desc:"store keeps tickets here; webhook posts them as well"`
	URL    string `yaml:"url"    desc:"where tickets are posted"            secret:"path"`
	Secret string `yaml:"secret" desc:"what the posted tickets are signed with" secret:"true"`
}

// networkConfig says which private targets outbound requests may reach.
type networkConfig struct {
	Allow []netip.Prefix `yaml:"allow" desc:"private networks that outbound requests may reach"`
}

// privateNetwork is a network in CIDR form, or one address.
type privateNetwork netip.Prefix

var errNetwork = errors.New("must be a network, such as 10.0.0.0/8, or an address")

// UnmarshalText reads 10.0.0.0/8, fd00::/8 or 10.0.0.7.
func (n *privateNetwork) UnmarshalText(text []byte) error {
	if addr, err := netip.ParseAddr(string(text)); err == nil && addr.Zone() == "" {
		*n = privateNetwork(netip.PrefixFrom(addr, addr.BitLen()))

		return nil
	}

	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return errNetwork
	}

	*n = privateNetwork(prefix)

	return nil
}

// checker collects what is wrong in the sections that no other package checks.
type checker struct {
	faults []error
}

func (c *checker) addf(field, format string, args ...any) {
	c.faults = append(c.faults, &signals.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (c *checker) name(field, name string) {
	if !signals.ValidName(name) {
		c.addf(field, "the name must be of the form [a-z0-9-], 1 to 40 characters")
	}
}

func (c *checker) channel(field string, channel *channelConfig) {
	switch {
	case channel.Kind == channelLog:
		if channel.URL != "" || channel.Secret != "" {
			c.addf(field, "the log has no url and no secret; for these use kind: webhook")
		}
	case channel.Kind == channelWebhook:
		c.url(field+".url", channel.URL)
	case channel.Kind == "":
		c.addf(field+".kind", "is missing; it is log or webhook")
	case slices.Contains(laterChannels(), channel.Kind):
		c.addf(field+".kind", "%s is not available in this version; available are log and webhook", channel.Kind)
	default:
		c.addf(field+".kind", "unknown kind %q%s", channel.Kind, spelling.Suggest(channel.Kind, []string{channelLog, channelWebhook}))
	}
}

func (c *checker) tickets(field string, tickets *ticketsConfig) {
	switch tickets.Kind {
	case policy.TicketStore:
		if tickets.URL != "" || tickets.Secret != "" {
			c.addf(field, "the store has no url and no secret; for these use kind: webhook")
		}
	case policy.TicketWebhook:
		c.url(field+".url", tickets.URL)
	default:
		c.addf(field+".kind", "unknown kind %q%s", tickets.Kind,
			spelling.Suggest(tickets.Kind, []string{policy.TicketStore, policy.TicketWebhook}))
	}
}

// url never quotes what it refuses: addresses of webhooks are secrets, too.
func (c *checker) url(field, text string) {
	if text == "" {
		c.addf(field, "is missing")

		return
	}

	parsed, err := url.Parse(text)

	switch {
	case err != nil || !strings.EqualFold(parsed.Scheme, "https") && !strings.EqualFold(parsed.Scheme, "http") || parsed.Hostname() == "":
		c.addf(field, "must be an address that begins with https:// or http://")
	case parsed.User != nil:
		c.addf(field, "must not hold a user name or password; use secret")
	case parsed.Fragment != "":
		c.addf(field, "must not end with a #fragment")
	}
}

func (c *checker) network(field string, network *networkConfig) {
	for i, prefix := range network.Allow {
		if prefix.Masked() != prefix {
			c.addf(fmt.Sprintf("%s.allow[%d]", field, i), "%s is no network; did you mean %s, or %s/%d for the one address?",
				prefix, prefix.Masked(), prefix.Addr(), prefix.Addr().BitLen())
		}
	}
}

// desk checks what the desk itself does not: the address of its webhook.
func (c *checker) desk(field string, desk *policy.Desk) {
	switch assign := &desk.Assign; {
	case assign.URL != "":
		c.url(field+".assign.url", assign.URL)
	case assign.Secret != "":
		c.addf(field+".assign.url", "is missing; without it nobody is asked and the secret signs nothing")
	}
}
