// Package inbenta is the dialect of Inbenta's HyperChat and Agent Chat
// webhooks: one envelope with trigger, appId, data and created_at for every
// event, under today's names and the older ones.
//
// Inbenta publishes the envelope, the names and the handshake, but hardly any
// data. What is read here is what Inbenta's own connectors and chat adapter
// read, and so the decoder is tolerant: a chat is named by chatId, chat,
// chat.id or message.chat, a user by userId or user.id, ids may be numbers. Of
// the older names only invitations:new is found in the connectors' guides;
// chats:new, users:join, users:leave and messages:received are accepted and
// never written. What a webhook says beyond the canonical fields stays in
// Platform.ChatProperties by its own names, so that the way back loses nothing.
//
// Not documented, and therefore chosen or to be set:
//   - the encoding of X-Hook-Signature: hexadecimal in lower case, or base64;
//   - the status of a refusal: 401 for a signature, 403 for a handshake;
//   - the body that answers chats:assign: [dialect.InbentaOptions], empty for
//     no choice;
//   - whether created_at may be in milliseconds: its magnitude tells;
//   - how users:activity spells that somebody lost the connection:
//     [dialect.InbentaOptions], else the words of activity;
//   - whether and how often a webhook is repeated: it is one event within the
//     source's retry window.
//
// Who somebody is follows only from what Inbenta's connectors conclude it from:
// users with a providerId and those who accept an invitation are agents, a
// chat's creator and who is told a place in the queue are visitors, and "system"
// and "assistant" are no users. The bot's history in a chat that opens is kept,
// but makes no events.
//
// There is no delivery id: a message has its own id, everything else one
// derived from its body. Each chats:assign is a new event, and the second for
// the same chat says that the hop before failed.
package inbenta

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Name is the dialect's word in the configuration.
const Name = "inbenta"

// Headers of Inbenta's webhooks.
const (
	// SecretHeader carries the secret of the handshake, both ways.
	SecretHeader = "X-Hook-Secret"
	// SignatureHeader carries the signature of an event.
	SignatureHeader = "X-Hook-Signature"
)

// Dialect speaks Inbenta's webhooks.
type Dialect struct{}

var (
	_ dialect.Dialect    = Dialect{}
	_ dialect.Handshaker = Dialect{}
	_ dialect.Asker      = Dialect{}
)

// Name returns "inbenta".
func (Dialect) Name() string { return Name }

// Verify compares X-Hook-Signature with the HMAC-SHA256 of the raw body under
// each of the source's secrets.
func (Dialect) Verify(req dialect.Request, src dialect.Source) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	given := []byte(strings.TrimSpace(req.Header.Get(SignatureHeader)))
	if len(given) == 0 {
		return dialect.ErrNotSigned
	}

	matches := 0

	for _, secret := range src.Secrets {
		if secret == "" {
			continue
		}

		sum := dialect.MAC(req.Body, secret)
		matches |= subtle.ConstantTimeCompare(given, []byte(hex.EncodeToString(sum)))
		matches |= subtle.ConstantTimeCompare(given, []byte(base64.StdEncoding.EncodeToString(sum)))
	}

	if matches != 1 {
		return dialect.ErrUnauthorized
	}

	return nil
}

// Sign puts the hexadecimal signature under the first of the source's secrets
// into the header. Inbenta signs no time.
func (Dialect) Sign(req *dialect.Request, src dialect.Source, _ time.Time) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	if req.Header == nil {
		req.Header = http.Header{}
	}

	req.Header.Set(SignatureHeader, hex.EncodeToString(dialect.MAC(req.Body, src.Secrets[0])))

	return nil
}

// within is how long a request for an agent may take to be answered: Inbenta
// waits for five seconds and then goes on without, so there is some left for the
// way.
const within = 3 * time.Second

// Asks says that the answer to a request for an agent depends on the desk. One
// that names nobody leaves nothing to choose.
func (Dialect) Asks(_ dialect.Request, events []signals.Event) (dialect.Ask, bool) {
	if len(events) != 1 || events[0].Type != signals.AssignmentRequested || events[0].Invitation == nil ||
		len(events[0].Invitation.Candidates) == 0 {
		return dialect.Ask{}, false
	}

	return dialect.Ask{
		Question: dialect.AskAgent, Conversation: events[0].Conversation, Candidates: events[0].Invitation.Candidates, Within: within,
	}, true
}

// Answer is 200. To a request for an agent it names the one that the desk chose,
// by the source's template; empty, it leaves the choice to Inbenta. To the other
// events, whose answers Inbenta does not read, it says what became of them.
func (Dialect) Answer(req dialect.Request, src dialect.Source, out dialect.Outcome) dialect.Response {
	if out.Err != nil || !asks(req.Body) {
		return dialect.Accepted(out)
	}

	answer := dialect.Response{Status: http.StatusOK, Body: AssignAnswer(src, out.Found.Agent)}
	if answer.Body != nil {
		answer.Header = http.Header{"Content-Type": {"application/json"}}
	}

	return answer
}

// asks reports whether a body is a request for an agent.
func asks(body []byte) bool {
	var envelope struct {
		Trigger string `json:"trigger"`
	}

	if json.Unmarshal(body, &envelope) != nil {
		return false
	}

	return eventType(envelope.Trigger) == signals.AssignmentRequested
}

// Refuse answers a missing or wrong signature with 401, and the others as
// usual.
func (Dialect) Refuse(_ dialect.Request, err error) dialect.Response {
	if errors.Is(err, dialect.ErrNotSigned) {
		return dialect.Problem(http.StatusUnauthorized, dialect.ProblemUnauthorized, SignatureHeader+" is missing", "")
	}

	return dialect.Refusal(err, http.StatusUnauthorized)
}
