package conversation

// Escape is what a card does to visitor text.
func Escape(text string) string { return escape(text) }

// Card is what the Temporal UI shows.
func Card(m *Machine) string { return card(m) }
