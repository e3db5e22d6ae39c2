package desks_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uber-go/tally/v4"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

func TestDesksAreMeasured(t *testing.T) {
	t.Parallel()

	c, board := newBoard(t)
	since := c.now.Add(-30 * time.Second)
	c.answer = func(request *client.QueryWorkflowWithOptionsRequest) (any, error) {
		if request.WorkflowID == "desk:billing" {
			return nil, errDown
		}

		return signals.DeskView{
			Waiting: 7, OldestSince: &since,
			Agents: []signals.DeskAgent{
				{Status: signals.AgentAccepting, Slots: 3, Load: 1},
				{Status: signals.AgentAccepting, Slots: 3, WrapupUntil: &since},
				{Status: signals.AgentAccepting, Slots: 3, Removed: true},
				{Status: signals.AgentOffline, Slots: 3},
			},
			Measured: signals.DeskMeasured{Estimates: 4, ErrorSeconds: 12.5, BiasSeconds: -3},
		}, nil
	}

	scope := tally.NewTestScope("", nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})

	go func() {
		defer close(done)

		board.Watch(ctx, scope, time.Hour)
	}()

	var gauges map[string]tally.GaugeSnapshot

	require.Eventually(t, func() bool {
		gauges = scope.Snapshot().Gauges()

		return len(gauges) == 12
	}, 10*time.Second, time.Millisecond)
	cancel()
	<-done

	for name, want := range map[string]float64{
		"answers": 1, "waiting": 7, "oldest_wait_seconds": 30, "agents_accepting": 2, "slots_free": 2,
		"estimates": 4, "estimate_error_seconds": 12.5, "estimate_bias_seconds": -3,
	} {
		require.InDelta(t, want, gauges["parley_desk_"+name+"+desk=support"].Value(), 0, name)
	}

	require.InDelta(t, 0, gauges["parley_desk_answers+desk=billing"].Value(), 0)
}
