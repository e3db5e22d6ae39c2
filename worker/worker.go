package worker

import (
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/delivery"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// Config is how much a worker does at once and keeps in memory.
type Config struct {
	// StickyCache is how many open conversations stay in memory, each about
	// 100 kB; one that is not there is replayed from its history.
	StickyCache int `env:"PARLEY_STICKY_CACHE" envDefault:"2000" min:"0" max:"1000000" desc:"open conversations in memory, about 100 kB each"`
}

// Activities registers its activities under the names that the workflows call.
type Activities interface {
	Register(registry sdkworker.ActivityRegistry)
}

const (
	// stopPatience is how long a stopping worker lets what runs finish.
	stopPatience = 4 * time.Second
	// deadlockAfter is how long one task may compute: a worker that was away
	// finds thousands of signals in it.
	deadlockAfter = 5 * time.Second
	// Two cores are kept busy by a few pollers; more only wait.
	workflowPollers = 4
	activityPollers = 2
	// workflowTasks, localActivities, activities and attempts run at once at
	// most.
	workflowTasks   = 200
	localActivities = 200
	activities      = 200
	attempts        = 200
)

// Under says what workflows run under, by the configuration.
type Under struct {
	// Source is asked by conversations, Desk by desks.
	Source func(source string) policy.Snapshot
	Desk   func(desk string) policy.DeskSnapshot
}

// Worker runs workflows and their activities. Attempts at deliveries have a
// task queue and slots of their own: receivers that keep them waiting hold
// nothing else up. Desks have theirs, since the SDK's pollers leave a run that is
// not in memory, such as one that has just continued as new, waiting while there
// is a backlog of others (internal_task_pollers.go, getNextPollRequest, v1.50):
// a busy desk's next run began up to a second late, whatever its priority.
type Worker struct {
	queues []sdkworker.Worker
}

// LimitCache sets how many open conversations this process keeps. The SDK has one
// cache for all workers of a process, and the first of them makes it: an embedded
// server's own, if there is one. Call it before that starts.
func LimitCache(config Config) { sdkworker.SetStickyWorkflowCacheSize(config.StickyCache) }

// New assembles the worker with every workflow and the given activities on it.
func New(temporal client.Client, under Under, provided ...Activities) *Worker {
	options := sdkworker.Options{
		MaxConcurrentWorkflowTaskPollers:        workflowPollers,
		MaxConcurrentActivityTaskPollers:        activityPollers,
		MaxConcurrentWorkflowTaskExecutionSize:  workflowTasks,
		MaxConcurrentLocalActivityExecutionSize: localActivities,
		MaxConcurrentActivityExecutionSize:      activities,
		WorkerStopTimeout:                       stopPatience,
		DeadlockDetectionTimeout:                deadlockAfter,
	}
	workflows := sdkworker.New(temporal, signals.TaskQueue, options)
	desks := sdkworker.New(temporal, signals.DeskTaskQueue, options)
	deliveries := sdkworker.New(temporal, signals.DeliveryTaskQueue, sdkworker.Options{
		DisableWorkflowWorker:              true,
		MaxConcurrentActivityTaskPollers:   activityPollers,
		MaxConcurrentActivityExecutionSize: attempts,
		WorkerStopTimeout:                  stopPatience,
	})

	(&conversation.Workflows{Under: under.Source}).Register(workflows)
	delivery.Register(workflows)

	// Runs of desks that began before these had a queue of their own end on the
	// other.
	for _, queue := range []sdkworker.Worker{desks, workflows} {
		(&desk.Workflows{Under: under.Desk}).Register(queue)
	}

	worker := &Worker{queues: []sdkworker.Worker{workflows, desks, deliveries}}

	for _, each := range provided {
		for _, queue := range worker.queues {
			each.Register(queue)
		}
	}

	return worker
}

// Start starts the worker; its error says what Temporal refused.
func (w *Worker) Start() error {
	for i, queue := range w.queues {
		if err := queue.Start(); err != nil {
			(&Worker{queues: w.queues[:i]}).Stop()

			return fmt.Errorf("start the worker: %w", err)
		}
	}

	return nil
}

// Stop lets what runs finish, for a few seconds at most.
func (w *Worker) Stop() {
	var stopping sync.WaitGroup

	for _, queue := range w.queues {
		stopping.Go(queue.Stop)
	}

	stopping.Wait()
}
