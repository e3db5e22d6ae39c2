package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	// maxGroup and maxGroupBytes bound one transaction, so that nobody waits
	// long for the one before.
	maxGroup      = 4096
	maxGroupBytes = 8 << 20
	// lingering is how long the writer keeps its connection without work.
	lingering = time.Second
)

// jobs is the queue in front of the writer, a goroutine that is there while
// there is work.
type jobs struct {
	mu      sync.Mutex
	queue   []job
	running bool
	wake    chan struct{}
}

// job is one of its kinds.
type job struct {
	ask    *ask
	change *change
	// place asks for lists to be written.
	place bool
}

// change is anything but acceptance that writes, in a transaction of its own.
type change struct {
	// run is nil for one that only wants the marks written.
	run func(tx *sql.Tx) error
	// committed is called by the writer afterwards; it may be nil.
	committed func()
	done      chan error
}

func newJobs() jobs { return jobs{wake: make(chan struct{}, 1)} }

// submit queues a job and sees to it that a writer is there.
func (in *Inbox) submit(j job) {
	in.jobs.mu.Lock()
	defer in.jobs.mu.Unlock()

	in.jobs.queue = append(in.jobs.queue, j)

	if !in.jobs.running {
		in.jobs.running = true

		go in.write()

		return
	}

	select {
	case in.jobs.wake <- struct{}{}:
	default:
	}
}

// change runs a change and waits for it. If ctx ends before, it may be done all
// the same.
func (in *Inbox) change(ctx context.Context, run func(tx *sql.Tx) error, committed func()) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the inbox: %w", err)
	}

	c := &change{run: run, committed: committed, done: make(chan error, 1)}
	in.submit(job{change: c})

	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the inbox: %w", ctx.Err())
	}
}

// write is the writer: it takes everything that waits until nothing does.
func (in *Inbox) write() {
	w := &pen{Inbox: in}
	idle := time.NewTimer(lingering)

	defer idle.Stop()

	for {
		queue := in.takeJobs()
		if len(queue) > 0 {
			w.do(in.base, queue)
			// Those who have just been answered may come again right away, and
			// go along with those who wait.
			runtime.Gosched()

			continue
		}

		if !in.closed.Load() {
			idle.Reset(lingering)

			select {
			case <-in.jobs.wake:
				continue
			case <-idle.C:
			}
		}

		if in.leave() {
			w.release()

			return
		}
	}
}

// takeJobs takes all that waits.
func (in *Inbox) takeJobs() []job {
	in.jobs.mu.Lock()
	defer in.jobs.mu.Unlock()

	queue := in.jobs.queue
	in.jobs.queue = nil

	return queue
}

// leave ends the writer unless there is work again.
func (in *Inbox) leave() bool {
	in.jobs.mu.Lock()
	defer in.jobs.mu.Unlock()

	if len(in.jobs.queue) > 0 {
		return false
	}

	in.jobs.running = false

	return true
}
