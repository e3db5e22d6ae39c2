package inbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
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

// bundle is an inbox that can be started again.
type bundle struct {
	*inbox.Inbox

	t      *testing.T
	path   string
	config inbox.Config
	clock  *clock
	db     *sql.DB
	up     bool
}

func setup(t *testing.T, config inbox.Config) *bundle {
	t.Helper()

	return setupAt(t, filepath.Join(t.TempDir(), "parley.db"), config)
}

func setupAt(t *testing.T, path string, config inbox.Config) *bundle {
	t.Helper()

	b := &bundle{t: t, path: path, config: config, clock: newClock()}
	b.config.Now = b.clock.Now
	b.open()
	t.Cleanup(b.stop)

	return b
}

func (b *bundle) open() {
	b.t.Helper()

	db, err := inbox.Open(context.Background(), b.path)
	require.NoError(b.t, err)

	b.db = db
	b.Inbox, err = inbox.New(context.Background(), db, b.config, nil)
	require.NoError(b.t, err)

	b.up = true
}

// stop ends the inbox in good order.
func (b *bundle) stop() {
	if !b.up {
		return
	}

	b.up = false

	require.NoError(b.t, b.Stop(context.Background()))
	require.NoError(b.t, b.db.Close())
}

// crash ends it as a kill does.
func (b *bundle) crash() {
	b.up = false
	b.Crash()
	require.NoError(b.t, b.db.Close())
}

// accept expects that all events are new.
func (b *bundle) accept(events ...signals.Event) {
	b.t.Helper()

	got, err := b.Accept(b.t.Context(), "livechat", events)
	require.NoError(b.t, err)
	require.Equal(b.t, inbox.Receipt{Accepted: len(events)}, got)
}

// forwarded waits until nothing is pending.
func (b *bundle) forwarded() {
	b.t.Helper()

	require.Eventually(b.t, func() bool {
		report, err := b.Report(context.Background())

		return err == nil && report.Depth == report.Parked
	}, 10*time.Second, time.Millisecond)
}

// states returns where the events of a conversation stand, by their ids.
func (b *bundle) states(key signals.Key) map[string]inbox.State {
	b.t.Helper()

	states := make(map[string]inbox.State)

	for _, event := range b.archive(key) {
		require.NotContains(b.t, states, event.Event.ID)
		states[event.Event.ID] = event.State
	}

	return states
}

func (b *bundle) archive(key signals.Key) []inbox.ArchivedEvent {
	b.t.Helper()

	var (
		all    []inbox.ArchivedEvent
		cursor string
	)

	for {
		page, next, err := b.Archive(context.Background(), key, inbox.ArchiveQuery{Limit: 500, Cursor: cursor})
		require.NoError(b.t, err)

		all = append(all, page...)

		if next == "" {
			return all
		}

		cursor = next
	}
}

// kept returns the counts over all sessions.
func (b *bundle) kept(key signals.Key) inbox.Kept {
	b.t.Helper()

	kept, err := b.Kept(context.Background(), key, 0)
	require.NoError(b.t, err)

	return kept
}

func key() signals.Key { return signals.Key{Source: "livechat", Conversation: "C1"} }

func keyOf(i int) signals.Key {
	return signals.Key{Source: "livechat", Conversation: fmt.Sprintf("C%d", i)}
}

var epoch = newClock().now //nolint:gochecknoglobals // a constant that Go cannot spell

func tag(id string) signals.Event {
	return signals.Event{
		ID: id, Type: signals.TagAdded, Conversation: "C1", At: epoch, ReceivedAt: epoch,
		Tag: &signals.Tag{Name: "vip"}, Raw: json.RawMessage(`{"tag": "vip"}`),
	}
}

func message(id string) signals.Event {
	return signals.Event{
		ID: id, Type: signals.MessageReceived, Conversation: "C1", At: epoch, ReceivedAt: epoch,
		Message: &signals.Message{ID: id, Text: "Is anyone there?", Kind: signals.KindText}, Raw: json.RawMessage(`{"text": "…"}`),
	}
}

func account(id string) signals.Event {
	event := signals.Event{
		ID: id, Type: signals.AccountChanged, At: epoch, ReceivedAt: epoch, Raw: json.RawMessage(`{"account":true}`),
		Account: &signals.Account{Object: "agent", Action: "created"},
	}

	return event
}

func in(conversation string, event signals.Event) signals.Event {
	event.Conversation = conversation

	return event
}

func at(received time.Time, event signals.Event) signals.Event {
	event.ReceivedAt = received

	return event
}

func ids(events []signals.Event) []string {
	out := make([]string, 0, len(events))
	for i := range events {
		out = append(out, events[i].ID)
	}

	return out
}

// check is for goroutines, which may not end a test.
func check(t *testing.T, err error) {
	t.Helper()

	if err != nil {
		t.Error(err)
	}
}

// script is a carrier that a test writes. It remembers every call.
type script struct {
	answer func(key signals.Key, events []signals.Event) (courier.Outcome, error)

	// forgetful: remembers nothing.
	forgetful bool

	mu    sync.Mutex
	calls []call
}

type call struct {
	key    signals.Key
	events []signals.Event
}

func (s *script) Events(ctx context.Context, key signals.Key, events []signals.Event) (courier.Outcome, error) {
	s.mu.Lock()

	if !s.forgetful {
		s.calls = append(s.calls, call{key, slices.Clone(events)})
	}

	answer := s.answer
	s.mu.Unlock()

	if ctx.Err() != nil {
		return courier.Outcome{}, fmt.Errorf("%w: %w", courier.ErrUnavailable, ctx.Err())
	}

	if answer == nil {
		return all(courier.Signalled, len(events)), nil
	}

	return answer(key, events)
}

func (s *script) say(answer func(key signals.Key, events []signals.Event) (courier.Outcome, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.answer = answer
}

// got returns the ids of every call so far.
func (s *script) got() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()

	out := make([][]string, 0, len(s.calls))
	for _, c := range s.calls {
		out = append(out, ids(c.events))
	}

	return out
}

func (s *script) made() []call {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.calls)
}

func all(fate courier.Fate, n int) courier.Outcome {
	return courier.Outcome{Fates: slices.Repeat([]courier.Fate{fate}, n)}
}

// noRun parks what may not start and signals the rest.
func noRun(session int) func(signals.Key, []signals.Event) (courier.Outcome, error) {
	return func(_ signals.Key, events []signals.Event) (courier.Outcome, error) {
		if slices.ContainsFunc(events, func(e signals.Event) bool { return e.Type.MayStart() }) {
			return all(courier.Signalled, len(events)), nil
		}

		parked := all(courier.Parked, len(events))
		parked.Session = session

		return parked, nil
	}
}

// away fails as the courier does while Temporal does not answer.
func away(signals.Key, []signals.Event) (courier.Outcome, error) {
	return courier.Outcome{}, fmt.Errorf("signal: %w", courier.ErrUnavailable)
}
