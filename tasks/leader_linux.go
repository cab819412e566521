package tasks

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

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

// dead tells whether all processes of the group have ended, and are only waited for by nobody: the first process of a container may
// do that late, or never. It must not be called before the leader was waited for.
func (g group) dead() bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// After the name, in parentheses, come state, parent and group.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 2 && string(fields[2]) == strconv.Itoa(int(g)) && string(fields[0]) != "Z" && string(fields[0]) != "X" {
			return false
		}
	}
	return true
}
