// Package answers finds out what the answer to a webhook depends on beside what
// became of its events: what a desk says, and where the conversation stands.
//
// A platform waits for it, so everything is bounded, and nothing is an error:
// what is not known in time is left out, or is what was known last.
package answers

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/sparing"
)

// ErrNotRunning says that a conversation has no open run.
var ErrNotRunning = errors.New("no open run")

const (
	// together bounds how many positions are looked for at a time; who comes next
	// waits for a place, as long as the platform waits.
	together = 32
	// reserve is kept of a platform's patience for what this machine knows.
	reserve = 200 * time.Millisecond
	// least is how long somebody must still wait for a question to be worth asking.
	least = 20 * time.Millisecond
)

// Desks are who is asked. Their errors mean that there is no answer for now.
type Desks interface {
	// Known reports whether a desk of this name is configured.
	Known(desk string) bool
	// Availability and View are at most a second old; LastAvailability and LastView
	// are what a desk said last.
	Availability(ctx context.Context, desk, skill string) (signals.Availability, error)
	LastAvailability(desk, skill string) (signals.Availability, time.Time, bool)
	View(ctx context.Context, desk string) (signals.DeskView, error)
	LastView(desk string) (signals.DeskView, time.Time, bool)
	// Position is as it is now.
	Position(ctx context.Context, desk string, key signals.Key) (signals.DeskPosition, error)
	// Choose reserves an agent for each of the choices, in their order.
	Choose(ctx context.Context, desk string, choices signals.Choices) (signals.Chosen, error)
}

// Conversations are those that are asked about.
type Conversations interface {
	// Settled returns once what was accepted for a conversation has reached its
	// run; an error, at once where that is known, if it has not.
	Settled(ctx context.Context, key signals.Key) error
	// Statement asks the open run; [ErrNotRunning] if there is none.
	Statement(ctx context.Context, key signals.Key) (signals.Statement, error)
	// Closed returns the number of the newest closed session, 0 for none.
	Closed(ctx context.Context, key signals.Key) (int, error)
}

// Config is what a [Finder] works with; every field is needed.
type Config struct {
	Desks         Desks
	Conversations Conversations
	// Work is the context of what goes on for several webhooks at once.
	Work context.Context //nolint:containedctx // the life of the edge, not of a call
	Log  *slog.Logger
}

// Finder finds answers. It may be used by many goroutines.
type Finder struct {
	config   Config
	gatherer *gatherer
	places   chan struct{}
	told     *told[session]
	hops     *told[hops]
	quiet    sparing.Gate
}

// New returns a finder.
func New(config Config) *Finder {
	return &Finder{
		config: config, gatherer: newGatherer(&config), places: make(chan struct{}, together), told: newTold[session](), hops: newTold[hops](),
	}
}

// Query is one webhook's question.
type Query struct {
	Ask dialect.Ask
	Key signals.Key
	// Desk is the source's, empty for none. Routed says that it gives conversations
	// to agents; where the platform does, it may know none of them.
	Desk   string
	Routed bool
	// Event is the id of the webhook's event, and Fresh says that it is news, not a
	// repetition.
	Event string
	Fresh bool
	// Again has the events accepted as news after all: salt tells them from those
	// that they repeat, and is the same for their own repetition. It may be nil.
	Again func(salt string) bool
}

// Find finds out what it can until ctx ends.
func (f *Finder) Find(ctx context.Context, q *Query) dialect.Found {
	switch q.Ask.Question {
	case dialect.AskAvailability:
		return dialect.Found{Availability: f.availability(ctx, q)}
	case dialect.AskPosition:
		return f.position(ctx, q)
	case dialect.AskAgent:
		return dialect.Found{Agent: f.choose(ctx, q)}
	default:
		return dialect.Found{}
	}
}

// availability is nil where no desk can tell.
func (f *Finder) availability(ctx context.Context, q *Query) *signals.Availability {
	desks := f.config.Desks
	if !desks.Known(q.Desk) {
		return nil
	}

	said, err := desks.Availability(ctx, q.Desk, q.Ask.Skill)
	if err != nil {
		f.silent(ctx, q, err)

		last, _, known := desks.LastAvailability(q.Desk, q.Ask.Skill)
		if !known {
			return nil
		}

		said = last
	}

	if !q.Routed && (said.Available == nil || !*said.Available) && f.knowsNobody(ctx, q.Desk) {
		return nil
	}

	return &said
}

// knowsNobody reports whether a desk never heard of any agent.
func (f *Finder) knowsNobody(ctx context.Context, desk string) bool {
	view, err := f.config.Desks.View(ctx, desk)
	if err != nil {
		last, _, known := f.config.Desks.LastView(desk)
		if !known {
			return false
		}

		view = last
	}

	return len(view.Agents) == 0
}

// inTime reports whether an answer could still be in time.
func inTime(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()

	return ctx.Err() == nil && (!bounded || time.Until(deadline) >= least)
}

func (f *Finder) silent(ctx context.Context, q *Query, err error) {
	about, ok := f.quiet.Pass(time.Now(), slog.String("question", string(q.Ask.Question)), slog.String("source", q.Key.Source),
		slog.String("conversation", q.Key.Conversation), slog.String("desk", q.Desk), slog.Any("error", err))
	if ok {
		f.config.Log.LogAttrs(ctx, slog.LevelWarn, "answered without the desk", about...)
	}
}
