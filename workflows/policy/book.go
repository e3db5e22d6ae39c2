package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// maxSnapshot bounds what each run carries in its history; in bytes of JSON.
const maxSnapshot = 32 << 10

// The kinds of ticket system: the embedded store alone, or a webhook beside it.
const (
	TicketStore   = "store"
	TicketWebhook = "webhook"
)

// Snapshot is what one conversation runs under. It is recorded in the
// conversation's history, so it is plain data, holds no secret and is bounded.
type Snapshot struct {
	Source  string `json:"source"`
	Dialect string `json:"dialect,omitempty"`
	// PolicyName is for people; Policy is what counts.
	PolicyName string `json:"policy_name"`
	Policy     Policy `json:"policy"`
	// Hours is nil where clocks count on the wall.
	Hours       *Hours            `json:"hours,omitempty"`
	Routing     Routing           `json:"routing"`
	Desk        string            `json:"desk,omitempty"`
	Title       string            `json:"title,omitempty"`
	Agents      []string          `json:"agents,omitempty"`
	Bots        []string          `json:"bots,omitempty"`
	Groups      map[string]string `json:"groups,omitempty"`
	RetryWindow Duration          `json:"retry_window"`
	// TicketKind is [TicketStore] or [TicketWebhook].
	TicketKind string `json:"ticket_kind"`
	// Desks are the names of all desks; empty: any name may be one.
	Desks []string `json:"desks,omitempty"`
	// Platform says that the source's platform takes commands from Parley.
	Platform bool `json:"platform,omitempty"`
}

// Config is what a [Book] is made of. Its zero value makes the book of a
// program without a configuration.
type Config struct {
	// Policies are what the configuration says of each policy by name;
	// default and demo exist without it.
	Policies map[string]Layer
	Hours    map[string]*Hours
	// Sources is nil for [DefaultSources].
	Sources []Source
	// Channels and Desks are the names that exist beside the channel log.
	Channels []string
	Desks    []string
	// TicketKind is empty for [TicketStore].
	TicketKind string
	// Demo gives every source the policy demo.
	Demo bool
}

// Book holds every source with the policy it follows. It does not change, and
// may be used by many goroutines.
type Book struct {
	sources   map[string]Source
	snapshots map[string]Snapshot
	policies  map[string]Policy
	unknown   Snapshot
}

// NewBook resolves and checks a configuration, references included. All that is
// wrong is in one joined error of *[signals.FieldError] whose fields are paths
// in the configuration file.
func NewBook(cfg Config) (*Book, error) {
	if cfg.Sources == nil {
		cfg.Sources = DefaultSources()
	}

	if cfg.TicketKind == "" {
		cfg.TicketKind = TicketStore
	}

	b := &binder{cfg: cfg, book: &Book{
		sources:   make(map[string]Source, len(cfg.Sources)),
		snapshots: make(map[string]Snapshot, len(cfg.Sources)),
		policies:  make(map[string]Policy, len(cfg.Policies)),
	}}

	b.policies()
	b.sources()

	if err := b.faults.err(); err != nil {
		return nil, err
	}

	return b.book, nil
}

// Snapshot returns what a conversation of this source runs under. A source that
// is not configured follows the policy default.
func (b *Book) Snapshot(source string) Snapshot {
	snapshot, ok := b.snapshots[source]
	if !ok {
		snapshot = b.unknown
		snapshot.Source = source
	}

	return snapshot.clone()
}

// Source returns a source by its name.
func (b *Book) Source(name string) (Source, bool) {
	source, ok := b.sources[name]

	return source.clone(), ok
}

// Sources returns all sources, by name.
func (b *Book) Sources() []Source {
	out := make([]Source, 0, len(b.sources))

	for _, name := range slices.Sorted(maps.Keys(b.sources)) {
		source := b.sources[name]
		out = append(out, source.clone())
	}

	return out
}

// Policy returns a policy by its name, as it is for a dialect without defaults
// of its own.
func (b *Book) Policy(name string) (Policy, bool) {
	p, ok := b.policies[name]

	return p.Clone(), ok
}

// Policies returns the names of all policies: default first, then demo, then
// the others in alphabetical order.
func (b *Book) Policies() []string { return policyNames(b.policies) }

func policyNames[V any](policies map[string]V) []string {
	names := []string{DefaultName, DemoName}

	for _, name := range slices.Sorted(maps.Keys(policies)) {
		if name != DefaultName && name != DemoName {
			names = append(names, name)
		}
	}

	return names
}

// binder makes a book and collects what is wrong with it.
type binder struct {
	cfg    Config
	book   *Book
	faults faults
}

func (b *binder) policies() {
	var inherited faults

	for _, name := range policyNames(b.cfg.Policies) {
		field := "policies." + name
		if !signals.ValidName(name) {
			b.faults.addf(field, "the name "+badName)
		}

		p, err := Resolve(b.cfg.Policies, name, "")
		if err != nil {
			b.faults.addf(field, "%s", err)

			continue
		}

		found := b.check(&p, field)

		if name == DefaultName {
			inherited = found
		} else {
			found = without(found, field, inherited, "policies."+DefaultName)
		}

		b.faults = append(b.faults, found...)
		b.book.policies[name] = p
	}

	p := b.book.policies[DefaultName]
	b.book.unknown = Snapshot{
		PolicyName: DefaultName, Policy: p, Hours: b.cfg.Hours[p.Hours], Routing: RoutingPlatform,
		RetryWindow: defaultRetryWindow, TicketKind: b.cfg.TicketKind,
	}
}

// without drops the faults that a policy only has from another, which are
// reported there.
func without(found faults, field string, inherited faults, origin string) faults {
	return slices.DeleteFunc(found, func(fault *signals.FieldError) bool {
		rest, _ := strings.CutPrefix(fault.Field, field)

		return slices.ContainsFunc(inherited, func(other *signals.FieldError) bool {
			return other.Field == origin+rest && other.Reason == fault.Reason
		})
	})
}

// check returns what is wrong with a policy, in itself and in what it names.
func (b *binder) check(p *Policy, field string) faults {
	var f faults

	p.validate(&f, field)

	if p.Hours != "" && b.cfg.Hours[p.Hours] == nil {
		f.addf(field+".hours", "there are no hours called %q", p.Hours)
	}

	for _, event := range slices.Sorted(maps.Keys(p.Notify)) {
		b.channels(&f, field+".notify."+string(event), p.Notify[event])
	}

	for _, push := range slices.Sorted(maps.Keys(p.Unreplied.FromPush)) {
		b.channels(&f, fmt.Sprintf("%s.unreplied.from_push.%d", field, push), p.Unreplied.FromPush[push])
	}

	if desk, ok := p.Accept.End.Desk(); ok {
		b.desk(&f, field+".accept.end", desk)
	}

	if desk, ok := p.Queue.End.Desk(); ok {
		b.desk(&f, field+".queue.end", desk)
	}

	return f
}

func (b *binder) channels(f *faults, field string, names []string) {
	for i, name := range names {
		if name != LogChannel && !slices.Contains(b.cfg.Channels, name) {
			f.addf(index(field, i), "there is no channel called %q", name)
		}
	}
}

func (b *binder) desk(f *faults, field, name string) {
	if !slices.Contains(b.cfg.Desks, name) {
		f.addf(field, "there is no desk called %q", name)
	}
}

func (b *binder) sources() {
	for i := range b.cfg.Sources {
		source := b.cfg.Sources[i].clone()
		if b.cfg.Demo {
			source.Policy = DemoName
		}

		b.source(&source, "sources."+source.Name)
	}
}

func (b *binder) source(source *Source, field string) {
	if _, twice := b.book.sources[source.Name]; twice {
		b.faults.addf(field, "is there twice")
	}

	source.validate(&b.faults, field)

	if source.Desk != "" {
		b.desk(&b.faults, field+".desk", source.Desk)
	}

	if source.Routing == RoutingDesk {
		for _, group := range slices.Sorted(maps.Keys(source.Groups)) {
			b.desk(&b.faults, field+".groups."+group, source.Groups[group])
		}
	}

	named, known := b.book.policies[source.Policy]
	if !known {
		if _, written := b.cfg.Policies[source.Policy]; !written {
			b.faults.addf(field+".policy", "there is no policy called %q", source.Policy)
		}

		return
	}

	p, err := Resolve(b.cfg.Policies, source.Policy, source.Dialect)
	if err != nil {
		b.faults.addf(field+".policy", "%s", err)

		return
	}

	// A dialect's own defaults may not go with what the policy says.
	bound := field + ".policy"
	b.faults = append(b.faults, without(b.check(&p, bound), bound, b.check(&named, bound), bound)...)

	snapshot := Snapshot{
		Source: source.Name, Dialect: source.Dialect, PolicyName: source.Policy, Policy: p, Hours: b.cfg.Hours[p.Hours],
		Routing: source.Routing, Desk: source.Desk, Title: source.Title, Agents: source.Agents, Bots: source.Bots,
		Groups: source.Groups, RetryWindow: source.RetryWindow, TicketKind: b.cfg.TicketKind, Desks: b.cfg.Desks,
		Platform: source.Command.Kind != "",
	}

	b.bounded(field, &snapshot)
	b.book.sources[source.Name] = *source
	b.book.snapshots[source.Name] = snapshot
}

func (b *binder) bounded(field string, snapshot *Snapshot) {
	data, err := json.Marshal(snapshot)
	if err != nil {
		b.faults.addf(field, "cannot be recorded: %s", err)

		return
	}

	if len(data) > maxSnapshot {
		b.faults.addf(field, "every run would carry %d bytes of it, at most %d: shorten agents, bots, groups, or its hours' holidays",
			len(data), maxSnapshot)
	}
}

// clone returns a copy that shares only the hours, which do not change.
func (s *Snapshot) clone() Snapshot {
	out := *s
	out.Policy = s.Policy.Clone()
	out.Agents = slices.Clone(s.Agents)
	out.Bots = slices.Clone(s.Bots)
	out.Groups = maps.Clone(s.Groups)
	out.Desks = slices.Clone(s.Desks)

	return out
}
