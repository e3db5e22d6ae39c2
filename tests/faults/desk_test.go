package faults_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// front is the source whose conversations a desk of the same name gives to
// agents.
const front = "front"

const deskConfiguration = `
policies:
  front:
    unreplied: {first: 2h}
    accept:    {timeout: 1200ms, rounds: %[2]d, pause: 300ms}
    reassign:  {after: 2500ms, offline_grace: 700ms}
    queue:     {max_wait: 0s, abandon: 3s}
    closeout:  {grace: 2s, skip_empty: false}
sources:
  front: {dialect: parley, policy: front, routing: desk, desk: front}
  busy:  {dialect: parley, policy: front}
desks:
  front: {strategy: %[3]s, wrapup: %[4]s, agents: [{id: ann, slots: 1}, {id: bob, slots: 1}, {id: cat, slots: 2}, {id: dan, slots: 2}]}
tickets: {kind: webhook, url: "%[1]s/tickets"}
network: {allow: ["127.0.0.0/8"]}
`

// deskSlots are the agents and their slots, as the configuration has them.
func deskSlots() map[string]int { return map[string]int{"ann": 1, "bob": 1, "cat": 2, "dan": 2} }

func deskAgents() []string { return slices.Sorted(maps.Keys(deskSlots())) }

// patienceOfDesks is how long a desk and its conversations may take to agree once
// all is quiet. What nobody took in any round waits a minute before it is offered
// to the same agents again, and a conversation that was terminated and is never
// heard again keeps its slot for a minute or two.
const patienceOfDesks = 150 * time.Second

// office is a desk under attack: its visitors, its agents, and what is known of
// them. Each conversation's events are made one after the other and sent together,
// some of them several times, so that they come in any order.
type office struct {
	*world

	guests []*guest
	// moments are those at which a kill hurts most.
	moments chan moment
	// errands are webhooks on their way, shifts the agents.
	errands atomic.Int64
	shifts  sync.WaitGroup

	mu sync.Mutex
	// phase is how far the scenario has come.
	phase phase
	// taken are the accepts that were answered with 2xx.
	taken []taking
	// seen are the invitations that their agents have thought about.
	seen map[string]bool
	// deskCut is when the desk was first terminated.
	deskCut time.Time
}

type phase int

const (
	// Before it everybody does what comes to mind.
	_ phase = iota
	// quiet: visitors wait; agents accept, answer and keep what they have.
	quiet
	// closing: agents also close what they have.
	closing
	// over: nobody does anything any more.
	over
)

// taking is an accept that was answered with 2xx.
type taking struct {
	key         signals.Key
	agent       string
	asked, told time.Time
}

// moment is something that just happened, or that is due.
type moment struct {
	what string
	due  time.Time
}

// The moments that a kill aims at.
const (
	escalated = "escalated"
	offered   = "offered"
	accepting = "accepting"
	taken     = "taken"
	declined  = "declined"
	expiring  = "expiring"
	closed    = "closed"
	returned  = "returned"
)

func newOffice(w *world) *office {
	o := &office{world: w, moments: make(chan moment, 16), seen: map[string]bool{}}

	// With few rounds conversations wait a minute between the last and the next.
	rounds := pick(50, []int{2, 50}[w.rng.IntN(2)])
	strategy := []string{"least_busy", "longest_idle", "round_robin", "priority"}[w.rng.IntN(4)]
	wrapup := []string{"0s", "200ms"}[w.rng.IntN(2)]
	config := fmt.Sprintf(deskConfiguration, w.ops.URL, rounds, strategy, wrapup)
	require.NoError(w, os.WriteFile(filepath.Join(w.one.dir, "parley.yaml"), []byte(config), 0o600))

	for i := range pick(14, 18) {
		key := signals.Key{Source: front, Conversation: fmt.Sprintf("%s-%d", w.name, i)}
		told := newStory(w.T, w.book, key, style{natural: true}, w.fork(key.Conversation))
		o.guests = append(o.guests, &guest{office: o, told: told, rng: w.fork("guest " + key.Conversation)})
	}

	w.Cleanup(func() {
		w.over.Store(true)
		w.hush.Do(func() { close(w.stop) })
		o.shifts.Wait()
		o.back()
	})
	w.sayf("a desk that asks by %s, %d rounds, wrap-up %s", strategy, rounds, wrapup)

	return o
}

// open lets everybody come.
func (o *office) open() {
	for _, g := range o.guests {
		o.posting.Go(g.run)
	}

	o.shifts.Go(o.attend)
	o.posting.Go(o.comeAndGo)
	o.posting.Go(o.supervise)
}

// back waits for all webhooks that are on their way: each of them gives up after a
// while.
func (o *office) back() {
	for o.errands.Load() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

func (o *office) is(p phase) bool {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.phase >= p
}

func (o *office) enter(p phase) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.phase = p
}

// now says that something just happened to whoever waits for that.
func (o *office) now(what string) { o.at(what, time.Time{}) }

func (o *office) at(what string, due time.Time) {
	select {
	case o.moments <- moment{what: what, due: due}:
	default:
	}
}

// until waits for a moment, at most for a while, and a little longer; it reports
// whether the moment came.
func (o *office) until(what string) bool {
	const patience = 5 * time.Second

	for len(o.moments) > 0 {
		<-o.moments // long ago
	}

	for late := time.After(patience); ; {
		select {
		case <-late:
			return false
		case m := <-o.moments:
			if m.what != what {
				continue
			}

			// Before and after what is due, else just after what happened.
			if m.due.IsZero() {
				time.Sleep(o.between(0, 60*time.Millisecond))
			} else {
				time.Sleep(time.Until(m.due) + o.between(-80*time.Millisecond, 120*time.Millisecond))
			}

			return true
		}
	}
}

// pause waits between two things that somebody does; false when there is no next.
func (o *office) pause(rng *rand.Rand, from, to time.Duration) bool {
	select {
	case <-o.stop:
		return false
	case <-time.After(from + time.Duration(rng.Int64N(int64(to-from)+1))):
		return true
	}
}

// deskKilled kills the program at the moments around an invitation, or makes it
// slow, while visitors come and go, and agents, too.
func deskKilled(w *world) {
	o := newOffice(w)
	w.start()
	o.open()

	aims := []string{escalated, offered, accepting, taken, declined, expiring, closed, returned, "", ""}
	w.rng.Shuffle(len(aims), func(i, j int) { aims[i], aims[j] = aims[j], aims[i] })

	for _, aim := range aims[:pick(6, len(aims))] {
		o.strike(aim)
	}

	o.conclude()
}

// strike has the program run for a while and kills it, or stops it for longer than
// an agent has to accept.
func (o *office) strike(aim string) {
	o.one.ready(o.T, o.parley)

	alive := o.between(500*time.Millisecond, pick(2*time.Second, 4*time.Second))
	time.Sleep(alive)

	came := aim != "" && o.until(aim)

	if o.parley.ended() {
		o.Errorf("parley ended by itself: %v\n%s", o.parley.err, o.one.tail())

		return
	}

	if o.rng.IntN(6) == 0 {
		slow := o.between(200*time.Millisecond, 3*time.Second)
		o.parley.signal(o.T, syscall.SIGSTOP)
		time.Sleep(slow)
		o.parley.signal(o.T, syscall.SIGCONT)

		o.faults++
		o.sayf("stopped for %s; aim %q, reached %t; since the last time %s", slow.Round(time.Millisecond), aim, came, o.turn())

		return
	}

	o.kill()

	down := o.between(0, pick(1200*time.Millisecond, 2500*time.Millisecond))
	o.sayf("killed; aim %q, reached %t; down for %s; since the last time %s", aim, came, down.Round(time.Millisecond), o.turn())
	time.Sleep(down)
	o.parley = o.one.launch(o.T)

	switch o.rng.IntN(6) {
	case 0:
		o.early()
	case 1:
		o.point()
	default:
	}
}

// early kills the program before it is ready, or just after.
func (o *office) early() {
	for range pick(1, 1+o.rng.IntN(4)) {
		time.Sleep(o.between(50*time.Millisecond, 1500*time.Millisecond))
		o.kill()
		o.sayf("killed before it was ready, or just after")
		o.parley = o.one.launch(o.T)
	}
}

// point has the program kill itself at a point of its inbox, if it gets there.
func (o *office) point() {
	const patience = 8 * time.Second

	o.kill()

	point, after := one(o.rng, beforeCommit, afterCommit, afterSignal), 1+o.rng.IntN(20)
	o.parley = o.one.launch(o.T, pointVariable+"="+point, fmt.Sprintf("%s=%d", afterVariable, after))
	itself := o.parley.endedWithin(patience)
	o.kill()
	o.sayf("killed %s, at pass %d; by itself %t", point, after, itself)
	o.parley = o.one.launch(o.T)
}

// deskAway stops and kills the Temporal server under a desk: agents see nothing
// and get no answers, and webhooks are taken all the while.
func deskAway(w *world) {
	o := newOffice(w)
	server := w.apart()
	w.start()
	o.open()
	time.Sleep(w.between(2*time.Second, 4*time.Second))

	for range pick(1, 2) {
		away := w.between(3*time.Second, pick(4*time.Second, 20*time.Second))

		o.until([]string{offered, taken, closed}[w.rng.IntN(3)])
		server.signal(w.T, syscall.SIGSTOP)
		w.faults++
		time.Sleep(away)
		server.signal(w.T, syscall.SIGCONT)
		w.sayf("Temporal was stopped for %s: %s", away.Round(time.Millisecond), w.turn())
		time.Sleep(w.between(2*time.Second, 4*time.Second))

		o.until([]string{offered, accepting, taken, closed}[w.rng.IntN(4)])
		server.kill()
		w.faults++

		if w.rng.IntN(2) == 0 {
			w.kill()
			time.Sleep(w.between(0, time.Second))
			server.start(w.T)
			w.start()
		} else {
			time.Sleep(w.between(0, 3*time.Second))
			server.start(w.T)
		}

		w.sayf("Temporal was killed: %s", w.turn())
		time.Sleep(w.between(2*time.Second, 4*time.Second))
	}

	o.conclude()
}

// deskCut terminates conversations and the desk, as an operator does through
// Temporal, and kills the program between.
func deskCut(w *world) {
	o := newOffice(w)
	w.start()
	o.open()

	for range pick(2, 4) {
		o.until([]string{offered, taken, closed, escalated}[w.rng.IntN(4)])
		o.terminate(o.someone().told.key)
		time.Sleep(w.between(500*time.Millisecond, 2*time.Second))
	}

	o.strike(offered)
	o.one.ready(w.T, w.parley)

	for range pick(1, w.rng.IntN(3)) {
		o.until([]string{offered, accepting, taken, closed}[w.rng.IntN(4)])
		o.terminateDesk()

		if w.rng.IntN(2) == 0 {
			o.terminate(o.someone().told.key)
		}

		time.Sleep(w.between(time.Second, 3*time.Second))
		o.strike("")
		o.one.ready(w.T, w.parley)
	}

	o.conclude()
}

func (o *office) someone() *guest { return o.guests[o.rng.IntN(len(o.guests))] }

// terminate ends a conversation's run, if it has one.
func (o *office) terminate(key signals.Key) {
	if o.end(key.WorkflowID()) {
		o.mu.Lock()
		o.cut[key] = true
		o.mu.Unlock()
	}
}

func (o *office) terminateDesk() {
	o.mu.Lock()
	if o.deskCut.IsZero() {
		o.deskCut = time.Now()
	}
	o.mu.Unlock()

	o.end(signals.DeskWorkflowID(front))
}

// end terminates a workflow, and reports whether it ran, as far as is known.
func (o *office) end(id string) bool {
	const patience = 10 * time.Second

	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := background(2 * time.Second)
		err := o.client().TerminateWorkflow(ctx, id, "", "an operator's mistake")

		cancel()

		switch {
		case err == nil:
			o.world.mu.Lock()
			o.faults++
			o.world.mu.Unlock()
			o.sayf("terminated %s", id)

			return true
		case strings.Contains(err.Error(), "already completed"), strings.Contains(err.Error(), "not found"):
			return false
		}
	}

	o.Errorf("%s could not be terminated", id)

	return true
}

// command asks for something of a conversation and returns the answer's status, 0
// for none.
func (o *office) command(key signals.Key, verb, body string) int {
	status, answer := ask(http.MethodPost, o.one.url(pathOf(key)+"/"+verb), strings.NewReader(body))

	switch status {
	case 0, http.StatusOK, http.StatusConflict, http.StatusNotFound, http.StatusServiceUnavailable:
	default:
		o.Errorf("%s of %s was answered %d: %s", verb, key, status, answer)
	}

	return status
}

// conclude lets everybody serve what is left, and judges it.
func (o *office) conclude() {
	o.silence()
	o.back()
	o.sayf("the visitors are quiet; since the last fault %s", o.turn())
	o.ops.behave()
	o.one.ready(o.T, o.parley)
	o.enter(quiet)

	for _, agent := range deskAgents() {
		o.put(agent, signals.AgentAccepting)
	}

	o.settle()
	o.enter(closing)

	first := o.rest()
	o.agree()
	o.judge(first)
	o.judgeDesk(first)

	if o.Failed() {
		return
	}

	o.kill()
	o.start()
	o.judgeRuns(o.rest())
	o.agree()
	o.enter(over)
}
