//go:build !linux

package target

import "syscall"

// apart keeps nothing apart where the system has no words for it.
func apart() *syscall.SysProcAttr { return nil }
