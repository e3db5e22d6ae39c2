package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// commands are those that a machine gave its platform.
func commands(m *conversation.Machine) []signals.PlatformCommand {
	var out []signals.PlatformCommand

	for i := range m.Outbox {
		if m.Outbox[i].Kind == signals.OrderPlatform {
			out = append(out, *m.Outbox[i].Platform)
		}
	}

	return out
}

// TestThePlatformIsToldFromWhom: by the agent who had the chat, a repeated
// command is told from one that is still to be done.
func TestThePlatformIsToldFromWhom(t *testing.T) {
	t.Parallel()

	takes := func(s *policy.Snapshot) { s.Platform, s.Groups = true, map[string]string{"2": "support"} }
	m := machine(takes)
	tell(m, says("ann", "Hello?", 0))

	require.NoError(t, m.Command(signals.AssignUpdate, signals.Command{AgentID: "smith"}, at(time.Second)))
	require.NoError(t, m.Command(signals.AssignUpdate, signals.Command{AgentID: "smith"}, at(2*time.Second)), "it holds already")
	require.NoError(t, m.Command(signals.TransferUpdate, signals.Command{AgentID: "jones"}, at(3*time.Second)))
	require.NoError(t, m.Command(signals.TransferUpdate, signals.Command{GroupID: "2"}, at(4*time.Second)))

	require.Equal(t, []signals.PlatformCommand{
		{Action: signals.PlatformTransfer, AgentID: "smith", Chat: "C1"},
		{Action: signals.PlatformTransfer, AgentID: "jones", From: "smith", Chat: "C1"},
		{Action: signals.PlatformTransfer, GroupID: "2", From: "jones", Chat: "C1"},
	}, commands(m))
}

func TestAFailedPlatformCommandIsToldToPeople(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		kind   string
		notify map[signals.Type][]string
		wants  []string
	}{
		"failed": {
			signals.NotePlatformFailed, map[signals.Type][]string{signals.AgentsUnavailable: {"ops", "log"}}, []string{"ops", "log"},
		},
		"failed, told of notes as well": {
			signals.NotePlatformFailed,
			map[signals.Type][]string{signals.AgentsUnavailable: {"ops", "log"}, signals.SystemNoted: {"log", "crm"}},
			[]string{"log", "crm", "ops"},
		},
		"done":    {signals.NotePlatformDone, map[signals.Type][]string{signals.AgentsUnavailable: {"ops"}}, nil},
		"dropped": {signals.NotePlatformDropped, map[signals.Type][]string{signals.AgentsUnavailable: {"ops"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(func(s *policy.Snapshot) { s.Policy.Notify = tc.notify })
			tell(m, says("ann", "Hello?", 0))

			m.Outbox = nil
			noted := event(signals.SystemNoted, "", time.Second)
			noted.Note = &signals.Note{Kind: tc.kind, Text: "what became of it"}
			tell(m, noted, noted)

			var told []string
			for i := range m.Outbox {
				told = append(told, m.Outbox[i].Target)
			}

			require.Equal(t, tc.wants, told, "once, though it came twice")
			require.Equal(t, tc.notify[signals.AgentsUnavailable], m.Under.Policy.Notify[signals.AgentsUnavailable])
		})
	}
}
