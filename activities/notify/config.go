package notify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
)

// LogChannel exists without being configured: it prints on the terminal and
// in the log.
const LogChannel = "log"

// The kinds of channel.
const (
	// KindLog prints one line.
	KindLog = "log"
	// KindWebhook posts JSON, signed.
	KindWebhook = "webhook"
)

// Channel is one place where notices go.
type Channel struct {
	Kind string `yaml:"kind"`
	// URL is a secret as a whole for many a kind, and never shown.
	URL string `yaml:"url"`
	// Secret signs what is sent; empty means unsigned.
	Secret string `yaml:"secret"`
}

// Config holds the channels by name.
type Config map[string]Channel

// Validate reports the first channel, by name, that cannot work.
func (c Config) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if err := c[name].validate(name); err != nil {
			return err
		}
	}

	return nil
}

// Names returns the names of all channels, the built-in one included, sorted.
func (c Config) Names() []string {
	names := slices.Sorted(maps.Keys(c))
	if !slices.Contains(names, LogChannel) {
		names = append(names, LogChannel)
	}

	slices.Sort(names)

	return names
}

// lookup finds a channel by name.
func (c Config) lookup(name string) (Channel, bool) {
	channel, ok := c[name]
	if !ok && name == LogChannel {
		return Channel{Kind: KindLog}, true
	}

	return channel, ok
}

func (c Channel) validate(name string) error {
	if !signals.ValidName(name) {
		return &signals.FieldError{Field: "channels." + name, Reason: "a name is 1 to 40 of a-z, 0-9 and -"}
	}

	if c.Kind == KindLog {
		return nil
	}

	if _, ok := kinds()[c.Kind]; !ok {
		known := slices.Sorted(maps.Keys(kinds()))

		return &signals.FieldError{
			Field: "channels." + name + ".kind", Reason: fmt.Sprintf("%q is none of %v", c.Kind, append(known, KindLog)),
		}
	}

	if _, err := outbound.ParseURL(c.URL); err != nil {
		return &signals.FieldError{Field: "channels." + name + ".url", Reason: err.Error()}
	}

	return nil
}
