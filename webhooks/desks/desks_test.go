package desks_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks/desks"
	"github.com/parleyhq/parley/workflows/desk"
)

// cluster is a Temporal with one desk.
type cluster struct {
	desks.Temporal

	mu      sync.Mutex
	now     time.Time
	queries []*client.QueryWorkflowWithOptionsRequest
	updates []client.UpdateWorkflowOptions
	starts  []client.StartWorkflowOptions
	answer  func(request *client.QueryWorkflowWithOptionsRequest) (any, error)
	obey    func(options client.UpdateWorkflowOptions) (any, error)
}

func (c *cluster) QueryWorkflowWithOptions(
	_ context.Context, request *client.QueryWorkflowWithOptionsRequest,
) (*client.QueryWorkflowWithOptionsResponse, error) {
	c.mu.Lock()
	c.queries = append(c.queries, request)
	c.mu.Unlock()

	answer, err := c.answer(request)
	if status, ended := map[error]enums.WorkflowExecutionStatus{
		errEnded: enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, errFollowed: enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW,
	}[err]; ended {
		return &client.QueryWorkflowWithOptionsResponse{QueryRejected: &query.QueryRejected{Status: status}}, nil
	}

	if err != nil {
		return nil, err
	}

	return &client.QueryWorkflowWithOptionsResponse{QueryResult: encoded{answer}}, nil
}

func (c *cluster) ExecuteWorkflow(
	_ context.Context, options client.StartWorkflowOptions, _ any, _ ...any,
) (client.WorkflowRun, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.starts = append(c.starts, options)

	return nil, nil //nolint:nilnil // nobody looks at it
}

func (c *cluster) NewWithStartWorkflowOperation(options client.StartWorkflowOptions, _ any, _ ...any) client.WithStartWorkflowOperation {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.starts = append(c.starts, options)

	return nil
}

func (c *cluster) UpdateWithStartWorkflow(
	_ context.Context, options client.UpdateWithStartWorkflowOptions,
) (client.WorkflowUpdateHandle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.updates = append(c.updates, options.UpdateOptions)
	answer, err := c.obey(options.UpdateOptions)

	return handle{answer: answer, err: err}, nil
}

func (c *cluster) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return len(c.queries)
}

func (c *cluster) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.now
}

func (c *cluster) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.now = c.now.Add(d)
}

var (
	errEnded    = errors.New("ended")
	errFollowed = errors.New("continued as new")
	errDown     = errors.New("down")
)

type encoded struct{ value any }

func (e encoded) HasValue() bool { return true }

func (e encoded) Get(into any) error {
	payload, err := converter.GetDefaultDataConverter().ToPayload(e.value)
	if err != nil {
		return err
	}

	return converter.GetDefaultDataConverter().FromPayload(payload, into)
}

type handle struct {
	client.WorkflowUpdateHandle

	answer any
	err    error
}

func (h handle) Get(_ context.Context, into any) error {
	if h.err != nil || into == nil { // as the SDK's
		return h.err
	}

	return encoded{h.answer}.Get(into)
}

func newBoard(t *testing.T) (*cluster, *desks.Board) {
	t.Helper()

	c := &cluster{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) {
		return signals.DeskView{Desk: "support"}, nil
	}
	c.obey = func(client.UpdateWorkflowOptions) (any, error) { return signals.DeskAgent{ID: "ann"}, nil }

	return c, desks.New(desks.Config{Temporal: c, Names: []string{"support", "billing"}, Now: c.clock})
}

func TestAnAnswerHoldsForASecond(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	since := c.now.Add(-time.Minute)
	c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) {
		return signals.DeskView{Desk: "support", Waiting: c.asked(), OldestSince: &since}, nil
	}

	for range 3 {
		view, err := board.View(t.Context(), "support")
		require.NoError(t, err)
		require.Equal(t, 1, view.Waiting)
	}

	c.pass(999 * time.Millisecond)

	view, err := board.View(t.Context(), "support")
	require.NoError(t, err)
	require.Equal(t, 1, view.Waiting)

	c.pass(2 * time.Millisecond)

	view, err = board.View(t.Context(), "support")
	require.NoError(t, err)
	require.Equal(t, 2, view.Waiting)
	require.EqualValues(t, 61, view.OldestWaitSeconds, "as of now")

	// A command makes the next one ask again.
	_, err = board.Remove(t.Context(), "support", "", "ann")
	require.NoError(t, err)

	view, err = board.View(t.Context(), "support")
	require.NoError(t, err)
	require.Equal(t, 3, view.Waiting)
	require.Equal(t, "desk:support", c.queries[0].WorkflowID)
	require.Equal(t, signals.StateQuery, c.queries[0].QueryType)
}

func TestManyAskOnce(t *testing.T) {
	t.Parallel()

	const many = 50

	c, board := newBoard(t)
	entered, leave := make(chan struct{}, many), make(chan struct{})
	c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) {
		entered <- struct{}{}

		<-leave

		return signals.DeskView{Desk: "support", Waiting: 7}, nil
	}

	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			view, err := board.View(t.Context(), "support")
			if err != nil || view.Waiting != 7 {
				t.Errorf("got %d, %v", view.Waiting, err)
			}
		})
	}

	<-entered

	// Who asked first goes, and the others have their answer all the same.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := board.View(ctx, "support")
	require.ErrorIs(t, err, desks.ErrSilent)

	close(leave)
	group.Wait()
	require.Equal(t, 1, c.asked())
}

func TestTheLastAnswerIsKept(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	_, _, ok := board.LastAvailability("support", "x")
	require.False(t, ok)

	c.answer = func(r *client.QueryWorkflowWithOptionsRequest) (any, error) {
		return signals.Availability{Skill: r.Args[0].(string), WaitSeconds: new(int64(40))}, nil
	}

	for _, skill := range []string{"x", "y"} {
		answer, err := board.Availability(t.Context(), "support", skill)
		require.NoError(t, err)
		require.Equal(t, skill, answer.Skill)
	}

	at := c.now
	c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) { return nil, errDown }
	c.pass(time.Hour)

	_, err := board.Availability(t.Context(), "support", "x")
	require.ErrorIs(t, err, desks.ErrSilent)
	require.ErrorIs(t, err, errDown)

	answer, when, ok := board.LastAvailability("support", "x")
	require.True(t, ok)
	require.Equal(t, at, when)
	require.EqualValues(t, 40, *answer.WaitSeconds)

	_, _, ok = board.LastAvailability("billing", "x")
	require.False(t, ok)
	_, _, ok = board.LastView("support")
	require.False(t, ok)
	_, _, ok = board.LastView("nobody")
	require.False(t, ok)
}

// TestSkillsAreForgotten: anybody may ask for any.
func TestSkillsAreForgotten(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) { return signals.Availability{}, nil }

	kept := 0

	for i := range 1000 {
		_, err := board.Availability(t.Context(), "support", string(rune('a'+i)))
		require.NoError(t, err)
		c.pass(time.Millisecond)
	}

	for i := range 1000 {
		if _, _, ok := board.LastAvailability("support", string(rune('a'+i))); ok {
			kept++

			require.GreaterOrEqual(t, i, 1000-256, "the oldest go first")
		}
	}

	require.Equal(t, 256, kept)
}

func TestAPositionIsAskedEachTime(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	key := signals.Key{Source: "shop", Conversation: "c"}
	c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) {
		return signals.DeskPosition{Status: signals.DeskWaits, Position: c.asked(), Depth: 9}, nil
	}

	for want := 1; want <= 2; want++ {
		position, err := board.Position(t.Context(), "billing", key)
		require.NoError(t, err)
		require.Equal(t, want, position.Position)
	}

	require.Equal(t, []any{key}, c.queries[0].Args)
}

func TestADeskThatEndedIsStarted(t *testing.T) {
	t.Parallel()

	for name, ended := range map[string]error{"never ran": serviceerror.NewNotFound("none"), "terminated": errEnded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c, board := newBoard(t)
			c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) {
				switch c.asked() {
				case 1:
					return nil, ended
				case 2:
					return nil, serviceerror.NewQueryFailed("the desk is starting")
				default:
					return signals.DeskView{Desk: "support"}, nil
				}
			}

			view, err := board.View(t.Context(), "support")
			require.NoError(t, err)
			require.Equal(t, "support", view.Desk)
			require.Len(t, c.starts, 1)
			require.Equal(t, "desk:support", c.starts[0].ID)
			require.Equal(t, signals.DeskTaskQueue, c.starts[0].TaskQueue)
			require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, c.starts[0].WorkflowIDConflictPolicy)
		})
	}
}

// TestADeskThatContinuesAsNew answers from its next run, and is not started.
func TestADeskThatContinuesAsNew(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	c.answer = func(*client.QueryWorkflowWithOptionsRequest) (any, error) {
		if c.asked() == 1 {
			return nil, errFollowed
		}

		return signals.DeskView{Desk: "support"}, nil
	}

	view, err := board.View(t.Context(), "support")
	require.NoError(t, err)
	require.Equal(t, "support", view.Desk)
	require.Empty(t, c.starts)
}

func TestUnknownDesks(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)

	_, err := board.View(t.Context(), "sales")
	require.ErrorIs(t, err, desks.ErrUnknown)
	_, err = board.Availability(t.Context(), "sales", "")
	require.ErrorIs(t, err, desks.ErrUnknown)
	_, err = board.Position(t.Context(), "sales", signals.Key{})
	require.ErrorIs(t, err, desks.ErrUnknown)
	_, err = board.Put(t.Context(), "sales", "", signals.AgentWord{})
	require.ErrorIs(t, err, desks.ErrUnknown)

	require.Empty(t, c.queries)
	require.Empty(t, c.updates)
	require.Equal(t, []string{"billing", "support"}, board.Names())

	var none *desks.Board

	require.Empty(t, none.Names())
	_, err = none.View(t.Context(), "support")
	require.ErrorIs(t, err, desks.ErrUnknown)
}

func TestCommands(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	word := signals.AgentWord{ID: "ann", Skills: []string{}}

	agent, err := board.Put(t.Context(), "support", "k1", word)
	require.NoError(t, err)
	require.Equal(t, "ann", agent.ID)
	require.Equal(t, "k1", c.updates[0].UpdateID)
	require.Equal(t, signals.AgentUpdate, c.updates[0].UpdateName)
	require.Equal(t, []any{word}, c.updates[0].Args)
	require.Equal(t, "desk:support", c.starts[0].ID, "it is started with the command")

	c.obey = func(client.UpdateWorkflowOptions) (any, error) {
		return signals.Chosen{Agents: []string{"bo", ""}}, nil
	}

	chosen, err := board.Choose(t.Context(), "support", signals.Choices{Choices: make([]signals.ChoiceAsk, 2)})
	require.NoError(t, err)
	require.Equal(t, []string{"bo", ""}, chosen.Agents)

	require.NoError(t, board.Reload(t.Context(), "support"))
	require.Equal(t, signals.ReloadUpdate, c.updates[2].UpdateName)
	require.Equal(t, "desk:support", c.starts[2].ID, "it is started to read the configuration")
	require.ErrorIs(t, board.Reload(t.Context(), "sales"), desks.ErrUnknown)
}

// TestLook tells who stands where, and of which desks nobody knows.
func TestLook(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	down := map[string]bool{"desk:billing": true}
	staffed := map[string][]signals.DeskAgent{
		"desk:billing": {{ID: "kim"}, {ID: "both"}}, "desk:support": {{ID: "ann"}, {ID: "both"}, {ID: "lee", Removed: true}},
	}
	c.answer = func(r *client.QueryWorkflowWithOptionsRequest) (any, error) {
		if down[r.WorkflowID] {
			return nil, errDown
		}

		return signals.DeskView{Agents: staffed[r.WorkflowID]}, nil
	}

	staff := board.Look(t.Context(), board.Names()...)
	require.True(t, staff.Answered)
	require.False(t, staff.Complete, "billing never answered")
	require.Equal(t, "support", staff.Home("ann", "billing"))
	require.Empty(t, staff.Home("kim", ""))
	require.Empty(t, staff.Home("lee", "support"), "who was removed is not there")

	down["desk:billing"] = false
	staff = board.Look(t.Context(), board.Names()...)
	require.True(t, staff.Complete)
	require.Equal(t, "billing", staff.Home("kim", "support"))
	require.Equal(t, "support", staff.Home("both", "support"))
	require.Equal(t, "billing", staff.Home("both", ""))

	// What does not answer counts as it was.
	c.pass(time.Minute)

	down["desk:billing"], down["desk:support"] = true, true
	staff = board.Look(t.Context(), "billing")
	require.True(t, staff.Complete)
	require.False(t, staff.Answered)
	require.Equal(t, "billing", staff.Home("kim", ""))

	require.Equal(t, []string{"support"}, board.Others("billing"))

	staff = board.Look(t.Context(), "sales")
	require.False(t, staff.Complete, "no such desk")
}

func TestRefusals(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	put := func(err error) error {
		c.obey = func(client.UpdateWorkflowOptions) (any, error) { return nil, err }
		_, got := board.Put(t.Context(), "support", "", signals.AgentWord{ID: "ann"})

		return got
	}

	refused, ok := errors.AsType[*desks.RefusedError](put(temporal.NewNonRetryableApplicationError("full", signals.RefusedError, nil)))
	require.True(t, ok)
	require.Equal(t, "full", refused.Reason)

	fault, ok := errors.AsType[*signals.FieldError](
		put(temporal.NewNonRetryableApplicationError("slots: no", desk.InvalidError, nil, "slots", "no")))
	require.True(t, ok)
	require.Equal(t, "slots", fault.Field)
	require.Equal(t, "no", fault.Reason)

	require.ErrorIs(t, put(errDown), desks.ErrSilent)
	require.ErrorIs(t, put(temporal.NewApplicationError("", "AcceptedUpdateCompletedWorkflow")), desks.ErrSilent)
	require.NotErrorIs(t, put(temporal.NewApplicationError("", "Bug")), desks.ErrSilent)
}
