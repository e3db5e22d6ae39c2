package faults_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// install is a data directory, a configuration and ports, which one program
// after the other uses.
type install struct {
	dir   string
	ports ports
	env   []string
	// log is what all of them printed.
	log *os.File
}

// ports are those that an installation keeps over its restarts.
type ports struct{ http, grpc, ui int }

// Ports are taken from below those that the system and the embedded server
// choose from: another program could get one while its owner is down.
const (
	firstPort = 10_000
	portCount = 10_000
)

// nextPort goes through them from a random one on.
var nextPort atomic.Int32 //nolint:gochecknoglobals // one for all scenarios

// freePorts finds three ports. A UDP socket of the same number keeps each from
// other tests that choose in this way, for as long as the test runs.
func freePorts(t *testing.T) ports {
	t.Helper()

	nextPort.CompareAndSwap(0, rand.Int32N(portCount)+1)

	var free [3]int

	for i := range free {
		for {
			free[i] = firstPort + int(nextPort.Add(1))%portCount
			if claim(t, free[i]) {
				break
			}
		}
	}

	return ports{http: free[0], grpc: free[1], ui: free[2]}
}

func claim(t *testing.T, port int) bool {
	t.Helper()

	address := fmt.Sprintf("127.0.0.1:%d", port)

	guard, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", address)
	if err != nil {
		return false
	}

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		_ = guard.Close()

		return false
	}

	_ = listener.Close()

	t.Cleanup(func() { _ = guard.Close() })

	return true
}

func newInstall(t *testing.T, dir, config string) *install {
	t.Helper()

	require.NoError(t, os.WriteFile(filepath.Join(dir, "parley.yaml"), []byte(config), 0o600))

	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })

	return &install{dir: dir, ports: freePorts(t), log: log}
}

// process is one running program.
type process struct {
	command *exec.Cmd
	done    chan struct{}
	err     error
}

// launch starts `parley start` and does not wait.
func (i *install) launch(t *testing.T, env ...string) *process {
	t.Helper()

	command := exec.Command(binary, "start")
	command.Dir = i.dir
	command.Env = append(os.Environ(),
		fmt.Sprintf("PARLEY_HTTP_ADDR=127.0.0.1:%d", i.ports.http),
		fmt.Sprintf("PARLEY_TEMPORAL_PORT=%d", i.ports.grpc),
		fmt.Sprintf("PARLEY_UI_PORT=%d", i.ports.ui),
		"PARLEY_DATA_DIR="+filepath.Join(i.dir, "data"),
		"PARLEY_CONFIG="+filepath.Join(i.dir, "parley.yaml"),
	)
	command.Env = append(append(command.Env, i.env...), env...)

	return run(t, command, i.log)
}

// run starts a command that prints to log and is gone when the test ends.
func run(t *testing.T, command *exec.Cmd, log *os.File) *process {
	t.Helper()

	command.Stdout, command.Stderr = log, log
	// Nobody stays behind, whatever happens to these tests.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	p := &process{command: command, done: make(chan struct{})}
	started := make(chan error, 1)

	// The death of the thread that started a process counts as the parent's.
	go func() {
		lockThread()

		err := command.Start()
		started <- err

		if err == nil {
			p.err = command.Wait()
		}

		close(p.done)
	}()

	require.NoError(t, <-started)
	t.Cleanup(p.kill)

	return p
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.done
}

// signal sends any other signal.
func (p *process) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(signal))
}

// ended reports whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// endedWithin waits for a process that is to end by itself.
func (p *process) endedWithin(patience time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(patience):
		return false
	}
}

// killedItself reports whether the process died of SIGKILL, as at a fault point.
func (p *process) killedItself() bool {
	status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)

	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func (i *install) url(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", i.ports.http, path)
}

// ready waits until the program says that it is.
func (i *install) ready(t *testing.T, p *process) {
	t.Helper()

	const patience = 60 * time.Second

	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		if p.ended() {
			require.FailNow(t, "parley ended", "%v\n%s", p.err, i.tail())
		}

		if status, _ := i.get("/readyz"); status == http.StatusOK {
			return
		}
	}

	require.FailNow(t, "parley did not become ready", i.tail())
}

// get returns the status and the body, 0 where there was no answer.
func (i *install) get(path string) (int, []byte) {
	return ask(http.MethodGet, i.url(path), http.NoBody)
}

func ask(method, url string, body io.Reader) (int, []byte) {
	ctx, cancel := background(10 * time.Second)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0, nil
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()

	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}

	return response.StatusCode, answer
}

// printed returns everything that the programs printed.
func (i *install) printed() string {
	text, err := os.ReadFile(i.log.Name())
	if err != nil {
		return err.Error()
	}

	return string(text)
}

// tail returns the end of it.
func (i *install) tail() string {
	const most = 60

	lines := strings.Split(i.printed(), "\n")

	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
