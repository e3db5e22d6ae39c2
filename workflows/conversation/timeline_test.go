package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
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
