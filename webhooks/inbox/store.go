package inbox

import (
	"context"
	"database/sql"

	"github.com/parleyhq/parley/signals"
)

// The states of a row as they stand on disk; a forwarded one has none.
const (
	statePending = "pending"
	stateParked  = "parked"
	stateLate    = string(Late)
	stateOrphan  = string(Orphan)
	stateDead    = "dead"
	// stateForwarded takes a row's state away.
	stateForwarded = ""
)

// row is an event as it is stored.
type row struct {
	seq      int64
	key      signals.Key
	id       string
	received int64
	// event is JSON without raw.
	event, raw []byte
}

// mark is a change of where a row stands.
type mark struct {
	seq     int64
	key     signals.Key
	state   string
	session int
	reason  string
	since   int64
}

// waiting is a row that a start finds pending or parked.
type waiting struct {
	mark

	received    int64
	size, total int32
}

// ends is what a start finds beside the rows.
type ends struct {
	settled, head int64
	starts        []start
	// dead counts the dead letters.
	dead int64
	// unplaced are the rows that may be in no list.
	unplaced map[signals.Key][]int64
}

// start says which id the inbox had from which seq on.
type start struct {
	first int64
	inbox string
}

// store keeps rows and states.
type store interface {
	// load calls use for every row that is pending or parked, in any order.
	load(ctx context.Context, use func(waiting)) (ends, error)
	// begin records a start from which on seqs are of a new inbox.
	begin(ctx context.Context, from start) error
	// seqs returns the rows of a conversation above one, as far as there are
	// lists, in ascending order.
	seqs(ctx context.Context, key signals.Key, after int64) ([]int64, error)
	// events returns the events of rows as JSON.
	events(ctx context.Context, seqs []int64) (map[int64][]byte, error)
	// writer returns the only writer, with a connection of its own.
	writer(ctx context.Context) (writer, error)
}

// writer writes in transactions, one after the other.
type writer interface { //nolint:interfacebloat // one transaction is made of all of these
	begin(ctx context.Context) error
	commit(ctx context.Context) error
	// rollback leaves the writer ready for the next begin.
	rollback(ctx context.Context)

	// ids calls use for every event id of a conversation; beyond what the
	// store has a list of, it has the rows given.
	ids(ctx context.Context, key signals.Key, beyond []int64, use func(id string, received int64)) error
	insert(ctx context.Context, row *row) error
	// logAccount adds an event to a source's account log unless its id was
	// received there between two times, and reports whether it did.
	logAccount(ctx context.Context, row *row, now, from, to int64) (bool, error)
	mark(ctx context.Context, change *mark) error
	settle(ctx context.Context, upTo int64) error
	// place writes a list of a conversation's rows, in ascending order.
	place(ctx context.Context, key signals.Key, seqs []int64) error
	// placed says that all rows up to one are in a list.
	placed(ctx context.Context, upTo int64) error

	// change runs something else in a transaction of its own.
	change(ctx context.Context, change func(tx *sql.Tx) error) error
	close() error
}
