package courier //nolint:testpackage // what a hostile name becomes is not worth an exported function

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
)

func TestPlain(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ in, want string }{
		"a name":           {"Ann", "Ann"},
		"letters of all":   {"Ángeles Мария 田中", "Ángeles Мария 田中"},
		"an image":         {"![x](https://evil.example/p.png)", "x (https：//evil. example/p. png)"},
		"a link":           {"[click](http://evil.example)", "click (http：//evil. example)"},
		"an autolink":      {"see www.evil.example now", "see www. evil. example now"},
		"an address":       {"ann@example.com", "ann＠example. com"},
		"HTML":             {"<img src=x onerror=alert(1)>Ann", "img src=x onerror=alert(1) Ann"},
		"entities":         {"&lt;script&gt;", "lt;script gt;"},
		"code":             {"`Ann` **bold** _it_", "Ann bold it"},
		"several lines":    {"Ann\r\n# Head\n\n- x", "Ann Head - x"},
		"a terminal":       {"\x1b[31mAnn\x07", "31mAnn"},
		"directions":       {"Ann\u202egnp.exe", "Ann gnp. exe"},
		"line separators":  {"Ann\u2028Bob", "Ann Bob"},
		"broken UTF-8":     {"An\xffn", "Ann"},
		"nothing but junk": {"[]<>\n\t", ""},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, plain(test.in))
		})
	}
}

func TestSummaryStaysSmall(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.String().Draw(rt, "name")
		key := signals.Key{Source: strings.Repeat("s", 40), Conversation: "C"}
		event := signals.Event{Customer: &signals.Customer{Name: strings.Repeat(name, 20)}}
		got := conversationSummary(key, []*letter{{event: &event}})

		require.LessOrEqual(rt, len(got), maxSummary)
		require.True(rt, utf8.ValidString(got))
		require.NotContains(rt, got, "\n")
		require.NotContains(rt, got, "[")
		require.NotContains(rt, got, "<")
		require.NotContains(rt, got, "://")
		require.Contains(rt, got, " on "+key.Source)
	})
}

func TestVisitorName(t *testing.T) {
	t.Parallel()

	key := signals.Key{Source: "livechat", Conversation: "C"}
	tests := map[string]struct {
		event signals.Event
		want  string
	}{
		"nobody": {signals.Event{}, "Visitor on livechat"},
		"an agent's message": {
			signals.Event{Actor: &signals.Actor{Role: signals.RoleAgent, Name: "Smith"}}, "Visitor on livechat",
		},
		"a nickname": {
			signals.Event{Actor: &signals.Actor{Role: signals.RoleVisitor, Nickname: "annie"}}, "annie on livechat",
		},
		"a participant": {
			signals.Event{Details: &signals.Details{Participants: []signals.Participant{
				{Role: signals.RoleAgent, Name: "Smith"}, {Role: signals.RoleVisitor, Name: "Ann"},
			}}}, "Ann on livechat",
		},
		"a customer": {signals.Event{Customer: &signals.Customer{Name: "Ann"}}, "Ann on livechat"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, conversationSummary(key, []*letter{{event: &test.event}}))
		})
	}
}
