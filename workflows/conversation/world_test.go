package conversation_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// world is the SDK's test environment, in which a conversation runs, and what
// it handed out.
type world struct {
	*testsuite.TestWorkflowEnvironment

	t *testing.T

	mutex      sync.Mutex
	dispatched []conversation.Dispatch
	// fail makes so many dispatches fail.
	fail int
	// failLast makes so many questions for the session before fail.
	failLast int
	// before is what the session before left.
	before signals.Start

	// timers are those that run.
	timers map[string]bool
}

func newWorld(t *testing.T, changes ...func(s *policy.Snapshot)) *world {
	t.Helper()

	var suite testsuite.WorkflowTestSuite

	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))

	w := &world{
		TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t,
		before: signals.Start{Version: 1, Session: 1}, timers: map[string]bool{},
	}
	w.SetStartTime(epoch())
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: key().WorkflowID(), TaskQueue: signals.TaskQueue})
	w.SetTestTimeout(20 * time.Second)

	snapshot := under(changes...)
	flows := &conversation.Workflows{Under: func(source string) policy.Snapshot {
		require.Equal(t, "shop", source)

		return snapshot
	}}
	w.RegisterWorkflowWithOptions(flows.Conversation, workflow.RegisterOptions{Name: signals.ConversationWorkflow})
	w.RegisterActivityWithOptions(w.dispatch, activity.RegisterOptions{Name: conversation.DispatchActivity})
	w.RegisterActivityWithOptions(w.last, activity.RegisterOptions{Name: conversation.LastSessionActivity})

	w.SetOnTimerScheduledListener(func(id string, _ time.Duration) { w.timers[id] = true })
	w.SetOnTimerFiredListener(func(id string) { delete(w.timers, id) })
	w.SetOnTimerCanceledListener(func(id string) { delete(w.timers, id) })

	return w
}

func (w *world) dispatch(_ context.Context, payload conversation.Dispatch) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()

	if w.fail > 0 {
		w.fail--

		return errors.New("the store is away")
	}

	w.dispatched = append(w.dispatched, payload)

	return nil
}

func (w *world) last(_ context.Context, id string) (signals.Start, error) {
	if w.failLast > 0 {
		w.failLast--

		return signals.Start{}, errors.New("Temporal is away")
	}

	if id != key().WorkflowID() {
		return signals.Start{}, errors.New("another conversation's")
	}

	return w.before, nil
}

// after does something when so much time has passed.
func (w *world) after(offset time.Duration, do func()) {
	w.RegisterDelayedCallback(func() {
		require.LessOrEqual(w.t, len(w.timers), 1, "more than one timer at a time")
		do()
	}, offset)
}

// send signals a batch after an offset.
func (w *world) send(offset time.Duration, events ...signals.Event) {
	w.after(offset, func() {
		batch, err := signals.NewBatch(events)
		require.NoError(w.t, err)
		w.SignalWorkflow(signals.EventsSignal, batch)
	})
}

// update sends a command after an offset and gives its outcome to then.
func (w *world) update(offset time.Duration, name string, command signals.Command, then func(view signals.View, err error)) {
	w.after(offset, func() {
		w.UpdateWorkflow(name, name+offset.String(), &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { then(signals.View{}, err) },
			OnComplete: func(result any, err error) {
				answer, _ := result.(signals.Answer)
				then(answer.View, err)
			},
		}, command)
	})
}

func (w *world) view() signals.View {
	w.t.Helper()

	value, err := w.QueryWorkflow(signals.StateQuery)
	require.NoError(w.t, err)

	var view signals.View

	require.NoError(w.t, value.Get(&view))

	return view
}

func (w *world) run(input any) {
	w.t.Helper()

	if input == nil {
		w.ExecuteWorkflow(signals.ConversationWorkflow)
	} else {
		w.ExecuteWorkflow(signals.ConversationWorkflow, input)
	}

	require.True(w.t, w.IsWorkflowCompleted())
	require.LessOrEqual(w.t, len(w.timers), 1, "more than one timer at a time")
}

func (w *world) result() signals.Result {
	w.t.Helper()
	require.NoError(w.t, w.GetWorkflowError())

	var result signals.Result

	require.NoError(w.t, w.GetWorkflowResult(&result))

	return result
}

// next is the input of the run that this one continued as.
func (w *world) next() conversation.Input {
	w.t.Helper()

	var (
		again *workflow.ContinueAsNewError
		input conversation.Input
	)

	require.ErrorAs(w.t, w.GetWorkflowError(), &again)
	require.Equal(w.t, signals.ConversationWorkflow, again.WorkflowType.Name)
	require.NoError(w.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &input))

	return input
}

// orders are the kinds of what was handed out, in order.
func (w *world) orders() []string {
	var out []string

	for i := range w.dispatched {
		for _, order := range w.dispatched[i].Orders {
			kind := string(order.Kind)
			if order.Event != nil {
				kind = string(order.Event.Type)
			}

			out = append(out, kind+" "+order.Target)
		}
	}

	return out
}

func (w *world) closed() *conversation.Record {
	for i := range w.dispatched {
		if w.dispatched[i].Closed != nil {
			return w.dispatched[i].Closed
		}
	}

	return nil
}

func inThread(thread string, event signals.Event) signals.Event {
	event.Thread = thread

	return event
}
