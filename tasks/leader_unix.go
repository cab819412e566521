//go:build unix && !linux

package tasks

import "syscall"

// leaderAttr makes a command the leader of its group. There is no pidfd.
func leaderAttr(pidfd *int) *syscall.SysProcAttr {
	*pidfd = -1
	return &syscall.SysProcAttr{Setpgid: true}
}

// pipe returns the two ends of a pipe that programs do not inherit.
func pipe() (out, in int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var ends [2]int
	if err = syscall.Pipe(ends[:]); err == nil {
		syscall.CloseOnExec(ends[0])
		syscall.CloseOnExec(ends[1])
	}
	return ends[0], ends[1], err
}

// dead is what cannot be known here.
func (g group) dead() bool { return false }
