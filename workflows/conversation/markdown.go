package conversation

import (
	"strconv"
	"strings"
	"unicode"
)

// escape makes visitor text harmless in Markdown: every character that could
// begin a construct is escaped, HTML becomes entities, an address cannot turn
// into a link by itself, and control and direction characters become blanks.
func escape(text string) string {
	var out strings.Builder

	for _, r := range text {
		switch {
		case r == '<':
			out.WriteString("&lt;")
		case r == '>':
			out.WriteString("&gt;")
		case r == '&':
			out.WriteString("&amp;")
		case r == ':' || r == '@':
			// A zero-width joiner keeps "https://" and "a@b" from being linked.
			out.WriteRune(r)
			out.WriteString("\u2060")
		case r == '.':
			out.WriteString("\\.\u2060")
		case strings.ContainsRune("\\`*_{}[]()#+-!|~$^=\"'", r):
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

func itoa(n int) string { return strconv.Itoa(n) }
