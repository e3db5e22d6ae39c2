package dialect

import "fmt"

// MaxDepth bounds how deep a body may nest. encoding/json reads no more than
// 10,000 levels, and what is kept of a body lies some levels deeper than it
// came: without a bound it could be accepted and never be read again.
const MaxDepth = 500

// CheckDepth wraps [ErrMalformed] if JSON nests deeper than [MaxDepth]. It does
// not ask whether body is JSON at all.
func CheckDepth(body []byte) error {
	depth, quoted := 0, false

	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++ // what is escaped ends no string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}

		if depth > MaxDepth {
			return fmt.Errorf("%w: nested deeper than %d levels", ErrMalformed, MaxDepth)
		}
	}

	return nil
}
