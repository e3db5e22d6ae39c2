package tickets

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrBadCursor says that a cursor is none that a list gave.
var ErrBadCursor = errors.New("bad cursor")

// Bounds of one page.
const (
	defaultLimit = 50
	maxLimit     = 500
)

// mark is the place of a row in a list, newest first.
type mark[K any] struct {
	At int64 `json:"at"`
	ID K     `json:"id"`
}

// cursor is the mark as callers hand it back: opaque, and fit for a URL.
func (m mark[K]) cursor() string {
	raw, err := json.Marshal(m)
	if err != nil {
		// Two plain values always marshal.
		return ""
	}

	return base64.RawURLEncoding.EncodeToString(raw)
}

// after keeps what comes after the cursor; K is the type of the id.
func after[K any](c *conditions, cursor, time, id string) error {
	if cursor == "" {
		return nil
	}

	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadCursor, err)
	}

	var place struct {
		At *int64 `json:"at"`
		ID *K     `json:"id"`
	}
	if err := json.Unmarshal(raw, &place); err != nil {
		return fmt.Errorf("%w: %w", ErrBadCursor, err)
	}

	if place.At == nil || place.ID == nil {
		return ErrBadCursor
	}

	c.add("("+time+", "+id+") < (?, ?)", *place.At, *place.ID)

	return nil
}

// bounded is a page's size: the default for none, the most for more.
func bounded(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}

	return min(limit, maxLimit)
}
