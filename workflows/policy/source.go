package policy

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// The dialects that a source can speak.
const (
	DialectLiveChat   = "livechat"
	DialectPypestream = "pypestream"
	DialectInbenta    = "inbenta"
	DialectAcquire    = "acquire"
	DialectTWT        = "twt"
	DialectParley     = "parley"
)

// Dialects returns the names of all dialects.
func Dialects() []string {
	return []string{DialectLiveChat, DialectPypestream, DialectInbenta, DialectAcquire, DialectTWT, DialectParley}
}

// Routing says who gives conversations to agents.
type Routing string

// Who gives conversations to agents.
const (
	RoutingPlatform Routing = "platform"
	RoutingDesk     Routing = "desk"
)

const (
	defaultRetryWindow = 120 * Duration(1e9)
	maxRetryWindow     = 24 * 3600 * Duration(1e9)
	maxText            = 200
	maxSecrets         = 10
)

// Source is one connected account of a chat platform, as the configuration
// writes it.
type Source struct {
	Name    string `json:"name"    yaml:"-"`
	Dialect string `json:"dialect" yaml:"dialect" desc:"the platform's wire format"`
	// Secrets are any that the platform may sign with, several while one is
	// replaced.
	Secrets []string `json:"-"       yaml:"secrets" desc:"what the platform signs with; several while one is replaced" secret:"true"`
	Policy  string   `json:"policy"  yaml:"policy"  desc:"the policy its conversations follow"`
	Desk    string   `json:"desk"    yaml:"desk"    desc:"the desk its conversations are queued on"`
	Routing Routing  `json:"routing" yaml:"routing" desc:"who gives conversations to agents: platform or desk"`
	Title   string   `json:"title"   yaml:"title"   desc:"the property's name in notices"`
	// Zone is that of dates which the platform writes without one.
	Zone string `json:"zone" yaml:"zone" desc:"time zone of dates that name none"`
	// RetryWindow is how long an identical body is a repetition.
	RetryWindow Duration `json:"retry_window" yaml:"retry_window" desc:"how long an identical body without an id is a repetition"`
	// Agents and Bots are ids whose role the payload does not tell.
	Agents []string `json:"agents" yaml:"agents" desc:"ids that are agents, where the platform does not say so"`
	Bots   []string `json:"bots"   yaml:"bots"   desc:"ids that are bots, where the platform does not say so"`
	// Groups are desks by the platform's group id.
	Groups map[string]string `json:"groups" yaml:"groups" desc:"the desk of this group of the platform"`
	// Command is how the platform is told what to do.
	Command Command `json:"command,omitzero" yaml:"command"`
	// Options are what only the source's own dialect reads.
	Options dialect.Options `json:"options,omitzero" yaml:"options"`
}

// NewSource returns a source with the defaults of what a configuration leaves
// out. A name that is a dialect's speaks it; for another name the configuration
// must say.
func NewSource(name string) Source {
	source := Source{Name: name, Policy: DefaultName, Routing: RoutingPlatform, Zone: "UTC", RetryWindow: defaultRetryWindow}

	if slices.Contains(Dialects(), name) {
		source.Dialect = name
	}

	return source
}

// DefaultSources returns what exists without a configuration: one source per
// dialect, named after it, without a secret.
func DefaultSources() []Source {
	sources := make([]Source, 0, len(Dialects()))

	for _, dialect := range Dialects() {
		sources = append(sources, NewSource(dialect))
	}

	return sources
}

// Location returns the zone of dates that name none, UTC for a zone that does
// not exist, which [NewBook] has refused.
func (s *Source) Location() *time.Location {
	location, err := LoadZone(s.Zone)
	if err != nil {
		return time.UTC
	}

	return location
}

// LogValue keeps the secrets out of logs.
func (s Source) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("name", s.Name), slog.String("dialect", s.Dialect), slog.String("policy", s.Policy),
		slog.Int("secrets", len(s.Secrets)),
	)
}

// validate checks the source by itself.
func (s *Source) validate(f *faults, field string) {
	if !signals.ValidName(s.Name) {
		f.addf(field, "the name "+badName)
	}

	oneOf(f, field+".dialect", s.Dialect, Dialects()...)
	oneOf(f, field+".routing", s.Routing, RoutingPlatform, RoutingDesk)

	if len(s.Secrets) > maxSecrets {
		f.addf(field+".secrets", "must be at most %d", maxSecrets)
	}

	for i, secret := range s.Secrets {
		if secret == "" {
			f.addf(index(field+".secrets", i), "is empty")
		}
	}

	if len(s.Title) > maxText {
		f.addf(field+".title", "must be at most %d bytes", maxText)
	}

	if _, err := LoadZone(s.Zone); err != nil {
		f.addf(field+".zone", "%s", err)
	}

	if s.RetryWindow > maxRetryWindow {
		f.addf(field+".retry_window", "must be at most %s", maxRetryWindow)
	}

	s.checkDesks(f, field)
	s.checkRoles(f, field)
	s.Command.validate(f, field+".command", s.Dialect)
}

func (s *Source) checkDesks(f *faults, field string) {
	if s.Desk != "" && !signals.ValidName(s.Desk) {
		f.addf(field+".desk", badName)
	}

	if s.Routing == RoutingDesk && s.Desk == "" {
		f.addf(field+".desk", "is missing, which routing: desk needs")
	}

	for _, group := range slices.Sorted(maps.Keys(s.Groups)) {
		if group == "" || len(group) > maxText {
			f.addf(field+".groups", "a group's id must be 1 to %d bytes", maxText)
		}

		if !signals.ValidName(s.Groups[group]) {
			f.addf(field+".groups."+group, badName)
		}
	}
}

func (s *Source) checkRoles(f *faults, field string) {
	for _, list := range []struct {
		name string
		ids  []string
	}{{"agents", s.Agents}, {"bots", s.Bots}} {
		for i, id := range list.ids {
			if id == "" || len(id) > maxText {
				f.addf(index(field+"."+list.name, i), "must be 1 to %d bytes", maxText)
			}
		}
	}

	for i, id := range s.Bots {
		if slices.Contains(s.Agents, id) {
			f.addf(index(field+".bots", i), "is among the agents too")
		}
	}
}

// clone returns a copy that shares nothing with s.
func (s *Source) clone() Source {
	out := *s
	out.Secrets = slices.Clone(s.Secrets)
	out.Agents = slices.Clone(s.Agents)
	out.Bots = slices.Clone(s.Bots)
	out.Groups = maps.Clone(s.Groups)

	return out
}
