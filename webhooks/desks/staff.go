package desks

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
)

// Staff is who stands on some desks. It does not change.
type Staff struct {
	desks []string
	views []signals.DeskView
	// Complete says that of each of them it is known, be it from before, and
	// Answered that one at least answered.
	Complete, Answered bool
}

// Look returns who stands on these desks as of at most a second ago. One that does
// not answer counts as it was last.
func (b *Board) Look(ctx context.Context, desks ...string) Staff {
	staff := Staff{desks: desks, views: make([]signals.DeskView, len(desks))}
	answered, known := make([]bool, len(desks)), make([]bool, len(desks))

	var work errgroup.Group

	work.SetLimit(parallel)

	for i, desk := range desks {
		work.Go(func() error {
			view, err := b.View(ctx, desk)
			answered[i], known[i] = err == nil, err == nil

			if err != nil {
				view, _, known[i] = b.LastView(desk)
			}

			staff.views[i] = view

			return nil
		})
	}

	if err := work.Wait(); err != nil {
		return Staff{}
	}

	staff.Complete, staff.Answered = !slices.Contains(known, false), slices.Contains(answered, true)

	return staff
}

// Others are the configured desks but this one.
func (b *Board) Others(desk string) []string {
	return slices.DeleteFunc(b.Names(), func(other string) bool { return other == desk })
}

// Home names a desk that has the agent, "" for none: the usual one if it does, else
// the first.
func (s *Staff) Home(agent, usual string) string {
	home := ""

	for i, desk := range s.desks {
		switch {
		case !has(&s.views[i], agent):
		case desk == usual:
			return desk
		case home == "":
			home = desk
		}
	}

	return home
}

func has(view *signals.DeskView, agent string) bool {
	return slices.ContainsFunc(view.Agents, func(a signals.DeskAgent) bool { return a.ID == agent && !a.Removed })
}
