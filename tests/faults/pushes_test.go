package faults_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// pushed waits until every watched conversation has had its last push, and it
// was taken; then it closes them.
func (w *world) pushed() {
	w.Helper()
	w.ops.behave()

	var missing []string

	w.await(settled, func() bool {
		missing = missing[:0]

		for _, f := range w.watching {
			if !w.ops.took(f.text, watchedPushes) {
				missing = append(missing, f.key.String())
			}
		}

		return len(missing) == 0
	}, func() string {
		return fmt.Sprintf("push %d was not delivered: %s", watchedPushes, strings.Join(missing, " "))
	})

	for _, f := range w.watching {
		told := newStory(w.T, w.book, f.key, style{natural: true}, w.fork("close "+f.key.Conversation))
		told.events, told.session = 1, 1
		w.insist(told.close())
	}
}

// judgePushes: each push that was decided has one id, and the other way round;
// it was delivered, or was over before it could be; none came early.
func (w *world) judgePushes(verdicts []*verdict) {
	decided := map[signals.Key]int{}

	for _, found := range verdicts {
		if w.roomy[found.key] {
			continue // its timeline has forgotten most of them
		}

		for i := range found.views {
			decided[found.key] += len(pushLines(&found.views[i]))
		}
	}

	for _, f := range w.watching {
		for _, found := range verdicts {
			if found.key == f.key {
				w.judgeWatched(f, found)
			}
		}
	}

	w.judgeIDs()

	for key, n := range decided {
		w.judgeDelivery(key, n)
		w.sum.Pushes += n
	}
}

// pushLines are the pushes that a session's timeline tells of.
func pushLines(view *signals.View) []string {
	var lines []string

	for _, entry := range view.Timeline {
		if entry.Type == signals.UnrepliedPushed {
			lines = append(lines, entry.Text)
		}
	}

	return lines
}

// judgeWatched: every clock fired, and each once.
func (w *world) judgeWatched(f *fact, found *verdict) {
	if len(found.views) == 0 {
		return
	}

	lines := pushLines(&found.views[0])
	good := len(lines) == watchedPushes

	for i := range min(len(lines), watchedPushes) {
		good = good && strings.HasPrefix(lines[i], fmt.Sprintf("push %d of %d ", i+1, watchedPushes))
	}

	if !good {
		w.Errorf("%s: its clocks fired so: %q\n%s", f.key, lines, w.history(f.key.WorkflowID()))
	}
}

// judgeIDs: one id per push and one push per id.
func (w *world) judgeIDs() {
	const slack = 50 * time.Millisecond

	byPush := map[string]string{}
	sent := map[string]time.Time{}

	for _, f := range w.watching {
		sent[f.text] = f.event.At
	}

	w.ops.mu.Lock()
	defer w.ops.mu.Unlock()

	for id, got := range w.ops.pushes {
		name := fmt.Sprintf("push %d about %q", got.number, got.text)
		if other, twice := byPush[name]; twice {
			w.Errorf("%s came as %s and as %s", name, other, id)
		}

		byPush[name] = id

		at, known := sent[got.text]
		if due := at.Add(watchedFirst + time.Duration(got.number-1)*watchedRepeat); known && !w.shaky && got.first.Before(due.Add(-slack)) {
			w.Errorf("%s came %s early", name, due.Sub(got.first))
		}
	}
}

// judgeDelivery: what was decided was delivered, or was called back or expired
// before it could be.
func (w *world) judgeDelivery(key signals.Key, decided int) {
	if decided == 0 {
		return
	}

	var state delivery.State

	w.await(20*time.Second, func() bool {
		ctx, cancel := background(5 * time.Second)
		defer cancel()

		answer, err := w.client().QueryWorkflow(ctx, key.DeliveryID("ops"), "", signals.StateQuery)
		if err != nil {
			return false
		}

		state = delivery.State{}

		return answer.Get(&state) == nil && state.Pending == nil &&
			state.Counts.Delivered+state.Counts.Expired+state.Counts.Cancelled == int64(decided) && state.Counts.Failed+state.Counts.Rejected == 0
	}, func() string {
		return fmt.Sprintf("%s decided %d pushes, and its delivery has %+v, pending %+v\n%s\n%s", key, decided, state.Counts, state.Pending,
			w.history(key.DeliveryID("ops")), w.history(key.WorkflowID()))
	})
}
