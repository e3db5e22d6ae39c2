package delivery_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// walk drives a machine at random and checks what must always hold.
type walk struct {
	t         *rapid.T
	m         *delivery.Machine
	now       time.Time
	counter   int64
	accepted  int64
	tickets   map[string]bool
	cancelled map[string]bool
	inFlight  *delivery.Attempt
	begun     int64
}

func TestWhateverComes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := &walk{t: rt, m: newMachine(), now: start, tickets: map[string]bool{}, cancelled: map[string]bool{}}
		rt.Repeat(map[string]func(*rapid.T){
			"order":  w.order,
			"cancel": w.cancel,
			"again":  w.again,
			"tick":   w.tick,
			"end":    w.end,
			"wait":   w.wait,
			"renew":  w.renew,
			"told":   w.told,
			"":       w.check,
		})
		w.finish()
	})
}

func (w *walk) order(t *rapid.T) {
	w.counter++

	order := notice(w.counter, rapid.SampledFrom([]string{"", "e1", "e2"}).Draw(t, "group"), time.Time{})
	if rapid.Bool().Draw(t, "ticket") {
		order = ticketOrder(w.counter)
		order.Ticket.ID = fmt.Sprintf("t_%d", w.counter)
		w.tickets[order.Ticket.ID] = false
	} else {
		order.ExpiresAt = w.now.Add(time.Duration(rapid.IntRange(-1, 600).Draw(t, "life")) * time.Second)
		delete(w.cancelled, order.Key)
	}

	w.accepted++
	require.NoError(w.t, w.m.Apply(order, w.now))
}

func (w *walk) cancel(t *rapid.T) {
	w.counter++

	group := rapid.SampledFrom([]string{"e1", "e2"}).Draw(t, "group")
	for i := range w.m.Pending {
		if w.m.Pending[i].Order.Group == group {
			w.cancelled[w.m.Pending[i].Order.Key] = true
		}
	}

	require.NoError(w.t, w.m.Apply(cancelOf(w.counter, group), w.now))
}

func (w *walk) again(t *rapid.T) {
	if w.counter == 0 {
		t.Skip("nothing was ordered")
	}

	before := len(w.m.Pending)
	require.NoError(w.t, w.m.Apply(notice(rapid.Int64Range(1, w.counter).Draw(t, "old"), "e1", time.Time{}), w.now))
	require.Len(w.t, w.m.Pending, before)
}

func (w *walk) tick(*rapid.T) {
	attempt, ok := w.m.Tick(w.now)
	if !ok {
		return
	}

	require.Nil(w.t, w.inFlight, "one attempt at a time")
	require.False(w.t, w.cancelled[attempt.Order.Key], "no attempt after the cancel")
	require.True(w.t, w.now.Before(attempt.ExpiresAt), "no attempt at or after the expiry")
	require.GreaterOrEqual(w.t, attempt.Order.Counter, w.begun, "in order")
	w.begun = attempt.Order.Counter
	w.inFlight = &attempt
}

func (w *walk) end(t *rapid.T) {
	if w.inFlight == nil {
		t.Skip("no attempt runs")
	}

	outcome := rapid.SampledFrom([]delivery.Outcome{
		{OK: true},
		{Error: "500"},
		{Error: "429", RetryAfter: time.Minute},
		{Error: "410", Permanent: true},
		{Error: "late", Expired: true},
	}).Draw(t, "outcome")
	w.m.Attempted(outcome, w.now)
	w.inFlight = nil
}

func (w *walk) wait(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 300_000).Draw(t, "ms")) * time.Millisecond)
}

func (w *walk) told(t *rapid.T) {
	if len(w.m.Reports) == 0 {
		t.Skip("nothing to tell")
	}

	id := w.m.Reports[0].Event.Ticket.ID
	told, known := w.tickets[id]
	require.True(w.t, known)
	require.False(w.t, told, "one report per ticket")
	w.tickets[id] = true
	w.m.Reported(w.now)
}

// renew goes through JSON, as continue-as-new does.
func (w *walk) renew(*rapid.T) {
	raw, err := json.Marshal(w.m.State)
	require.NoError(w.t, err)

	var state delivery.State
	require.NoError(w.t, json.Unmarshal(raw, &state))

	again, err := json.Marshal(&state)
	require.NoError(w.t, err)
	require.JSONEq(w.t, string(raw), string(again))

	w.m = delivery.Resume(&state, delivery.RulesFor(1))
}

func (w *walk) check(*rapid.T) {
	counts := w.m.Counts
	ended := counts.Delivered + counts.Expired + counts.Failed + counts.Cancelled
	require.Equal(w.t, w.accepted, ended+int64(len(w.m.Pending)), "each order ends once")
	require.Equal(w.t, w.inFlight != nil, w.m.InFlight)

	for i := 1; i < len(w.m.Pending); i++ {
		require.Less(w.t, w.m.Pending[i-1].Order.Counter, w.m.Pending[i].Order.Counter)
	}
}

// finish lets time run by the machine's own deadlines, with a receiver that
// takes nothing: everything ends, and the run may complete.
func (w *walk) finish() {
	for range 10_000 {
		if w.inFlight != nil {
			w.m.Attempted(delivery.Outcome{Error: "500"}, w.now)
			w.inFlight = nil
		}

		for len(w.m.Reports) > 0 {
			w.told(w.t)
		}

		if w.m.Done(w.now) {
			for id, told := range w.tickets {
				require.True(w.t, told, "ticket %s was reported", id)
			}

			return
		}

		w.tick(w.t)

		if w.inFlight != nil {
			continue
		}

		if deadline, ok := w.m.Next(); ok && deadline.At.After(w.now) {
			w.now = deadline.At
		}
	}

	require.Fail(w.t, "the machine did not come to an end")
}

func TestDescribeHoldsNothingOfTheVisitors(t *testing.T) {
	t.Parallel()

	order := notice(2, "", time.Time{})
	order.Event.Unreplied.Text = "![x](http://evil)"
	require.Equal(t, "unreplied push 2/4", delivery.Describe(&order))
	require.Equal(t, "cancel", delivery.Describe(&signals.Order{Kind: signals.OrderCancel}))

	ticket := ticketOrder(1)
	require.Equal(t, "ticket "+ticket.Ticket.ID, delivery.Describe(&ticket))
}
