package markdown_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/workflows/markdown"
)

// live finds what Markdown, or HTML in it, would make of a text: a construct's
// character without a backslash, markup, or an address that links itself.
func live() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile("(^|[^\\\\])(\\\\\\\\)*[`*_{}\\[\\]()<>&#+\\-!|~$^]"),
		regexp.MustCompile(`(?i)(https?|ftp|mailto|javascript|data):[^\x{2060}]`),
		regexp.MustCompile(`(?i)www\.`),
		regexp.MustCompile(`[a-zA-Z0-9]@[a-zA-Z0-9]`),
		regexp.MustCompile(`\d\. `),
		regexp.MustCompile(`[\x00-\x1f\x7f\x{85}\x{2028}\x{2029}\x{202a}-\x{202e}\x{2066}-\x{2069}]`),
		regexp.MustCompile(`[a-z0-9]\.[a-z]`),
	}
}

func requireDead(t fataler, text string) {
	t.Helper()

	escaped := markdown.Escape(text)
	for _, construct := range live() {
		require.NotRegexp(t, construct, escaped, "%q became %q", text, escaped)
	}
}

func TestVisitorTextIsNoMarkdown(t *testing.T) {
	t.Parallel()

	for name, attack := range map[string]string{
		"image":              "![x](https://evil.example/p.png)",
		"image by reference": "![x][y]\n\n[y]: https://evil.example/p.png",
		"link":               "[click](https://evil.example)",
		"script link":        "[click](javascript:alert(1))",
		"reference":          "[y]: https://evil.example",
		"footnote":           "[^1]",
		"HTML":               "<img src=x onerror=alert(1)>",
		"script":             "<script>alert(1)</script>",
		"comment":            "<!-- x -->",
		"heading":            "# Big",
		"heading below":      "Big\n===",
		"rule":               "x\n---\ny",
		"list":               "- x\n+ y\n* z\n1. a\n2) b",
		"quote":              "> x",
		"code":               "`x` ```x```\n    x",
		"tilde fence":        "~~~\nx\n~~~",
		"autolink":           "<https://evil.example>",
		"bare address":       "https://evil.example/x?y=z",
		"bare host":          "www.evil.example",
		"bare domain":        "evil.example",
		"mail":               "mail me at x@evil.example",
		"mailto":             "mailto:x@evil.example",
		"table":              "| a | b |\n|---|---|",
		"strike":             "~~x~~",
		"emphasis":           "**x** __x__ *x* _x_",
		"entity":             "&#60;img src=x&#62; &lt;b&gt; &quot;",
		"escaped already":    "\\<b\\> \\\\[x](y)",
		"direction":          "\u202egnp.exe\u2066",
		"line separators":    "x\u2028# y\u2029# z\x85# w",
		"control":            "\x00\x1b[31m\x7f",
		"maths":              "$x^2$",
		"task":               "- [ ] x",
		"emoji code":         ":smile:",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireDead(t, attack)
		})
	}
}

// TestOrdinaryTextStaysReadable: the Temporal UI shows a backslash before a
// quote, and an entity as it is written.
func TestOrdinaryTextStaysReadable(t *testing.T) {
	t.Parallel()

	require.Equal(t, `I don't know "it", x = y`, markdown.Escape(`I don't know "it", x = y`))
	require.Equal(t, `a \< b \&amp; c`, markdown.Escape(`a < b &amp; c`))
}

func TestAnyTextIsNoMarkdown(t *testing.T) {
	t.Parallel()

	alphabet := []rune("ab1 \n\t\\`*_{}[]()#+-.!|~$^=<>&:/@\"'%;\u202e")

	rapid.Check(t, func(rt *rapid.T) {
		requireDead(rt, string(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 40).Draw(rt, "text")))
	})
}

type fataler interface {
	require.TestingT
	Helper()
}
