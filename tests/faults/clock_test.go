package faults_test

import (
	"os"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"
)

// clockVariable names a file with how far the gateway's clock is from the
// machine's, in a program built with the tag faults. Temporal's is not moved.
const clockVariable = "PARLEY_FAULT_CLOCK_FILE"

// clocksJump moves the gateway's clock ahead and back by seconds, hours and
// days while webhooks come in, and kills the program in between: it starts under
// a wrong time.
func clocksJump(w *world) {
	w.shaky = true
	file := filepath.Join(w.one.dir, "clock")
	w.one.env = append(w.one.env, clockVariable+"="+file)
	w.jump(file, 0)

	w.populate(16, true)

	for _, told := range w.stories {
		// Without threads a session's end is told from the next one's beginning
		// by time alone, and that is what is wrong here.
		told.style.threaded = true
	}

	w.start()
	w.post(5)
	w.watch(3)

	offsets := []time.Duration{
		2 * time.Second, -2 * time.Second, 5 * time.Minute, -5 * time.Minute, time.Hour, -time.Hour, 25 * time.Hour, -26 * time.Hour,
	}
	w.rng.Shuffle(len(offsets), func(i, j int) { offsets[i], offsets[j] = offsets[j], offsets[i] })

	for i, offset := range offsets {
		w.jump(file, offset)
		w.faults++
		w.watch(1)
		w.off(w.watching[len(w.watching)-1], offset)
		time.Sleep(w.between(500*time.Millisecond, 1500*time.Millisecond))

		if i%3 == 2 {
			w.kill()
			w.start()
		}

		w.sayf("the gateway's clock is off by %s: %s", offset, w.turn())
	}

	w.jump(file, 0)
	time.Sleep(w.between(500*time.Millisecond, 2*time.Second))
	w.conclude()
}

// off wants what came a moment ago to be received by a clock that is off by so
// much.
func (w *world) off(f *fact, offset time.Duration) {
	w.Helper()

	const slack = 5 * time.Second

	all, ok := w.archive(f.key)
	if !ok || len(all) != 1 {
		w.Errorf("the archive of %s has %d events", f.key, len(all))

		return
	}

	if got := all[0].ReceivedAt.Sub(f.event.At); (got - offset).Abs() > slack {
		w.Errorf("%s was received %s after it was sent by a clock that is off by %s: is the program built with the tag faults?",
			f.key, got, offset)
	}
}

// jump moves the gateway's clock.
func (w *world) jump(file string, offset time.Duration) {
	w.Helper()

	fresh := file + ".new"
	require.NoError(w, os.WriteFile(fresh, []byte(offset.String()), 0o600))
	require.NoError(w, os.Rename(fresh, file))
}
