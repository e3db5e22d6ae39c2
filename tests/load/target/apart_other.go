//go:build !linux

package target

import "syscall"

// InMemory is not known here.
func InMemory(string) bool { return false }

// apart keeps nothing apart where the system has no words for it.
func apart() *syscall.SysProcAttr { return nil }
