package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// TestRecover: everything that is not settled goes out again, in order.
func TestRecover(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	carrier := &script{answer: refusing(noRun(1), "bad")}
	b.Start(carrier)
	b.accept(message("m1"), message("bad"), in("C2", tag("t1")), in("C3", message("m1")))
	b.forwarded()
	require.Eventually(t, b.Flushed, 5*time.Second, time.Millisecond)

	// From here on nothing of what the carrier gets is written down.
	b.crash()
	b.open()
	b.accept(message("m2"), in("C2", tag("t2")))
	b.accept(message("m3"), in("C2", message("m2")))
	b.crash()
	b.open()

	require.Equal(t, inbox.Kept{Pending: 3}, b.kept(key()), "two that wait and a dead letter")
	require.Equal(t, inbox.Kept{Pending: 3}, b.kept(keyOf(2)))
	require.Zero(t, b.kept(keyOf(3)))

	report, err := b.Report(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 5, report.Depth)
	require.EqualValues(t, 1, report.Parked)
	require.EqualValues(t, 1, report.Dead)
	require.Positive(t, report.Bytes)

	calls := len(carrier.got())

	b.Start(carrier)
	b.forwarded()

	again := carrier.got()[calls:]
	slices.SortFunc(again, func(a, b []string) int { return len(a) - len(b) })
	require.Equal(t, [][]string{{"m2", "m3"}, {"t1", "t2", "m2"}}, again)
	require.Equal(t, inbox.Kept{Pending: 1}, b.kept(key()))
	require.Zero(t, b.kept(keyOf(2)))
}

// TestNumbers: a seq is never used twice, and every start has an id of its own
// that sorts behind the ones before; rows keep the one under which they came.
func TestNumbers(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{Retention: time.Hour})
	carrier := &script{}

	var (
		inboxes []string
		highest int64
	)

	for round := range 6 {
		id := fmt.Sprintf("m%d", round)

		if round%2 == 0 {
			b.crash()
			b.open() // nothing is accepted in this life
		}

		b.accept(message(id))

		archive := b.archive(key())
		last := archive[len(archive)-1]
		require.Equal(t, id, last.Event.ID)
		require.Greater(t, last.Seq, highest)
		require.NotContains(t, inboxes, last.Event.Inbox)

		if len(inboxes) > 0 {
			require.Greater(t, last.Event.Inbox, inboxes[len(inboxes)-1])
		}

		highest, inboxes = last.Seq, append(inboxes, last.Event.Inbox)

		switch round {
		case 0, 1:
			b.crash()
			b.open()

			archive = b.archive(key())
			require.Equal(t, last.Event.Inbox, archive[len(archive)-1].Event.Inbox, "a row changed its inbox")
		case 2:
			// The clock of the machine goes back.
			b.clock.turn(-24 * time.Hour)
		case 3:
			// Everything is gone, and the numbers go on.
			b.Start(carrier)
			b.forwarded()
			b.clock.turn(48 * time.Hour)

			_, err := b.Prune(t.Context(), b.clock.Now())
			require.NoError(t, err)
			require.Empty(t, b.archive(key()))
		}

		b.stop()
		b.open()
	}

	// What went out carried the number and id of its row.
	require.Len(t, carrier.made(), 1)

	for i, event := range carrier.made()[0].events {
		require.Equal(t, inboxes[i], event.Inbox)
	}
}

// TestRestoredBackup: other events get the same seqs, under another id.
func TestRestoredBackup(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{})
	b.accept(message("m1"))

	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err := b.db.ExecContext(t.Context(), `VACUUM INTO ?`, backup)
	require.NoError(t, err)

	b.accept(message("m2"))
	lost := b.archive(key())[1]

	b.clock.turn(time.Hour)

	restored := setupAt(t, backup, inbox.Config{})
	restored.accept(message("m3"))

	got := restored.archive(key())
	require.Len(t, got, 2)
	require.Equal(t, lost.Seq, got[1].Seq)
	require.NotEqual(t, lost.Event.Inbox, got[1].Event.Inbox)
}

// TestStuckConversation: what is settled behind a conversation that takes
// nothing does not go out again at the next start.
func TestStuckConversation(t *testing.T) {
	t.Parallel()

	const batches, size = 50, 500

	b := setup(t, inbox.Config{})
	carrier := &script{answer: func(key signals.Key, events []signals.Event) (courier.Outcome, error) {
		if key.Conversation == "stuck" {
			return courier.Outcome{}, courier.ErrHeld
		}

		return all(courier.Signalled, len(events)), nil
	}}
	b.accept(in("stuck", message("m1")), in("stuck", message("m2")))
	b.Start(carrier)

	for batch := range batches {
		events := make([]signals.Event, 0, size)
		for i := range size {
			events = append(events, in(fmt.Sprintf("C%d", i), message(fmt.Sprintf("m%d", batch))))
		}

		b.accept(events...)
	}

	stuck := signals.Key{Source: "livechat", Conversation: "stuck"}

	require.Eventually(t, func() bool {
		report, err := b.Report(t.Context())

		return err == nil && report.Depth == 2 && b.SettledUpTo() == batches*size+2
	}, 20*time.Second, 10*time.Millisecond)
	require.Eventually(t, b.Flushed, 5*time.Second, time.Millisecond)
	require.Equal(t, map[string]inbox.State{"m1": inbox.StatePending, "m2": inbox.StatePending}, b.states(stuck))

	b.crash()
	b.open()

	report, err := b.Report(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Depth)

	carrier.say(nil)

	calls := len(carrier.got())

	b.Start(carrier)
	b.forwarded()
	require.Equal(t, [][]string{{"m1", "m2"}}, carrier.got()[calls:])
	require.True(t, b.Flushed())
	b.crash()
	b.open()
	require.Zero(t, b.kept(stuck), "its state was left behind")
}

// TestUpgrade opens the database of the form before.
func TestUpgrade(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "parley.db")
	old, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)

	for _, statement := range []string{
		`CREATE TABLE goose_inbox (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,
			tstamp TIMESTAMP DEFAULT (datetime('now')))`,
		`INSERT INTO goose_inbox (version_id, is_applied) VALUES (0, 1), (1, 1), (2, 1)`,
		`CREATE TABLE kept_events (seq INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, conversation TEXT NOT NULL,
			session INTEGER NOT NULL, state TEXT NOT NULL, event_id TEXT NOT NULL, received_at INTEGER NOT NULL, kept_at INTEGER NOT NULL,
			event BLOB NOT NULL)`,
		`CREATE TABLE account_events (seq INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, event_id TEXT NOT NULL,
			received_at INTEGER NOT NULL, logged_at INTEGER NOT NULL, event BLOB NOT NULL)`,
		`CREATE TABLE source_counts (source TEXT PRIMARY KEY, accepted INTEGER NOT NULL, duplicates INTEGER NOT NULL,
			refused INTEGER NOT NULL, last_event_at INTEGER NOT NULL, last_error TEXT NOT NULL, last_error_at INTEGER NOT NULL)`,
		`CREATE TABLE pinned_secrets (source TEXT PRIMARY KEY, secret TEXT NOT NULL, pinned_at INTEGER NOT NULL)`,
	} {
		_, err := old.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}

	event := `{"id":"%s","type":"tag.added","source":"livechat","conversation":"C1","session":%d,"at":"2026-11-20T10:00:00Z",` +
		`"received_at":"2026-11-20T10:00:00Z","tag":{"name":"vip"},"raw":{"exact":1.10}}`
	for seq, row := range []struct {
		id, state string
		session   int
	}{{"p1", "parked", 2}, {"l1", "late", 1}, {"o1", "orphan", 2}, {"p2", "parked", 2}} {
		_, err := old.ExecContext(t.Context(), `INSERT INTO kept_events VALUES (?, 'livechat', 'C1', ?, ?, ?, ?, ?, ?)`,
			10*(seq+1), row.session, row.state, row.id, epoch.UnixMicro(), epoch.UnixMicro(),
			[]byte(fmt.Sprintf(event, row.id, row.session)))
		require.NoError(t, err)
	}

	_, err = old.ExecContext(t.Context(), `INSERT INTO account_events VALUES (1, 'livechat', 'a1', 0, 0, '{"id":"a1"}')`)
	require.NoError(t, err)
	require.NoError(t, old.Close())

	b := setupAt(t, path, inbox.Config{})
	require.Equal(t, map[string]inbox.State{
		"p1": inbox.StateParked, "l1": inbox.StateLate, "o1": inbox.StateIgnored, "p2": inbox.StateParked,
	}, b.states(key()))
	require.Equal(t, inbox.Kept{Late: 1, Ignored: 1, Pending: 2}, b.kept(key()))

	page, _, err := b.Archive(t.Context(), key(), inbox.ArchiveQuery{Raw: true})
	require.NoError(t, err)
	require.Equal(t, `{"exact":1.10}`, string(page[0].Event.Raw))

	for _, archived := range b.archive(key()) {
		require.Nil(t, archived.Event.Raw, "raw was not asked for")
	}

	orphans, err := b.Orphans(t.Context(), key(), 2)
	require.NoError(t, err)
	require.Equal(t, []string{"o1"}, ids(orphans))

	logged, _, err := b.AccountEvents(t.Context(), "livechat", 0, "")
	require.NoError(t, err)
	require.Equal(t, []string{"a1"}, ids(logged))

	got, err := b.Accept(t.Context(), "livechat", []signals.Event{tag("l1"), message("m1")})
	require.NoError(t, err)
	require.Equal(t, inbox.Receipt{Accepted: 1, Duplicates: 1}, got)

	carrier := &script{answer: noRun(2)}
	b.Start(carrier)
	b.forwarded()

	call := carrier.made()[0].events
	require.Equal(t, []string{"p1", "p2", "m1"}, ids(call))
	require.Equal(t, []int64{10, 40, 41}, []int64{call[0].Seq, call[1].Seq, call[2].Seq})
	require.Zero(t, call[0].Session, "it would belong to the session before")
	require.Nil(t, call[0].Raw)
	require.Less(t, call[0].Inbox, call[2].Inbox)
	require.Zero(t, b.kept(key()).Pending)

	b.stop()
	b.open()
	require.Equal(t, inbox.StateForwarded, b.states(key())["p1"])
}

// TestKilledUnderLoad ends the inbox in the middle of everything, again and
// again: what was acknowledged is there.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()

	b := setup(t, inbox.Config{Parallel: 4})
	world := newWorld()
	acknowledged := make(map[string]bool)

	for round := range 5 {
		b.Start(world)

		var (
			waiting sync.WaitGroup
			mu      sync.Mutex
		)

		for worker := range 6 {
			waiting.Go(func() {
				for i := range 15 {
					id := fmt.Sprintf("m%d-%d-%d", round, worker, i)

					_, err := b.Accept(context.Background(), "livechat", []signals.Event{in(fmt.Sprintf("C%d", i%3), message(id))})
					check(t, err)
					mu.Lock()
					acknowledged[id] = true
					mu.Unlock()
				}
			})
		}

		waiting.Wait()
		b.crash()
		b.open()
	}

	b.Start(world)
	b.forwarded()

	applied := make(map[string]int)

	for i := range 3 {
		for _, id := range world.of(keyOf(i)).applied {
			applied[id]++
		}
	}

	require.Len(t, applied, len(acknowledged))

	for id := range acknowledged {
		require.Equal(t, 1, applied[id], id)
	}
}
