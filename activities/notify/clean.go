package notify

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/parleyhq/parley/signals"
)

// escapes are the sequences by which a text commands a terminal (ECMA-48):
// operating-system commands and other strings up to their end, control
// sequences, and the short ones. Their C1 forms count as well.
//
//nolint:gocritic // the odd ranges are the standard's
var escapes = regexp.MustCompile(
	"(?:\x1b[\\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\x07\x1b\u009c]*(?:\x07|\x1b\\\\|\u009c)?" +
		"|(?:\x1b\\[|\u009b)[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]?" +
		"|\x1b[\x20-\x2f]*[\x30-\x7e]?")

// Clean makes a text of somebody else's safe for one line on a terminal or in a
// log: without escape sequences, control characters, line breaks and
// characters that turn the writing direction or cannot be seen, blanks
// collapsed, and at most limit bytes long.
func Clean(text string, limit int) string {
	// A sequence longer than what is shown is of no interest.
	text = signals.Cut(strings.ToValidUTF8(text, "\uFFFD"), limit*8)
	text = escapes.ReplaceAllString(text, "")

	text = strings.Map(func(char rune) rune {
		switch {
		case unicode.IsSpace(char), char == '\u2028', char == '\u2029':
			return ' '
		case char == '\u200d':
			// It joins emojis, and reorders nothing.
			return char
		case unicode.IsControl(char), unicode.In(char, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		default:
			return char
		}
	}, text)

	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = signals.Cut(text, max(0, limit-len("…"))) + "…"
	}

	return text
}

// quote is a cleaned text between quotation marks that it cannot leave.
func quote(text string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(Clean(text, maxQuote), `\`, `\\`), `"`, `\"`) + `"`
}
