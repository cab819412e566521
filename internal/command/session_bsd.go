//go:build unix && !linux

package command

import (
	"io/fs"
	"syscall"
)

// commandAttr starts a command in a new session. There is no pidfd.
func commandAttr(pidfd *int) *syscall.SysProcAttr {
	*pidfd = -1
	return &syscall.SysProcAttr{Setsid: true}
}

// pipe returns the two ends of a pipe that programs do not inherit.
func pipe() (out, in int, err error) {
	// There is no pipe2 on all of these systems. The lock keeps a fork from happening before the
	// descriptors are marked.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var ends [2]int
	if err = syscall.Pipe(ends[:]); err == nil {
		syscall.CloseOnExec(ends[0])
		syscall.CloseOnExec(ends[1])
	}
	return ends[0], ends[1], err
}

// The members of a session cannot be listed here, so only the group of its leader is followed.

func (session) members() (alive []member, known bool) { return nil, false }
func (session) outsideGroup() []int                   { return nil }

// writersOf returns nil: open files of other processes cannot be listed here.
func (session) writersOf(fs.FileInfo) []string { return nil }

// killedBeforeExec returns false: these systems do not say it.
func killedBeforeExec(int, int) bool { return false }

func liveSessions() map[session]bool { return nil }
