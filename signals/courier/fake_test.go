package courier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// server is a Temporal that knows only what the courier relies on: runs per
// workflow id, signals, and the policies of signal-with-start.
type server struct {
	mu   sync.Mutex
	runs map[string][]*run
	// unmapped: it knows no search attributes yet.
	unmapped bool

	// before is called at the begin of every call, without the lock.
	before func(ctx context.Context, op, id string) error

	inFlight map[string]int
	overlaps atomic.Int64
	calls    atomic.Int64
}

type run struct {
	id      string
	status  enumspb.WorkflowExecutionStatus
	input   *commonpb.Payloads
	result  *commonpb.Payloads
	options client.StartWorkflowOptions
	batches [][]string
	sizes   []int
	types   []string
}

func newServer() *server {
	return &server{runs: make(map[string][]*run), inFlight: make(map[string]int)}
}

func (s *server) enter(ctx context.Context, op, id string) (func(), error) {
	s.calls.Add(1)
	s.mu.Lock()

	s.inFlight[id]++
	if s.inFlight[id] > 1 {
		s.overlaps.Add(1)
	}

	before := s.before
	s.mu.Unlock()

	leave := func() {
		s.mu.Lock()
		s.inFlight[id]--
		s.mu.Unlock()
	}

	if before != nil {
		if err := before(ctx, op, id); err != nil {
			return leave, err
		}
	}

	return leave, nil
}

func (s *server) SignalWorkflow(ctx context.Context, id, _, _ string, arg any) error {
	leave, err := s.enter(ctx, "signal", id)
	defer leave()

	if err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	last := s.last(id)
	if last == nil || last.status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return serviceerror.NewNotFound("workflow not found")
	}

	last.take(arg)

	return nil
}

func (s *server) SignalWithStartWorkflow(ctx context.Context, id, _ string, arg any,
	options client.StartWorkflowOptions, workflow any, args ...any,
) (client.WorkflowRun, error) {
	leave, err := s.enter(ctx, "start", id)
	defer leave()

	if err != nil {
		return nil, err
	}

	input, err := converter.GetDefaultDataConverter().ToPayloads(args...)
	if err != nil {
		return nil, fmt.Errorf("encode input: %w", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	last := s.last(id)
	if last != nil && last.status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		if options.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE {
			return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("finished", "", last.id)
		}

		last = nil
	}

	if last == nil {
		if s.unmapped && options.TypedSearchAttributes.Size() > 0 {
			return nil, serviceerror.NewInvalidArgument("Namespace default has no mapping defined for search attribute ParleyStatus")
		}

		last = s.add(id, input)
		last.options = options
		last.types = append(last.types, fmt.Sprint(workflow))
	}

	last.take(arg)

	return nil, nil //nolint:nilnil // the courier uses the error only
}

func (s *server) GetWorkflowHistory(ctx context.Context, id, runID string, _ bool,
	filter enumspb.HistoryEventFilterType,
) client.HistoryEventIterator {
	leave, err := s.enter(ctx, "history", id)
	defer leave()

	if err != nil {
		return &events{err: err}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	all := s.runs[id]
	if runID != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(r *run) bool { return r.id != runID })
	}

	if len(all) == 0 {
		return &events{err: serviceerror.NewNotFound("no history")}
	}

	last := all[len(all)-1]
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT {
		return &events{list: []*historypb.HistoryEvent{{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
				WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: last.input},
			},
		}}}
	}

	switch last.status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return &events{}
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return &events{list: []*historypb.HistoryEvent{{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
				WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{
					Result: last.result,
				},
			},
		}}}
	default:
		return &events{list: []*historypb.HistoryEvent{{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		}}}
	}
}

// last returns the newest run. The caller holds mu.
func (s *server) last(id string) *run {
	if len(s.runs[id]) == 0 {
		return nil
	}

	return s.runs[id][len(s.runs[id])-1]
}

func (s *server) add(id string, input *commonpb.Payloads) *run {
	r := &run{
		id: fmt.Sprintf("%s/%d", id, len(s.runs[id])), status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, input: input,
	}
	s.runs[id] = append(s.runs[id], r)

	return r
}

// open puts a running run in place, as if started with input.
func (s *server) open(t *testing.T, id string, input ...any) {
	t.Helper()

	payloads, err := converter.GetDefaultDataConverter().ToPayloads(input...)
	require.NoError(t, err)

	s.mu.Lock()
	defer s.mu.Unlock()

	s.add(id, payloads)
}

// end closes the newest run: completed with result, or terminated.
func (s *server) end(t *testing.T, id string, result any) {
	t.Helper()

	s.mu.Lock()
	defer s.mu.Unlock()

	last := s.last(id)
	require.NotNil(t, last)

	if result == nil {
		last.status = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED

		return
	}

	payloads, err := converter.GetDefaultDataConverter().ToPayloads(result)
	require.NoError(t, err)

	last.status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	last.result = payloads
}

// got returns what the run with this number (from 0) was signalled.
func (s *server) got(id string, number int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	if number >= len(s.runs[id]) {
		return nil
	}

	return slices.Concat(s.runs[id][number].batches...)
}

func (s *server) count(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.runs[id])
}

func (s *server) run(t *testing.T, id string, number int) *run {
	t.Helper()

	s.mu.Lock()
	defer s.mu.Unlock()

	require.Greater(t, len(s.runs[id]), number)

	return s.runs[id][number]
}

func (s *server) fail(before func(ctx context.Context, op, id string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.before = before
}

func (r *run) start(t *testing.T) signals.Start {
	t.Helper()

	var start signals.Start
	if len(r.input.GetPayloads()) > 0 {
		require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(r.input, &start))
	}

	return start
}

func (r *run) take(arg any) {
	var raws []json.RawMessage

	switch batch := arg.(type) {
	case signals.Batch:
		raws = batch.Events
	case signals.OrderBatch:
		raws = batch.Orders
	case signals.AskBatch:
		raws = batch.Asks
	case signals.OfferBatch:
		raws = batch.Offers
	case signals.AgentBatch:
		raws = batch.Agents
	}

	ids := make([]string, 0, len(raws))
	size := 0

	for _, raw := range raws {
		var named struct {
			ID     string `json:"id"`
			Kind   string `json:"kind"`
			Number int64  `json:"number"`
			Key    any    `json:"key"`
		}
		if err := json.Unmarshal(raw, &named); err != nil {
			named.ID = err.Error()
		}

		switch key, ok := named.Key.(string); {
		case ok:
			ids = append(ids, key)
		case named.Number > 0:
			ids = append(ids, fmt.Sprintf("%s %d", named.Kind, named.Number))
		default:
			ids = append(ids, named.ID)
		}

		size += len(raw)
	}

	r.batches = append(r.batches, ids)
	r.sizes = append(r.sizes, size)
}

type events struct {
	list []*historypb.HistoryEvent
	err  error
}

func (e *events) HasNext() bool { return e.err != nil || len(e.list) > 0 }

func (e *events) Next() (*historypb.HistoryEvent, error) {
	if e.err != nil {
		return nil, e.err
	}

	next := e.list[0]
	e.list = e.list[1:]

	return next, nil
}

// went is an outcome without a session.
func went(fates ...courier.Fate) courier.Outcome { return courier.Outcome{Fates: fates} }

// all is an outcome of many events with the same fate.
func all(fate courier.Fate, n int) courier.Outcome {
	return courier.Outcome{Fates: slices.Repeat([]courier.Fate{fate}, n)}
}

// bundle is what most tests need.
type bundle struct {
	server  *server
	courier *courier.Courier
	key     signals.Key
	id      string
}

func setup(t *testing.T, config courier.Config) *bundle {
	t.Helper()

	b := &bundle{server: newServer(), key: signals.Key{Source: "livechat", Conversation: "C1"}}
	b.id = b.key.WorkflowID()
	b.courier = courier.New(b.server, config, nil)

	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()

		require.NoError(t, b.courier.Close(ctx))
		require.Zero(t, b.courier.Queued())
	})

	return b
}

var epoch = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant that Go cannot spell

func message(id string, at time.Time) signals.Event {
	return signals.Event{
		ID: id, Type: signals.MessageReceived, Source: "livechat", Conversation: "C1", At: at, ReceivedAt: at,
		Actor:   &signals.Actor{ID: "v", Role: signals.RoleVisitor, Name: "Ann"},
		Message: &signals.Message{ID: id, Text: "hi", Kind: signals.KindText},
	}
}

func tag(id string, at time.Time) signals.Event {
	return signals.Event{
		ID: id, Type: signals.TagAdded, Source: "livechat", Conversation: "C1", At: at, ReceivedAt: at,
		Tag: &signals.Tag{Name: "vip"},
	}
}
