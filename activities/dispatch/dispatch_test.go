package dispatch_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/activities/dispatch"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

var errAway = errors.New("away")

// world records the order of what it is asked to do, and fails where told.
type world struct {
	did   []string
	fails string
	start signals.Start
	err   error
}

func (w *world) do(what string) error {
	w.did = append(w.did, what)
	if w.fails == what {
		return errAway
	}

	return nil
}

func (w *world) Orders(context.Context, signals.Key, []signals.Order) error { return w.do("orders") }

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
	return &dispatch.Activities{Sender: w, Printer: w, Sessions: w, Archive: w, Past: w}
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
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := &world{fails: test.fails}
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
