package target

import "syscall"

// apart keeps an interrupt at the terminal from the process, which is ended in
// order, and ends it with this program, however that ends.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
