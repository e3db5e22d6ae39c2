package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

func deskHours(t *testing.T) *policy.Hours {
	t.Helper()

	calendar := policy.Calendar{
		Zone: "Europe/Berlin", Days: map[string][]string{"mon-fri": {"09:00-12:00", "12:00-18:00"}}, Holidays: []string{"2026-12-25"},
	}

	hours, err := calendar.Hours("hours.office")
	require.NoError(t, err)

	return hours
}

func TestDeskSnapshot(t *testing.T) {
	t.Parallel()

	desk := policy.NewDesk()
	desk.Strategy, desk.Hours, desk.Slots, desk.SkillWait = policy.StrategyPriority, "office", 3, policy.Duration(time.Minute)
	desk.Assign.URL, desk.Assign.Secret = "https://assign.example.com/?key=s3cret", "hidden"
	desk.Agents = []policy.DeskAgent{{ID: "smith", Skills: []string{"billing"}}, {ID: "jones", Slots: 1, Status: signals.AgentOffline}}

	hours := map[string]*policy.Hours{"office": deskHours(t)}
	desks, err := policy.NewDesks(map[string]policy.Desk{"support": desk}, hours)
	require.NoError(t, err)
	require.Equal(t, []string{"support"}, desks.Names())

	snapshot := desks.Snapshot("support")
	require.Equal(t, []policy.DeskAgent{
		{ID: "smith", Slots: 3, Skills: []string{"billing"}, Status: signals.AgentAccepting},
		{ID: "jones", Slots: 1, Status: signals.AgentOffline},
	}, snapshot.Agents)
	require.True(t, snapshot.Asks)
	require.Equal(t, 5*time.Second, snapshot.AskTimeout.Std())
	require.NotNil(t, snapshot.Hours)

	data, err := json.Marshal(snapshot)
	require.NoError(t, err)
	require.NotContains(t, string(data), "hidden")
	require.NotContains(t, string(data), "s3cret", "the address is a secret, too")
	require.NotContains(t, desk.LogValue().String(), "s3cret")

	var again policy.DeskSnapshot

	require.NoError(t, json.Unmarshal(data, &again))

	twice, err := json.Marshal(again)
	require.NoError(t, err)
	require.JSONEq(t, string(data), string(twice))

	// What is handed out is nobody else's.
	snapshot.Agents[0].Skills[0] = "changed"
	require.Equal(t, "billing", desks.Snapshot("support").Agents[0].Skills[0])

	home, ok := desks.Home("jones")
	require.True(t, ok)
	require.Equal(t, "support", home)

	_, ok = desks.Home("nobody")
	require.False(t, ok)

	kept, ok := desks.Desk("support")
	require.True(t, ok)
	require.Equal(t, "hidden", kept.Assign.Secret)

	unknown := desks.Snapshot("other")
	require.Equal(t, policy.StrategyLeastBusy, unknown.Strategy)
	require.Equal(t, 1, unknown.Slots)
	require.Empty(t, unknown.Agents)
}

func TestDeskFaults(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		change func(desk *policy.Desk)
		want   string
	}{
		"strategy":      {func(d *policy.Desk) { d.Strategy = "random" }, "desks.support.strategy"},
		"slots":         {func(d *policy.Desk) { d.Slots = 0 }, "desks.support.slots"},
		"hours":         {func(d *policy.Desk) { d.Hours = "night" }, `desks.support.hours`},
		"no id":         {func(d *policy.Desk) { d.Agents[0].ID = "" }, "desks.support.agents[0].id"},
		"twice":         {func(d *policy.Desk) { d.Agents = append(d.Agents, d.Agents[0]) }, "desks.support.agents[1].id"},
		"agent's slots": {func(d *policy.Desk) { d.Agents[0].Slots = -1 }, "desks.support.agents[0].slots"},
		"status":        {func(d *policy.Desk) { d.Agents[0].Status = "busy" }, "desks.support.agents[0].status"},
		"skill":         {func(d *policy.Desk) { d.Agents[0].Skills = []string{""} }, "desks.support.agents[0].skills[0]"},
		"skill's tab":   {func(d *policy.Desk) { d.Agents[0].Skills = []string{"a\tb"} }, "desks.support.agents[0].skills[0]"},
		"skills":        {func(d *policy.Desk) { d.Agents[0].Skills = make([]string, 21) }, "desks.support.agents[0].skills:"},
		"priority":      {func(d *policy.Desk) { d.Agents[0].Priority = 1001 }, "desks.support.agents[0].priority"},
		"name":          {func(d *policy.Desk) { d.Agents[0].Name = strings.Repeat("x", 81) }, "desks.support.agents[0].name"},
		"timeout":       {func(d *policy.Desk) { d.Assign = policy.DeskAssign{URL: "x"} }, "desks.support.assign.timeout"},
		"two desks":     {func(d *policy.Desk) { d.Agents[0].ID = "other" }, "desks.support.agents[0]"},
		"many": {func(d *policy.Desk) {
			for i := range 500 {
				d.Agents = append(d.Agents, policy.DeskAgent{ID: fmt.Sprintf("agent-%d", i)})
			}
		}, "desks.support.agents:"},
		"large": {func(d *policy.Desk) {
			for i := range 400 {
				d.Agents = append(d.Agents, policy.DeskAgent{ID: fmt.Sprintf("%d%s", i, strings.Repeat("<", 200))})
			}
		}, "desks.support: every run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			desk, other := policy.NewDesk(), policy.NewDesk()
			desk.Agents = []policy.DeskAgent{{ID: "smith"}}
			other.Agents = []policy.DeskAgent{{ID: "other"}}
			test.change(&desk)

			_, err := policy.NewDesks(map[string]policy.Desk{"support": desk, "billing": other}, nil)
			require.ErrorContains(t, err, test.want)
		})
	}

	_, err := policy.NewDesks(map[string]policy.Desk{"No": policy.NewDesk()}, nil)
	require.ErrorContains(t, err, "desks.No")
}

func TestHoursChange(t *testing.T) {
	t.Parallel()

	hours := deskHours(t)

	for from, want := range map[string]string{
		"2026-12-24T07:59:59Z": "2026-12-24T08:00:00Z",
		"2026-12-24T08:00:00Z": "2026-12-24T17:00:00Z", // the two windows touch
		"2026-12-24T11:30:00Z": "2026-12-24T17:00:00Z",
		"2026-12-24T17:00:00Z": "2026-12-28T08:00:00Z", // a holiday and a weekend
	} {
		at, err := time.Parse(time.RFC3339, from)
		require.NoError(t, err)

		change, ok := hours.Change(at)
		require.True(t, ok)
		require.Equal(t, want, change.UTC().Format(time.RFC3339), from)
		require.NotEqual(t, hours.Open(at), hours.Open(change))
	}

	_, ok := (*policy.Hours)(nil).Change(time.Now())
	require.False(t, ok)
}
