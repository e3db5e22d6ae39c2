//go:build faults

package inbox

import (
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// faults kill the process at a point of its work, for fault tests: the
// environment names the point, PARLEY_FAULT_POINT (before-commit, after-commit,
// after-signal), and the pass at which it happens, PARLEY_FAULT_AFTER.
type faults struct {
	point string
	after int64
	count *atomic.Int64
}

func newFaults() faults {
	after, err := strconv.ParseInt(os.Getenv("PARLEY_FAULT_AFTER"), 10, 64)
	if err != nil {
		after = 1
	}

	return faults{point: os.Getenv("PARLEY_FAULT_POINT"), after: after, count: new(atomic.Int64)}
}

func (f faults) pass(point string) {
	if point != f.point || f.count.Add(1) != f.after {
		return
	}

	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}

	select {} // until it is dead
}
