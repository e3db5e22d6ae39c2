package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// probeSize is in bytes: more than fits into what a full database has left.
const probeSize = 64 << 10

// disk knows whether writes succeed.
type disk struct {
	// settled is the number that stands in inbox_ends. It is the writer's.
	settled int64

	mu     sync.Mutex
	failed error
}

// Health returns why the last write failed, nil if it did not. While it did,
// [Inbox.Run] tries every few seconds. The error is an [ErrDisk].
func (in *Inbox) Health() error {
	in.disk.mu.Lock()
	defer in.disk.mu.Unlock()

	return in.disk.failed
}

// wrote notes how a write ended, and logs when that changes.
func (in *Inbox) wrote(err error) {
	in.disk.mu.Lock()
	was := in.disk.failed
	in.disk.failed = err
	in.disk.mu.Unlock()

	switch {
	case err != nil && was == nil:
		in.log.Error("inbox cannot write; webhooks are refused with 503 until it can", "error", err)
	case err == nil && was != nil:
		in.log.Info("inbox can write again")
	}

	if err != nil {
		in.metrics.failed()
	}
}

// probe finds out whether a disk that failed takes anything again.
func (in *Inbox) probe(ctx context.Context) {
	if in.Health() == nil {
		return
	}

	// What it says is kept by the writer.
	_ = in.change(ctx, func(tx *sql.Tx) error {
		for _, query := range [...]string{
			fmt.Sprintf(`INSERT INTO inbox_probes (body) VALUES (zeroblob(%d))`, probeSize),
			`DELETE FROM inbox_probes`,
		} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return fmt.Errorf("probe the disk: %w", err)
			}
		}

		return nil
	}, nil)
}
