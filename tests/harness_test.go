package tests_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/parleyhq/parley/signals"
)

// binary is the program under test, built once as `go run` builds it.
var binary string //nolint:gochecknoglobals // set by TestMain only

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if os.Getenv(replayUncached) != "" {
		return m.Run() // replays only
	}

	if err := waitTogether(); err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	dir, err := os.MkdirTemp("", "parley-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	defer func() { _ = os.RemoveAll(dir) }()

	binary = filepath.Join(dir, "parley")

	build := exec.Command("go", "build", "-o", binary, "github.com/parleyhq/parley/cmd/parley")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr

	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the binary:", err)

		return 1
	}

	return m.Run()
}

// waitTogether runs more tests at once than there are processors, unless told
// otherwise: most of them wait for clocks and processes.
func waitTogether() error {
	const parallel, together = "test.parallel", 5

	flag.Parse()

	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == parallel })

	if told || runtime.GOMAXPROCS(0) >= together {
		return nil
	}

	return flag.Set(parallel, strconv.Itoa(together))
}

// process is one running `parley start`.
type process struct {
	*transcript

	t       *testing.T
	command *exec.Cmd
	ports   ports
	dir     string
	done    chan struct{}
}

// transcript is what a process printed, and how it ended.
type transcript struct {
	mu    sync.Mutex
	lines []outLine
	err   error

	dialled client.Client
}

// temporal is a client of the process's own server, as any program has one.
func (p *process) temporal() client.Client {
	p.t.Helper()

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.dialled == nil {
		silent := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
		dialled, err := client.NewLazyClient(client.Options{HostPort: fmt.Sprintf("127.0.0.1:%d", p.ports.grpc), Logger: silent})
		require.NoError(p.t, err)

		p.dialled = dialled
	}

	return p.dialled
}

// with returns the same process for another test, such as a subtest.
func (p *process) with(t *testing.T) *process {
	t.Helper()

	other := *p
	other.t = t

	return &other
}

type outLine struct {
	at   time.Time
	text string
}

// ports are those that one installation keeps over its restarts.
type ports struct{ http, grpc, ui int }

// The ports of installations lie below those that the system itself gives to
// connections, and below those that the program chooses for its own use (see
// worker/embedded): either would take one while its installation is down.
const (
	firstPort = 10_000
	portCount = 10_000
)

func freePorts(t *testing.T) ports {
	t.Helper()

	return ports{http: freePort(t), grpc: freePort(t), ui: freePort(t)}
}

// freePort chooses a port, and keeps it for the test by a UDP socket of the same
// number. All tests choose by it, in this process and in others at the same time,
// and it is in nobody's way who listens for TCP.
func freePort(t *testing.T) int {
	t.Helper()

	var config net.ListenConfig

	for {
		port := firstPort + rand.IntN(portCount)
		address := fmt.Sprintf("127.0.0.1:%d", port)

		guard, err := config.ListenPacket(t.Context(), "udp", address)
		if err != nil {
			require.ErrorIs(t, err, syscall.EADDRINUSE)

			continue
		}

		listener, err := config.Listen(t.Context(), "tcp", address)
		if err != nil {
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			require.NoError(t, guard.Close())

			continue
		}

		require.NoError(t, listener.Close())
		t.Cleanup(func() { require.NoError(t, guard.Close()) })

		return port
	}
}

// install is a data directory, a configuration and ports.
type install struct {
	dir   string
	ports ports
	flags []string
	env   []string
}

// newInstall prepares an installation with this configuration file; an empty
// one means none.
func newInstall(t *testing.T, config string, flags ...string) *install {
	t.Helper()

	one := &install{dir: t.TempDir(), ports: freePorts(t), flags: flags}
	if config != "" {
		require.NoError(t, os.WriteFile(filepath.Join(one.dir, "parley.yaml"), []byte(config), 0o600))
	}

	return one
}

func (i *install) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, binary, args...)
	command.Dir = i.dir
	command.Env = append(os.Environ(),
		fmt.Sprintf("PARLEY_HTTP_ADDR=127.0.0.1:%d", i.ports.http),
		fmt.Sprintf("PARLEY_TEMPORAL_PORT=%d", i.ports.grpc),
		fmt.Sprintf("PARLEY_UI_PORT=%d", i.ports.ui),
		"PARLEY_DATA_DIR="+filepath.Join(i.dir, "data"),
	)
	command.Env = append(command.Env, i.env...)

	return command
}

// start starts the program and waits until it is ready.
func (i *install) start(t *testing.T) *process {
	t.Helper()

	p := i.launch(t)

	require.Eventually(t, func() bool {
		select {
		case <-p.done:
			return true
		default:
			return p.status("/readyz") == http.StatusOK
		}
	}, 60*time.Second, 20*time.Millisecond, "parley did not become ready")

	select {
	case <-p.done:
		require.FailNow(t, "parley ended", p.output())
	default:
	}

	return p
}

// launch starts the program and does not wait.
func (i *install) launch(t *testing.T) *process {
	t.Helper()

	p := &process{t: t, ports: i.ports, dir: i.dir, done: make(chan struct{}), transcript: &transcript{}}
	p.command = i.command(context.Background(), append([]string{"start"}, i.flags...)...)

	reader, writer := io.Pipe()
	p.command.Stdout, p.command.Stderr = writer, writer

	require.NoError(t, p.command.Start())

	printed := make(chan struct{})

	go func() {
		defer close(printed)

		p.read(reader)
	}()

	go func() {
		err := p.command.Wait()
		_ = writer.Close()

		<-printed

		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(p.done)
	}()

	t.Cleanup(func() {
		if p.dialled != nil {
			p.dialled.Close()
		}

		select {
		case <-p.done:
		default:
			p.kill()
		}

		if t.Failed() {
			t.Log(p.output())
		}
	})

	return p
}

func (p *process) read(reader io.Reader) {
	scanner := bufio.NewScanner(reader)
	scanner.Buffer(nil, 1<<20)

	for scanner.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, outLine{at: time.Now(), text: scanner.Text()})
		p.mu.Unlock()
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()

	var text strings.Builder
	for _, line := range p.lines {
		text.WriteString(line.at.Format("15:04:05.000 ") + line.text + "\n")
	}

	return text.String()
}

// printed returns the lines that hold every one of the words.
func (p *process) printed(words ...string) []outLine {
	p.mu.Lock()
	defer p.mu.Unlock()

	var found []outLine

	for _, line := range p.lines {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line.text, word)
		}

		if all {
			found = append(found, line)
		}
	}

	return found
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.done
}

// stop asks the process to end and returns how long that took.
func (p *process) stop(signal syscall.Signal) time.Duration {
	p.t.Helper()

	begun := time.Now()
	require.NoError(p.t, p.command.Process.Signal(signal))

	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.kill()
		require.FailNow(p.t, "parley did not stop", p.output())
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	require.NoError(p.t, p.err, "the exit code of a clean stop is 0")

	return time.Since(begun)
}

func (p *process) url(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", p.ports.http, path)
}

func (p *process) status(path string) int {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.url(path), http.NoBody)
	if err != nil {
		return 0
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}

	_ = response.Body.Close()

	return response.StatusCode
}

// do sends a request and returns the status and the body; it fails the test
// only where there is no answer at all.
func (p *process) do(method, path string, body any, header ...string) (int, []byte) {
	p.t.Helper()

	var reader io.Reader = http.NoBody

	switch body := body.(type) {
	case nil:
	case []byte:
		reader = bytes.NewReader(body)
	case string:
		reader = strings.NewReader(body)
	default:
		encoded, err := json.Marshal(body)
		require.NoError(p.t, err)

		reader = bytes.NewReader(encoded)
	}

	request, err := http.NewRequestWithContext(context.Background(), method, p.url(path), reader)
	require.NoError(p.t, err)

	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}

		request.Header.Set(header[i], header[i+1])
	}

	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)

	defer func() { require.NoError(p.t, response.Body.Close()) }()

	answer, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)

	return response.StatusCode, answer
}

// post sends a webhook and wants it accepted.
func (p *process) post(path string, body any) {
	p.t.Helper()

	status, answer := p.do(http.MethodPost, path, body)
	require.Equal(p.t, http.StatusOK, status, string(answer))
}

// view reads a conversation.
func (p *process) view(key signals.Key) (signals.View, bool) {
	p.t.Helper()

	status, answer := p.do(http.MethodGet, conversationPath(key), nil)
	if status != http.StatusOK {
		return signals.View{}, false
	}

	var view signals.View
	require.NoError(p.t, json.Unmarshal(answer, &view), string(answer))

	return view, true
}

// eventually waits until a conversation is as it should be.
func (p *process) eventually(key signals.Key, patience time.Duration, what string, holds func(signals.View) bool) signals.View {
	p.t.Helper()

	var last signals.View

	require.Eventually(p.t, func() bool {
		view, ok := p.view(key)
		last = view

		return ok && holds(view)
	}, patience, 50*time.Millisecond, what)

	return last
}

// withTicket holds once a session is closed and its ticket decided: the run says
// that it is closed a moment before.
func withTicket(v signals.View) bool { return v.Status == signals.StatusClosed && v.Ticket != nil }

func conversationPath(key signals.Key) string {
	return "/v1/conversations/" + key.Source + "/" + url.PathEscape(key.Conversation)
}

var errNoExit = errors.New("still running")

// exit waits for a process that must end by itself, and returns its exit code
// and what it printed.
func (p *process) exit(patience time.Duration) (int, string, error) {
	select {
	case <-p.done:
		return p.command.ProcessState.ExitCode(), p.output(), nil
	case <-time.After(patience):
		return 0, p.output(), errNoExit
	}
}
