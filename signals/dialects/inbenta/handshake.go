package inbenta

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// maxSecret bounds a secret that a handshake offers, in bytes.
const maxSecret = 256

// agentMark stands for the agent's id in the template of the answer to
// chats:assign.
const agentMark = "{{agent}}"

// defaultAssign is inferred: the page that shows the answer is not public whole.
const defaultAssign = `{"agentId":"` + agentMark + `"}`

// Handshake answers the request with which Inbenta sets a webhook up: it brings
// a secret in X-Hook-Secret and wants it echoed with 200. ok says that req is
// one; response is then its whole answer, and no event follows. secret is what
// the caller has to keep and to give back in [dialect.Source] from then on;
// empty if there is nothing new.
//
// A handshake proves nothing about its sender. It is therefore refused with 403
// unless the source is open for enrolment, and the first secret stays: once the
// source has any, another one is refused.
func (Dialect) Handshake(req dialect.Request, src dialect.Source) (secret string, response dialect.Response, ok bool) {
	given := req.Header.Get(SecretHeader)
	if given == "" || req.Header.Get(SignatureHeader) != "" {
		return "", dialect.Response{}, false
	}

	known := dialect.SecretMatches(given, src.Secrets)

	switch {
	case !src.Options.Inbenta.Enrol:
		return "", refused("the source is not open for enrolment"), true
	case !sendable(given):
		return "", refused("the secret is too long or not printable"), true
	case known:
		return "", echo(given), true
	case pinned(src.Secrets):
		return "", refused("the source has another secret"), true
	default:
		return given, echo(given), true
	}
}

func refused(why string) dialect.Response {
	return dialect.Problem(http.StatusForbidden, dialect.ProblemUnauthorized, why, "")
}

func echo(secret string) dialect.Response {
	header := http.Header{}
	header.Set(SecretHeader, secret)

	return dialect.Response{Status: http.StatusOK, Header: header}
}

// sendable reports whether a secret may go back in a header.
func sendable(secret string) bool {
	return len(secret) <= maxSecret && !strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' })
}

func pinned(secrets []string) bool {
	for _, secret := range secrets {
		if secret != "" {
			return true
		}
	}

	return false
}

// AssignAnswer is the body that answers chats:assign with an agent, by the
// source's template, the id escaped as within a JSON string. Without an agent
// it is nil: Inbenta chooses.
func AssignAnswer(src dialect.Source, agentID string) []byte {
	if agentID == "" {
		return nil
	}

	template := src.Options.Inbenta.AssignAnswer
	if template == "" {
		template = defaultAssign
	}

	quoted, err := json.Marshal(agentID)
	if err != nil { // a string always marshals
		return nil
	}

	return bytes.ReplaceAll([]byte(template), []byte(agentMark), quoted[1:len(quoted)-1])
}
