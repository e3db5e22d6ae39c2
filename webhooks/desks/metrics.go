package desks

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/uber-go/tally/v4"

	"github.com/parleyhq/parley/signals"
)

// Watch measures every desk, now and at each interval, until ctx ends. A desk
// that somebody ended is started by that.
func (b *Board) Watch(ctx context.Context, scope tally.Scope, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()

	for {
		b.measure(ctx, scope)

		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// measure looks at all desks, a few at a time.
func (b *Board) measure(ctx context.Context, scope tally.Scope) {
	var group sync.WaitGroup

	turn := make(chan struct{}, parallel)

	for _, name := range b.Names() {
		turn <- struct{}{}

		group.Go(func() {
			defer func() { <-turn }()

			view, err := b.View(ctx, name)
			if ctx.Err() != nil {
				return
			}

			tagged := scope.Tagged(map[string]string{"desk": name})
			if err != nil {
				b.log.WarnContext(ctx, "a desk could not be measured", slog.String("desk", name), slog.Any("error", err))
				tagged.Gauge("parley_desk_answers").Update(0)

				return
			}

			gauge(tagged, &view)
		})
	}

	group.Wait()
}

// gauge reports one desk. Waits of those who were served are measured by the
// desk's workflow as they end.
func gauge(scope tally.Scope, view *signals.DeskView) {
	accepting, free := 0, 0

	for i := range view.Agents {
		if agent := &view.Agents[i]; agent.Status == signals.AgentAccepting && !agent.Removed {
			accepting++

			if agent.WrapupUntil == nil {
				free += max(agent.Slots-agent.Load, 0)
			}
		}
	}

	for name, value := range map[string]float64{
		"parley_desk_answers":                1,
		"parley_desk_waiting":                float64(view.Waiting),
		"parley_desk_offered":                float64(view.Offered),
		"parley_desk_active":                 float64(view.Active),
		"parley_desk_oldest_wait_seconds":    float64(view.OldestWaitSeconds),
		"parley_desk_agents_accepting":       float64(accepting),
		"parley_desk_slots_free":             float64(free),
		"parley_desk_handle_seconds":         view.Measured.HandleSeconds,
		"parley_desk_estimates":              float64(view.Measured.Estimates),
		"parley_desk_estimate_error_seconds": view.Measured.ErrorSeconds,
		"parley_desk_estimate_bias_seconds":  view.Measured.BiasSeconds,
	} {
		scope.Gauge(name).Update(value)
	}
}
