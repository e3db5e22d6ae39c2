package faults_test

import (
	"fmt"
	"time"
)

// The fault points of a program built with the tag faults (webhooks/inbox).
const (
	pointVariable = "PARLEY_FAULT_POINT"
	afterVariable = "PARLEY_FAULT_AFTER"

	beforeCommit = "before-commit"
	afterCommit  = "after-commit"
	afterSignal  = "after-signal"
)

// killedAtPoints has the program kill itself where it hurts most: before and
// after an inbox's commit, and between Temporal's answer and the inbox's mark.
// It stays down for longer than the grace of a close.
func killedAtPoints(w *world) {
	points := []string{afterSignal, beforeCommit, afterSignal, afterCommit, afterSignal}
	for range pick(0, w.rng.IntN(8)) {
		points = append(points, points[w.rng.IntN(len(points))])
	}

	w.populate(20, false)
	w.start()
	w.post(5)
	w.watch(3)
	w.kill()

	for _, point := range points {
		after := 1 + w.rng.IntN(80)
		w.parley = w.one.launch(w.T, pointVariable+"="+point, fmt.Sprintf("%s=%d", afterVariable, after))

		if !w.parley.endedWithin(60*time.Second) || !w.parley.killedItself() {
			w.Errorf("parley did not kill itself %s, at pass %d", point, after)

			return
		}

		w.faults++

		down := busyGrace + w.between(300*time.Millisecond, 1500*time.Millisecond)
		w.sayf("killed itself %s, at pass %d; down for %s; since the last time %s", point, after, down.Round(time.Millisecond), w.turn())
		time.Sleep(down)
	}

	w.start()
	w.watch(2)
	time.Sleep(w.between(500*time.Millisecond, 2*time.Second))
	w.conclude()
}
