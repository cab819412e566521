//go:build unix

package command

import (
	"errors"
	"syscall"
)

// session is the session of a command, by the process ID of its leader: the command itself and all
// processes that it started, except those that made a new session. It starts as one process group.
//
// Only terminate and kill may be called before the leader was waited for: until then a leader that
// has ended counts as a member.
type session int

// member is a process of a session.
type member struct {
	pid  int
	name string
}

// The results of signals are ignored: the one possible error is that the process is gone.

// terminate sends SIGTERM to all processes of the session.
func (s session) terminate() {
	// A process that is stopped handles SIGTERM only after SIGCONT.
	_ = syscall.Kill(-int(s), syscall.SIGTERM)
	_ = syscall.Kill(-int(s), syscall.SIGCONT)
	for _, pid := range s.outsideGroup() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// killRounds is how often kill searches for processes that were forked meanwhile.
const killRounds = 10

func (s session) kill() {
	_ = syscall.Kill(-int(s), syscall.SIGKILL)

	// A process may fork between the search and its death. The rounds are limited, since some
	// processes cannot be killed, such as one that waits for a dead NFS server.
	for range killRounds {
		pids := s.outsideGroup()
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) == 0 {
			return
		}
	}
}

// groupGone reports whether the process group of the leader is empty. A zombie counts as a process.
func (s session) groupGone() bool { return errors.Is(syscall.Kill(-int(s), 0), syscall.ESRCH) }

// reap waits for processes of the leader's group that are children of this process.
//
// The first process of a container adopts the processes that a command leaves running. If it did
// not wait for them, they would stay zombies.
func (s session) reap() {
	for {
		if pid, err := syscall.Wait4(-int(s), nil, syscall.WNOHANG, nil); pid <= 0 && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// gone reports whether no process of the session is alive.
func (s session) gone() bool {
	s.reap()
	members, known := s.members()
	if !known {
		return s.groupGone()
	}
	return len(members) == 0
}

// names returns the names of the live processes of the session, where they can be known.
func (s session) names() []string {
	members, _ := s.members()
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return names
}
