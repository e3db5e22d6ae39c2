package inbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// clock is turned by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.now
}

func (c *clock) turn(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.now = c.now.Add(by)
}

func open(t *testing.T, path string, config inbox.Config) (*inbox.Inbox, *sql.DB) {
	t.Helper()

	db, err := inbox.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })

	in, err := inbox.New(t.Context(), db, config, nil)
	require.NoError(t, err)

	return in, db
}

func setup(t *testing.T, config inbox.Config) (*inbox.Inbox, *clock) {
	t.Helper()

	now := newClock()
	config.Now = now.Now
	in, _ := open(t, filepath.Join(t.TempDir(), "parley.db"), config)

	return in, now
}

func key() signals.Key { return signals.Key{Source: "livechat", Conversation: "C1"} }

func tag(id string, at time.Time) signals.Event {
	return signals.Event{
		ID: id, Type: signals.TagAdded, Source: "livechat", Conversation: "C1", At: at, ReceivedAt: at,
		Tag: &signals.Tag{Name: "vip"}, Raw: json.RawMessage(`{"tag":"vip"}`),
	}
}

func ids(events []signals.Event) []string {
	out := make([]string, 0, len(events))
	for i := range events {
		out = append(out, events[i].ID)
	}

	return out
}

func TestParkAndUnpark(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	require.False(t, in.HasParked(key()))

	first, second := tag("t1", now.Now()), tag("t2", now.Now())
	first.Session = 3
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{first, second}))
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{first, tag("t3", now.Now())}), "a repetition is no error")
	require.True(t, in.HasParked(key()))
	require.False(t, in.HasParked(signals.Key{Source: "livechat", Conversation: "C2"}))

	parked, err := in.Parked(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, []string{"t1", "t2", "t3"}, ids(parked))
	require.Zero(t, parked[0].Session)
	require.JSONEq(t, `{"tag":"vip"}`, string(parked[0].Raw))
	require.Equal(t, first.At, parked[0].At)

	kept, err := in.Kept(t.Context(), key(), 0)
	require.NoError(t, err)
	require.Equal(t, inbox.Kept{Pending: 3}, kept)

	require.NoError(t, in.Unpark(t.Context(), key(), []string{"t1", "t2", "other"}))
	require.True(t, in.HasParked(key()))
	require.NoError(t, in.Unpark(t.Context(), key(), []string{"t3"}))
	require.False(t, in.HasParked(key()))
}

func TestParkedOnlyWhileYoung(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag("t1", now.Now())}))
	now.turn(9 * time.Minute)
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag("t2", now.Now())}))
	now.turn(time.Minute)

	parked, err := in.Parked(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, []string{"t2"}, ids(parked))
}

func TestSweepMakesOrphans(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	old := tag("t1", now.Now())
	old.Session = 2
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{old}))

	swept, err := in.Sweep(t.Context(), now.Now().Add(10*time.Minute-time.Microsecond))
	require.NoError(t, err)
	require.Zero(t, swept)

	now.turn(10 * time.Minute)
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag("t2", now.Now())}))

	swept, err = in.Sweep(t.Context(), now.Now())
	require.NoError(t, err)
	require.Equal(t, 1, swept)

	for session, want := range map[int]inbox.Kept{
		0: {Ignored: 1, Pending: 1}, 1: {Pending: 1}, 2: {Ignored: 1, Pending: 1},
	} {
		kept, err := in.Kept(t.Context(), key(), session)
		require.NoError(t, err)
		require.Equal(t, want, kept, "session %d", session)
	}

	orphans, err := in.Orphans(t.Context(), key(), 2)
	require.NoError(t, err)
	require.Equal(t, []string{"t1"}, ids(orphans))
	require.True(t, in.HasParked(key()))

	// The same webhook comes again, waits again, and is still one orphan.
	now.turn(time.Hour)
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{old}))
	now.turn(time.Hour)

	swept, err = in.Sweep(t.Context(), now.Now())
	require.NoError(t, err)
	require.Equal(t, 2, swept)
	require.False(t, in.HasParked(key()))

	kept, err := in.Kept(t.Context(), key(), 0)
	require.NoError(t, err)
	require.Equal(t, inbox.Kept{Ignored: 2}, kept)
}

func TestSweepInSeveralBatches(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})

	for conversation := range 3 {
		events := make([]signals.Event, 0, 400)
		for i := range 400 {
			events = append(events, tag(fmt.Sprintf("t%d", i), now.Now()))
		}

		at := signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", conversation)}
		require.NoError(t, in.Park(t.Context(), at, events))
	}

	now.turn(time.Hour)

	swept, err := in.Sweep(t.Context(), now.Now())
	require.NoError(t, err)
	require.Equal(t, 1200, swept)

	pruned, err := in.Prune(t.Context(), now.Now())
	require.NoError(t, err)
	require.Equal(t, 1200, pruned)
}

func TestUnparkOfWhatWasJustSwept(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag("t1", now.Now())}))
	now.turn(10 * time.Minute)

	_, err := in.Sweep(t.Context(), now.Now())
	require.NoError(t, err)
	require.NoError(t, in.Unpark(t.Context(), key(), []string{"t1"}))

	kept, err := in.Kept(t.Context(), key(), 0)
	require.NoError(t, err)
	require.Zero(t, kept, "an event that reached a run is an orphan, too")
}

func TestDerivedIDsRepeatOutsideTheWindow(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{RetryWindow: func(source string) time.Duration {
		if source == "livechat" {
			return time.Minute
		}

		return 0
	}})
	id := signals.DerivedID("typing")

	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag(id, now.Now()), tag(id, now.Now().Add(time.Minute))}))
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag(id, now.Now().Add(2*time.Minute))}))

	parked, err := in.Parked(t.Context(), key())
	require.NoError(t, err)
	require.Len(t, parked, 2)

	accepted, duplicates, err := in.LogAccount(t.Context(), "livechat", []signals.Event{
		tag(id, now.Now()), tag(id, now.Now().Add(30*time.Second)), tag(id, now.Now().Add(3*time.Minute)),
		tag("natural", now.Now()), tag("natural", now.Now().Add(time.Hour)),
	})
	require.NoError(t, err)
	require.Equal(t, 3, accepted)
	require.Equal(t, 2, duplicates)
}

func TestKeepBySession(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	require.NoError(t, in.Keep(t.Context(), key(), inbox.Late, 1, []signals.Event{tag("t1", now.Now()), tag("t2", now.Now())}))
	require.NoError(t, in.Keep(t.Context(), key(), inbox.Late, 1, []signals.Event{tag("t2", now.Now())}))
	require.NoError(t, in.Keep(t.Context(), key(), inbox.Orphan, 2, []signals.Event{tag("t3", now.Now())}))

	kept, err := in.Kept(t.Context(), key(), 1)
	require.NoError(t, err)
	require.Equal(t, inbox.Kept{Late: 2}, kept)

	kept, err = in.Kept(t.Context(), key(), 0)
	require.NoError(t, err)
	require.Equal(t, inbox.Kept{Late: 2, Ignored: 1}, kept)

	late, err := in.Late(t.Context(), key(), 1)
	require.NoError(t, err)
	require.Equal(t, []string{"t1", "t2"}, ids(late))
	require.False(t, in.HasParked(key()))

	require.Error(t, in.Keep(t.Context(), key(), "mislaid", 1, []signals.Event{tag("t4", now.Now())}))
}

func TestEverythingOutlivesTheProcess(t *testing.T) {
	t.Parallel()

	now := newClock()
	path := filepath.Join(t.TempDir(), "a dir?", "par#ley%20.db")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))

	in, db := open(t, path, inbox.Config{Now: now.Now, MaxParked: 2, MaxAccount: 1})
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag("t1", now.Now())}))
	require.NoError(t, in.Keep(t.Context(), key(), inbox.Late, 1, []signals.Event{tag("t2", now.Now())}))

	_, _, err := in.LogAccount(t.Context(), "livechat", []signals.Event{tag("a1", now.Now())})
	require.NoError(t, err)

	in.Count("livechat", inbox.Tally{Accepted: 3, Duplicates: 1})
	in.Count("livechat", inbox.Tally{Refused: 1, Error: "bad secret"})
	require.NoError(t, in.Flush(t.Context()))

	before := in.Sources()

	require.NoError(t, db.Close())
	require.FileExists(t, path)

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	in, _ = open(t, path, inbox.Config{Now: now.Now, MaxParked: 2, MaxAccount: 1})
	require.True(t, in.HasParked(key()))
	require.Equal(t, before, in.Sources())

	kept, err := in.Kept(t.Context(), key(), 0)
	require.NoError(t, err)
	require.Equal(t, inbox.Kept{Late: 1, Pending: 1}, kept)

	// The bounds count what was there before.
	err = in.Park(t.Context(), key(), []signals.Event{tag("t3", now.Now()), tag("t4", now.Now())})
	require.ErrorIs(t, err, inbox.ErrFull)

	_, _, err = in.LogAccount(t.Context(), "livechat", []signals.Event{tag("a2", now.Now())})
	require.ErrorIs(t, err, inbox.ErrFull)
}

func TestBounds(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{MaxParked: 3, MaxArchived: 2})
	park := func(source, id string) error {
		return in.Park(t.Context(), signals.Key{Source: source, Conversation: "C1"}, []signals.Event{tag(id, now.Now())})
	}

	for _, id := range []string{"t1", "t2", "t3"} {
		require.NoError(t, park("one", id))
	}

	err := park("one", "t4")
	require.ErrorIs(t, err, inbox.ErrFull)
	require.ErrorIs(t, err, courier.ErrBusy, "the courier would call a full inbox something else")
	require.NoError(t, park("one", "t3"), "a repetition takes no room")
	require.NoError(t, park("two", "t1"), "one source shut another out")

	parked, err := in.Parked(t.Context(), signals.Key{Source: "one", Conversation: "C1"})
	require.NoError(t, err)
	require.Len(t, parked, 3, "what was refused was kept")

	late := func(ids ...string) error {
		events := make([]signals.Event, 0, len(ids))
		for _, id := range ids {
			events = append(events, tag(id, now.Now()))
		}

		return in.Keep(t.Context(), key(), inbox.Late, 1, events)
	}
	require.ErrorIs(t, late("l1", "l2", "l3"), inbox.ErrFull)
	require.NoError(t, late("l1", "l2"))
	require.ErrorIs(t, late("l3"), inbox.ErrFull)

	now.turn(time.Hour)

	_, err = in.Prune(t.Context(), now.Now())
	require.NoError(t, err)
	require.NoError(t, late("l3"), "pruning made no room")
}

func TestOneConversationCannotFillItsSource(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})

	events := make([]signals.Event, 0, 501)
	for i := range 501 {
		events = append(events, tag(fmt.Sprintf("t%d", i), now.Now()))
	}

	require.ErrorIs(t, in.Park(t.Context(), key(), events), inbox.ErrFull)
	require.NoError(t, in.Park(t.Context(), key(), events[:500]))
}

func TestLargeEvents(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	withRaw := tag("t1", now.Now())
	withRaw.Raw = json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{withRaw}))

	parked, err := in.Parked(t.Context(), key())
	require.NoError(t, err)
	require.Len(t, parked, 1)
	require.Nil(t, parked[0].Raw)

	huge := tag("t2", now.Now())
	huge.Tag.Name = strings.Repeat("x", 1<<20)
	err = in.Park(t.Context(), key(), []signals.Event{huge})
	require.ErrorIs(t, err, inbox.ErrTooLarge)
	require.ErrorIs(t, err, courier.ErrRefused)
}

func TestPruneLeavesWhatIsYoungOrWaits(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag("t1", now.Now())}))
	require.NoError(t, in.Keep(t.Context(), key(), inbox.Late, 1, []signals.Event{tag("t2", now.Now())}))
	_, _, err := in.LogAccount(t.Context(), "livechat", []signals.Event{tag("a1", now.Now())})
	require.NoError(t, err)

	now.turn(time.Hour)
	require.NoError(t, in.Keep(t.Context(), key(), inbox.Late, 1, []signals.Event{tag("t3", now.Now())}))
	_, _, err = in.LogAccount(t.Context(), "livechat", []signals.Event{tag("a2", now.Now())})
	require.NoError(t, err)

	pruned, err := in.Prune(t.Context(), now.Now())
	require.NoError(t, err)
	require.Equal(t, 2, pruned)

	late, err := in.Late(t.Context(), key(), 1)
	require.NoError(t, err)
	require.Equal(t, []string{"t3"}, ids(late))
	require.True(t, in.HasParked(key()))

	account, next, err := in.AccountEvents(t.Context(), "livechat", 0, "")
	require.NoError(t, err)
	require.Empty(t, next)
	require.Equal(t, []string{"a2"}, ids(account))
}

func TestAccountPages(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})

	for i := range 25 {
		accepted, duplicates, err := in.LogAccount(t.Context(), "livechat", []signals.Event{tag(fmt.Sprintf("a%02d", i), now.Now())})
		require.NoError(t, err)
		require.Equal(t, [2]int{1, 0}, [2]int{accepted, duplicates})
	}

	_, _, err := in.LogAccount(t.Context(), "twt", []signals.Event{tag("other", now.Now())})
	require.NoError(t, err)

	var (
		seen   []string
		cursor string
		pages  int
	)

	for {
		events, next, err := in.AccountEvents(t.Context(), "livechat", 10, cursor)
		require.NoError(t, err)

		seen = append(seen, ids(events)...)
		pages++

		if pages == 1 {
			// What comes meanwhile does not shift the pages.
			_, _, err = in.LogAccount(t.Context(), "livechat", []signals.Event{tag("new", now.Now())})
			require.NoError(t, err)
		}

		if next == "" {
			break
		}

		cursor = next
	}

	require.Equal(t, 3, pages)
	require.Len(t, seen, 25)
	require.Equal(t, "a24", seen[0])
	require.Equal(t, "a00", seen[24])

	events, next, err := in.AccountEvents(t.Context(), "livechat", 26, "")
	require.NoError(t, err)
	require.Len(t, events, 26)
	require.Empty(t, next, "a full last page promises another")

	for _, bad := range []string{"x", "-1", "0", "1; DROP TABLE account_events"} {
		_, _, err = in.AccountEvents(t.Context(), "livechat", 10, bad)
		require.ErrorIs(t, err, inbox.ErrBadCursor)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	in.Count("twt", inbox.Tally{Accepted: 2, Duplicates: 1})

	at := now.Now()

	now.turn(time.Minute)
	in.Count("livechat", inbox.Tally{Refused: 1, Error: "first\nsecond\x1b[31m" + strings.Repeat("é", 400)})

	all := in.Sources()
	require.Len(t, all, 2)
	require.Equal(t, "livechat", all[0].Source)
	require.LessOrEqual(t, len(all[0].LastError), 300)
	require.NotContains(t, all[0].LastError, "\n")
	require.NotContains(t, all[0].LastError, "\x1b")
	require.Equal(t, now.Now(), all[0].LastErrorAt)
	require.Equal(t, inbox.SourceCounts{Source: "twt", Accepted: 2, Duplicates: 1, LastEventAt: at}, all[1])
}

func TestRunFlushesAtTheEnd(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "parley.db")
	in, db := open(t, path, inbox.Config{})

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- in.Run(ctx) }()

	in.Count("livechat", inbox.Tally{Accepted: 1})
	cancel()
	require.NoError(t, <-ended)

	again, err := inbox.New(t.Context(), db, inbox.Config{}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, again.Sources()[0].Accepted)
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})

	var waiting sync.WaitGroup

	for worker := range 8 {
		waiting.Go(func() {
			at := signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", worker%4)}

			for i := range 15 {
				id := fmt.Sprintf("t%d", i) // each conversation has two workers with the same events
				check(t, in.Park(t.Context(), at, []signals.Event{tag(id, now.Now())}))
				in.HasParked(at)
				in.Count("livechat", inbox.Tally{Accepted: 1})

				_, err := in.Parked(t.Context(), at)
				check(t, err)

				_, _, err = in.LogAccount(t.Context(), "livechat", []signals.Event{tag(fmt.Sprintf("a%d", i), now.Now())})
				check(t, err)

				if i%5 == 0 {
					_, err = in.Sweep(t.Context(), now.Now())
					check(t, err)
					check(t, in.Flush(t.Context()))
				}
			}
		})
	}

	waiting.Wait()

	for conversation := range 4 {
		at := signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", conversation)}
		kept, err := in.Kept(t.Context(), at, 0)
		require.NoError(t, err)
		require.Equal(t, inbox.Kept{Pending: 15}, kept)
	}

	account, _, err := in.AccountEvents(t.Context(), "livechat", 100, "")
	require.NoError(t, err)
	require.Len(t, account, 15)
	require.EqualValues(t, 120, in.Sources()[0].Accepted)
}

// check is for goroutines, which may not end a test.
func check(t *testing.T, err error) {
	t.Helper()

	if err != nil {
		t.Error(err)
	}
}

func TestContextIsHeeded(t *testing.T) {
	t.Parallel()

	in, now := setup(t, inbox.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	require.ErrorIs(t, in.Park(ctx, key(), []signals.Event{tag("t1", now.Now())}), context.Canceled)

	_, err := in.Parked(ctx, key())
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, in.HasParked(key()))
	require.NoError(t, in.Park(t.Context(), key(), []signals.Event{tag("t1", now.Now())}), "a failed write holds up the next")
}

func TestOpenFails(t *testing.T) {
	t.Parallel()

	_, err := inbox.Open(t.Context(), filepath.Join(t.TempDir(), "none", "parley.db"))
	require.ErrorIs(t, err, os.ErrNotExist)

	foreign := filepath.Join(t.TempDir(), "parley.db")
	require.NoError(t, os.WriteFile(foreign, []byte(strings.Repeat("not a database", 100)), 0o600))

	_, err = inbox.Open(t.Context(), foreign)
	require.Error(t, err)
}

func TestPragmas(t *testing.T) {
	t.Parallel()

	_, db := open(t, filepath.Join(t.TempDir(), "parley.db"), inbox.Config{})

	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000"} {
		var got string
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
}
