package command

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// commandAttr starts a command in a new session, without a terminal. The kernel kills the command
// when the thread that started it ends. The descriptor stored in pidfd becomes readable when the
// command ends; it is -1 before Linux 5.3.
func commandAttr(pidfd *int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: pidfd}
}

// pipe returns the two ends of a pipe that programs do not inherit.
func pipe() (out, in int, err error) {
	var ends [2]int
	err = syscall.Pipe2(ends[:], syscall.O_CLOEXEC)
	return ends[0], ends[1], err
}

// killedBeforeExec waits for a child, or only looks with WNOHANG, and reports whether a signal
// killed it before it executed its program. The child can still be waited for.
func killedBeforeExec(pid, options int) bool {
	const forkNoExec = 0x40 // PF_FORKNOEXEC

	// WNOWAIT leaves the zombie, without which there would be no /proc/PID/stat to read.
	var info unix.Siginfo
	for err := error(syscall.EINTR); err == syscall.EINTR; {
		err = unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|options, nil)
	}

	if info.Code != cldKilled && info.Code != cldDumped {
		return false
	}

	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}

	// After the name, in parentheses, come state, parent, group, session, terminal, its group and
	// the flags. The session would not say enough: a signal that was sent before setsid may kill
	// the child after it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 7 {
		return false
	}

	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	return err == nil && flags&forkNoExec != 0
}

// The codes of a child that a signal has killed: CLD_KILLED and CLD_DUMPED.
const (
	cldKilled = 2
	cldDumped = 3
)

// sessionOf returns the session of a process.
func sessionOf(pid int) (session, error) {
	sid, err := unix.Getsid(pid)
	return session(sid), err
}

// outsideGroup returns the processes of the session that have left the group of its leader.
func (s session) outsideGroup() []int {
	var pids []int
	members, _ := s.members()
	for _, m := range members {
		if group, err := unix.Getpgid(m.pid); err == nil && group != int(s) {
			pids = append(pids, m.pid)
		}
	}
	return pids
}

// members returns the live processes of the session, if there is a /proc to find them. One call
// takes a tenth of the time of a short command, so it is only made when processes are left, or are
// to be killed.
func (s session) members() (alive []member, known bool) {
	pids, err := allProcesses()
	if err != nil {
		return nil, false
	}

	for _, pid := range pids {
		if of, err := sessionOf(pid); err != nil || of != s {
			continue
		}

		// The first process of a container adopts orphans, and must wait for them. Zombies of other
		// parents do not count, so nothing waits for those parents.
		if pid != int(s) {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}

		if name, ok := living(pid); ok {
			alive = append(alive, member{pid, name})
		}
	}

	return alive, true
}

func allProcesses() ([]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()

	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}

	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}

	// A container may have an empty folder /proc.
	if len(pids) == 0 {
		return nil, fmt.Errorf("/proc: %w", os.ErrNotExist)
	}

	return pids, nil
}

// living returns the name of a process, and whether it is alive.
func living(pid int) (name string, alive bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}

	// The name may contain parentheses itself, so its end is the last one.
	begin := bytes.IndexByte(stat, '(')
	end := bytes.LastIndexByte(stat, ')')
	if begin < 0 || end < begin || len(stat) < end+3 {
		return "", false
	}

	return string(stat[begin+1 : end]), !slices.Contains([]byte("ZX"), stat[end+2])
}

// writersOf returns the names of the processes of the session that have the file open for writing.
func (s session) writersOf(file fs.FileInfo) []string {
	if file == nil {
		return nil
	}

	var names []string
	members, _ := s.members()
	for _, m := range members {
		if m.writes(file) {
			names = append(names, m.name)
		}
	}

	return names
}

// writes reports whether a process has the file open for writing.
func (m member) writes(file fs.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", m.pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}

	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		// The permissions of the link are the mode in which the file was opened.
		link, err := os.Lstat(dir + "/" + e.Name())
		if err != nil || link.Mode()&0o200 == 0 {
			return false
		}
		open, err := os.Stat(dir + "/" + e.Name())
		return err == nil && os.SameFile(open, file)
	})
}

// liveSessions returns all sessions that have processes.
func liveSessions() map[session]bool {
	sessions := make(map[session]bool)
	pids, _ := allProcesses()
	for _, pid := range pids {
		if s, err := sessionOf(pid); err == nil {
			sessions[s] = true
		}
	}
	return sessions
}
