package shell

import "time"

// LookSummary is what the Temporal UI shows of a timer.
func LookSummary(now, due time.Time, name string) string { return lookSummary(now, due, name) }
