package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrPinned says that another secret is pinned for the source already.
var ErrPinned = errors.New("another secret is pinned")

// PinSecret keeps the secret with which a platform introduced itself. The first
// stays: whoever comes with another is refused with [ErrPinned].
func (in *Inbox) PinSecret(ctx context.Context, source, secret string) error {
	return in.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO pinned_secrets (source, secret, pinned_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			source, secret, in.config.Now().UnixMicro())
		if err != nil {
			return fmt.Errorf("pin the secret of %s: %w", source, err)
		}

		var kept string
		if err := tx.QueryRowContext(ctx, `SELECT secret FROM pinned_secrets WHERE source = ?`, source).Scan(&kept); err != nil {
			return fmt.Errorf("pin the secret of %s: %w", source, err)
		}

		if kept != secret {
			return fmt.Errorf("source %s: %w", source, ErrPinned)
		}

		return nil
	}, nil)
}

// PinnedSecret returns the pinned secret of a source, empty for none.
func (in *Inbox) PinnedSecret(ctx context.Context, source string) (string, error) {
	var secret string

	err := in.db.QueryRowContext(ctx, `SELECT secret FROM pinned_secrets WHERE source = ?`, source).Scan(&secret)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}

	if err != nil {
		return "", fmt.Errorf("read the pinned secret of %s: %w", source, err)
	}

	return secret, nil
}
