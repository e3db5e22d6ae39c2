package report

import (
	"fmt"
	"time"

	"github.com/parleyhq/parley/tests/load/stats"
)

// What the figures to reach are measured with.
const (
	// ModeMany sends many conversations of 20 events, ModeFew few of 200.
	ModeMany = "many"
	ModeFew  = "few"
	// ModeOffered offers its events at a rate of its own.
	ModeOffered = "offered"
	// ModeSingle sends one message at a time.
	ModeSingle = "single"

	TargetParley = "parley"
	TargetBare   = "bare"
	TargetNaive  = "naive"

	// ClocksPerSecond is how many clocks fall due in a second.
	ClocksPerSecond = 150
	// LongIdle is how many open conversations memory is judged by.
	LongIdle = 100_000
)

// Results are everything that was measured.
type Results struct {
	Rows     []Row
	Clocks   *Clocks
	Recovery *Recovery
	Drains   []Drain
}

// Clocks say how late clocks fired.
type Clocks struct {
	Armed     int     `json:"armed"`
	PerSecond float64 `json:"per_second"`
	// Late is from when a clock was due to the start of the workflow task that
	// fires it; Done to the end of that task, when the push has left.
	Late stats.Quantiles `json:"late"`
	Done stats.Quantiles `json:"done"`
}

// Recovery says what open conversations cost, and how a restart after SIGKILL
// went.
type Recovery struct {
	Open    int `json:"open"`
	Overdue int `json:"overdue"`
	// OpenedPerSecond counts from the first webhook until all were applied.
	OpenedPerSecond float64 `json:"opened_per_second"`
	// Resident is memory with all open, ResidentAfter after the recovery; in
	// bytes.
	Resident      int64   `json:"resident_bytes"`
	ResidentAfter int64   `json:"resident_after_bytes"`
	BytesEach     float64 `json:"bytes_on_disk_each"`
	// FirstAnswer is from the start of the process to its first 2xx to a
	// webhook, FirstApplied until that was applied.
	FirstAnswer  time.Duration `json:"first_answer_ns"`
	FirstApplied time.Duration `json:"first_applied_ns"`
	// Recovered is from the start of the process until the last overdue clock
	// had fired, and OverduePerSecond how many did in a second since the first
	// answer or the first clock, whichever came before.
	Recovered        time.Duration `json:"recovered_ns"`
	OverduePerSecond float64       `json:"overdue_per_second"`
}

// Short is one line about it.
func (r *Recovery) Short() string {
	return fmt.Sprintf("%d open take %.0f MB; after SIGKILL the first answer came in %.1f s, and overdue clocks fired at %.0f/s",
		r.Open, megabytes(r.Resident), r.FirstAnswer.Seconds(), r.OverduePerSecond)
}
