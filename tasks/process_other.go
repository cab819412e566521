//go:build !unix

package tasks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"
)

const nonblock = 0

// session is the pid of a command: nothing but the command itself is followed here.
type session int

func (s session) terminate() { s.kill() }

func (s session) kill() {
	if p, err := os.FindProcess(int(s)); err == nil {
		_ = p.Kill() // the one expected error is that it has ended
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
func (*watchdog) dismiss()                              {}

// What is known of a program that cannot be started is what the system says.

func executable(string) bool  { return true }
func loaderOf(string) string  { return "" }
func machineOf(string) string { return "" }

// child is a command that has been started, and the end of the pipe that it writes to.
type child struct {
	session session
	cmd     *exec.Cmd
	output  *os.File
	copied  chan struct{} // closed at the end of the output
	log     io.Writer
	logErr  error
}

// start starts the program. Its output goes to log.
func (p program) start(log io.Writer) (*child, error) {
	output, input, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: pipe for the output: %w", ErrWorker, err)
	}
	defer input.Close()

	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir = p.dir
	cmd.Env = p.env
	cmd.Stdout = input
	cmd.Stderr = input
	if err := cmd.Start(); err != nil {
		output.Close()
		return nil, err
	}

	c := &child{session: session(cmd.Process.Pid), cmd: cmd, output: output, copied: make(chan struct{}), log: log}
	go func() {
		defer close(c.copied)
		_, err := io.Copy(log, output)
		if err != nil && !errors.Is(err, os.ErrClosed) {
			c.logErr = fmt.Errorf("log of the output: %w", err)
			_, _ = io.Copy(io.Discard, output) // the command would wait for a reader otherwise
		}
	}()

	return c, nil
}

// wait returns how the command has ended.
func (c *child) wait() error {
	err := c.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &ExitError{Code: exit.ExitCode()}
	}
	return err
}

func (c *child) finished() bool    { return closed(c.copied) }
func (c *child) outputEnded() bool { return closed(c.copied) }

// copyUntil waits until enough holds, or else for the given time.
func (c *child) copyUntil(enough func() bool, limit time.Duration) bool {
	return waitUntil(enough, limit)
}

// close ends the copying.
func (c *child) close() {
	c.output.Close()
	<-c.copied
}

func (c *child) logError() error {
	c.output.Close()
	<-c.copied
	return c.logErr
}
