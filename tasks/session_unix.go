//go:build unix

package tasks

import (
	"errors"
	"syscall"
)

// session is the session of a command, by the pid of its leader: the command itself, and all that
// it has started, other than what has made a session of its own. At first it is one process group.
//
// No method but terminate and kill may be called before the leader was waited for, since a leader
// that has ended counts until then.
type session int

// member is a process of a session.
type member struct {
	pid  int
	name string
}

// The signals are sent without looking at the result: the one possible error is that the process is
// gone.

// terminate asks all processes of the session to end. One that is stopped is continued, or it would
// not learn of that.
func (s session) terminate() {
	_ = syscall.Kill(-int(s), syscall.SIGTERM)
	_ = syscall.Kill(-int(s), syscall.SIGCONT)
	for _, pid := range s.outsideGroup() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// killRounds is how often processes that were forked meanwhile are looked for.
const killRounds = 10

func (s session) kill() {
	_ = syscall.Kill(-int(s), syscall.SIGKILL)
	for range killRounds {
		left := s.outsideGroup()
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(left) == 0 {
			return
		}
	}
}

// groupGone tells at once whether the process group of the leader has no process, not even a
// zombie.
func (s session) groupGone() bool { return errors.Is(syscall.Kill(-int(s), 0), syscall.ESRCH) }

// reap waits for processes of the leader's group that are children of this process. The first
// process of a container adopts what a command leaves running, and nobody else would wait for it.
func (s session) reap() {
	for {
		if pid, err := syscall.Wait4(-int(s), nil, syscall.WNOHANG, nil); pid <= 0 && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// gone tells whether the session has no process left that is alive.
func (s session) gone() bool {
	s.reap()
	members, known := s.members()
	if !known {
		return s.groupGone()
	}
	return len(members) == 0
}

// names returns the names of the processes of the session that are alive, as far as that can be
// known.
func (s session) names() []string {
	members, _ := s.members()
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return names
}
