package staff

import (
	"slices"
	"time"
)

// Beyond is by how much acceptances came later than slots allow: with room for k
// conversations at a time, number n of a desk, counted by acceptance, cannot be
// accepted before n have escalated, nor before n-k are over. What is left is the
// time in which a free slot and somebody who waited did not find each other.
//
// The three are those of one desk, in any order.
func Beyond(escalated, accepted, ended []time.Time, room int) []time.Duration {
	escalated, accepted, ended = sorted(escalated), sorted(accepted), sorted(ended)
	beyond := make([]time.Duration, 0, len(accepted))

	for n, at := range accepted {
		earliest := escalated[n]
		if over := n - room; over >= 0 && ended[over].After(earliest) {
			earliest = ended[over]
		}

		beyond = append(beyond, at.Sub(earliest))
	}

	return beyond
}

func sorted(times []time.Time) []time.Time {
	return slices.SortedFunc(slices.Values(times), time.Time.Compare)
}
