package webhooks

// maxDepth is how deep JSON may nest. Nothing that a platform sends comes near
// it, and what is stored must be readable again inside a wider document.
const maxDepth = 200

// tooDeep reports whether a body nests deeper than that. It looks at brackets
// outside strings only, so that it need not be valid JSON.
func tooDeep(body []byte) bool {
	depth, quoted, escaped := 0, false, false

	for _, b := range body {
		switch {
		case escaped:
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case b == '}' || b == ']':
			depth--
		}
	}

	return false
}
