package faults_test

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/parleyhq/parley/signals"
)

// The sources, each with a policy of its own.
const (
	// busy has short clocks and a short grace.
	busy = "busy"
	// watched is for visitors whom nobody answers.
	watched = "watched"
	// calm has no clock that comes due.
	calm = "calm"
)

// The policies' durations, as the configuration below has them.
const (
	busyGrace     = 1500 * time.Millisecond
	watchedFirst  = 1500 * time.Millisecond
	watchedRepeat = 2500 * time.Millisecond
	watchedPushes = 3
)

const configuration = `
policies:
  busy:
    unreplied: {first: 2s, repeat: 3s, max: 2}
    closeout:  {grace: 1500ms}
    notify:    {unreplied.pushed: [ops]}
  watched:
    unreplied: {first: 1500ms, repeat: 2500ms, max: 3}
    closeout:  {grace: 500ms}
    notify:    {unreplied.pushed: [ops]}
  calm:
    unreplied: {first: 2h}
    closeout:  {grace: 2h}
    notify:    {unreplied.pushed: [ops]}
sources:
  busy:    {dialect: parley, policy: busy}
  watched: {dialect: parley, policy: watched}
  calm:    {dialect: parley, policy: calm}
channels:
  ops: {kind: webhook, url: "%[1]s/pushes"}
tickets: {kind: webhook, url: "%[1]s/tickets"}
network: {allow: ["127.0.0.0/8"]}
`

// world is one scenario: an installation, its traffic, and the model of it.
type world struct {
	*testing.T

	name   string
	seed   uint64
	rng    *rand.Rand
	begun  time.Time
	one    *install
	parley *process
	ops    *receiver
	book   *ledger
	web    *http.Client

	stories []*story
	stop    chan struct{}
	hush    sync.Once
	posting sync.WaitGroup
	// over is set when the scenario ends, however it does.
	over atomic.Bool

	mu       sync.Mutex
	window   *window
	watching []*fact
	temporal client.Client
	faults   int
	heavies  int
	broken   atomic.Int32
	sum      totals
	// shaky clocks of the gateway: times are not judged.
	shaky bool
	// pace is how long a poster rests after a webhook, on the average half of it.
	pace time.Duration
	// roomy conversations have more than fits a transcript: only counts are
	// judged.
	roomy map[signals.Key]bool
	// cut conversations had a run terminated: what only that run knew is gone, its
	// counts, its transcript, its session. The archive is judged, and the end.
	cut map[signals.Key]bool
}

// newWorld prepares a scenario; nothing runs yet.
func newWorld(t *testing.T, name string, seed uint64) *world {
	t.Helper()

	dir, err := os.MkdirTemp("", "parley-faults-"+name+"-") //nolint:usetesting // -keep leaves it behind
	require.NoError(t, err)

	w := &world{
		T: t, name: name, seed: seed, begun: time.Now(), pace: 30 * time.Millisecond, book: newLedger(),
		roomy: map[signals.Key]bool{}, cut: map[signals.Key]bool{}, stop: make(chan struct{}),
	}
	t.Cleanup(func() {
		if t.Failed() && *keepFlag {
			t.Logf("kept: %s", dir)

			return
		}

		_ = os.RemoveAll(dir)
	})

	w.rng = w.fork("world")
	w.ops = newReceiver(t, w.fork("receiver"))
	w.one = newInstall(t, dir, fmt.Sprintf(configuration, w.ops.URL))
	w.window = newWindow()
	w.web = &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	t.Cleanup(func() {
		w.over.Store(true)
		w.silence()
		w.web.CloseIdleConnections()
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("what was printed last:\n" + w.one.tail())
		}
	})

	return w
}

// fork returns dice of their own for one part of the scenario: what else is
// thrown does not change them.
func (w *world) fork(part string) *rand.Rand {
	sum := fnv.New64a()
	fmt.Fprint(sum, w.name, "/", part)

	return rand.New(rand.NewPCG(w.seed, sum.Sum64()))
}

// again is the command that makes the same choices once more.
func (w *world) again() string {
	return fmt.Sprintf("go test ./tests/faults -v -count=1 -only %s -seed %d%s", w.name, w.seed, pick("", " -duration 1s"))
}

// Errorf reports what broke the promise; after so many times only that it was
// broken once more.
func (w *world) Errorf(format string, args ...any) {
	const most, longest = 25, 24 << 10

	w.Helper()

	if w.broken.Add(1) > most {
		w.Fail()

		return
	}

	w.T.Errorf("%s", signals.Cut(fmt.Sprintf(format, args...), longest))
}

// sayf tells what happens, with the time since the scenario began.
func (w *world) sayf(format string, args ...any) {
	w.Helper()
	w.Logf("%6.1fs  "+format, append([]any{time.Since(w.begun).Seconds()}, args...)...)
}

// between returns a random duration.
func (w *world) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.rng.Int64N(int64(to-from)+1))
}

// start starts the program and waits until it is ready.
func (w *world) start(env ...string) {
	w.Helper()

	w.parley = w.one.launch(w.T, env...)
	w.one.ready(w.T, w.parley)
}

// kill ends the program as a power cut would.
func (w *world) kill() {
	w.parley.kill()
	w.faults++
}

// client asks the installation's Temporal server, as any program does.
func (w *world) client() client.Client {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.temporal == nil {
		silent := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
		dialled, err := client.NewLazyClient(client.Options{HostPort: fmt.Sprintf("127.0.0.1:%d", w.one.ports.grpc), Logger: silent})
		require.NoError(w, err)
		w.Cleanup(dialled.Close)

		w.temporal = dialled
	}

	return w.temporal
}

// view reads a session of a conversation, 0 meaning the newest.
func (w *world) view(key signals.Key, session int) (signals.View, bool) {
	path := pathOf(key)
	if session > 0 {
		path += fmt.Sprintf("?session=%d", session)
	}

	var view signals.View

	ok := w.read(path, &view)

	return view, ok
}

func pathOf(key signals.Key) string {
	return "/v1/conversations/" + key.Source + "/" + key.Conversation
}

// dataDir is where the program keeps what it has.
func (w *world) dataDir() string { return filepath.Join(w.one.dir, "data") }

// totals are what a run counts.
type totals struct {
	plainTotals

	mu sync.Mutex
}

type plainTotals struct {
	Scenarios     int   `json:"scenarios"`
	Faults        int   `json:"faults"`
	Conversations int   `json:"conversations"`
	Sessions      int   `json:"sessions"`
	Tickets       int   `json:"tickets"`
	Pushes        int   `json:"pushes"`
	Accepted      int64 `json:"accepted"`
	Unknown       int64 `json:"unknown"`
	Repeated      int64 `json:"repeated"`
}

func (s *totals) add(more *totals) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.Scenarios++
	s.Faults += more.Faults
	s.Conversations += more.Conversations
	s.Sessions += more.Sessions
	s.Tickets += more.Tickets
	s.Pushes += more.Pushes
	s.Accepted += more.Accepted
	s.Unknown += more.Unknown
	s.Repeated += more.Repeated
}

func (s *totals) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	parts := []string{
		fmt.Sprintf("%d faults", s.Faults),
		fmt.Sprintf("%d conversations in %d sessions", s.Conversations, s.Sessions),
		fmt.Sprintf("%d events answered with 2xx and each there once", s.Accepted),
		fmt.Sprintf("%d without an answer and there at most once", s.Unknown),
		fmt.Sprintf("%d webhooks repeated", s.Repeated),
		fmt.Sprintf("%d tickets", s.Tickets),
		fmt.Sprintf("%d pushes", s.Pushes),
	}

	if s.Scenarios > 0 {
		parts = append([]string{fmt.Sprintf("%d scenarios", s.Scenarios)}, parts...)
	}

	return strings.Join(parts, ", ")
}

// report closes the scenario's account.
func (w *world) report() *totals {
	w.sum.Faults += w.faults
	if w.Failed() {
		w.sayf("failed; once more with the same choices: %s", w.again())

		return &totals{}
	}

	w.sayf("%s: %s", w.name, &w.sum)

	return &w.sum
}
