package desk

import "time"

// Card shows tests what the Temporal UI shows.
func Card(m *Machine, now time.Time) string { return card(m, now) }
