//go:build unix

package tasks

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// group is a process group: the pid of its leader.
type group int

// The signals are sent without looking at the result: the one possible error is that the group is gone.

func (g group) terminate() { _ = syscall.Kill(-int(g), syscall.SIGTERM) }
func (g group) kill()      { _ = syscall.Kill(-int(g), syscall.SIGKILL) }

// gone tells whether the group has no process left that is alive. It must not be called before the leader was waited for.
func (g group) gone() bool {
	return g.reaped() && (errors.Is(syscall.Kill(-int(g), 0), syscall.ESRCH) || g.dead())
}

// reaped tells whether no process of the group is a child of this process, after it has waited for those that have ended.
// The first process of a container adopts what a command leaves behind, and nobody else would wait for it.
// It must not be called before the leader was waited for.
func (g group) reaped() bool {
	for {
		pid, err := syscall.Wait4(-int(g), nil, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.ECHILD) {
			return true
		}
		if err == nil && pid == 0 {
			return false
		}
	}
}

// guardScript waits until its standard input ends, which means that the worker has, and ends what the worker has left behind:
// the groups whose numbers are the lines of its descriptor 3, and the folder.
const guardScript = `trap '' HUP INT TERM
read -r end
while read -r group <&3; do
	[ -z "$group" ] || kill -s KILL -- "-$group"
done
rm -rf -- "$1"`

// guard is a process that outlives this one for a moment. A death signal cannot replace it: that reaches the leader of a group only, and
// not what the leader has started.
type guard struct {
	pid    int
	alive  int      // a pipe that nobody writes to: it ends when this process does
	groups *os.File // has a line of groupLine bytes for each desk; no name leads to it
}

const groupLine = 12

// startGuard starts the guard of a folder. Without an sh there is none.
func startGuard(dir string) (*guard, error) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return nil, nil
	}
	groups, err := os.CreateTemp(dir, "groups-")
	if err != nil {
		return nil, err
	}
	stdin, alive, err := pipe()
	if err != nil {
		return nil, errors.Join(err, groups.Close())
	}
	defer syscall.Close(stdin)
	pid, err := syscall.ForkExec(sh, []string{"sh", "-c", guardScript, "godags-guard", dir}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH")}, Sys: &syscall.SysProcAttr{Setpgid: true},
		Files: []uintptr{uintptr(stdin), uintptr(stdin), uintptr(stdin), groups.Fd()},
	})
	if err == nil {
		err = os.Remove(groups.Name())
	}
	if err != nil {
		syscall.Close(alive)
		return nil, errors.Join(err, groups.Close())
	}
	return &guard{pid, alive, groups}, nil
}

func (g *guard) watch(desk int, watched group) error {
	line := make([]byte, 0, groupLine)
	if watched != 0 {
		line = strconv.AppendInt(line, int64(watched), 10)
	}
	line = append(line, "           "[len(line):]...)
	_, err := g.groups.WriteAt(append(line, '\n'), int64(desk)*groupLine)
	return err
}

// dead tells whether somebody has killed the guard.
func (g *guard) dead() bool {
	pid, err := syscall.Wait4(g.pid, nil, syscall.WNOHANG, nil)
	return pid == g.pid || errors.Is(err, syscall.ECHILD)
}

// dismiss ends the guard.
func (g *guard) dismiss() {
	_ = syscall.Kill(g.pid, syscall.SIGKILL)
	for err := error(syscall.EINTR); err == syscall.EINTR; {
		_, err = syscall.Wait4(g.pid, nil, 0, nil)
	}
	syscall.Close(g.alive)
	g.groups.Close()
}
