// Package livechat is the dialect of LiveChat's webhooks in every version: the
// bare payloads of the 3.0 beta page, which are told apart by the path, the
// envelope with data (3.0) and those with payload (3.1 and later), with
// license_id (3.2, 3.3) or organization_id (3.4 and later), and the webhooks
// about applications.
//
// The version is not in the body; the keys tell it, and Platform.Version names
// the oldest version that has them, except that 3.6 stands for all of 3.4 to
// 3.7, which look alike. Names of events are accepted in every envelope.
//
// LiveChat sends a shared secret in the body, repeats a webhook up to three
// times within about a minute until it is answered with exactly 200, promises
// no order and gives no delivery id.
package livechat

import (
	"encoding/json"
	"net/http"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Name is the dialect's word in the configuration.
const Name = "livechat"

// Dialect speaks LiveChat's webhooks.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// Name returns "livechat".
func (Dialect) Name() string { return Name }

// Verify compares secret_key in an envelope with the source's secrets. A body
// that cannot carry one, a bare payload or an application's webhook, must come
// with a bearer token instead.
func (Dialect) Verify(req dialect.Request, src dialect.Source) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	top, err := dialect.Members(req.Body)
	if err != nil {
		return err
	}

	if !isEnvelope(top) {
		if !dialect.SecretMatches(dialect.Bearer(req.Header), src.Secrets) {
			return dialect.ErrNotSigned
		}

		return nil
	}

	var given string

	if json.Unmarshal(top[keySecret], &given) != nil || !dialect.SecretMatches(given, src.Secrets) {
		return dialect.ErrUnauthorized
	}

	return nil
}

// Answer is 200, the only status after which LiveChat does not repeat.
func (Dialect) Answer(_ dialect.Request, _ dialect.Source, out dialect.Outcome) dialect.Response {
	return dialect.Accepted(out)
}

// Refuse answers a wrong secret with 400, as LiveChat's own reference receiver
// does, and the others as usual.
func (Dialect) Refuse(_ dialect.Request, err error) dialect.Response {
	return dialect.Refusal(err, http.StatusBadRequest)
}
