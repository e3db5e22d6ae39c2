package faults_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"github.com/parleyhq/parley/signals"
)

// temporalAway has Parley use a Temporal server of another process, which is
// stopped for a while, and then killed and started again. Webhooks are taken
// all the while; what was taken goes on by itself.
func temporalAway(w *world) {
	away := pick(10*time.Second, time.Minute)
	w.pace = pick(120*time.Millisecond, 300*time.Millisecond)

	server := w.apart()

	w.populate(pick(30, 48), false)
	w.start()
	w.post(6)
	w.watch(4)
	time.Sleep(w.between(time.Second, 3*time.Second))

	// Those that opened a moment ago have clocks that come due meanwhile.
	w.watch(4)
	w.sayf("before: %s", w.turn())
	server.signal(w.T, syscall.SIGSTOP)
	w.faults++
	w.absent("stopped", away)
	server.signal(w.T, syscall.SIGCONT)
	w.resumes()

	w.watch(4)
	w.turn()
	server.kill()
	w.faults++
	w.absent("killed", w.between(away/4, away/2))
	server.start(w.T)
	w.resumes()

	if long() {
		// The gateway dies, too, with everything in its inbox.
		w.watch(2)
		server.kill()
		w.absent("killed again", w.between(time.Second, 5*time.Second))
		w.kill()
		w.faults++
		time.Sleep(w.between(0, 2*time.Second))
		server.start(w.T)
		w.start()
	}

	w.conclude()
}

// apart gives the installation a Temporal server in a process of its own.
func (w *world) apart() *host {
	w.Helper()

	server := newHost(w.T, filepath.Join(w.one.dir, "temporal"), w.one.ports.grpc)
	server.start(w.T)
	w.one.env = append(w.one.env, fmt.Sprintf("TEMPORAL_ADDRESS=127.0.0.1:%d", w.one.ports.grpc), "TEMPORAL_NAMESPACE=default")

	return server
}

// absent lets the traffic go on while Temporal is away and wants every webhook
// accepted.
func (w *world) absent(how string, away time.Duration) {
	const bound = 3 * time.Second

	w.turn()

	// A conversation that begins now begins in the inbox.
	w.watch(1)
	time.Sleep(away)

	status, ready := w.one.get("/readyz")
	seen := w.turn()
	w.sayf("Temporal %s for %s: %s; /readyz %d", how, away, seen, status)

	if status != http.StatusServiceUnavailable || checkOf(ready, "temporal") == "ok" || checkOf(ready, "inbox") != "ok" {
		w.Errorf("/readyz does not say that Temporal is away, and nothing else: %d %s", status, ready)
	}

	seen.mu.Lock()
	defer seen.mu.Unlock()

	if seen.accepted == 0 || seen.lost+seen.away+len(seen.statuses) > 0 {
		w.Errorf("webhooks were not all accepted while Temporal was away: %d were, answers %v, %d unanswered, %d found nobody",
			seen.accepted, seen.statuses, seen.lost, seen.away)
	}

	if seen.slowest > bound {
		w.Errorf("a webhook was accepted after %s while Temporal was away", seen.slowest)
	}
}

// resumes waits until what is sent now is applied, without anybody's help.
func (w *world) resumes() {
	w.Helper()

	begun := time.Now()
	w.watch(1)
	probe := w.watching[len(w.watching)-1].key

	w.await(45*time.Second, func() bool {
		view, ok := w.view(probe, 0)

		return ok && view.Messages == signals.MessageCounts{Visitor: 1} && view.Pending == 0
	}, func() string {
		return "a webhook that came after Temporal was back is not applied: " + w.stuck([]signals.Key{probe})
	})
	w.sayf("a webhook that came after Temporal was back was applied within %s", time.Since(begun).Round(time.Millisecond))
}
