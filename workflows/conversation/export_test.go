package conversation

import "time"

// Escape is what a card does to visitor text.
func Escape(text string) string { return escape(text) }

// Card is what the Temporal UI shows.
func Card(m *Machine) string { return card(m) }

// LookSummary is what the Temporal UI shows of a timer.
func LookSummary(now, due time.Time, name string) string { return lookSummary(now, due, name) }

// BoundTags gives tests the bounds of the search attribute.
func BoundTags(tags []string) []string { return boundTags(tags) }

// Fit gives tests the cut by encoded size.
func Fit(text string, limit int) string { return fit(text, limit) }
