package signals

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of one signal to a conversation (design, section 6), and of what one
// event may carry into it: longer texts are cut and marked, raw stays outside.
const (
	MaxBatchEvents = 100
	MaxBatchBytes  = 256 << 10
	MaxTextBytes   = 16 << 10
)

// Batch is the payload of [EventsSignal]. The events stay raw so that one that
// cannot be decoded costs only itself.
type Batch struct {
	// Summary lets Temporal's history read itself, such as
	// "message.received ×2".
	Summary string            `json:"summary,omitempty"`
	Events  []json.RawMessage `json:"events"`
}

// Start is the optional input of the conversation workflow: what the session
// before left behind.
type Start struct {
	// Version of this struct; 0 and 1 mean this form, 2 as well, and that the run
	// records its rules with its policy, which saves Temporal's version marker and
	// the visibility record that comes with it. Leave it out from outside.
	Version int `json:"version,omitempty"`
	// Session is the number of the session that begins; 0 means the run must
	// find it out.
	Session int `json:"session,omitempty"`
	// Conversation is the platform's chat id where the workflow id carries
	// only its hash.
	Conversation string `json:"conversation,omitempty"`
	// Seqs is the highest Seq seen, per inbox.
	Seqs map[string]int64 `json:"seqs,omitempty"`
	IDs  []SeenID         `json:"ids,omitempty"`
	// Threads are the closed ones; an event that names one belongs to its
	// closed session.
	Threads []string `json:"threads,omitempty"`
	// OpenThreads were closed by nobody but Parley: what is not newer than
	// ClosedAt in them is past. A thread that is in neither list is new, however
	// old its events say they are: platforms and Parley read different clocks.
	OpenThreads []string `json:"open_threads,omitempty"`
	// ClosedAt is when the session before closed.
	ClosedAt time.Time `json:"closed_at,omitzero"`
}

// StartVersion is the newest version of [Start].
const StartVersion = 2

// Result is what a completed conversation run returns, in the same terms in
// which the next one is started.
type Result struct {
	Version  int              `json:"version"`
	Session  int              `json:"session"`
	Seqs     map[string]int64 `json:"seqs,omitempty"`
	IDs      []SeenID         `json:"ids,omitempty"`
	Threads  []string         `json:"threads,omitempty"`
	ClosedAt time.Time        `json:"closed_at,omitzero"`

	OpenThreads []string `json:"open_threads,omitempty"`
}

// Next returns the input with which the session after r starts.
func (r Result) Next() Start {
	return Start{
		Version: StartVersion, Session: r.Session + 1, Seqs: r.Seqs, IDs: r.IDs, Threads: r.Threads, OpenThreads: r.OpenThreads,
		ClosedAt: r.ClosedAt,
	}
}

// Past reports whether an event belongs to the session that r ended or to one
// before it: it names a closed thread, or is not newer than the close and names
// no thread, or one that went on.
func (r Result) Past(event *Event) bool {
	thread := RememberedID(event.Thread)

	switch {
	case event.Thread == "" || slices.Contains(r.OpenThreads, thread):
		return !r.ClosedAt.IsZero() && !event.At.After(r.ClosedAt)
	default:
		return slices.Contains(r.Threads, thread)
	}
}

// NewBatch makes the payload of one signal. Seq and Inbox go along as they
// are; Raw stays behind, and no event is larger than [MaxEventBytes].
func NewBatch(events []Event) (Batch, error) {
	batch := Batch{Summary: Summarize(events), Events: make([]json.RawMessage, 0, len(events))}

	for i := range events {
		raw, err := encodeBounded(events[i].Bounded())
		if err != nil {
			return Batch{}, fmt.Errorf("encode event %s: %w", events[i].ID, err)
		}

		batch.Events = append(batch.Events, raw)
	}

	return batch, nil
}

// encodeBounded writes as much of an event as fits.
func encodeBounded(event Event) (json.RawMessage, error) {
	for _, smaller := range [...]func(Event) Event{Event.whole, Event.lean} {
		raw, err := json.Marshal(smaller(event))
		if err != nil {
			return nil, fmt.Errorf("marshal: %w", err)
		}

		if len(raw) <= MaxEventBytes {
			return raw, nil
		}
	}

	raw, err := json.Marshal(event.essence())
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}

	return raw, nil
}

// Summarize counts the types of events in order of their first appearance.
func Summarize(events []Event) string {
	types := make([]Type, len(events))
	for i := range events {
		types[i] = events[i].Type
	}

	return Tally(types)
}

// Tally counts words in order of their first appearance: "opened, message ×2".
func Tally[Word ~string](words []Word) string {
	counts := make(map[Word]int, len(words))

	var order []Word

	for _, word := range words {
		if counts[word] == 0 {
			order = append(order, word)
		}

		counts[word]++
	}

	parts := make([]string, 0, len(order))

	for _, word := range order {
		part := string(word)
		if counts[word] > 1 {
			part += " ×" + strconv.Itoa(counts[word])
		}

		parts = append(parts, part)
	}

	return strings.Join(parts, ", ")
}

// Bounded returns the event as it may enter a workflow: without Raw, and with
// every text cut to [MaxTextBytes], a cut message marked truncated.
func (e Event) Bounded() Event {
	e.Raw = nil

	if e.Message != nil {
		e.Message = e.Message.bounded()
	}

	if e.Form != nil && len(e.Form.Text) > MaxTextBytes {
		form := *e.Form
		form.Text = Cut(form.Text, MaxTextBytes)
		e.Form = &form
	}

	if e.Preview != nil && len(e.Preview.Text) > MaxTextBytes {
		preview := *e.Preview
		preview.Text = Cut(preview.Text, MaxTextBytes)
		e.Preview = &preview
	}

	if e.Note != nil && len(e.Note.Text) > MaxTextBytes {
		note := *e.Note
		note.Text = Cut(note.Text, MaxTextBytes)
		e.Note = &note
	}

	if e.Summary != nil && len(e.Summary.Text) > MaxTextBytes {
		summary := *e.Summary
		summary.Text = Cut(summary.Text, MaxTextBytes)
		e.Summary = &summary
	}

	if e.Unreplied != nil && len(e.Unreplied.Text) > MaxTextBytes {
		unreplied := *e.Unreplied
		unreplied.Text = Cut(unreplied.Text, MaxTextBytes)
		e.Unreplied = &unreplied
	}

	return e
}

func (m *Message) bounded() *Message {
	if len(m.Text) <= MaxTextBytes && len(m.Rich) <= MaxTextBytes && len(m.Custom) <= MaxTextBytes {
		return m
	}

	cut := *m
	cut.Truncated = true
	cut.Text = Cut(m.Text, MaxTextBytes)

	if len(m.Rich) > MaxTextBytes {
		cut.Rich = nil
	}

	if len(m.Custom) > MaxTextBytes {
		cut.Custom = nil
	}

	return &cut
}

// Cut shortens s to at most limit bytes without splitting a character.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}

	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}

	return s[:limit]
}
