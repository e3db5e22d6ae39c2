package inbox

import "time"

// Sweep has the conversations of which anything has been parked for ten minutes
// before now told once more, in case that somebody else started their run, and
// returns how many there are. What still finds none is an orphan then.
func (in *Inbox) Sweep(now time.Time) int {
	in.mu.Lock()
	defer in.mu.Unlock()

	due := 0

	for way := range in.parked {
		for i := range way.parked {
			if now.UnixMicro()-way.parked[i].since < parkedFor.Microseconds() {
				continue
			}

			due++
			way.tell = true
			in.ready(way)

			break
		}
	}

	return due
}
