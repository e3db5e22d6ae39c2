package target

import "syscall"

// InMemory reports whether a directory lies in a file system without a disk,
// where a commit costs nothing and figures flatter.
func InMemory(dir string) bool {
	const tmpfs = 0x01021994 // TMPFS_MAGIC, statfs(2)

	var found syscall.Statfs_t

	return syscall.Statfs(dir, &found) == nil && int64(found.Type) == tmpfs //nolint:unconvert // int32 on some architectures
}

// apart keeps an interrupt at the terminal from the process, which is ended in
// order, and ends it with this program, however that ends.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
