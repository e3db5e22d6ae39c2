package tests_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// scene is a desk, a source and, if it has one of its own, a policy, all of one
// name, as the configuration has them between the braces.
type scene struct{ name, policy, desk string }

// sceneConfig is one server with all scenes, so that nobody is in another's line.
func sceneConfig(ops string, scenes []scene) string {
	var policies, desks, sources strings.Builder

	for _, one := range scenes {
		policy := "default"

		if one.policy != "" {
			policy = one.name
			fmt.Fprintf(&policies, "  %s: {%s}\n", one.name, one.policy)
		}

		fmt.Fprintf(&desks, "  %s: {%s}\n", one.name, one.desk)
		fmt.Fprintf(&sources, "  %s: {dialect: parley, routing: desk, desk: %s, policy: %s}\n", one.name, one.name, policy)
	}

	return `
channels:
  ops: {kind: webhook, url: "` + ops + `"}
network: {allow: ["127.0.0.0/8"]}
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    closeout:  {grace: 300ms}
    accept:    {timeout: 1m, rounds: 2, pause: 300ms}
    notify:    {agents.unavailable: [ops], invitation.sent: [ops], invitation.ended: [ops], agent.reassigned: [ops]}
` + policies.String() + "desks:\n" + desks.String() + "sources:\n" + sources.String()
}

// TestDeskScenes has agents who are silent, who all let it pass, and who are faster
// than each other, a webhook that chooses among them, and a conversation that is
// gone.
func TestDeskScenes(t *testing.T) {
	t.Parallel()

	ops, assign := newReceiver(t), newAssigner(t)
	scenes := slices.Concat(silenceScenes(), assignScenes(assign.URL), endScenes(), raceScenes())
	parley := newInstall(t, sceneConfig(ops.URL, scenes)).start(t)

	for name, check := range map[string]func(*floor){
		"accepted, and silent":                checkSilence,
		"accepted, and silent for two pushes": checkSilentForPushes,
		"accepted, and ended by somebody":     checkTerminatedHeld,
		"a webhook names the agent":           checkAssigned,
		"a webhook names nobody who can":      checkNotAssigned,
		"nobody took it: offline":             checkEndsOffline,
		"nobody took it: closed":              checkEndsClosed,
		"nobody took it: another desk":        checkEndsElsewhere,
		"the longest wait":                    checkLongestWait,
		"the longest wait, and waiting on":    checkWaitsOn,
		"many times two accept at once":       checkManyAccept,
		"accepted as the invitation expires":  checkAcceptAndExpire,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(&floor{process: parley.with(t), ops: ops, assign: assign})
		})
	}
}
