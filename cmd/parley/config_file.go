package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parleyhq/parley/workflows/policy"
)

const (
	// configVariable names the file; without it the file is optional.
	configVariable = "PARLEY_CONFIG"
	// defaultConfigPath is read where configVariable is not set.
	defaultConfigPath = "parley.yaml"
	maxConfigBytes    = 1 << 20
)

// errConfigFile says that the configuration file cannot be used; the message
// has one line per fault, each with the file's name and the line's number.
var errConfigFile = errors.New("the configuration file cannot be used")

// lookupEnv is os.LookupEnv, or a test's own environment.
type lookupEnv func(name string) (string, bool)

// configFile is a checked configuration file, or the defaults where there is
// none.
type configFile struct {
	// Path is empty where there is no file.
	Path string
	// Channels are by name; log is there always.
	Channels map[string]channelConfig
	Tickets  ticketsConfig
	Network  networkConfig
	// Desks are as they are written.
	Desks map[string]policy.Desk
	// Variables are the environment variables that the file uses, in order of
	// appearance.
	Variables []string

	policies map[string]policy.Layer
	// calendars are the hours as they are written.
	calendars map[string]policy.Calendar
	hours     map[string]*policy.Hours
	// sources is nil where the file does not say.
	sources []policy.Source
	// desks are all of them, checked.
	desks   *policy.Desks
	decoder *decoder
}

// configForm is the file's outermost mapping.
type configForm struct {
	Policies      *node         `yaml:"policies"`
	Hours         *node         `yaml:"hours"`
	Sources       *node         `yaml:"sources"`
	Desks         *node         `yaml:"desks"`
	Channels      *node         `yaml:"channels"`
	Subscriptions *node         `yaml:"subscriptions"`
	Tickets       ticketsConfig `yaml:"tickets"`
	Network       networkConfig `yaml:"network"`
}

// findConfigFile loads the file that the environment names, else parley.yaml if
// that exists, else the defaults.
func findConfigFile(lookup lookupEnv) (*configFile, error) {
	if path, set := lookup(configVariable); set && path != "" {
		return loadConfigFile(path, lookup)
	}

	if _, err := os.Stat(defaultConfigPath); errors.Is(err, fs.ErrNotExist) {
		return loadConfigFile("", lookup)
	}

	return loadConfigFile(defaultConfigPath, lookup)
}

// loadConfigFile reads and checks a file; an empty path gives the defaults. Its
// errors are [errConfigFile].
func loadConfigFile(path string, lookup lookupEnv) (*configFile, error) {
	data, err := readConfig(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errConfigFile, err)
	}

	file, err := parseConfig(data, lookup)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%s", errConfigFile, inFile(path, err))
	}

	file.Path = path

	return file, nil
}

// Book returns the sources with their policies; demo gives every source the
// policy demo.
func (f *configFile) Book(demo bool) (*policy.Book, error) {
	book, err := policy.NewBook(policy.Config{
		Policies: f.policies, Hours: f.hours, Sources: f.sources, Demo: demo, TicketKind: f.Tickets.Kind,
		Channels: slices.Sorted(maps.Keys(f.Channels)), Desks: slices.Sorted(maps.Keys(f.Desks)),
	})
	if err != nil {
		return nil, fmt.Errorf("%w:\n%s", errConfigFile, inFile(f.Path, f.decoder.locate(err)))
	}

	return book, nil
}

func readConfig(path string) (data []byte, err error) {
	if path == "" {
		return nil, nil
	}

	file, err := os.Open(path)
	if err != nil {
		if reason, ok := errors.AsType[*fs.PathError](err); ok {
			err = reason.Err
		}

		return nil, fmt.Errorf("%s: %w", path, err)
	}

	defer func() { err = errors.Join(err, file.Close()) }()

	data, err = io.ReadAll(io.LimitReader(file, maxConfigBytes+1))

	switch {
	case err != nil:
		return nil, fmt.Errorf("read: %w", err)
	case len(data) > maxConfigBytes:
		return nil, fmt.Errorf("%w: %s is larger than 1 MiB", errConfigSize, path)
	default:
		return data, nil
	}
}

var errConfigSize = errors.New("too large")

// inFile writes faults as path:line: reason, one per line.
func inFile(path string, err error) string {
	lines := []string{}

	for _, fault := range flatten(err) {
		var at *lineError

		if errors.As(fault, &at) && at.line > 0 {
			lines = append(lines, fmt.Sprintf("%s:%d: %s", path, at.line, at.reason))

			continue
		}

		reason := fault.Error()
		if at != nil {
			reason = at.reason
		}

		lines = append(lines, strings.TrimPrefix(path+": "+reason, ": "))
	}

	return strings.Join(lines, "\n")
}

func parseConfig(data []byte, lookup lookupEnv) (*configFile, error) {
	if !utf8.Valid(data) {
		return nil, faultAt(1, "this is no UTF-8 text")
	}

	variables := &expander{lookup: lookup}

	root, err := parseTree(data, variables.expand)
	if err != nil {
		return nil, err
	}

	loader := &configLoader{
		decoder: newDecoder(),
		file: &configFile{
			Channels: map[string]channelConfig{policy.LogChannel: {Kind: channelLog}},
			Desks:    map[string]policy.Desk{}, Variables: variables.used,
			policies: map[string]policy.Layer{}, hours: map[string]*policy.Hours{},
			calendars: map[string]policy.Calendar{},
		},
	}

	return loader.load(root)
}

// configLoader turns the file's tree into a [configFile].
type configLoader struct {
	decoder *decoder
	checker checker
	file    *configFile
}

func (l *configLoader) load(root *node) (*configFile, error) {
	form := configForm{Tickets: ticketsConfig{Kind: policy.TicketStore}}

	l.decoder.decode(root, &form, "")

	for _, section := range []struct {
		name string
		node *node
		take func(name, field string, n *node)
	}{
		{"hours", form.Hours, l.calendar},
		{"policies", form.Policies, l.policy},
		{"desks", form.Desks, l.desk},
		{"channels", form.Channels, l.channel},
		{"sources", form.Sources, l.source},
	} {
		l.each(section.name, section.node, section.take)
	}

	if form.Sources != nil && l.file.sources == nil {
		l.file.sources = []policy.Source{}
	}

	if form.Subscriptions != nil {
		l.checker.addf("subscriptions", "are not available in this version")
	}

	l.file.Tickets, l.file.Network = form.Tickets, form.Network
	l.checker.tickets("tickets", &l.file.Tickets)
	l.checker.network("network", &l.file.Network)

	return l.finish()
}

// finish checks what refers to each other, unless the file could not be read.
func (l *configLoader) finish() (*configFile, error) {
	l.file.decoder = l.decoder

	if err := l.decoder.err(); err != nil {
		return nil, err
	}

	faults := l.checker.faults

	_, err := policy.NewBook(policy.Config{
		Policies: l.file.policies, Hours: l.file.hours, Sources: l.file.sources, TicketKind: l.file.Tickets.Kind,
		Channels: slices.Sorted(maps.Keys(l.file.Channels)), Desks: slices.Sorted(maps.Keys(l.file.Desks)),
	})
	if err != nil {
		faults = append(faults, err)
	}

	l.file.desks, err = policy.NewDesks(l.file.Desks, l.file.hours)
	if err != nil {
		faults = append(faults, err)
	}

	if err := errors.Join(faults...); err != nil {
		return nil, l.decoder.locate(err)
	}

	return l.file, nil
}

// each hands the named parts of a section to take, in the file's order.
func (l *configLoader) each(section string, n *node, take func(name, field string, n *node)) {
	if n == nil || n.kind == nullNode || !l.decoder.want(n, mapNode, section) {
		return
	}

	for _, entry := range n.entries {
		field := join(section, entry.key)
		l.decoder.lines[field] = entry.line
		take(entry.key, field, entry.value)
	}
}

func (l *configLoader) calendar(name, field string, n *node) {
	l.checker.name(field, name)

	var calendar policy.Calendar

	l.decoder.decode(n, &calendar, field)

	hours, err := calendar.Hours(field)
	if err != nil {
		l.checker.faults = append(l.checker.faults, err)
		// It exists, so that no policy is blamed for naming it.
		hours = &policy.Hours{}
	}

	l.file.hours[name] = hours
	l.file.calendars[name] = calendar
}

func (l *configLoader) policy(name, field string, n *node) {
	// The first reading tells what is wrong; it does not depend on the policy
	// that it is laid over.
	l.decoder.decode(n, new(policy.Default()), field)

	l.file.policies[name] = func(p *policy.Policy) error {
		decoder := newDecoder()
		decoder.decode(n, p, field)

		return decoder.err()
	}
}

func (l *configLoader) desk(name, field string, n *node) {
	desk := policy.NewDesk()

	l.decoder.decode(n, &desk, field)
	l.checker.desk(field, &desk)
	l.file.Desks[name] = desk
}

func (l *configLoader) channel(name, field string, n *node) {
	l.checker.name(field, name)

	var channel channelConfig

	l.decoder.decode(n, &channel, field)
	l.checker.channel(field, &channel)
	l.file.Channels[name] = channel
}

func (l *configLoader) source(name, field string, n *node) {
	source := policy.NewSource(name)

	l.decoder.decode(n, &source, field)
	l.file.sources = append(l.file.sources, source)
}
