package delivery

import (
	"fmt"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/markdown"
)

const (
	// maxSummary bounds what Temporal keeps beside an activity or a timer, in
	// bytes; the server refuses more than 400.
	maxSummary = 200
	// maxRows of waiting orders in the card.
	maxRows = 20
	// maxCell bounds one text in the card, in bytes.
	maxCell = 160
	clock   = "15:04:05"
)

// attemptSummary says what an attempt is, for Temporal's UI.
func attemptSummary(target string, attempt *Attempt) string {
	return signals.Cut(fmt.Sprintf("%s to %s, attempt %d", Describe(&attempt.Order), target, attempt.Number), maxSummary)
}

// timerSummary says what a timer waits for, for Temporal's UI.
func timerSummary(deadline Deadline) string {
	return signals.Cut(deadline.What+" at "+deadline.At.UTC().Format(clock)+" UTC", maxSummary)
}

// card is the Markdown that Temporal's UI shows about a run.
func card(m *Machine) string {
	var b strings.Builder

	fmt.Fprintf(&b, "**%s** for %s\n\n", cell(m.Target), cell(m.Key.String()))
	fmt.Fprintf(&b, "%d waiting, %d delivered, %d expired, %d failed, %d cancelled\n",
		len(m.Pending), m.Counts.Delivered, m.Counts.Expired, m.Counts.Failed, m.Counts.Cancelled)

	if len(m.Pending) > 0 {
		b.WriteString("\n| order | attempts | next | expires | last error |\n|---|---|---|---|---|\n")
	}

	for i := range m.Pending {
		if i == maxRows {
			fmt.Fprintf(&b, "\nand %d more\n", len(m.Pending)-maxRows)

			break
		}

		p := &m.Pending[i]
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", cell(Describe(&p.Order)), p.Attempts, next(m, i),
			p.ExpiresAt.UTC().Format(time.RFC3339), cell(p.LastError))
	}

	if m.Last != nil {
		fmt.Fprintf(&b, "\nLast: %s %s at %s UTC after %d attempts. %s\n", cell(m.Last.What), m.Last.End,
			m.Last.At.UTC().Format(clock), m.Last.Attempts, cell(m.Last.Text))
	}

	return b.String()
}

func next(m *Machine, i int) string {
	switch {
	case i == 0 && m.InFlight:
		return "now"
	case i > 0:
		return "in turn"
	default:
		return m.Pending[0].NotBefore.UTC().Format(clock) + " UTC"
	}
}

// cell bounds a text and makes it harmless in Markdown.
func cell(text string) string { return markdown.Escape(signals.Cut(text, maxCell)) }
