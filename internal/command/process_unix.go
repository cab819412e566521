//go:build unix

package command

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

	"github.com/godags/godags/internal/fault"
)

// process is a program that was started: the leader of its session, and the pipe that it writes to.
//
// It replaces os/exec, whose goroutines and use of the network poller make a command that does
// nothing take a fifth longer.
type process struct {
	session session
	leader
	output
}

// leader is the first process of a session, which this process must wait for.
type leader struct {
	pid    int
	pidfd  int // readable when the leader has ended; -1 where there is none
	reaped bool
	status syscall.WaitStatus
	lost   error // why there is no status
}

// output is the reading end of a pipe.
type output struct {
	fd     int
	ended  bool
	buffer []byte // nil until something was written: most commands print nothing
	log    io.Writer
	logErr error
}

// start starts the program. Its output goes to log during wait and copyUntil.
func (p Program) start(log io.Writer) (*process, error) {
	// A path with a slash is not looked up, since it may be relative to p.Dir.
	path := p.Argv[0]
	if !strings.Contains(path, "/") {
		found, err := lookPath(path)
		if err != nil {
			return nil, err
		}
		path = found
	}

	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: open %s: %w", fault.ErrWorker, os.DevNull, err)
	}
	defer syscall.Close(null)

	out, in, err := pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: pipe for the output: %w", fault.ErrWorker, err)
	}
	defer syscall.Close(in)

	if err := p.User.chown(in); err != nil {
		syscall.Close(out)
		return nil, fmt.Errorf("%w: pipe for the output: %w", fault.ErrWorker, err)
	}

	// Both streams share one pipe, so that the log has their lines in the order they were written.
	c := &process{output: output{fd: out, log: log}}
	pid, err := syscall.ForkExec(path, p.Argv, &syscall.ProcAttr{
		Dir: p.Dir, Env: p.Env, Files: []uintptr{uintptr(null), uintptr(in), uintptr(in)},
		Sys: p.User.setCredential(commandAttr(&c.pidfd)),
	})
	if err != nil {
		syscall.Close(out)
		if lacksResources(err) {
			return nil, fmt.Errorf("%w: start a process: %w", fault.ErrWorker, err)
		}
		return nil, &os.PathError{Op: "exec", Path: path, Err: err}
	}

	c.pid = pid
	c.session = session(pid)
	return c, nil
}

// lacksResources reports whether a process could not be started because the worker has run out of
// processes, memory or descriptors.
func lacksResources(err error) bool {
	errno, _ := errors.AsType[syscall.Errno](err)
	return slices.Contains([]syscall.Errno{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE}, errno)
}

func (c *process) close() {
	syscall.Close(c.fd)
	if c.pidfd >= 0 {
		syscall.Close(c.pidfd)
	}
}

// wait copies output until the leader has ended, and returns how it ended.
func (c *process) wait() error {
	// Without a pidfd nothing wakes the poll when the leader ends but a child of it still holds the
	// pipe, so the leader is checked every few milliseconds.
	timeout := forever
	if c.pidfd < 0 {
		timeout = pollTime
	}

	for !c.output.ended && !c.reaped {
		c.poll(c.pidfd, timeout)
		if !c.output.ended {
			c.reap(syscall.WNOHANG)
		}
	}

	// The output has ended, so there is nothing to read while the leader goes on.
	if !c.reaped {
		c.reap(0)
	}
	return c.exitError()
}

// finished reports whether the command left nothing: no process in its group, and none that could
// write to its output. It does not wait, since that is so for nearly every command.
func (c *process) finished() bool {
	// The pipe holds 64 KiB, which are two reads. A third one sees the end.
	for range 4 {
		if c.output.ended || !c.poll(-1, 0) {
			break
		}
	}

	if !c.output.ended || !c.session.groupGone() {
		return false
	}

	sweep.add(c.session)
	return true
}

// copyUntil copies output until enough returns true, or else for the given time.
func (o *output) copyUntil(enough func() bool, limit time.Duration) bool {
	begin := time.Now()
	for pause := pollTime; ; pause = min(maxPollTime, pause*3/2) {
		if enough() {
			return true
		}

		if time.Since(begin) >= limit {
			return false
		}

		// The condition may search all processes. It is checked after the pause or when the output
		// ends, and not after each read.
		ended := o.ended
		for until := time.Now().Add(pause); o.ended == ended && time.Now().Before(until); {
			o.poll(-1, time.Until(until))
		}
	}
}

func (o *output) outputEnded() bool { return o.ended }

// poll waits until there is output, which it copies, or until the descriptor wake is readable. It
// returns false after the timeout.
func (o *output) poll(wake int, timeout time.Duration) bool {
	// Rounded up, or a timeout below a millisecond would be a busy loop.
	milliseconds := -1
	if timeout != forever {
		milliseconds = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}

	fds := [...]unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	if o.ended {
		// poll ignores negative descriptors. A pipe that has ended would end each wait at once.
		fds[0].Fd = -1
	}

	n, err := unix.Poll(fds[:], milliseconds)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		o.logErr = errors.Join(o.logErr, fmt.Errorf("wait for output: %w", err))
		o.ended = true
		return false
	}

	if fds[0].Revents != 0 {
		o.read(fds[0].Revents&unix.POLLIN != 0)
	}
	return n > 0
}

// read copies what was written. Without something, the pipe has ended.
func (o *output) read(something bool) {
	if !something {
		o.ended = true
		return
	}

	if o.buffer == nil {
		o.buffer = make([]byte, 32<<10)
	}

	n, err := syscall.Read(o.fd, o.buffer)
	switch {
	case err == syscall.EINTR || err == syscall.EAGAIN:
	case err != nil:
		o.logErr = errors.Join(o.logErr, fmt.Errorf("read the output: %w", err))
		o.ended = true
	case n == 0:
		o.ended = true
	case o.logErr == nil:
		if _, err := o.log.Write(o.buffer[:n]); err != nil {
			o.logErr = fmt.Errorf("log of the output: %w", err)
		}
	default:
		// The log has failed. The pipe is still read, or the command would wait for a reader.
	}
}

func (o *output) logError() error { return o.logErr }

// reap waits for the leader. With WNOHANG it only looks.
func (l *leader) reap(options int) {
	// Asked before the leader is reaped: /proc forgets a process that was waited for.
	early := killedBeforeExec(l.pid, options)
	for !l.reaped {
		pid, err := syscall.Wait4(l.pid, &l.status, options, nil)
		if err == syscall.EINTR {
			continue
		}
		if err == nil && pid == 0 {
			return
		}

		l.reaped = true
		l.lost = err
	}

	if l.lost == nil && early {
		l.lost = errNotExecuted
	}
}

func (l *leader) exitError() error {
	switch {
	case l.lost != nil:
		return fmt.Errorf("wait for the command: %w", l.lost)
	case l.status.Signaled():
		return &ExitError{Code: 128 + int(l.status.Signal()), Signal: signalName(l.status.Signal())}
	case l.status.ExitStatus() != 0:
		return &ExitError{Code: l.status.ExitStatus()}
	}

	return nil
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String() // real-time signals have no name
}
