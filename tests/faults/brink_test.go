package faults_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// brink has visitors write in the very moment in which the grace of a close
// ends, again and again: what they write belongs to the session that closes or
// to the next one, and to one of them. Some write as soon as the session shows
// as closed, and one time in three the program is killed in that moment.
func brink(w *world) {
	const conversations = 24

	rounds := pick(4, 12)

	w.start()

	for i := range conversations {
		key := signals.Key{Source: busy, Conversation: fmt.Sprintf("brink-%d", i)}
		w.stories = append(w.stories, newStory(w.T, w.book, key, style{threaded: i%2 == 0, natural: true}, w.fork(key.Conversation)))
	}

	for round := range rounds {
		var talking sync.WaitGroup

		for i, told := range w.stories {
			talking.Go(func() { w.teeter(told, (i+round)%3 == 0) })
		}

		if round%3 == 2 {
			time.Sleep(busyGrace + w.between(50*time.Millisecond, 600*time.Millisecond))
			w.kill()
			w.start()
		}

		talking.Wait()
		w.sayf("round %d: %s", round+1, w.turn())
	}

	w.watch(2)
	w.conclude()
}

// teeter opens a session, closes it, and writes when its grace is over: by the
// clock, or as soon as it shows as closed.
func (w *world) teeter(told *story, looks bool) {
	const (
		before = 20 * time.Millisecond
		spread = 150 * time.Millisecond
	)

	w.insist(told.brief())
	w.insist(told.close())

	due := told.at.Add(busyGrace)

	if looks {
		for patience := time.Now().Add(20 * time.Second); time.Now().Before(patience); time.Sleep(2 * time.Millisecond) {
			if view, ok := w.view(told.key, 0); ok && view.Status == signals.StatusClosed {
				break
			}
		}
	} else {
		time.Sleep(time.Until(due) - before + time.Duration(told.rng.Int64N(int64(spread))))
	}

	w.insist(told.begin())
}

// brief is what goes before a close: the first word of a session, or one more
// in one that is open.
func (s *story) brief() *hook {
	if !s.open {
		return s.begin()
	}

	return s.hook(s.message(signals.RoleVisitor))
}
