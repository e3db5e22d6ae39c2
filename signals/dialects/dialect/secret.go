package dialect

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// SecretMatches reports whether given is one of secrets, in a time that tells
// nothing of their bytes. Every one of them is compared, and an empty secret
// never matches.
func SecretMatches(given string, secrets []string) bool {
	matches := 0

	for _, secret := range secrets {
		if secret != "" {
			matches |= subtle.ConstantTimeCompare([]byte(given), []byte(secret))
		}
	}

	return matches == 1
}

// MAC returns the HMAC-SHA256 of a body, with the secret's bytes as its key.
func MAC(body []byte, secret string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)

	return mac.Sum(nil)
}

// Bearer returns the bearer token of a request, or "".
func Bearer(h http.Header) string {
	scheme, token, ok := strings.Cut(h.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}

	return strings.TrimSpace(token)
}
