//go:build unix

package tasks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// group is a process group: the pid of its leader.
type group int

// The signals are sent without looking at the result: the one possible error is that the group is gone.

func (g group) terminate() { _ = syscall.Kill(-int(g), syscall.SIGTERM) }
func (g group) kill()      { _ = syscall.Kill(-int(g), syscall.SIGKILL) }

// gone tells whether the group has no process left. It must not be called before the leader was waited for.
func (g group) gone() bool {
	return g.reaped() && errors.Is(syscall.Kill(-int(g), 0), syscall.ESRCH)
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

// guardScript reads the group, and then waits until its standard input ends, which means that the worker has died: a guard of a worker that lives is killed.
const guardScript = `trap '' HUP INT TERM; read -r group; read -r end; [ -z "$group" ] || kill -s KILL -- "-$group"; rm -rf -- "$1"`

// startGuard starts a process that removes folder, and kills the group that it is given to watch, if this process is killed; the caller
// must call stop. It is there before the group is, so that no moment is without it. A death signal cannot do this: it reaches the
// leader only, and not what the leader has started.
func startGuard(folder string, log io.Writer) (watch func(group), stop func()) {
	cmd := exec.Command("sh", "-c", guardScript, "godags-guard", folder)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe() // held open by cmd until Wait
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		if !errors.Is(err, exec.ErrNotFound) {
			fmt.Fprintf(log, noGuard, err)
		}
		return func(group) {}, func() {}
	}
	watch = func(g group) {
		if _, err := fmt.Fprintln(stdin, int(g)); err != nil {
			fmt.Fprintf(log, noGuard, err)
		}
	}
	return watch, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

const noGuard = "godags: no guard: if this worker is killed, what the command started may go on: %v\n"

func signalName(state *os.ProcessState) string {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return ""
	}
	if name := unix.SignalName(status.Signal()); name != "" {
		return name
	}
	return status.Signal().String() // real-time signals have no name
}
