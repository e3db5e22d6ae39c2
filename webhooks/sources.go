package webhooks

import (
	"context"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
)

// listedSource is a source as the API shows it.
type listedSource struct {
	Name    string `json:"name"`
	Dialect string `json:"dialect"`
	// URL is where the platform sends its webhooks, under the name that the
	// caller used.
	URL string `json:"url"`
	// Signed says that the source has secrets; without, it is answered over
	// loopback only.
	Signed bool   `json:"signed"`
	Title  string `json:"title"`
	Policy string `json:"policy"`
	Desk   string `json:"desk"`

	SourceCounts //nolint:embeddedstructfieldcheck // the name reads best in front of the counts
}

type sourceList struct {
	Sources []listedSource `json:"sources"`
	Next    string         `json:"next"`
}

// listSources shows every source; there are few enough for one page.
func (s *Server) listSources(c *fiber.Ctx) error {
	if _, err := onlyParams(c); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	list := sourceList{Sources: make([]listedSource, 0, len(s.names))}

	base := "http://"
	if c.Protocol() == "https" { // a proxy in front said so
		base = "https://"
	}

	base += string(c.Request().Header.Host())

	for _, name := range s.names {
		source := s.sources[name]

		counts, err := s.deps.Ledger.SourceCounts(ctx, name)
		if err != nil {
			return fmt.Errorf("count source %s: %w", name, err)
		}

		list.Sources = append(list.Sources, listedSource{
			Name: name, Dialect: source.Dialect.Name(), URL: base + "/webhooks/" + name, Signed: len(source.Secrets) > 0,
			Title: source.Title, Policy: source.Policy, Desk: source.Desk, SourceCounts: counts,
		})
	}

	return c.JSON(list)
}

type eventList struct {
	Events []signals.Event `json:"events"`
	Next   string          `json:"next"`
}

// listAccountEvents shows what a source sent that belongs to no conversation.
// What the platform wrote word for word is for the scope raw.
func (s *Server) listAccountEvents(c *fiber.Ctx) error {
	source, err := s.sourceOf(c)
	if err != nil {
		return err
	}

	_, page, err := listParams(c)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	events, next, err := s.deps.Accounts.AccountEvents(ctx, source.Name, page.limit, page.cursor)
	if err != nil {
		return listProblem("read account events of "+source.Name, err)
	}

	list := eventList{Events: make([]signals.Event, 0, len(events)), Next: next}
	mayReadRaw := readsRaw(c)

	for i := range events {
		event := events[i]
		if !mayReadRaw {
			event.Raw = nil
		}

		list.Events = append(list.Events, event)
	}

	return c.JSON(list)
}
