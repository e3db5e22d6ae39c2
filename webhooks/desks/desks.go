// Package desks asks the desks' workflows, and tells them, on behalf of HTTP.
//
// What many ask at once is asked once: a desk that drains has better to do. An
// answer holds for a second, and the last one is kept for whoever would rather
// have an old answer than none.
package desks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

const (
	// fresh is how long an answer holds.
	fresh = time.Second
	// askTime bounds one question, however long the caller would wait.
	askTime = 2 * time.Second
	// again is the pause before a question is repeated to a desk that is starting.
	again = 50 * time.Millisecond
	// maxSkills bounds the answers about availability that are kept for each desk:
	// anybody may ask for any skill.
	maxSkills = 256
	// parallel bounds the desks that are asked at once for one answer.
	parallel = 8
	// taskTime is as for every workflow of Parley's.
	taskTime = 2 * time.Second
)

var (
	// ErrUnknown says that no desk of this name is configured.
	ErrUnknown = errors.New("no desk has this name")
	// ErrSilent wraps why a desk did not answer: Temporal is away, or nobody works
	// for it, or it took too long. A repeat may cure it.
	ErrSilent = errors.New("the desk does not answer")
)

// RefusedError is a desk's own no; nothing has changed.
type RefusedError struct{ Reason string }

// Error returns the desk's reason.
func (r *RefusedError) Error() string { return r.Reason }

// Temporal is the part of client.Client that a [Board] uses.
type Temporal interface {
	QueryWorkflowWithOptions(
		ctx context.Context, request *client.QueryWorkflowWithOptionsRequest,
	) (*client.QueryWorkflowWithOptionsResponse, error)
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	NewWithStartWorkflowOperation(options client.StartWorkflowOptions, workflow any, args ...any) client.WithStartWorkflowOperation
	UpdateWithStartWorkflow(ctx context.Context, options client.UpdateWithStartWorkflowOptions) (client.WorkflowUpdateHandle, error)
}

// Config is what a [Board] works with.
type Config struct {
	Temporal Temporal
	// Names are the desks that are configured; others are [ErrUnknown].
	Names []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log may be nil.
	Log *slog.Logger
}

// Board shows the desks and passes commands on to them. It may be used by many
// goroutines. A nil Board has no desks.
type Board struct {
	temporal Temporal
	names    []string
	now      func() time.Time
	log      *slog.Logger

	views  *memory[signals.DeskView]
	skills map[string]*memory[signals.Availability]
}

// New returns a board of the configured desks. It asks nobody yet.
func New(config Config) *Board {
	b := &Board{
		temporal: config.Temporal, now: config.Now, log: config.Log,
		names: slices.Sorted(slices.Values(config.Names)), skills: make(map[string]*memory[signals.Availability], len(config.Names)),
	}

	if b.now == nil {
		b.now = time.Now
	}

	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}

	b.views = newMemory[signals.DeskView](b.now, max(len(b.names), 1))
	for _, name := range b.names {
		b.skills[name] = newMemory[signals.Availability](b.now, maxSkills)
	}

	return b
}

// Names returns the configured desks in alphabetical order.
func (b *Board) Names() []string {
	if b == nil {
		return nil
	}

	return slices.Clone(b.names)
}

// Known reports whether a desk of this name is configured.
func (b *Board) Known(desk string) bool {
	if b == nil {
		return false
	}

	_, known := slices.BinarySearch(b.names, desk)

	return known
}

// View returns a desk as it was at most a second ago, its waits as of now. The
// error wraps [ErrUnknown] or [ErrSilent]; [Board.LastView] may have something
// then. The lists in it are shared and not to be changed.
func (b *Board) View(ctx context.Context, desk string) (signals.DeskView, error) {
	if !b.Known(desk) {
		return signals.DeskView{}, unknown(desk)
	}

	view, err := b.views.get(ctx, desk, func(ctx context.Context) (signals.DeskView, error) {
		var view signals.DeskView

		err := b.ask(ctx, desk, &view, signals.StateQuery)

		return view, err
	})
	if err != nil {
		return signals.DeskView{}, err
	}

	return view.At(b.now()), nil
}

// LastView returns what a desk answered last, however long ago, and when; false
// if it never did.
func (b *Board) LastView(desk string) (signals.DeskView, time.Time, bool) {
	if !b.Known(desk) {
		return signals.DeskView{}, time.Time{}, false
	}

	view, at, ok := b.views.last(desk)

	return view.At(b.now()), at, ok
}

// Availability tells, as of at most a second ago, whether somebody who needs the
// skill, empty for none, would find an agent, and after which wait. Its errors
// are those of [Board.View].
func (b *Board) Availability(ctx context.Context, desk, skill string) (signals.Availability, error) {
	if !b.Known(desk) {
		return signals.Availability{}, unknown(desk)
	}

	return b.skills[desk].get(ctx, skill, func(ctx context.Context) (signals.Availability, error) {
		var answer signals.Availability

		err := b.ask(ctx, desk, &answer, signals.AvailabilityQuery, skill)

		return answer, err
	})
}

// LastAvailability returns what a desk answered last about a skill, however long
// ago, and when; false if it never did, or it is forgotten.
func (b *Board) LastAvailability(desk, skill string) (signals.Availability, time.Time, bool) {
	if !b.Known(desk) {
		return signals.Availability{}, time.Time{}, false
	}

	return b.skills[desk].last(skill)
}

// Position tells how a conversation stands at a desk right now; the status is
// empty where the desk knows nothing of it. Its errors are those of [Board.View].
func (b *Board) Position(ctx context.Context, desk string, key signals.Key) (signals.DeskPosition, error) {
	if !b.Known(desk) {
		return signals.DeskPosition{}, unknown(desk)
	}

	var answer signals.DeskPosition

	err := b.ask(ctx, desk, &answer, signals.PositionQuery, key)

	return answer, err
}

func unknown(desk string) error { return fmt.Errorf("%q: %w", desk, ErrUnknown) }

// startOptions are those of a desk's workflow.
func startOptions(desk string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: signals.DeskWorkflowID(desk), TaskQueue: signals.DeskTaskQueue, WorkflowTaskTimeout: taskTime, StaticSummary: "Desk " + desk,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
}

// ask queries a desk. One that is configured and does not run is started, since
// somebody must have ended it: it looks for those who count on it.
func (b *Board) ask(ctx context.Context, desk string, into any, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()

	err := b.query(ctx, desk, into, query, args)
	if !errors.Is(err, errNotRunning) {
		return err
	}

	b.log.InfoContext(ctx, "a desk did not run and is started", slog.String("desk", desk))

	if _, err := b.temporal.ExecuteWorkflow(ctx, startOptions(desk), signals.DeskWorkflow); err != nil {
		return silent(desk, err)
	}

	if err := b.query(ctx, desk, into, query, args); !errors.Is(err, errNotRunning) {
		return err
	}

	return silent(desk, errNotRunning)
}

var errNotRunning = errors.New("it has no open run")

// query repeats within its time while a desk is starting, or no worker has asked
// for work yet.
func (b *Board) query(ctx context.Context, desk string, into any, query string, args []any) error {
	for {
		answer, err := b.temporal.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
			WorkflowID: signals.DeskWorkflowID(desk), QueryType: query, Args: args,
			QueryRejectCondition: enums.QUERY_REJECT_CONDITION_NOT_OPEN,
		})

		switch {
		case err == nil && answer.QueryRejected.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
			err = errNotRunning // the next run answers
		case err == nil && answer.QueryRejected != nil, is[*serviceerror.NotFound](err):
			return errNotRunning
		case err == nil:
			if err := answer.QueryResult.Get(into); err != nil {
				return fmt.Errorf("read what desk %s answered: %w", desk, err)
			}

			return nil
		case !is[*serviceerror.FailedPrecondition](err) && !is[*serviceerror.QueryFailed](err):
			return silent(desk, err)
		}

		select {
		case <-ctx.Done():
			return silent(desk, err)
		case <-time.After(again):
		}
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)

	return ok
}

func silent(desk string, err error) error { return fmt.Errorf("ask %s: %w: %w", desk, ErrSilent, err) }
