package faults_test

import (
	"syscall"
	"time"
)

// killed kills the program ten times in a row while webhooks come in, some
// times before it is ready, and starts it again. In the long form it may be told
// to stop instead, and its Temporal server may be another process, which is
// killed, too.
func killed(w *world) {
	kills := pick(10, 10+w.rng.IntN(15))

	w.populate(24, false)

	var server *host
	if long() && w.rng.IntN(3) == 0 {
		server = w.apart()
	}

	w.start()
	w.post(6)
	w.hot()
	w.watch(3)

	for i := range kills {
		var alive time.Duration

		if early := i > 0 && w.rng.IntN(3) == 0; early {
			// Before it is ready, or just after.
			alive = w.between(50*time.Millisecond, 1500*time.Millisecond)
		} else {
			w.one.ready(w.T, w.parley)
			alive = w.between(200*time.Millisecond, 2*time.Second)
		}

		time.Sleep(alive)

		if w.parley.ended() {
			w.Errorf("parley ended by itself: %v\n%s", w.parley.err, w.one.tail())

			return
		}

		how := w.end()
		if server != nil && w.rng.IntN(2) == 0 {
			server.kill()
			server.start(w.T)
		}

		down := w.between(0, 800*time.Millisecond)
		w.sayf("%s after %s, down for %s; since the last time %s", how, alive.Round(time.Millisecond), down.Round(time.Millisecond), w.turn())
		time.Sleep(down)
		w.parley = w.one.launch(w.T)

		if i%3 == 0 {
			w.one.ready(w.T, w.parley)
			w.watch(2)
		}
	}

	w.one.ready(w.T, w.parley)
	time.Sleep(w.between(500*time.Millisecond, 2*time.Second))
	w.conclude()
}

// end kills the program, or, at times, tells it to stop.
func (w *world) end() string {
	const patience = 20 * time.Second

	if !long() || w.rng.IntN(5) > 0 {
		w.kill()

		return "killed"
	}

	w.parley.signal(w.T, syscall.SIGTERM)

	if !w.parley.endedWithin(patience) {
		w.Errorf("parley did not stop within %s", patience)
	}

	w.kill()

	return "stopped"
}

// conclude brings everything to its end, judges it, kills the program once more
// and wants to find the same after it.
func (w *world) conclude() {
	w.silence()
	w.sayf("the traffic ends; since the last fault %s", w.turn())
	w.pushed()
	w.finish()

	first := w.rest()
	w.judge(first)

	if w.Failed() {
		return
	}

	w.kill()
	w.start()

	again := w.rest()
	for i, found := range again {
		if found.accepted != first[i].accepted || len(found.views) != len(first[i].views) {
			w.Errorf("%s had %d events in %d sessions, and after another start %d in %d", found.key, first[i].accepted, len(first[i].views),
				found.accepted, len(found.views))
		}
	}

	w.judgeRuns(again)
}
