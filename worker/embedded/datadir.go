package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The files by which a data directory is known and claimed.
const (
	markerFile   = "parley.json"
	lockFile     = "parley.lock"
	markerFormat = 1
)

// maxMarker bounds what is read of a marker file, in bytes.
const maxMarker = 64 << 10

// DirLock is one process's claim on a data directory. The kernel drops it when the process ends, however it ends.
type DirLock struct {
	dir  string
	file *os.File
}

// marker is the content of parley.json: it says that the directory is Parley's, and which Temporal server made the
// data files in it. It is written before the files are, so files without a record never come from Parley.
type marker struct {
	Format         int       `json:"format"`
	CreatedAt      time.Time `json:"created_at"`
	TemporalServer string    `json:"temporal_server,omitempty"`
}

// Lock claims dataDir for this process, and is to be called before any file in it is opened: two processes on one
// directory corrupt each other silently. It creates the directory if need be and refuses one that holds other things
// (ErrForeign), that cannot be written (ErrNotWritable) or that a process holds (ErrInUse, with its process id).
func Lock(dataDir string) (*DirLock, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory %s %w: %w; set PARLEY_DATA_DIR", dataDir, ErrNotWritable, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, notWritable(dir, err)
	}
	if err := refuseForeign(dir); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, notWritable(dir, err)
	}
	lock := &DirLock{dir: dir, file: file}
	if err := lock.claim(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return lock, nil
}

// Dir is the absolute path of the claimed directory.
func (l *DirLock) Dir() string { return l.dir }

// Close gives the claim up. The lock file stays: removing it would let two processes lock two files of one name. It
// unlocks before closing, since a program that this process starts at the moment holds the file until its exec.
func (l *DirLock) Close() error {
	unlock := func() error { return unix.Flock(int(l.file.Fd()), unix.LOCK_UN) }
	if err := errors.Join(l.file.Truncate(0), unlock(), l.file.Close()); err != nil {
		return fmt.Errorf("release data directory %s: %w", l.dir, err)
	}
	return nil
}

// claim locks the file, writes the process id into it, and marks a new directory as Parley's.
func (l *DirLock) claim() error {
	err := unix.Flock(int(l.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("data directory %s %w by %s: stop that process, or set PARLEY_DATA_DIR", l.dir, ErrInUse, l.holder())
	}
	if err != nil {
		return fmt.Errorf("data directory %s cannot be locked: %w; set PARLEY_DATA_DIR to one on a local disk", l.dir, err)
	}
	if err := l.writePID(); err != nil {
		return notWritable(l.dir, err)
	}
	mark, err := l.readMarker()
	if err != nil {
		return err
	}
	if mark.Format != 0 {
		return nil
	}
	return l.writeMarker(marker{Format: markerFormat, CreatedAt: time.Now().UTC().Truncate(time.Second)})
}

func (l *DirLock) writePID() error {
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("empty the lock file: %w", err)
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}

// holder names the process whose id stands in the lock file; the holder may not have written it yet.
func (l *DirLock) holder() string {
	text, err := io.ReadAll(io.NewSectionReader(l.file, 0, 32))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || convErr != nil {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}

// readMarker returns the zero marker if there is none yet.
func (l *DirLock) readMarker() (marker, error) {
	var mark marker
	path := filepath.Join(l.dir, markerFile)
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return mark, nil
	}
	if err != nil {
		return mark, fmt.Errorf("read %s: %w; restore it, or set PARLEY_DATA_DIR", path, err)
	}
	defer func() { _ = file.Close() }() // opened for reading only
	if err := json.NewDecoder(io.LimitReader(file, maxMarker)).Decode(&mark); err != nil || mark.Format < 1 {
		return mark, fmt.Errorf("data directory %s %w: %s is not Parley's record; restore it, or set PARLEY_DATA_DIR",
			l.dir, ErrForeign, markerFile)
	}
	if mark.Format > markerFormat {
		return mark, fmt.Errorf("data directory %s %w: a newer Parley made it (format %d, this one knows %d); set PARLEY_DATA_DIR",
			l.dir, ErrForeign, mark.Format, markerFormat)
	}
	return mark, nil
}

// writeMarker replaces parley.json as a whole, on disk when it returns.
func (l *DirLock) writeMarker(mark marker) error {
	text, err := json.MarshalIndent(mark, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", markerFile, err)
	}
	path := filepath.Join(l.dir, markerFile)
	if err := writeSynced(path+".new", append(text, '\n')); err != nil {
		return notWritable(l.dir, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return notWritable(l.dir, err)
	}
	return syncDir(l.dir)
}

// refuseForeign lets pass what is empty, what is marked, and what only a first start that was cut short has left.
func refuseForeign(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return notWritable(dir, err)
	}
	stranger := ""
	for _, entry := range entries {
		switch entry.Name() {
		case markerFile:
			return nil
		case lockFile, markerFile + ".new", "lost+found":
		default:
			stranger = entry.Name()
		}
	}
	if stranger != "" {
		return fmt.Errorf("data directory %s %w (it holds %q and no %s): set PARLEY_DATA_DIR to a new or empty directory",
			dir, ErrForeign, stranger, markerFile)
	}
	return nil
}

func notWritable(dir string, err error) error {
	return fmt.Errorf("data directory %s %w: %w; set PARLEY_DATA_DIR", dir, ErrNotWritable, err)
}

func writeSynced(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return notWritable(dir, err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return notWritable(dir, err)
	}
	return nil
}
