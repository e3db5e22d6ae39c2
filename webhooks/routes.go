package webhooks

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
)

// webhookMethods are those of the routes whose dialect decides about the method.
func webhookMethods() []string {
	return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// route is one entry of the table; a route without a scope needs no API key.
type route struct {
	method, path, scope string
	handle              fiber.Handler
}

// routes is the whole HTTP surface; openapi.json describes the same.
func (s *Server) routes() ([]route, error) {
	docs, err := newDocs(s.deps.Version)
	if err != nil {
		return nil, err
	}

	const one = "/v1/conversations/:source/:id"

	routes := []route{
		{http.MethodPost, "/webhooks/:source", "", s.webhook},
		{http.MethodGet, "/v1/sources", ScopeRead, s.listSources},
		{http.MethodGet, "/v1/sources/:source/events", ScopeRead, s.listAccountEvents},
		{http.MethodGet, "/v1/conversations", ScopeRead, s.listConversations},
		{http.MethodGet, one, ScopeRead, s.getConversation},
		{http.MethodGet, one + "/events", ScopeRead, s.listEvents},
		{http.MethodPost, one + "/events", ScopeCommand, s.postEvents},
		{http.MethodGet, "/v1/inbox", ScopeRead, s.getInbox},
		{http.MethodGet, "/v1/inbox/dead", ScopeRead, s.listDead},
		{http.MethodPost, "/v1/inbox/dead/:id/retry", ScopeCommand, s.retryDead},
		{http.MethodGet, "/v1/desks", ScopeRead, s.listDesks},
		{http.MethodGet, "/v1/desks/:desk", ScopeRead, s.getDesk},
		{http.MethodGet, "/v1/desks/:desk/availability", ScopeRead, s.getAvailability},
		{http.MethodPut, "/v1/desks/:desk/agents/:agent", ScopeCommand, s.putAgent},
		{http.MethodDelete, "/v1/desks/:desk/agents/:agent", ScopeCommand, s.removeAgent},
		{http.MethodGet, "/v1/tickets", ScopeRead, s.listTickets},
		{http.MethodGet, "/v1/tickets/:id", ScopeRead, s.getTicket},
		{http.MethodGet, "/", "", root},
		{http.MethodGet, "/healthz", "", s.healthz},
		{http.MethodGet, "/readyz", "", s.readyz},
		{http.MethodGet, "/metrics", ScopeRead, s.serveMetrics()},
		{http.MethodGet, "/openapi.json", "", docs.openAPI},
		{http.MethodGet, "/docs", "", docs.page},
	}

	for _, method := range webhookMethods() {
		routes = append(routes, route{method, "/webhooks/:source/+", "", s.webhook})
	}

	for name, verb := range verbs() {
		routes = append(routes, route{http.MethodPost, one + "/" + name, ScopeCommand, s.command(verb)})
	}

	return routes, nil
}

// need lets a request pass whose API key has scope. Without any key
// configured, which is possible on loopback only, everybody passes.
func (s *Server) need(scope string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if s.keys.empty() {
			return c.Next()
		}

		scheme, token, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")

		caller, ok := s.keys.find(strings.TrimSpace(token))
		if !ok || !strings.EqualFold(scheme, "bearer") {
			return newProblem(http.StatusUnauthorized, slugUnauthorized, "send an API key as a bearer token")
		}

		if !caller.may(scope) {
			return newProblem(http.StatusForbidden, slugForbidden, "this API key lacks the scope "+scope)
		}

		c.Locals(callerKey{}, caller)

		return c.Next()
	}
}

type callerKey struct{}

// callerOf returns the API key of a request, nil where none is configured.
func callerOf(c *fiber.Ctx) *key {
	caller, _ := c.Locals(callerKey{}).(*key)

	return caller
}

// readsRaw reports whether a request may be shown what the platforms sent, word
// for word.
func readsRaw(c *fiber.Ctx) bool {
	caller := callerOf(c)

	return caller == nil || caller.may(ScopeRaw)
}

// pathParam returns a path parameter decoded. The router works on the path
// as it came, so that an encoded slash does not end an id.
func pathParam(c *fiber.Ctx, name string) (string, error) {
	value, err := url.PathUnescape(c.Params(name))
	if err != nil {
		return "", badRequest("the path is not percent-encoded properly")
	}

	return value, nil
}

// keyOf returns the conversation that the path names.
func keyOf(c *fiber.Ctx) (signals.Key, error) {
	source, err := pathParam(c, "source")
	if err != nil {
		return signals.Key{}, err
	}

	id, err := pathParam(c, "id")
	if err != nil {
		return signals.Key{}, err
	}

	if !signals.ValidName(source) || id == "" {
		return signals.Key{}, notFound("no such conversation")
	}

	return signals.Key{Source: source, Conversation: id}, nil
}

// conversationPath is the inverse of [keyOf].
func conversationPath(key signals.Key) string {
	return "/v1/conversations/" + key.Source + "/" + url.PathEscape(key.Conversation)
}

// sourceOf returns the source that the path names.
func (s *Server) sourceOf(c *fiber.Ctx) (*Source, error) {
	name, err := pathParam(c, "source")
	if err != nil {
		return nil, err
	}

	source, ok := s.sources[name]
	if !ok {
		return nil, notFound("no source has this name")
	}

	return source, nil
}
