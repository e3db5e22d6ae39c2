package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

func TestBookWithoutConfiguration(t *testing.T) {
	t.Parallel()

	book, err := policy.NewBook(policy.Config{})
	require.NoError(t, err)

	names := make([]string, 0)

	for _, source := range book.Sources() {
		require.Equal(t, source.Name, source.Dialect)
		require.Equal(t, "default", source.Policy)
		require.Equal(t, policy.RoutingPlatform, source.Routing)
		require.Equal(t, 2*time.Minute, source.RetryWindow.Std())
		require.Equal(t, time.UTC.String(), source.Location().String())
		require.Empty(t, source.Secrets)

		names = append(names, source.Name)
	}

	require.Equal(t, []string{"acquire", "inbenta", "livechat", "parley", "pypestream", "twt"}, names)
	require.Equal(t, []string{"default", "demo"}, book.Policies())

	snapshot := book.Snapshot("livechat")
	require.Equal(t, policy.Default(), snapshot.Policy)
	require.Nil(t, snapshot.Hours)
	require.Equal(t, policy.TicketStore, snapshot.TicketKind)
	require.Equal(t, policy.ModeRelay, book.Snapshot("twt").Policy.Unreplied.Mode)
}

func TestBookDemo(t *testing.T) {
	t.Parallel()

	book, err := policy.NewBook(policy.Config{Demo: true})
	require.NoError(t, err)

	for _, source := range book.Sources() {
		require.Equal(t, "demo", source.Policy)
		require.Equal(t, 5*time.Second, book.Snapshot(source.Name).Policy.Unreplied.First.Std())
	}
}

func TestUnknownSourceFollowsDefault(t *testing.T) {
	t.Parallel()

	book, err := policy.NewBook(policy.Config{
		Policies: map[string]policy.Layer{"default": func(p *policy.Policy) error {
			p.Unreplied.Max = 9

			return nil
		}},
		TicketKind: policy.TicketWebhook,
	})
	require.NoError(t, err)

	snapshot := book.Snapshot("nobody")
	require.Equal(t, "nobody", snapshot.Source)
	require.Equal(t, 9, snapshot.Policy.Unreplied.Max)
	require.Equal(t, policy.RoutingPlatform, snapshot.Routing)
	require.Equal(t, policy.TicketWebhook, snapshot.TicketKind)

	_, known := book.Source("nobody")
	require.False(t, known)
}

func TestSnapshotRoundTrip(t *testing.T) {
	t.Parallel()

	book := fullBook(t)
	snapshot := book.Snapshot("shop")

	first, err := json.Marshal(snapshot)
	require.NoError(t, err)
	require.Less(t, len(first), 3<<10, "every run's history carries it")
	require.NotContains(t, string(first), "s3cret")

	var back policy.Snapshot

	require.NoError(t, json.Unmarshal(first, &back))

	second, err := json.Marshal(back)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))

	monday := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	require.Equal(t, snapshot.Hours.Add(monday, 5*time.Hour), back.Hours.Add(monday, 5*time.Hour))

	snapshot.Hours, back.Hours = nil, nil
	require.Equal(t, snapshot, back)
}

func TestBookCannotBeChanged(t *testing.T) {
	t.Parallel()

	book := fullBook(t)

	snapshot := book.Snapshot("shop")
	snapshot.Agents[0] = "changed"
	snapshot.Groups["2"] = "changed"
	snapshot.Policy.Notify[signals.TicketFailed][0] = "changed"

	source, _ := book.Source("shop")
	source.Secrets[0] = "changed"

	p, _ := book.Policy("vip")
	p.Notify[signals.TicketFailed][0] = "changed"

	again := book.Snapshot("shop")
	require.Equal(t, "smith@example.com", again.Agents[0])
	require.Equal(t, "billing", again.Groups["2"])
	require.Equal(t, "ops", again.Policy.Notify[signals.TicketFailed][0])

	source, _ = book.Source("shop")
	require.Equal(t, "s3cret", source.Secrets[0])
}

func TestSourceKeepsSecretsOutOfLogs(t *testing.T) {
	t.Parallel()

	source, ok := fullBook(t).Source("shop")
	require.True(t, ok)
	require.NotContains(t, source.LogValue().String(), "s3cret")

	data, err := json.Marshal(source)
	require.NoError(t, err)
	require.NotContains(t, string(data), "s3cret")
}

func TestBookRefuses(t *testing.T) {
	t.Parallel()

	edit := func(change func(s *policy.Source)) policy.Config {
		source := policy.NewSource("livechat")
		change(&source)

		return policy.Config{Sources: []policy.Source{source}}
	}
	layer := func(change func(p *policy.Policy)) policy.Config {
		return policy.Config{Policies: map[string]policy.Layer{"vip": func(p *policy.Policy) error {
			change(p)

			return nil
		}}}
	}

	for _, tc := range []struct {
		want string
		cfg  policy.Config
	}{
		{"sources.livechat.policy: there is no policy called \"vip\"", edit(func(s *policy.Source) { s.Policy = "vip" })},
		{"sources.livechat.dialect: must be one of livechat, pypestream", edit(func(s *policy.Source) { s.Dialect = "icq" })},
		{"sources.livechat.routing: must be one of platform, desk", edit(func(s *policy.Source) { s.Routing = "" })},
		{"sources.livechat.desk: there is no desk called \"support\"", edit(func(s *policy.Source) { s.Desk = "support" })},
		{"sources.livechat.desk: is missing", edit(func(s *policy.Source) { s.Routing = policy.RoutingDesk })},
		{"sources.livechat.groups.2: there is no desk called \"billing\"", edit(func(s *policy.Source) {
			s.Routing, s.Groups = policy.RoutingDesk, map[string]string{"2": "billing"}
		})},
		{"sources.livechat.groups.2: must be of the form", edit(func(s *policy.Source) { s.Groups = map[string]string{"2": "B B"} })},
		{"sources.livechat.secrets[0]: is empty", edit(func(s *policy.Source) { s.Secrets = []string{""} })},
		{"sources.livechat.secrets: must be at most 10", edit(func(s *policy.Source) { s.Secrets = make([]string, 11) })},
		{"sources.livechat.zone: unknown time zone", edit(func(s *policy.Source) { s.Zone = "Europe/Atlantis" })},
		{"sources.livechat.title: must be at most 200", edit(func(s *policy.Source) { s.Title = strings.Repeat("x", 201) })},
		{"sources.livechat.retry_window: must be at most 24h", edit(func(s *policy.Source) { s.RetryWindow = policy.Duration(25 * time.Hour) })},
		{"sources.livechat.agents[0]: must be 1 to 200 bytes", edit(func(s *policy.Source) { s.Agents = []string{""} })},
		{"sources.livechat.bots[0]: is among the agents too", edit(func(s *policy.Source) { s.Agents, s.Bots = []string{"x"}, []string{"x"} })},
		{"sources.livechat: every run would carry", edit(func(s *policy.Source) {
			for range 400 {
				s.Agents = append(s.Agents, strings.Repeat("x", 100))
			}
		})},
		{"sources.Live Chat: the name must be", policy.Config{Sources: []policy.Source{policy.NewSource("Live Chat")}}},
		{"sources.twt: is there twice", policy.Config{Sources: []policy.Source{policy.NewSource("twt"), policy.NewSource("twt")}}},
		{"sources.twt.policy.idle.warn: must be less than close (24h)", policy.Config{
			Policies: map[string]policy.Layer{"default": func(p *policy.Policy) error {
				p.Idle.Warn = policy.Duration(48 * time.Hour)

				return nil
			}},
		}},
		{"policies.vip.unreplied.max: must be at least 1", layer(func(p *policy.Policy) { p.Unreplied.Max = 0 })},
		{"policies.vip.hours: there are no hours called \"office\"", layer(func(p *policy.Policy) { p.Hours = "office" })},
		{"policies.vip.notify.ticket.failed[0]: there is no channel called \"ops\"", layer(func(p *policy.Policy) {
			p.Notify[signals.TicketFailed] = []string{"ops"}
		})},
		{"policies.vip.unreplied.from_push.3[0]: there is no channel called \"ops\"", layer(func(p *policy.Policy) {
			p.Unreplied.FromPush[3] = []string{"ops"}
		})},
		{"policies.vip.accept.end: there is no desk called \"night\"", layer(func(p *policy.Policy) { p.Accept.End = "desk:night" })},
		{"policies.vip.queue.end: there is no desk called \"night\"", layer(func(p *policy.Policy) { p.Queue.End = "desk:night" })},
		{"policies.V I P: the name must be", policy.Config{Policies: map[string]policy.Layer{"V I P": nil}}},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Parallel()

			_, err := policy.NewBook(tc.cfg)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestInheritedFaultsAreToldOnce(t *testing.T) {
	t.Parallel()

	_, err := policy.NewBook(policy.Config{Policies: map[string]policy.Layer{
		"default": func(p *policy.Policy) error {
			p.Unreplied.Max = 0

			return nil
		},
		"vip": nil,
	}})
	require.EqualError(t, err, "policies.default.unreplied.max: must be at least 1")
}

func fullBook(t *testing.T) *policy.Book {
	t.Helper()

	calendar := policy.Calendar{
		Zone: "Europe/Berlin", Days: map[string][]string{"mon-fri": {"09:00-12:30", "13:30-18:00"}},
		Holidays: []string{"2026-12-25"},
	}
	hours, err := calendar.Hours("hours.office")
	require.NoError(t, err)

	source := policy.NewSource("shop")
	source.Dialect = policy.DialectLiveChat
	source.Secrets = []string{"s3cret"}
	source.Policy = "vip"
	source.Title = "My shop"
	source.Desk = "support"
	source.Agents = []string{"smith@example.com"}
	source.Groups = map[string]string{"2": "billing"}

	book, err := policy.NewBook(policy.Config{
		Policies: map[string]policy.Layer{"vip": func(p *policy.Policy) error {
			p.Hours = "office"
			p.Notify[signals.TicketFailed] = []string{"ops"}

			return nil
		}},
		Hours: map[string]*policy.Hours{"office": hours}, Sources: []policy.Source{source},
		Channels: []string{"ops"}, Desks: []string{"support"},
	})
	require.NoError(t, err)

	return book
}
