package inbox

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
	defer in.mu.Unlock()

	in.marks, in.taken = nil, in.window.settled
}

// Flushed reports whether nothing is left to write.
func (in *Inbox) Flushed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()

	return len(in.marks) == 0 && in.taken == in.window.settled
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
	MaxParked    = maxParked
	MaxScattered = maxScattered
)
