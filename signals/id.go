package signals

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// DerivedPrefix begins every event id that is no id of the platform's own. A
// derived id is a duplicate only within the source's retry window; after it
// the same body is a new event (contract, section 4).
const DerivedPrefix = "h:"

// derivedBytes of a SHA-256 are plenty for ids that are compared within one
// conversation, and keep the state small.
const derivedBytes = 16

// DerivedID hashes parts into an id for an event whose platform gave it none.
func DerivedID(parts ...string) string {
	hash := sha256.New()

	for _, part := range parts {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}

	return DerivedPrefix + hex.EncodeToString(hash.Sum(nil)[:derivedBytes])
}

// IsDerived reports whether id came from [DerivedID].
func IsDerived(id string) bool { return strings.HasPrefix(id, DerivedPrefix) }

// SeenID is one remembered event id, with when the event was received.
type SeenID struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}
