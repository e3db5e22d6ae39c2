package tests_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// TestDeskKilledBeforeTheTimeout kills the process while two invitations are out:
// one runs out while it is down, the other after it is up again. Each ends once,
// and the next agent is invited.
func TestDeskKilledBeforeTheTimeout(t *testing.T) {
	t.Parallel()

	const timeout = 6 * time.Second

	ops := newReceiver(t)
	one := newInstall(t, `
channels:
  ops: {kind: webhook, url: "`+ops.URL+`"}
network: {allow: ["127.0.0.0/8"]}
policies:
  default:
    unreplied: {first: 1h}
    accept:    {timeout: 6s, rounds: 1}
    notify:    {invitation.sent: [ops], invitation.ended: [ops]}
desks:
  down: {strategy: round_robin, agents: [{id: down-a}, {id: down-b}]}
  up:   {strategy: round_robin, agents: [{id: up-a}, {id: up-b}]}
sources:
  down: {dialect: parley, routing: desk, desk: down}
  up:   {dialect: parley, routing: desk, desk: up}
`)
	f := &floor{process: one.start(t), ops: ops}

	down := f.visitor("down", "killed")
	missed := down.offered("down-a").Invitations[0].ExpiresAt
	f.kill()
	time.Sleep(time.Until(missed)) // the outage

	f.process = one.start(t)
	up := f.visitor("up", "killed")
	due := up.offered("up-a").Invitations[0].ExpiresAt
	f.kill()

	f.process = one.start(t)
	require.Less(t, time.Now(), due, "the restart took longer than the invitation")

	for _, v := range []*visit{down, up} {
		v.floor = f
		view := v.offered(v.key.Source + "-b")
		require.Equal(t, []string{v.key.Source + "-a expired", v.key.Source + "-b"}, invitations(&view))
		require.Len(t, timeline(&view, signals.InvitationEnded), 1)
		require.Len(t, timeline(&view, signals.InvitationSent), 2)

		v.tells(signals.InvitationEnded, 1)
		v.tells(signals.InvitationSent, 2)
	}

	view, ok := f.view(up.key)
	require.True(t, ok)

	late := timelineAt(f, &view, signals.InvitationEnded).Sub(due)
	require.GreaterOrEqual(t, late, time.Duration(0), "never early")
	require.Less(t, late, 2*time.Second, "on time")

	// The missed one fires at once, and the agent after it has the whole time.
	view, ok = f.view(down.key)
	require.True(t, ok)
	require.Greater(t, view.Invitations[1].ExpiresAt.Sub(missed), timeout)

	up.commands("accept", by("up-b"))
	f.loads("up", 0, 0, 1, map[string]int{"up-b": 1})
}
