// Package markdown makes what others wrote fit to stand in the cards that the
// Temporal UI shows.
package markdown

import (
	"strings"
	"unicode"
)

// Escape makes a text harmless in Markdown: every character that could begin a
// construct or HTML is escaped, an address cannot turn into a link by itself,
// and control and direction characters become blanks. Not entities: the Temporal
// UI escapes their ampersand and shows them as they are written. Not quotes and
// the equals sign, which mean nothing within a line: the UI shows the backslash
// before them.
func Escape(text string) string {
	var out strings.Builder

	for _, r := range text {
		switch {
		case r == ':' || r == '@':
			// A zero-width joiner keeps "https://" and "a@b" from being linked.
			out.WriteRune(r)
			out.WriteString("\u2060")
		case r == '.':
			out.WriteString("\\.\u2060")
		case strings.ContainsRune("\\`*_{}[]()<>&#+-!|~$^", r):
			out.WriteByte('\\')
			out.WriteRune(r)
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029':
			out.WriteByte(' ')
		default:
			out.WriteRune(r)
		}
	}

	return out.String()
}
