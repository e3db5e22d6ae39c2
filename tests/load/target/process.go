// Package target starts what is measured, each as a process of its own on free
// ports and a new data directory, and reads what it costs: processor time and
// memory from the operating system, bytes from its databases.
package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrEnded says that a process ended by itself.
var ErrEnded = errors.New("ended by itself")

// Spec is a program to start.
type Spec struct {
	// Name is shown.
	Name string
	// Command is the program and its arguments.
	Command []string
	// Config is the text of its configuration file; empty means none.
	Config []byte
	// Parent is where its directory is made.
	Parent string
}

// Process is a program that runs, or ran and is started again.
type Process struct {
	spec  Spec
	dir   string
	ports [4]int

	command *exec.Cmd
	ended   chan struct{}
}

// The ports of a process, all on 127.0.0.1.
const (
	portHTTP = iota
	portTemporal
	portUI
	portProfile
)

// loopback is the only address that anything here listens on or speaks to.
const loopback = "127.0.0.1"

// New prepares a process without starting it.
func New(ctx context.Context, spec Spec) (*Process, error) {
	dir, err := os.MkdirTemp(spec.Parent, "parley-load-"+spec.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for %s: %w", spec.Name, err)
	}

	p := &Process{spec: spec, dir: dir}

	if p.ports, err = freePorts(ctx); err == nil && len(spec.Config) > 0 {
		const fileMode = 0o600

		err = os.WriteFile(p.config(), spec.Config, fileMode)
	}

	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", spec.Name, err), p.Remove())
	}

	return p, nil
}

// freePorts looks below those that the system itself gives to connections: one
// of them would be taken while the process is down.
func freePorts(ctx context.Context) ([4]int, error) {
	const (
		first = 10_000
		count = 20_000
		tries = 200
	)

	var ports [4]int

	from := rand.IntN(count)

	for i, found := 0, 0; i < tries; i++ {
		port := first + (from+i)%count

		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			continue
		}

		if err := listener.Close(); err != nil {
			return ports, fmt.Errorf("release port %d: %w", port, err)
		}

		ports[found] = port
		found++

		if found == len(ports) {
			return ports, nil
		}
	}

	return ports, errors.New("no free ports")
}

// Start starts the program and returns at once.
func (p *Process) Start() error {
	// It is ended with Kill, and by the system when this program ends.
	p.command = exec.Command(p.spec.Command[0], p.spec.Command[1:]...)
	p.command.Dir = p.dir
	p.command.Env = append(os.Environ(),
		"PARLEY_HTTP_ADDR="+p.addr(portHTTP),
		"PARLEY_TEMPORAL_PORT="+strconv.Itoa(p.ports[portTemporal]),
		"PARLEY_UI_PORT="+strconv.Itoa(p.ports[portUI]),
		"PARLEY_PPROF_ADDR="+p.addr(portProfile),
		"PARLEY_DATA_DIR="+p.DataDir(),
		"PARLEY_CONFIG="+p.config(),
		"TEMPORAL_ADDRESS=",
	)
	p.command.SysProcAttr = apart()

	const fileMode = 0o600

	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.spec.Name, err)
	}

	p.command.Stdout, p.command.Stderr = log, log
	err = p.command.Start()

	if err := errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("start %s: %w", p.spec.Name, err)
	}

	p.ended = make(chan struct{})

	go func(command *exec.Cmd, ended chan struct{}) {
		// How it ended is asked of its state.
		_ = command.Wait()

		close(ended)
	}(p.command, p.ended)

	return nil
}

// AwaitReady waits until /readyz answers 200.
func (p *Process) AwaitReady(ctx context.Context) error {
	const (
		patience = 60 * time.Second
		every    = 10 * time.Millisecond
	)

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	for {
		if p.ready(ctx) {
			return nil
		}

		select {
		case <-p.ended:
			return fmt.Errorf("%s %w: %s", p.spec.Name, ErrEnded, p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", p.spec.Name, ctx.Err(), p.Tail())
		case <-time.After(every):
		}
	}
}

func (p *Process) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/readyz", http.NoBody)
	if err != nil {
		return false
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}

	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// Alive is an error that says how the process ended, or nil while it runs.
func (p *Process) Alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s %w (%s): %s", p.spec.Name, ErrEnded, p.command.ProcessState, p.Tail())
	default:
		return nil
	}
}

// Kill ends the process as a power cut would.
func (p *Process) Kill() {
	if p.ended == nil {
		return
	}

	// One that has ended already cannot be killed.
	_ = p.command.Process.Signal(syscall.SIGKILL)

	<-p.ended
}

// Remove kills the process and removes its directory.
func (p *Process) Remove() error {
	p.Kill()

	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("remove the directory of %s: %w", p.spec.Name, err)
	}

	return nil
}

// URL is where the process takes webhooks.
func (p *Process) URL() string { return "http://" + p.addr(portHTTP) }

// Temporal is the address of its Temporal frontend, if it has one.
func (p *Process) Temporal() string { return p.addr(portTemporal) }

// Profile is where it offers Go's profiles, if it does.
func (p *Process) Profile() string { return "http://" + p.addr(portProfile) }

// DataDir is its data directory.
func (p *Process) DataDir() string { return filepath.Join(p.dir, "data") }

// PID is its process id.
func (p *Process) PID() int { return p.command.Process.Pid }

// Tail is the end of what it printed.
func (p *Process) Tail() string {
	const most = 2000

	text, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}

	return string(bytes.TrimSpace(text[max(0, len(text)-most):]))
}

func (p *Process) addr(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(p.ports[port]))
}
func (p *Process) config() string  { return filepath.Join(p.dir, "parley.yaml") }
func (p *Process) logFile() string { return filepath.Join(p.dir, "log") }
