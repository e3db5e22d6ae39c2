package desk

import (
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/markdown"
)

const (
	// cardQueue and cardAgents are how many rows a card shows of each.
	cardQueue  = 20
	cardAgents = 50
	// maxCell is how much of a text a cell shows, in bytes.
	maxCell = 60
)

// publish tells the Temporal UI how the desk stands; that costs no event.
func (d *desk) publish(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, card(d.machine, workflow.Now(ctx)))
}

// card is the desk as the Temporal UI shows it, in Markdown. What visitors and
// platforms wrote is escaped: no image, link or further column of theirs appears.
func card(m *Machine, now time.Time) string {
	var text strings.Builder

	view := m.view(now, cardQueue)

	text.WriteString("**" + itoa(view.Waiting) + " waiting**, " + itoa(view.Offered) + " offered, " + itoa(view.Active) + " active")

	if !view.Open {
		text.WriteString(" · closed")
	}

	if view.Waiting > 0 {
		text.WriteString(" · oldest " + (time.Duration(view.OldestWaitSeconds) * time.Second).String())
	}

	if view.WaitSeconds != nil {
		text.WriteString(" · estimated wait " + (time.Duration(*view.WaitSeconds) * time.Second).String())
	}

	text.WriteString("\n")
	queueTable(&text, &view)
	agentTable(&text, view.Agents)

	return text.String()
}

func queueTable(text *strings.Builder, view *signals.DeskView) {
	if len(view.Queue) == 0 {
		return
	}

	text.WriteString("\n| # | conversation | status | since | skills | agent |\n|---|---|---|---|---|---|\n")

	for i := range view.Queue {
		row := &view.Queue[i]
		place := ""

		if row.Position > 0 {
			place = itoa(row.Position)
		}

		status := row.Status
		if row.Round > 1 {
			status += " (round " + itoa(row.Round) + ")"
		}

		cells(text, place, row.Source+"/"+row.Conversation, status, row.Since.UTC().Format(time.TimeOnly), strings.Join(row.Skills, ", "),
			row.Agent)
	}

	if rest := view.Waiting + view.Offered - len(view.Queue); rest > 0 {
		text.WriteString("\nand " + itoa(rest) + " more\n")
	}
}

func agentTable(text *strings.Builder, agents []signals.DeskAgent) {
	if len(agents) == 0 {
		return
	}

	text.WriteString("\n| agent | status | load | skills | last given |\n|---|---|---|---|---|\n")

	for i := range agents[:min(len(agents), cardAgents)] {
		agent := &agents[i]
		name, status, last := agent.ID, agent.Status, ""

		if agent.Name != "" {
			name = agent.Name + " (" + agent.ID + ")"
		}

		switch {
		case agent.Removed:
			status = signals.ReasonRemoved
		case agent.WrapupUntil != nil:
			status += ", wrap-up until " + agent.WrapupUntil.UTC().Format(time.TimeOnly)
		}

		if agent.LastAssigned != nil {
			last = agent.LastAssigned.UTC().Format(time.TimeOnly)
		}

		cells(text, name, status, itoa(agent.Load)+" of "+itoa(agent.Slots), strings.Join(agent.Skills, ", "), last)
	}

	if rest := len(agents) - cardAgents; rest > 0 {
		text.WriteString("\nand " + itoa(rest) + " more\n")
	}
}

func cells(text *strings.Builder, values ...string) {
	text.WriteString("|")

	for _, value := range values {
		short := signals.Cut(value, maxCell)
		if short != value {
			short += "…"
		}

		text.WriteString(" " + markdown.Escape(short) + " |")
	}

	text.WriteString("\n")
}
