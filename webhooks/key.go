package webhooks

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// The scopes of an API key.
const (
	// ScopeRead is for everything that changes nothing.
	ScopeRead = "read"
	// ScopeCommand is for events and commands.
	ScopeCommand = "command"
	// ScopeRaw, beside read, shows what the platforms sent, word for word.
	ScopeRaw = "raw"
)

const (
	tokenPrefix = "parley_"
	tokenBytes  = 32
	maxKeys     = 1000
)

// key is one entry of PARLEY_API_KEYS.
type key struct {
	name   string
	scopes []string
	hash   [sha256.Size]byte
}

func (k *key) may(scope string) bool { return slices.Contains(k.scopes, scope) }

// keyRing holds every configured key; an empty one lets everybody in.
type keyRing struct{ keys []key }

// NewKey makes an API key: the token goes to its user as a bearer token, the
// entry, which holds only the token's SHA-256, into PARLEY_API_KEYS. The
// name is shown with what the key does; scopes are [ScopeRead],
// [ScopeCommand] and [ScopeRaw].
func NewKey(name string, scopes []string) (token, entry string, err error) {
	var secret [tokenBytes]byte

	rand.Read(secret[:]) // never fails

	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	entry = name + ":" + strings.Join(scopes, "+") + ":" + hex.EncodeToString(sum[:])

	if _, err := parseKey(entry); err != nil {
		return "", "", err
	}

	return token, entry, nil
}

func newKeyRing(entries []string) (*keyRing, error) {
	ring := &keyRing{}

	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}

		parsed, err := parseKey(entry)
		if err != nil {
			return nil, err
		}

		if slices.ContainsFunc(ring.keys, func(k key) bool { return k.name == parsed.name }) {
			return nil, fmt.Errorf("%s %w: two keys are named %q", settingKeys, ErrConfig, parsed.name)
		}

		ring.keys = append(ring.keys, parsed)
	}

	if len(ring.keys) > maxKeys {
		return nil, fmt.Errorf("%s %w: more than %d keys", settingKeys, ErrConfig, maxKeys)
	}

	return ring, nil
}

// parseKey never shows more of a broken entry than its name, since somebody
// may have pasted the token itself.
func parseKey(entry string) (key, error) {
	name, rest, _ := strings.Cut(entry, ":")
	scopes, digits, ok := strings.Cut(rest, ":")

	if !ok || !signals.ValidName(name) {
		return key{}, fmt.Errorf("%s %w: a key is name:scopes:sha256, the name of a-z, 0-9 and -", settingKeys, ErrConfig)
	}

	out := key{name: name, scopes: strings.Split(scopes, "+")}

	for _, scope := range out.scopes {
		if scope != ScopeRead && scope != ScopeCommand && scope != ScopeRaw {
			return key{}, fmt.Errorf("%s %w: the scopes of key %q are not of read, command and raw, joined by +",
				settingKeys, ErrConfig, name)
		}
	}

	hash, err := hex.DecodeString(digits)
	if err != nil || len(hash) != sha256.Size {
		return key{}, fmt.Errorf("%s %w: key %q does not end in 64 hex digits", settingKeys, ErrConfig, name)
	}

	copy(out.hash[:], hash)

	return out, nil
}

func (r *keyRing) empty() bool { return len(r.keys) == 0 }

// find looks at every key, however early one matches, so that the time taken
// tells nothing.
func (r *keyRing) find(token string) (*key, bool) {
	sum := sha256.Sum256([]byte(token))

	var found *key

	for i := range r.keys {
		if subtle.ConstantTimeCompare(sum[:], r.keys[i].hash[:]) == 1 {
			found = &r.keys[i]
		}
	}

	return found, found != nil
}
