package scenarios_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// scenario is one file.
type scenario struct {
	Name   string         `yaml:"name"`
	Rule   string         `yaml:"rule"`
	Source source         `yaml:"source"`
	Policy map[string]any `yaml:"policy"`
	Steps  []step         `yaml:"steps"`
}

// source is what a scenario says of the connected account.
type source struct {
	Dialect string            `yaml:"dialect"`
	Routing policy.Routing    `yaml:"routing"`
	Title   string            `yaml:"title"`
	Groups  map[string]string `yaml:"groups"`
	Hours   *hours            `yaml:"hours"`
	Tickets string            `yaml:"tickets"`
	Desk    string            `yaml:"desk"`
	Desks   []string          `yaml:"desks"`
	// Platform says that the platform takes commands.
	Platform bool `yaml:"platform"`
	// Closed is when the session before closed, Threads what it had.
	Closed  *policyTime `yaml:"closed"`
	Threads []string    `yaml:"threads"`
}

// hours is a [policy.Calendar] with its days apart.
type hours struct {
	Zone     string              `yaml:"zone"`
	Holidays []string            `yaml:"holidays"`
	Days     map[string][]string `yaml:"days"`
}

// step is one thing that happens; see the package comment.
type step struct {
	At      *policyTime `yaml:"at"`
	Event   event       `yaml:",inline"`
	Batch   []event     `yaml:"batch"`
	Tick    *policyTime `yaml:"tick"`
	Outage  *policyTime `yaml:"outage"`
	Sleep   *policyTime `yaml:"sleep"`
	Command string      `yaml:"command"`
	Agent   string      `yaml:"agent"`
	By      string      `yaml:"by"`
	Reason  string      `yaml:"reason"`
	Until   *policyTime `yaml:"until"`
	// Desk, Group, Skill and Priority belong to the commands transfer and escalate.
	Desk     string `yaml:"desk"`
	Group    string `yaml:"group"`
	Skill    string `yaml:"skill"`
	Priority string `yaml:"priority"`
	Refused  string `yaml:"refused"`
	// Offer is what the desk says.
	Offer  *offer    `yaml:"offer"`
	Expect *expected `yaml:"expect"`
}

// offer is a desk's word; what it leaves out is that it answers the newest
// statement, with the next attempt. Number 1 is the conversation's first
// statement.
type offer struct {
	Kind    signals.OfferKind `yaml:"kind"`
	Desk    string            `yaml:"desk"`
	Session int               `yaml:"session"`
	Number  int64             `yaml:"number"`
	Attempt int64             `yaml:"attempt"`
	Agent   string            `yaml:"agent"`
	Round   int               `yaml:"round"`
	Until   *policyTime       `yaml:"until"`
	Free    bool              `yaml:"free"`
	Reason  string            `yaml:"reason"`
}

type event struct {
	Type   signals.Type   `yaml:"type"`
	From   string         `yaml:"from"`
	Text   string         `yaml:"text"`
	ID     string         `yaml:"id"`
	Thread string         `yaml:"thread"`
	Said   *policyTime    `yaml:"said"`
	With   map[string]any `yaml:"with"`
}

// expected is what a scenario expects of the conversation; what it leaves out
// may be anything.
type expected struct {
	Status    *signals.Status       `yaml:"status"`
	Unreplied *bool                 `yaml:"unreplied"`
	Since     *policyTime           `yaml:"since"`
	Pushes    *int                  `yaml:"push_times"`
	Agent     *string               `yaml:"agent"`
	Desk      *string               `yaml:"desk"`
	Tags      *[]string             `yaml:"tags"`
	Present   *[]string             `yaml:"present"`
	Messages  *map[string]int64     `yaml:"messages"`
	Counts    *map[string]int64     `yaml:"counts"`
	Clocks    map[string]policyTime `yaml:"clocks"`
	Orders    *[]string             `yaml:"orders"`
	Asks      *[]string             `yaml:"asks"`
	Offered   *string               `yaml:"offered"`
	Invited   *[]string             `yaml:"invited"`
	Timeline  []string              `yaml:"timeline"`
	Untold    []string              `yaml:"untold"`
	Ticket    *ticket               `yaml:"ticket"`
	Session   *int                  `yaml:"session"`
	// Before is the session before.
	Before *before `yaml:"before"`
}

// before is what a scenario expects of the session before the present one.
type before struct {
	// Reason is empty where the platform gave none.
	Reason    string `yaml:"reason"`
	Unreplied bool   `yaml:"unreplied"`
}

type ticket struct {
	Status     string    `yaml:"status"`
	Reason     string    `yaml:"reason"`
	Unreplied  *bool     `yaml:"unreplied"`
	Transcript *[]string `yaml:"transcript"`
}

// policyTime is an offset from the start of a scenario, such as +5m30s.
type policyTime time.Duration

func (p *policyTime) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(bytes.TrimPrefix(text, []byte("+"))))
	if err != nil {
		return fmt.Errorf("an offset such as +5m30s: %w", err)
	}

	*p = policyTime(parsed)

	return nil
}

func load(t *testing.T, path string) scenario {
	t.Helper()

	data, err := os.ReadFile(path)
	require.NoError(t, err)

	var s scenario

	require.NoError(t, yaml.UnmarshalWithOptions(data, &s, yaml.Strict()), path)
	require.NotEmpty(t, s.Name)
	require.NotEmpty(t, s.Rule)
	require.NotEmpty(t, s.Steps)

	return s
}

// under is the policy of a scenario: the defaults of its dialect and what it
// changes of them.
func (s *scenario) under(t *testing.T) policy.Snapshot {
	t.Helper()

	p := policy.DefaultFor(s.Source.Dialect)

	if len(s.Policy) > 0 {
		data, err := yaml.Marshal(s.Policy)
		require.NoError(t, err)
		require.NoError(t, yaml.UnmarshalWithOptions(data, &p, yaml.Strict()))
	}

	snapshot := policy.Snapshot{
		Source: key().Source, Dialect: s.Source.Dialect, PolicyName: "scenario", Policy: p, Routing: s.Source.Routing,
		Title: s.Source.Title, Groups: s.Source.Groups, RetryWindow: policy.Duration(2 * time.Minute), TicketKind: s.Source.Tickets,
		Desk: s.Source.Desk, Desks: s.Source.Desks, Platform: s.Source.Platform,
	}

	if s.Source.Hours != nil {
		calendar := policy.Calendar{Zone: s.Source.Hours.Zone, Holidays: s.Source.Hours.Holidays, Days: s.Source.Hours.Days}
		open, err := calendar.Hours("hours")
		require.NoError(t, err)

		snapshot.Hours = open
	}

	return snapshot
}
