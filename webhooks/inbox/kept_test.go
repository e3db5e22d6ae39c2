package inbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// TestKeep: what a run gives back is marked where it came through here, and
// added where it did not.
func TestKeep(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{}
	b.Start(carrier)
	b.accept(tag("t1"), tag("t2"), tag("t3"))
	b.forwarded()

	own := carrier.made()[0].events
	foreign := tag("t9")
	foreign.Seq, foreign.Inbox = 1, "elsewhere"
	direct := tag("t8")
	elsewhere := own[2]

	for range 2 { // a repetition changes nothing
		require.NoError(t, b.Keep(t.Context(), key(), inbox.Orphan, 2, []signals.Event{own[0], foreign, direct, tag("t2")}))
		require.NoError(t, b.Keep(t.Context(), keyOf(2), inbox.Late, 1, []signals.Event{elsewhere}))
	}

	require.Equal(t, map[string]inbox.State{
		"t1": inbox.StateIgnored, "t2": inbox.StateForwarded, "t3": inbox.StateForwarded,
		"t9": inbox.StateIgnored, "t8": inbox.StateIgnored,
	}, b.states(key()))
	require.Equal(t, map[string]inbox.State{"t3": inbox.StateLate}, b.states(keyOf(2)), "another conversation's number was believed")

	for session, want := range map[int]inbox.Kept{0: {Ignored: 3}, 2: {Ignored: 3}, 1: {}} {
		kept, err := b.Kept(t.Context(), key(), session)
		require.NoError(t, err)
		require.Equal(t, want, kept)
	}

	// A state that stands is not overwritten, and ids that were added are known.
	require.NoError(t, b.Keep(t.Context(), key(), inbox.Late, 1, own[:1]))
	require.Equal(t, inbox.StateIgnored, b.states(key())["t1"])

	got, err := b.Accept(t.Context(), "livechat", []signals.Event{tag("t8"), tag("t10")})
	require.NoError(t, err)
	require.Equal(t, inbox.Receipt{Accepted: 1, Duplicates: 1}, got)
	b.forwarded()

	// Numbers go on behind what was added, over a restart, too.
	b.crash()
	b.open()
	b.accept(tag("t11"))

	archive := b.archive(key())
	for i := range archive[1:] {
		require.Greater(t, archive[i+1].Seq, archive[i].Seq)
	}

	require.Error(t, b.Keep(t.Context(), key(), "mislaid", 1, []signals.Event{tag("t4")}))
}

// TestKeepWhileItIsOnItsWay: the run answers before Temporal does.
func TestKeepWhileItIsOnItsWay(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{}
	hold, entered := make(chan struct{}), make(chan struct{})
	b.Start(carrierFunc(func(ctx context.Context, key signals.Key, events []signals.Event) {
		entered <- struct{}{}

		<-hold

		_, err := carrier.Events(ctx, key, events)
		check(t, err)
	}))
	b.accept(tag("t1"))
	<-entered

	event := b.archive(key())[0].Event
	require.NoError(t, b.Keep(t.Context(), key(), inbox.Orphan, 1, []signals.Event{event}))
	close(hold)
	b.forwarded()
	require.Equal(t, map[string]inbox.State{"t1": inbox.StateIgnored}, b.states(key()))
	require.Equal(t, inbox.Kept{Ignored: 1}, b.kept(key()))
	b.stop()
	b.open()
	require.Equal(t, inbox.Kept{Ignored: 1}, b.kept(key()))
}

func TestArchivePages(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	for i := range 25 {
		b.accept(message(fmt.Sprintf("m%02d", i)), in("C2", message(fmt.Sprintf("m%02d", i))))
	}

	var (
		seen   []string
		cursor string
		pages  int
	)

	for {
		page, next, err := b.Archive(t.Context(), key(), inbox.ArchiveQuery{Limit: 10, Cursor: cursor})
		require.NoError(t, err)

		for _, archived := range page {
			seen = append(seen, archived.Event.ID)
			require.Equal(t, archived.Seq, archived.Event.Seq)
		}

		pages++

		if next == "" {
			break
		}

		cursor = next
	}

	require.Equal(t, 3, pages)
	require.Len(t, seen, 25)
	require.IsIncreasing(t, seen)

	page, next, err := b.Archive(t.Context(), key(), inbox.ArchiveQuery{Limit: 25})
	require.NoError(t, err)
	require.Len(t, page, 25)
	require.Empty(t, next, "a full last page promises another")

	page, _, err = b.Archive(t.Context(), keyOf(9), inbox.ArchiveQuery{})
	require.NoError(t, err)
	require.Empty(t, page)

	for _, bad := range []string{"x", "-1", "0", "1; DROP TABLE inbox_events"} {
		_, _, err = b.Archive(t.Context(), key(), inbox.ArchiveQuery{Cursor: bad})
		require.ErrorIs(t, err, inbox.ErrBadCursor)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{MaxAccount: 3})
	carrier := &script{answer: refusing(noRun(1), "dead")}
	b.Start(carrier)

	// Old: forwarded, late, orphan; and what must stay: parked, dead, pending.
	b.accept(message("forwarded"), message("dead"))
	b.forwarded()
	b.accept(in("C2", tag("parked")), account("old"))
	b.forwarded()
	require.NoError(t, b.Keep(t.Context(), keyOf(3), inbox.Late, 1, []signals.Event{in("C3", tag("late"))}))
	require.NoError(t, b.Keep(t.Context(), keyOf(3), inbox.Orphan, 1, []signals.Event{in("C3", tag("orphan"))}))

	many := make([]signals.Event, 0, 1100)
	for i := range 1100 {
		many = append(many, in("C4", message(fmt.Sprintf("m%d", i))))
	}

	b.accept(many...)
	b.forwarded()
	carrier.say(away)
	b.accept(in("C5", message("pending")))

	b.clock.turn(time.Hour)

	young := at(b.clock.Now(), in("C6", message("young")))
	b.accept(young)

	for i := range 5 {
		b.accept(at(b.clock.Now(), account(fmt.Sprintf("a%d", i))))
	}

	require.True(t, b.Flushed())
	b.PlaceAll()

	pruned, err := b.Prune(t.Context(), b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, 1+2+1100+1+2, pruned)
	require.Equal(t, map[string]inbox.State{"dead": inbox.StateDead}, b.states(key()))
	require.Equal(t, map[string]inbox.State{"parked": inbox.StateParked}, b.states(keyOf(2)))
	require.Empty(t, b.states(keyOf(3)))
	require.Zero(t, b.kept(keyOf(3)))
	require.Empty(t, b.states(keyOf(4)))
	require.Equal(t, map[string]inbox.State{"pending": inbox.StatePending}, b.states(keyOf(5)))
	require.Len(t, b.states(keyOf(6)), 1)

	logged, _, err := b.AccountEvents(t.Context(), "livechat", 0, "")
	require.NoError(t, err)
	require.Equal(t, []string{"a4", "a3", "a2"}, ids(logged), "the newest are kept")

	pruned, err = b.Prune(t.Context(), b.clock.Now())
	require.NoError(t, err)
	require.Zero(t, pruned)

	var lists int
	require.NoError(t, b.db.QueryRowContext(t.Context(), `SELECT count(*) FROM inbox_places`).Scan(&lists))
	require.Equal(t, 4, lists, "lists of nothing are left")

	// An id is known as long as its row is kept.
	got, err := b.Accept(t.Context(), "livechat", []signals.Event{message("forwarded"), message("dead"), young})
	require.NoError(t, err)
	require.Equal(t, inbox.Receipt{Accepted: 1, Duplicates: 2}, got)

	carrier.say(nil)
	b.forwarded()

	calls := carrier.made()
	for _, c := range calls {
		for i := range c.events {
			require.NotEmpty(t, c.events[i].Inbox, "the start under which it came is forgotten")
		}
	}
}

func TestAccountPages(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	for i := range 25 {
		b.accept(account(fmt.Sprintf("a%02d", i)))
	}

	_, err := b.Accept(t.Context(), "twt", []signals.Event{account("other")})
	require.NoError(t, err)

	var (
		seen   []string
		cursor string
		pages  int
	)

	for {
		events, next, err := b.AccountEvents(t.Context(), "livechat", 10, cursor)
		require.NoError(t, err)

		seen = append(seen, ids(events)...)
		pages++

		if pages == 1 {
			// What comes meanwhile does not shift the pages.
			b.accept(account("new"))
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

	events, next, err := b.AccountEvents(t.Context(), "livechat", 26, "")
	require.NoError(t, err)
	require.Len(t, events, 26)
	require.Empty(t, next, "a full last page promises another")

	for _, bad := range []string{"x", "-1", "0", "1; DROP TABLE account_events"} {
		_, _, err = b.AccountEvents(t.Context(), "livechat", 10, bad)
		require.ErrorIs(t, err, inbox.ErrBadCursor)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	b.Count("twt", inbox.Tally{Accepted: 2, Duplicates: 1})

	when := b.clock.Now()

	b.clock.turn(time.Minute)
	b.Count("livechat", inbox.Tally{Refused: 1, Error: "first\nsecond\x1b[31m" + strings.Repeat("é", 400)})

	all := b.Sources()
	require.Len(t, all, 2)
	require.Equal(t, "livechat", all[0].Source)
	require.LessOrEqual(t, len(all[0].LastError), 300)
	require.NotContains(t, all[0].LastError, "\n")
	require.NotContains(t, all[0].LastError, "\x1b")
	require.Equal(t, b.clock.Now(), all[0].LastErrorAt)
	require.Equal(t, inbox.SourceCounts{Source: "twt", Accepted: 2, Duplicates: 1, LastEventAt: when}, all[1])

	require.NoError(t, b.Flush(t.Context()))
	b.stop()
	b.open()
	require.Equal(t, all, b.Sources())
}

func TestRunWritesTheCountsAtTheEnd(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- b.Run(ctx) }()

	b.Count("livechat", inbox.Tally{Accepted: 1})
	cancel()
	require.NoError(t, <-ended)

	b.stop()
	b.open()
	require.EqualValues(t, 1, b.Sources()[0].Accepted)
}

func TestReadersHeedTheirContext(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	for name, call := range map[string]func() error{
		"kept":    func() error { _, err := b.Kept(ctx, key(), 0); return err },
		"late":    func() error { _, err := b.Late(ctx, key(), 1); return err },
		"archive": func() error { _, _, err := b.Archive(ctx, key(), inbox.ArchiveQuery{}); return err },
		"dead":    func() error { _, _, err := b.Dead(ctx, 0, ""); return err },
		"retry":   func() error { _, err := b.Retry(ctx, 1); return err },
		"account": func() error { _, _, err := b.AccountEvents(ctx, "livechat", 0, ""); return err },
		"report":  func() error { _, err := b.Report(ctx); return err },
		"keep":    func() error { return b.Keep(ctx, key(), inbox.Late, 1, []signals.Event{tag("t1")}) },
		"prune":   func() error { _, err := b.Prune(ctx, b.clock.Now()); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, name)
	}

	require.NoError(t, b.Health())
	b.accept(tag("t1"))
}

// carrierFunc signals everything.
type carrierFunc func(ctx context.Context, key signals.Key, events []signals.Event)

func (f carrierFunc) Events(ctx context.Context, key signals.Key, events []signals.Event) (courier.Outcome, error) {
	f(ctx, key, events)

	return all(courier.Signalled, len(events)), nil
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

func TestOpen(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "a dir?", "par#ley%20.db")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))

	b := setupAt(t, path, inbox.Config{})

	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000"} {
		var got string
		require.NoError(t, b.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
