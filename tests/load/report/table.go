package report

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/parleyhq/parley/tests/load/stats"
)

// JSON writes everything that was measured, each run by itself.
func (r *Results) JSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")

	all := struct {
		Rows     []Row     `json:"rows"`
		Clocks   *Clocks   `json:"clocks,omitempty"`
		Recovery *Recovery `json:"recovery,omitempty"`
		Drains   []Drain   `json:"drains,omitempty"`
		Goals    []Goal    `json:"goals"`
	}{r.Rows, r.Clocks, r.Recovery, r.Drains, r.Goals()}

	if err := encoder.Encode(all); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}

	return nil
}

// padding is between two columns.
const padding = 2

// columns of the table.
func columns() []string {
	return []string{
		"mode", "target", "work", "ack/s", "finished/s", "applied/s", "ack p50/p95/p99 ms", "applied p50/p95/p99 ms",
		"batch", "commit", "CPU s", "ms/event", "MB", "history/event", "bytes/event", "others",
	}
}

// Print prints one line per mode and target, then what does not fit into one,
// then the figures to reach.
func (r *Results) Print(out io.Writer, repeats int) error {
	fmt.Fprintf(out, "\n%d processors, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format(time.DateTime))

	if repeats > 1 {
		fmt.Fprintf(out, ", medians of %d runs", repeats)
	}

	fmt.Fprint(out, "\n\n")

	if err := r.printRows(out); err != nil {
		return err
	}

	if err := r.printDrains(out); err != nil {
		return err
	}

	lines := tabwriter.NewWriter(out, 0, 0, padding, ' ', 0)

	var unknown []string

	for _, one := range r.Goals() {
		if !one.Known {
			unknown = append(unknown, one.What+one.Why)

			continue
		}

		fmt.Fprintln(lines, strings.Join(one.cells(), "\t"))
	}

	if err := lines.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	if len(unknown) > 0 {
		fmt.Fprintf(out, "\nnot measured: %s\n", strings.Join(unknown, "; "))
	}

	return nil
}

// printRows prints what was measured but for desks, if that was all.
func (r *Results) printRows(out io.Writer) error {
	if len(r.Rows) == 0 && r.Clocks == nil && r.Recovery == nil {
		return nil
	}

	lines := tabwriter.NewWriter(out, 0, 0, padding, ' ', 0)
	fmt.Fprintln(lines, strings.Join(columns(), "\t"))

	for _, one := range medians(r.Rows) {
		fmt.Fprintln(lines, strings.Join(one.cells(), "\t"))
	}

	if err := lines.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	r.legend(out)

	return nil
}

func (r *Results) legend(out io.Writer) {
	fmt.Fprint(out, "\nfinished: ticket stored and run completed, the grace of 1 s included. applied: the workflow task that took\n"+
		"the event in is completed. batch: events per signal, mean and most. commit: events per commit of the inbox. others:\n"+
		"processors that other programs kept busy meanwhile; near 0 on a quiet machine.\n\n")

	if found := r.Clocks; found != nil {
		fmt.Fprintf(out, "clocks    %d at %.0f/s: fired late by p50 %s, p95 %s, p99 %s, most %s ms; pushed by p50 %s, p99 %s ms\n",
			found.Armed, found.PerSecond, ms(found.Late.P50), ms(found.Late.P95), ms(found.Late.P99), ms(found.Late.Max),
			ms(found.Done.P50), ms(found.Done.P99))
	}

	if found := r.Recovery; found != nil {
		fmt.Fprintf(out, "idle      %d open at %.0f/s, %.0f MB resident, %.1f kB on disk each\n",
			found.Open, found.OpenedPerSecond, megabytes(found.Resident), found.BytesEach/1000) //nolint:mnd // kilobytes
		fmt.Fprintf(out, "recovery  after SIGKILL: first 2xx in %.2f s, first applied in %.2f s; %d overdue clocks at %.0f/s, "+
			"done in %.1f s; %.0f MB\n", found.FirstAnswer.Seconds(), found.FirstApplied.Seconds(), found.Overdue, found.OverduePerSecond,
			found.Recovered.Seconds(), megabytes(found.ResidentAfter))
	}

	fmt.Fprintln(out)
}

func (r *Row) cells() []string {
	work := fmt.Sprintf("%d×%d", r.Conversations, r.Events)
	if r.Repeated > 0 {
		work += fmt.Sprintf(" +%d", r.Repeated)
	}

	if r.Refused > 0 {
		work += fmt.Sprintf(", %d put off", r.Refused)
	}

	batch := none
	if r.SignalBatch > 0 {
		batch = fmt.Sprintf("%.1f/%d", r.SignalBatch, r.SignalMost)
	}

	others := none
	if r.Resident > 0 {
		others = fmt.Sprintf("%.1f", r.Others)
	}

	return []string{
		r.Name(), r.Target, work, number(r.Acknowledged, 0), number(r.Finished, 0), number(r.Applied, 0), three(r.Ack), three(r.ToApplied),
		batch, number(r.CommitBatch, 1), number(r.CPU, 1), number(r.CPU/float64(r.total())*1000, 2), //nolint:mnd // milliseconds
		number(megabytes(r.Resident), 0), number(r.HistoryPerEvent, 2), number(r.BytesPerEvent, 0), others,
	}
}

// Short is a row's line while the others are still measured.
func (r *Row) Short() string {
	text := fmt.Sprintf("acknowledged %s/s (p50 %s ms)", number(r.Acknowledged, 0), ms(r.Ack.P50))
	if r.ToApplied.Count > 0 {
		text += fmt.Sprintf(", applied %s/s (p50 %s ms)", number(r.Applied, 0), ms(r.ToApplied.P50))
	}

	if r.Finished > 0 {
		text += fmt.Sprintf(", finished %s/s", number(r.Finished, 0))
	}

	return text
}

func (g *Goal) cells() []string {
	sign := "≥ "
	if g.Most {
		sign = "≤ "
	}

	return []string{g.What, figure(g.Measured) + g.Unit, sign + figure(g.Bound) + g.Unit, g.verdict()}
}

// none is a figure that there is not.
const none = "–"

func number(value float64, digits int) string {
	if value <= 0 {
		return none
	}

	return strconv.FormatFloat(value, 'f', digits, 64)
}

// figure has about three digits that count.
func figure(value float64) string {
	const few, many = 10, 100

	switch {
	case value >= many || value == float64(int(value)):
		return strconv.FormatFloat(value, 'f', 0, 64)
	case value >= few:
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
}

func ms(d time.Duration) string { return figure(milliseconds(d)) }

func three(q stats.Quantiles) string {
	if q.Count == 0 {
		return none
	}

	return ms(q.P50) + " / " + ms(q.P95) + " / " + ms(q.P99)
}
