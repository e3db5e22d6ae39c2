// Package pypestream is the dialect of Pypestream's Contact Center webhooks.
//
// They are no envelope but a REST contract: Pypestream calls fixed paths below
// the registered callback URL, and method and path say what happened. The
// bodies are JSON whatever their content type says. [Events] lists the calls,
// and Platform.Event holds the one that came, such as
// "POST conversations/{conversationId}/end", or for a path that is not known
// its method and the path itself. [RequestLine] makes the call of an event
// again, and Encode its body. The version in the path is Platform.Version.
//
// Two calls are questions: agents/availability and agents/waitTime are about
// the account. They and an escalation are answered by what the source's desk
// says ([Dialect.Asks]), and without a desk from the source's options. What the
// reference page lists as attributes of a question's answer is accepted in a
// request, too.
//
// Not documented, hence settings or choices made here: the header in which the
// callback token travels (the option token_header; by default Authorization
// with Bearer or the password of Basic, and X-Pypestream-Token); whether,
// when and how often Pypestream repeats a call, hence the source's
// retry_window; what an unknown path wants, hence 204, since the page asks for
// 2xx and says that more events may come; and the words in the source and type
// of an error. Nothing carries a time, so that an event happens when it is
// received. A message has an id of its own in the path; every other event is
// known by its call, conversation and content within the retry window.
//
// The page says of each call that the end user did it. Only a message says who
// wrote it: user and anonymous_consumer are the visitor, agent and bot
// themselves; any other side is a role that is not known.
//
// An id in the path may hold anything that is escaped there, slashes included.
package pypestream

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Name is the dialect's word in the configuration.
const Name = "pypestream"

// Headers of Pypestream's calls. The customer header holds the integration's
// fields, credentials among them, and is never read.
const (
	headerIntegration = "X-Pypestream-Integration"
	headerToken       = "X-Pypestream-Token" //nolint:gosec // the name of a header
	headerAuth        = "Authorization"
)

// Dialect speaks Pypestream's Contact Center webhooks.
type Dialect struct{}

var (
	_ dialect.Dialect = Dialect{}
	_ dialect.Asker   = Dialect{}
)

// Name returns "pypestream".
func (Dialect) Name() string { return Name }

// Verify compares the callback token with the source's secrets. A token header
// that is configured is the only one that counts; its value is the token, bare
// or as in Authorization.
func (Dialect) Verify(req dialect.Request, src dialect.Source) error {
	if len(src.Secrets) == 0 {
		return nil
	}

	tokens := tokensOf(req.Header, src.Options.Pypestream.TokenHeader)
	if len(tokens) == 0 {
		return dialect.ErrNotSigned
	}

	for _, token := range tokens {
		if dialect.SecretMatches(token, src.Secrets) {
			return nil
		}
	}

	return dialect.ErrUnauthorized
}

// tokensOf returns what a request offers as its token.
func tokensOf(h http.Header, configured string) []string {
	var tokens []string

	offer := func(token string) {
		if token != "" {
			tokens = append(tokens, token)
		}
	}

	if configured != "" {
		value := strings.TrimSpace(h.Get(configured))
		offer(value)
		offer(credential(value))

		return tokens
	}

	offer(credential(h.Get(headerAuth)))
	offer(strings.TrimSpace(h.Get(headerToken)))

	return tokens
}

// credential returns the token of Bearer or the password of Basic.
func credential(value string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimSpace(rest)

	switch {
	case strings.EqualFold(scheme, "bearer"):
		return rest
	case strings.EqualFold(scheme, "basic"):
		plain, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}

		_, password, _ := strings.Cut(string(plain), ":")

		return password
	default:
		return ""
	}
}
