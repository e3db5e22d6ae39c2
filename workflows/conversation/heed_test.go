package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// word is what a desk says to the newest statement.
func word(m *conversation.Machine, kind signals.OfferKind, attempt int64, agent string, offset time.Duration) signals.Offer {
	return signals.Offer{
		Kind: kind, Desk: "support", Session: 1, Number: m.Talk.Said.Number, Attempt: attempt, Agent: agent, Round: 1,
		Until: at(offset + time.Minute), At: at(offset), Reason: signals.ReasonUnavailable,
	}
}

// TestWordsThatAnInvitationOvertook: what a desk said before it invited somebody
// comes too late, from a desk that began anew as well.
func TestWordsThatAnInvitationOvertook(t *testing.T) {
	t.Parallel()

	closes := func(s *policy.Snapshot) { s.Policy.Accept.End = policy.EndClose }

	for name, tc := range map[string]struct {
		kind    signals.OfferKind
		attempt int64
		// ended: the invitation is over when the word comes.
		ended  bool
		status signals.Status
	}{
		"none beside an invitation":             {signals.OfferNone, 1, false, signals.StatusOffered},
		"none of a desk that knows of no other": {signals.OfferNone, 0, false, signals.StatusOffered},
		"a round that ended":                    {signals.OfferRound, 0, false, signals.StatusOffered},
		"none, after it":                        {signals.OfferNone, 1, true, signals.StatusClosing},
		"an older none, after it":               {signals.OfferNone, 0, true, signals.StatusQueued},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(routed, closes)
			tell(m, escalated(0))
			m.Offer(word(m, signals.OfferAgent, 1, "smith", time.Second), at(time.Second))
			require.Equal(t, signals.StatusOffered, m.Status)

			if tc.ended {
				require.NoError(t, m.Command(signals.DeclineUpdate, signals.Command{AgentID: "smith"}, at(2*time.Second)))
			}

			m.Offer(word(m, tc.kind, tc.attempt, "", 3*time.Second), at(3*time.Second))
			require.Equal(t, tc.status, m.Status)
		})
	}

	// The agent's absence of a time before the invitation is no news, either.
	m := machine(routed)
	tell(m, escalated(0))
	m.Offer(word(m, signals.OfferAgent, 2, "smith", time.Second), at(time.Second))
	m.Offer(word(m, signals.OfferGone, 1, "smith", 2*time.Second), at(2*time.Second))
	require.Equal(t, signals.StatusOffered, m.Status)
	m.Offer(word(m, signals.OfferGone, 2, "smith", 3*time.Second), at(3*time.Second))
	require.Equal(t, signals.StatusQueued, m.Status)
}

// TestReassignmentThatThePlatformRefused: the visitor stays with the silent agent,
// so that the clock goes again, as often as the policy allows.
func TestReassignmentThatThePlatformRefused(t *testing.T) {
	t.Parallel()

	const minute = time.Minute

	silent := func() *conversation.Machine {
		m := machine(func(s *policy.Snapshot) { s.Desk, s.Platform, s.Policy.Reassign.Max = "support", true, 2 })
		tell(m, says("ann", "Hello?", 0), event(signals.AgentAccepted, "smith", minute))

		return m
	}
	// freed lets the time pass, and has the desk say that another agent is free.
	freed := func(m *conversation.Machine, offset time.Duration) {
		m.Tick(at(offset))

		free := word(m, signals.OfferFree, m.Talk.Attempt, "smith", offset)
		free.Free = true
		m.Offer(free, at(offset))
	}
	became := func(m *conversation.Machine, kind string, order int, offset time.Duration) {
		noted := event(signals.SystemNoted, "", offset)
		noted.Note = &signals.Note{Kind: kind, Text: "what became of it"}
		noted.ID = m.Outbox[order].Key + ":" + kind
		tell(m, noted)
	}
	// newest is the newest order that is a command.
	newest := func(m *conversation.Machine) int {
		for i := len(m.Outbox) - 1; ; i-- {
			if m.Outbox[i].Kind == signals.OrderPlatform {
				return i
			}
		}
	}

	m := silent()
	freed(m, 11*minute)
	require.Len(t, commands(m), 1)
	require.NotContains(t, due(m), "reassign", "once per holder")

	became(m, signals.NotePlatformFailed, newest(m), 12*minute)
	require.Equal(t, 22*minute, due(m)["reassign"])

	freed(m, 22*minute)
	require.Len(t, commands(m), 2)
	became(m, signals.NotePlatformFailed, newest(m), 23*minute)
	require.NotContains(t, due(m), "reassign", "as often as the policy allows")
	require.Equal(t, "smith", m.Agent)

	// What was carried out, or is another command's, changes nothing.
	for name, note := range map[string]func(m *conversation.Machine){
		"done":    func(m *conversation.Machine) { became(m, signals.NotePlatformDone, newest(m), 12*minute) },
		"dropped": func(m *conversation.Machine) { became(m, signals.NotePlatformDropped, newest(m), 12*minute) },
		"another": func(m *conversation.Machine) {
			noted := event(signals.SystemNoted, "", 12*minute)
			noted.Note = &signals.Note{Kind: signals.NotePlatformFailed}
			tell(m, noted)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := silent()
			freed(m, 11*minute)
			note(m)
			require.NotContains(t, due(m), "reassign")
		})
	}
}
