package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
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
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// world is the SDK's test environment, in which a desk runs, and what it said.
type world struct {
	*testsuite.TestWorkflowEnvironment

	t *testing.T

	mutex      sync.Mutex
	dispatched []desk.Dispatch
	// answer is what conversations do with what they are told; gone do not run.
	answer func(said desk.Addressed)
	gone   map[signals.Key]bool
	// fail makes so many dispatches fail, failSurvivors so many questions.
	fail, failSurvivors int
	survivors           []signals.Key
	// lost is what a look finds, looks are all of them.
	lost  func(look desk.Look) ([]signals.Key, error)
	looks []desk.Look
	// choose is what the webhook does.
	choose  func(choice desk.Choice) ([]string, error)
	choices []desk.Choice

	under policy.DeskSnapshot
	// timers are those that run; events are counted as the server would write
	// them.
	timers  map[string]bool
	events  atomic.Int64
	numbers map[signals.Key]int64
}

func newWorld(t *testing.T, changes ...func(s *policy.DeskSnapshot)) *world {
	t.Helper()

	var suite testsuite.WorkflowTestSuite

	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))

	w := &world{
		TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, under: under(changes...), timers: map[string]bool{},
		gone: map[signals.Key]bool{}, numbers: map[signals.Key]int64{},
	}
	w.SetStartTime(epoch())
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: signals.DeskWorkflowID("support"), TaskQueue: signals.TaskQueue})
	w.SetTestTimeout(20 * time.Second)

	flows := &desk.Workflows{Under: func(name string) policy.DeskSnapshot {
		require.Equal(t, "support", name)

		return w.under
	}}
	w.RegisterWorkflowWithOptions(flows.Desk, workflow.RegisterOptions{Name: signals.DeskWorkflow})
	w.RegisterActivityWithOptions(w.dispatch, activity.RegisterOptions{Name: desk.DispatchActivity})
	w.RegisterActivityWithOptions(w.seek, activity.RegisterOptions{Name: desk.SurvivorsActivity})
	w.RegisterActivityWithOptions(w.look, activity.RegisterOptions{Name: desk.LostActivity})
	w.RegisterActivityWithOptions(w.ask, activity.RegisterOptions{Name: desk.ChooseActivity})

	w.SetOnTimerScheduledListener(func(id string, _ time.Duration) { w.timers[id] = true; w.events.Add(1) })
	// A timer that fires wakes the workflow: its event, and the task's three.
	w.SetOnTimerFiredListener(func(id string) { delete(w.timers, id); w.events.Add(4) })
	w.SetOnTimerCanceledListener(func(id string) { delete(w.timers, id); w.events.Add(1) })

	return w
}

func (w *world) dispatch(_ context.Context, payload desk.Dispatch) (desk.Dispatched, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()

	if w.fail > 0 {
		w.fail--

		return desk.Dispatched{}, errors.New("Temporal is away")
	}

	w.dispatched = append(w.dispatched, payload)
	w.events.Add(6) // scheduled, started, completed, and a task

	var done desk.Dispatched

	for _, said := range payload.Offers {
		if w.gone[said.Key] {
			done.Gone = append(done.Gone, said.Key)
		} else if w.answer != nil {
			w.answer(said)
		}
	}

	return done, nil
}

func (w *world) seek(_ context.Context, name string) ([]signals.Key, error) {
	require.Equal(w.t, "support", name)

	if w.failSurvivors > 0 {
		w.failSurvivors--

		return nil, errors.New("visibility is away")
	}

	return w.survivors, nil
}

func (w *world) look(_ context.Context, look desk.Look) ([]signals.Key, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()

	w.looks = append(w.looks, look)
	w.events.Add(1)

	if w.lost == nil {
		return nil, nil
	}

	return w.lost(look)
}

func (w *world) ask(_ context.Context, choice desk.Choice) ([]string, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()

	w.choices = append(w.choices, choice)

	return w.choose(choice)
}

// after does something when so much time has passed.
func (w *world) after(offset time.Duration, do func()) {
	w.RegisterDelayedCallback(func() {
		require.LessOrEqual(w.t, len(w.timers), 1, "more than one timer at a time")
		do()
	}, offset)
}

// signal sends statements in one batch.
func (w *world) signal(asks ...signals.Ask) {
	batch := signals.AskBatch{}

	for i := range asks {
		raw, err := json.Marshal(asks[i])
		require.NoError(w.t, err)

		batch.Asks = append(batch.Asks, raw)
	}

	w.events.Add(4) // the signal, and a task
	w.SignalWorkflow(signals.AsksSignal, batch)
}

// statement makes the next one of a conversation.
func (w *world) statement(n int, kind signals.AskKind, agent string, attempt int64) signals.Ask {
	w.numbers[key(n)]++

	ask := signals.Ask{
		Kind: kind, Key: key(n), Session: 1, Number: w.numbers[key(n)], Attempt: attempt, Agent: agent, At: w.Now(),
	}

	switch kind {
	case request, declined, expired:
		ask.Need = &signals.Need{Since: epoch(), Timeout: 30 * time.Second, Rounds: 2, Pause: 20 * time.Second}
	default:
	}

	return ask
}

func (w *world) say(offset time.Duration, n int, kind signals.AskKind, agent string, attempt int64) {
	w.after(offset, func() { w.signal(w.statement(n, kind, agent, attempt)) })
}

// update sends a command after an offset and gives its outcome to then.
func (w *world) update(offset time.Duration, name string, arg any, then func(result any, err error)) {
	w.after(offset, func() {
		w.UpdateWorkflow(name, name+offset.String(), &testsuite.TestUpdateCallback{
			OnAccept:   func() {},
			OnReject:   func(err error) { then(nil, err) },
			OnComplete: then,
		}, arg)
	})
}

func (w *world) view() signals.DeskView {
	w.t.Helper()

	var view signals.DeskView

	w.query(&view, signals.StateQuery)

	return view
}

func (w *world) query(into any, name string, args ...any) {
	w.t.Helper()

	value, err := w.QueryWorkflow(name, args...)
	require.NoError(w.t, err)
	require.NoError(w.t, value.Get(into))
}

func (w *world) status(n int) string {
	var position signals.DeskPosition

	w.query(&position, signals.PositionQuery, key(n))

	return position.Status
}

// stop ends the run by continue-as-new.
func (w *world) stop(offset time.Duration) {
	w.after(offset, func() {
		w.SetContinueAsNewSuggested(true)
		w.SignalWorkflow(signals.AsksSignal, signals.AskBatch{Asks: []json.RawMessage{}})
	})
}

func (w *world) run(input any) {
	w.t.Helper()

	if input == nil {
		w.ExecuteWorkflow(signals.DeskWorkflow)
	} else {
		w.ExecuteWorkflow(signals.DeskWorkflow, input)
	}

	require.True(w.t, w.IsWorkflowCompleted())
	require.LessOrEqual(w.t, len(w.timers), 1, "more than one timer at a time")
}

// next is the input of the run that this one continued as.
func (w *world) next() desk.Input {
	w.t.Helper()

	var (
		again *workflow.ContinueAsNewError
		input desk.Input
	)

	require.ErrorAs(w.t, w.GetWorkflowError(), &again)
	require.Equal(w.t, signals.DeskWorkflow, again.WorkflowType.Name)
	require.NoError(w.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &input))

	return input
}

// said is all that conversations were told, in order.
func (w *world) said() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()

	var out []string

	for i := range w.dispatched {
		for _, said := range w.dispatched[i].Offers {
			out = append(out, told(said))
		}
	}

	return out
}
