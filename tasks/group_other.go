//go:build !unix

package tasks

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"time"
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

// guard does not exist here.
type guard struct{}

func startGuard(string) (*guard, error) { return nil, nil }
func (*guard) watch(int, group) error   { return nil }
func (*guard) dead() bool               { return false }
func (*guard) dismiss()                 {}

// leader is a command that has been started, and the end of the pipe that it writes to.
type leader struct {
	group  group
	cmd    *exec.Cmd
	output *os.File
	copied chan struct{} // closed at the end of the output
	logErr error
}

// start starts the program. Its output goes to log.
func (p program) start(log io.Writer) (*leader, error) {
	output, input, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: pipe for the output: %w", ErrWorker, err)
	}
	defer input.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, input, input
	if err := cmd.Start(); err != nil {
		output.Close()
		return nil, err
	}
	l := &leader{group: group(cmd.Process.Pid), cmd: cmd, output: output, copied: make(chan struct{})}
	go func() {
		defer close(l.copied)
		_, err := io.Copy(log, output)
		if err != nil && !errors.Is(err, os.ErrClosed) {
			l.logErr = fmt.Errorf("log of the output: %w", err)
			_, _ = io.Copy(io.Discard, output) // the command would wait for a reader otherwise
		}
	}()
	return l, nil
}

// wait returns how the leader has ended.
func (l *leader) wait() error {
	err := l.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &ExitError{Code: exit.ExitCode()}
	}
	return err
}

// copyUntil waits for the end of the output, or until enough holds.
func (l *leader) copyUntil(enough func() bool) {
	waitUntil(func() bool { return closed(l.copied) || enough() }, time.Duration(math.MaxInt64))
}

// close ends the copying.
func (l *leader) close() {
	l.output.Close()
	<-l.copied
}

func (l *leader) logError() error {
	l.output.Close()
	<-l.copied
	return l.logErr
}
