package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// Errors of the inbox. They are the courier's too, so that whoever asks it
// need know only those.
var (
	// ErrFull says that a source has as much in the inbox as it may.
	ErrFull = fmt.Errorf("inbox is full: %w", courier.ErrBusy)
	// ErrTooLarge says that one event has more than 1 MiB even without its raw
	// form.
	ErrTooLarge = fmt.Errorf("event is too large: %w", courier.ErrRefused)
	// ErrDisk says that a write failed: a full disk, most often.
	ErrDisk = fmt.Errorf("inbox cannot write: %w", courier.ErrUnavailable)
	// ErrClosed says that the inbox takes in nothing more.
	ErrClosed = fmt.Errorf("inbox is closed: %w", courier.ErrUnavailable)
	// ErrNotFound says that there is no such dead letter.
	ErrNotFound = errors.New("no such dead letter")
	// ErrBadCursor says that a cursor did not come from here.
	ErrBadCursor = errors.New("bad cursor")
)

// Reason says why an event is kept with a closed session.
type Reason string

// The reasons.
const (
	// Late events came for a session that was closed.
	Late Reason = "late"
	// Orphan events could not start a conversation and met none in time.
	Orphan Reason = "orphan"
)

// state is where a kept event stands.
const (
	stateParked = "parked"
	stateLate   = string(Late)
	stateOrphan = string(Orphan)
)

const (
	// parkedFor is how long an event waits for one that may start a
	// conversation (contract, section 5).
	parkedFor = 10 * time.Minute
	// maxEvent is in bytes of JSON.
	maxEvent = 1 << 20
	// maxPerConversation bounds what goes ahead of a start.
	maxPerConversation = 500
	// maxShown bounds what is shown beside a ticket.
	maxShown = 200

	defaultRetryWindow = 2 * time.Minute
)

// Config holds the inbox's bounds; a zero value means the default.
type Config struct {
	// MaxParked bounds the parked events of one source.
	MaxParked int `env:"PARLEY_INBOX_MAX_PARKED" envDefault:"10000" desc:"events of one source that may wait for a conversation to start"`
	// MaxArchived bounds its late and orphan ones.
	MaxArchived int `env:"PARLEY_INBOX_MAX_ARCHIVED" envDefault:"100000" desc:"late and orphan events kept of one source"`
	// MaxAccount bounds its account log.
	MaxAccount int `env:"PARLEY_INBOX_MAX_ACCOUNT" envDefault:"100000" desc:"account events kept of one source"`
	// Retention is how long late, orphan and account events are kept.
	Retention time.Duration `env:"PARLEY_INBOX_RETENTION" envDefault:"720h" desc:"how long late, orphan and account events are kept"`

	// RetryWindow is how long the same derived id of a source counts as a
	// repetition.
	RetryWindow func(source string) time.Duration `env:"-"`
	// Now may be nil; tests turn the clock with it.
	Now func() time.Time `env:"-"`
}

// Inbox is the store. Make one with [New]; its methods may be called at the
// same time.
type Inbox struct {
	db     *sql.DB
	config Config
	log    *slog.Logger

	// writing lets one writer at a time in, in order; SQLite's own waiting is
	// by polling.
	writing chan struct{}

	mu sync.Mutex
	// parked counts the parked events per conversation, held what a source
	// has.
	parked  map[signals.Key]int
	held    map[string]holding
	sources map[string]*tally
}

// holding is how much of one source is on disk.
type holding struct{ parked, archived, account int }

// New makes the inbox on db, creating or upgrading its tables. The database
// stays the caller's to close, after [Inbox.Flush].
func New(ctx context.Context, db *sql.DB, config Config, log *slog.Logger) (*Inbox, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}

	if err := migrate(ctx, db); err != nil {
		return nil, err
	}

	in := &Inbox{
		db: db, config: config.withDefaults(), log: log, writing: make(chan struct{}, 1),
		parked: make(map[signals.Key]int), held: make(map[string]holding), sources: make(map[string]*tally),
	}

	if err := in.load(ctx); err != nil {
		return nil, err
	}

	return in, nil
}

func (config Config) withDefaults() Config {
	if config.MaxParked <= 0 {
		config.MaxParked = 10_000
	}

	if config.MaxArchived <= 0 {
		config.MaxArchived = 100_000
	}

	if config.MaxAccount <= 0 {
		config.MaxAccount = 100_000
	}

	if config.Retention <= 0 {
		config.Retention = 30 * 24 * time.Hour
	}

	if config.RetryWindow == nil {
		config.RetryWindow = func(string) time.Duration { return defaultRetryWindow }
	}

	if config.Now == nil {
		config.Now = time.Now
	}

	return config
}

const (
	sweepEvery = 15 * time.Second
	flushEvery = 5 * time.Second
	pruneEvery = time.Hour
)

// Run sweeps, flushes and prunes until ctx ends, and flushes once more then.
func (in *Inbox) Run(ctx context.Context) error {
	sweep, flush, prune := time.NewTicker(sweepEvery), time.NewTicker(flushEvery), time.NewTicker(pruneEvery)

	defer sweep.Stop()
	defer flush.Stop()
	defer prune.Stop()

	for {
		var err error

		select {
		case <-ctx.Done():
			return in.flushLast(ctx)
		case <-sweep.C:
			_, err = in.Sweep(ctx, in.config.Now())
		case <-flush.C:
			err = in.Flush(ctx)
		case <-prune.C:
			_, err = in.Prune(ctx, in.config.Now().Add(-in.config.Retention))
		}

		if err != nil && ctx.Err() == nil {
			in.log.ErrorContext(ctx, "inbox upkeep failed", "error", err)
		}
	}
}

// flushLast flushes although ctx has ended.
func (in *Inbox) flushLast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushEvery)
	defer cancel()

	return in.Flush(ctx)
}

// load counts what is on disk.
func (in *Inbox) load(ctx context.Context) error {
	err := in.each(ctx, `SELECT source, conversation, state, count(*) FROM kept_events GROUP BY source, conversation, state`,
		func(scan scanner) error {
			var (
				key   signals.Key
				state string
				n     int
			)

			if err := scan(&key.Source, &key.Conversation, &state, &n); err != nil {
				return err
			}

			in.count(key, state, n)

			return nil
		})
	if err != nil {
		return fmt.Errorf("count kept events: %w", err)
	}

	err = in.each(ctx, `SELECT source, count(*) FROM account_events GROUP BY source`, func(scan scanner) error {
		var (
			source string
			n      int
		)

		if err := scan(&source, &n); err != nil {
			return err
		}

		in.countAccount(source, n)

		return nil
	})
	if err != nil {
		return fmt.Errorf("count account events: %w", err)
	}

	return in.loadTallies(ctx)
}

// count adds n kept events of key in state; n may be negative.
func (in *Inbox) count(key signals.Key, state string, n int) {
	in.mu.Lock()
	defer in.mu.Unlock()

	held := in.held[key.Source]

	if state != stateParked {
		held.archived += n
		in.held[key.Source] = held

		return
	}

	held.parked += n
	in.held[key.Source] = held
	in.parked[key] += n

	if in.parked[key] <= 0 {
		delete(in.parked, key)
	}
}

func (in *Inbox) countAccount(source string, n int) {
	in.mu.Lock()
	defer in.mu.Unlock()

	held := in.held[source]
	held.account += n
	in.held[source] = held
}

func (in *Inbox) holding(source string) holding {
	in.mu.Lock()
	defer in.mu.Unlock()

	return in.held[source]
}

type scanner func(dest ...any) error

// each calls use for every row of a query.
func (in *Inbox) each(ctx context.Context, query string, use func(scanner) error, args ...any) error {
	return eachOf(ctx, in.db, query, use, args...)
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func eachOf(ctx context.Context, from querier, query string, use func(scanner) error, args ...any) (err error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}

	defer func() { err = errors.Join(err, rows.Close()) }()

	for rows.Next() {
		if err := use(rows.Scan); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
	}

	if err := rows.Err(); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}

	return nil
}

// write runs change in one transaction, one writer at a time.
func (in *Inbox) write(ctx context.Context, change func(tx *sql.Tx) error) (err error) {
	select {
	case in.writing <- struct{}{}:
		defer func() { <-in.writing }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the inbox: %w", ctx.Err())
	}

	tx, err := in.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}

	if err := change(tx); err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, undo)
		}

		return err
	}

	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}

	return nil
}

// encode returns the event as it is stored: whole, or without Raw if it is too
// large with it.
func encode(event signals.Event) ([]byte, error) {
	raw, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("%w: encode event %s: %w", courier.ErrRefused, event.ID, err)
	}

	if len(raw) > maxEvent && event.Raw != nil {
		event.Raw = nil

		return encode(event)
	}

	if len(raw) > maxEvent {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, event.ID, len(raw))
	}

	return raw, nil
}

func decode(raw []byte) (signals.Event, error) {
	var event signals.Event
	if err := json.Unmarshal(raw, &event); err != nil {
		return signals.Event{}, fmt.Errorf("decode stored event: %w", err)
	}

	return event, nil
}

// receivedAt is what derived ids are compared by.
func (in *Inbox) receivedAt(event *signals.Event) time.Time {
	if event.ReceivedAt.IsZero() {
		return in.config.Now()
	}

	return event.ReceivedAt
}
