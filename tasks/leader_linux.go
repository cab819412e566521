package tasks

import "syscall"

// leaderAttr makes a command the leader of its group, lets the kernel kill it when the worker dies, and stores in pidfd what becomes
// readable when it ends: -1 if the kernel is older than 5.3.
func leaderAttr(pidfd *int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, PidFD: pidfd}
}

// pipe returns the two ends of a pipe that programs do not inherit.
func pipe() (out, in int, err error) {
	var ends [2]int
	err = syscall.Pipe2(ends[:], syscall.O_CLOEXEC)
	return ends[0], ends[1], err
}
