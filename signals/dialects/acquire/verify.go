package acquire

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// signatureHeader carries the lower-case hexadecimal HMAC-SHA256; its name is
// printed in lower case on Acquire's pages.
const signatureHeader = "X-Acquire-Signature"

// errLegacy refuses what can never be verified.
var errLegacy = fmt.Errorf(
	"%w: webhooks named CHAT_… know no signature and are accepted only by a source without secrets", dialect.ErrNotSigned)

// Verify checks the signature with each of the source's secrets, over the raw
// body and over the compacted one. A webhook of version 1 is refused by a source
// that has secrets, whatever it carries.
func (Dialect) Verify(req dialect.Request, src dialect.Source) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	given := req.Header.Get(signatureHeader)

	switch {
	case given == "" && isLegacyBody(req.Body):
		return errLegacy
	case given == "":
		return dialect.ErrNotSigned
	case !signed(given, req.Body, src.Secrets):
		return dialect.ErrUnauthorized
	case isLegacyBody(req.Body):
		return errLegacy
	default:
		return nil
	}
}

// signed compares given with what each secret makes of each form of body, and
// leaves out none, so that the time tells nothing.
func signed(given string, body []byte, secrets []string) bool {
	forms := [][]byte{body}

	var compacted bytes.Buffer
	if json.Compact(&compacted, body) == nil && !bytes.Equal(compacted.Bytes(), body) {
		forms = append(forms, compacted.Bytes())
	}

	matches := 0

	for _, secret := range secrets {
		if secret == "" {
			continue
		}

		for _, form := range forms {
			matches |= subtle.ConstantTimeCompare([]byte(given), []byte(sign(form, secret)))
		}
	}

	return matches == 1
}

func sign(body []byte, secret string) string {
	return hex.EncodeToString(dialect.MAC(body, secret))
}

func isLegacyBody(body []byte) bool {
	return isLegacy(readObject(body).peek(keyEvent))
}

func isLegacy(name string) bool { return strings.HasPrefix(name, legacyPrefix) }
