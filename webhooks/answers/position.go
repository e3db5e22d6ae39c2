package answers

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

const (
	// firstPause and maxPause are between two questions to a desk that has not
	// heard what the conversation said last.
	firstPause = 20 * time.Millisecond
	maxPause   = 160 * time.Millisecond
	// comparableSkill is up to how many bytes of a skill conversations keep.
	comparableSkill = 64
)

// position tells where the conversation stands once it has taken in the webhook,
// and its desk what it said about it.
func (f *Finder) position(ctx context.Context, q *Query) dialect.Found {
	asking, cancel := before(ctx, reserve)
	defer cancel()

	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	case <-asking.Done():
	}

	if !inTime(asking) {
		return f.unknown(ctx, q, false)
	}

	said, err := f.statement(asking, q)
	if err != nil {
		f.silent(ctx, q, err)

		return f.unknown(ctx, q, errors.Is(err, ErrNotRunning))
	}

	found := dialect.Found{Session: said.Session, ReopenedAt: said.ReopenedAt, Agent: said.Agent}
	f.told.put(q.Key, session{number: found.Session, reopenedAt: found.ReopenedAt})

	switch {
	case found.Agent != "":
	case said.Waits() && f.config.Desks.Known(said.Desk):
		f.inLine(asking, q, &said, &found)
	default:
		if now := f.availability(asking, q); now != nil {
			found.WaitSeconds = now.WaitSeconds
		}
	}

	if found.WaitSeconds == nil && found.Agent == "" {
		found.WaitSeconds = f.lastWait(cmp.Or(said.Desk, q.Desk), q.Ask.Skill)
	}

	return found
}

// before returns a context that ends a little earlier than ctx does.
func before(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}

	return context.WithDeadline(ctx, deadline.Add(-by))
}

// statement asks the conversation. What only seemed a repetition is accepted
// first: the same words mean something else once the conversation was closed, or
// waits for other agents.
func (f *Finder) statement(ctx context.Context, q *Query) (signals.Statement, error) {
	said, err := f.settled(ctx, q.Key)
	if q.Fresh || q.Again == nil {
		return said, err
	}

	salt := ""

	switch {
	case errors.Is(err, ErrNotRunning):
		if closed, err := f.config.Conversations.Closed(ctx, q.Key); err == nil && closed > 0 {
			salt = "after session " + strconv.Itoa(closed)
		}
	case err != nil:
		return said, err
	case !said.ClosedAt.IsZero():
		salt = "after " + strconv.FormatInt(said.ClosedAt.UnixNano(), 10)
	case said.Waits() && otherSkill(said.Skill, q.Ask.Skill):
		salt = "other than " + strconv.FormatInt(said.Number, 10)
	}

	if salt == "" || !q.Again(salt) {
		return said, err
	}

	return f.settled(ctx, q.Key)
}

// settled asks the conversation once it has everything. A session that is closed
// for good is over in a moment, and the next one may follow it.
func (f *Finder) settled(ctx context.Context, key signals.Key) (signals.Statement, error) {
	if err := f.config.Conversations.Settled(ctx, key); err != nil {
		return signals.Statement{}, err
	}

	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		said, err := f.config.Conversations.Statement(ctx, key)
		if err != nil || said.Status != signals.StatusClosed {
			return said, err
		}

		select {
		case <-ctx.Done():
			return said, nil
		case <-time.After(pause):
		}
	}
}

// otherSkill reports whether a conversation waits for another skill than is asked
// for; asking for none keeps it. Of long ones it keeps the beginning only.
func otherSkill(stated, asked string) bool {
	return asked != "" && stated != asked && (len(asked) <= comparableSkill || stated == "" || !strings.HasPrefix(asked, stated))
}

// inLine asks the desk where the conversation stands, until it has heard what
// that said last; else it tells what it knew before.
func (f *Finder) inLine(ctx context.Context, q *Query, said *signals.Statement, found *dialect.Found) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		at, err := f.config.Desks.Position(ctx, said.Desk, q.Key)
		if err != nil {
			f.silent(ctx, q, err)

			return
		}

		heard := at.Session > said.Session || at.Session == said.Session && at.Number >= said.Number
		if heard || at.Session == said.Session {
			stand(&at, found)
		}

		if heard {
			return
		}

		select {
		case <-ctx.Done():
			f.silent(ctx, q, ctx.Err())

			return
		case <-time.After(pause):
		}
	}
}

// stand enters what a desk says of a conversation. Whom an agent is asked to take
// is the next to be had.
func stand(at *signals.DeskPosition, found *dialect.Found) {
	found.Agent, found.Position, found.WaitSeconds = "", at.Position, at.WaitSeconds

	switch at.Status {
	case signals.DeskActive:
		found.Agent = at.Agent
	case signals.DeskOffered, signals.DeskReserved:
		at.WaitSeconds = new(int64)
		found.Position, found.WaitSeconds = 1, at.WaitSeconds
	}
}

// unknown answers for a conversation that does not tell where it stands. What was
// not acknowledged to be over goes on in the session after the newest closed one.
func (f *Finder) unknown(ctx context.Context, q *Query, over bool) dialect.Found {
	found := dialect.Found{WaitSeconds: f.lastWait(q.Desk, q.Ask.Skill)}

	closed, err := f.config.Conversations.Closed(ctx, q.Key)
	if err != nil {
		f.silent(ctx, q, err)
	}

	found.Session = closed
	if !over && (q.Fresh || closed == 0) {
		found.Session++
	}

	if was, ok := f.told.get(q.Key); ok && was.number >= found.Session {
		found.Session, found.ReopenedAt = was.number, was.reopenedAt
	}

	return found
}

// lastWait is the newest wait that a desk told, for the skill if it did.
func (f *Finder) lastWait(desk, skill string) *int64 {
	if said, _, ok := f.config.Desks.LastAvailability(desk, skill); ok && said.WaitSeconds != nil {
		return said.WaitSeconds
	}

	if view, _, ok := f.config.Desks.LastView(desk); ok {
		return view.WaitSeconds
	}

	return nil
}
