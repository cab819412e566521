package tasks

import "syscall"

// leaderAttr makes a command the leader of its group, and lets the kernel kill it when the worker dies.
func leaderAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
