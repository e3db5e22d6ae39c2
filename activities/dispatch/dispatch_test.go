package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/parleyhq/parley/activities/dispatch"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/workflows/conversation"
)

var errAway = errors.New("away")

// world records the order of what it is asked to do, and fails where told.
type world struct {
	did   []string
	fails string
	// fault is how it fails.
	fault error
	start signals.Start
	err   error
}

func (w *world) do(what string) error {
	w.did = append(w.did, what)
	if w.fails == what {
		return w.fault
	}

	return nil
}

func (w *world) Orders(context.Context, signals.Key, []signals.Order) error { return w.do("orders") }

func (w *world) Asks(_ context.Context, desk string, asks []signals.Ask) error {
	for i := range asks {
		if err := w.do(string(asks[i].Kind) + " to " + desk); err != nil {
			return err
		}
	}

	return nil
}

func (w *world) Record(context.Context, signals.View, *signals.Ticket) error { return w.do("record") }

func (w *world) Stray(context.Context, signals.Key, int, []signals.Event) error { return w.do("stray") }

func (w *world) Next(context.Context, string) (signals.Start, bool, error) {
	return w.start, w.start.Session > 0, w.err
}

func (w *world) Prints(target string) bool { return target == "log" }

func (w *world) Print(_ context.Context, order *signals.Order) error {
	return w.do("print " + order.Key)
}

func activities(w *world) *dispatch.Activities {
	return &dispatch.Activities{Sender: w, Desks: w, Printer: w, Sessions: w, Archive: w, Past: w}
}

func TestDispatchStoresBeforeItTells(t *testing.T) {
	t.Parallel()

	whole := conversation.Dispatch{
		Closed: &conversation.Record{}, Orders: []signals.Order{{}}, Stray: []signals.Event{{}},
	}

	for name, test := range map[string]struct {
		payload conversation.Dispatch
		fails   string
		want    []string
	}{
		"everything":     {whole, "", []string{"record", "stray", "orders"}},
		"store away":     {whole, "record", []string{"record"}},
		"archive away":   {whole, "stray", []string{"record", "stray"}},
		"temporal away":  {whole, "orders", []string{"record", "stray", "orders"}},
		"orders only":    {conversation.Dispatch{Orders: []signals.Order{{}}}, "", []string{"orders"}},
		"nothing at all": {conversation.Dispatch{}, "", nil},
		"a line needs no workflow": {
			conversation.Dispatch{Orders: []signals.Order{
				{Key: "1", Kind: signals.OrderNotice, Target: "log"}, {Key: "2", Kind: signals.OrderCancel, Target: "log"},
			}}, "", []string{"print 1"},
		},
		"a command is no line": {
			conversation.Dispatch{Orders: []signals.Order{{Key: "1", Kind: signals.OrderPlatform, Target: "log"}}}, "", []string{"orders"},
		},
		"a line and a channel": {
			conversation.Dispatch{Orders: []signals.Order{
				{Key: "1", Kind: signals.OrderNotice, Target: "log"}, {Key: "2", Kind: signals.OrderNotice, Target: "ops"},
			}}, "", []string{"orders", "print 1"},
		},
		"lines wait for what may be repeated": {
			conversation.Dispatch{Orders: []signals.Order{
				{Key: "1", Kind: signals.OrderNotice, Target: "log"}, {Key: "2", Kind: signals.OrderNotice, Target: "ops"},
			}}, "orders", []string{"orders"},
		},
		"a desk holds no order back": {
			conversation.Dispatch{Asks: asks(), Orders: []signals.Order{{}}},
			"release to billing",
			[]string{"release to billing", "request to support", "orders"},
		},
		"no order holds a desk back": {
			conversation.Dispatch{Asks: asks(), Orders: []signals.Order{{}}},
			"orders",
			[]string{"release to billing", "request to support", "orders"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := &world{fails: test.fails, fault: errAway}
			err := activities(w).Dispatch(t.Context(), test.payload)

			require.Equal(t, test.want, w.did)

			if test.fails != "" {
				require.ErrorIs(t, err, errAway)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func asks() []conversation.DeskAsk {
	return []conversation.DeskAsk{
		{Desk: "billing", Ask: signals.Ask{Kind: signals.AskRelease}}, {Desk: "support", Ask: signals.Ask{Kind: signals.AskRequest}},
	}
}

// TestNoDeskTakesIt: what is at fault itself would be so for ever.
func TestNoDeskTakesIt(t *testing.T) {
	t.Parallel()

	var suite testsuite.WorkflowTestSuite

	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))

	w := &world{fails: "release to billing", fault: courier.ErrRefused}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activities(w).Dispatch)

	_, err := env.ExecuteActivity(activities(w).Dispatch, conversation.Dispatch{Asks: asks(), Orders: []signals.Order{{}}})
	require.NoError(t, err)
	require.Equal(t, []string{"release to billing", "request to support", "orders"}, w.did)
}

func TestLastSession(t *testing.T) {
	t.Parallel()

	id := signals.Key{Source: "livechat", Conversation: "A"}.WorkflowID()

	start, err := activities(&world{}).LastSession(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 1, start.Session, "the first session where there was none")

	start, err = activities(&world{start: signals.Start{Session: 3}}).LastSession(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 3, start.Session)

	_, err = activities(&world{err: errAway}).LastSession(t.Context(), id)
	require.ErrorIs(t, err, errAway)

	_, err = activities(&world{}).LastSession(t.Context(), "something else")
	require.ErrorIs(t, err, signals.ErrBadName)
}
