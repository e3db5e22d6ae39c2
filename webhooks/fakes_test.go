package webhooks_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
)

var errDown = errors.New("down")

// plain is a dialect as simple as can be: a JSON array of events, a bearer secret.
type plain struct{}

func (plain) Name() string { return "plain" }

func (plain) Verify(req dialect.Request, src dialect.Source) error {
	switch token := dialect.Bearer(req.Header); {
	case len(src.Secrets) == 0:
		return nil
	case token == "":
		return dialect.ErrNotSigned
	case !dialect.SecretMatches(token, src.Secrets):
		return dialect.ErrUnauthorized
	default:
		return nil
	}
}

func (plain) Decode(req dialect.Request, src dialect.Source) ([]signals.Event, error) {
	if req.Path == "/panic" {
		panic("a dialect that breaks")
	}

	body := req.Body
	if dialect.IsObject(body) {
		body = fmt.Appendf(nil, "[%s]", body)
	}

	var events []signals.Event
	if err := dialect.Unmarshal(body, "", &events); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}

	for i := range events {
		events[i].Source, events[i].ReceivedAt = src.Name, req.ReceivedAt
		if events[i].At.IsZero() {
			events[i].At = req.ReceivedAt
		}

		if events[i].ID == "" {
			return nil, &signals.FieldError{Field: "id", Reason: "is missing"}
		}
	}

	return events, nil
}

func (plain) Answer(_ dialect.Request, _ dialect.Source, out dialect.Outcome) dialect.Response {
	return dialect.Accepted(out)
}

func (plain) Refuse(_ dialect.Request, err error) dialect.Response {
	return dialect.Refusal(err, http.StatusForbidden)
}

func (plain) Encode(event signals.Event) ([]byte, error) { return json.Marshal(event) }

// world fakes everything behind the edge.
type world struct {
	mu sync.Mutex

	calls   []call
	entered atomic.Int64
	number  atomic.Int64
	failFor map[string]error
	hold    chan struct{}

	kept       map[string]struct{}
	settled    []signals.Key
	settle     func(context.Context) error
	sick       error
	report     inbox.Report
	dead       []inbox.DeadLetter
	retryErr   error
	archive    []inbox.ArchivedEvent
	queried    []inbox.ArchiveQuery
	lateEvents []signals.Event
	account    []signals.Event
	accepted   map[string]int
	doubled    map[string]int
	refused    map[string][]string
	sessions   map[string]signals.View
	storeErr   error
	tickets    []signals.Ticket
	waiting    webhooks.Waiting
	running    map[string]signals.View
	statements map[string]signals.Statement
	queryErr   error
	// followed is how many questions find a run that has made way for the next.
	followed atomic.Int32
	listErr  error
	queries  []string
	updates  []client.UpdateWorkflowOptions
	answer   func(client.UpdateWorkflowOptions) (signals.Answer, error)
	healthy  error
	database error
}

// call is one webhook as the inbox got it.
type call struct {
	source string
	events []signals.Event
}

func newWorld() *world {
	return &world{
		failFor: map[string]error{}, kept: map[string]struct{}{},
		accepted: map[string]int{}, doubled: map[string]int{}, refused: map[string][]string{},
		sessions: map[string]signals.View{}, running: map[string]signals.View{}, statements: map[string]signals.Statement{},
	}
}

// Accept keeps a webhook whole or not at all; an event whose id it has is a
// duplicate.
func (w *world) Accept(ctx context.Context, source string, events []signals.Event) (inbox.Receipt, error) {
	w.entered.Add(1)

	if w.hold != nil {
		select {
		case <-w.hold:
		case <-ctx.Done():
			return inbox.Receipt{}, ctx.Err()
		}
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	for i := range events {
		if err := w.failFor[events[i].Conversation]; err != nil {
			return inbox.Receipt{}, err
		}
	}

	var receipt inbox.Receipt

	for i := range events {
		id := source + "/" + events[i].Conversation + "/" + events[i].ID
		if _, known := w.kept[id]; known {
			receipt.Duplicates++

			continue
		}

		w.kept[id] = struct{}{}
		receipt.Accepted++
	}

	w.calls = append(w.calls, call{source, slices.Clone(events)})

	return receipt, nil
}

func (w *world) Settled(ctx context.Context, key signals.Key) error {
	w.mu.Lock()
	w.settled = append(w.settled, key)
	settle := w.settle
	w.mu.Unlock()

	if settle == nil {
		return nil
	}

	return settle(ctx)
}

func (w *world) Health() error { return w.sick }

func (w *world) Report(context.Context) (inbox.Report, error) { return w.report, nil }

func (w *world) Dead(_ context.Context, limit int, cursor string) ([]inbox.DeadLetter, string, error) {
	return paged(w.dead, limit, cursor)
}

func (w *world) Retry(_ context.Context, id int64) (int64, error) {
	const next = 77

	for i := range w.dead {
		if w.dead[i].ID == id && w.retryErr == nil {
			return next, nil
		}
	}

	return 0, cmp.Or(w.retryErr, inbox.ErrNotFound)
}

func (w *world) Archive(
	_ context.Context, _ signals.Key, wanted inbox.ArchiveQuery,
) ([]inbox.ArchivedEvent, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.queried = append(w.queried, wanted)

	return paged(w.archive, wanted.Limit, wanted.Cursor)
}

// paged cuts a page out of a list; the cursor is a position.
func paged[T any](all []T, limit int, cursor string) ([]T, string, error) {
	start := 0

	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &start); err != nil {
			return nil, "", inbox.ErrBadCursor
		}
	}

	end := min(start+limit, len(all))
	if end < len(all) {
		return all[start:end], strconv.Itoa(end), nil
	}

	return all[start:], "", nil
}

func (w *world) AccountEvents(_ context.Context, _ string, limit int, cursor string) ([]signals.Event, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	start := 0
	if cursor != "" {
		_, _ = fmt.Sscan(cursor, &start)
	}

	end := min(start+limit, len(w.account))
	next := ""

	if end < len(w.account) {
		next = strconv.Itoa(end)
	}

	return w.account[start:end], next, nil
}

func (w *world) CountAccepted(source string, accepted, duplicates int) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.accepted[source] += accepted
	w.doubled[source] += duplicates
}

func (w *world) CountRefused(source, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.refused[source] = append(w.refused[source], reason)
}

func (w *world) SourceCounts(_ context.Context, source string) (webhooks.SourceCounts, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	out := webhooks.SourceCounts{
		Accepted: int64(w.accepted[source]), Duplicates: int64(w.doubled[source]), Refused: int64(len(w.refused[source])),
	}
	if n := len(w.refused[source]); n > 0 {
		out.LastError = w.refused[source][n-1]
	}

	return out, nil
}

func (w *world) InboxEvents(context.Context, signals.Key, int) ([]signals.Event, error) {
	return w.lateEvents, nil
}

func (w *world) InboxCounts(context.Context, signals.Key, int) (webhooks.Waiting, error) {
	return w.waiting, nil
}

func sessionKey(key signals.Key, session int) string { return fmt.Sprintf("%s#%d", key, session) }

func (w *world) Session(_ context.Context, key signals.Key, session int) (signals.View, error) {
	if w.storeErr != nil {
		return signals.View{}, w.storeErr
	}

	view, ok := w.sessions[sessionKey(key, session)]
	if !ok {
		return signals.View{}, fmt.Errorf("session %d: %w", session, webhooks.ErrNotFound)
	}

	return view, nil
}

func (w *world) ClosedSessions(_ context.Context, filter webhooks.SessionFilter) ([]signals.View, string, error) {
	var all []signals.View

	for name, view := range w.sessions {
		if name[len(name)-2:] == "#0" && (filter.Agent == "" || filter.Agent == view.Agent) {
			all = append(all, view)
		}
	}

	slices.SortFunc(all, func(a, b signals.View) int { return compare(a.ID, b.ID) })

	start := 0
	if filter.Cursor != "" {
		_, _ = fmt.Sscan(filter.Cursor, &start)
	}

	end := min(start+filter.Limit, len(all))
	if end < len(all) {
		return all[start:end], strconv.Itoa(end), nil
	}

	return all[start:end], "", nil
}

func compare(a, b string) int {
	if a < b {
		return -1
	}

	return 1
}

func (w *world) Ticket(_ context.Context, id string) (signals.Ticket, error) {
	for i := range w.tickets {
		if w.tickets[i].ID == id {
			return w.tickets[i], nil
		}
	}

	return signals.Ticket{}, webhooks.ErrNotFound
}

func (w *world) Tickets(_ context.Context, filter webhooks.TicketFilter) ([]signals.Ticket, string, error) {
	var out []signals.Ticket

	for i := range w.tickets {
		if filter.Status == "" || filter.Status == w.tickets[i].Status {
			out = append(out, w.tickets[i])
		}
	}

	return out, "", nil
}

func (w *world) QueryWorkflowWithOptions(
	ctx context.Context, request *client.QueryWorkflowWithOptionsRequest,
) (*client.QueryWorkflowWithOptionsResponse, error) {
	w.mu.Lock()
	err := w.queryErr
	view, ok := w.running[request.WorkflowID]
	statement, states := w.statements[request.WorkflowID]
	w.mu.Unlock()

	switch {
	case w.followed.Add(-1) >= 0:
		return &client.QueryWorkflowWithOptionsResponse{
			QueryRejected: &query.QueryRejected{Status: enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW},
		}, nil
	case errors.Is(err, context.DeadlineExceeded):
		<-ctx.Done()

		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case states && request.QueryType == signals.StatementQuery:
		return &client.QueryWorkflowWithOptionsResponse{QueryResult: encoded{statement}}, nil
	case !ok:
		return nil, serviceerror.NewNotFound("no such workflow")
	case view.Status == signals.StatusClosed:
		return &client.QueryWorkflowWithOptionsResponse{
			QueryRejected: &query.QueryRejected{Status: enums.WORKFLOW_EXECUTION_STATUS_COMPLETED},
		}, nil
	}

	return &client.QueryWorkflowWithOptionsResponse{QueryResult: encoded{view}}, nil
}

func (w *world) UpdateWorkflow(_ context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.updates = append(w.updates, options)

	answer, err := w.answer(options)

	return handle{answer: answer, err: err}, nil
}

func (w *world) ListWorkflow(
	_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.queries = append(w.queries, request.GetQuery())

	if w.listErr != nil {
		return nil, w.listErr
	}

	return w.page(request)
}

func (w *world) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	return &client.CheckHealthResponse{}, w.healthy
}

func (w *world) PingContext(ctx context.Context) error {
	if errors.Is(w.database, context.DeadlineExceeded) {
		<-ctx.Done()

		return ctx.Err()
	}

	return w.database
}

// encoded is a query's answer.
type encoded struct{ value any }

func (e encoded) HasValue() bool { return true }

func (e encoded) Get(into any) error {
	payload, err := converter.GetDefaultDataConverter().ToPayload(e.value)
	if err != nil {
		return err
	}

	return converter.GetDefaultDataConverter().FromPayload(payload, into)
}

// handle is an update's answer.
type handle struct {
	client.WorkflowUpdateHandle

	answer signals.Answer
	err    error
}

func (h handle) Get(_ context.Context, into any) error {
	if h.err != nil {
		return h.err
	}

	return encoded{h.answer}.Get(into)
}

// newSource returns a source of the plain dialect.
func newSource(name string, secrets ...string) webhooks.Source {
	return webhooks.Source{
		Source:  dialect.Source{Name: name, Secrets: secrets, Zone: time.UTC, RetryWindow: 2 * time.Minute},
		Dialect: plain{}, Title: "My shop", Policy: "default",
	}
}
