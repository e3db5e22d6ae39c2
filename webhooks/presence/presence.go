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
	// Look returns who names the desk of an agent of a source, "" for none, as of
	// now. Desks may be asked for it, as long as ctx lasts.
	Look func(ctx context.Context) func(source, agent string) string
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
	// pending is the newest word about each agent, driving whether somebody tells
	// them.
	pending map[subject]signals.AgentWord
	driving bool
	stopped bool
}

// subject is an agent as a source knows one.
type subject struct{ source, agent string }

// New returns a forwarder in front of acceptor. It begins with the first word;
// [Forwarder.Recall] looks for older ones.
func New(acceptor webhooks.Acceptor, config Config) *Forwarder {
	base, stop := context.WithCancel(context.Background())

	return &Forwarder{
		Acceptor: acceptor, config: config, first: firstPause, base: base, stop: stop,
		pending: make(map[subject]signals.AgentWord),
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

// hear keeps a word for its desk, unless a newer one waits.
func (f *Forwarder) hear(source string, word *signals.AgentWord) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.keep(subject{source, word.ID}, word)

	if !f.driving && !f.stopped {
		f.driving = true
		f.busy.Go(f.drive)
	}
}

// keep enters a word. The caller holds mu.
func (f *Forwarder) keep(of subject, word *signals.AgentWord) {
	known, there := f.pending[of]

	switch {
	case there && known.At.After(word.At):
	case !there && len(f.pending) >= maxPending:
		f.config.Log.Error("too many words about agents wait; a later start tells this one", slog.String("source", of.source))
	default:
		f.pending[of] = *word
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

	f.driving = len(f.pending) > 0 && !f.stopped

	return !f.driving
}

// tell makes one attempt at each desk.
func (f *Forwarder) tell() (told, failed bool) {
	f.mu.Lock()
	all := f.pending
	f.pending = make(map[subject]signals.AgentWord)
	f.mu.Unlock()

	desks := f.sorted(all)

	for _, desk := range slices.Sorted(maps.Keys(desks)) {
		words := make([]signals.AgentWord, 0, len(desks[desk]))
		for _, id := range slices.Sorted(maps.Keys(desks[desk])) {
			words = append(words, all[desks[desk][id]])
		}

		switch err := f.words(desk, words); {
		case err == nil:
			told = true
		case errors.Is(err, courier.ErrRefused):
			f.config.Log.Error("a desk cannot be told about agents", slog.String("desk", desk), slog.Any("error", err))
		default:
			failed = true

			f.again(desk, desks[desk], all, err)
		}
	}

	return told, failed
}

// sorted returns for each desk the agents whom it is to hear of, and which word:
// of two sources' the newest. Where an agent stands is looked up only now, since a
// webhook does not wait for it.
func (f *Forwarder) sorted(all map[subject]signals.AgentWord) map[string]map[string]subject {
	ctx, cancel := context.WithTimeout(f.base, tellTime)
	defer cancel()

	desks := make(map[string]map[string]subject)
	deskOf := f.config.Look(ctx)

	for of, word := range all {
		desk := deskOf(of.source, of.agent)
		if desk == "" {
			continue
		}

		if desks[desk] == nil {
			desks[desk] = make(map[string]subject)
		}

		if other, there := desks[desk][of.agent]; !there || all[other].At.Before(word.At) {
			desks[desk][of.agent] = of
		}
	}

	return desks
}

// again keeps words that could not be told for the next attempt.
func (f *Forwarder) again(desk string, agents map[string]subject, all map[subject]signals.AgentWord, err error) {
	if f.base.Err() == nil {
		f.config.Log.Warn("a desk could not be told about agents; it is tried again", slog.String("desk", desk), slog.Any("error", err))
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	for _, of := range agents {
		word := all[of]
		f.keep(of, &word)
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
