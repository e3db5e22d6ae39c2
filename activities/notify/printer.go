package notify

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

// maxQuote bounds a visitor's text in a line, in bytes.
const maxQuote = 200

// maxWord bounds a name or an id in a line, in bytes.
const maxWord = 80

// Printer writes a line per notice.
type Printer struct {
	mu  sync.Mutex
	out io.Writer
	log *slog.Logger
}

// NewPrinter returns a printer to out, the terminal, and to log; either may
// be nil.
func NewPrinter(out io.Writer, log *slog.Logger) *Printer {
	return &Printer{out: out, log: log}
}

// Print writes one notice.
func (p *Printer) Print(ctx context.Context, order *signals.Order) error {
	if p.log != nil {
		p.log.LogAttrs(ctx, slog.LevelInfo, "Notice", attrs(order)...)
	}

	if p.out == nil {
		return nil
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if _, err := io.WriteString(p.out, Line(order)+"\n"); err != nil {
		return outbound.Temporary("the notice could not be printed")
	}

	return nil
}

// Line is a notice in one line that is safe for a terminal.
func Line(order *signals.Order) string {
	event := order.Event
	where := Clean(event.Source+"/"+event.Conversation, maxWord*2)

	switch {
	case event.Unreplied != nil:
		return fmt.Sprintf("unreplied push %d/%d  %s  %s waits %s: %s", event.Unreplied.PushTimes, event.Unreplied.Max, where,
			visitor(order), time.Duration(event.Unreplied.Seconds)*time.Second, quote(event.Unreplied.Text))
	case event.Form != nil:
		return fmt.Sprintf("form %s  %s  %s: %s", Clean(event.Form.Kind, maxWord), where, visitor(order), quote(event.Form.Rendered()))
	case event.Ticket != nil:
		return fmt.Sprintf("%s  %s  %s%s", event.Type, where, Clean(event.Ticket.ID, maxWord), reason(event.Ticket.Reason))
	case event.Message != nil:
		return fmt.Sprintf("%s  %s  %s: %s", event.Type, where, visitor(order), quote(event.Message.Text))
	default:
		// The words of the timeline: to whom, from whom, by whom and why.
		return fmt.Sprintf("%s  %s  %s%s", Clean(string(event.Type), maxWord), where, visitor(order), reason(conversation.Describe(event)))
	}
}

func reason(text string) string {
	clean := Clean(text, maxQuote)
	if clean == "" {
		return ""
	}

	return ": " + clean
}

func visitor(order *signals.Order) string {
	if order.About != nil {
		for _, name := range []string{order.About.VisitorName, order.About.VisitorNickname} {
			if clean := Clean(name, maxWord); clean != "" {
				return clean
			}
		}
	}

	return "the visitor"
}

// attrs is the notice for the log, as fields; the log's handler quotes, and
// what it would not is cleaned before.
func attrs(order *signals.Order) []slog.Attr {
	event := order.Event
	list := []slog.Attr{
		slog.String("type", Clean(string(event.Type), maxWord)),
		slog.String("source", Clean(event.Source, maxWord)),
		slog.String("conversation", Clean(event.Conversation, maxWord*2)),
		slog.String("key", Clean(order.Key, maxQuote)),
	}

	if event.Unreplied != nil {
		list = append(list, slog.Int("push", event.Unreplied.PushTimes), slog.Int("max", event.Unreplied.Max),
			slog.Int64("waited_seconds", event.Unreplied.Seconds))
	}

	if event.Ticket != nil {
		list = append(list, slog.String("ticket", Clean(event.Ticket.ID, maxWord)), slog.String("status", Clean(event.Ticket.Status, maxWord)))
	}

	return list
}
