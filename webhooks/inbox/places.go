package inbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// placeAfter is how long lists of rows are gathered in memory: the longer,
	// the fewer pages they dirty.
	placeAfter = 5 * time.Second
	// maxUnplaced rows are not waited for.
	maxUnplaced = 20_000
	// placeBatch is how many lists one transaction writes, so that nobody waits
	// long for the writer.
	placeBatch = 256
)

// places are where the rows of a conversation are, as far as no list on disk
// says so. The inbox's mu guards it.
type places struct {
	// fresh are the seqs that came lately, moving those that are being
	// written, upTo what is complete then.
	fresh, moving map[signals.Key][]int64
	upTo          int64
	// rest are the keys of moving that are still to be written, in order.
	rest  []signals.Key
	count int
	soon  bool
}

// add remembers a row that was written. The caller holds the inbox's mu.
func (p *places) add(key signals.Key, seq int64) {
	p.fresh[key] = append(p.fresh[key], seq)
	p.count++
}

// of returns the rows of a conversation that are in memory, in order.
func (p *places) of(key signals.Key) []int64 { return slices.Concat(p.moving[key], p.fresh[key]) }

// placeSoon sees to it that the lists are written. The caller holds mu.
func (in *Inbox) placeSoon(after time.Duration) {
	if in.places.soon {
		return
	}

	in.places.soon = true

	time.AfterFunc(after, func() { in.submit(job{place: true}) })
}

// takePlaces gets the next lists to write, nil if there are none.
func (p *pen) takePlaces() []signals.Key {
	p.mu.Lock()
	defer p.mu.Unlock()

	all := &p.places
	all.soon = false

	if len(all.rest) == 0 && len(all.fresh) > 0 {
		all.moving, all.fresh, all.count = all.fresh, make(map[signals.Key][]int64), 0
		all.upTo = p.window.head
		all.rest = slices.SortedFunc(maps.Keys(all.moving), func(a, b signals.Key) int {
			return strings.Compare(a.Source+"\x00"+a.Conversation, b.Source+"\x00"+b.Conversation)
		})
	}

	return all.rest[:min(len(all.rest), placeBatch)]
}

// place writes some lists, and asks to be called again if there are more.
func (p *pen) place(ctx context.Context) {
	keys := p.takePlaces()
	if len(keys) == 0 {
		return
	}

	err := p.writePlaces(ctx, keys)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrDisk, err)
	}

	p.wrote(err)

	p.mu.Lock()
	defer p.mu.Unlock()

	all := &p.places

	if err != nil {
		p.placeSoon(flushAgain)

		return
	}

	all.rest = all.rest[len(keys):]

	if len(all.rest) > 0 {
		p.placeSoon(0)

		return
	}

	all.moving = nil

	if len(all.fresh) > 0 {
		p.placeSoon(placeAfter)
	}
}

func (p *pen) writePlaces(ctx context.Context, keys []signals.Key) error {
	if len(keys) == 0 {
		return nil
	}

	if err := p.open(ctx); err != nil {
		return err
	}

	if err := p.to.begin(ctx); err != nil {
		p.release()

		return err
	}

	err := p.listPlaces(ctx, keys)
	if err == nil {
		err = p.to.commit(ctx)
	}

	if err != nil {
		p.to.rollback(ctx)
		p.release()
	}

	return err
}

func (p *pen) listPlaces(ctx context.Context, keys []signals.Key) error {
	// Only the writer changes what is moving.
	for _, key := range keys {
		if err := p.to.place(ctx, key, p.places.moving[key]); err != nil {
			return err
		}
	}

	if len(keys) < len(p.places.rest) {
		return nil
	}

	return p.to.placed(ctx, p.places.upTo)
}

// seqs returns the rows of a conversation above one, in ascending order.
func (in *Inbox) seqs(ctx context.Context, key signals.Key, after int64) ([]int64, error) {
	// Memory first: what moves to disk meanwhile is seen twice, not never.
	in.mu.Lock()
	beyond := in.places.of(key)
	in.mu.Unlock()

	listed, err := in.store.seqs(ctx, key, after)
	if err != nil {
		return nil, fmt.Errorf("find events of %s: %w", key, err)
	}

	return ascending(append(listed, beyond...), after), nil
}
