package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/parleyhq/parley/tests/load/stats"
)

// Drain says how desks gave conversations to agents that all came at once.
type Drain struct {
	// Desks side by side; the next four are those of each.
	Desks         int           `json:"desks"`
	Agents        int           `json:"agents"`
	Slots         int           `json:"slots"`
	Conversations int           `json:"conversations"`
	Handle        time.Duration `json:"handle_ns"`
	// Drained is from the first escalation until the last acceptance, Finished
	// until the last run is completed.
	Drained  time.Duration `json:"drained_ns"`
	Finished time.Duration `json:"finished_ns"`
	// PerSecond are assignments until drained.
	PerSecond float64 `json:"assignments_per_second"`
	// Offers are the invitations that it took.
	Offers int `json:"invitations"`
	// Queue is the most that was seen waiting on one desk, Busiest the most
	// conversations that one agent had at a time.
	Queue   int `json:"queue"`
	Busiest int `json:"busiest"`
	// History events per assignment.
	ConversationHistory float64 `json:"conversation_history_events_per_assignment"`
	DeskHistory         float64 `json:"desk_history_events_per_assignment"`

	// Ack is of webhooks.
	Ack stats.Quantiles `json:"ack"`
	// Waited is from escalation to acceptance, Beyond the part of it that slots
	// do not impose, and Looked that of Beyond until the agent had looked.
	Waited stats.Quantiles `json:"escalated_to_accepted"`
	Beyond stats.Quantiles `json:"beyond_slots"`
	Looked stats.Quantiles `json:"looked"`
	// Answers is what a desk's view took while it drained.
	Answers stats.Quantiles `json:"answers"`
	// Tasks is from the scheduling of a desk's workflow task to its start,
	// Messages from a message's arrival in its history to the start of the task
	// that took it in.
	Tasks    stats.Quantiles `json:"task_waits"`
	Messages stats.Quantiles `json:"message_waits"`

	CPU      float64 `json:"cpu_seconds"`
	Resident int64   `json:"resident_bytes"`
	Others   float64 `json:"others_processors"`
	Refused  int64   `json:"refused,omitempty"`
}

func (d *Drain) total() int { return d.Desks * d.Conversations }

// History is the history events per assignment, of the conversation and the desk.
func (d *Drain) History() float64 { return d.ConversationHistory + d.DeskHistory }

// Short is one line about it.
func (d *Drain) Short() string {
	return fmt.Sprintf("%d conversations on %d × %d agents drained in %.1f s, %.0f/s; longest task wait %s ms", d.total(), d.Desks, d.Agents,
		d.Drained.Seconds(), d.PerSecond, ms(d.Tasks.Max))
}

func drainColumns() []string {
	return []string{
		"desks", "work", "drained s", "assigned/s", "waited p50/p95/p99 s", "beyond p50/p95/p99 ms", "of it agents", "history/assignment",
		"desk answers p50/p99/max ms", "task wait p99/max ms", "message wait p99/max ms", "CPU s", "MB", "others",
	}
}

func (d *Drain) cells() []string {
	work := fmt.Sprintf("%d on %d×%d", d.Conversations, d.Agents, d.Slots)
	if d.Offers > d.total() {
		work += fmt.Sprintf(", %d invited", d.Offers)
	}

	if d.Refused > 0 {
		work += fmt.Sprintf(", %d put off", d.Refused)
	}

	seconds := func(took time.Duration) string { return figure(took.Seconds()) }

	return []string{
		strconv.Itoa(d.Desks), work, seconds(d.Drained), number(d.PerSecond, 1),
		seconds(d.Waited.P50) + " / " + seconds(d.Waited.P95) + " / " + seconds(d.Waited.P99), three(d.Beyond), ms(d.Looked.P50),
		fmt.Sprintf("%.1f = %.1f + %.1f", d.History(), d.ConversationHistory, d.DeskHistory),
		ms(d.Answers.P50) + " / " + ms(d.Answers.P99) + " / " + ms(d.Answers.Max), tail(d.Tasks), tail(d.Messages),
		number(d.CPU, 1), number(megabytes(d.Resident), 0), fmt.Sprintf("%.1f", d.Others),
	}
}

// tail is the end of a distribution.
func tail(q stats.Quantiles) string { return ms(q.P99) + " / " + ms(q.Max) }

// printDrains prints one line per count of desks.
func (r *Results) printDrains(out io.Writer) error {
	if len(r.Drains) == 0 {
		return nil
	}

	lines := tabwriter.NewWriter(out, 0, 0, padding, ' ', 0)
	fmt.Fprintln(lines, strings.Join(drainColumns(), "\t"))

	for i := range r.Drains {
		fmt.Fprintln(lines, strings.Join(r.Drains[i].cells(), "\t"))
	}

	if err := lines.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	fmt.Fprintf(out, "\nwork: conversations of each desk, on its agents and their slots; each is chatted for %s. waited: from escalation to\n"+
		"acceptance. beyond: the part of it in which a slot was free and somebody waited; of it agents: from the invitation's\n"+
		"arrival until its agent looked. history: events of the conversation, the tail included, and of the desk. desk answers:\n"+
		"its view, asked every 100 ms. task wait: from a desk's task being scheduled to its start. message wait: from a message\n"+
		"standing in the desk's history to the start of the task that took it in.\n\n", r.Drains[0].Handle)

	return nil
}

// longest is the longest of what each of the drains has; zero where there is
// none.
func (r *Results) longest(of func(*Drain) time.Duration) time.Duration {
	var most time.Duration
	for i := range r.Drains {
		most = max(most, of(&r.Drains[i]))
	}

	return most
}
