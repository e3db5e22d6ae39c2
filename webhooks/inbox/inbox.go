package inbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
)

// Errors of the inbox. Most are the courier's too, so that whoever asks for the
// kind need know only those.
var (
	// ErrFull says that a source has as much waiting as it may. It is a
	// [courier.ErrBusy].
	ErrFull = fmt.Errorf("inbox is full: %w", courier.ErrBusy)
	// ErrTooLarge says that one event has more than 1 MiB even without its raw
	// form. It is a [courier.ErrRefused].
	ErrTooLarge = fmt.Errorf("event is too large: %w", courier.ErrRefused)
	// ErrDisk says that a write failed: a full disk, most often. It is a
	// [courier.ErrUnavailable].
	ErrDisk error = diskError{}
	// ErrClosed says that the inbox takes in nothing more. It is a
	// [courier.ErrUnavailable].
	ErrClosed = fmt.Errorf("inbox is closed: %w", courier.ErrUnavailable)
	// ErrBehind says that Temporal is away, so that waiting for it is in vain.
	// It is a [courier.ErrUnavailable].
	ErrBehind = fmt.Errorf("inbox is behind: %w", courier.ErrUnavailable)
	// ErrNotFound says that there is no such dead letter.
	ErrNotFound = errors.New("no such dead letter")
	// ErrBadCursor says that a cursor did not come from here.
	ErrBadCursor = errors.New("bad cursor")
)

// diskError is an unavailability that says nothing of Temporal, which is not to
// blame.
type diskError struct{}

func (diskError) Error() string { return "inbox cannot write" }

func (diskError) Is(target error) bool { return target == courier.ErrUnavailable }

// Inbox is the store. Make one with [New]; its methods may be called at the
// same time.
type Inbox struct {
	db      *sql.DB
	store   store
	config  Config
	log     *slog.Logger
	metrics *metrics
	faults  faults

	// base outlives every call: what the writer has taken up it finishes.
	base context.Context //nolint:containedctx // as above

	jobs   jobs
	closed atomic.Bool
	// known is the writer's alone.
	known *known
	disk  disk

	mu sync.Mutex
	// starts are in ascending order.
	starts []start
	// window and marks are what the writer writes beside the rows.
	window window
	marks  []mark
	// taken is how far the writer has taken the window's number.
	taken     int64
	settledAt time.Time
	// writing while marks are on their way to disk.
	writing bool
	flushAt bool
	places  places
	lanes   map[signals.Key]*lane
	// parked are those lanes that have parked events.
	parked map[*lane]struct{}
	shares map[string]*share
	// memory is how many bytes of events the lanes hold.
	memory  int64
	dead    int64
	meters  meters
	sources map[string]*tallied

	forwarder forwarder
}

// share is what one source has waiting, parked events included.
type share struct{ events, bytes int64 }

// New makes the inbox on db, creating or upgrading its tables, and finds what
// waits. The database stays the caller's to close, after [Inbox.Stop] and the
// end of [Inbox.Run].
func New(ctx context.Context, db *sql.DB, config Config, log *slog.Logger) (*Inbox, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}

	if err := migrate(ctx, db); err != nil {
		return nil, err
	}

	config = config.withDefaults()
	in := &Inbox{
		db: db, store: sqlite{db}, config: config, log: log, base: context.WithoutCancel(ctx),
		metrics: newMetrics(config.Scope), faults: newFaults(),
		jobs: newJobs(), known: newKnown(), lanes: make(map[signals.Key]*lane), parked: make(map[*lane]struct{}),
		shares: make(map[string]*share), meters: newMeters(config.Now()), sources: make(map[string]*tallied),
	}
	in.forwarder.init(&in.mu)

	if err := in.load(ctx); err != nil {
		return nil, err
	}

	if err := in.loadTallies(ctx); err != nil {
		return nil, err
	}

	return in, nil
}

// load fills the lanes with what waits, and begins a new id: a backup that is
// put back numbers other events with the same seqs.
func (in *Inbox) load(ctx context.Context) error {
	var rows []waiting

	found, err := in.store.load(ctx, func(row waiting) { rows = append(rows, row) })
	if err != nil {
		return fmt.Errorf("load inbox: %w", err)
	}

	slices.SortFunc(rows, func(a, b waiting) int { return int(a.seq - b.seq) })

	in.mu.Lock()
	defer in.mu.Unlock()

	in.window = newWindow(found.settled)
	in.window.hand(found.head)
	in.places.fresh = found.unplaced
	in.dead, in.taken, in.disk.settled = found.dead, found.settled, found.settled

	settled := found.settled

	for i := range rows {
		in.restore(&rows[i])

		if rows[i].state == stateForwarded {
			// Between two of these everything has a state, or never came to be.
			for seq := settled + 1; seq < rows[i].seq; seq++ {
				in.window.done(seq)
			}

			settled = rows[i].seq
		}
	}

	for seq := settled + 1; seq <= found.head; seq++ {
		in.window.done(seq)
	}

	from := start{first: found.head + 1, inbox: in.newID(found.starts)}
	if err := in.store.begin(ctx, from); err != nil {
		return fmt.Errorf("load inbox: %w", err)
	}

	in.starts = append(slices.DeleteFunc(found.starts, func(s start) bool { return s.first >= from.first }), from)

	return nil
}

// restore puts a row back into its lane.
func (in *Inbox) restore(row *waiting) {
	way := in.lane(row.key)
	it := item{
		seq: row.seq, at: row.received, size: row.size, total: row.total,
		stored: row.state != stateForwarded, session: row.session, since: row.since,
	}

	if row.state == stateParked {
		in.park(way, it)
		way.tell = true
	} else {
		way.pending = append(way.pending, it)
	}

	in.hold(row.key.Source, &it)
}

const (
	// idDigits are hexadecimal, of the time: enough until 2106.
	idDigits = 8
	// idRandom is in bytes.
	idRandom = 2
)

// newID returns an id that sorts behind all that were before, whatever the
// clock says.
func (in *Inbox) newID(before []start) string {
	at := in.config.Now().Unix()

	for _, each := range before {
		if len(each.inbox) < idDigits {
			continue
		}

		if was, err := strconv.ParseInt(each.inbox[:idDigits], 16, 64); err == nil {
			at = max(at, was+1)
		}
	}

	random := make([]byte, idRandom)
	_, _ = rand.Read(random) // it never fails

	return fmt.Sprintf("%0*x", idDigits, at) + hex.EncodeToString(random)
}

// inboxOf returns the id under which a seq was handed out. The caller holds mu.
func (in *Inbox) inboxOf(seq int64) string {
	for _, from := range slices.Backward(in.starts) {
		if from.first <= seq {
			return from.inbox
		}
	}

	return ""
}

// share returns what a source has waiting. The caller holds mu.
func (in *Inbox) share(source string) *share {
	held, ok := in.shares[source]
	if !ok {
		held = &share{}
		in.shares[source] = held
	}

	return held
}

// hold counts an event that waits. The caller holds mu.
func (in *Inbox) hold(source string, it *item) {
	held := in.share(source)
	held.events++
	held.bytes += int64(it.total)
}

type scanner func(dest ...any) error

// each calls use for every row of a query.
func (in *Inbox) each(ctx context.Context, query string, use func(scanner) error, args ...any) error {
	return eachOf(ctx, in.db, query, use, args...)
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func eachOf(ctx context.Context, from querier, query string, use func(scanner) error, args ...any) error {
	return eachRow(func() (*sql.Rows, error) { return from.QueryContext(ctx, query, args...) }, use)
}

func eachRow(query func() (*sql.Rows, error), use func(scanner) error) (err error) {
	rows, err := query()
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

const (
	sweepEvery = 15 * time.Second
	flushEvery = 5 * time.Second
	pruneEvery = time.Hour
	probeEvery = 3 * time.Second
)

// Run does the upkeep until ctx ends: it sweeps, prunes, writes the counts per
// source and probes a disk that failed. It writes the counts once more then.
func (in *Inbox) Run(ctx context.Context) error {
	sweep, flush := time.NewTicker(sweepEvery), time.NewTicker(flushEvery)
	prune, probe := time.NewTicker(pruneEvery), time.NewTicker(probeEvery)

	defer sweep.Stop()
	defer flush.Stop()
	defer prune.Stop()
	defer probe.Stop()

	for {
		var err error

		select {
		case <-ctx.Done():
			return in.flushLast(ctx)
		case <-sweep.C:
			in.Sweep(in.config.Now())
		case <-flush.C:
			in.gauge()
			err = in.Flush(ctx)
		case <-prune.C:
			_, err = in.Prune(ctx, in.config.Now().Add(-in.config.Retention))
		case <-probe.C:
			in.probe(ctx)
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
