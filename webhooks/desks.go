package webhooks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks/desks"
)

// listedDesk is an element of the list: without queue and agents.
type listedDesk struct {
	signals.DeskView

	Queue  *struct{} `json:"queue,omitempty"`
	Agents *struct{} `json:"agents,omitempty"`
	// Staff counts the agents, Accepting those of them who take conversations.
	Staff     int `json:"staff"`
	Accepting int `json:"accepting"`
	// Partial says that the desk did not answer in time: only its name is known.
	Partial bool `json:"partial,omitempty"`
}

type deskList struct {
	Desks []listedDesk `json:"desks"`
	Next  string       `json:"next"`
}

// listDesks shows the configured desks in alphabetical order. One that does not
// answer is shown in part, unless none does.
func (s *Server) listDesks(c *fiber.Ctx) error {
	_, page, err := listParams(c)
	if err != nil {
		return err
	}

	after, err := decodeDeskCursor(page.cursor)
	if err != nil {
		return err
	}

	names := s.deps.Desks.Names()
	start, found := slices.BinarySearch(names, after)

	if found {
		start++
	}

	names = names[start:]
	list := deskList{}

	if len(names) > page.limit {
		names = names[:page.limit]
		if list.Next, err = encodeDeskCursor(names[page.limit-1]); err != nil {
			return err
		}
	}

	ctx, cancel := context.WithTimeout(s.work, askPatience)
	defer cancel()

	if list.Desks, err = s.askDesks(ctx, names); err != nil {
		return err
	}

	return c.JSON(list)
}

func (s *Server) askDesks(ctx context.Context, names []string) ([]listedDesk, error) {
	out := make([]listedDesk, len(names))
	failed := make([]error, len(names))

	var work errgroup.Group

	work.SetLimit(askParallel)

	for i, name := range names {
		work.Go(func() error {
			var view signals.DeskView

			view, failed[i] = s.deps.Desks.View(ctx, name)
			out[i] = listDesk(name, &view, failed[i] != nil)

			return nil
		})
	}

	if err := work.Wait(); err != nil {
		return nil, fmt.Errorf("ask desks: %w", err)
	}

	silent := 0

	for i, err := range failed {
		if err == nil {
			continue
		}

		if problem := s.deskProblem(ctx, names[i], err); !errors.Is(err, desks.ErrSilent) {
			return nil, problem
		}

		silent++
	}

	if silent == len(names) && silent > 0 {
		return nil, unavailable("the desks do not answer for now")
	}

	return out, nil
}

func listDesk(name string, view *signals.DeskView, partial bool) listedDesk {
	out := listedDesk{DeskView: *view, Partial: partial}
	out.Desk = name

	for i := range view.Agents {
		if view.Agents[i].Removed {
			continue
		}

		out.Staff++

		if view.Agents[i].Status == signals.AgentAccepting {
			out.Accepting++
		}
	}

	return out
}

// deskCursor is where the list goes on: behind a desk.
type deskCursor struct {
	After string `json:"a"`
}

func encodeDeskCursor(after string) (string, error) {
	raw, err := json.Marshal(deskCursor{After: after})
	if err != nil {
		return "", err //nolint:wrapcheck // a string always marshals
	}

	return base64.RawURLEncoding.EncodeToString(raw), nil
}

func decodeDeskCursor(text string) (string, error) {
	if text == "" {
		return "", nil
	}

	var at deskCursor

	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &at) != nil || !signals.ValidName(at.After) {
		return "", invalid("cursor", "is none that this list gave out")
	}

	return at.After, nil
}

// getDesk shows a desk's queue, agents, loads and waits.
func (s *Server) getDesk(c *fiber.Ctx) error {
	desk, err := s.deskOf(c)
	if err != nil {
		return err
	}

	if _, err := onlyParams(c); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	view, err := s.deps.Desks.View(ctx, desk)
	if err != nil {
		return s.deskProblem(ctx, desk, err)
	}

	return c.JSON(view)
}

// getAvailability tells whether somebody who came now would find an agent.
func (s *Server) getAvailability(c *fiber.Ctx) error {
	desk, err := s.deskOf(c)
	if err != nil {
		return err
	}

	query, err := onlyParams(c, "skill")
	if err != nil {
		return err
	}

	skill := query.Get("skill")
	if !queryable(skill) {
		return invalid("skill", "holds control characters")
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	answer, err := s.deps.Desks.Availability(ctx, desk, skill)
	if err != nil {
		return s.deskProblem(ctx, desk, err)
	}

	return c.JSON(answer)
}

// deskOf returns the configured desk that the path names.
func (s *Server) deskOf(c *fiber.Ctx) (string, error) {
	name, err := pathParam(c, "desk")
	if err != nil {
		return "", err
	}

	if !s.deps.Desks.Known(name) {
		return "", notFound("no desk has this name")
	}

	return name, nil
}

// deskProblem tells why a desk did not do as it was asked.
func (s *Server) deskProblem(ctx context.Context, desk string, err error) error {
	refusal, no := errors.AsType[*desks.RefusedError](err)

	switch {
	case no:
		return refused(refusal.Reason)
	case errors.Is(err, desks.ErrUnknown):
		return notFound("no desk has this name")
	case errors.Is(err, desks.ErrSilent):
		s.log.WarnContext(ctx, "a desk did not answer", slog.String("desk", desk), slog.Any("error", err))

		return unavailable("the desk does not answer for now")
	default:
		return err
	}
}
