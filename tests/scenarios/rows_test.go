package scenarios_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryRowHasItsScenario looks for each row of the two tables of the
// lifecycle among the rules that the files quote.
func TestEveryRowHasItsScenario(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)

	rules := make([]string, 0, len(files))
	for _, file := range files {
		s := load(t, file)
		rules = append(rules, s.Rule)
	}

	for _, row := range []string{
		"the agent writes first |",
		"an uninvited agent answers publicly while queued or offered |",
		"a supervisor joins (visibility agents, or supervising) |",
		"a second public agent answers |",
		"the assignee leaves, another public agent stays |",
		"the assignee leaves, none stays |",
		"transfer to an agent |",
		"transfer to a group |",
		"transfer or close while offered |",
		"the visitor is away while active |",
		"an agent is away |",
		"a bot answers before the escalation / after it |",
		"the only unanswered message is deleted / edited |",
		"a button is pressed |",
		"a pre-chat form is submitted",
		"an offline form |",
		"closed while unreplied |",
		"closed by the system |",
		"closed twice |",
		"the visitor escalates while closing |",
		"the platform never closes |",
		"one agent on the desk, silent |",
		"a transcript inside a webhook",
		"late, early, repeated, reordered events |",
		"On a platform that routes for itself",
		"unreplied |", "accept |", "reassign |", "queue |", "idle |", "snooze |", "close-out |", "age |",
		"After an outage", "Clocks count wall time, or business hours", "each distinct (content.created_at, push_times)",
	} {
		found := false
		for _, rule := range rules {
			found = found || strings.HasPrefix(rule, row)
		}

		require.True(t, found, "no scenario quotes the row %q", row)
	}
}
