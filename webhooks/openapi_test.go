package webhooks_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// update writes the schemas of openapi.json anew from the Go types:
// go test ./webhooks -run TestOpenAPISchemas -update.
var update = flag.Bool("update", false, "write openapi.json anew") //nolint:gochecknoglobals // a flag

// document returns openapi.json as a tree.
func document(t *testing.T) map[string]any {
	t.Helper()

	raw, err := os.ReadFile("openapi.json")
	require.NoError(t, err)

	var out map[string]any

	require.NoError(t, json.Unmarshal(raw, &out))

	return out
}

func child(t *testing.T, tree map[string]any, names ...string) map[string]any {
	t.Helper()

	for _, name := range names {
		next, ok := tree[name].(map[string]any)
		require.True(t, ok, name)

		tree = next
	}

	return tree
}

// TestEveryRouteIsDescribed compares both ways.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	routes, err := e.server.Routes()
	require.NoError(t, err)

	var registered, described []string

	parameter := regexp.MustCompile(`:(\w+)`)

	for _, r := range routes {
		path := strings.ReplaceAll(parameter.ReplaceAllString(r[1], "{$1}"), "/+", "/{action}")
		registered = append(registered, r[0]+" "+path)
	}

	for path, item := range child(t, document(t), "paths") {
		methods, ok := item.(map[string]any)
		require.True(t, ok)

		for method, described1 := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
			operation, ok := described1.(map[string]any)
			require.True(t, ok)

			var names []string

			list, _ := operation["parameters"].([]any)
			for _, one := range list {
				p, ok := one.(map[string]any)
				require.True(t, ok)

				if p["in"] == "path" {
					names = append(names, "{"+p["name"].(string)+"}")
				}
			}

			require.ElementsMatch(t, regexp.MustCompile(`\{\w+\}`).FindAllString(path, -1), names, path)
		}
	}

	slices.Sort(registered)
	slices.Sort(described)
	require.Equal(t, registered, described)
}

// TestOpenAPISchemas keeps the schemas as the Go types are.
func TestOpenAPISchemas(t *testing.T) {
	t.Parallel()

	s := schemas{out: map[string]any{}}
	s.add("Problem", reflect.TypeFor[problem](), "type", "title", "status")
	s.add("Accepted", reflect.TypeFor[accepted]())
	s.add("Event", reflect.TypeFor[signals.Event](), "id", "type")
	s.add("Conversation", reflect.TypeFor[conversation]())
	s.add("ListedConversation", reflect.TypeFor[listedConversation]())
	s.add("Ticket", reflect.TypeFor[wholeTicket]())
	s.add("ListedTicket", reflect.TypeFor[signals.Ticket]())
	s.add("Desk", reflect.TypeFor[signals.DeskView]())
	s.add("ListedDesk", reflect.TypeFor[listedDesk]())
	s.add("Source", reflect.TypeFor[source]())
	s.add("Health", reflect.TypeFor[health](), "status")
	s.add("Inbox", reflect.TypeFor[inboxState]())
	s.add("DeadLetter", reflect.TypeFor[deadLetter]())
	s.add("Retried", reflect.TypeFor[retried]())
	s.add("ArchivedEvent", reflect.TypeFor[archivedEvent](), "id", "type", "seq", "state")

	whole := document(t)
	want, err := json.Marshal(s.out)
	require.NoError(t, err)

	if *update {
		whole["components"].(map[string]any)["schemas"] = json.RawMessage(want)

		var text bytes.Buffer

		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		require.NoError(t, encoder.Encode(whole))
		require.NoError(t, os.WriteFile("openapi.json", text.Bytes(), 0o600))
	}

	have, err := json.Marshal(child(t, document(t), "components", "schemas"))
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(have))
}

// TestReferencesResolve finds every $ref.
func TestReferencesResolve(t *testing.T) {
	t.Parallel()

	raw, err := os.ReadFile("openapi.json")
	require.NoError(t, err)

	whole := document(t)

	for _, match := range regexp.MustCompile(`"\$ref": "#/([^"]+)"`).FindAllStringSubmatch(string(raw), -1) {
		child(t, whole, strings.Split(match[1], "/")...)
	}
}

// TestAnswersMatchTheirSchemas checks real answers against the fields that
// openapi.json promises.
func TestAnswersMatchTheirSchemas(t *testing.T) {
	t.Parallel()

	e := newEdge(t).obeys()
	e.run(view("shop", "c", signals.StatusOpen))
	e.tickets = []signals.Ticket{{TicketRef: signals.TicketRef{ID: "1"}}}
	e.report.Sources = []inbox.SourceDepth{{Source: "shop"}}
	e.dead = []inbox.DeadLetter{{ID: 1}}
	e.archive = []inbox.ArchivedEvent{{Event: signals.Event{ID: "m1"}, Seq: 1, State: inbox.StatePending}}
	whole := child(t, document(t), "components", "schemas")

	first := func(list string, path string) map[string]any {
		element, ok := e.do(http.MethodGet, path, "").fields(t)[list].([]any)[0].(map[string]any)
		require.True(t, ok)

		return element
	}

	for name, got := range map[string]map[string]any{
		"Conversation":       e.do(http.MethodGet, "/v1/conversations/shop/c", "").fields(t),
		"ListedConversation": first("conversations", "/v1/conversations"),
		"Ticket":             e.do(http.MethodGet, "/v1/tickets/1", "").fields(t),
		"ListedTicket":       first("tickets", "/v1/tickets"),
		"Desk":               e.do(http.MethodGet, "/v1/desks/support", "").fields(t),
		"ListedDesk":         first("desks", "/v1/desks"),
		"DeskAgent":          e.do(http.MethodPut, "/v1/desks/support/agents/ann", "").fields(t),
		"Availability":       e.do(http.MethodGet, "/v1/desks/support/availability", "").fields(t),
		"Source":             first("sources", "/v1/sources"),
		"Accepted":           e.do(http.MethodPost, "/webhooks/shop", message("c", "1")).fields(t),
		"Problem":            e.do(http.MethodGet, "/nowhere", "").fields(t),
		"Health":             e.do(http.MethodGet, "/readyz", "").fields(t),
		"Inbox":              e.do(http.MethodGet, "/v1/inbox", "").fields(t),
		"DeadLetter":         first("dead_letters", "/v1/inbox/dead"),
		"Retried":            e.do(http.MethodPost, "/v1/inbox/dead/1/retry", "").fields(t),
		"ArchivedEvent":      first("events", "/v1/conversations/shop/c/events"),
	} {
		known := child(t, whole, name, "properties")
		for field := range got {
			require.Contains(t, known, field, name)
		}

		required, _ := child(t, whole, name)["required"].([]any)
		for _, field := range required {
			require.Contains(t, got, field, name)
		}
	}
}

func TestDocsPage(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	got := e.do(http.MethodGet, "/docs", "")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
	require.Contains(t, got.body, "/v1/conversations/{source}/{id}/close")
	require.Contains(t, got.body, "1.2.3")
	require.NotContains(t, got.body, "<script")
	require.NotContains(t, got.body, "://", "no foreign assets")

	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(got.body)
	require.Len(t, style, 2)

	sum := sha256.Sum256([]byte(style[1]))
	policy := got.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")

	described := e.do(http.MethodGet, "/openapi.json", "")
	require.Equal(t, "application/json", described.header.Get("Content-Type"))
	require.Equal(t, "1.2.3", described.fields(t)["info"].(map[string]any)["version"])
}

// TestDocsPageShowsBodies: every field of every command stands on the page, with
// what it must hold.
func TestDocsPageShowsBodies(t *testing.T) {
	t.Parallel()

	page := newEdge(t).do(http.MethodGet, "/docs", "").body

	for path, item := range child(t, document(t), "paths") {
		methods, ok := item.(map[string]any)
		require.True(t, ok)

		_, section, found := strings.Cut(page, "</b> "+path+"</h2>")
		require.True(t, found, path)

		section, _, _ = strings.Cut(section, "<h2")

		post, posts := methods["post"].(map[string]any)
		if !posts {
			post, posts = methods["put"].(map[string]any)
		}

		if !posts || post["requestBody"] == nil {
			continue
		}

		require.Contains(t, page, "Body", path)

		shape := child(t, post, "requestBody", "content", "application/json", "schema")
		properties, _ := shape["properties"].(map[string]any)

		for name := range properties {
			require.Contains(t, section, "<dt>"+name+"</dt>", path)
		}
	}

	_, accept, _ := strings.Cut(page, "</b> /v1/conversations/{source}/{id}/accept</h2>")
	accept, _, _ = strings.Cut(accept, "<h2")
	require.Contains(t, accept, "<dt>agent_id</dt><dd>The agent. <small>string, required, at most 255 bytes</small></dd>")

	_, snooze, _ := strings.Cut(page, "</b> /v1/conversations/{source}/{id}/snooze</h2>")
	require.Contains(t, snooze, "Body (may be left out)")
	require.Contains(t, snooze, "date-time")

	require.Contains(t, page, `<a href="#Event">Event</a> or list of <a href="#Event">Event</a>`)

	for _, match := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		require.Contains(t, page, `<h2 id="`+match[1]+`">`)
	}
}

func TestRootLeadsToTheDocs(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	// A browser goes on by itself, and somebody with curl reads where to.
	require.Contains(t, e.do(http.MethodGet, "/", "").body, "<title>Parley</title>")

	got := e.raw(t, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	require.Equal(t, http.StatusFound, got.status)
	require.Equal(t, "/docs", got.header.Get("Location"))
	require.Contains(t, got.body, "/docs")
	require.Equal(t, http.StatusForbidden, e.do(http.MethodGet, "/", "", "Host", "evil.example.com").status)
}

func TestHealth(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	require.Equal(t, "ok", e.do(http.MethodGet, "/healthz", "").fields(t)["status"])

	ready := e.do(http.MethodGet, "/readyz", "")
	require.Equal(t, http.StatusOK, ready.status)
	require.JSONEq(t, `{"status":"ok","checks":{"temporal":"ok","database":"ok","inbox":"ok"},"webhooks":"accepted"}`, ready.body)

	metrics := e.do(http.MethodGet, "/metrics", "")
	require.Equal(t, http.StatusOK, metrics.status)
	require.Contains(t, metrics.body, "parley_http_requests")
}
