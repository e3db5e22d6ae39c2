package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFaultsNameTheLine(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct {
		name, text, want string
	}{
		{"unknown section", "polices: {}\n", "parley.yaml:1: polices: unknown key; did you mean policies?"},
		{
			"unknown key", "policies:\n  vip:\n    unreplied:\n      frist: 5m\n",
			"parley.yaml:4: policies.vip.unreplied.frist: unknown key; did you mean first?",
		},
		{"unknown key, nothing near", "tickets: {colour: red}\n", "tickets.colour: unknown key; known are kind, url, secret"},
		{
			"unknown key of a source", "sources:\n  livechat:\n    polcy: x\n",
			"parley.yaml:3: sources.livechat.polcy: unknown key; did you mean policy?",
		},
		{"unknown key in a flow", "desks: {a: {agents: [{id: x, slot: 3}]}}\n", "desks.a.agents[0].slot: unknown key; did you mean slots?"},
		{"out of range", "policies:\n  vip:\n    unreplied: {max: 0}\n", "parley.yaml:3: policies.vip.unreplied.max: must be at least 1"},
		{"no number", "policies:\n  vip:\n    unreplied: {max: many}\n", "parley.yaml:3: policies.vip.unreplied.max: must be a whole number"},
		{"a fraction", "policies: {vip: {unreplied: {max: 1.5}}}\n", "policies.vip.unreplied.max: must be a whole number"},
		{"no boolean", "policies: {vip: {closeout: {skip_empty: maybe}}}\n", "policies.vip.closeout.skip_empty: must be true or false"},
		{
			"no unit", "policies:\n  default: {idle: {warn: 5}}\n",
			"parley.yaml:2: policies.default.idle.warn: not a duration: \"5\", which must be a number with a unit",
		},
		{"negative", "policies: {default: {idle: {warn: -5s}}}\n", "policies.default.idle.warn: not a duration: \"-5s\" is negative"},
		{"a list for a value", "policies: {default: {idle: {warn: [5s]}}}\n", "policies.default.idle.warn: must be a single value, not a list"},
		{"a value for a list", "sources: {livechat: {secrets: x}}\n", "sources.livechat.secrets: must be a list, not a single value"},
		{"a value for a mapping", "policies: {default: 5m}\n", "policies.default: must be a mapping, not a single value"},
		{"a list for a section", "sources: [livechat]\n", "sources: must be a mapping, not a list"},
		{"an empty element", "sources:\n  livechat:\n    secrets:\n      -\n", "sources.livechat.secrets[0]: is empty"},
		{"a root that is a list", "- a\n", "must be a mapping, not a list"},
		{
			"a push that is no number", "policies: {vip: {unreplied: {from_push: {third: [log]}}}}\n",
			"policies.vip.unreplied.from_push.third: the key must be a whole number",
		},
		{
			"a push that never comes", "policies: {vip: {unreplied: {from_push: {0: [log]}}}}\n",
			"policies.vip.unreplied.from_push.0: must be at least 1",
		},
		{"unknown event", "policies: {vip: {notify: {ticket.faild: [log]}}}\n", "policies.vip.notify.ticket.faild: is no event"},
		{
			"unknown channel", "policies:\n  vip:\n    notify:\n      ticket.failed: [ops]\n",
			"parley.yaml:4: policies.vip.notify.ticket.failed[0]: there is no channel called \"ops\"",
		},
		{"unknown hours", "policies:\n  vip:\n    hours: office\n", "parley.yaml:3: policies.vip.hours: there are no hours called \"office\""},
		{
			"unknown policy", "sources:\n  livechat:\n    policy: vip\n",
			"parley.yaml:3: sources.livechat.policy: there is no policy called \"vip\"",
		},
		{
			"unknown desk", "sources:\n  livechat:\n    desk: support\n",
			"parley.yaml:3: sources.livechat.desk: there is no desk called \"support\"",
		},
		{"unknown hours of a desk", "desks: {a: {hours: office}}\n", "desks.a.hours: there are no hours called \"office\""},
		{"an agent without an id", "desks: {a: {agents: [{slots: 2}]}}\n", "desks.a.agents[0].id: must be 1 to 255 bytes"},
		{"negative slots", "desks: {a: {agents: [{id: x, slots: -1}]}}\n", "desks.a.agents[0].slots: must be from 0 to 1000"},
		{"an agent on two desks", "desks: {a: {agents: [{id: x}]}, b: {agents: [{id: x}]}}\n", "desks.b.agents[0]: is on the desk a too"},
		{"unknown strategy", "desks:\n  a: {strategy: fair}\n", "parley.yaml:2: desks.a.strategy: must be one of least_busy,"},
		{"an assignment of another scheme", "desks: {a: {assign: {url: \"ftp://x.example\"}}}\n", "desks.a.assign.url: must be an address"},
		{"an assignment secret alone", "desks: {a: {assign: {secret: x}}}\n", "desks.a.assign.url: is missing"},
		{
			"a long assignment", "desks: {a: {assign: {url: \"https://x.example\", timeout: 8s}}}\n",
			"desks.a.assign.timeout: must be more than 0s and at most 5s",
		},
		{"no dialect", "sources:\n  shop: {policy: default}\n", "parley.yaml:2: sources.shop.dialect: must be one of livechat,"},
		{"a bad name of a source", "sources: {My Shop: {dialect: livechat}}\n", "sources.My Shop: the name must be of the form"},
		{"a bad name of a policy", "policies: {VIP: {}}\n", "policies.VIP: the name must be of the form"},
		{"a bad name of hours", "hours: {Office: {zone: UTC, mon: [\"09:00-10:00\"]}}\n", "hours.Office: the name must be of the form"},
		{"a bad name of a desk", "desks: {a_b: {}}\n", "desks.a_b: the name must be of the form"},
		{"a bad name of a channel", "channels: {\"#ops\": {kind: log}}\n", "channels.#ops: the name must be of the form"},
		{
			"a bad day", "hours:\n  office:\n    zone: UTC\n    monday: [\"09:00-10:00\"]\n",
			"parley.yaml:4: hours.office.monday: is no day; days are mon,",
		},
		{"a bad window", "hours:\n  office:\n    zone: UTC\n    mon: [\"9-5\"]\n", "parley.yaml:4: hours.office.mon[0]: not a window: \"9-5\""},
		{
			"a window that is no list", "hours: {office: {zone: UTC, mon: \"09:00-10:00\"}}\n",
			"hours.office.mon: must be a list, not a single value",
		},
		{"never open", "hours:\n  office: {zone: UTC}\n", "parley.yaml:2: hours.office: never opens within two years"},
		{
			"later channel", "channels:\n  ops: {kind: slack}\n",
			"parley.yaml:2: channels.ops.kind: slack is not available in this version; available are log and webhook",
		},
		{"unknown channel kind", "channels: {ops: {kind: webhok}}\n", "channels.ops.kind: unknown kind \"webhok\"; did you mean webhook?"},
		{"no channel kind", "channels: {ops: {}}\n", "channels.ops.kind: is missing"},
		{"a log with an address", "channels: {ops: {kind: log, url: \"https://x.example\"}}\n", "channels.ops: the log has no url"},
		{"a webhook without an address", "channels: {ops: {kind: webhook}}\n", "channels.ops.url: is missing"},
		{
			"an address of another scheme", "channels: {ops: {kind: webhook, url: \"ftp://x.example\"}}\n",
			"channels.ops.url: must be an address that begins with https://",
		},
		{
			"an address with a password", "channels: {ops: {kind: webhook, url: \"https://a:b@x.example\"}}\n",
			"channels.ops.url: must not hold a user name or password",
		},
		{
			"an address with a fragment", "channels: {ops: {kind: webhook, url: \"https://x.example/#a\"}}\n",
			"channels.ops.url: must not end with a #fragment",
		},
		{"a store with an address", "tickets: {url: \"https://x.example\"}\n", "tickets: the store has no url"},
		{"unknown tickets", "tickets: {kind: jira}\n", "tickets.kind: unknown kind \"jira\"; known are store, webhook"},
		{"tickets without an address", "tickets: {kind: webhook}\n", "tickets.url: is missing"},
		{"no network", "network: {allow: [office]}\n", "network.allow[0]: must be a network, such as 10.0.0.0/8, or an address"},
		{
			"a network with a host", "network: {allow: [10.1.2.3/8]}\n",
			"network.allow[0]: 10.1.2.3/8 is no network; did you mean 10.0.0.0/8, or 10.1.2.3/32",
		},
		{"later section", "subscriptions: {}\n", "parley.yaml:1: subscriptions: are not available in this version"},
		{
			"duplicate key", "tickets: {kind: store}\nnetwork: {}\ntickets: {kind: store}\n",
			"parley.yaml:3: mapping key \"tickets\" already defined",
		},
		{"duplicate key in a flow", "tickets: {kind: store, kind: store}\n", "parley.yaml:1: mapping key \"kind\" already defined"},
		{
			"duplicate number", "policies:\n  vip:\n    unreplied:\n      from_push:\n        1: [log]\n        \"1\": [log]\n",
			"parley.yaml:6: ",
		},
		{"syntax", "policies:\n  vip: {unreplied: {max: 3}\n", "parley.yaml:2: "},
		{"two documents", "tickets: {}\n---\nnetwork: {}\n", "parley.yaml:3: only one YAML document is allowed"},
		{"unknown anchor", "policies: {vip: *quick}\n", "parley.yaml:1: "},
		{"merging a value", "policies:\n  vip:\n    <<: 5\n", "parley.yaml:3: << takes a mapping"},
		{"a tag", "tickets: !!map {kind: store}\n", "parley.yaml:1: YAML of this kind (Tag) is not used here"},
		{"no text", "title: \xff\n", "parley.yaml:1: this is no UTF-8 text"},
		{
			"missing variable", "sources:\n  livechat:\n    secrets: [\"${NOWHERE}\"]\n",
			"parley.yaml:3: variable NOWHERE is not set in the environment",
		},
		{"bad variable", "sources:\n  livechat:\n    title: \"${not a name}\"\n", "parley.yaml:3: variable: ${ must be followed by a name"},
		{"open variable", "sources: {livechat: {title: \"${TOWN\"}}\n", "variable: ${ must be followed by a name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			_, err := load(t, tc.text)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestAllFaultsInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()

	_, err := load(t, `channels:
  ops: {kind: slack}
sources:
  livechat: {policy: vip}
policies:
  default: {unreplied: {max: 0}}
  other: {hours: office}
hours:
  office: {zone: Mars/Base}
`)
	require.EqualError(t, err, `line 0: the configuration file cannot be used:
parley.yaml:2: channels.ops.kind: slack is not available in this version; available are log and webhook
parley.yaml:4: sources.livechat.policy: there is no policy called "vip"
parley.yaml:6: policies.default.unreplied.max: must be at least 1
parley.yaml:9: hours.office.zone: unknown time zone "Mars/Base"; its form is Europe/Berlin`)
}

func TestFaultsKeepVariablesSecret(t *testing.T) {
	t.Parallel()

	for _, text := range []string{
		"policies: {vip: {unreplied: {mode: \"${OPS_SECRET}\"}}}\n",
		"policies: {vip: {unreplied: {first: \"${OPS_SECRET}\"}}}\n",
		"policies: {vip: {unreplied: {max: \"${OPS_SECRET}\"}}}\n",
		"policies: {vip: {notify: {ticket.failed: [\"${OPS_SECRET}\"]}}}\n",
		"policies: {vip: {hours: \"${OPS_SECRET}\"}}\n",
		"policies: {vip: {accept: {end: \"desk:${OPS_SECRET}\"}}}\n",
		"sources: {livechat: {dialect: \"${OPS_SECRET}\"}}\n",
		"sources: {livechat: {policy: \"${OPS_SECRET}\"}}\n",
		"sources: {livechat: {zone: \"${OPS_SECRET}\"}}\n",
		"sources: {livechat: {desk: \"${OPS_SECRET}\"}}\n",
		"hours: {a: {zone: \"${OPS_SECRET}\"}}\n",
		"hours: {a: {zone: UTC, mon: [\"${OPS_SECRET}\"]}}\n",
		"hours: {a: {zone: UTC, holidays: [\"${OPS_SECRET}\"]}}\n",
		"channels: {a: {kind: \"${OPS_SECRET}\"}}\n",
		"channels: {a: {kind: webhook, url: \"${OPS_SECRET}\"}}\n",
		"tickets: {kind: \"${OPS_SECRET}\"}\n",
		"tickets: {kind: webhook, url: \"https://a:${OPS_SECRET}@x\"}\n",
		"network: {allow: [\"${OPS_SECRET}\"]}\n",
		"desks: {a: {hours: \"${OPS_SECRET}\"}}\n",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()

			_, err := load(t, text)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "ops-s3cret")
		})
	}
}

func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()

	var text strings.Builder

	text.WriteString("a0: &a0 [x]\n")

	for i := range 20 {
		previous := "*a" + string(rune('a'+i-1))
		if i == 0 {
			previous = "*a0"
		}

		text.WriteString("a" + string(rune('a'+i)) + ": &a" + string(rune('a'+i)) + " [" + strings.Repeat(previous+", ", 8) + previous + "]\n")
	}

	_, err := load(t, text.String())
	require.ErrorContains(t, err, "too large or too deep")

	_, err = load(t, "a: &a [*a]\n")
	require.Error(t, err)

	_, err = load(t, "a: "+strings.Repeat("[", 40)+strings.Repeat("]", 40)+"\n")
	require.ErrorContains(t, err, "too large or too deep")
}
