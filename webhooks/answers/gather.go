package answers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// maxBatch bounds the asks of one update, and maxBatchBytes what they take in
	// the desk's history, about; maxAskBytes is how much of it one ask may be.
	maxBatch      = 200
	maxBatchBytes = 256 << 10
	maxAskBytes   = 64 << 10
	// maxWaiting bounds the asks that wait for one desk.
	maxWaiting = 2000
	// maxUpdate bounds one update, whoever waits for it.
	maxUpdate = 3 * time.Second
)

var (
	errCrowded = errors.New("too many wait for the desk")
	errTooLong = errors.New("the platform names too many agents")
	errShort   = errors.New("the desk did not answer for all")
)

// gatherer asks each desk for agents with one update at a time: what comes while
// one is under way goes with the next.
type gatherer struct {
	config *Config

	mu    sync.Mutex
	lines map[string]*line
}

// line is what waits for one desk.
type line struct {
	waiting []*asker
	busy    bool
}

// asker is a webhook that waits for its agent.
type asker struct {
	ask    signals.ChoiceAsk
	size   int
	wait   context.Context //nolint:containedctx // it says whether somebody waits, and how long
	answer chan outcome
}

type outcome struct {
	agent string
	err   error
}

func newGatherer(config *Config) *gatherer {
	return &gatherer{config: config, lines: make(map[string]*line)}
}

// choose waits for the desk's choice, "" for nobody.
func (g *gatherer) choose(ctx context.Context, desk string, ask signals.ChoiceAsk) (string, error) {
	waiter := &asker{ask: ask, size: sizeOf(&ask), wait: ctx, answer: make(chan outcome, 1)}
	if waiter.size > maxAskBytes {
		return "", errTooLong
	}

	if !g.enter(desk, waiter) { //nolint:contextcheck // one update is for all who wait
		return "", errCrowded
	}

	select {
	case got := <-waiter.answer:
		return got.agent, got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// sizeOf is about what an ask takes as JSON.
func sizeOf(ask *signals.ChoiceAsk) int {
	const fixed = 100

	size := fixed + len(ask.Key.Source) + len(ask.Key.Conversation)

	for _, id := range ask.Named {
		size += len(id) + len(`"",`)
	}

	for i := range ask.Candidates {
		candidate := &ask.Candidates[i]
		size += fixed + len(candidate.AgentID)

		for _, skill := range candidate.Skills {
			size += len(skill)
		}
	}

	return size
}

// enter puts an asker in line, and sees to it that somebody asks the desk.
func (g *gatherer) enter(desk string, waiter *asker) bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	at := g.lines[desk]
	if at == nil {
		at = &line{}
		g.lines[desk] = at
	}

	if len(at.waiting) >= maxWaiting {
		return false
	}

	at.waiting = append(at.waiting, waiter)

	if !at.busy {
		at.busy = true

		go g.drive(desk, at)
	}

	return true
}

// drive asks the desk until nobody waits.
func (g *gatherer) drive(desk string, at *line) {
	for {
		batch := g.take(at)
		if len(batch) == 0 {
			return
		}

		g.ask(desk, batch)
	}
}

// take returns those that go with the next update; with none of them left, the
// line rests. Who has given up is left out.
func (g *gatherer) take(at *line) []*asker {
	g.mu.Lock()
	defer g.mu.Unlock()

	var (
		batch       []*asker
		size, taken int
	)

	for _, waiter := range at.waiting {
		if inTime(waiter.wait) {
			if len(batch) == maxBatch || len(batch) > 0 && size+waiter.size > maxBatchBytes {
				break
			}

			batch = append(batch, waiter)
			size += waiter.size
		}

		taken++
	}

	clear(at.waiting[:taken])

	at.waiting = at.waiting[taken:]
	if len(at.waiting) == 0 {
		at.waiting = nil
	}

	at.busy = len(batch) > 0

	return batch
}

// ask sends one update, as long as anybody waits for it.
func (g *gatherer) ask(desk string, batch []*asker) {
	until := time.Now()
	choices := signals.Choices{Choices: make([]signals.ChoiceAsk, 0, len(batch))}

	for _, waiter := range batch {
		choices.Choices = append(choices.Choices, waiter.ask)

		deadline, ok := waiter.wait.Deadline()
		if !ok {
			deadline = time.Now().Add(maxUpdate)
		}

		if deadline.After(until) {
			until = deadline
		}
	}

	ctx, cancel := context.WithDeadline(g.config.Work, until)
	defer cancel()

	ctx, stop := context.WithTimeout(ctx, maxUpdate)
	defer stop()

	chosen, err := g.config.Desks.Choose(ctx, desk, choices)
	if err == nil && len(chosen.Agents) != len(batch) {
		err = fmt.Errorf("%w: %d of %d", errShort, len(chosen.Agents), len(batch))
	}

	for i, waiter := range batch {
		if err != nil {
			waiter.answer <- outcome{err: err}

			continue
		}

		waiter.answer <- outcome{agent: chosen.Agents[i]}
	}
}
