package inbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

func TestAcceptedIsOnDisk(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	first := message("m1")
	first.Seq, first.Inbox = 99, "forged"

	b.accept(first, tag("t1"), in("C2", message("m1")), account("a1"))
	b.crash()
	b.open()

	got := b.archive(key())
	require.Len(t, got, 2)
	require.Equal(t, []int64{1, 2}, []int64{got[0].Seq, got[1].Seq})
	require.Equal(t, inbox.StatePending, got[0].State)
	require.Equal(t, int64(1), got[0].Event.Seq, "the caller's seq was believed")
	require.Regexp(t, "^[0-9a-f]{12}$", got[0].Event.Inbox)
	require.Equal(t, "livechat", got[0].Event.Source)
	require.Equal(t, "Is anyone there?", got[0].Event.Message.Text)
	require.Nil(t, got[0].Event.Raw, "raw was not asked for")
	require.Equal(t, map[string]inbox.State{"m1": inbox.StatePending}, b.states(signals.Key{Source: "livechat", Conversation: "C2"}))

	page, _, err := b.Archive(t.Context(), key(), inbox.ArchiveQuery{Raw: true})
	require.NoError(t, err)
	require.Equal(t, `{"text": "…"}`, string(page[0].Event.Raw), "raw is kept as it came") //nolint:testifylint // to the byte

	logged, _, err := b.AccountEvents(t.Context(), "livechat", 0, "")
	require.NoError(t, err)
	require.Equal(t, []string{"a1"}, ids(logged))
	require.JSONEq(t, `{"account":true}`, string(logged[0].Raw))

	require.Equal(t, inbox.Kept{Pending: 2}, b.kept(key()))
}

func TestGroupsShareACommit(t *testing.T) {
	t.Parallel()

	const callers, calls = 32, 20

	b := setup(t, inbox.Config{})

	var waiting sync.WaitGroup

	for caller := range callers {
		waiting.Go(func() {
			for call := range calls {
				event := in(fmt.Sprintf("C%d", caller), message(fmt.Sprintf("m%d", call)))

				got, err := b.Accept(t.Context(), "livechat", []signals.Event{event})
				check(t, err)

				if got.Accepted != 1 {
					t.Error("not accepted")
				}
			}
		})
	}

	waiting.Wait()

	report, err := b.Report(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, callers*calls, report.Depth)
	require.Greater(t, report.Commit.Max, 1, "every webhook had a transaction of its own")

	seqs := make(map[int64]bool)

	for caller := range callers {
		events := b.archive(keyOf(caller))
		require.Len(t, events, calls)

		last := int64(0)

		for i, event := range events {
			require.Equal(t, fmt.Sprintf("m%d", i), event.Event.ID, "in the order in which they came")
			require.Greater(t, event.Seq, last)
			require.False(t, seqs[event.Seq], "a seq twice")

			last, seqs[event.Seq] = event.Seq, true
		}
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()

	derived := signals.DerivedID("body")

	tests := map[string]struct {
		events []signals.Event
		want   inbox.Receipt
	}{
		"a natural id again":             {[]signals.Event{message("known")}, inbox.Receipt{Duplicates: 1}},
		"a natural id after a year":      {[]signals.Event{at(epoch.AddDate(1, 0, 0), message("known"))}, inbox.Receipt{Duplicates: 1}},
		"elsewhere it is another":        {[]signals.Event{in("C9", message("known"))}, inbox.Receipt{Accepted: 1}},
		"a derived id within the window": {[]signals.Event{at(epoch.Add(time.Minute), message(derived))}, inbox.Receipt{Duplicates: 1}},
		"a derived id from before, by another clock": {
			[]signals.Event{at(epoch.Add(-time.Minute), message(derived))}, inbox.Receipt{Duplicates: 1},
		},
		"a derived id after the window": {
			[]signals.Event{at(epoch.Add(time.Minute+time.Microsecond), message(derived))}, inbox.Receipt{Accepted: 1},
		},
		"within one webhook": {
			[]signals.Event{message("new"), message("new"), in("C9", message("new"))}, inbox.Receipt{Accepted: 2, Duplicates: 1},
		},
		"derived ones within one webhook": {
			[]signals.Event{
				at(epoch.Add(time.Hour), message(derived)), at(epoch.Add(time.Hour+time.Second), message(derived)),
				at(epoch.Add(2*time.Hour), message(derived)),
			},
			inbox.Receipt{Accepted: 2, Duplicates: 1},
		},
		"old and new in one webhook": {[]signals.Event{message("known"), message("new")}, inbox.Receipt{Accepted: 1, Duplicates: 1}},
		"an account event again": {
			[]signals.Event{account("acc"), account("acc2"), account("acc2")}, inbox.Receipt{Accepted: 1, Duplicates: 2},
		},
		"a derived one of an account": {[]signals.Event{at(epoch.Add(time.Hour), account(derived))}, inbox.Receipt{Accepted: 1}},
	}

	for name, test := range tests {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %t", name, restarted), func(t *testing.T) {
				t.Parallel()

				b := setup(t, inbox.Config{RetryWindow: func(source string) time.Duration {
					if source == "livechat" {
						return time.Minute
					}

					return 0
				}})
				b.accept(message("known"), message(derived), account("acc"), account(derived))

				if restarted {
					b.crash()
					b.open()
				}

				got, err := b.Accept(t.Context(), "livechat", test.events)
				require.NoError(t, err)
				require.Equal(t, test.want, got)
			})
		}
	}
}

// TestManyIDs goes past what a list of ids is good for.
func TestManyIDs(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	events := make([]signals.Event, 0, 300)
	for i := range 300 {
		events = append(events, message(fmt.Sprintf("m%d", i)))
	}

	b.accept(events[:20]...)
	b.accept(events[20:100]...)
	b.crash()
	b.open()

	got, err := b.Accept(t.Context(), "livechat", events)
	require.NoError(t, err)
	require.Equal(t, inbox.Receipt{Accepted: 200, Duplicates: 100}, got)

	got, err = b.Accept(t.Context(), "livechat", events)
	require.NoError(t, err)
	require.Equal(t, inbox.Receipt{Duplicates: 300}, got)
}

func TestSameWebhookFiveTimesAtOnce(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	for round := range 20 {
		events := []signals.Event{
			message(fmt.Sprintf("m%d", round)), tag(signals.DerivedID("t", strconv.Itoa(round))), account(fmt.Sprintf("a%d", round)),
		}

		var (
			waiting sync.WaitGroup
			mu      sync.Mutex
			total   inbox.Receipt
		)

		for range 5 {
			waiting.Go(func() {
				got, err := b.Accept(t.Context(), "livechat", events)
				check(t, err)

				mu.Lock()
				defer mu.Unlock()

				total.Accepted += got.Accepted
				total.Duplicates += got.Duplicates
			})
		}

		waiting.Wait()
		require.Equal(t, inbox.Receipt{Accepted: 3, Duplicates: 12}, total)
	}

	require.Len(t, b.archive(key()), 40)
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	broken := message("m2")
	broken.Message.Rich = json.RawMessage(`{`)
	huge := message("m2")
	huge.Message.Text = strings.Repeat("x", 1<<20)
	nameless := message("")

	for name, test := range map[string]struct {
		source string
		event  signals.Event
		want   error
	}{
		"not JSON":   {"livechat", broken, courier.ErrRefused},
		"too large":  {"livechat", huge, inbox.ErrTooLarge},
		"no id":      {"livechat", nameless, courier.ErrRefused},
		"bad source": {"Live Chat", message("m2"), courier.ErrRefused},
	} {
		_, err := b.Accept(t.Context(), test.source, []signals.Event{message("m1"), account("a1"), test.event})
		require.ErrorIs(t, err, test.want, name)
	}

	require.Empty(t, b.archive(key()))
	b.accept(message("m1"), account("a1"))

	got, err := b.Accept(t.Context(), "livechat", nil)
	require.NoError(t, err)
	require.Zero(t, got)
}

func TestRawGoesWhereItIsTooLarge(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	event, logged := message("m1"), account("a1")
	event.Raw = json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	logged.Raw = event.Raw

	b.accept(event, logged)

	page, _, err := b.Archive(t.Context(), key(), inbox.ArchiveQuery{Raw: true})
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Nil(t, page[0].Event.Raw)

	events, _, err := b.AccountEvents(t.Context(), "livechat", 0, "")
	require.NoError(t, err)
	require.Nil(t, events[0].Raw)
}

func TestShares(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{MaxWaiting: 3})
	send := func(source string, events ...signals.Event) error {
		_, err := b.Accept(t.Context(), source, events)

		return err
	}

	require.NoError(t, send("one", message("m1"), message("m2")))

	err := send("one", message("m3"), message("m4"), account("a1"))
	require.ErrorIs(t, err, inbox.ErrFull)
	require.ErrorIs(t, err, courier.ErrBusy)

	logged, _, err := b.AccountEvents(t.Context(), "one", 0, "")
	require.NoError(t, err)
	require.Empty(t, logged, "a part of what was refused was kept")

	require.NoError(t, send("one", message("m3"), message("m2")), "a repetition takes no room")
	require.ErrorIs(t, send("one", message("m5")), inbox.ErrFull)
	require.NoError(t, send("one", message("m1")), "what is there already is acknowledged even then")
	require.NoError(t, send("two", message("m1"), message("m2"), message("m3")), "one source shut another out")
	require.NoError(t, send("one", account("a1")), "an account event waits for nothing")

	report, err := b.Report(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 6, report.Depth)
	require.Len(t, report.Sources, 2)
	require.InDelta(t, 1, report.Sources[0].Share, 0)

	// The share is counted anew at a start.
	b.crash()
	b.open()
	require.ErrorIs(t, send("one", message("m5")), inbox.ErrFull)

	b.Start(&script{})
	b.forwarded()
	require.NoError(t, send("one", message("m5")))
}

func TestShareOfBytes(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{MaxWaitingBytes: 10 << 10})
	large := message("m1")
	large.Raw = json.RawMessage(`"` + strings.Repeat("x", 9<<10) + `"`)
	b.accept(large)

	other := message("m2")
	other.Message.Text = strings.Repeat("x", 2<<10)
	_, err := b.Accept(t.Context(), "livechat", []signals.Event{other})
	require.ErrorIs(t, err, inbox.ErrFull)
	b.accept(message("m2"))
}

// TestFullAmongOthers: of webhooks that share a commit one is refused, and
// neither its seqs nor its ids remain.
func TestFullAmongOthers(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{MaxWaiting: 2})

	var waiting sync.WaitGroup

	for range 8 {
		waiting.Go(func() {
			_, err := b.Accept(t.Context(), "one", []signals.Event{message("m1"), message("m2"), message("m3")})
			if err == nil {
				t.Error("accepted beyond the share")
			}
		})
		waiting.Go(func() {
			_, err := b.Accept(t.Context(), "two", []signals.Event{message("m1")})
			check(t, err)
		})
	}

	waiting.Wait()

	got, err := b.Accept(t.Context(), "one", []signals.Event{message("m1")})
	require.NoError(t, err)
	require.Equal(t, inbox.Receipt{Accepted: 1}, got, "an id is remembered of what was refused")
}

// TestFullDisk fills the database and empties it again.
func TestFullDisk(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{}
	b.Start(carrier)
	b.accept(message("before"))
	b.forwarded()
	require.NoError(t, b.Health())

	// The pragma is a connection's own, and the writer takes any.
	b.db.SetMaxOpenConns(1)

	limit := func(pages int) {
		// The writer gives its connection back when it has been idle.
		_, err := b.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		require.NoError(t, err)
	}
	limit(1)

	full := message("m1")
	full.Message.Text = strings.Repeat("x", 200<<10)

	var waiting sync.WaitGroup

	for i := range 4 {
		waiting.Go(func() {
			event := full
			event.ID = fmt.Sprintf("m%d", i)

			_, err := b.Accept(t.Context(), "livechat", []signals.Event{account(fmt.Sprintf("a%d", i)), event})
			if err == nil {
				t.Error("acknowledged although the disk is full")
			}
		})
	}

	waiting.Wait()

	_, err := b.Accept(t.Context(), "livechat", []signals.Event{full})
	require.ErrorIs(t, err, inbox.ErrDisk)
	require.ErrorIs(t, err, courier.ErrUnavailable)
	require.ErrorContains(t, err, "full")
	require.ErrorIs(t, b.Health(), inbox.ErrDisk)

	inbox.Probe(b.Inbox, t.Context())
	require.ErrorIs(t, b.Health(), inbox.ErrDisk, "the probe says that all is well")

	require.Equal(t, map[string]inbox.State{"before": inbox.StateForwarded}, b.states(key()))

	logged, _, err := b.AccountEvents(t.Context(), "livechat", 0, "")
	require.NoError(t, err)
	require.Empty(t, logged, "half of a webhook was kept")

	limit(1 << 20)
	inbox.Probe(b.Inbox, t.Context())
	require.NoError(t, b.Health())

	// The repetitions are no duplicates.
	for i := range 4 {
		event := full
		event.ID = fmt.Sprintf("m%d", i)
		b.accept(account(fmt.Sprintf("a%d", i)), event)
	}

	b.forwarded()
	require.Len(t, b.states(key()), 5)
}

func TestProbeAsLongAsNothingFailed(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	inbox.Probe(b.Inbox, t.Context())
	require.NoError(t, b.Health())
}

func TestClosedAndGone(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := b.Accept(ctx, "livechat", []signals.Event{message("m1")})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, b.archive(key()), "kept although nobody waited")
	b.accept(message("m1"))

	require.NoError(t, b.Stop(t.Context()))

	_, err = b.Accept(t.Context(), "livechat", []signals.Event{message("m2")})
	require.ErrorIs(t, err, inbox.ErrClosed)
	require.ErrorIs(t, err, courier.ErrUnavailable)

	// What conversations give back on their way out is kept all the same.
	require.NoError(t, b.Keep(t.Context(), key(), inbox.Orphan, 1, []signals.Event{tag("t1")}))
	require.Equal(t, inbox.Kept{Pending: 1, Ignored: 1}, b.kept(key()))
}
