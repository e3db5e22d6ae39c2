package main

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/parleyhq/parley/activities/desk"
	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/webhooks/desks"
	"github.com/parleyhq/parley/webhooks/presence"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	// deskTry bounds one attempt to start a desk, deskPause is between two.
	deskTry   = 10 * time.Second
	deskPause = 2 * time.Second
	// deskWatch is how often desks are measured.
	deskWatch = 15 * time.Second
	// deskFirstLook is when the measuring begins: by then desks have been started.
	deskFirstLook = 5 * time.Second
)

// seating are the activities of desks.
func (s *system) seating(requests *outbound.Client) *desk.Activities {
	return &desk.Activities{Courier: s.courier, Workflow: s.temporal, Webhook: requests, Assign: s.assignOf, Log: s.log}
}

// newBoard shows the configured desks over HTTP.
func (s *system) newBoard() *desks.Board {
	return desks.New(desks.Config{Temporal: s.temporal, Names: s.file.desks.Names(), Log: s.log})
}

func (s *system) assignOf(name string) policy.DeskAssign {
	known, _ := s.file.desks.Desk(name)

	return known.Assign
}

// newPresence tells desks what platforms say of their agents.
func (s *system) newPresence() *presence.Forwarder {
	sources := make([]string, 0, len(s.sources))
	for i := range s.sources {
		sources = append(sources, s.sources[i].Name)
	}

	return presence.New(s.inbox, presence.Config{
		Accounts: ledger{s.inbox}, Courier: s.courier, Sources: sources, Log: s.log,
		Look: s.homes,
	})
}

// homes finds the desk of a source's agent: the one that has the agent, who may have
// been put there; of somebody whom none knows the one that the configuration
// says, else the source's.
func (s *system) homes(ctx context.Context) func(source, agent string) string {
	staff := s.board.Look(ctx, s.board.Names()...)

	return func(source, agent string) string {
		usual, known := s.file.desks.Home(agent)
		if !known {
			from, _ := s.book.Source(source)
			usual = from.Desk
		}

		return cmp.Or(staff.Home(agent, usual), usual)
	}
}

// openDesks starts every desk, so that one that was terminated asks who counts on
// it before anybody comes, and makes those that run read the configuration, which
// may be another than at the last start. Then they are told of their agents.
// They are measured meanwhile. It goes on in the background: a desk that cannot be
// reached keeps nobody waiting.
func (s *system) openDesks(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))

	var busy sync.WaitGroup

	// Also where one cannot be reached.
	busy.Go(func() {
		select {
		case <-time.After(deskFirstLook):
			s.board.Watch(ctx, s.metrics.Plain, deskWatch)
		case <-ctx.Done():
		}
	})

	busy.Go(func() {
		waiting := s.file.desks.Names()
		for len(waiting) > 0 && ctx.Err() == nil {
			waiting = slices.DeleteFunc(waiting, func(name string) bool { return s.openDesk(ctx, name) })

			if len(waiting) == 0 {
				break
			}

			select {
			case <-time.After(deskPause):
			case <-ctx.Done():
			}
		}

		if err := s.presence.Recall(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "what was said of agents before this start is not known to all desks", slog.Any("error", err))
		}
	})

	s.later("desks", func(context.Context) error {
		cancel()
		busy.Wait()

		return nil
	})

	return nil
}

// openDesk reports whether a desk runs and has read the configuration.
func (s *system) openDesk(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, deskTry)
	defer cancel()

	if err := s.board.Reload(ctx, name); err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "a desk could not be started; it is tried again", slog.String("desk", name), slog.Any("error", err))
		}

		return false
	}

	return true
}
