package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

func TestDefaultIsAsDocumented(t *testing.T) {
	t.Parallel()

	data, err := json.Marshal(policy.Default())
	require.NoError(t, err)
	require.JSONEq(t, `{
		"unreplied": {"mode": "own", "first": "5m", "repeat": "5m", "max": 4, "starts_on": ["text", "file", "rich", "form"],
			"bot_reply": "before_escalation", "typing_pause": "30s", "typing_pause_max": "2m", "reassign_after": 0, "from_push": {}},
		"accept": {"timeout": "30s", "rounds": 3, "pause": "30s", "end": "wait"},
		"reassign": {"after": "10m", "max": 3, "offline_grace": "1m"},
		"queue": {"max_wait": "30m", "abandon": "2m", "end": "offline"},
		"idle": {"warn": "0s", "close": "0s"},
		"closeout": {"grace": "2m", "ticket": "always", "skip_empty": true, "escalation": "reopen"},
		"limits": {"max_age": "720h"},
		"out_of_hours": "pause",
		"hours": "",
		"notify": {"unreplied.pushed": ["log"], "form.submitted": ["log"], "agents.unavailable": ["log"], "agent.reassigned": ["log"],
			"ticket.failed": ["log"]}
	}`, string(data))
}

func TestDemoIsDefaultButQuick(t *testing.T) {
	t.Parallel()

	want := policy.Default()
	want.Unreplied.First = duration(t, "5s")
	want.Unreplied.Repeat = duration(t, "5s")
	want.Closeout.Grace = duration(t, "5s")

	require.Equal(t, want, policy.Demo())
	require.NoError(t, want.Validate("demo"))
}

func TestPolicyJSONIsStable(t *testing.T) {
	t.Parallel()

	p := policy.Default()
	p.Unreplied.FromPush = map[int][]string{3: {"ops"}, 2: {"desk"}}

	first, err := json.Marshal(p)
	require.NoError(t, err)

	var back policy.Policy

	require.NoError(t, json.Unmarshal(first, &back))
	require.Equal(t, p, back)

	second, err := json.Marshal(back)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))
}

func TestPushChannels(t *testing.T) {
	t.Parallel()

	p := policy.Default()
	p.Notify[signals.UnrepliedPushed] = []string{"log", "desk"}
	p.Unreplied.FromPush = map[int][]string{2: {"ops"}, 3: {"desk", "boss"}}

	require.Equal(t, []string{"log", "desk"}, p.PushChannels(1))
	require.Equal(t, []string{"log", "desk", "ops"}, p.PushChannels(2))
	require.Equal(t, []string{"log", "desk", "ops", "boss"}, p.PushChannels(3))
	require.Equal(t, []string{"log", "desk", "ops", "boss"}, p.PushChannels(1<<40))
	require.Equal(t, []string{"log"}, p.Channels(signals.TicketFailed))
	require.Empty(t, p.Channels(signals.MessageReceived))
}

func TestStartsEpisode(t *testing.T) {
	t.Parallel()

	p := policy.Default()

	require.True(t, p.StartsEpisode(signals.KindForm))
	require.False(t, p.StartsEpisode(signals.KindCustom))
	require.False(t, p.StartsEpisode(signals.KindSystem))
}

func TestEndDesk(t *testing.T) {
	t.Parallel()

	desk, ok := policy.End("desk:billing").Desk()
	require.True(t, ok)
	require.Equal(t, "billing", desk)

	_, ok = policy.EndWait.Desk()
	require.False(t, ok)
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()

	p := policy.Default()
	p.Unreplied.FromPush[2] = []string{"ops"}
	clone := p.Clone()

	clone.Unreplied.StartsOn[0] = signals.KindCustom
	clone.Unreplied.FromPush[2][0] = "changed"
	clone.Unreplied.FromPush[3] = nil
	clone.Notify[signals.TicketFailed][0] = "changed"

	want := policy.Default()
	want.Unreplied.FromPush[2] = []string{"ops"}
	require.Equal(t, want, p)
}

func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct {
		want  string
		spoil func(p *policy.Policy)
	}{
		{"policies.vip.unreplied.max: must be at least 1", func(p *policy.Policy) { p.Unreplied.Max = 0 }},
		{"policies.vip.unreplied.max: must be at most 100", func(p *policy.Policy) { p.Unreplied.Max = 101 }},
		{"policies.vip.unreplied.mode: must be one of own, relay", func(p *policy.Policy) { p.Unreplied.Mode = "x" }},
		{"policies.vip.unreplied.bot_reply: must be one of", func(p *policy.Policy) { p.Unreplied.BotReply = "" }},
		{"policies.vip.unreplied.reassign_after: must be at least 0", func(p *policy.Policy) { p.Unreplied.ReassignAfter = -1 }},
		{"policies.vip.unreplied.starts_on[0]: must be one of text,", func(p *policy.Policy) {
			p.Unreplied.StartsOn = []signals.MessageKind{signals.KindSystem}
		}},
		{"policies.vip.unreplied.starts_on[1]: is there twice", func(p *policy.Policy) {
			p.Unreplied.StartsOn = []signals.MessageKind{signals.KindText, signals.KindText}
		}},
		{"policies.vip.unreplied.from_push.0: must be at least 1", func(p *policy.Policy) {
			p.Unreplied.FromPush = map[int][]string{0: {"ops"}}
		}},
		{"policies.vip.unreplied.from_push.2[1]: is there twice", func(p *policy.Policy) {
			p.Unreplied.FromPush = map[int][]string{2: {"ops", "ops"}}
		}},
		{"policies.vip.accept.rounds: must be at least 1", func(p *policy.Policy) { p.Accept.Rounds = 0 }},
		{"policies.vip.accept.end: must be one of wait, offline, close, desk:<name>", func(p *policy.Policy) { p.Accept.End = "x" }},
		{"policies.vip.accept.end: desk:<name>: the name must be", func(p *policy.Policy) { p.Accept.End = "desk:A B" }},
		{"policies.vip.queue.end: must be one of", func(p *policy.Policy) { p.Queue.End = "" }},
		{"policies.vip.reassign.max: must be at least 0", func(p *policy.Policy) { p.Reassign.Max = -1 }},
		{"policies.vip.idle.warn: must be less than close (1s)", func(p *policy.Policy) { p.Idle = policy.Idle{Warn: 1e9, Close: 1e9} }},
		{"policies.vip.closeout.ticket: must be one of", func(p *policy.Policy) { p.Closeout.Ticket = "sometimes" }},
		{"policies.vip.out_of_hours: must be one of pause, offline", func(p *policy.Policy) { p.OutOfHours = "" }},
		{"policies.vip.hours: must be of the form", func(p *policy.Policy) { p.Hours = "Office Hours" }},
		{"policies.vip.notify.ticket.faild: is no event", func(p *policy.Policy) { p.Notify["ticket.faild"] = []string{"log"} }},
		{"policies.vip.notify.unknown: is no event", func(p *policy.Policy) { p.Notify[signals.Unknown] = []string{"log"} }},
		{"policies.vip.notify.ticket.failed[0]: must be of the form", func(p *policy.Policy) {
			p.Notify[signals.TicketFailed] = []string{"#ops"}
		}},
		{"policies.vip.notify.ticket.failed: must be at most 20", func(p *policy.Policy) {
			p.Notify[signals.TicketFailed] = strings.Split(strings.Repeat("a,", 20)+"a", ",")
		}},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Parallel()

			p := policy.Default()
			tc.spoil(&p)

			err := p.Validate("policies.vip")
			require.ErrorContains(t, err, tc.want)

			var field *signals.FieldError

			require.ErrorAs(t, err, &field)
		})
	}
}

func TestValidateTellsAll(t *testing.T) {
	t.Parallel()

	p := policy.Default()
	p.Unreplied.Max = 0
	p.Accept.Rounds = 0

	err := p.Validate("p")
	require.ErrorContains(t, err, "p.unreplied.max")
	require.ErrorContains(t, err, "p.accept.rounds")

	require.NoError(t, new(policy.Default()).Validate("p"))
}

func duration(t *testing.T, text string) policy.Duration {
	t.Helper()

	d, err := policy.ParseDuration(text)
	require.NoError(t, err)

	return d
}
