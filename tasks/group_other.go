//go:build !unix

package tasks

import (
	"io"
	"os"
	"syscall"
)

// group is the pid of a command: there are no process groups here.
type group int

func (g group) terminate() { g.kill() }

func (g group) kill() {
	if p, err := os.FindProcess(int(g)); err == nil {
		_ = p.Kill() // the one expected error is that it has ended
		_ = p.Release()
	}
}

// Nothing but the command itself is followed.

func (group) gone() bool   { return true }
func (group) reaped() bool { return true }

func startGuard(string, io.Writer) (watch func(group), stop func()) {
	return func(group) {}, func() {}
}

func leaderAttr() *syscall.SysProcAttr { return nil }

func signalName(*os.ProcessState) string { return "" }
