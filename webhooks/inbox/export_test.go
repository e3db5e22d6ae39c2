package inbox

import (
	"context"
	"time"
)

// Crash ends an inbox as a kill does: what has not been written by now never is.
// Nothing may be accepted at the same time.
func (in *Inbox) Crash() {
	in.closed.Store(true)

	in.mu.Lock()
	in.forwarder.stopped = true
	in.giveUp(ErrClosed)
	in.forwarder.work.Broadcast()
	in.mu.Unlock()

	in.forwarder.stop()
	in.forwarder.busy.Wait()

	in.mu.Lock()
	// A flush that is asked for finds nothing.
	in.marks, in.taken, in.window = nil, 0, newWindow(0)
	in.mu.Unlock()

	// What is being written is, before another inbox comes.
	for {
		in.jobs.mu.Lock()
		running := in.jobs.running
		in.jobs.mu.Unlock()

		if !running {
			return
		}

		select {
		case in.jobs.wake <- struct{}{}:
		default:
		}

		time.Sleep(100 * time.Microsecond)
	}
}

// Hasty shortens the rests between attempts.
func Hasty(config Config) Config {
	config.firstRest = time.Millisecond

	return config
}

// Flushed reports whether everything that is settled is written down.
func (in *Inbox) Flushed() bool {
	if in.change(context.Background(), nil, nil) != nil {
		return false
	}

	in.mu.Lock()
	defer in.mu.Unlock()

	return len(in.marks) == 0 && in.taken == in.window.settled
}

// PlaceAll writes all lists of rows.
func (in *Inbox) PlaceAll() {
	for {
		in.submit(job{place: true})

		if in.change(context.Background(), nil, nil) != nil {
			return
		}

		in.mu.Lock()
		done := len(in.places.fresh) == 0 && len(in.places.rest) == 0
		in.mu.Unlock()

		if done {
			return
		}
	}
}

// Lanes counts the conversations that have anything waiting.
func (in *Inbox) Lanes() int {
	in.mu.Lock()
	defer in.mu.Unlock()

	return len(in.lanes)
}

// Memory is how many bytes of events are held.
func (in *Inbox) Memory() int64 {
	in.mu.Lock()
	defer in.mu.Unlock()

	return in.memory
}

// SettledUpTo is up to which seq everything is settled.
func (in *Inbox) SettledUpTo() int64 {
	in.mu.Lock()
	defer in.mu.Unlock()

	return in.window.settled
}

// Parked counts what waits for a start.
func (in *Inbox) Parked() int {
	in.mu.Lock()
	defer in.mu.Unlock()

	n := 0
	for way := range in.parked {
		n += len(way.parked)
	}

	return n
}

// Probe is what Run does every few seconds.
var Probe = (*Inbox).probe //nolint:gochecknoglobals // a method's other name

// The bounds that tests reach.
const (
	MaxParked   = maxParked
	MaxUnplaced = maxUnplaced
)
