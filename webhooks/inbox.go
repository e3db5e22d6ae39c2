package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// inboxState is how the inbox is doing.
type inboxState struct {
	// Depth counts the events that wait, parked ones included; Bytes is their
	// size on disk.
	Depth  int64 `json:"depth"`
	Bytes  int64 `json:"bytes"`
	Parked int64 `json:"parked"`
	Dead   int64 `json:"dead"`
	// OldestAgeSeconds is how long the oldest event that is not parked has waited.
	OldestAgeSeconds int64 `json:"oldest_age_seconds"`
	// The rates are means of the last minute.
	AcceptedPerSecond  float64 `json:"accepted_per_second"`
	ForwardedPerSecond float64 `json:"forwarded_per_second"`
	// Behind says that Temporal does not answer; LastError is why.
	Behind    bool   `json:"behind"`
	LastError string `json:"last_error"`
	// The batches are in events.
	CommitBatch batchSizes    `json:"commit_batch"`
	SignalBatch batchSizes    `json:"signal_batch"`
	Sources     []sourceDepth `json:"sources"`
}

type batchSizes struct {
	P50 int `json:"p50"`
	P95 int `json:"p95"`
	Max int `json:"max"`
}

type sourceDepth struct {
	Source string `json:"source"`
	Depth  int64  `json:"depth"`
	Bytes  int64  `json:"bytes"`
	// Share is how much of its part of the inbox the source uses, from 0 to 1.
	Share float64 `json:"share"`
}

func (s *Server) getInbox(c *fiber.Ctx) error {
	if _, err := onlyParams(c); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	report, err := s.deps.Archive.Report(ctx)
	if err != nil {
		return fmt.Errorf("report on the inbox: %w", err)
	}

	shown := inboxState{
		Depth: report.Depth, Bytes: report.Bytes, Parked: report.Parked, Dead: report.Dead,
		OldestAgeSeconds:  int64(report.OldestAge / time.Second),
		AcceptedPerSecond: report.AcceptedPerSecond, ForwardedPerSecond: report.ForwardedPerSecond,
		Behind: report.Behind, LastError: signals.Cut(report.LastError, maxReason),
		CommitBatch: batchSizes(report.Commit), SignalBatch: batchSizes(report.Signal),
		Sources: make([]sourceDepth, 0, len(report.Sources)),
	}

	for _, source := range report.Sources {
		shown.Sources = append(shown.Sources, sourceDepth(source))
	}

	return c.JSON(shown)
}

// deadLetter is an event that Temporal refuses for good.
type deadLetter struct {
	ID           int64         `json:"id"`
	Source       string        `json:"source"`
	Conversation string        `json:"conversation"`
	EventID      string        `json:"event_id"`
	Type         signals.Type  `json:"type"`
	Reason       string        `json:"reason"`
	At           time.Time     `json:"at"`
	DiedAt       time.Time     `json:"died_at"`
	Event        signals.Event `json:"event"`
}

type deadList struct {
	DeadLetters []deadLetter `json:"dead_letters"`
	Next        string       `json:"next"`
}

func (s *Server) listDead(c *fiber.Ctx) error {
	_, page, err := listParams(c)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	letters, next, err := s.deps.Archive.Dead(ctx, page.limit, page.cursor)
	if err != nil {
		return listProblem("list dead letters", fromInbox(err))
	}

	list := deadList{DeadLetters: make([]deadLetter, 0, len(letters)), Next: next}

	for i := range letters {
		letter := &letters[i]
		list.DeadLetters = append(list.DeadLetters, deadLetter{
			ID: letter.ID, Source: letter.Key.Source, Conversation: letter.Key.Conversation, EventID: letter.EventID,
			Type: letter.Type, Reason: letter.Reason, At: letter.At, DiedAt: letter.DiedAt,
			// It is whole in the archive, for keys that may read it.
			Event: letter.Event.Bounded(),
		})
	}

	return c.JSON(list)
}

// retried says under which number a dead letter goes out again.
type retried struct {
	Seq int64 `json:"seq"`
}

func (s *Server) retryDead(c *fiber.Ctx) error {
	text, err := pathParam(c, "id")
	if err != nil {
		return err
	}

	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return notFound("no such dead letter")
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	seq, err := s.deps.Archive.Retry(ctx, id)

	switch {
	case errors.Is(err, inbox.ErrNotFound):
		return notFound("no such dead letter")
	case err != nil:
		s.log.ErrorContext(ctx, "dead letter not sent again", slog.Int64("id", id), slog.Any("error", err))

		return unavailable("not sent again for now, try once more")
	}

	return c.Status(http.StatusOK).JSON(retried{Seq: seq})
}

const (
	// archiveChunk is how many events are read at a time, and archiveBytes ends
	// a page early: an event may have 1 MiB.
	archiveChunk = 25
	archiveBytes = 4 << 20
)

// archivedEvent is an event and where it stands.
type archivedEvent struct {
	signals.Event

	State inbox.State `json:"state"`
}

type archiveList struct {
	Events []archivedEvent `json:"events"`
	Next   string          `json:"next"`
}

// listEvents pages everything that was accepted for a conversation. What the
// platform wrote word for word is for the scope raw.
func (s *Server) listEvents(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}

	if _, err := s.sourceOf(c); err != nil {
		return err
	}

	_, page, err := listParams(c)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, patience)
	defer cancel()

	list := archiveList{Events: []archivedEvent{}, Next: page.cursor}
	raw, size := readsRaw(c), 0

	for len(list.Events) < page.limit && size < archiveBytes {
		query := inbox.ArchiveQuery{Limit: min(page.limit-len(list.Events), archiveChunk), Cursor: list.Next, Raw: raw}

		events, next, err := s.deps.Archive.Archive(ctx, key, query)
		if err != nil {
			return listProblem("read the archive of "+key.String(), fromInbox(err))
		}

		for i := range events {
			list.Events = append(list.Events, shownEvent(&events[i], raw))
			size += sizeOf(&events[i].Event)
		}

		if list.Next = next; next == "" {
			break
		}
	}

	return c.JSON(list)
}

func shownEvent(archived *inbox.ArchivedEvent, raw bool) archivedEvent {
	out := archivedEvent{Event: archived.Event, State: archived.State}
	out.Seq, out.Session = archived.Seq, archived.Session

	if !raw {
		out.Raw = nil
	}

	return out
}

// sizeOf is about how much an event takes in an answer, in bytes: what may be
// large of it.
func sizeOf(event *signals.Event) int {
	const rest = 1 << 10

	size := rest + len(event.Raw)
	if event.Message != nil {
		size += len(event.Message.Text) + len(event.Message.Rich) + len(event.Message.Custom)
	}

	return size
}

// fromInbox gives a bad cursor of the inbox the edge's own word.
func fromInbox(err error) error {
	if errors.Is(err, inbox.ErrBadCursor) {
		return fmt.Errorf("%w: %w", ErrBadCursor, err)
	}

	return err
}
