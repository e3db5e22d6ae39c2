package faults_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
)

// settled is how long a scenario may take to come to rest.
const settled = 90 * time.Second

// verdict is what the judge found of one conversation.
type verdict struct {
	key      signals.Key
	facts    []*fact
	views    []signals.View
	tickets  []signals.Ticket
	late     []signals.Event
	accepted int64
	// parked still wait for an event that may start their conversation, as is
	// to be where the gateway's clock was wrong.
	parked int64
}

// rest waits until every conversation is closed out and nothing is on its way,
// and returns what each came to.
func (w *world) rest() []*verdict {
	w.Helper()

	var open []signals.Key

	keys := w.book.conversations()
	done := make(map[signals.Key]bool, len(keys))

	w.await(settled, func() bool {
		open = open[:0]

		for _, key := range keys {
			if !done[key] {
				done[key] = w.closed(key)
			}

			if !done[key] {
				open = append(open, key)
			}
		}

		return len(open) == 0
	}, func() string { return w.stuck(open) })

	verdicts := make([]*verdict, 0, len(keys))

	for _, key := range keys {
		if done[key] && !w.cut[key] {
			verdicts = append(verdicts, w.collect(key))
		}
	}

	return verdicts
}

// closed reports whether a conversation has come to rest.
func (w *world) closed(key signals.Key) bool {
	view, ok := w.view(key, 0)

	return ok && view.Status == signals.StatusClosed && view.Ticket != nil && view.Ticket.Status == signals.TicketStatusCreated &&
		(view.Pending == 0 || w.shaky && view.Pending == w.parked(key))
}

// parked counts what waits for an event that may start its conversation.
func (w *world) parked(key signals.Key) int64 {
	var parked int64

	all, _ := w.archive(key)
	for i := range all {
		if all[i].State == stateParked {
			parked++
		}
	}

	return parked
}

const stateParked = "parked"

// stuck says what is known of conversations that do not come to rest: of the
// first ones everything.
func (w *world) stuck(open []signals.Key) string {
	const shown = 2

	var text strings.Builder

	fmt.Fprintf(&text, "%d conversations have not come to rest", len(open))

	for _, key := range open {
		view, ok := w.view(key, 0)
		fmt.Fprintf(&text, "\n%s: shown %t, session %d, %s, pending %d, clocks %v, ticket %+v", key, ok, view.Session, view.Status,
			view.Pending, view.Clocks, view.Ticket)
	}

	for _, key := range open[:min(shown, len(open))] {
		fmt.Fprintf(&text, "\n%s\n%s", key, w.progress(key))
	}

	return text.String()
}

// collect reads everything that Parley shows of a conversation.
func (w *world) collect(key signals.Key) *verdict {
	found := &verdict{key: key, facts: w.book.of(key)}

	newest, ok := w.view(key, 0)
	if !ok {
		w.Errorf("%s cannot be read", key)

		return found
	}

	found.parked = newest.Pending

	for session := 1; session <= newest.Session; session++ {
		view, ok := w.view(key, session)
		if !ok {
			w.Errorf("session %d of %s is missing", session, key)

			continue
		}

		found.views = append(found.views, view)
		found.accepted += view.Accepted

		if view.Ticket == nil || view.Ticket.ID == "" {
			w.Errorf("session %d of %s has no ticket: a ghost that nobody opened? %+v", session, key, view)

			continue
		}

		var ticket struct {
			signals.Ticket

			LateEvents []signals.Event `json:"late_events"`
		}

		if !w.read("/v1/tickets/"+url.PathEscape(view.Ticket.ID), &ticket) {
			w.Errorf("ticket %s of %s cannot be read", view.Ticket.ID, key)

			continue
		}

		found.tickets = append(found.tickets, ticket.Ticket)
		found.late = append(found.late, ticket.LateEvents...)
	}

	return found
}

// judge holds everything that came to rest to the promise.
func (w *world) judge(verdicts []*verdict) {
	w.Helper()

	for _, found := range verdicts {
		w.judgeCounts(found)

		if !w.roomy[found.key] {
			w.judgeMessages(found)
		}

		w.sum.Conversations++
		w.sum.Sessions += len(found.views)

		known := count(found.facts)
		w.sum.Accepted += known.accepted
		w.sum.Unknown += known.unknown
	}

	w.judgeSessions(verdicts)
	w.judgeAccount()
	w.judgeArchives(verdicts)
	w.judgeRuns(verdicts)
	w.judgeTickets(verdicts)
	w.judgePushes(verdicts)
	w.judgeInbox()
	w.judgeLog()
}

// judgeCounts: applied, late and ignored add up to accepted in each session, and
// all sessions have what was sent.
func (w *world) judgeCounts(found *verdict) {
	for _, view := range found.views {
		if view.Accepted != view.Applied+view.Late+view.Ignored || view.Pending != found.parked {
			w.Errorf("%s/%d does not add up: accepted %d, applied %d, late %d, ignored %d, pending %d", found.key, view.Session,
				view.Accepted, view.Applied, view.Late, view.Ignored, view.Pending)
		}
	}

	known, have := count(found.facts), found.accepted+found.parked
	if have < known.accepted || have > known.accepted+known.unknown+known.volatile {
		w.Errorf("%s has %d events, and there were %s\n%s", found.key, have, known, w.account(found))
	}
}

// account tells how the counts of a conversation come about.
func (w *world) account(found *verdict) string {
	var text strings.Builder

	for _, view := range found.views {
		fmt.Fprintf(&text, "session %d: accepted %d, applied %d, late %d, ignored %d, duplicates %d\n", view.Session, view.Accepted,
			view.Applied, view.Late, view.Ignored, view.Duplicates)
	}

	all, _ := w.archive(found.key)

	for i := range all {
		entry := &all[i]
		fmt.Fprintf(&text, "%d %s %s %s session %d, at %s, received %s\n", entry.Seq, entry.State, entry.Type, markOf(&entry.Event),
			entry.Session, entry.At.Format(time.StampMilli), entry.ReceivedAt.Format(time.StampMilli))
	}

	return text.String() + w.histories(found.key)
}

// judgeMessages: each message that was answered with 2xx stands in one
// transcript, or beside one as late, and every other at most once.
func (w *world) judgeMessages(found *verdict) {
	seen := map[string]int{}

	for i := range found.tickets {
		for _, line := range found.tickets[i].Transcript {
			seen[strings.TrimPrefix(line.Text, "(earlier session) ")]++
		}
	}

	for i := range found.late {
		if found.late[i].Message != nil {
			seen[found.late[i].Message.Text]++
		}
	}

	var lost, twice []string

	for _, f := range found.facts {
		times := seen[f.text]
		delete(seen, f.text)

		switch {
		case f.kind != spoken:
		case times > 1:
			twice = append(twice, f.text)
		case times == 0 && f.state == accepted:
			lost = append(lost, f.text)
		case times == 1 && f.state == unsent:
			w.Errorf("%s: %q is there and was never sent", found.key, f.text)
		}
	}

	if len(lost)+len(twice)+len(seen) > 0 {
		w.Errorf("%s: lost %q, twice %q, from nowhere %v\n%s", found.key, lost, twice, seen, w.history(found.key.WorkflowID()))
	}

	// What only counts shows must agree with what the transcripts show.
	var said, counted int64

	for i := range found.tickets {
		said += int64(len(found.tickets[i].Transcript))
		counted += found.tickets[i].Messages.Visitor + found.tickets[i].Messages.Agent + found.tickets[i].Messages.Bot
	}

	for i := range found.tickets {
		for _, line := range found.tickets[i].Transcript {
			if strings.HasPrefix(line.Text, "(earlier session) ") {
				said-- // it counts where it belongs
			}
		}
	}

	if said != counted {
		w.Errorf("%s: its transcripts have %d messages, its counts %d", found.key, said, counted)
	}
}

// judgeSessions: a story that waited for each ticket has one session per opening,
// and no story more than it opened.
func (w *world) judgeSessions(verdicts []*verdict) {
	told := make(map[signals.Key]*story, len(w.stories))
	for _, s := range w.stories {
		told[s.key] = s
	}

	for _, found := range verdicts {
		s := told[found.key]
		if s == nil {
			continue
		}

		if n := len(found.views); n > s.session || s.style.strict && n != s.session {
			w.Errorf("%s has %d sessions and was opened %d times (strict: %t)\n%s", found.key, n, s.session, s.style.strict,
				w.history(found.key.WorkflowID()))
		}
	}
}

// judgeAccount: the account log has each of its events once.
func (w *world) judgeAccount() {
	facts := w.book.of(signals.Key{Source: busy})
	seen := map[string]int{}

	for cursor, more := "", true; more; {
		var page struct {
			Events []signals.Event `json:"events"`
			Next   string          `json:"next"`
		}

		if !w.read("/v1/sources/"+busy+"/events?limit=200&cursor="+url.QueryEscape(cursor), &page) {
			w.Errorf("the account log cannot be read")

			return
		}

		for i := range page.Events {
			seen[page.Events[i].ID]++
		}

		cursor, more = page.Next, page.Next != ""
	}

	for _, f := range facts {
		if times := seen[f.id]; times > 1 || times == 0 && f.state == accepted {
			w.Errorf("account event %s is there %d times", f.id, times)
		}
	}

	known := count(facts)
	w.sum.Accepted += known.accepted
	w.sum.Unknown += known.unknown
}

// judgeTickets: one ticket per session, inside and outside.
func (w *world) judgeTickets(verdicts []*verdict) {
	want := map[string]bool{}

	for _, found := range verdicts {
		for _, view := range found.views {
			want[fmt.Sprintf("%s/%d", found.key, view.Session)] = true
		}
	}

	inside, outside := map[string]int{}, map[string]int{}

	for cursor, more := "", true; more; {
		var page struct {
			Tickets []signals.Ticket `json:"tickets"`
			Next    string           `json:"next"`
		}

		if !w.read("/v1/tickets?limit=200&cursor="+url.QueryEscape(cursor), &page) {
			w.Errorf("the tickets cannot be listed")

			return
		}

		for i := range page.Tickets {
			inside[fmt.Sprintf("%s/%s/%d", page.Tickets[i].Source, page.Tickets[i].Conversation, page.Tickets[i].Session)]++
		}

		cursor, more = page.Next, page.Next != ""
	}

	w.ops.mu.Lock()
	for id, got := range w.ops.tickets {
		outside[fmt.Sprintf("%s/%d", got.key, got.session)]++

		if got.took == 0 {
			w.Errorf("ticket %s of %s was never taken", id, got.key)
		}
	}
	w.ops.mu.Unlock()

	for key := range w.cut {
		for _, tickets := range []map[string]int{inside, outside} {
			maps.DeleteFunc(tickets, func(session string, _ int) bool { return strings.HasPrefix(session, key.String()+"/") })
		}
	}

	for where, tickets := range map[string]map[string]int{"the store": inside, "the ticket system": outside} {
		for session := range want {
			if tickets[session] != 1 {
				w.Errorf("%s has %d tickets of %s", where, tickets[session], session)
			}
		}

		for session, times := range tickets {
			if !want[session] {
				w.Errorf("%s has %d tickets of %s, which is no session", where, times, session)
			}
		}
	}

	w.sum.Tickets += len(inside)
}

// archived is one event of a conversation's archive.
type archived struct {
	signals.Event

	State string `json:"state"`
}

// archive reads the whole archive of a conversation.
func (w *world) archive(key signals.Key) ([]archived, bool) {
	var all []archived

	for cursor, more := "", true; more; {
		var page struct {
			Events []archived `json:"events"`
			Next   string     `json:"next"`
		}

		if !w.read(pathOf(key)+"/events?limit=200&cursor="+url.QueryEscape(cursor), &page) {
			return nil, false
		}

		all = append(all, page.Events...)
		cursor, more = page.Next, page.Next != ""
	}

	return all, true
}

// judgeArchives: the archive has each event once, by ascending number, and
// nothing in it still waits.
func (w *world) judgeArchives(verdicts []*verdict) {
	for _, found := range verdicts {
		all, ok := w.archive(found.key)
		if !ok {
			w.Errorf("the archive of %s cannot be read", found.key)

			return
		}

		w.judgeArchive(found, all)
	}
}

func (w *world) judgeArchive(found *verdict, all []archived) {
	seen := map[string]int{}
	last := int64(0)

	for i := range all {
		entry := &all[i]
		if entry.Seq <= last {
			w.Errorf("%s: number %d stands behind %d in the archive", found.key, entry.Seq, last)
		}

		last = entry.Seq

		if !slices.Contains([]string{"forwarded", "late", "ignored"}, entry.State) && (!w.shaky || entry.State != stateParked) {
			w.Errorf("%s: event %s is %s at rest", found.key, entry.ID, entry.State)
		}

		seen[markOf(&entry.Event)]++
	}

	if int64(len(all)) != found.accepted+found.parked {
		w.Errorf("%s: %d events in the archive, %d in its sessions", found.key, len(all), found.accepted)
	}

	for _, f := range found.facts {
		if times := seen[f.text]; times > 1 || times == 0 && f.state == accepted && f.kind != volatile {
			w.Errorf("%s: event %q is in the archive %d times", found.key, f.text, times)
		}
	}
}

// markOf is the mark by which the model knows an event.
func markOf(event *signals.Event) string {
	if event.Message != nil && event.Message.Text != "" {
		return event.Message.Text
	}

	return event.ID
}

// judgeInbox: nothing waits, and nothing was refused for good.
func (w *world) judgeInbox() {
	var report struct {
		Depth  int64 `json:"depth"`
		Parked int64 `json:"parked"`
		Dead   int64 `json:"dead"`
	}

	status, body := w.one.get("/v1/inbox")
	if status != http.StatusOK || json.Unmarshal(body, &report) != nil || report.Dead != 0 ||
		report.Depth != report.Parked || report.Parked != 0 && !w.shaky {
		w.Errorf("the inbox is not at rest: %d %s", status, body)
	}
}

// judgeLog: nothing panicked, and no history failed to replay.
func (w *world) judgeLog() {
	for line := range strings.SplitSeq(w.one.printed(), "\n") {
		lower := strings.ToLower(line)
		for _, word := range []string{"panic", "nondeterministic", "non-deterministic", "[tmprl1100]"} {
			if strings.Contains(lower, word) {
				w.Errorf("the log says: %s", line)
			}
		}
	}
}
