package faults_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// sameAtOnce posts each webhook five times at the same moment. One of them
// counts, and all of them are answered with 2xx; in between the program is
// killed, and what was not answered is posted five times again.
func sameAtOnce(w *world) {
	const times = 5

	w.populate(8, false)
	w.start()

	hooks := pick(60, 200)
	fatal := map[int]bool{w.rng.IntN(hooks): true, w.rng.IntN(hooks): true}

	for i := range hooks {
		told := w.stories[w.rng.IntN(len(w.stories))]
		h := told.turn(w.rng.IntN(4))

		if fatal[i] {
			w.crash(h, times)

			continue
		}

		w.storm(h, times, true)
	}

	w.sayf("%d webhooks posted five times at once: %s", hooks, w.turn())

	var closing sync.WaitGroup

	for _, told := range w.stories {
		closing.Go(func() {
			if told.open {
				w.storm(told.close(), times, true)
			}
		})
	}

	closing.Wait()
	w.conclude()
}

// turn is a webhook of a session that goes on, of several events one time in four.
func (s *story) turn(dice int) *hook {
	switch {
	case !s.open:
		return s.begin()
	case dice == 0:
		return s.hook(s.any(), s.any(), s.any())
	default:
		return s.hook(s.any())
	}
}

// storm posts a webhook at several connections at once and, where whole is set,
// wants its events accepted once and every attempt answered.
func (w *world) storm(h *hook, times int, whole bool) {
	var (
		mu       sync.Mutex
		replies  []reply
		failed   []error
		begin    = make(chan struct{})
		attempts sync.WaitGroup
	)

	for range times {
		attempts.Go(func() {
			<-begin

			got, err := w.attempt(h)

			mu.Lock()
			defer mu.Unlock()

			if err != nil {
				failed = append(failed, err)
			} else {
				replies = append(replies, got)
			}
		})
	}

	close(begin)
	attempts.Wait()

	sum, best := 0, unknown

	for _, got := range replies {
		sum += got.accepted

		if got.status/100 == 2 {
			best = accepted
		} else if whole {
			w.Errorf("one of five was answered %d: %s", got.status, got.body)
		}
	}

	w.book.note(h, best)
	w.mu.Lock()
	w.sum.Repeated += int64(times - 1)
	w.mu.Unlock()

	if whole && (len(failed) > 0 || sum != len(h.facts)) {
		w.Errorf("%d events, five times at once, were accepted %d times; errors %v\n%s", len(h.facts), sum, failed, h.body)
	}
}

// crash kills the program in the middle of a storm, starts it again, and has
// the storm once more.
func (w *world) crash(h *hook, times int) {
	w.Helper()

	over := make(chan struct{})

	go func() {
		defer close(over)

		w.storm(h, times, false)
	}()

	time.Sleep(w.between(0, 5*time.Millisecond))
	w.kill()
	<-over
	w.start()

	before := h.state
	w.storm(h, times, false)

	if h.state != accepted {
		w.Errorf("a webhook was not accepted after a restart: %s", h.body)
	}

	w.sayf("killed in the middle of a storm; it had an answer before that: %t", before == accepted)
}

// names of the conversations that are compared.
func pair(i int) (signals.Key, signals.Key) {
	return signals.Key{Source: calm, Conversation: fmt.Sprintf("ordered-%d", i)},
		signals.Key{Source: calm, Conversation: fmt.Sprintf("shuffled-%d", i)}
}
