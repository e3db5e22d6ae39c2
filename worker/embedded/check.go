package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// CheckPorts tries the ports that Start would listen on and lets them go again. Its error is Start's: ErrPortTaken, or
// ErrConfig for an address that this machine has not.
func CheckPorts(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	taken, err := takePorts(ctx, &cfg)
	if err != nil {
		return err
	}
	return taken.close()
}

// CheckDataDir looks whether Lock and Start would accept the directory, without creating or changing anything in it.
// Its error is theirs: ErrNotWritable, ErrForeign, ErrInUse or ErrVersion.
func CheckDataDir(dataDir string) error {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return notWritable(dataDir, err)
	}
	switch _, err := os.Stat(dir); {
	case errors.Is(err, os.ErrNotExist):
		return writable(nearest(dir), dir)
	case err != nil:
		return notWritable(dir, err)
	}
	if err := refuseForeign(dir); err != nil {
		return err
	}
	if err := writable(dir, dir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, markerFile)); errors.Is(err, os.ErrNotExist) {
		return nil // empty, as good as new
	}
	lock, err := Lock(dir)
	if err != nil {
		return err
	}
	return errors.Join(checkVersion(lock), lock.Close())
}

// nearest is the closest directory above dir that exists.
func nearest(dir string) string {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		if _, err := os.Stat(parent); err == nil || parent == filepath.Dir(parent) {
			return parent
		}
	}
}

func writable(existing, wanted string) error {
	if err := unix.Access(existing, unix.W_OK|unix.X_OK); err != nil {
		return notWritable(wanted, &os.PathError{Op: "write", Path: existing, Err: err})
	}
	return nil
}
