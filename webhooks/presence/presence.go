// Package presence tells desks what platforms say of their agents.
//
// It stands between the edge and the inbox. What says how an agent is goes to the
// agent's desk as soon as it is on disk; the account log keeps it, and a start
// tells desks the newest word about each agent again. A desk believes no word
// that is older than what it knows, so that repeating one does no harm.
package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
)

const (
	// firstPause and maxPause are between two attempts to reach a desk.
	firstPause = time.Second
	maxPause   = 15 * time.Second
	// tellTime bounds one attempt.
	tellTime = 10 * time.Second
	// maxPending bounds the agents about whom a word waits; each has one.
	maxPending = 10_000
	// maxRecalled bounds the account events of a source that a start reads.
	maxRecalled = 10_000
	recallPage  = 500
	// maxName is in bytes; desks cut names further.
	maxName = 255
)

// Courier brings words to a desk and returns once they are in its history.
type Courier interface {
	Words(ctx context.Context, desk string, words []signals.AgentWord) error
}

// Config is what a [Forwarder] works with; every field is needed.
type Config struct {
	// Accounts is the log that a start reads again.
	Accounts webhooks.AccountLog
	Courier  Courier
	// Desk names the desk of an agent of a source, "" for none.
	Desk func(source, agent string) string
	// Sources are those whose log is read.
	Sources []string
	Log     *slog.Logger
}

// Forwarder is an inbox that hands on what it says of agents.
type Forwarder struct {
	webhooks.Acceptor

	config Config
	first  time.Duration

	// base ends with [Forwarder.Stop].
	base context.Context //nolint:containedctx // the life of the forwarder, not of a call
	stop context.CancelFunc
	busy sync.WaitGroup

	mu sync.Mutex
	// pending is the newest word about each agent by desk, driving whether
	// somebody tells them.
	pending map[string]map[string]signals.AgentWord
	waiting int
	driving bool
	stopped bool
}

// New returns a forwarder in front of acceptor. It begins with the first word;
// [Forwarder.Recall] looks for older ones.
func New(acceptor webhooks.Acceptor, config Config) *Forwarder {
	base, stop := context.WithCancel(context.Background())

	return &Forwarder{
		Acceptor: acceptor, config: config, first: firstPause, base: base, stop: stop,
		pending: make(map[string]map[string]signals.AgentWord),
	}
}

// Accept is that of the inbox; what is accepted of agents is told to desks
// afterwards, and nobody waits for it.
func (f *Forwarder) Accept(ctx context.Context, source string, events []signals.Event) (inbox.Receipt, error) {
	receipt, err := f.Acceptor.Accept(ctx, source, events)
	if err != nil {
		return receipt, err
	}

	for i := range events {
		if word, ok := wordOf(&events[i]); ok {
			f.hear(source, &word)
		}
	}

	return receipt, nil
}

// Recall tells desks the newest word about each agent that the account logs have:
// a process that was killed may not have told it.
func (f *Forwarder) Recall(ctx context.Context) error {
	for _, source := range f.config.Sources {
		if err := f.recall(ctx, source); err != nil {
			return fmt.Errorf("read what %s said of its agents: %w", source, err)
		}
	}

	return nil
}

func (f *Forwarder) recall(ctx context.Context, source string) error {
	heard := make(map[string]bool)
	cursor := ""

	for read := 0; read < maxRecalled; {
		events, next, err := f.config.Accounts.AccountEvents(ctx, source, recallPage, cursor)
		if err != nil {
			return err
		}

		// The newest come first.
		for i := range events {
			if word, ok := wordOf(&events[i]); ok && !heard[word.ID] {
				heard[word.ID] = true
				f.hear(source, &word)
			}
		}

		read += len(events)

		if cursor = next; cursor == "" {
			break
		}
	}

	return nil
}

// Stop ends the telling; what has not been told is told at the next start.
func (f *Forwarder) Stop(context.Context) error {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()

	f.stop()
	f.busy.Wait()

	return nil
}

// hear keeps a word for its desk, unless a newer one waits there.
func (f *Forwarder) hear(source string, word *signals.AgentWord) {
	desk := f.config.Desk(source, word.ID)
	if desk == "" {
		return
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	f.keep(desk, word)

	if !f.driving && !f.stopped {
		f.driving = true
		f.busy.Go(f.drive)
	}
}

// keep enters a word. The caller holds mu.
func (f *Forwarder) keep(desk string, word *signals.AgentWord) {
	if f.pending[desk] == nil {
		f.pending[desk] = make(map[string]signals.AgentWord)
	}

	known, there := f.pending[desk][word.ID]

	switch {
	case there && known.At.After(word.At):
	case !there && f.waiting >= maxPending:
		f.config.Log.Error("too many words about agents wait; a later start tells this one", slog.String("desk", desk))
	default:
		if !there {
			f.waiting++
		}

		f.pending[desk][word.ID] = *word
	}
}

// drive tells desks until nothing waits.
func (f *Forwarder) drive() {
	pause := f.first

	for {
		told, failed := f.tell()

		switch {
		case failed:
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-f.base.Done():
				timer.Stop()
			}

			pause = min(2*pause, maxPause)
		case told:
			pause = f.first
		}

		if f.rests() {
			return
		}
	}
}

// rests reports that there is nothing to do, or no more.
func (f *Forwarder) rests() bool {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.driving = f.waiting > 0 && !f.stopped

	return !f.driving
}

// tell makes one attempt at each desk.
func (f *Forwarder) tell() (told, failed bool) {
	f.mu.Lock()
	all := f.pending
	f.pending, f.waiting = make(map[string]map[string]signals.AgentWord), 0
	f.mu.Unlock()

	for _, desk := range slices.Sorted(maps.Keys(all)) {
		words := make([]signals.AgentWord, 0, len(all[desk]))
		for _, id := range slices.Sorted(maps.Keys(all[desk])) {
			words = append(words, all[desk][id])
		}

		switch err := f.words(desk, words); {
		case err == nil:
			told = true
		case errors.Is(err, courier.ErrRefused):
			f.config.Log.Error("a desk cannot be told about agents", slog.String("desk", desk), slog.Any("error", err))
		default:
			failed = true

			f.again(desk, words, err)
		}
	}

	return told, failed
}

// again keeps words that could not be told for the next attempt.
func (f *Forwarder) again(desk string, words []signals.AgentWord, err error) {
	if f.base.Err() == nil {
		f.config.Log.Warn("a desk could not be told about agents; it is tried again", slog.String("desk", desk), slog.Any("error", err))
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	for i := range words {
		f.keep(desk, &words[i])
	}
}

func (f *Forwarder) words(desk string, words []signals.AgentWord) error {
	ctx, cancel := context.WithTimeout(f.base, tellTime)
	defer cancel()

	return f.config.Courier.Words(ctx, desk, words)
}

// gone are the platforms' words for an agent who takes nothing any more.
func gone(action string) bool { return action == "deleted" || action == "suspended" }

// wordOf is what an account event says of an agent's presence.
func wordOf(event *signals.Event) (signals.AgentWord, bool) {
	at := event.At
	if at.IsZero() {
		at = event.ReceivedAt
	}

	switch {
	case event.Conversation != "":
		return signals.AgentWord{}, false
	case event.Type == signals.AgentStatusChanged && event.Agent != nil && event.Agent.ID != "" && event.Agent.Status != "":
		return signals.AgentWord{ID: event.Agent.ID, Name: signals.Cut(event.Agent.Name, maxName), Status: event.Agent.Status, At: at}, true
	case event.Type == signals.AccountChanged && event.Account != nil && event.Account.Object == "agent" &&
		event.Account.ID != "" && gone(event.Account.Action):
		return signals.AgentWord{ID: event.Account.ID, Status: signals.AgentOffline, At: at}, true
	default:
		return signals.AgentWord{}, false
	}
}
