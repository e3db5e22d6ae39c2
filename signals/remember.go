package signals

import "strings"

const (
	// maxRememberedID is in bytes: 512 ids are carried from run to run, so that
	// a platform's long ones are remembered by their hash.
	maxRememberedID = 64
	// escapedBytes is what JSON makes of one character that it must escape.
	escapedBytes = 6
)

// RememberedID returns the form in which an event id stands in a [SeenID]: the
// id itself, or its hash where it would be long as JSON.
func RememberedID(id string) string {
	size := len(id)
	if strings.ContainsFunc(id, escaped) {
		size = escapedBytes * len(id)
	}

	if size <= maxRememberedID {
		return id
	}

	return "#" + DerivedID(id)
}

func escaped(r rune) bool { return r < ' ' || strings.ContainsRune("\"\\<>&\u2028\u2029\uFFFD", r) }
