package courier

import (
	"context"
	"encoding/json"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/parleyhq/parley/signals"
)

type runState int

const (
	// runNone: Temporal knows no run of this workflow id, or no longer.
	runNone runState = iota
	runOpen
	runClosed
)

// lastRun is how the newest run of a workflow ended.
type lastRun struct {
	state runState
	// result is what a completed run returned. One that was terminated, failed
	// or timed out has none; input is then what it was started with.
	result, input *commonpb.Payloads
}

// lastRun reads the newest run's end, or that of runID, from its history; no
// worker is needed.
func (c *Courier) lastRun(ctx context.Context, id, runID string) (lastRun, error) {
	end, err := c.firstEvent(ctx, id, runID, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)

	switch {
	case isNotFound(err):
		return lastRun{state: runNone}, nil
	case err != nil:
		return lastRun{}, classify("read last run", err)
	case end == nil, end.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return lastRun{state: runOpen}, nil
	}

	if done := end.GetWorkflowExecutionCompletedEventAttributes(); len(done.GetResult().GetPayloads()) > 0 {
		return lastRun{state: runClosed, result: done.GetResult()}, nil
	}

	begin, err := c.firstEvent(ctx, id, runID, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)

	switch {
	case isNotFound(err):
		return lastRun{state: runNone}, nil
	case err != nil:
		return lastRun{}, classify("read last run", err)
	}

	return lastRun{state: runClosed, input: begin.GetWorkflowExecutionStartedEventAttributes().GetInput()}, nil
}

// firstEvent returns the first event that filter lets through, nil if none.
func (c *Courier) firstEvent(
	ctx context.Context, id, runID string, filter enumspb.HistoryEventFilterType,
) (*historypb.HistoryEvent, error) {
	ctx, cancel := c.rpc(ctx)
	defer cancel()

	events := c.temporal.GetWorkflowHistory(ctx, id, runID, false, filter)
	if !events.HasNext() {
		return nil, nil //nolint:nilnil // an open run has no close event
	}

	event, err := events.Next()
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", id, err)
	}

	return event, nil
}

// pastSession is what the last run of a conversation left.
type pastSession struct {
	signals.Result

	// conversation is the chat id, where only the run knows it.
	conversation string
}

// runInput is what a conversation run may have been started with, be it a
// [signals.Start] or the state that the run before it handed over.
type runInput struct {
	Session      int              `json:"session"`
	Conversation string           `json:"conversation"`
	Seqs         map[string]int64 `json:"seqs"`
	IDs          []signals.SeenID `json:"ids"`
	ClosedAt     json.RawMessage  `json:"closed_at"`
	// Threads of a Start are the closed ones; those of a state are its own.
	Threads json.RawMessage `json:"threads"`

	Key          signals.Key     `json:"key"`
	PastThreads  []string        `json:"past_threads"`
	PastOpen     []string        `json:"past_open"`
	OpenThreads  []string        `json:"open_threads"`
	PastClosedAt json.RawMessage `json:"past_closed_at"`
	State        *runInput       `json:"state"`
}

// sessionOf returns what the last run of a conversation left: its result, or
// what it had from the session before, if it had no end of its own.
func (c *Courier) sessionOf(ctx context.Context, key signals.Key, last lastRun) pastSession {
	var past pastSession

	if last.result != nil {
		err := c.config.DataConverter.FromPayload(last.result.GetPayloads()[0], &past.Result)
		if err == nil {
			past.Session = max(1, past.Session)

			return past
		}

		c.log.WarnContext(ctx, "result of the last run cannot be read", "source", key.Source,
			"conversation", key.Conversation, "error", err)
	}

	var input runInput

	if payloads := last.input.GetPayloads(); len(payloads) > 0 {
		if err := c.config.DataConverter.FromPayload(payloads[0], &input); err != nil {
			c.log.WarnContext(ctx, "input of the last run cannot be read", "source", key.Source,
				"conversation", key.Conversation, "error", err)
		}
	}

	return input.past()
}

func (in *runInput) past() pastSession {
	if in.State != nil {
		return in.State.past()
	}

	past := pastSession{
		Result: signals.Result{
			Version: 1, Session: max(1, in.Session), Seqs: in.Seqs, IDs: in.IDs, Threads: in.PastThreads,
			OpenThreads: append(in.PastOpen, in.OpenThreads...),
		},
		conversation: in.Conversation,
	}

	if past.conversation == "" {
		past.conversation = in.Key.Conversation
	}

	// What does not decode is of the other form and says nothing here.
	var threads []string
	if json.Unmarshal(in.Threads, &threads) == nil {
		past.Threads = append(past.Threads, threads...)
	}

	for _, raw := range []json.RawMessage{in.ClosedAt, in.PastClosedAt} {
		if json.Unmarshal(raw, &past.ClosedAt) == nil && !past.ClosedAt.IsZero() {
			break
		}
	}

	return past
}
