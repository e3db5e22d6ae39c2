package staff

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/trace"
)

// Check compares a conversation that is over with what was done: every event
// came once, and it was with the agent who took it, and with nobody else.
func (p *Plan) Check(number int, view *signals.View, agent string) error {
	said := view.Messages.Visitor + view.Messages.Agent

	if view.Accepted != Events || view.Applied+view.Late+view.Ignored != Events || view.Pending != 0 || said != Messages {
		return fmt.Errorf("%s: %w: accepted %d, applied %d, late %d, ignored %d, pending %d, messages %d, of %d events",
			p.Key(number), drive.ErrLost, view.Accepted, view.Applied, view.Late, view.Ignored, view.Pending, said, Events)
	}

	if agent == "" || view.Agent != agent {
		return fmt.Errorf("%s: %w: %q took it, and it ended with %q", p.Key(number), ErrTwice, agent, view.Agent)
	}

	for i := range view.Invitations {
		if one := &view.Invitations[i]; one.AgentID != agent {
			return fmt.Errorf("%s: %w: %s took it, and %s was invited, too (%s)", p.Key(number), ErrTwice, agent, one.AgentID, one.Outcome)
		}
	}

	return nil
}

// CheckDesk looks for slots that were given twice in a desk's own histories, and
// for conversations that it never offered to anybody.
func (p *Plan) CheckDesk(desk int, read *trace.Desk) error {
	if len(read.Twice) > 0 {
		return fmt.Errorf("%s: %w: %s", p.Desk(desk), ErrTwice, strings.Join(read.Twice[:min(len(read.Twice), 3)], "; ")) //nolint:mnd // a few
	}

	for agent, most := range read.Most {
		if most > p.Slots {
			return fmt.Errorf("%s: %w: %s had %d conversations at a time", p.Desk(desk), ErrTwice, agent, most)
		}
	}

	offered := make(map[signals.Key]bool, p.Conversations)
	for i := range read.Offers {
		offered[read.Offers[i].Key] = true
	}

	if len(offered) != p.Conversations {
		return fmt.Errorf("%s: %w: %d of %d were ever offered", p.Desk(desk), drive.ErrLost, len(offered), p.Conversations)
	}

	return nil
}

var errNotEmpty = errors.New("is not empty when all are over")

// Empty is an error if a desk has anything left.
func Empty(view *signals.DeskView) error {
	load := 0
	for i := range view.Agents {
		load += view.Agents[i].Load
	}

	if view.Waiting+view.Offered+view.Active+load == 0 {
		return nil
	}

	return fmt.Errorf("%s %w: %d wait, %d are offered, %d active, %d slots are taken",
		view.Desk, errNotEmpty, view.Waiting, view.Offered, view.Active, load)
}

// BeyondOf is [Beyond] of one of the plan's desks.
func (p *Plan) BeyondOf(desk int, chats []Chat) []time.Duration {
	var escalated, accepted, ended []time.Time

	for number := range chats {
		if p.DeskOf(number) == desk {
			one := &chats[number]
			escalated, accepted, ended = append(escalated, one.Escalated), append(accepted, one.Accepted), append(ended, one.Ended)
		}
	}

	return Beyond(escalated, accepted, ended, p.Room())
}

// Reactions are from when a conversation was told of its invitation until the
// agent saw it: what of an acceptance is this program's own.
func (p *Plan) Reactions(chats []Chat, offers []trace.Offer) []time.Duration {
	told := make(map[signals.Key]time.Time, len(offers))

	for i := range offers {
		if !offers[i].Told.IsZero() {
			told[offers[i].Key] = offers[i].Told
		}
	}

	out := make([]time.Duration, 0, len(told))

	for number := range chats {
		// The dispatch of many is through when the last of them is told.
		if at, ok := told[p.Key(number)]; ok {
			out = append(out, max(chats[number].Found.Sub(at), 0))
		}
	}

	return out
}
