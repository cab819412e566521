package tasks

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

// commandAttr gives a command a session of its own, without a terminal, lets the kernel kill it
// when the worker dies, and stores in pidfd what becomes readable when it ends: -1 if the kernel is
// older than 5.3.
func commandAttr(pidfd *int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: pidfd}
}

// pipe returns the two ends of a pipe that programs do not inherit.
func pipe() (out, in int, err error) {
	var ends [2]int
	err = syscall.Pipe2(ends[:], syscall.O_CLOEXEC)
	return ends[0], ends[1], err
}

// killedBeforeExec waits for the end of a child, or only looks with WNOHANG, and tells whether a
// signal has killed it before it executed its program. The child can still be waited for. That it
// is not in its own session would not say enough: a signal that was sent before setsid may kill it
// after.
func killedBeforeExec(pid, options int) bool {
	const forkNoExec = 0x40 // PF_FORKNOEXEC
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
	// the flags.
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

// members returns the processes of the session that are alive, if there is a /proc to find them.
// One call takes a tenth of the time of a short command, so it is only made when something is left,
// or is to be killed.
func (s session) members() (alive []member, known bool) {
	pids, err := allProcesses()
	if err != nil {
		return nil, false
	}

	for _, pid := range pids {
		if of, err := sessionOf(pid); err != nil || of != s {
			continue
		}

		// Zombies that were adopted by this process are waited for here, and those of others do not
		// count.
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

	if len(pids) == 0 {
		return nil, fmt.Errorf("/proc: %w", os.ErrNotExist)
	}

	return pids, nil
}

// living returns the name of a process, and whether it has not ended.
func living(pid int) (name string, alive bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}

	begin := bytes.IndexByte(stat, '(')
	end := bytes.LastIndexByte(stat, ')')
	if begin < 0 || end < begin || len(stat) < end+3 {
		return "", false
	}

	return string(stat[begin+1 : end]), !slices.Contains([]byte("ZX"), stat[end+2])
}

// writersOf returns the names of the processes of the session that may still write to the file.
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

// writes tells whether a process has the file open for writing.
func (m member) writes(file fs.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", m.pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}

	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		// The permissions of the link are those that the file was opened with.
		link, err := os.Lstat(dir + "/" + e.Name())
		if err != nil || link.Mode()&0o200 == 0 {
			return false
		}
		open, err := os.Stat(dir + "/" + e.Name())
		return err == nil && os.SameFile(open, file)
	})
}

// liveSessions returns all sessions of this machine that have processes.
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
