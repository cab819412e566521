//go:build unix

package tasks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
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

// guardScript waits until its standard input ends, which means that the worker has died: a guard of a worker that lives is killed.
const guardScript = `trap '' HUP INT TERM; read -r x; kill -s KILL -- "-$1"; rm -rf -- "$2"`

// guard starts a process that kills the group and removes folder if this process is killed; the caller must call stop.
// A death signal cannot do this: it reaches the leader only, and not what the leader has started.
func (g group) guard(folder string, log io.Writer) (stop func()) {
	cmd := exec.Command("sh", "-c", guardScript, "godags-guard", strconv.Itoa(int(g)), folder)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	_, err := cmd.StdinPipe() // held open by cmd until Wait
	if err == nil {
		err = cmd.Start()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return func() {}
	}
	if err != nil {
		fmt.Fprintf(log, "godags: no guard: if this worker is killed, what the command started may go on: %v\n", err)
		return func() {}
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

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
