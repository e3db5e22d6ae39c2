package desk_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

func TestCard(t *testing.T) {
	t.Parallel()

	s := newScene(t, skilled("smith@example.com", 1, "billing"))
	s.put("smith@example.com", func(word *signals.AgentWord) { word.Name = "Agent Smith" })
	s.say(1, request, "", func(need *signals.Need) { need.Skills = []string{"billing"} })
	s.say(2, request, "")

	require.Equal(t, strings.ReplaceAll(`**1 waiting**, 1 offered, 0 active · oldest 0s · estimated wait 20m0s

| # | conversation | status | since | skills | agent |
|---|---|---|---|---|---|
| 1 | shop/chat\-2 | waiting | 10:~00:~00 |  |  |
|  | shop/chat\-1 | offered | 10:~00:~00 | billing | smith@~example\.~com |

| agent | status | load | skills | last given |
|---|---|---|---|---|
| Agent Smith \(smith@~example\.~com\) | accepting | 1 of 1 | billing | 10:~00:~00 |
`, "~", "\u2060"), desk.Card(s.Machine, s.now))

	for n := range 60 {
		s.tell(n+10, request, "")
		s.put(fmt.Sprintf("off-%d", n), func(word *signals.AgentWord) { word.Status = signals.AgentOffline })
	}

	s.hear()
	require.Contains(t, desk.Card(s.Machine, s.now), "\nand 42 more\n")
	require.Contains(t, desk.Card(s.Machine, s.now), "\nand 11 more\n")
}

// TestCardOfHostileTexts: what visitors and platforms name themselves stays in
// its cell.
func TestCardOfHostileTexts(t *testing.T) {
	t.Parallel()

	s := newScene(t)

	for _, text := range []string{
		"a | b | c", "![x](https://evil.example/p.png)", "<img src=x>", "[link](javascript:alert(1))", "**bold**", "line\n\n| new | row |\n",
		"`code`", "\\| already", "\u202egnp.exe", "http://evil.example", "a\u2028b", strings.Repeat("ä", 100),
	} {
		s.put(text, func(word *signals.AgentWord) {
			word.Name = signals.Cut(text, 80)
			word.Skills = []string{signals.Cut(text, 64)}
		})

		ask := signals.Ask{
			Kind: request, Key: signals.Key{Source: "shop", Conversation: text}, Session: 1, Number: 1, At: s.now,
			Need: &signals.Need{Skills: []string{signals.Cut(text, 64)}, Rounds: 1},
		}
		s.Apply(ask, s.now)
		s.hear()
	}

	card := desk.Card(s.Machine, s.now)
	require.NotContains(t, card, "](")
	require.NotContains(t, strings.ReplaceAll(card, "\\<", ""), "<")
	require.NotContains(t, card, "https://")
	require.NotContains(t, card, "http://")
	require.NotContains(t, card, "\u202e")
	require.NotContains(t, card, "\u2028")

	for line := range strings.Lines(card) {
		bars := strings.Count(line, "|") - strings.Count(line, "\\|")
		require.Contains(t, []int{0, 6, 7}, bars, line)
	}
}
