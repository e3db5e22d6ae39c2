package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

// TestTimelineSaysWhoClosed: a role that the platform does not tell is not
// shown as one.
func TestTimelineSaysWhoClosed(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		closing signals.Closing
		text    string
	}{
		"an agent":         {signals.Closing{ByID: "smith", ByRole: signals.RoleAgent}, "by agent smith"},
		"a role not known": {signals.Closing{ByID: "smith", ByRole: signals.RoleUnknown}, "by smith"},
		"a command's":      {signals.Closing{ByID: "cleo", ByRole: signals.RoleSystem, Reason: "command"}, "by cleo, reason command"},
		"the system":       {signals.Closing{ByRole: signals.RoleSystem, Reason: "idle"}, "by system, reason idle"},
		"nobody, a reason": {signals.Closing{ByRole: signals.RoleUnknown, Reason: "idle"}, "reason idle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine()
			closed := event(signals.ConversationClosed, "smith", time.Minute)
			closed.Closing = &tc.closing
			tell(m, says("ann", "Hello?", 0), closed)

			lines := m.View("", true).Timeline
			require.Equal(t, tc.text, lines[len(lines)-1].Text)
		})
	}
}

// TestDescribeSaysWhyNobodyIsThere: which skill, whether anybody will be, and when.
func TestDescribeSaysWhyNobodyIsThere(t *testing.T) {
	t.Parallel()

	wait := int64(95)
	said := &signals.Event{
		Type: signals.AgentsUnavailable, Availability: &signals.Availability{Skill: "billing", Status: "busy", WaitSeconds: &wait},
	}
	require.Equal(t, "skill billing, busy, wait 1m35s", conversation.Describe(said))

	said.Availability = &signals.Availability{Status: "offline"}
	require.Equal(t, "offline", conversation.Describe(said))
}
