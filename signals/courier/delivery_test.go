package courier_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

func order(target string, session int, counter int64) signals.Order {
	return signals.Order{
		Key: fmt.Sprintf("o%d.%d", session, counter), Kind: signals.OrderNotice, Target: target, Session: session, Counter: counter,
	}
}

func cancel(target string, session int, counter int64) signals.Order {
	o := order(target, session, counter)
	o.Kind = signals.OrderCancel

	return o
}

func TestOrdersByTarget(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	require.NoError(t, b.courier.Orders(t.Context(), b.key, []signals.Order{
		order("ops", 1, 1), order("crm", 1, 2), cancel("ops", 1, 3), order("ops", 1, 4),
	}))
	require.Equal(t, []string{"o1.1", "o1.3", "o1.4"}, b.server.got(b.key.DeliveryID("ops"), 0))
	require.Equal(t, []string{"o1.2"}, b.server.got(b.key.DeliveryID("crm"), 0))

	r := b.server.run(t, b.key.DeliveryID("ops"), 0)
	require.Equal(t, []string{signals.DeliveryWorkflow}, r.types)
	require.Equal(t, "To ops for livechat", r.options.StaticSummary)
	require.Empty(t, r.input.GetPayloads())
	require.Zero(t, b.server.count(b.id), "orders touched the conversation")
}

func TestOrdersToAClosedDelivery(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		input  any
		end    any
		orders []signals.Order
		want   []string
	}{
		"done before": {
			end:    signals.DeliveryResult{Version: 1, Counters: map[int]int64{1: 4}},
			orders: []signals.Order{order("ops", 1, 3), order("ops", 1, 4)},
		},
		"some are new": {
			end:    signals.DeliveryResult{Version: 1, Counters: map[int]int64{1: 4}},
			orders: []signals.Order{order("ops", 1, 4), order("ops", 1, 5), cancel("ops", 1, 6)}, want: []string{"o1.5", "o1.6"},
		},
		"another session counts anew": {
			end:    signals.DeliveryResult{Version: 1, Counters: map[int]int64{1: 4}},
			orders: []signals.Order{order("ops", 2, 1)}, want: []string{"o2.1"},
		},
		"only cancels remain": {
			end:    signals.DeliveryResult{Version: 1, Counters: map[int]int64{1: 4}},
			orders: []signals.Order{order("ops", 1, 4), cancel("ops", 1, 5)},
		},
		"terminated: by its input": {
			orders: []signals.Order{order("ops", 1, 2), order("ops", 1, 3)}, want: []string{"o1.3"},
		},
		"terminated after it had continued: by its state": {
			input:  map[string]any{"state": map[string]any{"counters": map[int]int64{1: 3}}},
			orders: []signals.Order{order("ops", 1, 3), order("ops", 1, 4)}, want: []string{"o1.4"},
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, courier.Config{})
			id := b.key.DeliveryID("ops")

			if test.input == nil {
				test.input = signals.DeliveryStart{Version: 1, Counters: map[int]int64{1: 2}}
			}

			b.server.open(t, id, test.input)
			b.server.end(t, id, test.end)

			require.NoError(t, b.courier.Orders(t.Context(), b.key, test.orders))

			if test.want == nil {
				require.Equal(t, 1, b.server.count(id))

				return
			}

			require.Equal(t, test.want, b.server.got(id, 1))

			var start signals.DeliveryStart
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(b.server.run(t, id, 1).input, &start))
			require.Equal(t, 1, start.Version)
			require.NotEmpty(t, start.Counters)
		})
	}
}

func TestCancelsStartNothing(t *testing.T) {
	t.Parallel()

	b := setup(t, courier.Config{})
	id := b.key.DeliveryID("ops")

	require.NoError(t, b.courier.Orders(t.Context(), b.key, []signals.Order{cancel("ops", 1, 1)}))
	require.Zero(t, b.server.count(id))

	b.server.open(t, id)
	require.NoError(t, b.courier.Orders(t.Context(), b.key, []signals.Order{cancel("ops", 1, 2)}))
	require.Equal(t, []string{"o1.2"}, b.server.got(id, 0))
}
