package dialects_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/inbenta"
	"github.com/parleyhq/parley/signals/dialects/livechat"
	"github.com/parleyhq/parley/signals/dialects/pypestream"
	"github.com/parleyhq/parley/signals/dialects/twt"
	"github.com/parleyhq/parley/tests/dialecttest"
)

// docs/events.md is written from the dialects' own tables and compared here:
//
//	go test ./signals/dialects -run TestEventsDoc -update

// documented is one platform's section.
type documented struct {
	title, dialect, intro string
	events                map[string]signals.Type
	// also says what else an event becomes or brings along.
	also map[string][]signals.Type
}

func sections() []documented {
	opening := []signals.Type{signals.MessageReceived, signals.FormSubmitted}
	transcript := []signals.Type{signals.MessageReceived, signals.SystemNoted}
	status := append([]signals.Type{signals.CustomerUpdated}, transcript...)
	visitor := []signals.Type{signals.CustomerUpdated}

	return []documented{
		{
			title: "Pypestream", dialect: pypestream.Name, events: pypestream.Events(),
			intro: "The event is the call below `" + pypestream.Base + "`. The page has no names: the words are its descriptions. " +
				"`POST` to a question is accepted, too, for senders that put its attributes into a body.",
		},
		{
			title: "Inbenta", dialect: inbenta.Name, events: inbenta.Events(),
			also: map[string][]signals.Type{"users:activity": {signals.PresenceChanged}},
			intro: "The event is `trigger`. The page has no names: the words are its descriptions. " +
				"Names below `users:activity` are older ones, accepted as well.",
		},
		{
			title: "Acquire", dialect: acquire.Name, events: acquire.Events(),
			also: map[string][]signals.Type{
				"case:status pending": status, "case:status active": status,
				"case:status queue": status, "case:status closed": status,
				"case:new": transcript, "CHAT_ON_START": visitor, "CHAT_ON_CLOSE": visitor,
			},
			intro: "The event is `event`, for `case:status` with the status in `data`; its transcript brings messages along, each taken " +
				"once. `user:status` and `case:new` are settings, since no page has their names. `CHAT_ON_…` are those of version 1.",
		},
		{
			title: "LiveChat", dialect: livechat.Name, events: livechat.Events(),
			also: map[string][]signals.Type{
				"incoming_chat": opening, "incoming_chat_thread": opening, "incoming_event": {signals.FormSubmitted},
				"chat_access_revoked": {signals.ConversationTransferred},
			},
			intro: "The event is `action`, or the end of the path for a bare payload. After those of the page come the names of other " +
				"versions. Webhooks about applications become `account.changed`.",
		},
		{
			title: "TWT Chat", dialect: twt.Name, events: twt.Events(),
			intro: "The event is `event`. No conversation is named: `sbs`, or else project and visitor's name, tells which; the same name " +
				"after `limits.session_gap` (24h) without a word is the next session.",
		},
	}
}

// does says what Parley does with an event of each type that comes from the
// platforms: what the machine of workflows/conversation takes from it, and what
// the gateway does with what belongs to no conversation.
func does(kind signals.Type) string {
	const (
		account  = "Kept in the source's account log."
		timeline = "A line in the timeline."
	)

	return map[signals.Type]string{
		signals.ConversationOpened:        "Starts the conversation, with its subject, participants and tags.",
		signals.ConversationClosed:        "Stops the pushes and closes the conversation; after the grace comes the ticket, as the policy says.",
		signals.ConversationTransferred:   "To an agent: assigned to them. To a group: queued there. The pushes go on.",
		signals.ConversationStatusChanged: "`queued` queues the conversation, `active` with an agent assigns it; else a line in the timeline.",
		signals.ConversationSummarized:    timeline,
		signals.EscalationRequested: "Starts or reopens the conversation and queues it, unless an agent has it; from then on a bot's message " +
			"is no reply (by default).",
		signals.AssignmentRequested: "Queues the conversation, a new one if need be; the answer names the agent whom the source's desk chose, " +
			"and an empty one leaves the choice to the platform. Another " +
			"one before an agent took it says that the hop before failed.",
		signals.AvailabilityRequested: "Answered by the source's desk, without one from its options, and kept in its account log.",
		signals.AgentAccepted:         "Assigns the agent; counts as an escalation.",
		signals.AgentInvited:          timeline,
		signals.AgentStatusChanged:    account,
		signals.AgentsUnavailable:     "A line in the timeline; the channels of `notify` are told.",
		signals.ParticipantJoined:     "Enters the roster; the newest public human agent present is the assignee.",
		signals.ParticipantLeft:       "Leaves the roster; a visitor left without an agent and without an answer is queued.",
		signals.PresenceChanged:       "Notes who is away and who is back; a line in the timeline.",
		signals.QueueMoved:            "Queues the conversation if no agent has it; the position is a line in the timeline.",
		signals.MessageReceived:       "A visitor's starts the clock of the unreplied pushes, a human agent's public one stops it.",
		signals.MessageUpdated:        "Changes the message's text, no clock.",
		signals.MessageDeleted:        "Marks the message as deleted; the pushes stop if nothing else is unanswered.",
		signals.MessageRead:           "A sign of life of the reader; no reply.",
		signals.MessagePreview:        "A sign of life of the writer; no message.",
		signals.TypingChanged:         "An agent's pauses the pushes for a while; a visitor's is a sign of life.",
		signals.FormSubmitted: "A form before the chat counts as a message; an offline form closes the conversation as offline. " +
			"The channels of `notify` are told.",
		signals.UnrepliedReported: "With `mode: relay`, the default here, each new report is one push with the platform's number; " +
			"status 4 ends the pushes.",
		signals.PropertiesUpdated: timeline,
		signals.PropertiesDeleted: timeline,
		signals.TagAdded:          "Adds the tag.",
		signals.TagRemoved:        "Removes the tag.",
		signals.AccessChanged:     "A line in the timeline of the chat it names; about anything else, kept in the source's account log.",
		signals.ButtonPressed:     "A sign of life of the visitor; starts no pushes.",
		signals.CustomerCreated:   account,
		signals.CustomerUpdated:   "Updates what is known of the visitor; without a chat, kept in the source's account log.",
		signals.SystemNoted:       "A line in the timeline; a ticket id becomes the ticket's `external_id`.",
		signals.MulticastReceived: account,
		signals.AccountChanged:    account,
	}[kind]
}

// onPage is one event as a platform's page has it.
type onPage struct{ event, words string }

// pages are the events of the platforms' pages, in the pages' order.
func pages(t *testing.T) map[string][]onPage {
	t.Helper()

	list, err := os.ReadFile(filepath.Join("testdata", "pages.tsv"))
	require.NoError(t, err)

	all := map[string][]onPage{}

	for line := range strings.Lines(string(list)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		require.GreaterOrEqual(t, len(fields), 2, line)

		event := onPage{event: fields[1]}
		if len(fields) > 2 {
			event.words = fields[2]
		}

		all[fields[0]] = append(all[fields[0]], event)
	}

	return all
}

// TestEventsDoc compares the table for readers with the code.
func TestEventsDoc(t *testing.T) {
	t.Parallel()

	var out strings.Builder

	out.WriteString("# What becomes of each platform's events\n\n" +
		"<!-- Written by `go test ./signals/dialects -run TestEventsDoc -update`; do not edit. -->\n\n" +
		"Each event of a platform becomes a canonical one; an event with several rows may become either, or brings the others along.\n" +
		"The clocks are those of the [policy](../README.md#configuration). An event that is in no table here is kept as `unknown`, in the\n" +
		"conversation that it names or else in the source's account log, and answered like the others.\n" +
		"[platforms.md](platforms.md) says how to connect each platform.\n")

	listed := pages(t)

	for _, section := range sections() {
		out.WriteString("\n## " + section.title + "\n\n`dialect: " + section.dialect + "`. " + section.intro + "\n\n" +
			"| platform event | canonical event | what Parley does with it |\n|---|---|---|\n")

		for _, row := range ordered(section.events, listed[section.dialect]) {
			cell := "`" + row.event + "`"
			if row.words != "" {
				cell += " – " + row.words
			}

			for _, kind := range slices.Concat([]signals.Type{section.events[row.event]}, section.also[row.event]) {
				require.NotEmpty(t, does(kind), "a sentence for %s", kind)
				out.WriteString("| " + cell + " | `" + string(kind) + "` | " + does(kind) + " |\n")
			}
		}
	}

	dialecttest.Written(t, filepath.Join("..", "..", "docs", "events.md"), out.String())
}

// ordered has the page's events first, in its order, and then the others.
func ordered(events map[string]signals.Type, page []onPage) []onPage {
	rows := slices.Clone(page)

	for _, name := range slices.Sorted(maps.Keys(events)) {
		if !slices.ContainsFunc(page, func(p onPage) bool { return p.event == name }) {
			rows = append(rows, onPage{event: name})
		}
	}

	return rows
}

// TestEveryEventOfThePages finds each event of a platform's page in its
// dialect's table, and each platform in the document.
func TestEveryEventOfThePages(t *testing.T) {
	t.Parallel()

	counts := map[string]int{"acquire": 6, "inbenta": 12, "livechat": 23, "pypestream": 6, "twt": 3}
	listed := pages(t)

	for _, section := range sections() {
		require.Len(t, listed[section.dialect], counts[section.dialect], section.dialect)

		for _, row := range listed[section.dialect] {
			require.NotEmpty(t, section.events[row.event], "%s of %s", row.event, section.title)
			require.NotEqual(t, signals.Unknown, section.events[row.event], "%s of %s", row.event, section.title)
		}

		delete(listed, section.dialect)
	}

	require.Empty(t, listed)
	require.Len(t, sections(), len(dialects.Table())-1, "every dialect but Parley's own")
}

// TestEventsAreAsDecoded decodes the fixtures: what they become is what the
// tables say.
func TestEventsAreAsDecoded(t *testing.T) {
	t.Parallel()

	table := dialects.Table()

	for _, section := range sections() {
		t.Run(section.dialect, func(t *testing.T) {
			t.Parallel()

			for _, s := range platforms()[section.dialect].samples(t) {
				events, err := table[section.dialect].Decode(s.req, source())
				require.NoError(t, err, s.name)

				for i := range events {
					name, kind := events[i].Platform.Event, events[i].Type
					allowed := section.meanings(name)

					if kind != signals.Unknown || len(allowed) > 0 {
						require.Contains(t, allowed, kind, "%s: %s", s.name, name)
					}
				}
			}
		})
	}
}

// meanings are the types that a platform's event may become, whatever status
// stands behind its name.
func (d documented) meanings(name string) []signals.Type {
	var all []signals.Type

	for event, kind := range d.events {
		if event == name || strings.HasPrefix(event, name+" ") {
			all = append(append(all, kind), d.also[event]...)
		}
	}

	return all
}

// TestPlatformsDoc: each setting that stands for something undocumented is
// explained where its platform is.
func TestPlatformsDoc(t *testing.T) {
	t.Parallel()

	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "platforms.md"))
	require.NoError(t, err)

	explained := map[string]string{}

	for part := range strings.SplitSeq(string(doc), "\n## ") {
		title, text, _ := strings.Cut(part, "\n")
		explained[title] = text
	}

	for options := range reflect.TypeFor[dialect.Options]().Fields() {
		at := slices.IndexFunc(sections(), func(d documented) bool { return d.dialect == options.Tag.Get("yaml") })
		require.GreaterOrEqual(t, at, 0, options.Name)

		for option := range options.Type.Fields() {
			require.Contains(t, explained[sections()[at].title], option.Tag.Get("yaml"), "%s is not explained", option.Name)
		}
	}

	for _, section := range sections() {
		require.NotEmpty(t, explained[section.title], section.title)
	}
}
