package webhooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/desks"
)

// edge is a server on a port of its own, with everything behind it faked.
type edge struct {
	*world

	t      *testing.T
	desk   *desk
	server *webhooks.Server
	url    string
	log    *logged
	clock  *clock
}

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.now = c.now.Add(d)
}

// logged collects log lines.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.buf.String()
}

type option func(*webhooks.Config, *webhooks.Deps)

func withKeys(entries ...string) option {
	return func(c *webhooks.Config, _ *webhooks.Deps) { c.APIKeys = entries }
}

func withHosts(hosts ...string) option {
	return func(c *webhooks.Config, _ *webhooks.Deps) { c.AllowedHosts = hosts }
}

func newEdge(t *testing.T, options ...option) *edge {
	t.Helper()

	e := &edge{
		world: newWorld(), t: t, log: &logged{}, desk: newDesk(),
		clock: &clock{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)},
	}

	config := webhooks.Config{HTTPAddr: "127.0.0.1:0"}
	deps := webhooks.Deps{
		Sources: []webhooks.Source{newSource("shop"), newSource("signed", "old", "s3cret")},
		Own:     plain{}, Acceptor: e.world, Archive: e.world, Accounts: e.world, Ledger: e.world, Inbox: e.world, Sessions: e.world,
		Desks:    desks.New(desks.Config{Temporal: e.desk, Names: []string{"support", "billing"}, Now: e.clock.Now}),
		Temporal: e.world, Database: e.world, Now: e.clock.Now, Version: "1.2.3",
		Log: slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "parley_http_requests 1\n")
		}),
	}

	for _, apply := range options {
		apply(&config, &deps)
	}

	server, err := webhooks.New(config, deps)
	require.NoError(t, err)
	require.NoError(t, server.Listen(t.Context()))

	e.server, e.url = server, "http://"+server.Addr()
	done := make(chan error, 1)

	go func() { done <- server.Serve() }()

	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()

		require.NoError(t, server.Shutdown(ctx))
		require.NoError(t, <-done)
	})

	return e
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem is an RFC 9457 document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field"`
}

// fields returns the body as an object.
func (a answer) fields(t *testing.T) map[string]any {
	t.Helper()

	var out map[string]any

	require.NoError(t, json.Unmarshal([]byte(a.body), &out), a.body)

	return out
}

// isProblem checks the whole form of a problem document.
func (a answer) isProblem(t *testing.T, status int, slug string) problem {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))

	var p problem

	require.NoError(t, json.Unmarshal([]byte(a.body), &p), a.body)
	require.Equal(t, status, p.Status)
	require.Equal(t, "urn:parley:problem:"+slug, p.Type)
	require.NotEmpty(t, p.Title)

	if status == http.StatusServiceUnavailable {
		require.Equal(t, "5", a.header.Get("Retry-After"))
	}

	return p
}

func (e *edge) do(method, path, body string, header ...string) answer {
	e.t.Helper()

	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, strings.NewReader(body))
	require.NoError(e.t, err)

	return e.send(req, header...)
}

func (e *edge) send(req *http.Request, header ...string) answer {
	e.t.Helper()

	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}

	response, err := http.DefaultClient.Do(req)
	require.NoError(e.t, err)

	return read(e.t, response)
}

// remote sends a request that comes from no loopback address: fiber's own
// test connection says 0.0.0.0.
func (e *edge) remote(method, path, body string, header ...string) answer {
	e.t.Helper()

	req := httptest.NewRequestWithContext(e.t.Context(), method, path, strings.NewReader(body))
	req.Host = "127.0.0.1:8080"

	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}

	response, err := e.server.App().Test(req, -1)
	require.NoError(e.t, err)

	return read(e.t, response)
}

func read(t *testing.T, response *http.Response) answer {
	t.Helper()

	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())

	return answer{response.StatusCode, response.Header, string(body)}
}

// message returns a visitor's message as an event.
func message(conversation, id string) string {
	return fmt.Sprintf(
		`{"id":%q,"type":"message.received","conversation":%q,"message":{"text":"hi"}}`, id, conversation)
}

// view returns a running conversation's state.
func view(source, id string, status signals.Status) signals.View {
	key := signals.Key{Source: source, Conversation: id}

	return signals.View{
		ID: id, Source: source, WorkflowID: key.WorkflowID(), RunID: "run", Session: 1, Status: status,
		Accepted: 3, Applied: 3, Timeline: []signals.TimelineEntry{{Type: signals.MessageReceived, Text: "hi"}},
	}
}

func (e *edge) run(v signals.View) {
	e.mu.Lock()
	defer e.mu.Unlock()

	e.running[v.WorkflowID] = v
}

func (e *edge) store(v signals.View) {
	key := signals.Key{Source: v.Source, Conversation: v.ID}
	e.sessions[sessionKey(key, v.Session)] = v
	e.sessions[sessionKey(key, 0)] = v
}

// page answers a visibility query with the running conversations, in the
// order of their ids, whatever the filter; those it names where it names ids.
func (w *world) page(
	request *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	var ids []string

	for id := range w.running {
		if _, only, named := strings.Cut(request.GetQuery(), "WorkflowId IN ("); !named || strings.Contains(only, "'"+id+"'") {
			ids = append(ids, id)
		}
	}

	slices.Sort(ids)

	start := 0
	if token := request.GetNextPageToken(); len(token) > 0 {
		start, _ = strconv.Atoi(string(token))
	}

	end := min(start+int(request.GetPageSize()), len(ids))
	out := &workflowservice.ListWorkflowExecutionsResponse{}

	for _, id := range ids[start:end] {
		out.Executions = append(out.Executions, &workflow.WorkflowExecutionInfo{
			Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "run"},
			Status:    enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
		})
	}

	if end < len(ids) {
		out.NextPageToken = []byte(strconv.Itoa(end))
	}

	return out, nil
}
