package courier

import (
	"strings"
	"unicode"

	"github.com/parleyhq/parley/signals"
)

const (
	// maxSummary is in bytes; the server refuses a summary of more than 400.
	maxSummary = 200
	maxName    = 120
)

// conversationSummary names a run in Temporal's lists: "Ann on livechat".
func conversationSummary(key signals.Key, letters []*letter) string {
	name := ""

	for _, l := range letters {
		if name = plain(visitorName(l.event)); name != "" {
			break
		}
	}

	if name == "" {
		name = "Visitor"
	}

	return signals.Cut(name+" on "+key.Source, maxSummary)
}

func deliverySummary(to address) string {
	return signals.Cut("To "+to.target+" for "+to.key.Source, maxSummary)
}

// visitorName returns what an event says about the visitor's name.
func visitorName(event *signals.Event) string {
	if event.Actor != nil && event.Actor.Role == signals.RoleVisitor {
		if name := firstOf(event.Actor.Name, event.Actor.Nickname); name != "" {
			return name
		}
	}

	if event.Customer != nil {
		if name := firstOf(event.Customer.Name, event.Customer.Nickname); name != "" {
			return name
		}
	}

	participants := []signals.Participant{}
	if event.Participant != nil {
		participants = append(participants, *event.Participant)
	}

	if event.Details != nil {
		participants = append(participants, event.Details.Participants...)
	}

	for i := range participants {
		if participants[i].Role != signals.RoleVisitor {
			continue
		}

		if name := firstOf(participants[i].Name, participants[i].Nickname); name != "" {
			return name
		}
	}

	return ""
}

func firstOf(values ...string) string {
	for _, value := range values {
		if strings.TrimSpace(value) != "" {
			return value
		}
	}

	return ""
}

// plain makes hostile text harmless in a single line that Temporal's UI renders
// as Markdown: no HTML, links, images, code or emphasis, no automatic links, no
// entities, no control or direction characters.
func plain(text string) string {
	// Cut first, so that the work is bounded, and again after the growth.
	text = strings.ToValidUTF8(signals.Cut(text, 4*maxName), "")

	var out strings.Builder

	space := false

	for _, r := range text {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			space = true

			continue
		case strings.ContainsRune("\\`*_{}[]<>#|~!&", r):
			space = true

			continue
		case !unicode.IsPrint(r) && !unicode.Is(unicode.Join_Control, r):
			continue
		}

		if space && out.Len() > 0 {
			out.WriteByte(' ')
		}

		// The space behind a dot parts "www.example.com".
		space = r == '.'

		out.WriteString(unlinked(r))
	}

	return strings.TrimSpace(signals.Cut(out.String(), maxName))
}

// unlinked keeps r from making an address: "https://…" and "ann@…" become
// links of themselves in GitHub's Markdown.
func unlinked(r rune) string {
	switch r {
	case ':':
		return "："
	case '@':
		return "＠"
	default:
		return string(r)
	}
}
