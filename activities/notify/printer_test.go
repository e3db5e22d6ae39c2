package notify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/activities/notify"
	"github.com/parleyhq/parley/signals"
)

func annWaits() *signals.Order {
	return &signals.Order{
		Key: "conversation:livechat:PJ0MRSHTDG/1/2", Kind: signals.OrderNotice, Target: notify.LogChannel,
		About: &signals.About{VisitorName: "Ann"},
		Event: &signals.Event{
			Type: signals.UnrepliedPushed, Source: "livechat", Conversation: "PJ0MRSHTDG", At: time.Unix(1765439941, 0),
			Unreplied: &signals.Unreplied{PushTimes: 2, Max: 4, Seconds: 10, Text: "Is anyone there?"},
		},
	}
}

func TestLines(t *testing.T) {
	t.Parallel()

	event := func(change func(*signals.Event)) *signals.Order {
		order := annWaits()
		order.Event.Unreplied = nil
		change(order.Event)

		return order
	}

	for want, order := range map[string]*signals.Order{
		`unreplied push 2/4  livechat/PJ0MRSHTDG  Ann waits 10s: "Is anyone there?"`: annWaits(),
		`form prechat  livechat/PJ0MRSHTDG  Ann: "Name: Ann"`: event(func(e *signals.Event) {
			e.Type, e.Form = signals.FormSubmitted, &signals.Form{Kind: signals.FormPrechat, Text: "Name: Ann"}
		}),
		`ticket.failed  livechat/PJ0MRSHTDG  t_1: expired: 503`: event(func(e *signals.Event) {
			e.Type, e.Ticket = signals.TicketFailed, &signals.TicketRef{ID: "t_1", Reason: "expired: 503"}
		}),
		`ticket.created  livechat/PJ0MRSHTDG  t_1`: event(func(e *signals.Event) {
			e.Type, e.Ticket = signals.TicketCreated, &signals.TicketRef{ID: "t_1"}
		}),
		`message.received  livechat/PJ0MRSHTDG  Ann: "say \"hi\" \\"`: event(func(e *signals.Event) {
			e.Type, e.Message = signals.MessageReceived, &signals.Message{Text: `say "hi" \`}
		}),
		`agents.unavailable  livechat/PJ0MRSHTDG  Ann`: event(func(e *signals.Event) { e.Type = signals.AgentsUnavailable }),
	} {
		require.Equal(t, want, notify.Line(order))
	}

	silent := int64(600)

	for want, told := range map[string]*signals.Event{
		"agent.reassigned  livechat/PJ0MRSHTDG  Ann: from smith, reason silent, after 10m0s, platform_action: pending": {
			Type: signals.AgentReassigned, Assignment: &signals.Assignment{
				FromAgentID: "smith", Reason: "silent", SilentSeconds: &silent, PlatformAction: "pending",
			},
		},
		"agent.accepted  livechat/PJ0MRSHTDG  Ann: to Jones jones": {
			Type: signals.AgentAccepted, Assignment: &signals.Assignment{AgentID: "jones", AgentName: "Jones"},
		},
		"invitation.sent  livechat/PJ0MRSHTDG  Ann: to jones, round 2": {
			Type: signals.InvitationSent, Invitation: &signals.Invitation{AgentID: "jones", Round: 2},
		},
		"invitation.ended  livechat/PJ0MRSHTDG  Ann: to jones, declined, reason lunch, round 1": {
			Type: signals.InvitationEnded, Invitation: &signals.Invitation{AgentID: "jones", Outcome: "declined", Reason: "lunch", Round: 1},
		},
		"agents.unavailable  livechat/PJ0MRSHTDG  Ann: skill billing, offline": {
			Type: signals.AgentsUnavailable, Availability: &signals.Availability{Skill: "billing", Status: "offline"},
		},
		"conversation.queued  livechat/PJ0MRSHTDG  Ann: desk support": {
			Type: signals.ConversationQueued, Queue: &signals.Queue{Desk: "support"},
		},
		"conversation.closed  livechat/PJ0MRSHTDG  Ann: by cleo, reason command": {
			Type: signals.ConversationClosed, Closing: &signals.Closing{ByID: "cleo", ByRole: signals.RoleSystem, Reason: "command"},
		},
		"conversation.closed  livechat/PJ0MRSHTDG  Ann: by visitor ann, reason so long": {
			Type:    signals.ConversationClosed,
			Closing: &signals.Closing{ByID: "ann", ByRole: signals.RoleVisitor, Reason: "so\x1b[2J\r\n\u202elong\x07"},
		},
		"participant.left  livechat/PJ0MRSHTDG  Ann": {
			Type: signals.ParticipantLeft, Participant: &signals.Participant{Name: "\x1b]0;pwned\x07"},
		},
	} {
		order := annWaits()
		told.Source, told.Conversation = order.Event.Source, order.Event.Conversation
		order.Event = told
		require.Equal(t, want, notify.Line(order))
	}

	nobody := annWaits()
	nobody.About = nil
	require.Contains(t, notify.Line(nobody), "the visitor waits")
}

func TestAHostileVisitorCannotCommandTheTerminal(t *testing.T) {
	t.Parallel()

	order := annWaits()
	order.About.VisitorName = "An\x1b[2Jn\x1b]0;pwned\x07\u202enna"
	order.Event.Conversation = "X\r\nunreplied push 1/4"
	order.Event.Unreplied.Text = "a\nb\tc\x00d\x07\x1b[31;1mred\x1b[0m \x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\ " +
		"\u009b31mC1 \u2066iso\u2069 \u200b\U000e0041\ufeff e\u2028f"

	line := notify.Line(order)
	require.Equal(t, `unreplied push 2/4  livechat/X unreplied push 1/4  Annnna waits 10s: "a b cdred link C1 iso e f"`, line)
}

func TestCleanIsAlwaysOneHarmlessLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{
			"\x1b", "[", "]", "31m", "\x07", "\u009b", "\u009c", "\n", "\r", "\u202e", "é", "👩\u200d🚀", "x", " ", "\xff", "\\", "P", "\x1b\\",
		})).Draw(t, "pieces")
		limit := rapid.IntRange(3, 300).Draw(t, "limit")
		clean := notify.Clean(strings.Join(pieces, ""), limit)

		require.LessOrEqual(t, len(clean), limit)
		require.True(t, utf8.ValidString(clean))

		for _, char := range clean {
			require.False(t, unicode.IsControl(char), "%q", clean)
			require.False(t, unicode.Is(unicode.Bidi_Control, char), "%q", clean)
		}
	})
}

func TestCleanShortensBetweenCharacters(t *testing.T) {
	t.Parallel()
	require.Equal(t, "ab…", notify.Clean("abédef", 6))
	require.Equal(t, "Ann", notify.Clean("  Ann  ", 80))
	require.Equal(t, "👩\u200d🚀", notify.Clean("👩\u200d🚀", 80))
}

func TestPrinterWritesToTerminalAndLog(t *testing.T) {
	t.Parallel()

	var out, logged bytes.Buffer

	n := notify.New(nil, nil, notify.NewPrinter(&out, slog.New(slog.NewJSONHandler(&logged, nil))))
	receipt, err := n.Send(t.Context(), annWaits())
	require.NoError(t, err)
	require.Equal(t, "printed", receipt.Detail)
	require.Equal(t, notify.Line(annWaits())+"\n", out.String())

	var entry map[string]any
	require.NoError(t, json.Unmarshal(logged.Bytes(), &entry))
	require.Equal(t, "livechat", entry["source"])
	require.Equal(t, "PJ0MRSHTDG", entry["conversation"])
	require.InDelta(t, 2, entry["push"], 0)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestPrinterSaysWhenItCannot(t *testing.T) {
	t.Parallel()
	require.Error(t, notify.NewPrinter(broken{}, nil).Print(t.Context(), annWaits()))
	require.NoError(t, notify.NewPrinter(nil, nil).Print(t.Context(), annWaits()))
}

func TestConfig(t *testing.T) {
	t.Parallel()

	good := notify.Config{
		"ops": {Kind: notify.KindWebhook, URL: "https://hooks.example.com/parley"}, "term": {Kind: notify.KindLog},
	}
	require.NoError(t, good.Validate())
	require.Equal(t, []string{"log", "ops", "term"}, good.Names())

	for field, bad := range map[string]notify.Config{
		"channels.Ops":      {"Ops": {Kind: notify.KindLog}},
		"channels.ops.kind": {"ops": {Kind: "pigeon"}},
		"channels.ops.url":  {"ops": {Kind: notify.KindWebhook, URL: "hooks.example.com/sEcReT"}},
	} {
		err := bad.Validate()

		fault, ok := errors.AsType[*signals.FieldError](err)
		require.True(t, ok)
		require.Equal(t, field, fault.Field)
		require.NotContains(t, err.Error(), "sEcReT")
	}
}
