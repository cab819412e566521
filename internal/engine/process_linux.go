package engine

import "syscall"

// ChildAttr keeps a terminal's Ctrl-C from a worker process, and ends the worker when we are
// killed.
func ChildAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
