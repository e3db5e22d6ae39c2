package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// window counts answers over a stretch of time.
type window struct {
	mu       sync.Mutex
	accepted int
	statuses map[int]int
	// lost attempts had no answer, away ones no connection.
	lost, away int
	slowest    time.Duration
	took       []time.Duration
}

func newWindow() *window { return &window{statuses: map[int]int{}} }

func (w *window) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()

	refused := 0
	for _, status := range slices.Sorted(maps.Keys(w.statuses)) {
		refused += w.statuses[status]
	}

	text := fmt.Sprintf("%d webhooks accepted, %d refused, %d unanswered, %d found nobody", w.accepted, refused, w.lost, w.away)

	if len(w.took) > 0 {
		slices.Sort(w.took)
		text += fmt.Sprintf("; 2xx after %s (median), %s (99 in 100), %s (longest)", w.took[len(w.took)/2].Round(100*time.Microsecond),
			w.took[len(w.took)*99/100].Round(100*time.Microsecond), w.slowest.Round(100*time.Microsecond))
	}

	return text
}

// turn begins a new window and returns the one before.
func (w *world) turn() *window {
	w.mu.Lock()
	defer w.mu.Unlock()

	before := w.window
	w.window = newWindow()

	return before
}

// reply is the answer to one attempt.
type reply struct {
	status   int
	took     time.Duration
	retry    string
	accepted int
	body     []byte
}

// attempt posts a webhook once.
func (w *world) attempt(h *hook) (reply, error) {
	ctx, cancel := background(30 * time.Second)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.one.url("/webhooks/"+h.source), bytes.NewReader(h.body))
	if err != nil {
		return reply{}, err
	}

	begun := time.Now()

	response, err := w.web.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()

	got := reply{status: response.StatusCode, retry: response.Header.Get("Retry-After"), took: time.Since(begun)}

	// The status is the answer, whatever becomes of the body.
	if got.body, err = io.ReadAll(response.Body); err == nil {
		var said struct {
			Accepted int `json:"accepted"`
		}

		if json.Unmarshal(got.body, &said) == nil {
			got.accepted = said.Accepted
		}
	}

	return got, nil
}

// send posts a webhook once and enters the answer into the model.
func (w *world) send(h *hook) answer {
	w.mu.Lock()
	now := w.window
	w.mu.Unlock()

	known := w.book.took(h)
	got, err := w.attempt(h)
	result := unknown

	now.mu.Lock()
	switch {
	case isDial(err):
		now.away++

		result = unsent
	case err != nil:
		now.lost++
	case got.status/100 == 2:
		now.accepted++
		now.took = append(now.took, got.took)
		now.slowest = max(now.slowest, got.took)

		result = accepted
	default:
		now.statuses[got.status]++
	}
	now.mu.Unlock()

	w.book.note(h, result)
	w.check(h, known, result, got)

	return result
}

// check holds an answer to what every answer must be.
func (w *world) check(h *hook, known bool, result answer, got reply) {
	switch {
	case result == accepted && known:
		w.mu.Lock()
		w.sum.Repeated++
		w.mu.Unlock()

		if got.accepted != 0 {
			w.Errorf("a webhook that had its 2xx was accepted again: %s\n%s", got.body, h.body)
		}
	case got.status == http.StatusServiceUnavailable && got.retry == "":
		w.Errorf("503 without Retry-After: %s", got.body)
	case got.status != 0 && got.status/100 != 2 && got.status != http.StatusServiceUnavailable:
		w.Errorf("answered %d to a good webhook: %s\n%s", got.status, got.body, h.body)
	}
}

// isDial reports whether there was not even a connection.
func isDial(err error) bool {
	var op *net.OpError

	return errors.As(err, &op) && op.Op == "dial"
}

// insist sends a webhook until it is accepted.
func (w *world) insist(h *hook) {
	w.Helper()

	const patience = 60 * time.Second

	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(50 * time.Millisecond) {
		if w.over.Load() || w.send(h) == accepted {
			return
		}
	}

	w.Errorf("a webhook was not accepted within %s: %s", patience, h.body)
}

// read gets JSON; false where there is no 200.
func (w *world) read(path string, into any) bool {
	status, body := w.one.get(path)

	return status == http.StatusOK && json.Unmarshal(body, into) == nil
}

// populate makes stories: half of them strict, half of them with threads.
func (w *world) populate(n int, natural bool) {
	for i := range n {
		key := signals.Key{Source: busy, Conversation: fmt.Sprintf("%s-%d", w.name, i)}
		how := style{strict: i%2 == 0, threaded: i/2%2 == 0, natural: natural || i%3 != 0}
		w.stories = append(w.stories, newStory(w.T, w.book, key, how, w.fork(key.Conversation)))
	}
}

// poster sends what its stories tell, over one connection at a time.
type poster struct {
	w       *world
	rng     *rand.Rand
	stories []*story
	number  int
}

// post starts n posters, each with its part of the stories.
func (w *world) post(n int) {
	for i := range n {
		p := &poster{w: w, rng: w.fork(fmt.Sprintf("poster-%d", i)), number: i}
		for at := i; at < len(w.stories); at += n {
			p.stories = append(p.stories, w.stories[at])
		}

		w.posting.Go(p.run)
	}
}

// silence stops the posters.
func (w *world) silence() {
	w.hush.Do(func() { close(w.stop) })
	w.posting.Wait()
}

// run posts until the traffic ends, at a pace that leaves the machine to others.
func (p *poster) run() {
	for {
		pause := time.Duration(p.rng.Int64N(int64(p.w.pace)))

		told := p.stories[p.rng.IntN(len(p.stories))]
		p.settle(told)

		if h := told.next(); h != nil {
			got := p.w.send(h)
			told.answered(h, got)

			if got != accepted {
				pause += 30 * time.Millisecond
			}
		}

		if p.rng.IntN(100) == 0 {
			p.w.send(p.log())
		}

		select {
		case <-p.w.stop:
			return
		case <-time.After(pause):
		}
	}
}

// settle looks whether the session that a strict story closed has its ticket.
func (p *poster) settle(told *story) {
	if !told.closing || told.again != nil {
		return
	}

	if view, ok := p.w.view(told.key, told.session); ok && view.Status == signals.StatusClosed && view.Ticket != nil {
		told.closing = false
	}
}

// log makes an event that belongs to no conversation.
func (p *poster) log() *hook {
	p.number += 1000
	id := fmt.Sprintf("account-%d", p.number)

	return p.w.book.hookOf(p.w.T, busy, &fact{
		key: signals.Key{Source: busy}, kind: account, id: id, text: id,
		event: signals.Event{
			ID: id, Type: signals.AccountChanged, At: time.Now().UTC(),
			Account: &signals.Account{Object: "agent", Action: "updated", ID: id},
		},
	})
}

// finish has every story say its last word: what was not accepted goes out
// again, and what is open is closed.
func (w *world) finish() {
	w.Helper()

	var closing sync.WaitGroup

	for _, told := range w.stories {
		closing.Go(func() { told.end(w) })
	}

	closing.Wait()
}

func (s *story) end(w *world) {
	if s.again != nil {
		w.insist(s.again)
		s.again = nil
	}

	if s.open {
		w.insist(s.close())
	}

	if w.shaky {
		w.closeByHand(s.key)
	}
}

// closeByHand closes what goes on although its platform closed it: where the
// gateway's clock was wrong, a close may seem older than what was said before.
func (w *world) closeByHand(key signals.Key) {
	w.await(30*time.Second, func() bool {
		view, ok := w.view(key, 0)
		if !ok {
			return false
		}

		if view.Status == signals.StatusClosing || view.Status == signals.StatusClosed {
			return true
		}

		status, _ := ask(http.MethodPost, w.one.url(pathOf(key)+"/close"), strings.NewReader("{}"))

		return status == http.StatusOK
	}, func() string { return key.String() + " cannot be closed by hand" })
}

// hot keeps one conversation busy with full batches, so that its run continues
// as new in the middle of it.
func (w *world) hot() {
	key := signals.Key{Source: busy, Conversation: w.name + "-hot"}
	told := newStory(w.T, w.book, key, style{natural: true}, w.fork(key.Conversation))
	w.roomy[key] = true

	w.posting.Go(func() {
		for h := told.begin(); ; {
			if w.send(h) == accepted {
				h = told.burst()
			}

			select {
			case <-w.stop:
				w.insist(h)
				w.insist(told.close())

				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
}

// watch begins conversations that nobody answers: every one of their clocks
// comes due.
func (w *world) watch(n int) {
	w.Helper()

	for range n {
		number := len(w.watching)
		key := signals.Key{Source: watched, Conversation: fmt.Sprintf("%s-w%d", w.name, number)}
		told := newStory(w.T, w.book, key, style{natural: true}, w.fork(key.Conversation))
		h := told.begin()
		w.insist(h)
		w.watching = append(w.watching, h.facts[0])
	}
}

// await polls until something holds; what says what was waited for.
func (w *world) await(patience time.Duration, holds func() bool, what func() string) bool {
	w.Helper()

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	for {
		if holds() {
			return true
		}

		select {
		case <-ctx.Done():
			w.Errorf("after %s: %s", patience, what())

			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
}
