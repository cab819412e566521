//go:build unix && !linux

package tasks

import (
	"io/fs"
	"syscall"
)

// commandAttr gives a command a session of its own. There is no pidfd.
func commandAttr(pidfd *int) *syscall.SysProcAttr {
	*pidfd = -1
	return &syscall.SysProcAttr{Setsid: true}
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

// What is in a session cannot be known here: only the group of its leader is followed.

func (session) members() (alive []member, known bool) { return nil, false }
func (session) outsideGroup() []int                   { return nil }

// writersOf cannot be known either.
func (session) writersOf(fs.FileInfo) []string { return nil }

// killedBeforeExec cannot be known.
func killedBeforeExec(int, int) bool { return false }

func liveSessions() map[session]bool { return nil }
