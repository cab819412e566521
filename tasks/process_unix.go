//go:build unix

package tasks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a command that has been started: the leader of its session, and the end of the pipe that
// it writes to.
//
// It does by hand what os/exec does with goroutines and the network poller, since a command that
// does nothing would cost a fifth more.
type child struct {
	session session
	pidfd   int // readable when the leader has ended; -1 where there is no such thing
	output  int
	atEnd   bool   // of the output
	buffer  []byte // nil until there is output
	log     io.Writer
	logErr  error
	reaped  bool
	status  syscall.WaitStatus
	lost    error // why there is no status
}

// start starts the program. Its output goes to log during wait and copyUntil.
func (p program) start(log io.Writer) (*child, error) {
	path := p.argv[0]
	if !strings.Contains(path, "/") { // else it may be relative to the folder
		found, err := lookPath(path)
		if err != nil {
			return nil, err
		}
		path = found
	}

	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: open %s: %w", ErrWorker, os.DevNull, err)
	}
	defer syscall.Close(null)

	output, input, err := pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: pipe for the output: %w", ErrWorker, err)
	}
	defer syscall.Close(input)

	if err := p.user.own(input); err != nil {
		syscall.Close(output)
		return nil, fmt.Errorf("%w: pipe for the output: %w", ErrWorker, err)
	}

	c := &child{output: output, log: log}
	pid, err := syscall.ForkExec(path, p.argv, &syscall.ProcAttr{
		Dir: p.dir, Env: p.env, Files: []uintptr{uintptr(null), uintptr(input), uintptr(input)}, Sys: p.user.become(commandAttr(&c.pidfd)),
	})
	if err != nil {
		syscall.Close(output)
		if lacksResources(err) {
			return nil, fmt.Errorf("%w: start a process: %w", ErrWorker, err)
		}
		return nil, &os.PathError{Op: "exec", Path: path, Err: err}
	}

	c.session = session(pid)
	return c, nil
}

// lacksResources tells whether a process could not be started because the worker may have no more
// of something.
func lacksResources(err error) bool {
	errno, _ := errors.AsType[syscall.Errno](err)
	return slices.Contains([]syscall.Errno{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE}, errno)
}

func (c *child) close() {
	syscall.Close(c.output)
	if c.pidfd >= 0 {
		syscall.Close(c.pidfd)
	}
}

// wait copies output until the leader has ended, and returns how it did.
func (c *child) wait() error {
	timeout := forever
	if c.pidfd < 0 {
		timeout = pollTime
	}

	for !c.atEnd && !c.reaped {
		c.poll(c.pidfd, timeout)
		if !c.atEnd {
			c.reap(syscall.WNOHANG)
		}
	}

	if !c.reaped {
		c.reap(0) // it has closed its output
	}
	return c.exitError()
}

// finished tells whether the command has left nothing: no process in its group, and none that could
// write to its output. Nothing is waited for, since that is so for nearly every command.
func (c *child) finished() bool {
	for range 4 { // what a pipe holds, and its end
		if c.atEnd || !c.poll(-1, 0) {
			break
		}
	}

	if !c.atEnd || !c.session.groupGone() {
		return false
	}

	leftovers.add(c.session)
	return true
}

// copyUntil copies output until enough holds, or else for the given time.
func (c *child) copyUntil(enough func() bool, limit time.Duration) bool {
	begin := time.Now()
	for pause := pollTime; ; pause = min(maxPollTime, pause*3/2) {
		if enough() {
			return true
		}

		if time.Since(begin) >= limit {
			return false
		}

		// What holds is asked after the pause, or at the end of the output, and not for each part
		// of it.
		atEnd := c.atEnd
		for until := time.Now().Add(pause); c.atEnd == atEnd && time.Now().Before(until); {
			c.poll(-1, time.Until(until))
		}
	}
}

func (c *child) outputEnded() bool { return c.atEnd }

// poll waits for output, which it copies, or for wake, and tells whether there was any of it.
func (c *child) poll(wake int, timeout time.Duration) bool {
	milliseconds := -1
	if timeout != forever {
		milliseconds = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}

	fds := [...]unix.PollFd{{Fd: int32(c.output), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	if c.atEnd {
		fds[0].Fd = -1 // nothing to wait for
	}

	n, err := unix.Poll(fds[:], milliseconds)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		c.logErr = errors.Join(c.logErr, fmt.Errorf("wait for output: %w", err))
		c.atEnd = true
		return false
	}

	if fds[0].Revents != 0 {
		c.read(fds[0].Revents&unix.POLLIN != 0)
	}
	return n > 0
}

// read copies what has been written, also when the log fails, since the command would wait for a
// reader otherwise.
func (c *child) read(something bool) {
	if !something {
		c.atEnd = true
		return
	}

	if c.buffer == nil {
		c.buffer = make([]byte, 32<<10)
	}

	n, err := syscall.Read(c.output, c.buffer)
	switch {
	case err == syscall.EINTR || err == syscall.EAGAIN:
	case err != nil:
		c.logErr = errors.Join(c.logErr, fmt.Errorf("read the output: %w", err))
		c.atEnd = true
	case n == 0:
		c.atEnd = true
	case c.logErr == nil:
		if _, err := c.log.Write(c.buffer[:n]); err != nil {
			c.logErr = fmt.Errorf("log of the output: %w", err)
		}
	}
}

func (c *child) logError() error { return c.logErr }

// reap waits for the leader, or only looks with WNOHANG.
func (c *child) reap(options int) {
	early := killedBeforeExec(int(c.session), options)
	for !c.reaped {
		pid, err := syscall.Wait4(int(c.session), &c.status, options, nil)
		if err == syscall.EINTR {
			continue
		}
		if err == nil && pid == 0 {
			return
		}

		c.reaped = true
		c.lost = err
	}

	if c.lost == nil && early {
		c.lost = errNotExecuted
	}
}

func (c *child) exitError() error {
	switch {
	case c.lost != nil:
		return fmt.Errorf("wait for the command: %w", c.lost)
	case c.status.Signaled():
		return &ExitError{Code: 128 + int(c.status.Signal()), Signal: signalName(c.status.Signal())}
	case c.status.ExitStatus() != 0:
		return &ExitError{Code: c.status.ExitStatus()}
	}

	return nil
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String() // real-time signals have no name
}
