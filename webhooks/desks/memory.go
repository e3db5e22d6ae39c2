package desks

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// memory keeps the last answer to each question. Of those who ask meanwhile one
// asks and all have its answer.
type memory[T any] struct {
	now func() time.Time
	// limit bounds the questions that are remembered.
	limit  int
	flight singleflight.Group

	mu    sync.Mutex
	known map[string]answered[T]
	// turn ascends with every change: what was asked before one is old.
	turn int
}

type answered[T any] struct {
	value T
	at    time.Time
	turn  int
}

func newMemory[T any](now func() time.Time, limit int) *memory[T] {
	return &memory[T]{now: now, limit: limit, known: make(map[string]answered[T])}
}

// get returns an answer that is at most [fresh] old, or asks. The question goes
// on without the caller that began it, as others may wait for it, too.
func (m *memory[T]) get(ctx context.Context, question string, ask func(context.Context) (T, error)) (T, error) {
	// An answer is as old as its question.
	at := m.now()

	value, turn, ok := m.recent(question, at)
	if ok {
		return value, nil
	}

	asking := context.WithoutCancel(ctx)
	result := m.flight.DoChan(strconv.Itoa(turn)+" "+question, func() (any, error) {
		// Somebody's answer may have come between the look and this.
		if value, _, ok := m.recent(question, m.now()); ok {
			return value, nil
		}

		value, err := ask(asking)
		if err != nil {
			return nil, err
		}

		m.keep(question, turn, answered[T]{value: value, at: at})

		return value, nil
	})

	var none T

	select {
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", ErrSilent, ctx.Err())
	case got := <-result:
		if got.Err != nil {
			return none, got.Err
		}

		value, ok := got.Val.(T)
		if !ok {
			return none, fmt.Errorf("%w: nothing came back", ErrSilent)
		}

		return value, nil
	}
}

// recent returns an answer that still holds, and the turn in which it is asked for.
func (m *memory[T]) recent(question string, now time.Time) (T, int, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	known, ok := m.known[question]
	age := now.Sub(known.at)

	return known.value, m.turn, ok && known.turn == m.turn && age >= 0 && age < fresh
}

func (m *memory[T]) last(question string) (T, time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	known, ok := m.known[question]

	return known.value, known.at, ok
}

// keep remembers an answer, and forgets the oldest for it where there are many.
func (m *memory[T]) keep(question string, turn int, answer answered[T]) {
	m.mu.Lock()
	defer m.mu.Unlock()

	known, there := m.known[question]
	if there && known.turn > turn {
		return
	}

	if !there && len(m.known) >= m.limit {
		m.drop()
	}

	answer.turn = turn
	m.known[question] = answer
}

// drop forgets the oldest answer. The caller holds mu.
func (m *memory[T]) drop() {
	oldest, first := "", true

	for other, known := range m.known {
		if first || known.at.Before(m.known[oldest].at) {
			oldest, first = other, false
		}
	}

	delete(m.known, oldest)
}

// expire makes the next one ask again, as after a command; the last answers stay
// for [memory.last].
func (m *memory[T]) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.turn++
}
