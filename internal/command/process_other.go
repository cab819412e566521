//go:build !unix

package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"github.com/godags/godags/internal/fault"
)

const nonblock = 0

// session is the process ID of a command: the processes that it starts are not followed here.
type session int

func (s session) terminate() { s.kill() }

func (s session) kill() {
	if p, err := os.FindProcess(int(s)); err == nil {
		_ = p.Kill() // the only expected error is that it has ended
		_ = p.Release()
	}
}

func (session) gone() bool                     { return true }
func (session) names() []string                { return nil }
func (session) writersOf(fs.FileInfo) []string { return nil }

// watchdog does not exist here.
type watchdog struct{}

func startWatchdog(string, *os.Root) (*watchdog, error) { return nil, nil }
func (*watchdog) watch(session) (int, error)            { return 0, nil }
func (*watchdog) unwatch(int) error                     { return nil }
func (*watchdog) dead() bool                            { return false }
func (*watchdog) stop()                                 {}

// Why a program cannot be started is only known from the error of the system.

func executable(string) bool  { return true }
func loaderOf(string) string  { return "" }
func machineOf(string) string { return "" }

// process is a program that was started, and the pipe that it writes to.
type process struct {
	session session
	cmd     *exec.Cmd
	pipe    *os.File
	copied  chan struct{} // closed when the output has ended
	log     io.Writer
	logErr  error // set before copied is closed
}

// start starts the program. Its output goes to log.
func (p Program) start(log io.Writer) (*process, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: pipe for the output: %w", fault.ErrWorker, err)
	}
	defer in.Close()

	cmd := exec.Command(p.Argv[0], p.Argv[1:]...)
	cmd.Dir = p.Dir
	cmd.Env = p.Env
	cmd.Stdout = in
	cmd.Stderr = in
	if err := cmd.Start(); err != nil {
		out.Close()
		return nil, err
	}

	c := &process{session: session(cmd.Process.Pid), cmd: cmd, pipe: out, copied: make(chan struct{}), log: log}
	go func() {
		defer close(c.copied)
		_, err := io.Copy(log, out)
		if err != nil && !errors.Is(err, os.ErrClosed) {
			c.logErr = fmt.Errorf("log of the output: %w", err)
			_, _ = io.Copy(io.Discard, out) // the command would wait for a reader otherwise
		}
	}()

	return c, nil
}

// wait returns how the command ended.
func (c *process) wait() error {
	err := c.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &ExitError{Code: exit.ExitCode()}
	}
	return err
}

func (c *process) finished() bool    { return closed(c.copied) }
func (c *process) outputEnded() bool { return closed(c.copied) }

// copyUntil waits until enough returns true, or else for the given time.
func (c *process) copyUntil(enough func() bool, limit time.Duration) bool {
	return waitUntil(enough, limit)
}

// close ends the copying.
func (c *process) close() {
	c.pipe.Close()
	<-c.copied
}

func (c *process) logError() error {
	c.pipe.Close()
	<-c.copied
	return c.logErr
}
