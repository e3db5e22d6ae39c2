package answers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/answers"
)

const support = "support"

var errAway = errors.New("away")

// world is a desk called support, and one conversation.
type world struct {
	*answers.Finder

	mu sync.Mutex

	// away makes every question to Temporal fail at once, hangs makes it wait for
	// ever.
	away, hangs bool

	skills map[string]signals.Availability
	last   map[string]signals.Availability
	view   *signals.DeskView
	// positions are answered one after the other, the last one for ever.
	positions []signals.DeskPosition
	asked     int

	said signals.Statement
	// before is what the conversation says first, once each.
	before  []signals.Statement
	gone    bool
	closed  int
	settled int

	// slots are whom a choice finds; took is how long an update takes.
	slots   map[string]int
	took    time.Duration
	batches []int
	flying  int
	short   bool
	// named are whom the desk was told of with each choice; kept are slots that it
	// holds for conversations.
	named [][]string
	// again is whom the desk gives whoever was named before.
	again string
	kept  map[signals.Key]string

	log bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()

	w := &world{
		skills: map[string]signals.Availability{}, last: map[string]signals.Availability{},
		slots: map[string]int{}, kept: map[signals.Key]string{},
	}
	w.Finder = answers.New(answers.Config{Desks: w, Conversations: w, Work: t.Context(), Log: slog.New(slog.NewTextHandler(&w.log, nil))})

	return w
}

// reach is the way to Temporal.
func (w *world) reach(ctx context.Context) error {
	w.mu.Lock()
	away, hangs := w.away, w.hangs
	w.mu.Unlock()

	if hangs {
		<-ctx.Done()

		return ctx.Err()
	}

	if away {
		return errAway
	}

	return nil
}

func (w *world) Known(desk string) bool { return desk == support }

func (w *world) Availability(ctx context.Context, _, skill string) (signals.Availability, error) {
	return w.skills[skill], w.reach(ctx)
}

func (w *world) LastAvailability(_, skill string) (signals.Availability, time.Time, bool) {
	said, ok := w.last[skill]

	return said, time.Time{}, ok
}

func (w *world) View(ctx context.Context, _ string) (signals.DeskView, error) {
	if w.view == nil {
		return signals.DeskView{}, w.reach(ctx)
	}

	return *w.view, w.reach(ctx)
}

func (w *world) LastView(string) (signals.DeskView, time.Time, bool) {
	if w.view == nil {
		return signals.DeskView{}, time.Time{}, false
	}

	return *w.view, time.Time{}, true
}

func (w *world) Position(ctx context.Context, _ string, _ signals.Key) (signals.DeskPosition, error) {
	if err := w.reach(ctx); err != nil {
		return signals.DeskPosition{}, err
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	at := w.positions[min(w.asked, len(w.positions)-1)]
	w.asked++

	return at, nil
}

// Choose is a desk that gives away what slots it has.
func (w *world) Choose(ctx context.Context, _ string, choices signals.Choices) (signals.Chosen, error) {
	w.mu.Lock()
	w.batches = append(w.batches, len(choices.Choices))
	w.flying++
	crowded, took := w.flying > 1, w.took
	w.mu.Unlock()

	defer func() {
		w.mu.Lock()
		w.flying--
		w.mu.Unlock()
	}()

	if crowded {
		return signals.Chosen{}, errors.New("two updates at a time")
	}

	if err := w.reach(ctx); err != nil {
		return signals.Chosen{}, err
	}

	select {
	case <-time.After(took):
	case <-ctx.Done():
		return signals.Chosen{}, ctx.Err()
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	if w.short {
		return signals.Chosen{}, nil
	}

	out := signals.Chosen{}

	for _, choice := range choices.Choices {
		w.named = append(w.named, choice.Named)

		agent := w.kept[choice.Key]
		if agent != "" && !slices.Contains(choice.Named, agent) {
			out.Agents = append(out.Agents, agent)

			continue
		}

		agent = w.again

		for _, candidate := range choice.Candidates {
			if agent == "" && w.slots[candidate.AgentID] > 0 && !slices.Contains(choice.Named, candidate.AgentID) {
				agent = candidate.AgentID
				w.slots[agent]--

				break
			}
		}

		w.kept[choice.Key] = agent

		out.Agents = append(out.Agents, agent)
	}

	return out, nil
}

func (w *world) Settled(ctx context.Context, _ signals.Key) error {
	w.mu.Lock()
	w.settled++
	w.mu.Unlock()

	return w.reach(ctx)
}

func (w *world) Statement(ctx context.Context, _ signals.Key) (signals.Statement, error) {
	if w.gone {
		return signals.Statement{}, answers.ErrNotRunning
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	if len(w.before) > 0 {
		said := w.before[0]
		w.before = w.before[1:]

		return said, ctx.Err()
	}

	return w.said, ctx.Err()
}

func (w *world) Closed(ctx context.Context, _ signals.Key) (int, error) { return w.closed, ctx.Err() }

// ask asks as a webhook does, and returns how long it took.
func (w *world) ask(t *testing.T, q answers.Query) (dialect.Found, time.Duration) {
	t.Helper()

	begun := time.Now()

	ctx, cancel := context.WithTimeout(t.Context(), q.Ask.Within)
	defer cancel()

	return w.Find(ctx, &q), time.Since(begun)
}
