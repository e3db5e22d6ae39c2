package faults_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// diskFull has the data directory on a small tmpfs, which others fill. The
// tmpfs is in a mount namespace: this test's program runs itself once more,
// inside of it.
func diskFull(w *world) {
	if os.Getenv(insideVariable) != "" {
		diskFills(w)

		return
	}

	args := []string{
		"-test.run=^TestFaults$", "-test.v", "-test.timeout=0", "-only=disk", fmt.Sprintf("-seed=%d", w.seed), "-binary=" + binary,
		fmt.Sprintf("-keep=%t", *keepFlag), pick("-duration=0s", "-duration=1s"),
	}

	program, err := os.Executable()
	require.NoError(w, err)

	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), insideVariable+"="+filepath.Join(w.one.dir, "totals"))
	command.SysProcAttr = namespace()
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL

	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer

	done := make(chan error, 1)

	go func() {
		lockThread()

		err := command.Run()
		_ = writer.Close()
		done <- err
	}()

	for lines := bufio.NewScanner(reader); lines.Scan(); {
		if text := strings.TrimSpace(lines.Text()); !strings.HasPrefix(text, "===") && !strings.HasPrefix(text, "---") {
			w.Log(text)
		}
	}

	require.NoError(w, <-done, "the scenario failed, or there is no mount namespace to be had: "+
		"run it as root, or where the kernel gives user namespaces to everybody")

	raw, err := os.ReadFile(filepath.Join(w.one.dir, "totals"))
	require.NoError(w, err)
	require.NoError(w, json.Unmarshal(raw, &w.sum.plainTotals))
}

// namespace asks for a mount namespace of one's own: root may have it, others
// as the root of a user namespace.
func namespace() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}

	if os.Geteuid() != 0 {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}

	return attributes
}

// diskFills is the scenario itself.
func diskFills(w *world) {
	const size = "size=64m"

	require.NoError(w, os.Mkdir(w.dataDir(), 0o700))
	require.NoError(w, syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""), "make the mounts private")
	require.NoError(w, syscall.Mount("tmpfs", w.dataDir(), "tmpfs", 0, size), "mount a tmpfs")
	// What is mounted cannot be removed.
	w.Cleanup(func() { _ = syscall.Unmount(w.dataDir(), syscall.MNT_DETACH) })

	w.populate(20, false)
	w.start()
	w.post(5)
	w.watch(3)

	for range pick(2, 2+w.rng.IntN(4)) {
		time.Sleep(w.between(time.Second, 3*time.Second))
		w.watch(2)
		w.turn()
		w.faults++

		if !w.full() {
			break
		}
	}

	w.conclude()

	sum := w.sum.plainTotals
	sum.Faults += w.faults

	raw, err := json.Marshal(sum)
	require.NoError(w, err)
	require.NoError(w, os.WriteFile(os.Getenv(insideVariable), raw, 0o600))
}

// full fills the disk, looks at what Parley says, and makes space again; false
// where that did not go as it should.
func (w *world) full() bool {
	w.Helper()

	ballast := filepath.Join(w.dataDir(), "ballast")
	logged := len(w.one.printed())
	filled := w.fill(ballast)

	refused := w.await(30*time.Second, func() bool {
		w.fill(ballast)
		w.send(w.heavy())
		w.mu.Lock()
		now := w.window
		w.mu.Unlock()

		now.mu.Lock()
		defer now.mu.Unlock()

		return now.statuses[http.StatusServiceUnavailable] > 2
	}, func() string { return "no webhook was refused although the disk is full" })

	var (
		status int
		ready  []byte
	)

	said := w.await(15*time.Second, func() bool {
		status, ready = w.one.get("/readyz")

		return status == http.StatusServiceUnavailable && checkOf(ready, "inbox") == "disk_full"
	}, func() string { return fmt.Sprintf("/readyz does not say it: %d %s", status, ready) })

	time.Sleep(w.between(time.Second, 4*time.Second))

	named := w.await(15*time.Second, func() bool {
		text := strings.ToLower(w.one.printed()[logged:])

		return strings.Contains(text, "inbox") && (strings.Contains(text, "is full") || strings.Contains(text, "no space"))
	}, func() string { return "the log does not name it: " + w.one.tail() })

	w.sayf("the disk was full after %d KB: %s; /readyz %d %s", filled>>10, w.turn(), status, ready)

	// In the long form some programs meet a full disk at their start.
	if long() && w.rng.IntN(3) == 0 {
		w.kill()
		w.parley = w.one.launch(w.T)
		time.Sleep(w.between(0, 3*time.Second))
		require.NoError(w, os.Remove(ballast))

		if w.parley.endedWithin(5 * time.Second) {
			w.parley = w.one.launch(w.T)
		}
	} else {
		require.NoError(w, os.Remove(ballast))
	}

	begun := time.Now()

	w.one.ready(w.T, w.parley)
	w.sayf("there is space again: ready after %s", time.Since(begun).Round(time.Millisecond))

	return refused && said && named
}

// checkOf is what an answer of /readyz says about one part.
func checkOf(ready []byte, part string) string {
	var answer struct {
		Checks map[string]string `json:"checks"`
	}

	if json.Unmarshal(ready, &answer) != nil {
		return ""
	}

	return answer.Checks[part]
}

// heavy is a webhook that needs space of its own, whatever room SQLite has left
// in its files.
func (w *world) heavy() *hook {
	const size = 200 << 10

	w.heavies++
	id := fmt.Sprintf("heavy-%d", w.heavies)
	data := `"` + strings.Repeat("x", size) + `"`

	return w.book.hookOf(w.T, busy, &fact{
		key: signals.Key{Source: busy}, kind: account, id: id, text: id,
		event: signals.Event{
			ID: id, Type: signals.AccountChanged, At: time.Now().UTC(),
			Account: &signals.Account{Object: "app", Action: "updated", ID: id, Data: json.RawMessage(data)},
		},
	})
}

// fill leaves no space on the disk and returns how much there was.
func (w *world) fill(path string) int {
	w.Helper()

	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(w, err)

	defer func() { _ = file.Close() }()

	total := 0

	for block := make([]byte, 1<<20); len(block) > 0; {
		n, err := file.Write(block)
		total += n

		switch {
		case errors.Is(err, syscall.ENOSPC):
			block = block[:len(block)/2]
		case err != nil:
			require.NoError(w, err)
		}
	}

	return total
}
