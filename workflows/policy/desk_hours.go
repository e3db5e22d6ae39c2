package policy

import "time"

// Change returns when the calendar next opens or shuts after t; ok is false for
// one that never does, within twenty years.
func (h *Hours) Change(t time.Time) (time.Time, bool) {
	if h.always() {
		return time.Time{}, false
	}

	open := h.Open(t)

	for start, end := range h.spans(t) {
		if !open && start.After(t) {
			return start, true
		}

		// Windows that touch are one.
		if open && end.After(t) && !h.Open(end) {
			return end, true
		}
	}

	return time.Time{}, false
}
